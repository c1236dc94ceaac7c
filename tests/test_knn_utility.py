"""KNN: the score by definition and by scikit-learn, its ties, its edges, and its tiles."""

from __future__ import annotations

import naive_walks
import nearest_neighbours
import numpy as np
import pytest
import tolerance
from sklearn.neighbors import KNeighborsClassifier

from fastsa import games, ops, utilities

KINDS = ["accuracy", "vote"]


def clouds(seed=0, n=80, n_val=45, d=3, n_classes=4):
    """Continuous features: no two distances are equal."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    y[:n_classes] = range(n_classes)
    y_val = rng.integers(0, n_classes, n_val)
    return rng.normal(size=(n, d)) + y[:, None], y, rng.normal(size=(n_val, d)) + y_val[:, None], y_val


def grid(seed=0, n=30, n_val=20, n_classes=3):
    """A few lattice points, many times over: nearly all distances tie."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    y[:n_classes] = range(n_classes)
    return (
        rng.integers(0, 3, (n, 2)).astype(float),
        y,
        rng.integers(0, 3, (n_val, 2)).astype(float),
        rng.integers(0, n_classes, n_val),
    )


def coalitions_of(n, rows=40, seed=1):
    rng = np.random.default_rng(seed)
    return rng.random((rows, n)) < rng.random((rows, 1))


@pytest.mark.parametrize("k", [1, 2, 5])
def test_accuracy_is_that_of_scikit_learn_where_ties_cannot_differ(k):
    """Its votes also fall to the smallest class; its coalitions are refitted one by one."""
    X, y, X_val, y_val = clouds()
    coalitions = coalitions_of(len(y))
    coalitions[:, :5] = True
    expected = [KNeighborsClassifier(k).fit(X[c], y[c]).score(X_val, y_val) for c in coalitions]
    found = games.DataGame(utilities.KNN(k), X, y, X_val, y_val).evaluate(coalitions)
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=tolerance.REORDERED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 3, 7, 29, 30, 31, 100])
def test_ties_duplicates_and_k_beyond_n_follow_the_definition(k, kind):
    X, y, X_val, y_val = grid(seed=k)
    coalitions = coalitions_of(len(y), rows=25)
    members = [np.flatnonzero(c).tolist() for c in coalitions]
    expected = nearest_neighbours.scores(members, X, y, X_val, y_val, k=k, kind=kind)
    found = games.DataGame(utilities.KNN(k, kind), X, y, X_val, y_val).evaluate(coalitions)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance.REORDERED)


@pytest.mark.parametrize("kind", KINDS)
def test_a_player_drawn_twice_is_two_neighbours(kind):
    """Two copies of the nearest outvote one of another class; with k = 3 and order of joining turned around too."""
    X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0, 1, 1])
    game = games.DataGame(utilities.KNN(3, kind), X, y, [[0.0]], [0])
    walks = naive_walks.walks_of(
        [[0, 1, 2], [0, 0, 1, 2], [2, 1, 0, 0], [1, 0]], [[3], [4], [4], [2]], [[], [], [], [0]]
    )
    expected = [0.0, 1.0, 1.0, 1.0, 1.0] if kind == "accuracy" else [1 / 3, 2 / 3, 2 / 3, 1 / 3, 2 / 3]
    np.testing.assert_allclose(game.walk(walks)[:, 0], expected, rtol=0, atol=tolerance.REORDERED)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_joining_changes_no_byte(kind):
    X, y, X_val, y_val = grid(seed=3)
    game = games.DataGame(utilities.KNN(4, kind), X, y, X_val, y_val)
    rng = np.random.default_rng(4)
    drawn = rng.integers(0, len(y), 20)
    orders = [rng.permutation(drawn) for _ in range(20)]
    values = game.walk(naive_walks.walks_of(orders, [[20]] * 20, [[]] * 20))
    assert np.unique(values).size == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_coalition_of_one_class_earns_what_that_class_earns(kind):
    X, y, X_val, y_val = clouds()
    game = games.DataGame(utilities.KNN(3, kind), X, y, X_val, y_val)
    share = (y_val == 2).mean()
    earned = game.evaluate((y == 2)[None])
    np.testing.assert_allclose(earned, [[share]], rtol=0, atol=tolerance.REORDERED)


