"""Walks: values stand where the layout says, whoever answers them; what is not a walk is refused."""

from __future__ import annotations

import naive_walks
import nearest_neighbours
import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_walks import walks_of

from fastsa import games, ops, utilities


def table_game(n_players, outputs=2, seed=0):
    table = np.random.default_rng(seed).normal(size=(2**n_players, outputs))
    return games.FunctionGame(lambda c: table[c @ (1 << np.arange(n_players))], n_players), table


def integer_data(seed=1, n=12, n_val=9, outside=0):
    """Small integer features, so that distances are exact and ties are many."""
    rng = np.random.default_rng(seed)
    X, y = rng.integers(0, 4, size=(n + outside, 2)).astype(float), rng.integers(0, 3, n + outside)
    y[:3] = [0, 1, 2]
    return X, y, rng.integers(0, 4, size=(n_val, 2)).astype(float), rng.integers(0, 3, n_val)


@given(st.integers(0, 10**6))
@settings(max_examples=60)
def test_a_function_game_answers_every_walk_as_the_definition_does(seed):
    game, table = table_game(6)
    walks = naive_walks.random_walks(np.random.default_rng(seed), 6, 5)
    expected = table[naive_walks.as_booleans(naive_walks.multisets_behind(walks), 6) @ (1 << np.arange(6))]
    assert (game.walk(walks) == expected).all()
    assert (game.walk(walks, max_bytes=20) == expected).all()


@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from(["accuracy", "vote"]))
@settings(max_examples=40)
def test_a_data_game_answers_every_walk_as_the_definition_does(seed, k, kind):
    X, y, X_val, y_val = integer_data(outside=3)
    game = games.DataGame(utilities.KNN(k, kind), X[:12], y[:12], X_val, y_val, X_items=X[12:], y_items=y[12:])
    walks = naive_walks.random_walks(np.random.default_rng(seed), 12, 5, n_points=15)
    expected = nearest_neighbours.scores(naive_walks.multisets_behind(walks), X, y, X_val, y_val, k=k, kind=kind)
    np.testing.assert_allclose(game.walk(walks, n_threads=2), expected, rtol=0, atol=tolerance.REORDERED)


def test_value_places_are_those_of_the_layout():
    walks = walks_of([[3, 1], [], [2]], [[0, 2], [], [1]], [[4], [0, 1], []])
    assert walks.value_offsets.tolist() == [0, 3, 5, 6]
    assert walks.scored_values.tolist() == [0, 1, 5]
    assert walks.branch_values.tolist() == [2, 3, 4]
    assert walks.empty_values.tolist() == [0]
    assert (walks.rows, walks.n_values, walks.sizes.tolist()) == (3, 6, [2, 0, 1])


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_without_empty_coalitions_the_other_values_stand_where_they_did(seed):
    walks = naive_walks.random_walks(np.random.default_rng(seed), 6, 9)
    behind = naive_walks.multisets_behind(walks)
    rest, places = walks.without_empty()
    rest.check(6)
    assert [behind[place] for place in places] == naive_walks.multisets_behind(rest)
    assert places.tolist() == [place for place, multiset in enumerate(behind) if multiset]
    assert walks.empty_values.tolist() == [place for place, multiset in enumerate(behind) if not multiset]
    of_value = np.repeat(np.arange(walks.rows), np.diff(walks.value_offsets))
    assert walks.rows_of_empty.tolist() == of_value[walks.empty_values].tolist()


def test_a_branch_off_nothing_is_a_coalition_of_one():
    game, table = table_game(3, outputs=1)
    assert game.walk(walks_of([[]], [[]], [[2]])).tolist() == [table[4].tolist()]


def test_taking_rows_keeps_their_values():
    game, _ = table_game(6)
    walks = naive_walks.random_walks(np.random.default_rng(5), 6, 9)
    whole, ends = game.walk(walks), walks.value_offsets
    for begin, end in [(0, 9), (2, 5), (4, 4), (8, 9)]:
        assert (game.walk(walks.take(begin, end)) == whole[ends[begin] : ends[end]]).all()


