"""The two scores of open utilities with class probabilities: accuracy, and the log-loss that Logistic has."""

from __future__ import annotations

import math

SCORES = {"accuracy": 0.0, "log_loss": 1.0}
_PRIOR_SHARE = 0.01  # of the smoothed class frequencies in every probability, so that the log-loss is finite


def empty_score(log_loss: float, n_classes: int) -> float:
    """The score of knowing nothing: every class as likely as any other."""
    return -math.log(n_classes) if log_loss else 1.0 / n_classes


def largest_logit(members, logits):
    """The class present with the largest logit, the smallest such class."""
    best = -1
    for c in range(logits.size):
        if members[c] > 0.0 and (best < 0 or logits[c] > logits[best]):
            best = c
    return best


def log_probability(members, logits, y):
    """Log of class y's probability, mixed with the coalition's class frequencies; below two classes, of these alone."""
    best = largest_logit(members, logits)
    size, mass, present = 0.0, 0.0, 0
    for c in range(logits.size):
        if members[c] > 0.0:
            size += members[c]
            mass += math.exp(logits[c] - logits[best])
            present += 1
    frequency = (members[y] + 1.0) / (size + logits.size)
    if present < 2:
        return math.log(frequency)
    fitted = math.exp(logits[y] - logits[best]) / mass if members[y] > 0.0 else 0.0
    return math.log((1.0 - _PRIOR_SHARE) * fitted + _PRIOR_SHARE * frequency)
