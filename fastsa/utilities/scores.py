"""Scores by name: what each takes, and what predictions of the validation points earn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks

# Of the smoothed class frequencies in every probability, so that the log-loss is finite.
PRIOR_SHARE = 0.01

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """What predictions earn: larger is better.

    name : as users write it.
    reads : the predictions it is made from, "classes" int [m], "probabilities" float64 [m, classes] or "targets"
        float64 [m].
    per_point : one number for every validation point, or one for all.
    of : (y_val, predictions) -> float or [m]
    """

    name: str
    reads: str
    per_point: bool
    of: Callable[[NDArray[Any], NDArray[Any]], Any]

    @property
    def takes(self) -> str:
        """What y is: "classes" or "targets"."""
        return "targets" if self.reads == "targets" else "classes"

    @property
    def n_outputs(self) -> int | None:
        return None if self.per_point else 1

    def __call__(self, y_val: NDArray[Any], predictions: NDArray[Any]) -> Floats:
        """The score as float64 [outputs]; TypeError or ValueError where a user's function answers something else."""
        answer = np.asarray(self.of(y_val, predictions))
        shape = (y_val.size,) if self.per_point else ()
        if answer.dtype.kind not in "fiub":
            raise TypeError(f"score {self.name} answered dtype {answer.dtype}; expected a real number.")
        if answer.shape != shape:
            raise ValueError(f"score {self.name} answered shape {answer.shape}; expected one number.")
        return np.atleast_1d(answer.astype(np.float64))

    def of_nothing(self, y_val: NDArray[Any], n_classes: int) -> Floats:
        """The score of knowing nothing: targets predicted as 0, or the mean over the classes of predicting each alone.

        For accuracies that is 1 / classes. Log-losses read probabilities, all of them alike: -log(classes).
        """
        if self.reads == "targets":
            return self(y_val, np.zeros(y_val.size))
        if self.reads == "probabilities":
            return self(y_val, np.full((y_val.size, n_classes), 1.0 / n_classes))
        if self.name in SCORES:
            return np.full(y_val.size if self.per_point else 1, 1.0 / n_classes)
        alone = [self(y_val, np.full(y_val.size, c, dtype=np.int32)) for c in range(n_classes)]
        return np.mean(alone, axis=0)

    def check(self, y_val: NDArray[Any]) -> None:
        """Raise ValueError where validation points do not define the score."""
        if self.name == "r2" and np.ptp(y_val) == 0.0:
            raise ValueError("y_val has one value only, so that R2 is 0 / 0; use the score 'mean_squared_error'.")


def _balanced_accuracy(y_val: NDArray[Any], predicted: NDArray[Any]) -> float:
    right = predicted == y_val
    return float(np.mean([right[y_val == c].mean() for c in np.unique(y_val)]))


def _log_likelihood(y_val: NDArray[Any], probabilities: Floats) -> Floats:
    return np.log(probabilities[np.arange(y_val.size), y_val])


def _r2(y_val: Floats, predicted: Floats) -> float:
    return float(1.0 - np.sum((y_val - predicted) ** 2) / np.sum((y_val - y_val.mean()) ** 2))


SCORES = {
    score.name: score
    for score in (
        Score("accuracy", "classes", False, lambda y, p: np.mean(p == y)),
        Score("balanced_accuracy", "classes", False, _balanced_accuracy),
        Score("log_loss", "probabilities", False, lambda y, p: _log_likelihood(y, p).mean()),
        Score("correct", "classes", True, lambda y, p: p == y),
        Score("log_likelihood", "probabilities", True, _log_likelihood),
        Score("r2", "targets", False, _r2),
        Score("mean_squared_error", "targets", False, lambda y, p: -np.mean((y - p) ** 2)),
        Score("squared_errors", "targets", True, lambda y, p: -((y - p) ** 2)),
    )
}


def resolve(score: Any, takes: str) -> Score:
    """The score that a user named, or a user's function (y_val, predictions) -> float of classes or targets."""
    choices = [s.name for s in SCORES.values() if s.takes == takes]
    if callable(score):
        return Score(name_of(score), takes, False, score)
    if isinstance(score, str) and score in SCORES and score not in choices:
        raise ValueError(
            f"score is {score!r}, which is not one of {takes}; expected one of {', '.join(map(repr, choices))}."
        )
    return SCORES[_checks.choice("score", score, choices)]


def name_of(fn: Callable[..., Any]) -> str:
    """Module and name of a function, by which it is told from others."""
    return f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', type(fn).__qualname__)}"


def mixed(probabilities: Floats, counts: NDArray[Any]) -> Floats:
    """Probabilities [m, classes] with 1 % of the smoothed frequencies of a coalition of these class counts [classes].

    Below two classes present, the frequencies alone: (count + 1) / (size + classes).
    """
    frequency = (counts + 1.0) / (counts.sum() + counts.size)
    if np.count_nonzero(counts) < 2:
        return np.broadcast_to(frequency, probabilities.shape)
    return (1.0 - PRIOR_SHARE) * probabilities + PRIOR_SHARE * frequency
