"""Weights of labels by the inverse of their noise, told by counts, by other samples, or by other items: never by their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.labels import Labels
from fastsa.metrics.independence import as_labels, refuse_overlap

_LEAST_RATIO = 1e-6


def noise_weights(
    labels: Labels, *, error: float | None = None, fold: Labels | None = None, variance: Any = None
) -> NDArray[np.float64]:
    """Weights float64 in the shape of `labels.count`, for `fit(weights=)` of a network: 1 / (error + s^2 / count).

    s^2 is the variance of one sample, a mean over outputs (which a network's loss sums): by default pooled over all items,
    for each player apart where items are games; or from `fold`, labels of the same items from other samples, its logarithm
    drawn to the mean one as far as its few samples leave it unknown; or `variance`, as `item_variance` learns it from
    other items. An item's own samples are not asked: where noise goes with the value (skewed samples), a
    label that happens to be low would count for more, and the network would learn values that are too low.

    error : the squared error that networks make beside the noise, such as a certificate's. Default the variance of the
        truth over items, the mean of (label - mean)^2 - s^2 / count: the error of the constant, a cautious choice.
        It keeps labels that are nearly exact from counting for all: with 0 a few do, and networks learn nothing else.

    The mean weight is 1; labels without samples weigh 0. Raises ValueError for a fold that shares samples, for both fold
    and variance, and where nothing shows the noise; TypeError for anything but Labels.

    >>> import fastsa, numpy as np
    >>> X = np.array([[0.1, 0.1], [3.0, 3.0]] * 20)             # the noise of an input's labels grows with the input
    >>> game = fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 1], X, fastsa.games.Baseline())
    >>> permutation = fastsa.estimators.PermutationShapley()
    >>> labels, fold = (fastsa.LabelStream(game, permutation, samples=8, first_sample=first).collect() for first in (0, 8))
    >>> weights = fastsa.amortize.noise_weights(labels, fold=fold, error=0.01)
    >>> bool(weights[0, 0] > 100 * weights[1, 0])
    True
    """
    (labels,) = as_labels("labels", labels)
    if error is not None:
        error = _checks.number("error", error)
        if error < 0:
            raise ValueError(f"error is {error}; expected a squared error, at least 0.")
    if fold is not None and variance is not None:
        raise ValueError("fold and variance were both given; expected one of them.")
    if variance is not None:
        one = _given(variance, labels.count.shape)
    elif fold is not None:
        (fold,) = as_labels("fold", fold)
        refuse_overlap([labels, fold])
        one = _of_fold(fold)
    else:
        one = np.broadcast_to(_pooled(labels), labels.count.shape)
    count = labels.count.astype(np.float64)
    of_label = np.divide(one, count, out=np.zeros_like(count), where=count > 0)
    noise = of_label + (_signal(labels, of_label) if error is None else error)
    if not (noise[count > 0] > 0).all():
        raise ValueError(
            "a label has no noise, and would weigh infinitely much; give the error that networks make, above 0."
        )
    weights = np.divide(1.0, noise, out=np.zeros_like(count), where=count > 0)
    return weights / weights[count > 0].mean()


def one_sample_variance(labels: Labels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(variance of one sample, a mean over outputs, its degrees of freedom), in the shape of the count; 0 where unknown."""
    freedom = np.maximum(labels.count - 1, 0).astype(np.float64)
    variance = labels.variance.mean(axis=-1)
    freedom[~np.isfinite(variance)] = 0.0
    return np.where(freedom > 0, variance, 0.0), freedom


def _signal(labels: Labels, noise: NDArray[np.float64]) -> float:
    """The variance of the truth over items, a mean over players and outputs; that of the noise where it does not show."""
    there = labels.count > 0
    mean = np.where(there[..., None], np.nan_to_num(labels.mean), 0.0)
    share = there / np.maximum(there.sum(axis=0), 1)
    center = (share[..., None] * mean).sum(axis=0)
    own = float(np.mean((mean - center) ** 2, where=there[..., None])) - float(noise[there].mean())
    return own if own > 0 else float(noise[there].mean())


def _pooled(labels: Labels) -> NDArray[np.float64]:
    """The variance of one sample over all items: [1], or [players]."""
    variance, freedom = one_sample_variance(labels)
    total = freedom.sum(axis=0, keepdims=labels.roster.one_game)
    if not (total > 0).all():
        raise ValueError(
            "no label has two samples, so that their noise is unknown; draw at least 2 samples of some items."
        )
    return (freedom * variance).sum(axis=0, keepdims=labels.roster.one_game) / total


def _of_fold(fold: Labels) -> NDArray[np.float64]:
    """Every label's own variance in the fold, its logarithm drawn to the mean logarithm by the share that is chance.

    The log of a sample variance of normal samples with k degrees of freedom is log v + digamma(k / 2) - log(k / 2) on
    average, with variance trigamma(k / 2). Variances of 0 count as a millionth of the pooled one.
    """
    variance, freedom = one_sample_variance(fold)
    pooled = np.broadcast_to(_pooled(fold), variance.shape)
    seen = (freedom > 0) & (pooled > 0)
    if not seen.any():
        return pooled
    half = freedom[seen] / 2
    ratio = np.maximum(variance[seen] / pooled[seen], _LEAST_RATIO)
    mean, chance = _digamma(half) - np.log(half), _trigamma(half)
    log = np.log(ratio) - mean
    between = max(float(log.var() - chance.mean()), 0.0)
    share = between / (between + chance)
    found = np.exp(log.mean()) * pooled
    found[seen] = pooled[seen] * np.exp(log.mean() + share * (log - log.mean()))
    return found


def _digamma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """By recurrence up to 6, then the asymptotic series; within 1e-7 for x >= 1 / 2."""
    below = sum(1 / (x + k) for k in range(6))
    y = x + 6
    return np.log(y) - 1 / (2 * y) - 1 / (12 * y**2) + 1 / (120 * y**4) - 1 / (252 * y**6) - below


def _trigamma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `_digamma`, its derivative."""
    below = sum(1 / (x + k) ** 2 for k in range(6))
    y = x + 6
    return 1 / y + 1 / (2 * y**2) + 1 / (6 * y**3) - 1 / (30 * y**5) + 1 / (42 * y**7) + below


def _given(variance: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.asarray(variance, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"variance has shape {array.shape}; expected {shape}, as the labels' count.")
    if not np.isfinite(array).all() or array.min() < 0:
        raise ValueError("variance holds what is no variance; expected finite numbers, at least 0.")
    return array
