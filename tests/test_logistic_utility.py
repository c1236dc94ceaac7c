"""Logistic: coefficients and scores of scikit-learn's converged fits, on ordinary and on hard coalitions."""

from __future__ import annotations

import logistic_fits
import naive_walks
import numpy as np
import pytest
import tolerance

from fastsa import games, ops, utilities
from fastsa.utilities.data import SupervisedData

CLASSES = [2, 3, 5]


def clouds(n_classes, seed=0, n=90, n_val=61, d=5, spread=1.5):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n_classes, d))
    y, y_val = rng.integers(0, n_classes, n), rng.integers(0, n_classes, n_val)
    y[:n_classes] = range(n_classes)
    return (
        centers[y] + spread * rng.normal(size=(n, d)),
        y,
        centers[y_val] + spread * rng.normal(size=(n_val, d)),
        y_val,
    )


def coalitions_of(n, rows, seed=1):
    """Of all sizes, drawn with replacement, so that duplicates are weights."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n, size).tolist() for size in rng.integers(1, n, rows)]


def coefficients(data, multisets, C=1.0):
    """Of this library, in the layout of logistic_fits.fit; every coalition on a walk of its own."""
    X, y, X_val, y_val = data
    prepared = utilities.Logistic(C).prepare(
        SupervisedData(X, y.astype(np.int32), len(y), X_val, y_val.astype(np.int32), int(y.max()) + 1)
    )
    sizes = [[len(m)] for m in multisets]
    return prepared.coefficients(naive_walks.walks_of(multisets, sizes, [[]] * len(sizes)))


def assert_same_fits(data, multisets, C=1.0):
    X, y = data[:2]
    n_classes = int(y.max()) + 1
    for members, found in zip(multisets, coefficients(data, multisets, C), strict=True):
        present = np.unique(y[members])
        expected = logistic_fits.fit(members, X, y, C, n_classes)
        scale = max(1.0, np.abs(expected[:, :-1]).max())
        found, expected = (logistic_fits.centred_intercepts(c, present) for c in (found, expected))
        np.testing.assert_allclose(found[:, :-1], expected[:, :-1], rtol=0, atol=tolerance.COEFFICIENTS * scale)
        reach = max(1.0, np.abs(expected[:, -1]).max())
        np.testing.assert_allclose(found[:, -1], expected[:, -1], rtol=0, atol=tolerance.COEFFICIENTS * reach)


@pytest.mark.parametrize("n_classes", CLASSES)
def test_accuracy_is_that_of_scikit_learn_on_nearly_all_coalitions(n_classes):
    """Equal on at least 99.5 % of 200 distinct coalitions: one may differ, by a point at the border."""
    data = clouds(n_classes)
    multisets = coalitions_of(90, 200)
    game = games.DataGame(utilities.Logistic(), *data)
    found = game.walk(naive_walks.walks_of(multisets, [[len(m)] for m in multisets], [[]] * 200))
    expected = logistic_fits.values(multisets, *data, n_classes=n_classes)
    differing = np.abs(found - expected) > tolerance.REORDERED
    assert differing.mean() <= tolerance.SHARE_OF_OTHER_ACCURACIES
    assert np.unique(expected).size > 10


@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("n_classes", CLASSES)
def test_coefficients_are_those_of_scikit_learn(n_classes, C):
    assert_same_fits(clouds(n_classes, seed=2), coalitions_of(90, 25, seed=3), C)


@pytest.mark.parametrize("n_classes", CLASSES)
def test_tiny_coalitions_and_some_of_the_classes(n_classes):
    data = clouds(n_classes, seed=4)
    y = data[1]
    some = np.flatnonzero(y < max(2, n_classes - 1)).tolist()
    first_two = [int(np.flatnonzero(y == c)[0]) for c in (0, n_classes - 1)]
    one_each = [int(np.flatnonzero(y == c)[0]) for c in range(n_classes)]
    multisets = [first_two, first_two[::-1], one_each, one_each * 3, some, some[:7], *coalitions_of(90, 1)]
    assert_same_fits(data, multisets)


def test_the_classes_present_decide_between_binomial_and_softmax():
    """Two of three classes: the row of coefficients is the binomial's, half as penalised as two softmax rows."""
    data = clouds(3, seed=5)
    members = np.flatnonzero(data[1] != 1).tolist()
    found = coefficients(data, [members])[0]
    assert (found[1:] == 0).all() and np.abs(found[0]).max() > 0.1
    assert_same_fits(data, [members])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [1.0, 1e3])
