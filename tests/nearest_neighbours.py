"""The nearest-neighbour utility by its definition, over a multiset of training points, in exact arithmetic."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np


def squared_distances(X, X_val) -> list[list[Fraction]]:
    """[points][validation points], without rounding."""
    points = [[Fraction(float(v)) for v in x] for x in X]
    return [
        [sum(((a - Fraction(float(b))) ** 2 for a, b in zip(p, v, strict=True)), Fraction(0)) for v in X_val]
        for p in points
    ]


def score(members, y, y_val, distances, k, kind, empty) -> float:
    """Mean over validation points: the vote of the k nearest members, ranked by (distance, index)."""
    if not members:
        return empty
    total = Fraction(0)
    for v, own in enumerate(y_val):
        nearest = sorted(members, key=lambda p: (distances[p][v], p))[:k]
        votes = Counter(int(y[p]) for p in nearest)
        if kind == "vote":
            total += Fraction(votes[int(own)], k)
        else:
            most = max(votes.values())
            total += min(c for c, n in votes.items() if n == most) == own
    return float(total / len(y_val))


def scores(multisets, X, y, X_val, y_val, *, k, kind="accuracy", empty=None, n_classes=None) -> np.ndarray:
    """[rows, 1] values of multisets of players."""
    n_classes = int(np.max(y)) + 1 if n_classes is None else n_classes
    if empty is None:
        empty = 1 / n_classes if kind == "accuracy" else 0.0
    distances = squared_distances(X, X_val)
    return np.array([[score(m, y, y_val, distances, k, kind, empty)] for m in multisets])