def test_permutations_score_every_prefix():
    game, table = table_game(4)
    orders = ops.permutations(4, 3, seed=1)
    expected = table[ops.unpack(ops.prefix_coalitions(orders), 4).reshape(-1, 4) @ (1 << np.arange(4))]
    assert (game.walk(ops.Walks.of_permutations(orders)) == expected).all()


def test_walks_of_coalitions_have_their_members():
    coalitions = np.random.default_rng(6).random((7, 6)) < 0.5
    coalitions[0] = False
    behind = naive_walks.multisets_behind(ops.Walks.of_coalitions(coalitions))
    assert [sorted(m) for m in behind] == [np.flatnonzero(c).tolist() for c in coalitions]


def test_a_long_walk_of_a_function_game_stays_under_its_byte_budget():
    """2,000 players would be 4 MB of booleans at once; the walk may hold 0.2 MB, and the function sees no more."""
    import tracemalloc

    seen = []
    game = games.FunctionGame(lambda c: (seen.append(c.nbytes), c[:, 0] * 1.0)[1], 2000)
    walks = ops.Walks.of_permutations(ops.permutations(2000, 1, seed=0))
    tracemalloc.start()
    values = game.walk(walks, max_bytes=200_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(seen) <= 200_000 and peak < 1_000_000
    assert values.sum() == 2000 - np.flatnonzero(walks.players == 0)[0]


@pytest.mark.parametrize(
    ("players", "scored", "branches", "words"),
    [
        ([[0, 3]], [[2]], [[]], "players reach from 0 to 3"),
        ([[-1, 0]], [[2]], [[]], "players reach from -1"),
        ([[0]], [[1]], [[3]], "branches reach from 3"),
        ([[0]], [[2]], [[]], "outside its walk"),
        ([[0]], [[-1]], [[]], "outside its walk"),
        ([[0, 1]], [[2, 1]], [[]], "descend"),
        ([[0, 1], [2]], [[2]], [[], []], "offsets of scored"),
        ([[0]], [[1]], [[], []], "offsets of branches"),
    ],
)
def test_walks_out_of_bounds_are_refused(players, scored, branches, words):
    with pytest.raises(ValueError, match=words):
        table_game(3)[0].walk(walks_of(players, scored, branches))


@pytest.mark.parametrize("offsets", [[0, 1], [1, 2], [0, 3], [], [0]])
def test_offsets_that_do_not_divide_the_players_are_refused(offsets):
    good = walks_of([[0, 1]], [[2]], [[]])
    bad = ops.Walks(good.players, np.array(offsets, np.int64), *good.arrays[2:])
    with pytest.raises(ValueError, match="offsets of"):
        bad.check(3)


def test_offsets_that_descend_are_refused():
    bad = ops.Walks(
        np.zeros(2, np.int32),
        np.array([0, 2, 1, 2]),
        np.empty(0, np.int32),
        np.zeros(4, np.int64),
        np.empty(0, np.int32),
        np.zeros(4, np.int64),
    )
    with pytest.raises(ValueError, match="offsets of players"):
        bad.check(3)


@pytest.mark.parametrize(
    ("place", "words"), [(0, "players has dtype int64"), (1, "offsets of players has dtype int32")]
)
def test_other_dtypes_are_refused(place, words):
    arrays = list(walks_of([[0, 1]], [[2]], [[]]).arrays)
    arrays[place] = arrays[place].astype(np.int64 if place == 0 else np.int32)
    with pytest.raises(TypeError, match=words):
        ops.Walks(*arrays).check(3)


def test_positions_may_be_scored_twice_and_the_next_row_may_start_lower():
    walks = walks_of([[0, 1], [2]], [[2, 2], [0, 1]], [[], []])
    walks.check(3)
    game, table = table_game(3)
    assert (game.walk(walks) == table[[3, 3, 0, 4]]).all()
