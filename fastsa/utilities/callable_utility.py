"""Any function of a batch of coalitions and the data as a utility."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel, Cancelled
from fastsa.ops import Walks
from fastsa.utilities import scores
from fastsa.utilities.coalitions import expanded
from fastsa.utilities.data import TAKES, SupervisedData, count_outputs

_BYTES_PER_COUNT = 12  # while they are made: int64 by bincount, then int32


class CallableUtility:
    """Whatever `fn` says that coalitions earn: for learners and scores that no other utility knows.

    `fn(counts, data)` is called with counts int32 [rows, points], how often each point is in each coalition (0 or 1 where
    the estimator draws without replacement), and the SupervisedData: read-only X [points, d], y, X_val [m, d], y_val, and
    n_classes. Points beyond data.n_pool are items outside the pool. It answers real numbers [rows], or [rows, outputs].

    A row's answer must depend on that row alone: rows come in batches of any size under `max_bytes`, coalitions that
    repeat within a batch once. `fn` runs on the calling thread; `n_threads` has no effect.

    Parameters
    ----------
    fn : the function; its module and name tell the game from others.
    n_outputs : numbers that a coalition earns; default 1. None is one per validation point.
    takes : "classes" (default: y int32 encoded 0 .. n_classes - 1) or "targets" (float64).
    empty : score of the empty coalition; default None: fn is asked, with counts of zeros.

    Raises TypeError or ValueError for bad settings, and for an answer that is not real numbers of this shape.

    >>> import fastsa, numpy as np
    >>> def mean_of_targets(counts, data):
    ...     return counts @ data.y / np.maximum(counts.sum(axis=1), 1)
    >>> utility = fastsa.utilities.CallableUtility(mean_of_targets, takes="targets")
    >>> game = fastsa.games.DataGame(utility, [[0.0], [1.0]], [2.0, 4.0], [[0.5]], [3.0])
    >>> game.evaluate([[False, False], [True, True]]).ravel().tolist()
    [0.0, 3.0]
    """

    def __init__(
        self,
        fn: Callable[[NDArray[np.int32], SupervisedData], Any],
        *,
        n_outputs: int | None = 1,
        takes: str = "classes",
        empty: float | None = None,
    ) -> None:
        if not callable(fn):
            raise TypeError(f"fn is {fn!r}; expected a function of counts [rows, points] and the data.")
        self.fn = fn
        self.n_outputs = None if n_outputs is None else _checks.count("n_outputs", n_outputs)
        self.takes = _checks.choice("takes", takes, TAKES)
        self.empty = None if empty is None else _checks.number("empty", empty)

    def __repr__(self) -> str:
        name = scores.name_of(self.fn)
        return f"CallableUtility({name}, n_outputs={self.n_outputs}, takes={self.takes!r}, empty={self.empty!r})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.fn is other.fn and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def empty_values(self, data: SupervisedData) -> Any:
        if self.empty is not None:
            return self.empty
        return self.prepare(data).answer(np.zeros((1, data.y.size), dtype=np.int32))[0]

    def prepare(self, data: SupervisedData) -> PreparedCallable:
        return PreparedCallable(self, data)


class PreparedCallable:
    """A function and the data that it reads."""

    def __init__(self, utility: CallableUtility, data: SupervisedData) -> None:
        self._fn = utility.fn
        self._n_outputs = count_outputs(utility, data.y_val.size)
        read_only = {}
        for name in ("X", "y", "X_val", "y_val"):
            read_only[name] = getattr(data, name).view()
            read_only[name].flags.writeable = False
        self._data = replace(data, **read_only)

    def walk(self, walks: Walks, *, max_bytes: int, n_threads: int | None, cancel: Cancel) -> NDArray[np.float64]:
        """Values [walks.n_values, outputs]."""
        n_points = self._data.y.size
        values = np.zeros((walks.n_values, self._n_outputs))
        rows = max(1, max_bytes // (_BYTES_PER_COUNT * n_points))
        for part in expanded(walks, max_bytes):
            answers = np.empty((len(part), self._n_outputs))
            for begin in range(0, len(part), rows):
                if cancel.is_set():
                    raise Cancelled
                end = min(begin + rows, len(part))
                answers[begin:end] = self.answer(part.counts(begin, end, n_points))
            values[part.values] = answers[part.rows]
        return values

    def answer(self, counts: NDArray[np.int32]) -> NDArray[np.float64]:
        """What fn says, checked: [rows, outputs]."""
        answer = np.asarray(self._fn(counts, self._data))
        if answer.dtype.kind not in "fiub":
            raise TypeError(f"fn answered dtype {answer.dtype}; expected real numbers.")
        rows, outputs = counts.shape[0], self._n_outputs
        if answer.shape != (rows, outputs) and not (outputs == 1 and answer.shape == (rows,)):
            wanted = f"({rows}, {outputs})" + (f" or ({rows},)" if outputs == 1 else "")
            raise ValueError(f"fn answered shape {answer.shape} for {rows} coalitions; expected {wanted}.")
        return answer.reshape(rows, outputs).astype(np.float64)
