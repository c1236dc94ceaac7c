"""Intervals for functions of sums over independent units: the jackknife, corrected for shape where units are many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.metrics.distributions import student_t_quantile

_ENOUGH_TO_SEE_SHAPE = 30


class Bounded(NamedTuple):
    """A number and its confidence interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} .. {self.high:.4g})"


def bounded(value: float, left_out: NDArray[np.float64], level: float, variance_beside: float = 0.0) -> Bounded:
    """The interval of a statistic from its values without each unit in turn, `left_out` [units] (Tukey 1958).

    Student's t on the pseudo-values, units - 1 degrees of freedom. Squares are skewed and have heavy tails: a plain t
    interval ends too low, and its variance is less certain than that of normal numbers. From 30 units on, Hall's
    transformation corrects for the skewness (J. R. Statist. Soc. B 54, 1992), and the degrees of freedom are those of a
    chi-square as uncertain as the variance (Satterthwaite 1946): 2 units / (excess kurtosis + 2), rounded down, if that is
    less. What the units do not show of the variance is `variance_beside`.

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
    if n < _ENOUGH_TO_SEE_SHAPE or not centred.any():
        half = student_t_quantile(level, float(n - 1)) * stderr
        return Bounded(value, value - half, value + half)
    scaled = centred / np.sqrt(np.mean(centred**2))
    skewness, excess = float(np.mean(scaled**3)), float(np.mean(scaled**4)) - 3.0
    t = student_t_quantile(level, float(max(1, min(n - 1, int(2 * n / (max(excess, 0.0) + 2))))))
    return Bounded(value, value - stderr * _unskewed(t, skewness, n), value - stderr * _unskewed(-t, skewness, n))


def _unskewed(quantile: float, skewness: float, n: int) -> float:
    """Where (statistic - true) / stderr falls below, at this quantile of a symmetric t (Hall's transformation, inverted)."""
    a = skewness / np.sqrt(n)
    if abs(a) < 1e-9:
        return quantile
    return float(3 / a * (np.cbrt(1 + a * (quantile - a / 6)) - 1))
