"""Any function of a coalition as a game."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel
from fastsa.games.game import check_coalitions, check_max_bytes
from fastsa.ops import Walks
from fastsa.ops.memberships import write_memberships

_BYTES_PER_MEMBER = 9  # a boolean, and the float64 that a function is likely to make of it


class FunctionGame:
    """A game of `n_players` players whose coalitions earn what `fn` says.

    `fn` maps booleans [rows, n_players] to [rows] or [rows, outputs] real numbers; it is called once with the empty
    coalition to learn its outputs, then with batches. A coalition is a set: joining twice changes nothing.

    Raises TypeError when `fn` cannot be called, ValueError when it answers another shape or a value that is not finite.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda coalitions: coalitions @ np.array([1.0, 2.0]), 2)
    >>> game.evaluate(np.array([[True, True]]))
    array([[3.]])
    """

    draws_background = knows_empty = False

    def __init__(self, fn: Callable[[NDArray[np.bool_]], Any], n_players: int) -> None:
        if not callable(fn):
            raise TypeError(f"fn is {fn!r}; expected a function of booleans [rows, n_players].")
        self.n_players = _checks.count("n_players", n_players, most=_checks.MOST_PLAYERS)
        self.item_players = np.arange(self.n_players, dtype=np.int32)
        self.ids = self.item_players.astype(np.uint64)
        name = f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', type(fn).__qualname__)}"
        self.fingerprint = hashlib.sha256(f"{name}/{n_players}".encode()).hexdigest()
        self._fn = fn
        self.n_outputs = 0
        self.n_outputs = self.evaluate(np.zeros((1, self.n_players), dtype=np.bool_)).shape[1]

    def walk(
        self,
        walks: Walks,
        *,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float64]:
        """Values of the walks' scored positions and branches: float64 [walks.n_values, n_outputs].

        The walks are expanded to their coalitions on `n_threads`, a batch of at most `max_bytes` at a time; `fn` runs
        on the calling thread.
        """
        walks.check(self.n_players)
        values = np.empty((walks.n_values, self.n_outputs), dtype=np.float64)
        rows_per_batch = max(1, check_max_bytes(max_bytes) // (_BYTES_PER_MEMBER * self.n_players))
        for first in range(0, walks.n_values, rows_per_batch):
            stop = min(first + rows_per_batch, walks.n_values)
            coalitions = np.empty((stop - first, self.n_players), dtype=np.bool_)
            write_memberships(walks, coalitions, first, n_threads=n_threads, cancel=cancel)
            values[first:stop] = self.evaluate(coalitions)
        return values

    def evaluate(self, coalitions: Any) -> NDArray[np.float64]:
        """Values of booleans [rows, n_players]: float64 [rows, n_outputs]."""
        coalitions = check_coalitions(coalitions, self.n_players)
        answer = np.asarray(self._fn(coalitions))
        if answer.dtype.kind not in "fiub":
            raise TypeError(f"fn answered dtype {answer.dtype}; expected real numbers.")
        values = answer[:, None] if answer.ndim == 1 else answer
        outputs = self.n_outputs or (values.shape[1] if values.ndim == 2 else 0)
        if values.ndim != 2 or values.shape != (coalitions.shape[0], outputs) or outputs == 0:
            rows = coalitions.shape[0]
            raise ValueError(
                f"fn answered shape {answer.shape} for {rows} coalitions; expected [rows] or [rows, outputs]."
            )
        if not np.isfinite(values).all():
            raise ValueError("fn answered a value that is not finite; expected finite numbers for every coalition.")
        return values.astype(np.float64)
