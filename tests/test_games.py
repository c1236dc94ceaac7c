"""Games: FunctionGame asks what it may, DataGame is its data, and fingerprints tell games apart."""

from __future__ import annotations

import naive_walks
import nearest_neighbours
import numpy as np
import pytest
import tolerance

from fastsa import games, utilities

EVERY_PAIR = np.array([[False, False], [True, False], [False, True], [True, True]])


def points(seed=0, n=12, n_val=7, n_classes=3):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    y[:n_classes] = range(n_classes)
    return rng.normal(size=(n, 2)), y, rng.normal(size=(n_val, 2)), rng.integers(0, n_classes, n_val)


def test_a_function_game_is_its_function():
    game = games.FunctionGame(lambda c: c @ np.array([1.0, 2.0]) + c.all(axis=1), 2)
    assert game.evaluate(EVERY_PAIR).tolist() == [[0.0], [1.0], [2.0], [4.0]]
    assert (game.n_players, game.n_outputs) == (2, 1)


def test_a_function_game_may_have_many_outputs_of_any_real_type():
    game = games.FunctionGame(lambda c: np.stack([c[:, 0], c[:, 1], ~c[:, 0]], axis=1), 2)
    assert game.n_outputs == 3
    assert game.evaluate(EVERY_PAIR).dtype == np.float64
    assert games.FunctionGame(lambda c: c.sum(axis=1).astype(np.float32), 2).evaluate(EVERY_PAIR)[3, 0] == 2.0


def test_a_function_is_first_asked_for_the_empty_coalition_alone():
    asked = []
    games.FunctionGame(lambda c: (asked.append(c.copy()), c[:, 0])[1], 3)
    assert [a.tolist() for a in asked] == [[[False] * 3]]


def test_no_coalitions_have_no_values():
    assert games.FunctionGame(lambda c: c[:, 0], 2).evaluate(np.zeros((0, 2), bool)).shape == (0, 1)
    assert games.DataGame(utilities.KNN(1), *points()).evaluate(np.zeros((0, 12), bool)).shape == (0, 1)


@pytest.mark.parametrize(
    "answer",
    [
        lambda c: np.zeros((len(c), 2, 2)),
        lambda c: 1.0,
        lambda c: np.zeros(len(c) + 1),
        lambda c: np.zeros((len(c), 0)),
    ],
)
def test_an_answer_of_another_shape_is_refused(answer):
    with pytest.raises(ValueError, match="fn answered shape"):
        games.FunctionGame(answer, 3)


def test_an_answer_that_changes_its_outputs_is_refused():
    game = games.FunctionGame(lambda c: np.zeros((len(c), 1 + (len(c) > 1))), 3)
    with pytest.raises(ValueError, match=r"fn answered shape \(2, 2\) for 2 coalitions"):
        game.evaluate(np.zeros((2, 3), bool))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_is_refused(bad):
    game = games.FunctionGame(lambda c: np.where(c.all(axis=1), bad, 0.0), 2)
    with pytest.raises(ValueError, match="not finite"):
        game.evaluate(EVERY_PAIR)


@pytest.mark.parametrize(
    "answer", [lambda c: np.array(["a"] * len(c)), lambda c: [None] * len(c), lambda c: np.zeros(len(c)) * 1j]
)
def test_an_answer_that_is_not_a_real_number_is_refused(answer):
    with pytest.raises(TypeError, match="fn answered dtype"):
        games.FunctionGame(answer, 2)


@pytest.mark.parametrize(
    "make", [lambda: games.FunctionGame(lambda c: c[:, 0], 12), lambda: games.DataGame(utilities.KNN(1), *points())]
)
def test_coalitions_must_be_booleans_of_all_players(make):
    game = make()
    with pytest.raises(TypeError, match="coalitions have dtype int64"):
        game.evaluate(np.ones((1, 12), dtype=np.int64))
    with pytest.raises(ValueError, match=r"coalitions have shape \(1, 11\)"):
        game.evaluate(np.ones((1, 11), dtype=bool))
    with pytest.raises(ValueError, match=r"coalitions have shape \(12,\)"):
        game.evaluate(np.ones(12, dtype=bool))


@pytest.mark.parametrize("names", [["no", "yes", "perhaps"], [3, 1, 7], [-1.5, 0.5, 2.0], [True, False, True]])
def test_classes_may_be_anything_that_sorts(names):
    X, y, X_val, y_val = points()
    named, named_val = np.array(names)[y], np.array(names)[y_val]
    game = games.DataGame(utilities.KNN(3), X, named, X_val, named_val)
    codes = np.unique(named, return_inverse=True)[1]
    assert game.classes.tolist() == sorted(set(names))
    assert (game.classes[codes] == named).all()
    val_codes = np.searchsorted(game.classes, named_val)
    coalitions = np.random.default_rng(1).random((20, 12)) < 0.5
    members = [np.flatnonzero(c).tolist() for c in coalitions]
    expected = nearest_neighbours.scores(members, X, codes, X_val, val_codes, k=3)
    np.testing.assert_allclose(game.evaluate(coalitions), expected, rtol=0, atol=tolerance.REORDERED)