def test_separable_data_converge(n_classes, C):
    X, y, X_val, y_val = clouds(n_classes, seed=6, spread=0.05)
    assert_same_fits((X * 3, y, X_val * 3, y_val), coalitions_of(90, 15, seed=7), C)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_features_of_scales_a_million_apart(n_classes):
    X, y, X_val, y_val = clouds(n_classes, seed=8)
    scales = np.array([1e-3, 1e3, 1.0, 1e-3, 1e3])
    assert_same_fits((X * scales, y, X_val * scales, y_val), coalitions_of(90, 15, seed=9))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_constant_features_and_copies_of_a_feature(n_classes):
    X, y, X_val, y_val = clouds(n_classes, seed=10)
    X, X_val = (np.column_stack([a, a[:, 0], np.full(len(a), 4.0), np.zeros(len(a))]) for a in (X, X_val))
    assert_same_fits((X, y, X_val, y_val), coalitions_of(90, 15, seed=11))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_features_than_points(n_classes):
    data = clouds(n_classes, seed=12, n=20, d=40)
    assert_same_fits(data, coalitions_of(20, 15, seed=13))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_one_feature_is_enough(n_classes):
    assert_same_fits(clouds(n_classes, seed=14, d=1), coalitions_of(90, 15, seed=15))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_moving_all_data_by_a_million_changes_values_by_rounding_only(n_classes):
    X, y, X_val, y_val = clouds(n_classes, seed=16)
    X, X_val = (np.round(a * 2**20) / 2**20 for a in (X, X_val))
    multisets = coalitions_of(90, 40, seed=17)
    walks = naive_walks.walks_of(multisets, [[len(m)] for m in multisets], [[]] * 40)
    utility = utilities.Logistic(score="log_loss")
    here = games.DataGame(utility, X, y, X_val, y_val).walk(walks)
    there = games.DataGame(utility, X + 1e6, y, X_val + 1e6, y_val).walk(walks)
    np.testing.assert_allclose(there, here, rtol=0, atol=tolerance.LOG_LOSS)


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("n_classes", CLASSES)
def test_log_loss_follows_its_definition(n_classes, C):
    data = clouds(n_classes, seed=18)
    y = data[1]
    one_class = np.flatnonzero(y == 1).tolist()
    multisets = [[], one_class, one_class[:1], [0, 1], [0, 0, 0, 1], *coalitions_of(90, 20, seed=19)]
    game = games.DataGame(utilities.Logistic(C, "log_loss"), *data)
    found = game.walk(naive_walks.walks_of(multisets, [[len(m)] for m in multisets], [[]] * len(multisets)))
    expected = logistic_fits.values(multisets, *data, C=C, score="log_loss", n_classes=n_classes)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance.LOG_LOSS)


def test_log_loss_stays_finite_where_a_class_is_absent_or_certain():
    X, y, X_val, y_val = clouds(4, seed=20, spread=0.01)
    game = games.DataGame(utilities.Logistic(1e3, "log_loss"), X * 30, y, X_val * 30, y_val)
    values = game.evaluate(np.stack([y < 3, y < 2, y < 1, y < 4]))
    assert np.isfinite(values).all() and values[3, 0] == values.max()


@pytest.mark.parametrize("score", ["accuracy", "log_loss"])
@pytest.mark.parametrize(("members", "n_classes"), [([], 3), ([4, 4], 3), ([5, 6, 5], 2)])
def test_small_coalitions_earn_what_is_stated(members, n_classes, score):
    X, y, X_val, y_val = clouds(n_classes, seed=21)
    y = y.copy()
    y[4:7] = 1
    game = games.DataGame(utilities.Logistic(score=score), X, y, X_val, y_val)
    expected = logistic_fits.value(members, X, y, X_val, y_val, score=score, n_classes=n_classes)
    found = game.walk(naive_walks.walks_of([members], [[len(members)]], [[]])).item()
    assert abs(found - expected) <= tolerance.REORDERED


def test_the_empty_score_can_be_set():
    game = games.DataGame(utilities.Logistic(empty=-3.5), *clouds(2))
    assert game.evaluate(np.zeros((1, 90), dtype=bool)).item() == -3.5


@pytest.mark.parametrize("n_classes", CLASSES)
def test_a_walk_equals_refits(n_classes):
    """Every prefix of one permutation of all points, each against a cold fit by scikit-learn."""
    data = clouds(n_classes, seed=22, n=60)
    game = games.DataGame(utilities.Logistic(score="log_loss"), *data)
    order = ops.permutations(60, 1, seed=3)
    prefixes = [order[0, :t].tolist() for t in range(61)]
    expected = logistic_fits.values(prefixes, *data, score="log_loss", n_classes=n_classes)
    np.testing.assert_allclose(game.walk(ops.Walks.of_permutations(order)), expected, rtol=0, atol=tolerance.LOG_LOSS)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("n_classes", CLASSES)
