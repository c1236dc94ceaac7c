"""A scikit-learn estimator refitted to one coalition, and scored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.utilities import scores
from fastsa.utilities.coalitions import described
from fastsa.utilities.data import SupervisedData


class RefitError(RuntimeError):
    """The user's estimator or score raised an exception; the message names the coalition."""


class Refit:
    """A clone of `estimator` fitted to the points of a coalition, in the order given, and scored on the validation points."""

    def __init__(self, estimator: Any, score: scores.Score, data: SupervisedData) -> None:
        self._estimator, self._score, self._data = estimator, score, data
        self._X_val, self._y_val = data.X_val.view(), data.y_val.view()
        self._X_val.flags.writeable = self._y_val.flags.writeable = False  # shared by all fits

    def __call__(self, players: NDArray[np.int32]) -> NDArray[np.float64]:
        """Scores [outputs] of a coalition with a member. Raises RefitError."""
        try:
            return self._score(self._y_val, self._predictions(players))
        except Exception as error:
            raise RefitError(
                f"{self._estimator!r} failed on the coalition of {described(players)}: {type(error).__name__}: {error}"
            ) from error

    def _predictions(self, players: NDArray[np.int32]) -> NDArray[Any]:
        data, reads = self._data, self._score.reads
        if reads == "targets":
            return self._one_each(np.asarray(self._fitted(players).predict(self._X_val), dtype=np.float64))
        counts = np.bincount(data.y[players], minlength=data.n_classes)
        present = np.flatnonzero(counts)
        if reads == "classes":
            if present.size == 1:  # many classifiers refuse to fit it
                return np.full(self._y_val.size, present[0], dtype=np.int32)
            return self._one_each(np.asarray(self._fitted(players).predict(self._X_val)))
        probabilities = np.zeros((self._y_val.size, data.n_classes))
        if present.size > 1:
            model = self._fitted(players)
            probabilities[:, model.classes_] = model.predict_proba(self._X_val)
        return scores.mixed(probabilities, counts)

    def _one_each(self, predicted: NDArray[Any]) -> NDArray[Any]:
        if predicted.shape != self._y_val.shape:  # scores would spread [m, 1] over [m, m] in silence
            raise ValueError(f"predict answered shape {predicted.shape}; expected {self._y_val.shape}")
        return predicted

    def _fitted(self, players: NDArray[np.int32]) -> Any:
        from sklearn.base import clone

        return clone(self._estimator).fit(self._data.X[players], self._data.y[players])


@contextmanager
def one_native_thread() -> Iterator[None]:
    """BLAS and OpenMP on one thread, where threadpoolctl can say so: results then do not depend on the threads."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(1):
        yield
