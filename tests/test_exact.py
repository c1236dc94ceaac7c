"""exact: values by their definitions, written out another way for small games."""

from __future__ import annotations

from itertools import combinations, permutations, product
from math import factorial

import logistic_fits
import nearest_neighbours
import numpy as np
import pytest
import tolerance

from fastsa import estimators, exact, games, utilities


def table_game(n_players, outputs=2, seed=0):
    table = np.random.default_rng(seed).normal(size=(2**n_players, outputs))
    return games.FunctionGame(lambda c: table[c @ (1 << np.arange(n_players))], n_players), lambda members: table[
        sum(1 << p for p in set(members))
    ]


def by_orders(n, v, first=0, last=None):
    """Mean contribution over all n! orders, counting contributions to coalitions of sizes first .. last only."""
    last = n - 1 if last is None else last
    total, times = [0.0] * n, [0] * n
    for order in permutations(range(n)):
        for place in range(first, last + 1):
            total[order[place]] = total[order[place]] + v(order[: place + 1]) - v(order[:place])
            times[order[place]] += 1
    return np.array([t / k for t, k in zip(total, times, strict=True)])


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance.REORDERED)


@pytest.mark.parametrize("n_players", [1, 2, 4, 5])
def test_shapley_values_are_means_over_all_orders(n_players):
    game, v = table_game(n_players)
    same(exact(game), by_orders(n_players, v))
    same(exact(game, estimators.PermutationShapley()), by_orders(n_players, v))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2, None), (None, 2), (3, 3), (1, 9)])
def test_sizes_that_are_kept_are_the_only_ones_counted(low, high):
    game, v = table_game(5, seed=1)
    expected = by_orders(5, v, low or 0, min(4, 4 if high is None else high))
    same(exact(game, estimators.PermutationShapley(min_size=low, max_size=high)), expected)


def test_banzhaf_values_are_means_over_all_subsets_of_the_others():
    game, v = table_game(5, seed=2)
    for player in range(5):
        others = [p for p in range(5) if p != player]
        subsets = [s for size in range(5) for s in combinations(others, size)]
        same(exact(game, "banzhaf")[player], np.mean([v((*s, player)) - v(s) for s in subsets], axis=0))


def test_leave_one_out_is_what_leaving_one_out_costs():
    game, v = table_game(6, seed=3)
    for player in range(6):
        same(exact(game, "leave_one_out")[player], v(range(6)) - v([p for p in range(6) if p != player]))


@pytest.mark.parametrize("n_players", [1, 3, 8, 12])
def test_shapley_values_share_out_what_everyone_earns(n_players):
    game, v = table_game(n_players, seed=4)
    np.testing.assert_allclose(exact(game).sum(axis=0), v(range(n_players)) - v([]), rtol=0, atol=tolerance.REORDERED)


def test_a_player_who_adds_nothing_is_worth_nothing_and_twins_are_worth_the_same():
    game = games.FunctionGame(lambda c: (c[:, 0] & c[:, 1]) * 3.0 + c[:, 3] ** 2.0, 4)
    for index in ("shapley", "banzhaf", "leave_one_out"):
        values = exact(game, index).ravel()
        assert values[2] == 0.0 and values[0] == values[1] != 0.0


def by_sequences(n, v, item, sizes):
    """Mean over sizes of the mean over all n^t sequences of draws of what the item adds."""
    means = [np.mean([v([*s, item]) - v(list(s)) for s in product(range(n), repeat=t)], axis=0) for t in sizes]
    return np.mean(means, axis=0)


def test_distributional_values_are_means_over_all_sequences():
    game, v = table_game(4, seed=5)
    for low, high in [(0, 0), (1, 1), (0, 4), (2, 5)]:
        expected = [by_sequences(4, v, i, range(low, high + 1)) for i in range(4)]
        same(exact(game, estimators.Distributional(low, high)), expected)


@pytest.mark.parametrize("kind", ["accuracy", "vote"])
def test_distributional_values_of_a_data_game_count_copies(kind):
    """A point drawn twice is two neighbours; points outside the pool are valued and never drawn."""
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(6, 2)), np.array([0, 1, 0, 1, 0, 1])
    X_val, y_val = rng.normal(size=(3, 2)), np.array([0, 1, 1])
    game = games.DataGame(utilities.KNN(2, kind), X[:4], y[:4], X_val, y_val, X_items=X[3:], y_items=y[3:])

    def v(members):
        return nearest_neighbours.scores([list(members)], X, y, X_val, y_val, k=2, kind=kind)[0]

    expected = [by_sequences(4, v, i, range(0, 4)) for i in (3, 4, 5)]
    found = exact(game, estimators.Distributional(0, 3))
    assert found.shape == (3, 1)
    same(found[1:], expected[1:])
    # Item 0 is pool point 3 once more: the same place and class, ranked after it, which no score can tell apart.
    same(found[0], expected[0])


def test_distributional_values_of_a_logistic_game_are_those_of_refits():
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(4, 2)), np.array([0, 1, 0, 1])
    X_val, y_val = rng.normal(size=(5, 2)), np.array([0, 1, 1, 0, 1])
    game = games.DataGame(utilities.Logistic(score="log_loss"), X, y, X_val, y_val)

    def v(members):
        return np.array([logistic_fits.value(list(members), X, y, X_val, y_val, score="log_loss", n_classes=2)])

    expected = [by_sequences(4, v, i, range(0, 3)) for i in range(4)]
    np.testing.assert_allclose(exact(game, estimators.Distributional(0, 2)), expected, rtol=0, atol=tolerance.LOG_LOSS)


def test_shared_coalitions_do_not_change_what_is_estimated():
    game, _ = table_game(4, seed=8)
    assert (
        exact(game, estimators.Distributional(1, 3, shared=2)) == exact(game, estimators.Distributional(1, 3))
    ).all()


def test_sixteen_players_are_enumerated_and_seventeen_refused():
    weights = np.arange(17.0)
    values = exact(games.FunctionGame(lambda c: c @ weights[:16], 16))
    np.testing.assert_allclose(values[:, 0], weights[:16], rtol=0, atol=tolerance.REORDERED * factorial(4))
    with pytest.raises(ValueError, match="the game has 17 players; enumeration takes at most 16"):
        exact(games.FunctionGame(lambda c: c @ weights, 17))


def test_what_cannot_be_enumerated_is_refused_in_a_sentence():
    game, _ = table_game(5)
    outside = games.DataGame(utilities.KNN(1), [[0.0], [1.0]], [0, 1], [[0.0]], [0], X_items=[[0.5]], y_items=[1])
    with pytest.raises(ValueError, match="index is 'owen'; expected one of 'shapley'"):
        exact(game, "owen")
    with pytest.raises(TypeError, match="index is 3"):
        exact(game, 3)
    with pytest.raises(ValueError, match="multisets to enumerate"):
        exact(game, estimators.Distributional(100, 200))
    with pytest.raises(ValueError, match="outside its pool"):
        exact(outside)
    with pytest.raises(ValueError, match="min_size is 5; expected at most 4"):
        exact(game, estimators.PermutationShapley(min_size=5))
