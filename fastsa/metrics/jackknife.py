"""Intervals for functions of sums over independent units: the jackknife, widened for skewness where units are many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.metrics.distributions import student_t_quantile

_ENOUGH_TO_SEE_SKEWNESS = 30


class Bounded(NamedTuple):
    """A number and its confidence interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} .. {self.high:.4g})"


def bounded(value: float, left_out: NDArray[np.float64], level: float, variance_beside: float = 0.0) -> Bounded:
    """The interval of a statistic from its values without each unit in turn, `left_out` [units] (Tukey 1958).

    Student's t on the pseudo-values, units - 1 degrees of freedom. Squares are skewed, and such an interval ends too low; the
    one that is corrected by Hall's transformation (J. R. Statist. Soc. B 54, 1992) is balanced, but shorter than it should be
    where the skewness is itself uncertain. From 30 units on the interval holds both. What the units do not show of the
    variance is `variance_beside`.

    >>> import numpy as np
    >>> numbers = np.array([1.0, 2.0, 3.0])
    >>> str(bounded(2.0, (6.0 - numbers) / 2, 0.95))
    '2 (-0.4841 .. 4.484)'
    """
    n = left_out.size
    pseudo = n * value - (n - 1) * left_out
    if n < 2 or not np.isfinite(pseudo).all():
        return Bounded(value, np.nan, np.nan)
    centred = pseudo - pseudo.mean()
    stderr = float(np.sqrt(centred @ centred / (n * (n - 1)) + variance_beside))
    t = student_t_quantile(level, float(n - 1))
    if n < _ENOUGH_TO_SEE_SKEWNESS or not centred.any():
        return Bounded(value, value - t * stderr, value + t * stderr)
    skewness = float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)
    above, below = max(t, _unskewed(t, skewness, n)), min(-t, _unskewed(-t, skewness, n))
    return Bounded(value, value - stderr * above, value - stderr * below)


def _unskewed(quantile: float, skewness: float, n: int) -> float:
    """Where (statistic - true) / stderr falls below, at this quantile of a symmetric t (Hall's transformation, inverted)."""
    a = skewness / np.sqrt(n)
    if abs(a) < 1e-9:
        return quantile
    return float(3 / a * (np.cbrt(1 + a * (quantile - a / 6)) - 1))