def test_any_layout_and_real_type_of_features_is_taken_and_left_as_it_was():
    X, y, X_val, y_val = points()
    X = np.round(X * 8) / 8
    expected = games.DataGame(utilities.KNN(2), X, y, X_val, y_val).evaluate(np.eye(12, dtype=bool)).tobytes()
    for given in (np.asfortranarray(X), X.astype(np.float32), X.tolist(), np.repeat(X, 2, axis=0)[::2]):
        before = np.array(given)
        game = games.DataGame(utilities.KNN(2), given, y.tolist(), X_val.tolist(), y_val.tolist())
        assert game.evaluate(np.eye(12, dtype=bool)).tobytes() == expected
        assert (np.array(given) == before).all()


def test_a_game_keeps_its_own_copy_of_what_it_was_given():
    X, y, X_val, y_val = points()
    game = games.DataGame(utilities.KNN(2, "vote"), X, y, X_val, y_val, ids=(ids := np.arange(12)))
    before = (
        games.DataGame(utilities.KNN(2, "vote"), X.copy(), y, X_val.copy(), y_val)
        .evaluate(np.ones((1, 12), bool))
        .item()
    )
    X[:] = 0.0
    X_val[:] = 0.0
    ids[:] = 5
    assert game.ids.tolist() == list(range(12))
    assert game.evaluate(np.ones((1, 12), bool)).item() == before


def test_items_outside_the_pool_only_branch():
    X, y, X_val, y_val = points()
    game = games.DataGame(utilities.KNN(1), X[:9], y[:9], X_val, y_val, X_items=X[9:], y_items=y[9:])
    assert game.n_players == 9 and game.item_players.tolist() == [9, 10, 11] and game.ids.tolist() == [0, 1, 2]
    joined = game.walk(naive_walks.walks_of([[0]], [[]], [[10]]))
    assert (
        joined.item()
        == games.DataGame(utilities.KNN(1), X, y, X_val, y_val)
        .evaluate(np.eye(12, dtype=bool)[[0]] | np.eye(12, dtype=bool)[[10]])
        .item()
    )
    with pytest.raises(ValueError, match="coalitions have shape"):
        game.evaluate(np.ones((1, 12), dtype=bool))


def test_ids_are_positions_unless_given():
    ids = np.array([2**48 - 1, *range(11)])
    assert games.DataGame(utilities.KNN(1), *points()).ids.tolist() == list(range(12))
    assert games.DataGame(utilities.KNN(1), *points(), ids=ids).ids.tolist() == ids.tolist()


def test_one_game_has_one_fingerprint_however_it_was_written():
    X, y, X_val, y_val = points()
    one = games.DataGame(utilities.Logistic(C=1), X, y, X_val, y_val).fingerprint
    assert (
        games.DataGame(
            utilities.Logistic(C=np.float64(1.0)), X.tolist(), y, np.asfortranarray(X_val), y_val
        ).fingerprint
        == one
    )
    two = games.DataGame(utilities.KNN(3), X, y, X_val, y_val).fingerprint
    assert games.DataGame(utilities.KNN(np.int64(3)), X, y, X_val, y_val).fingerprint == two


def test_any_change_of_a_game_changes_its_fingerprint():
    X, y, X_val, y_val = points()
    moved, turned, moved_val, turned_val = X.copy(), y.copy(), X_val.copy(), y_val.copy()
    moved[3, 1] += 1e-9
    turned[5] = (turned[5] + 1) % 3
    moved_val[0, 0] += 1e-9
    turned_val[0] = (turned_val[0] + 1) % 3
    data, knn = (X, y, X_val, y_val), utilities.KNN(3)
    variants = [
        games.DataGame(knn, *data),
        games.DataGame(knn, moved, y, X_val, y_val),
        games.DataGame(knn, X, turned, X_val, y_val),
        games.DataGame(knn, X, y, moved_val, y_val),
        games.DataGame(knn, X, y, X_val, turned_val),
        games.DataGame(utilities.KNN(4), *data),
        games.DataGame(utilities.KNN(3, "vote"), *data),
        games.DataGame(utilities.KNN(3, empty=0.5), *data),
        games.DataGame(utilities.Logistic(), *data),
        games.DataGame(utilities.Logistic(2.0), *data),
        games.DataGame(utilities.Logistic(score="log_loss"), *data),
        games.DataGame(knn, *data, X_items=X[:2], y_items=y[:2]),
        games.DataGame(knn, *data, ids=np.arange(12)[::-1]),
        games.DataGame(knn, X[::-1], y[::-1], X_val, y_val),
    ]
    assert len({game.fingerprint for game in variants}) == len(variants)


def test_functions_of_other_names_or_players_have_other_fingerprints():
    def one(c):
        return c[:, 0]

    def two(c):
        return c[:, 1]

    assert len({games.FunctionGame(fn, n).fingerprint for fn in (one, two) for n in (2, 3)}) == 4
