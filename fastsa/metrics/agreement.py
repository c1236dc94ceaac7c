"""Agreement of estimates with a truth that is itself measured with noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks


@dataclass(frozen=True)
class Agreement:
    """How estimates agree with the truth; see `agreement` for the formulas.

    squared_error       mean squared error, in squared units of the values; the truth's noise is subtracted
    normalized_error    squared_error / variance of the true values; predicting the mean of the truth scores 1
    explained_variance  1 - normalized_error
    pearson             correlation with the truth as given
    pearson_corrected   estimated correlation with the true values behind the noise (may pass 1 by sampling error)
    spearman            correlation of the ranks, ties sharing their average rank; with the truth as given
    sign_agreement      share of points where sign(estimate) equals sign(truth), 0 being a sign of its own
    n                   points
    """

    squared_error: float
    normalized_error: float
    explained_variance: float
    pearson: float
    pearson_corrected: float
    spearman: float
    sign_agreement: float
    n: int


def agreement(estimate: Any, truth: Any, *, truth_variance: Any = None) -> Agreement:
    """Compare `estimate` [n] with `truth` [n] (the metrics of Covert et al. 2024, section 5).

    `truth_variance` is the sampling variance of each truth value, its stderr squared: one number or [n]. Default: the
    truth is exact. With tau = mean(truth_variance):

        squared_error     = mean((estimate - truth)^2) - tau
        normalized_error  = squared_error / (var(truth) - tau)
        pearson_corrected = pearson / sqrt((var(truth) - tau) / var(truth))

    squared_error is unbiased for the error against the true values when the noise of the truth is independent of the
    estimate and has mean 0; it may come out negative. `pearson_corrected` is Spearman's (1904) correction for
    attenuation by the truth's reliability. Spearman and signs are not corrected. var divides by n.

    What comes out where a metric is not defined: a constant truth, or one whose variance does not pass tau, gives NaN
    for normalized_error, explained_variance and pearson_corrected; a constant truth or estimate gives NaN for pearson
    and spearman. squared_error and sign_agreement are always defined.

    Raises TypeError or ValueError for anything but two finite vectors of one length, at least 2, and variances >= 0.

    >>> from fastsa.metrics import agreement
    >>> result = agreement([0.0, 1.0, 5.0], [1.0, 2.0, 6.0], truth_variance=0.5)
    >>> result.squared_error, result.pearson
    (0.5, 1.0)
    """
    estimate, truth = paired("estimate", estimate, "truth", truth)
    noise = _mean_variance(truth_variance, truth.size)
    spread = float(truth.var()) if np.ptp(truth) > 0 else 0.0
    squared_error = float(np.mean((estimate - truth) ** 2)) - noise
    normalized_error = squared_error / (spread - noise) if spread > noise else np.nan
    pearson = correlation(estimate, truth)
    return Agreement(
        squared_error=squared_error,
        normalized_error=normalized_error,
        explained_variance=1.0 - normalized_error,
        pearson=pearson,
        pearson_corrected=pearson * float(np.sqrt(spread / (spread - noise))) if spread > noise else np.nan,
        spearman=correlation(average_ranks(estimate), average_ranks(truth)),
        sign_agreement=float(np.mean(np.sign(estimate) == np.sign(truth))),
        n=truth.size,
    )


def paired(
    first_name: str, first: Any, second_name: str, second: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two finite vectors of one length, at least 2."""
    first = _checks.vector(first_name, first)
    second = _checks.vector(second_name, second, first.size, why=f", as in {first_name}")
    if first.size < 2:
        raise ValueError(f"{first_name} has {first.size} entries; expected at least 2 points to compare.")
    return first, second


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's correlation of two vectors; NaN where one of them is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    # Scaled first, so that squares of tiny values do not underflow.
    a, b = ((v - v.mean()) / np.abs(v - v.mean()).max() for v in (a, b))
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1 to n; equal values share the average of theirs."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2.0)[group]


def _mean_variance(truth_variance: Any, n: int) -> float:
    if truth_variance is None:
        return 0.0
    if np.ndim(truth_variance) == 0:
        truth_variance = [_checks.number("truth_variance", truth_variance)]
        n = 1
    variance = _checks.vector("truth_variance", truth_variance, n, why=", as in truth")
    if variance.min() < 0:
        raise ValueError(f"truth_variance reaches {variance.min()}; expected variances >= 0 (the stderr squared).")
    return float(variance.mean())
