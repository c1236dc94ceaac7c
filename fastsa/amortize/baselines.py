"""The honest baselines for amortized values: what labels, classes and a classifier give on their own.

All are functions of arrays: `mean` float64 [n] and `count` int64 [n] of the labels, `variance` float64 [n] of one
sample (count x stderr^2, NaN at count 1), `y` int32 [n] classes 0 .. n_classes - 1. They return values float64 [n]. A
point with count 0 has no label: it takes no part in a fit and gets what the others teach.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize.classifiers import Classifiers
from fastsa.amortize.ridge import leave_one_out_ridge
from fastsa.ops import permutations


def constant(mean: Any, count: Any) -> NDArray[np.float64]:
    """The mean of all labels, weighted by count.

    >>> from fastsa.amortize import baselines
    >>> baselines.constant([1.0, 4.0], [2, 1]).tolist()
    [2.0, 2.0]
    """
    mean, count = _labels(mean, count)
    return np.full(mean.size, np.average(mean, weights=count))


def class_mean(mean: Any, count: Any, y: Any) -> NDArray[np.float64]:
    """The mean of the labels of the point's class, weighted by count; the constant where a class has no label.

    >>> import numpy as np
    >>> from fastsa.amortize import baselines
    >>> baselines.class_mean([1.0, 4.0, 7.0], [1, 1, 1], np.array([0, 1, 1])).tolist()
    [1.0, 5.5, 5.5]
    """
    mean, count = _labels(mean, count)
    y = _classes(y, mean.size)
    weight = np.bincount(y, weights=count)
    total = np.bincount(y, weights=count * mean)
    return np.where(weight > 0, total / np.maximum(weight, 1), constant(mean, count)[0])[y]


def shrunk(mean: Any, count: Any, variance: Any) -> NDArray[np.float64]:
    """Monte Carlo shrunk to the constant by the best factor that the labels themselves show.

    The factor of a point is signal / (signal + noise / count): `noise` the variance of one sample pooled over all
    points (a point's own observed variance goes with its mean, and would bias), `signal` the variance of the labels
    beyond noise / count, or 0 if they vary less. (Empirical Bayes; Efron and Morris 1973.)

    Raises ValueError when no point has two samples.

    >>> from fastsa.amortize import baselines
    >>> baselines.shrunk([1.0, 3.0], [4, 4], [2.0, 2.0]).tolist()
    [1.25, 2.75]
    """
    mean, count = _labels(mean, count)
    variance = np.asarray(variance, dtype=np.float64)
    if variance.shape != mean.shape:
        raise ValueError(f"variance has shape {variance.shape}; expected {mean.shape}, as mean.")
    freedom = np.where(count > 1, count - 1.0, 0.0)
    if not freedom.any():
        raise ValueError("no point has two samples, so that the noise is unknown; draw at least 2 samples per point.")
    noise = float(np.sum(freedom[freedom > 0] * variance[freedom > 0]) / freedom.sum())
    centre = constant(mean, count)
    labeled = count > 0
    # E[sum of count * (mean - centre)^2] = noise * (m - 1) + signal * (N - sum of count^2 / N), m labels, N samples.
    total = count.sum()
    beyond = np.sum(count * (mean - centre) ** 2) - noise * (labeled.sum() - 1)
    signal = max(0.0, beyond / max(total - np.sum(count**2) / total, 1e-300))
    factor = np.divide(signal * count, signal * count + noise, out=np.zeros(mean.size), where=labeled & (noise > 0))
    return centre + np.where(noise > 0, factor, labeled) * (mean - centre)


def ridge(X: Any, y: Any, mean: Any, count: Any, *, n_classes: int, per_class: bool = False) -> NDArray[np.float64]:
    """Ridge regression of the labels on the features `X` [n, d], centred and divided by one number, and the class.

    With `per_class` every class has its own slopes (d * n_classes columns): the stronger baseline. Weighted by count;
    the intercept is free; the penalty has the best leave-one-out error on the labels.

    >>> import numpy as np
    >>> from fastsa.amortize import baselines
    >>> X = np.arange(8.0)[:, None]
    >>> y = np.arange(8) % 2
    >>> bool(np.allclose(baselines.ridge(X, y, X[:, 0] + y, np.ones(8, int), n_classes=2), X[:, 0] + y, atol=1e-3))
    True
    """
    mean, count = _labels(mean, count)
    X = _checks.features("X", X)
    one_hot = np.eye(n_classes)[_classes(y, mean.size, n_classes)]
    centred = X - X.mean(axis=0)
    centred /= np.sqrt(np.mean(np.sum(centred**2, axis=1))) or 1.0

    def columns(rows: slice) -> NDArray[np.float64]:
        slopes = (one_hot[rows, :, None] * centred[rows, None, :]).reshape(-1, n_classes * X.shape[1])
        return np.concatenate([slopes if per_class else centred[rows], one_hot[rows]], axis=1)

    weights, intercept = leave_one_out_ridge(columns, mean, count)
    return columns(slice(None)) @ weights + intercept


def held_out_logits(X: Any, y: Any, *, n_classes: int, folds: int = 5, seed: int = 0) -> NDArray[np.float64]:
    """Logits [n, n_classes] of every point from a logistic regression that has not seen it.

    Default objective of `fastsa.utilities.Logistic`, on the features `X` [n, d] as given, `folds` folds at random. A
    class that is missing from the other folds has -inf.

    >>> import numpy as np
    >>> from fastsa.amortize import baselines
    >>> X, y = np.repeat([[0.0], [3.0]], 20, axis=0), np.repeat([0, 1], 20)
    >>> bool((baselines.held_out_logits(X, y, n_classes=2).argmax(axis=1) == y).all())
    True
    """
    X = _checks.features("X", X)
    n = X.shape[0]
    y = _classes(y, n, n_classes)
    folds = _checks.count("folds", folds, least=2, most=n)
    order = permutations(n, 1, seed=_checks.seed(seed))[0]
    parts = np.array_split(order, folds)
    seen = [np.concatenate(parts[:f] + parts[f + 1 :]) for f in range(folds)]
    classifiers = Classifiers.fit(X, y, seen, n_classes)
    logits = np.empty((n, n_classes))
    for which, held_out in enumerate(parts):
        logits[held_out] = classifiers.logits(which, X[held_out])
    return logits


def classifier_margin(X: Any, y: Any, *, n_classes: int, folds: int = 5, seed: int = 0) -> NDArray[np.float64]:
    """The logit of the point's own class less the largest other: of `held_out_logits`, in no unit (see `calibrated`).

    A point whose class is missing from the other folds gets minus the largest logit. It knows no labels.

    >>> import numpy as np
    >>> from fastsa.amortize import baselines
    >>> X = np.array([[0.0], [0.1], [0.2], [1.0], [1.1], [1.2]] * 5)
    >>> y = np.array([0, 0, 0, 1, 1, 0] * 5)
    >>> margin = baselines.classifier_margin(X, y, n_classes=2)
    >>> bool(margin[5] < 0 < margin[0])
    True
    """
    logits = held_out_logits(X, y, n_classes=n_classes, folds=folds, seed=seed)
    rows, y = np.arange(logits.shape[0]), np.asarray(y)
    own = logits[rows, y]
    logits[rows, y] = -np.inf
    others = logits.max(axis=1)
    own = np.where(np.isfinite(own), own, 0.0)
    return np.where(np.isfinite(others), own - others, own)


def calibrated(score: Any, mean: Any, count: Any) -> NDArray[np.float64]:
    """The straight line in `score` [n] that fits the labels best, weighted by count: gives a score the values' unit.

    >>> from fastsa.amortize import baselines
    >>> baselines.calibrated([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], [1, 1, 1]).tolist()
    [1.0, 3.0, 5.0]
    """
    mean, count = _labels(mean, count)
    score = _checks.vector("score", score, mean.size, why=", as in mean")
    centred = score - np.average(score, weights=count)
    centre = constant(mean, count)
    spread = np.sum(count * centred**2)
    slope = np.sum(count * centred * (mean - centre)) / spread if spread > 0 else 0.0
    return centre + slope * centred


def _labels(mean: Any, count: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and counts [n] as float64; a mean without samples is 0, and never used."""
    count = _checks.vector("count", count)
    if (count < 0).any() or not count.any():
        raise ValueError("count holds a negative number or only zeros; expected samples per point, some above 0.")
    mean = np.where(count > 0, np.asarray(mean, dtype=np.float64), 0.0) if np.shape(mean) == count.shape else mean
    return _checks.vector("mean", mean, count.size, why=", as in count"), count


def _classes(y: Any, n: int, n_classes: int | None = None) -> NDArray[np.int32]:
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        raise TypeError(f"y has dtype {y.dtype}; expected classes encoded as integers from 0.")
    if y.shape != (n,):
        raise ValueError(f"y has shape {y.shape}; expected ({n},), one class per point.")
    if y.size and (y.min() < 0 or (n_classes is not None and y.max() >= n_classes)):
        raise ValueError(f"y reaches from {y.min()} to {y.max()}; expected 0 to n_classes - 1.")
    return y.astype(np.int32)
