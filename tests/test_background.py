"""ops.background_rows: uniform, exactly the words of a lane of its own, apart from the item's coalition."""

from __future__ import annotations

import numpy as np
import pytest
import significance
from hypothesis import given, settings
from hypothesis import strategies as st

from fastsa import ops

PERMUTATION, SUBSET, BACKGROUND = 1, 2, 4
IDS = st.one_of(st.integers(0, 3), st.integers(0, 2**48 - 1))
SAMPLES = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))


def draw(n_background, ids, samples, **options):
    return ops.background_rows(
        n_background, np.asarray(ids, np.uint64), np.asarray(samples, np.uint32), **{"seed": 0, **options}
    )


@given(st.lists(st.tuples(IDS, SAMPLES), max_size=8), st.sampled_from([1, 3, 1000, 3 * 2**30, 2**32 - 1]))
@settings(max_examples=40)
def test_a_row_is_the_first_bounded_word_of_its_lane(native_testing, pairs, n_background):
    """A bound of 3 * 2**30 rejects every fourth word, so that rejection is met too."""
    ids, samples = zip(*pairs, strict=True) if pairs else ((), ())
    rows = draw(n_background, ids, samples, seed=2**63 + 1, role="certify")
    assert rows.dtype == np.int64 and rows.shape == (len(pairs),)
    word = np.empty(1, np.uint32)
    for row, (item, sample) in zip(rows, pairs, strict=True):
        native_testing.Stream(seed=2**63 + 1, op=BACKGROUND, role=2, id=item, sample=sample).below(word, n_background)
        assert row == word[0]


@pytest.mark.parametrize("n_background", [2, 7, 100])
def test_rows_are_uniform_over_samples_and_over_items(n_background):
    """Chi-square, false alarm 1e-6 each; and one item's row does not tell the next one's."""
    count, zero = np.arange(40_000), np.zeros(40_000)
    for ids, samples in ((zero, count), (count, zero)):
        rows = draw(n_background, ids, samples, seed=31)
        law = np.full(n_background, 1 / n_background)
        assert not significance.contradicts_law(np.bincount(rows, minlength=n_background), law)
        assert not significance.contradicts_independence(rows[:-1], rows[1:])


def test_a_row_is_independent_of_the_coalition_of_its_item_and_sample(native_testing):
    """False alarm 1e-6 each; twins that take the words of the coalition's own lane are seen."""
    ids, samples = np.arange(40_000, dtype=np.uint64), np.full(40_000, 3, np.uint32)
    last = ops.permutations(64, ids.size, seed=32, ids=ids, samples=samples)[:, -1] < 32
    coin = ops.unpack(ops.subsets(64, ids.size, q=0.5, seed=32, ids=ids, samples=samples), 64)[:, 0]
    row = draw(64, ids, samples, seed=32)
    assert not significance.contradicts_independence(row, last)
    assert not significance.contradicts_independence(row, coin)
    for op, drawn in ((PERMUTATION, last), (SUBSET, coin)):
        twin = np.empty((2000, 1), np.uint32)
        for item, word in enumerate(twin):
            native_testing.Stream(seed=32, op=op, id=item, sample=3).below(word, 64)
        assert significance.contradicts_independence(twin, drawn[:2000])


@pytest.mark.parametrize("n_threads", [2, 7])
def test_rows_do_not_depend_on_threads_or_split(n_threads):
    rng = np.random.default_rng(33)
    ids, samples = rng.integers(0, 2**48, 100_000), rng.integers(0, 2**32, 100_000)
    whole = draw(1000, ids, samples, n_threads=1)
    assert draw(1000, ids, samples, n_threads=n_threads).tobytes() == whole.tobytes()
    assert draw(1000, ids[777:800], samples[777:800]).tobytes() == whole[777:800].tobytes()


def test_items_samples_seeds_and_roles_have_rows_of_their_own():
    drawn = {
        int(draw(2**32 - 1, [item], [sample], seed=seed, role=role)[0])
        for item in (0, 1, 2**32, 2**48 - 1)
        for sample in (0, 1, 2**32 - 1)
        for seed in (0, 2**63)
        for role in ("train", "truth")
    }
    assert len(drawn) == 48


def test_out_is_written_in_place_and_nothing_beside_it():
    frame = np.full(6, -7, dtype=np.int64)
    answer = draw(9, [1, 2, 3], [0, 0, 0], out=frame[1:4])
    assert np.shares_memory(answer, frame)
    assert frame[1:4].tolist() == draw(9, [1, 2, 3], [0, 0, 0]).tolist() and (frame[[0, 4, 5]] == -7).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: draw(0, [0], [0]), ValueError, "n_background is 0"),
        (lambda: draw(2**32, [0], [0]), ValueError, "n_background is 4294967296"),
        (lambda: draw(2.0, [0], [0]), TypeError, "n_background is 2.0"),
        (lambda: draw(2, [0, 1], [0]), ValueError, "one of each per row"),
        (lambda: draw(2, [2**48], [0]), ValueError, "below 2"),
        (lambda: draw(2, [0], [0], seed=-1), ValueError, "seed is -1"),
        (lambda: draw(2, [0], [0], role="tset"), ValueError, "role is 'tset'"),
        (lambda: draw(2, [0], [0], out=np.empty(2, np.int64)), ValueError, r"out has shape \(2,\)"),
        (lambda: draw(2, [0], [0], out=np.empty(1, np.int32)), TypeError, "out has dtype int32"),
        (lambda: ops.background_rows(2, [0], [0], seed=0), TypeError, "ids is a list"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()
