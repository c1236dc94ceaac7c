"""Sampling the nearest-neighbour game converges to its closed form."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import LabelStream, knn_shapley
from fastsa.estimators import PermutationShapley
from fastsa.games import DataGame
from fastsa.utilities import KNN


@pytest.mark.parametrize("k", [1, 3, 50])
def test_permutation_labels_of_the_vote_game_meet_knn_shapley(k):
    """z below 6 for 40 points: false alarm below 1e-7; a bias of 7 standard errors, about a twentieth of the values' spread,
    would be seen: neighbours ranked by another metric are off by far more, as the last line shows."""
    rng = np.random.default_rng(k)
    X, y = rng.normal(size=(70, 3)) * [1.0, 4.0, 0.3], rng.integers(0, 3, 70)
    data = X[:40], y[:40], X[40:], y[40:]
    labels = LabelStream(DataGame(KNN(k, score="vote"), *data), PermutationShapley(), samples=20_000).collect()

    def largest_z(values):
        return np.abs((labels.mean[:, 0] - values) / np.maximum(labels.stderr[:, 0], 1e-12)).max()

    assert largest_z(knn_shapley(*data, k=k)) < 6
    if k < 40:
        assert largest_z(knn_shapley(*data, k=k, metric="cosine")) > 20
