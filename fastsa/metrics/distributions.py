"""Tails of Student's t and chi-square, so that intervals and tests need no further library."""

from __future__ import annotations

from functools import lru_cache
from math import lgamma
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_MOST_TERMS = 20_000
_PRECISION = 1e-15
_TINY = 1e-300


def student_t_two_sided(t: NDArray[np.float64], freedom: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(|T| > |t|) with `freedom` degrees of freedom above 0; the arrays broadcast.

    >>> import numpy as np
    >>> student_t_two_sided(np.array([12.706204736]), np.array([1.0])).round(9).tolist()
    [0.05]
    """
    t, freedom = np.broadcast_arrays(np.asarray(t, np.float64), np.asarray(freedom, np.float64))
    total = freedom + t**2
    return _incomplete_beta(freedom / total, t**2 / total, freedom / 2, 0.5)


@lru_cache(maxsize=4096)
def student_t_quantile(level: float, freedom: float) -> float:
    """The t that |T| passes with probability 1 - level.

    >>> round(student_t_quantile(0.95, 4), 6)
    2.776445
    """
    low, high = 0.0, 1.0
    tail = 1.0 - level

    def beyond(t: float) -> float:
        return float(student_t_two_sided(np.array(t), np.array(freedom)))

    while beyond(high) > tail:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) > tail else (low, middle)
    return high


def normal_quantile(p: float) -> float:
    """The number below which a standard normal falls with probability p."""
    return NormalDist().inv_cdf(p)


def normal_scores(two_sided: NDArray[np.float64]) -> NDArray[np.float64]:
    """The z >= 0 that |Z| of a standard normal passes with each of these probabilities."""
    quantile = NormalDist().inv_cdf
    flat = np.clip(np.ravel(two_sided) / 2, _TINY, 0.5)
    return np.reshape([-quantile(p) for p in flat.tolist()], np.shape(two_sided))


def chi_square_tail(x: float, freedom: float) -> float:
    """P(X > x) of a chi-square variable.

    >>> round(chi_square_tail(3.841458821, 1), 9)
    0.05
    """
    a, x = freedom / 2, x / 2
    if x <= 0:
        return 1.0
    front = np.exp(a * np.log(x) - x - lgamma(a))
    if x < a + 1:  # the series of the lower tail
        term = total = 1.0 / a
        for n in range(1, _MOST_TERMS):
            term *= x / (a + n)
            total += term
            if term < _PRECISION * total:
                break
        return float(1.0 - front * total)
    b, c, d = x + 1 - a, 1 / _TINY, 1 / (x + 1 - a)
    fraction = d
    for n in range(1, _MOST_TERMS):
        an, b = -n * (n - a), b + 2
        d, c = 1 / (an * d + b or _TINY), b + an / c or _TINY
        fraction *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return float(front * fraction)


def _incomplete_beta(
    x: NDArray[np.float64], rest: NDArray[np.float64], a: NDArray[np.float64], b: float
) -> NDArray[np.float64]:
    """The regularised incomplete beta function at x = 1 - rest (its continued fraction, evaluated by Lentz's method)."""
    log_gamma = np.vectorize(lgamma, otypes=[np.float64])
    swapped = x > (a + 1) / (a + b + 2)
    p, q = np.where(swapped, b, a), np.where(swapped, a, b)
    with np.errstate(divide="ignore"):
        log_front = a * np.log(x) + b * np.log(rest) + log_gamma(a + b) - log_gamma(a) - lgamma(b)
    value = np.exp(log_front) * _beta_fraction(np.where(swapped, rest, x), p, q) / p
    return np.where(swapped, 1 - value, value)


def _beta_fraction(x: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    c = np.ones_like(x)
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d.copy()
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            fraction *= d * c
        if np.all(np.abs(d * c - 1) < 10 * _PRECISION):
            break
    return fraction


def _away_from_zero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(values) < _TINY, _TINY, values)