@pytest.mark.parametrize(
    ("utility", "expected"),
    [
        (utilities.KNN(2), 0.25),
        (utilities.KNN(2, "vote"), 0.0),
        (utilities.KNN(2, empty=0.7), 0.7),
        (utilities.KNN(2, "vote", empty=-1), -1.0),
    ],
)
def test_the_empty_coalition_earns_what_is_stated(utility, expected):
    game = games.DataGame(utility, *clouds())
    assert game.evaluate(np.zeros((1, 80), dtype=bool)).item() == expected


def test_below_k_members_votes_are_still_shares_of_k():
    game = games.DataGame(utilities.KNN(5, "vote"), [[0.0], [1.0]], [0, 1], [[0.0]], [1])
    assert game.evaluate([[False, True], [True, True], [True, False]]).ravel().tolist() == [0.2, 0.2, 0.0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_threads", [1, 2, 7])
def test_tiles_and_threads_change_no_byte(kind, n_threads):
    X, y, X_val, y_val = grid(seed=5, n=40, n_val=23)
    walks = naive_walks.random_walks(np.random.default_rng(6), 40, 30, longest=40)
    game = games.DataGame(utilities.KNN(3, kind), X, y, X_val, y_val)
    whole = game.walk(walks, n_threads=1).tobytes()
    for max_bytes in (1, 640, 7 * 640, 22 * 640, 23 * 640, 10**9):
        fresh = games.DataGame(utilities.KNN(3, kind), X, y, X_val, y_val)
        assert fresh.walk(walks, max_bytes=max_bytes, n_threads=n_threads).tobytes() == whole


@pytest.mark.parametrize("kind", KINDS)
def test_moving_all_data_by_a_million_changes_no_byte(kind):
    """Features are multiples of 2^-20, so that the move itself rounds nothing; ties stay ties."""
    for make in (clouds, grid):
        X, y, X_val, y_val = make(seed=7)
        X, X_val = (np.round(a * 2**20) / 2**20 for a in (X, X_val))
        coalitions = coalitions_of(len(y))
        here = games.DataGame(utilities.KNN(3, kind), X, y, X_val, y_val).evaluate(coalitions)
        there = games.DataGame(utilities.KNN(3, kind), X + 1e6, y, X_val + 1e6, y_val).evaluate(coalitions)
        assert here.tobytes() == there.tobytes()


@pytest.mark.parametrize("scale", [1e-6, 1e6, 1e150])
def test_scaling_all_data_by_a_power_changes_nothing_but_overflow(scale):
    scale = 2.0 ** np.round(np.log2(scale))
    X, y, X_val, y_val = clouds(seed=8)
    coalitions = coalitions_of(len(y))
    here = games.DataGame(utilities.KNN(3), X, y, X_val, y_val).evaluate(coalitions)
    there = games.DataGame(utilities.KNN(3), X * scale, y, X_val * scale, y_val).evaluate(coalitions)
    assert here.tobytes() == there.tobytes()


def test_equal_points_are_ranked_by_their_index():
    """Players 0 and 2 are one point of two classes: with k = 1 the smaller index decides, wherever both stand."""
    X, y = np.array([[1.0], [9.0], [1.0]]), np.array([1, 1, 0])
    game = games.DataGame(utilities.KNN(1), X, y, [[1.0]], [1])
    assert game.walk(naive_walks.walks_of([[2, 0], [0, 2], [2]], [[2], [2], [1]], [[], [], [0]])).ravel().tolist() == [
        1,
        1,
        0,
        1,
    ]


def test_one_validation_point_and_two_players_are_enough():
    game = games.DataGame(utilities.KNN(1), [[0.0], [1.0]], ["x", "y"], [[0.9]], ["y"])
    assert game.evaluate(ops.unpack(np.arange(4, dtype=np.uint64)[:, None], 2)).ravel().tolist() == [0.5, 0.0, 1.0, 1.0]
