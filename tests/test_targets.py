"""Real targets: RidgeRegression against scikit-learn and the closed form, and classes told from targets."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.linear_model
import tolerance

import fastsa
from fastsa.games import DataGame
from fastsa.ops import Walks
from fastsa.utilities import KNN, Logistic, NearestCentroid, OpenUtility, RidgeRegression, check

CLOSED_FORM = 1e-8


def make_data(n=60, m=40, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + m, d)) * np.linspace(0.5, 3.0, d)
    y = X @ rng.normal(size=d) + rng.normal(size=n + m) + 2.0
    X[10:n:10], y[10:n:10] = X[9 : n - 1 : 10], y[9 : n - 1 : 10]
    return X[:n], y[:n], X[n:], y[n:]


def multisets(n, rows, seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n, int(rng.choice([1, 2, 3, 4, 6, 10, 40]))).astype(np.int32) for _ in range(rows)]


def values_of(game, members):
    return game.walk(Walks.to_ends(np.concatenate(members), np.cumsum([0] + [m.size for m in members])))


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("alpha", [1e-2, 1.0, 100.0])
def test_r2_and_errors_are_scikit_learns_on_multisets_of_any_size(alpha, shift):
    X, y, X_val, y_val = make_data()
    members = multisets(y.size, 60, seed=1)
    models = [sklearn.linear_model.Ridge(alpha=alpha).fit(X[m], y[m]) for m in members]
    errors = np.array([model.predict(X_val) - y_val for model in models])
    expected = {
        "r2": [[model.score(X_val, y_val)] for model in models],
        "mean_squared_error": -(errors**2).mean(axis=1, keepdims=True),
        "squared_errors": -(errors**2),
    }
    accuracy = CLOSED_FORM if shift == 0.0 else 1e-5  # the features themselves have ten digits left
    for score, values in expected.items():
        game = DataGame(RidgeRegression(alpha, score=score), X + shift, y, X_val + shift, y_val)
        np.testing.assert_allclose(values_of(game, members), values, rtol=accuracy, atol=accuracy)


def test_errors_are_the_closed_forms():
    X, y, X_val, y_val = make_data()
    members = np.arange(0, 60, 2)
    A, b = X[members], y[members]
    centred = A - A.mean(axis=0)
    weights = np.linalg.solve(centred.T @ centred + 0.7 * np.eye(4), centred.T @ (b - b.mean()))
    predicted = b.mean() + (X_val - A.mean(axis=0)) @ weights
    game = DataGame(RidgeRegression(0.7, score="squared_errors"), X, y, X_val, y_val)
    coalition = np.zeros((1, 60), dtype=bool)
    coalition[0, members] = True
    np.testing.assert_allclose(game.evaluate(coalition)[0], -((predicted - y_val) ** 2), rtol=CLOSED_FORM)


def test_a_point_far_down_a_walk_is_fitted_as_well_as_the_first():
    X, y, X_val, y_val = make_data(n=500, d=14)
    members = np.random.default_rng(4).integers(0, 500, 10_000).astype(np.int32)
    game = DataGame(RidgeRegression(score="squared_errors"), X, y, X_val, y_val)
    predicted = sklearn.linear_model.Ridge().fit(X[members], y[members]).predict(X_val)
    np.testing.assert_allclose(
        values_of(game, [members])[0], -((predicted - y_val) ** 2), rtol=CLOSED_FORM, atol=CLOSED_FORM
    )


@pytest.mark.parametrize(
    ("prediction", "score"), [(0.0, "r2"), (2.5, "r2"), (2.5, "mean_squared_error"), (-1.0, "squared_errors")]
)
def test_the_empty_coalition_predicts_what_was_said(prediction, score):
    X, y, X_val, y_val = make_data()
    game = DataGame(RidgeRegression(score=score, empty_prediction=prediction), X, y, X_val, y_val)
    errors = (y_val - prediction) ** 2
    expected = {
        "r2": 1 - errors.sum() / ((y_val - y_val.mean()) ** 2).sum(),
        "mean_squared_error": -errors.mean(),
        "squared_errors": -errors,
    }
    np.testing.assert_allclose(
        game.evaluate(np.zeros((1, 60), dtype=bool))[0], expected[score], rtol=tolerance.REORDERED
    )


@pytest.mark.parametrize("utility", [RidgeRegression(), RidgeRegression(score="squared_errors")], ids=repr)
def test_check_passes(utility):
    check(utility)


class SumOfTargets(OpenUtility):
    """The sum of the members' targets less the validation points'."""

    takes = "targets"

    def state_size(data):
        return 1

    def reset(data, state):
        state[0] = 0.0

    def add(data, state, player):
        state[0] += data.y[player]
        return 0

    def score(data, state, out):
        out[0] = state[0] - data.y_val.sum()
        return 0

    def empty_values(self, data):
        return -data.y_val.sum()


def test_a_users_open_utility_may_take_targets():
    X, y, X_val, y_val = make_data()
    game = DataGame(SumOfTargets(), X, y, X_val, y_val)
    labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=1).collect()
    np.testing.assert_allclose(labels.mean[:, 0], y, rtol=CLOSED_FORM)
    check(SumOfTargets(), tolerance=1e-9)
    assert game.classes is None


def test_items_outside_the_pool_bring_their_targets():
    X, y, X_val, y_val = make_data()
    game = DataGame(SumOfTargets(), X[:50], y[:50], X_val, y_val, X_items=X[50:], y_items=y[50:])
    labels = fastsa.LabelStream(game, fastsa.estimators.Distributional(1, 5), samples=1).collect()
    np.testing.assert_allclose(labels.mean[:, 0], y[50:], rtol=CLOSED_FORM)


def test_integers_are_targets_where_targets_are_taken():
    X, y, X_val, y_val = make_data()
    as_integers = DataGame(RidgeRegression(), X, np.round(y).astype(int), X_val, y_val)
    as_floats = DataGame(RidgeRegression(), X, np.round(y) + 0.0, X_val, y_val)  # no minus zero
    assert as_integers.fingerprint == as_floats.fingerprint


X, Y, X_VAL, Y_VAL = make_data(n=8, m=5)
CLASSES, CLASSES_VAL = np.arange(8) % 2, np.arange(5) % 2


@pytest.mark.parametrize(
    ("make", "error", "complaint"),
    [
        (
            lambda: DataGame(Logistic(), X, Y, X_VAL, Y_VAL),
            ValueError,
            "y has 8 different real numbers for 8 points, and Logistic takes classes; use .* RidgeRegression",
        ),
        (lambda: DataGame(KNN(), X, Y, X, Y), ValueError, "KNN takes classes"),
        (lambda: DataGame(NearestCentroid(), X, Y, X, Y), ValueError, "NearestCentroid takes classes"),
        (
            lambda: DataGame(RidgeRegression(), X, CLASSES.astype(str), X_VAL, Y_VAL),
            TypeError,
            "y has dtype <U.*; RidgeRegression takes targets",
        ),
        (lambda: DataGame(RidgeRegression(), X, CLASSES == 1, X_VAL, Y_VAL), TypeError, "y has dtype bool"),
        (lambda: DataGame(RidgeRegression(), X, Y, X_VAL, CLASSES_VAL.astype(str)), TypeError, "y_val has dtype <U"),
        (
            lambda: DataGame(RidgeRegression(), X, Y[:7], X_VAL, Y_VAL),
            ValueError,
            "y has 7 entries; expected 8, one target per point",
        ),
        (
            lambda: DataGame(RidgeRegression(), X, np.where(Y == Y[2], np.nan, Y), X_VAL, Y_VAL),
            ValueError,
            r"y\[2\] is nan",
        ),
        (
            lambda: DataGame(RidgeRegression(), X, Y, X_VAL, np.ones(5)),
            ValueError,
            "y_val has one value only, so that R2 is 0 / 0",
        ),
        (lambda: RidgeRegression(0.0), ValueError, "alpha is 0.0"),
        (lambda: RidgeRegression(score="accuracy"), ValueError, "score is 'accuracy'; expected one of 'r2'"),
        (lambda: RidgeRegression(empty_prediction=np.inf), ValueError, "empty_prediction is inf"),
        (
            lambda: fastsa.DataValuator(RidgeRegression()).fit(X, Y, X_VAL, Y_VAL),
            TypeError,
            "takes targets; the networks learn from classes",
        ),
    ],
)
def test_classes_and_targets_are_told_apart(make, error, complaint):
    with pytest.raises(error, match=complaint):
        make()


def test_equal_settings_are_equal_utilities():
    assert RidgeRegression(2) == RidgeRegression(2.0) != RidgeRegression(2.0, empty_prediction=1.0)
    assert repr(RidgeRegression(2)) == "RidgeRegression(alpha=2.0, score='r2', empty_prediction=0.0)"
