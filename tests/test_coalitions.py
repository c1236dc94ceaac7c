"""Coalitions as bits and as multisets: right by definition, uniform where they say so, the same for any threads or split."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
import significance
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastsa import ops

THREADS = [2, 7]
WIDTHS = [1, 2, 63, 64, 65, 130]


def has(bits, player):
    """Membership by the definition: bit p % 64 of word p // 64."""
    return bool(int(bits[player // 64]) >> (player % 64) & 1)


@given(hnp.arrays(np.bool_, st.tuples(st.integers(0, 4), st.integers(1, 200))))
@settings(max_examples=100)
def test_unpack_is_the_inverse_of_pack(coalitions):
    bits = ops.pack(coalitions)
    assert bits.dtype == np.uint64 and bits.shape == (coalitions.shape[0], -(-coalitions.shape[1] // 64))
    assert (ops.unpack(bits, coalitions.shape[1]) == coalitions).all()


@given(hnp.arrays(np.bool_, st.integers(1, 200)))
@settings(max_examples=60)
def test_a_player_is_the_bit_that_the_definition_says(coalition):
    bits = ops.pack(coalition)
    assert [has(bits, p) for p in range(coalition.size)] == coalition.tolist()
    assert sum(int(w).bit_count() for w in bits) == coalition.sum()


def test_pack_takes_any_layout_and_leading_axes():
    rng = np.random.default_rng(1)
    coalitions = rng.random((3, 70, 2)) < 0.5
    turned = coalitions.transpose(2, 0, 1)
    assert (ops.unpack(ops.pack(turned), 70) == turned).all()


@pytest.mark.parametrize("n_players", WIDTHS)
def test_prefixes_hold_the_first_players_of_their_row(n_players):
    orders = ops.permutations(n_players, 3, seed=2)
    prefixes = ops.unpack(ops.prefix_coalitions(orders), n_players)
    assert prefixes.shape == (3, n_players + 1, n_players)
    for row, order in enumerate(orders):
        for t in range(n_players + 1):
            assert set(np.flatnonzero(prefixes[row, t])) == set(order[:t].tolist())


def test_prefixes_set_no_bit_beyond_the_players():
    bits = ops.prefix_coalitions(ops.permutations(65, 2, seed=3))
    assert (bits[..., 1] <= 1).all()


@pytest.mark.parametrize("n_threads", THREADS)
def test_prefixes_do_not_depend_on_threads_or_split(n_threads):
    orders = ops.permutations(200, 900, seed=4)
    whole = ops.prefix_coalitions(orders, n_threads=1)
    assert ops.prefix_coalitions(orders, n_threads=n_threads).tobytes() == whole.tobytes()
    assert ops.prefix_coalitions(orders[5:6]).tobytes() == whole[5:6].tobytes()


def test_prefixes_are_written_into_out():
    orders = ops.permutations(5, 2, seed=5)
    out = np.full((2, 6, 1), 99, dtype=np.uint64)
    assert ops.prefix_coalitions(orders, out=out) is out
    assert (out == ops.prefix_coalitions(orders)).all()


@pytest.mark.parametrize("n_players", WIDTHS)
def test_subsets_have_the_sizes_of_their_law(n_players):
    law = np.zeros(n_players + 1)
    np.add.at(law, [0, n_players // 2, n_players], [0.25, 0.5, 0.25])
    sizes = ops.unpack(ops.subsets(n_players, 20_000, sizes=law, seed=6), n_players).sum(axis=1)
    counts = np.bincount(sizes, minlength=n_players + 1)
    assert not significance.contradicts_law(counts, law)


@pytest.mark.parametrize("size", range(6))
def test_subsets_are_uniform_within_their_size(size):
    """Chi-square over all coalitions of the size, false alarm 1e-6; finds one coalition 20 % too likely."""
    law = np.eye(6)[size]
    bits = ops.subsets(5, 50_000, sizes=law, seed=7)[:, 0].astype(np.int64)
    every = [sum(1 << p for p in members) for members in combinations(range(5), size)]
    counts = np.bincount(bits, minlength=32)
    assert counts[every].sum() == 50_000
    if size not in (0, 5):
        assert not significance.contradicts_law(counts[every], np.full(len(every), 1 / comb(5, size)))


@pytest.mark.parametrize("size", [3, 61])
def test_subsets_across_words_choose_every_player_equally_often(size):
    law = np.eye(66)[size]
    chosen = ops.unpack(ops.subsets(65, 60_000, sizes=law, seed=8), 65)
    assert (chosen.sum(axis=1) == size).all()
    first_of_two = chosen[:, :64] & ~chosen[:, 64:]  # compares each player with the one in the second word
    second_of_two = ~chosen[:, :64] & chosen[:, 64:]
    for ours, theirs in zip(first_of_two.sum(axis=0), second_of_two.sum(axis=0), strict=True):
        assert not significance.contradicts_law([ours, theirs], [0.5, 0.5])


@pytest.mark.parametrize("q", [0.1, 0.5, 0.93])
def test_coins_join_every_player_independently(q):
    """Chi-square over all 2^4 coalitions, false alarm 1e-6, with the probabilities of independent coins."""
    bits = ops.subsets(4, 400_000, q=q, seed=9)[:, 0].astype(np.int64)
    sizes = np.array([code.bit_count() for code in range(16)])
    law = q**sizes * (1 - q) ** (4 - sizes)
    counts = np.bincount(bits, minlength=16)
    assert not significance.contradicts_law(counts, law)


@pytest.mark.parametrize("n_players", WIDTHS)
def test_certain_coins_are_certain(n_players):
    assert not ops.unpack(ops.subsets(n_players, 3, q=0.0, seed=1), n_players).any()
    full = ops.subsets(n_players, 3, q=1.0, seed=1)
    assert ops.unpack(full, n_players).all()
    assert (full == ops.pack(np.ones((3, n_players), dtype=bool))).all()


@pytest.mark.parametrize("law", [{"q": 0.4}, {"sizes": np.full(101, 1 / 101)}])
def test_subsets_do_not_depend_on_threads_or_split(law):
    whole = ops.subsets(100, 9000, seed=10, n_threads=1, **law)
    for n_threads in THREADS:
        assert ops.subsets(100, 9000, seed=10, n_threads=n_threads, **law).tobytes() == whole.tobytes()
    assert ops.subsets(100, 50, seed=10, first_row=7000, **law).tobytes() == whole[7000:7050].tobytes()


def draw(n_players, ids, samples, **options):
    return ops.draws_with_replacement(
        n_players, np.asarray(ids, np.uint64), np.asarray(samples, np.uint32), **{"seed": 0, **options}
    )


def test_draws_have_uniform_sizes_and_uniform_players_also_twice():
    """Chi-square on sizes 2 .. 5, on single players and on ordered pairs; false alarm 1e-6 each."""
    players, offsets = draw(4, np.zeros(60_000), np.arange(60_000), min_size=2, max_size=5, seed=11)
    sizes = np.diff(offsets)
    assert not significance.contradicts_law(np.bincount(sizes - 2, minlength=4), np.full(4, 0.25))
    pairs = players[offsets[:-1]] * 4 + players[offsets[:-1] + 1]
    assert not significance.contradicts_law(np.bincount(pairs, minlength=16), np.full(16, 1 / 16))
    assert not significance.contradicts_law(np.bincount(players, minlength=4), np.full(4, 0.25))


def test_a_draw_depends_on_its_id_and_sample_only():
    ids, samples = np.arange(40) % 5, np.arange(40) // 5
    players, offsets = draw(50, ids, samples, min_size=0, max_size=30, seed=12)
    for row in (0, 7, 39):
        alone, _ = draw(50, ids[row : row + 1], samples[row : row + 1], min_size=0, max_size=30, seed=12)
        assert alone.tobytes() == players[offsets[row] : offsets[row + 1]].tobytes()


@pytest.mark.parametrize("n_threads", THREADS)
def test_draws_do_not_depend_on_threads(n_threads):
    rows = np.arange(3000)
    one = draw(1000, rows, rows, min_size=100, max_size=999, n_threads=1)
    many = draw(1000, rows, rows, min_size=100, max_size=999, n_threads=n_threads)
    assert one[0].tobytes() == many[0].tobytes() and one[1].tobytes() == many[1].tobytes()


def test_draws_of_other_ids_samples_seeds_and_roles_differ():
    base = {"min_size": 20, "max_size": 20}
    drawn = [
        draw(1000, [i], [s], seed=seed, role=role, **base)[0].tobytes()
        for i in (0, 2**48 - 1)
        for s in (0, 2**32 - 1)
        for seed in (0, 1)
        for role in ("train", "truth")
    ]
    assert len(set(drawn)) == 16


def test_empty_draws_are_fine():
    players, offsets = draw(3, [], [], min_size=0, max_size=2)
    assert players.size == 0 and offsets.tolist() == [0]
    players, offsets = draw(1, [0, 1], [0, 0], min_size=0, max_size=0)
    assert offsets.tolist() == [0, 0, 0]


ORDERS = np.array([[0, 1, 2]], dtype=np.int32)
COUNT = {"min_size": 1, "max_size": 2}


@pytest.mark.parametrize("n", [1, 63, 64, 65, 196])
def test_members_of_bits_are_the_places_that_numpy_finds(n):
    coalitions = np.random.default_rng(n).random((900, n)) < np.random.default_rng(n + 1).random((900, 1))
    coalitions[3], coalitions[4] = True, False
    players, offsets = ops.members(ops.pack(coalitions), n_threads=2)
    row, place = np.nonzero(coalitions)
    assert players.tolist() == place.tolist()
    assert np.diff(offsets).tolist() == coalitions.sum(axis=1).tolist() and offsets[0] == 0
    assert [a.size for a in ops.members(ops.pack(coalitions[:0]))] == [0, 1]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ops.prefix_coalitions(ORDERS.astype(np.int64)), TypeError, "orders has dtype int64"),
        (lambda: ops.prefix_coalitions(ORDERS[0]), ValueError, "expected 2 axes"),
        (lambda: ops.prefix_coalitions(np.array([[0, 2, 2]], np.int32)), ValueError, "not a permutation"),
        (lambda: ops.prefix_coalitions(np.array([[0, 1, 3]], np.int32)), ValueError, "not a permutation"),
        (lambda: ops.prefix_coalitions(np.array([[0, 1, -1]], np.int32)), ValueError, "not a permutation"),
        (lambda: ops.prefix_coalitions(np.empty((1, 0), np.int32)), ValueError, "n_players is 0"),
        (lambda: ops.prefix_coalitions(ORDERS, out=np.empty((1, 3, 1), np.uint64)), ValueError, "out has shape"),
        (lambda: ops.subsets(3, 1, seed=0), ValueError, "give one law"),
        (lambda: ops.subsets(3, 1, q=0.5, sizes=np.full(4, 0.25), seed=0), ValueError, "give one law"),
        (lambda: ops.subsets(3, 1, q=1.5, seed=0), ValueError, "q is 1.5"),
        (lambda: ops.subsets(3, 1, q=float("nan"), seed=0), ValueError, "q is nan"),
        (lambda: ops.subsets(3, 1, q="half", seed=0), TypeError, "q is 'half'"),
        (lambda: ops.subsets(3, 1, sizes=np.full(3, 1 / 3), seed=0), ValueError, r"sizes has shape \(3,\)"),
        (lambda: ops.subsets(3, 1, sizes=np.full(4, 0.3), seed=0), ValueError, "sum to 1"),
        (lambda: ops.subsets(3, 1, sizes=np.array([1.5, -0.5, 0, 0]), seed=0), ValueError, "non-negative"),
        (lambda: ops.subsets(3, 1, sizes=[0.25] * 4, seed=0), TypeError, "sizes is a list"),
        (lambda: ops.subsets(3, 2**32, q=0.5, seed=0, first_row=1), ValueError, "use another seed"),
        (lambda: draw(3, [0], [0, 1], **COUNT), ValueError, "one of each per row"),
        (lambda: draw(3, [2**48], [0], **COUNT), ValueError, "below 2"),
        (lambda: draw(3, [0], [0], min_size=3, max_size=2), ValueError, "max_size is 2"),
        (lambda: draw(3, [0], [0], min_size=-1, max_size=2), ValueError, "min_size is -1"),
        (lambda: ops.draws_with_replacement(3, [0], [0], seed=0, **COUNT), TypeError, "ids is a list"),
        (lambda: ops.members(np.zeros(2, np.uint64)), ValueError, "expected 2 axes"),
        (lambda: ops.members(np.zeros((2, 1), np.int64)), TypeError, "dtype int64"),
        (lambda: ops.pack(np.zeros((2, 0), bool)), ValueError, "at least one player"),
        (lambda: ops.pack(np.zeros((2, 3))), TypeError, "dtype float64"),
        (lambda: ops.unpack(np.zeros((2, 1), np.uint64), 65), ValueError, "for 65 players"),
        (lambda: ops.unpack(np.zeros((2, 1), np.int64), 3), TypeError, "dtype int64"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()
