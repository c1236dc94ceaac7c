"""Exact values of real models' inputs against the definition written out, subset by subset; peers do the same in bench/peers."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest

from fastsa import exact, games

AGREES = 1e-9  # relative to the largest value: sums of a few hundred model outputs in another order
N = 8


@pytest.fixture(scope="module")
def diabetes():
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_diabetes(return_X_y=True)
    return np.ascontiguousarray(X[:, :N]), y


def models(X, y):
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    mlp = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0, solver="lbfgs")
    )
    thirds = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
    yield "trees", GradientBoostingRegressor(n_estimators=30, random_state=0).fit(X, y), "predict"
    yield "network", mlp.fit(X, y), "predict"
    yield "classes", GradientBoostingClassifier(n_estimators=10, random_state=0).fit(X, thirds), "predict_proba"


def by_definition(f, x, background):
    """phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)), v(S) a mean over the background."""
    value = {}
    for size in range(N + 1):
        for subset in combinations(range(N), size):
            rows = background.copy()
            rows[:, list(subset)] = x[list(subset)]
            value[frozenset(subset)] = f(rows).reshape(len(rows), -1).mean(axis=0)
    phi = np.zeros((N, value[frozenset()].size))
    for subset, worth in value.items():
        weight = factorial(len(subset)) * factorial(N - len(subset) - 1) / factorial(N) if len(subset) < N else 0.0
        for player in set(range(N)) - subset:
            phi[player] += weight * (value[subset | {player}] - worth)
    return phi


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_shapley_values_of_trees_networks_and_classes_are_their_definition(diabetes):
    X, y = diabetes
    items, background = X[:2], X[100:112]
    for name, model, method in models(X, y):
        found = exact(games.ModelGame(model, items, games.Marginal(background)))
        expected = np.stack([by_definition(getattr(model, method), x, background) for x in items])
        assert found.shape == expected.shape, name
        assert np.abs(found - expected).max() < AGREES * np.abs(expected).max(), name


def test_values_of_a_linear_model_are_coefficients_times_distances_from_the_mean(diabetes):
    X, _ = diabetes
    coefficients = np.linspace(-2, 3, N)
    game = games.ModelGame(lambda x: x @ coefficients + 1.0, X[:5], games.Marginal(X[50:90]))
    expected = coefficients * (X[:5] - X[50:90].mean(axis=0))
    np.testing.assert_allclose(exact(game)[..., 0], expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(exact(game, "banzhaf")[..., 0], expected, rtol=0, atol=1e-12)


def test_an_interaction_is_shared_by_those_who_take_part(diabetes):
    """v = x0 x1 x2 above zero: a third to each by Shapley, a quarter by Banzhaf, all to each by leaving one out."""
    game = games.ModelGame(lambda x: x[:, :3].prod(axis=1), np.full((1, N), 2.0), games.Baseline())
    for index, share in (("shapley", 1 / 3), ("banzhaf", 1 / 4), ("leave_one_out", 1.0)):
        np.testing.assert_allclose(exact(game, index)[0, :, 0], [8 * share] * 3 + [0.0] * (N - 3), rtol=0, atol=1e-12)