def test_a_branch_equals_a_fresh_evaluation(n_classes, many):
    """Trunks of nothing, one class and more; branches that bring a class, a copy, or anything else."""
    data = clouds(n_classes, seed=23)
    trunks = [[], [0], [0, 0, 0], *coalitions_of(90, 8, seed=24)]
    branches = [list(range(0, 90, 7))] * len(trunks)
    for scored in ([[len(t)] for t in trunks], [[]] * len(trunks), [[len(t) // 2] for t in trunks]):
        walks = naive_walks.walks_of(trunks, scored, branches, many_branches=many)
        joined = [[*t, b] for t in trunks for b in branches[0]]
        game = games.DataGame(utilities.Logistic(score="log_loss"), *data)
        fresh = game.walk(naive_walks.walks_of(joined, [[len(m)] for m in joined], [[]] * len(joined)))
        np.testing.assert_allclose(game.walk(walks)[walks.branch_values], fresh, rtol=0, atol=tolerance.LOG_LOSS)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("n_classes", CLASSES)
def test_no_branch_changes_a_byte_of_another(n_classes, many):
    """Backwards, alone or among many: each branch keeps its bytes, and so does the trunk."""
    data = clouds(n_classes, seed=25)
    game = games.DataGame(utilities.Logistic(score="log_loss"), *data)
    branches = list(range(0, 90, 4))
    for trunk in [[], [0], [0, 1], *coalitions_of(9, 3), *coalitions_of(90, 4, seed=26)]:
        for scored in ([len(trunk)], []):

            def values_of(order, trunk=trunk, scored=scored):
                walks = naive_walks.walks_of([trunk], [scored], [order], many_branches=many)
                return game.walk(walks)[len(scored) :].tobytes()

            together = values_of(branches)
            backwards = np.frombuffer(values_of(branches[::-1]))[::-1].tobytes()
            alone = b"".join(values_of([b]) for b in branches)
            assert together == backwards == alone


def test_the_order_of_joining_matters_within_tolerance_only():
    data = clouds(3, seed=27)
    game = games.DataGame(utilities.Logistic(score="log_loss"), *data)
    rng = np.random.default_rng(28)
    members = rng.integers(0, 90, 30)
    orders = [rng.permutation(members) for _ in range(12)]
    along = game.walk(naive_walks.walks_of(orders, [list(range(31))] * 12, [[]] * 12)).reshape(12, 31)
    assert np.ptp(along[:, -1]) <= tolerance.LOG_LOSS


@pytest.mark.parametrize("n_threads", [2, 7])
def test_threads_and_byte_budgets_change_no_byte(n_threads):
    data = clouds(3, seed=29)
    game = games.DataGame(utilities.Logistic(score="log_loss"), *data)
    walks = naive_walks.random_walks(np.random.default_rng(30), 90, 40, longest=60)
    whole = game.walk(walks, n_threads=1).tobytes()
    assert game.walk(walks, n_threads=n_threads).tobytes() == whole
    assert game.walk(walks, n_threads=n_threads, max_bytes=1).tobytes() == whole


def test_a_row_of_walks_does_not_depend_on_its_neighbours():
    data = clouds(5, seed=31)
    game = games.DataGame(utilities.Logistic(score="log_loss"), *data)
    walks = naive_walks.random_walks(np.random.default_rng(32), 90, 30, longest=60)
    whole, ends = game.walk(walks), walks.value_offsets
    for row in (3, 17, 29):
        assert game.walk(walks.take(row, row + 1)).tobytes() == whole[ends[row] : ends[row + 1]].tobytes()


def test_the_objective_reached_is_never_above_that_of_scikit_learn():
    """The minimum is a number, whatever the coefficients: within 1e-9 of the smaller, relative."""
    X, y, X_val, y_val = clouds(4, seed=33)
    multisets = [m for m in coalitions_of(90, 20, seed=34) if np.unique(y[m]).size > 1]
    for members, found in zip(multisets, coefficients((X, y, X_val, y_val), multisets), strict=True):
        theirs = logistic_fits.objective(logistic_fits.fit(members, X, y, 1.0, 4), members, X, y, 1.0)
        assert logistic_fits.objective(found, members, X, y, 1.0) <= theirs * (1 + tolerance.OBJECTIVE)
