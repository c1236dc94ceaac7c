"""The fits that AdjustedMSR subtracts: their penalty by cross-validation, and what they are worth where samples are few."""

from __future__ import annotations

import numpy as np
import pytest

import fastsa
from fastsa import estimators, games
from fastsa.estimators import adjusted


@pytest.mark.parametrize("rows", [4, 9, 40])
def test_ridge_has_the_penalty_of_least_generalised_cross_validation(rows):
    """Against the definition, n |(I - A) y|^2 / (n - 1.2 tr A)^2 with A the hat matrix (Golub, Heath and Wahba 1979, 1.3)."""
    rng = np.random.default_rng(rows)
    X, truth = rng.normal(size=(rows, 7)), rng.normal(size=(7, 3))
    y = X @ truth + np.array([0.0, 1.0, 30.0]) * rng.normal(size=(rows, 3))
    found = adjusted._ridge(
        (X.T @ X)[None, None], (X.T @ y)[None, None], (y**2).sum(axis=0)[None, None], np.array([[rows]])
    )
    unit = np.trace(X.T @ X) / 7
    for output in range(3):
        scores, fits = [], []
        for penalty in adjusted._PENALTIES * unit:
            hat = X @ np.linalg.solve(X.T @ X + penalty * np.eye(7), X.T)
            left = y[:, output] - hat @ y[:, output]
            free = rows - 1.2 * np.trace(hat)
            scores.append(left @ left / free**2 if free > 0 else np.inf)
            fits.append(np.linalg.solve(X.T @ X + penalty * np.eye(7), X.T @ y[:, output]))
        np.testing.assert_allclose(found[0, 0, :, output], fits[int(np.argmin(scores))], rtol=1e-6, atol=1e-9)


def test_noisy_labels_of_few_pairs_are_no_worse_adjusted_than_not():
    """14 pairs tell 10 coefficients and a background's noise: without a penalty the fit makes labels twice as noisy."""
    rng = np.random.default_rng(0)
    X, w, background = rng.normal(size=(30, 10)), rng.normal(size=10), rng.normal(size=(20, 10))
    game = games.ModelGame(lambda x: np.tanh(x @ w), X, games.Marginal(background))
    truth = fastsa.exact(game)

    def error(estimator: estimators.Estimator) -> float:
        labels = (fastsa.LabelStream(game, estimator, samples=28, seed=seed).collect() for seed in range(6))
        return float(np.mean([((one.mean - truth) ** 2).mean() for one in labels]))

    assert error(estimators.AdjustedMSR()) < 1.1 * error(estimators.Semivalue())


def test_few_noiseless_samples_of_an_additive_game_are_told_by_the_fit():
    """27 differences of 10 unknowns: the fit is exact but for the least penalty."""
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(20, 10)), rng.normal(size=10)
    game = games.ModelGame(lambda x: x @ w, X, games.Baseline(np.zeros(10)))
    labels = fastsa.LabelStream(game, estimators.AdjustedMSR(), samples=54, seed=1).collect()
    np.testing.assert_allclose(labels.mean[:, :, 0], X * w, atol=1e-3)
