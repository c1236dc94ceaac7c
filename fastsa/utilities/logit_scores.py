"""Scores of open utilities from logits of the classes present, in plain functions for Numba."""

from __future__ import annotations

import math

from fastsa import _checks
from fastsa.utilities.scores import PRIOR_SHARE, SCORES

# How `parameters` name a score: those that a class decides, and those that its probability does.
ACCURACY, LOG_LOSS, BALANCED_ACCURACY, CORRECT, LOG_LIKELIHOOD = 0.0, 1.0, 2.0, 3.0, 4.0
OF_CLASSES = {"accuracy": ACCURACY, "balanced_accuracy": BALANCED_ACCURACY, "correct": CORRECT}
OF_LOGITS = {**OF_CLASSES, "log_loss": LOG_LOSS, "log_likelihood": LOG_LIKELIHOOD}


def chosen(score, choices):
    """(code, n_outputs) of the score of this name."""
    code = choices[_checks.choice("score", score, choices)]
    return code, None if SCORES[score].per_point else 1


def empty_score(code, n_classes):
    """The score of knowing nothing: every class as likely as any other."""
    return -math.log(n_classes) if code in (LOG_LOSS, LOG_LIKELIHOOD) else 1.0 / n_classes


def start(out, recalls):
    """Before the first validation point; `recalls` [2, classes] is room for points seen and right in each class."""
    out[:] = 0.0
    recalls[:] = 0.0


def count_logits(code, members, logits, y_val, v, out, recalls):
    """Validation point v, predicted by its logits."""
    if code == LOG_LOSS or code == LOG_LIKELIHOOD:
        count(code, log_probability(members, logits, y_val[v]), y_val, v, out, recalls)
    else:
        count(code, largest_logit(members, logits) == y_val[v], y_val, v, out, recalls)


def count(code, earned, y_val, v, out, recalls):
    """Validation point v earned this: whether it is right, or the log of its class's probability."""
    if code == CORRECT or code == LOG_LIKELIHOOD:
        out[v] = earned
    elif code == BALANCED_ACCURACY:
        recalls[0, y_val[v]] += 1.0
        recalls[1, y_val[v]] += earned
    else:
        out[0] += earned


def finish(code, y_val, out, recalls):
    """After the last validation point."""
    if code == ACCURACY or code == LOG_LOSS:
        out[0] /= y_val.size
    elif code == BALANCED_ACCURACY:
        classes = 0
        for c in range(recalls.shape[1]):
            if recalls[0, c] > 0.0:
                out[0] += recalls[1, c] / recalls[0, c]
                classes += 1
        out[0] /= classes


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
    return math.log((1.0 - PRIOR_SHARE) * fitted + PRIOR_SHARE * frequency)
