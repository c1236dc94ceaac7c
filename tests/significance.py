"""Decides whether counts or labels contradict what they should be, at a stated false-alarm probability."""

from __future__ import annotations

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-6
CAUGHT = 0.999
ROUNDING = 1e-9


def contradicts_law(counts, probabilities, false_alarm=FALSE_ALARM) -> bool:
    """Chi-square: whether counts of independent draws contradict their probabilities (each expected 5 times or more)."""
    counts, probabilities = np.ravel(counts), np.ravel(probabilities)
    assert counts.shape == probabilities.shape and abs(probabilities.sum() - 1) < ROUNDING
    possible = probabilities > 0
    if counts[~possible].any():
        return True
    expected = counts.sum() * probabilities[possible]
    assert expected.min() >= 5, "too few draws for a chi-square test"
    statistic = ((counts[possible] - expected) ** 2 / expected).sum()
    return bool(stats.chi2.sf(statistic, max(1, possible.sum() - 1)) < false_alarm)


def largest_z(mean, stderr, truth) -> float:
    """The largest |mean - truth| / stderr; where stderr is zero, any difference is infinite."""
    difference = np.abs(mean - truth)
    certain = stderr <= ROUNDING
    z = np.where(certain, np.where(difference > ROUNDING, np.inf, 0.0), difference / np.where(certain, 1.0, stderr))
    return float(z.max())


def threshold(comparisons: int, false_alarm=FALSE_ALARM) -> float:
    """The z that the largest of this many unbiased estimates passes with the false-alarm probability (Bonferroni)."""
    return float(stats.norm.isf(false_alarm / (2 * comparisons)))


def contradicts_truth(labels, truth, false_alarm=FALSE_ALARM) -> bool:
    """z-test: whether labels contradict the exact values; NaN anywhere is a contradiction."""
    if not (np.isfinite(labels.mean).all() and np.isfinite(labels.stderr).all()):
        return True
    return largest_z(labels.mean, labels.stderr, truth) > threshold(truth.size, false_alarm)


def smallest_bias_caught(labels) -> float:
    """The bias of any single label that `contradicts_truth` finds with probability 0.999 or more."""
    return (threshold(labels.mean.size) + float(stats.norm.isf(1 - CAUGHT))) * float(labels.stderr.max())


def contradicts_independence(a, b, false_alarm=FALSE_ALARM) -> bool:
    """Whether the correlation of two samples [n] contradicts zero (Fisher's z)."""
    a, b = np.ravel(a), np.ravel(b)
    with np.errstate(divide="ignore"):  # a correlation of one
        z = np.arctanh(np.corrcoef(a, b)[0, 1]) * np.sqrt(a.size - 3)
    return bool(2 * stats.norm.sf(abs(z)) < false_alarm)
