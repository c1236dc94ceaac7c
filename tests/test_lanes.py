"""Draws for many items at once: every row is that of its own item and sample, whoever is drawn beside it."""

from __future__ import annotations

import numpy as np
import pytest
import significance
from hypothesis import given, settings
from hypothesis import strategies as st

from fastsa import ops

PERMUTATION, SUBSET = 1, 2
LAW = np.array([0.0, 0.3, 0.0, 0.3, 0.3, 0.1, 0.0, 0.0])
DRAWS = {
    "permutations": lambda rows, **lanes: ops.permutations(7, rows, **lanes),
    "sizes": lambda rows, **lanes: ops.subsets(7, rows, sizes=LAW, **lanes),
    "coins": lambda rows, **lanes: ops.subsets(7, rows, q=0.5, **lanes),
}
LONG = {
    "permutations": lambda rows, **lanes: ops.permutations(130, rows, **lanes),
    "sizes": lambda rows, **lanes: ops.subsets(130, rows, sizes=np.full(131, 1 / 131), **lanes),
    "coins": lambda rows, **lanes: ops.subsets(130, rows, q=0.3, **lanes),
}
IDS = st.one_of(st.integers(0, 3), st.integers(0, 2**48 - 1))
SAMPLES = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))


def lanes(ids, samples):
    return {"ids": np.asarray(ids, np.uint64), "samples": np.asarray(samples, np.uint32)}


@pytest.mark.parametrize("draw", LONG.values(), ids=LONG)
@pytest.mark.parametrize("first", [0, 2**32 - 900])
def test_item_zero_and_consecutive_samples_are_the_rows_without_lanes(draw, first):
    samples = first + np.arange(900)
    expected = draw(900, seed=21, role="select", first_row=first)
    assert draw(900, seed=21, role="select", **lanes(np.zeros(900), samples)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("draw", LONG.values(), ids=LONG)
@given(st.lists(st.tuples(IDS, SAMPLES), min_size=1, max_size=12), st.integers(0, 2**64 - 1))
@settings(max_examples=30)
def test_a_row_depends_on_its_own_item_and_sample_only(draw, pairs, seed):
    ids, samples = zip(*pairs, strict=True)
    together = draw(len(pairs), seed=seed, **lanes(ids, samples))
    for row, (item, sample) in enumerate(pairs):
        assert draw(1, seed=seed, **lanes([item], [sample])).tobytes() == together[row].tobytes()


@given(IDS, SAMPLES, st.sampled_from(["train", "select", "certify", "truth"]))
@settings(max_examples=30)
def test_a_permutation_is_the_shuffle_that_the_words_of_its_lane_say(native_testing, item, sample, role):
    number = ["train", "select", "certify", "truth"].index(role)
    stream = native_testing.Stream(seed=22, op=PERMUTATION, role=number, id=item, sample=sample)
    order, word = list(range(9)), np.empty(1, np.uint32)
    for last in range(8, 0, -1):
        stream.below(word, last + 1)
        order[last], order[word[0]] = order[word[0]], order[last]
    assert ops.permutations(9, 1, seed=22, role=role, **lanes([item], [sample])).tolist() == [order]


@given(IDS, SAMPLES)
@settings(max_examples=30)
def test_coins_are_the_words_of_their_lane(native_testing, item, sample):
    words = np.empty(70, np.uint32)
    native_testing.Stream(seed=23, op=SUBSET, role=3, id=item, sample=sample).words(words)
    bits = ops.subsets(70, 1, q=0.25, seed=23, role="truth", **lanes([item], [sample]))
    assert (ops.unpack(bits[0], 70) == (words < 2**30)).all()


@pytest.mark.parametrize("draw", LONG.values(), ids=LONG)
def test_items_samples_seeds_and_roles_have_lanes_of_their_own(draw):
    drawn = {
        draw(1, seed=seed, role=role, **lanes([item], [sample])).tobytes()
        for item in (0, 1, 2**32, 2**48 - 1)
        for sample in (0, 1, 2**32 - 1)
        for seed in (0, 2**63)
        for role in ("train", "truth")
    }
    assert len(drawn) == 48


@pytest.mark.parametrize("draw", LONG.values(), ids=LONG)
@pytest.mark.parametrize("n_threads", [2, 7])
def test_rows_of_many_items_do_not_depend_on_threads(draw, n_threads):
    rng = np.random.default_rng(24)
    given = lanes(rng.integers(0, 2**48, 3000), rng.integers(0, 2**32, 3000))
    whole = draw(3000, seed=24, n_threads=1, **given)
    assert draw(3000, seed=24, n_threads=n_threads, **given).tobytes() == whole.tobytes()


def test_one_sample_of_many_items_is_uniform_and_neighbours_are_independent():
    """The place of player 0 over 40,000 items of one sample: chi-square and correlation, false alarm 1e-6 each."""
    orders = ops.permutations(20, 40_000, seed=25, **lanes(np.arange(40_000), np.full(40_000, 5)))
    place = orders.argmin(axis=1)
    assert not significance.contradicts_law(np.bincount(place, minlength=20), np.full(20, 1 / 20))
    assert not significance.contradicts_independence(place[:-1], place[1:])
    sizes = ops.unpack(ops.subsets(7, 40_000, sizes=LAW, seed=25, **lanes(np.arange(40_000), np.full(40_000, 5))), 7)
    assert not significance.contradicts_law(np.bincount(sizes.sum(axis=1), minlength=8), LAW)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_no_rows_have_no_lanes(draw):
    assert draw(0, seed=0, **lanes([], [])).shape[0] == 0


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"samples": None}, ValueError, "ids are given without samples"),
        ({"ids": None}, ValueError, "samples are given without ids"),
        ({"first_row": 1}, ValueError, "first_row is 1 beside ids and samples"),
        (lanes([0], [0]), ValueError, "have 1 entries for 2 rows"),
        (lanes([0, 0], [0]), ValueError, r"ids have shape \(2,\) and samples \(1,\)"),
        (lanes([0, 2**48], [0, 0]), ValueError, "ids reach 281474976710656; expected ids below"),
        ({"ids": np.zeros(2, np.int64)}, TypeError, "ids has dtype int64; expected uint64"),
        ({"samples": np.zeros(2, np.uint64)}, TypeError, "samples has dtype uint64; expected uint32"),
        ({"ids": [0, 0]}, TypeError, "ids is a list"),
        ({"samples": np.zeros(4, np.uint32)[::2]}, ValueError, "samples is not C-contiguous"),
        ({"ids": np.zeros((2, 1), np.uint64)}, ValueError, r"ids has shape \(2, 1\); expected 1 axes"),
    ],
)
def test_lanes_that_are_not_one_per_row_are_refused_in_a_sentence(draw, changed, error, words):
    with pytest.raises(error, match=words):
        draw(2, seed=0, **{**lanes([0, 1], [0, 0]), **changed})
