"""Amortizers whose errors are known: least squares on labels whose truth is linear but for a misfit, drawn from numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from synthetic_labels import labels_of

from fastsa import estimators

WIDTH = 20
MISFIT = 0.3


class World(NamedTuple):
    """Features [n, WIDTH], truth [n], samples [k, n] of labels."""

    X: np.ndarray
    truth: np.ndarray
    samples: np.ndarray


def world(rng, n, k, sigma, misfit=MISFIT, width=WIDTH):
    X = rng.normal(size=(n, width))
    slopes = np.random.default_rng(5).normal(size=width) / np.sqrt(width)
    truth = X @ slopes + misfit * np.sqrt(2) * np.sin(3 * X[:, 0])
    return World(X, truth, truth + sigma * rng.normal(size=(k, n)))


def blocks_of(one):
    return [
        labels_of(sample[None, :, None], first=j, role="train", estimator=estimators.Distributional())
        for j, sample in enumerate(one.samples)
    ]


def least_squares(X):
    """learn(labels): least squares on the labelled rows of X, and what it predicts of all."""
    columns = np.c_[X, np.ones(len(X))]

    def learn(labels):
        seen = labels.count > 0
        return columns @ np.linalg.lstsq(columns[seen], labels.mean[seen], rcond=None)[0]

    return learn


def realised(rng, n, k, sigma):
    """(error for others, for the labelled items, of their labels, of both refined by their true errors) of one training."""
    one, others = world(rng, n, k, sigma), world(rng, 20_000, 1, sigma)
    columns = np.c_[one.X, np.ones(n)]
    label = one.samples.mean(axis=0)
    slopes = np.linalg.lstsq(columns, label, rcond=None)[0]
    d, e = columns @ slopes - one.truth, label - one.truth
    new = np.mean((np.c_[others.X, np.ones(20_000)] @ slopes - others.truth) ** 2)
    both = (np.mean(d**2) * np.mean(e**2) - np.mean(d * e) ** 2) / np.mean((d - e) ** 2)
    return new, np.mean(d**2), np.mean(e**2), both
