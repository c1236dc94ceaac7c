"""ops.permutations: uniform, complete, and a function of seed, role and row alone."""

from __future__ import annotations

from itertools import permutations as all_orders
from math import factorial

import numpy as np
import pytest
import significance
from hypothesis import given, settings
from hypothesis import strategies as st

from fastsa import ops

THREADS = [1, 2, 7]


@given(st.integers(1, 300), st.integers(0, 20), st.integers(0, 2**64 - 1))
@settings(max_examples=60)
def test_every_row_holds_every_player_once(n_players, rows, seed):
    orders = ops.permutations(n_players, rows, seed=seed)
    assert orders.shape == (rows, n_players) and orders.dtype == np.int32
    assert (np.sort(orders, axis=1) == np.arange(n_players)).all()


@pytest.mark.parametrize("n_players", [2, 3, 4, 5])
def test_all_orders_are_equally_likely(n_players):
    """Chi-square over all n! orders, false alarm 1e-6; 200,000 draws find one order 20 % too likely even at n = 5."""
    orders = ops.permutations(n_players, 200_000, seed=11)
    codes = orders @ n_players ** np.arange(n_players)
    known = {sum(p * n_players**i for i, p in enumerate(order)): 0 for order in all_orders(range(n_players))}
    found, counts = np.unique(codes, return_counts=True)
    known.update(zip(found.tolist(), counts.tolist(), strict=True))
    assert len(known) == factorial(n_players)
    assert not significance.contradicts_law(list(known.values()), np.full(len(known), 1 / len(known)))


@pytest.mark.parametrize("n_players", [63, 64, 65, 257])
def test_each_player_stands_equally_often_at_each_place(n_players):
    """Chi-square on the pairs (place, player) of the first, middle and last place; false alarm 1e-6 each."""
    orders = ops.permutations(n_players, 30_000, seed=12)
    for place in (0, n_players // 2, n_players - 1):
        counts = np.bincount(orders[:, place], minlength=n_players)
        assert not significance.contradicts_law(counts, np.full(n_players, 1 / n_players))


def test_neighbouring_rows_and_seeds_are_independent():
    """The place of player 0 in row r against row r + 1, and under seed s against s + 1; false alarm 1e-6 each."""
    place = ops.permutations(20, 40_000, seed=13).argmin(axis=1)
    other = ops.permutations(20, 40_000, seed=14).argmin(axis=1)
    assert not significance.contradicts_independence(place[:-1], place[1:])
    assert not significance.contradicts_independence(place, other)


def test_a_biased_shuffle_fails_the_same_test():
    """Swapping every place with any place (the classical mistake) is what the chi-square above must find."""
    rng = np.random.default_rng(15)
    orders = np.tile(np.arange(3), (200_000, 1))
    rows = np.arange(200_000)
    for place in range(3):
        other = rng.integers(0, 3, size=200_000)
        moved = orders[rows, place].copy()
        orders[rows, place] = orders[rows, other]
        orders[rows, other] = moved
    _, counts = np.unique(orders @ 3 ** np.arange(3), return_counts=True)
    assert significance.contradicts_law(counts, np.full(6, 1 / 6))


@pytest.mark.parametrize("n_threads", THREADS)
@pytest.mark.parametrize("n_players", [1, 2, 64, 1000])
def test_rows_do_not_depend_on_threads(n_players, n_threads):
    rows = 1 + 600_000 // n_players // 4
    whole = ops.permutations(n_players, rows, seed=16, n_threads=1)
    assert ops.permutations(n_players, rows, seed=16, n_threads=n_threads).tobytes() == whole.tobytes()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 2**32 - 300))
@settings(max_examples=40)
def test_rows_do_not_depend_on_the_split(lengths, first_row):
    whole = ops.permutations(9, sum(lengths), seed=17, first_row=first_row)
    parts, at = [], first_row
    for length in lengths:
        parts.append(ops.permutations(9, length, seed=17, first_row=at))
        at += length
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_a_row_of_a_thousand_players_crosses_chunks_unchanged():
    whole = ops.permutations(1000, 700, seed=18, n_threads=2)
    for row in (0, 261, 262, 263, 699):
        assert (ops.permutations(1000, 1, seed=18, first_row=row)[0] == whole[row]).all()


def test_seeds_and_roles_have_streams_of_their_own():
    drawn = {
        ops.permutations(50, 1, seed=s, role=r).tobytes()
        for s in (0, 1, 2**63, 2**64 - 1)
        for r in ("train", "select", "certify", "truth")
    }
    assert len(drawn) == 16


def test_out_is_written_in_place_and_nothing_beside_it():
    frame = np.full((5, 6), -7, dtype=np.int32)
    answer = ops.permutations(6, 3, seed=19, out=frame[1:4])
    assert np.shares_memory(answer, frame)
    assert (frame[1:4] == ops.permutations(6, 3, seed=19)).all()
    assert (frame[[0, 4]] == -7).all()


def test_one_player_and_no_rows_are_fine():
    assert ops.permutations(1, 4, seed=0).tolist() == [[0]] * 4
    assert ops.permutations(3, 0, seed=0).shape == (0, 3)


def test_the_last_row_of_a_seed_can_be_drawn():
    assert ops.permutations(3, 1, seed=0, first_row=2**32 - 1).shape == (1, 3)


def test_the_global_generator_is_not_touched():
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    ops.permutations(10, 10, seed=1)
    assert np.random.random() == expected


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"n_players": 0}, ValueError, "n_players is 0"),
        ({"n_players": 2.0}, TypeError, "n_players is 2.0"),
        ({"n_players": 2**31}, ValueError, "n_players is 2147483648"),
        ({"rows": -1}, ValueError, "rows is -1"),
        ({"rows": True}, TypeError, "rows is True"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": 2**64}, ValueError, "seed is 18446744073709551616"),
        ({"seed": 1.5}, TypeError, "seed is 1.5"),
        ({"first_row": 2**32 - 1}, ValueError, "use another seed"),
        ({"first_row": -1}, ValueError, "first_row is -1"),
        ({"role": "test"}, ValueError, "role is 'test'.*'train'"),
        ({"role": 0}, TypeError, "role is 0"),
        ({"n_threads": 0}, ValueError, "n_threads is 0"),
        ({"out": np.empty((2, 4), np.int32)}, ValueError, r"out has shape \(2, 4\)"),
        ({"out": np.empty((2, 3), np.int64)}, TypeError, "out has dtype int64"),
        ({"out": np.empty((3, 2), np.int32).T}, ValueError, "not C-contiguous"),
        ({"out": [[0]]}, TypeError, "out is a list"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(changed, error, words):
    arguments = {"n_players": 3, "rows": 2, "seed": 0, **changed}
    with pytest.raises(error, match=words):
        ops.permutations(arguments.pop("n_players"), arguments.pop("rows"), **arguments)


def test_a_read_only_out_is_refused():
    out = np.empty((2, 3), np.int32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ops.permutations(3, 2, seed=0, out=out)
