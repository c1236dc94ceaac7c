"""Errors against a truth that is measured with noise, item by item, and intervals for functions of their means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats

import fastsa
from fastsa.metrics.independence import units
from fastsa.metrics.jackknife import Bounded, bounded


def per_item(values: np.ndarray, labels: fastsa.Labels) -> np.ndarray:
    """Mean over an item's cells of (values - label)^2 - stderr^2, float64 [items]: unbiased for the squared error."""
    squared = (values.reshape(labels.mean.shape) - labels.mean) ** 2 - labels.stderr**2
    return squared.reshape(labels.ids.size, -1).mean(axis=1)


def signal(truth: fastsa.Labels) -> float:
    """Variance of the truth over items, mean over cells, its own noise subtracted."""
    return float(truth.mean.var(axis=0, ddof=1).mean() - (truth.stderr**2).mean())


def of_means(
    function: Callable[..., float | np.ndarray], *columns: np.ndarray, labels: fastsa.Labels, level: float = 0.95
) -> Bounded:
    """function(means of the columns [items]), and its jackknife interval over the independent units of `labels`."""
    of_item = units(labels)
    sums = np.stack([np.bincount(of_item, weights=column) for column in columns])
    sizes, total = np.bincount(of_item), sums.sum(axis=1)
    left_out = (total[:, None] - sums) / (of_item.size - sizes)
    return bounded(float(function(*(total / of_item.size))), np.asarray(function(*left_out)), level)


def half_width(interval: Bounded) -> float:
    return (interval.high - interval.low) / 2


def over_seeds(values: list[float]) -> tuple[float, tuple[float, float] | None]:
    """The mean, and its 95 % t interval where there are two seeds or more."""
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return mean, None
    half = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return mean, (mean - half, mean + half)


def share_covered(values: np.ndarray, half: np.ndarray, truth: fastsa.Labels, level: float = 0.95) -> float:
    """How many of the true values lie within `half` of `values`, the truth's own error being part of the interval."""
    z = stats.norm.ppf((1 + level) / 2)
    whole = np.sqrt(half**2 + (z * truth.stderr) ** 2)
    return float((np.abs(values - truth.mean) <= whole).mean())
