"""Logistic walks converge on data of any scale, penalty and separability, judged by the objective's own derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa.games import DataGame
from fastsa.ops import Walks, permutations
from fastsa.utilities import Logistic


def newton_decrement(X, y, C, n_classes, coefficients):
    """sqrt(g H^-1 g) of the objective at the coefficients: the distance to its minimum in the norm of its Hessian."""
    n, d = X.shape
    A = np.c_[X, np.ones(n)]
    present = np.unique(y)
    free = np.r_[np.full(d, 1 / C), 1e-12]
    if present.size == 2:
        w = coefficients[0]
        p = 1 / (1 + np.exp(-np.clip(A @ w, -700, 700)))
        gradient = A.T @ (p - (y == present[1])) + np.r_[w[:d] / C, 0]
        hessian = (A * (p * (1 - p))[:, None]).T @ A + np.diag(free)
        return np.sqrt(gradient @ np.linalg.solve(hessian, gradient))
    scores = A @ coefficients.T
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    gradient = (p - np.eye(n_classes)[y]).T @ A
    gradient[:, :d] += coefficients[:, :d] / C
    hessian = np.einsum("ia,ab,if,ig->afbg", p, np.eye(n_classes), A, A) - np.einsum("ia,ib,if,ig->afbg", p, p, A, A)
    hessian = hessian.reshape(n_classes * (d + 1), -1) + np.diag(np.tile(free, n_classes))
    g = gradient.ravel()
    return np.sqrt(max(0.0, g @ np.linalg.lstsq(hessian, g, rcond=1e-14)[0]))


@pytest.mark.parametrize("seed", range(60))
def test_a_walk_converges_at_any_scale(seed):
    """Scales and penalties over six decades, separable or not, warm all along a walk; 2e-2 is 2e-4 in log-likelihood."""
    rng = np.random.default_rng(seed)
    d, classes, n = int(rng.integers(1, 12)), int(rng.integers(2, 6)), int(rng.integers(10, 60))
    scale, C = 10.0 ** rng.uniform(-3, 3), 10.0 ** rng.uniform(-3, 3)
    y = rng.integers(0, classes, n)
    y[:classes] = np.arange(classes)
    X = rng.normal(size=(n, d)) * scale + y[:, None] * scale * rng.uniform(0, 3) * (seed % 2)
    game = DataGame(Logistic(C=C), X, y, X[:5], y[:5])
    walks = Walks.of_permutations(permutations(n, 1, seed=seed))
    game.walk(walks)
    fitted = game._prepared.coefficients(walks)
    for size in (n // 2, n):
        members = walks.players[:size]
        if np.unique(y[members]).size == classes:
            assert newton_decrement(X[members], y[members], C, classes, fitted[size]) < 2e-2
