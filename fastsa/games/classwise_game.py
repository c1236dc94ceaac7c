"""The games of the classes of a data set: what a coalition earns a class, by its own validation points and by others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel
from fastsa.games.data_game import DataGame
from fastsa.games.game import check_coalitions, check_max_bytes
from fastsa.ops import Walks
from fastsa.utilities.data import Utility


@dataclass(frozen=True)
class ClasswiseWalks(Walks):
    """Walks whose row r earns for class classes[r]: int64 [rows], positions among a game's classes."""

    classes: NDArray[np.int64] | None = None


class ClasswiseGame:
    """Training points as players, whose coalitions earn a value for each class (CS-Shapley; Schoch, Xu and Ji, NeurIPS 2022).

        v_c(S) = a_c(S) exp(a_-c(S))

    a_c is the number of validation points of class c that a learner fitted on S gets right, a_-c that of the other
    validation points, both divided by the number of all validation points. Of the empty coalition every point is right to
    the degree that the utility says, 1 / classes by default.

    `estimators.ClasswiseShapley` makes labels of it; other estimators, which do not say for which class, are refused.

    Parameters
    ----------
    utility : one of classes, with an output per validation point that says whether it is right: KNN(5, "correct"),
        Logistic(score="correct"), or any whose outputs are shares from 0 to 1.
    X, y, X_val, y_val, ids : as for DataGame; the items are the pool's points.

    Attributes
    ----------
    n_players, n_outputs : int, the latter 1
    ids : uint64 [n]
    classes : the sorted classes of y; class_of int32 [n], the position of each point's among them
    fingerprint : str

    Raises ValueError or TypeError as DataGame does, and for a utility without an output per validation point, or of targets;
    `walk` and `evaluate` raise ValueError for outputs that are no shares.

    >>> import fastsa
    >>> X, y, X_val, y_val = [[0.0], [1.0], [2.0]], ["a", "b", "b"], [[0.1], [1.9]], ["a", "b"]
    >>> game = fastsa.games.ClasswiseGame(fastsa.utilities.KNN(1, "correct"), X, y, X_val, y_val)
    >>> game.evaluate(["a", "b"], [[True, False, False], [True, False, True]]).round(3).ravel().tolist()
    [0.5, 0.824]
    """

    n_outputs = 1
    draws_background = knows_empty = False

    def __init__(self, utility: Utility, X: Any, y: Any, X_val: Any, y_val: Any, *, ids: Any = None) -> None:
        self._points = DataGame(utility, X, y, X_val, y_val, ids=ids)
        if self._points.classes is None or utility.n_outputs is not None:
            raise ValueError(
                f"utility is {utility!r}; expected one of classes with an output per validation point, such as "
                "KNN(5, 'correct') or Logistic(score='correct')."
            )
        self.classes: NDArray[Any] = self._points.classes
        self.class_of = _checks.encode("y", _checks.targets("y", y, self._points.n_players), self.classes)
        encoded = _checks.encode("y_val", _checks.targets("y_val", y_val, len(y_val)), self.classes)
        self._of_class = (encoded[:, None] == np.arange(self.classes.size)).astype(np.float64)
        self.n_players, self.ids, self.item_players = (
            self._points.n_players,
            self._points.ids,
            self._points.item_players,
        )
        self.fingerprint = hashlib.sha256(f"classwise/{self._points.fingerprint}".encode()).hexdigest()

    def walk(
        self,
        walks: Walks,
        *,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float64]:
        """Values of the walks' scored positions and branches, each row's for its class: float64 [walks.n_values, 1].

        Outputs of single validation points are held for about `max_bytes` at a time. Raises TypeError for walks that are no
        ClasswiseWalks.
        """
        if not isinstance(walks, ClasswiseWalks) or walks.classes is None:
            raise TypeError(
                "walks do not say for which class a coalition earns; make labels with estimators.ClasswiseShapley."
            )
        if walks.classes.shape != (walks.rows,) or not _within(walks.classes, self.classes.size):
            raise ValueError(
                f"walks name classes {walks.classes}; expected one of 0 to {self.classes.size - 1} for each row."
            )
        max_bytes = check_max_bytes(max_bytes)
        values, offsets = np.empty((walks.n_values, 1)), walks.value_offsets
        begin = 0
        while begin < walks.rows:
            room = offsets[begin] + max_bytes // (16 * self._of_class.shape[0])
            end = min(walks.rows, max(begin + 1, int(np.searchsorted(offsets, room, side="right")) - 1))
            part = walks.take(begin, end)
            right = self._points.walk(part, max_bytes=max_bytes, n_threads=n_threads, cancel=cancel)
            class_of_value = np.repeat(walks.classes[begin:end], np.diff(offsets[begin : end + 1]))
            values[offsets[begin] : offsets[end], 0] = self._earned(right, class_of_value)
            begin = end
        return values

    def evaluate(self, classes: Any, coalitions: Any = None) -> NDArray[np.float64]:
        """What coalitions, booleans [rows, n_players], earn for `classes` [rows], of y's kind: float64 [rows, 1]."""
        if coalitions is None:
            raise ValueError("a coalition earns a value for each class; say for which: evaluate(classes, coalitions).")
        coalitions = check_coalitions(coalitions, self.n_players)
        encoded = _checks.encode("classes", _checks.targets("classes", classes, coalitions.shape[0]), self.classes)
        walks = Walks.of_coalitions(coalitions)
        return self.walk(ClasswiseWalks(*walks.arrays, classes=encoded.astype(np.int64)))

    def _earned(self, right: NDArray[np.float64], class_of_value: NDArray[np.int64]) -> NDArray[np.float64]:
        """v_c [values] of how right each validation point is [values, m]."""
        if right.size and not (right.min() >= 0.0 and right.max() <= 1.0):
            raise ValueError(
                f"the utility's outputs reach from {right.min():g} to {right.max():g}; class-wise values are made of points that "
                "are right (1) or wrong (0): give the score 'correct'."
            )
        m = self._of_class.shape[0]
        within = np.where(self._of_class.T[class_of_value] > 0, right, 0.0).sum(axis=1)
        return within / m * np.exp((right.sum(axis=1) - within) / m)


def _within(classes: NDArray[np.int64], n_classes: int) -> bool:
    return classes.size == 0 or bool(classes.min() >= 0 and classes.max() < n_classes)
