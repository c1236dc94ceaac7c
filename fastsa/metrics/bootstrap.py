"""Intervals for any metric: the percentile bootstrap over points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, ops
from fastsa.metrics.agreement import Agreement, agreement

# Beyond the ids of items, so that resampling shares no random numbers with labels of the same seed.
_FIRST_ID = _checks.MOST_IDS // 2
_DRAWS_AT_ONCE = 2**16


def interval(
    metric: str | Callable[..., float],
    estimate: Any,
    truth: Any,
    *,
    truth_variance: Any = None,
    strata: Any = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The interval (low, high) that `level` of the resampled metrics fall in (Efron 1979, percentiles).

    `metric` names a field of `Agreement`, or is a function of (estimate, truth) that gets resampled rows and returns a
    number. Points are drawn with replacement, each with its estimate, truth and truth_variance, so the interval covers
    the choice of points and the truth's sampling error; it holds the estimates fixed, and takes the noise of different
    points as independent. Resample r depends on (seed, r) only. `strata`, integers [n], draws within groups of points,
    so that every resample has as many of each group as there are: for rare groups that no resample may lack.

    Raises ValueError for an unknown metric, a level outside (0, 1), a function given together with truth_variance, or
    when a resample has no value (too few points); TypeError and ValueError as `agreement` does.

    >>> import numpy as np
    >>> from fastsa.metrics import interval
    >>> truth = np.arange(50.0)
    >>> low, high = interval("pearson", truth + np.cos(truth), truth)
    >>> 0.99 < low < high < 1.0
    True
    """
    level = _checks.number("level", level, above=0.0)
    if level >= 1.0:
        raise ValueError(f"level is {level}; expected a share below 1, such as 0.95.")
    estimate, truth = np.asarray(estimate), np.asarray(truth)
    measure = _measure(metric, estimate, truth, truth_variance)
    agreement(estimate, truth, truth_variance=truth_variance)  # refuses bad input before any resample is drawn
    n, rows = truth.size, _checks.count("resamples", resamples)
    drawn = resamples_of(_groups(strata, n), rows, _checks.seed(seed))
    values = np.array([measure(points) for points in drawn])
    undefined = int(np.isnan(values).sum())
    if undefined:
        raise ValueError(f"{undefined} of {rows} resamples of {n} points have no {metric}; give more points.")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _groups(strata: Any, n: int) -> list[NDArray[np.int64]]:
    """The positions of every stratum."""
    if strata is None:
        return [np.arange(n)]
    strata = np.asarray(strata)
    if strata.dtype.kind not in "iub" or strata.shape != (n,):
        raise ValueError(f"strata is {strata.dtype} {strata.shape}; expected integers ({n},), one per point.")
    return [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]


def resamples_of(groups: list[NDArray[np.int64]], rows: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Positions [n], `rows` times: every group drawn with replacement from itself; the group is the draw's sample."""
    rows_at_once = max(1, _DRAWS_AT_ONCE // sum(group.size for group in groups))
    for begin in range(0, rows, rows_at_once):
        ids = _FIRST_ID + np.arange(begin, min(begin + rows_at_once, rows), dtype=np.uint64)
        parts = []
        for sample, group in enumerate(groups):
            n = group.size
            places, _ = ops.draws_with_replacement(
                n, ids, np.full(ids.size, sample, np.uint32), min_size=n, max_size=n, seed=seed, n_threads=1
            )
            parts.append(group[places.reshape(ids.size, n)])
        yield from np.concatenate(parts, axis=1)


def _measure(
    metric: str | Callable[..., float], estimate: NDArray[Any], truth: NDArray[Any], truth_variance: Any
) -> Callable[[Any], float]:
    """The metric as a function of the points it is taken over."""
    if callable(metric):
        if truth_variance is not None:
            raise ValueError("a metric given as a function takes no truth_variance; let the function hold it.")
        return lambda points: float(metric(estimate[points], truth[points]))
    name = _checks.choice("metric", metric, [field.name for field in fields(Agreement)])
    variances = np.broadcast_to(0.0 if truth_variance is None else np.asarray(truth_variance), truth.shape)
    return lambda points: getattr(agreement(estimate[points], truth[points], truth_variance=variances[points]), name)
