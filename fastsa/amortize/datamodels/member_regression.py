"""Datamodels by regression on who is in a subset, from nothing or from predicted effects that it corrects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators import BanzhafMSR
from fastsa.labels import Labels

_PENALTIES = 10.0 ** np.arange(-3.0, 3.1, 0.5)


def member_regression(labels: Labels, predicted: Any = None) -> NDArray[np.float64]:
    """Effects float64 [n, m] that explain what the subsets of these labels earned, in least squares with a ridge penalty.

    For every validation point v, over the subsets T that the labels hold, with outputs v(T),

        minimise  sum over T of (v(T) - intercept - sum over i in T of effect_i)^2 + penalty * |effect - predicted|^2,

    the penalty of each validation point being the best of 13 by the exact leave-one-out error (PRESS). `predicted` [n, m]
    are effects to start from, such as DatamodelNet's: what they got wrong is learned from the same outputs. Without them
    the start is 0, and the effects are the datamodels of Ilyas et al. (ICML 2022) with a squared in place of an absolute
    penalty. They are not unbiased, as labels are: the penalty draws them to the start. Takes no further evaluation, memory
    for subsets x n numbers, and one decomposition of them.

    Raises TypeError for labels that keep no subsets (they are of another estimator than BanzhafMSR, or of many games), and
    ValueError for fewer than three subsets or predictions of another shape.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda c: c @ np.array([[1.0, 0.0], [2.0, -1.0], [0.0, 3.0]]), 3)
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.BanzhafMSR(), samples=64).collect()
    >>> fastsa.amortize.member_regression(labels, labels.mean).round(1).tolist()
    [[1.0, -0.0], [2.0, -1.0], [0.0, 3.0]]
    """
    if not isinstance(labels, Labels) or not isinstance(labels.estimator, BanzhafMSR) or not labels.roster.one_game:
        given = str(labels.estimator) if isinstance(labels, Labels) else type(labels).__name__
        raise TypeError(
            f"labels are {given}; expected Labels of one game by BanzhafMSR, which keep the outputs of their subsets."
        )
    members, outputs = _subsets(labels)
    shape = members.shape[1], outputs.shape[1]
    if members.shape[0] < 3:
        raise ValueError(f"labels hold {members.shape[0]} subsets; expected at least 3.")
    start = np.zeros(shape) if predicted is None else _checks.features("predicted", predicted)
    if start.shape != shape:
        raise ValueError(f"predicted has shape {start.shape}; expected {shape}, players and outputs of the labels.")
    return start + _ridge(members, outputs - members @ start)


def _subsets(labels: Labels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Who was in [subsets, n], and what it earned [subsets, m]."""
    pool = labels.statistics.finished()
    drawn = [block.members[0] for block in labels.estimator.blocks(pool, labels.roster)]
    return np.concatenate(drawn).astype(np.float64), pool.values[0, :, 0]


def _ridge(members: NDArray[np.float64], outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights [n, m] of centred members for every column of outputs, each under its own best penalty."""
    u, s, axes = np.linalg.svd(members - members.mean(axis=0), full_matrices=False)
    centred = outputs - outputs.mean(axis=0)
    turned = u.T @ centred
    least, weights = np.full(outputs.shape[1], np.inf), np.zeros((s.size, outputs.shape[1]))
    if s[0] == 0:
        return np.zeros((members.shape[1], outputs.shape[1]))
    for penalty in (s**2).mean() * _PENALTIES:
        kept = s**2 / (s**2 + penalty)
        leverage = (u**2 @ kept + 1.0 / members.shape[0])[:, None]
        error = (((centred - u @ (kept[:, None] * turned)) / np.maximum(1.0 - leverage, 1e-9)) ** 2).mean(axis=0)
        better = error < least
        least[better] = error[better]
        weights[:, better] = (s / (s**2 + penalty))[:, None] * turned[:, better]
    return axes.T @ weights
