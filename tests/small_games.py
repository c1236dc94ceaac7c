"""Games of five to eight players, small enough to enumerate, for the tests of estimators and labels."""

from __future__ import annotations

import numpy as np

from fastsa import games, utilities


def table(n_players, outputs=2, seed=0):
    """Any game at all: a random number for every coalition."""
    values = np.random.default_rng(seed).normal(size=(2**n_players, outputs))
    return games.FunctionGame(lambda c: values[c @ (1 << np.arange(n_players))], n_players)


def points(n, n_val, n_classes, seed):
    rng = np.random.default_rng(seed)
    y, y_val = np.arange(n) % n_classes, np.arange(n_val) % n_classes
    centers = 1.5 * rng.normal(size=(n_classes, 2))
    return centers[y] + rng.normal(size=(n, 2)), y, centers[y_val] + rng.normal(size=(n_val, 2)), y_val


def knn(n=7, outside=0, kind="accuracy", seed=1, n_val=12):
    X, y, X_val, y_val = points(n + outside, n_val, 3, seed)
    beside = {"X_items": X[n - 1 :], "y_items": y[n - 1 :]} if outside else {}
    return games.DataGame(utilities.KNN(2, kind), X[:n], y[:n], X_val, y_val, **beside)


def logistic(n=6, outside=0, score="log_loss", seed=2, n_classes=2, n_val=12):
    X, y, X_val, y_val = points(n + outside, n_val, n_classes, seed)
    beside = {"X_items": X[n - 1 :], "y_items": y[n - 1 :]} if outside else {}
    return games.DataGame(utilities.Logistic(score=score), X[:n], y[:n], X_val, y_val, **beside)
