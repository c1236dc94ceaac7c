"""Labels whose truth is known: made from numbers, as a stream would make them from contributions."""

from __future__ import annotations

import numpy as np

from fastsa import Labels, estimators
from fastsa.games import Roster
from fastsa.labels import SampleRange
from fastsa.ops import Moments


def labels_of(
    samples, *, role="certify", first=0, seed=0, estimator=None, ids=None, one_game=True, fingerprint="synthetic"
):
    """Labels of `samples` [k, items, outputs], or [k, items, players, outputs] where every item is a game."""
    samples = np.asarray(samples, dtype=np.float64)
    k, n = samples.shape[:2]
    mean = samples.mean(axis=0)
    deviation = ((samples - mean) ** 2).sum(axis=0)
    moments = Moments(np.full(mean.shape[:-1], k), mean, deviation)
    ids = np.arange(n, dtype=np.uint64) if ids is None else np.asarray(ids, dtype=np.uint64)
    players = n if one_game else samples.shape[2]
    estimator = estimators.Distributional() if estimator is None else estimator
    roster = Roster(ids, players, samples.shape[-1], one_game)
    return Labels(moments, roster, estimator, (SampleRange(seed, role, first, first + k),), 2 * k * n, fingerprint)
