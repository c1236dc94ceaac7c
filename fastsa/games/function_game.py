"""Any function of a coalition as a game."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel, Cancelled
from fastsa.games.game import check_coalitions, check_max_bytes
from fastsa.ops import Walks

_BYTES_PER_MEMBER = 9  # of a coalition while it is made: a boolean and two places


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

    draws_background = False

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

        The walks are expanded to their coalitions, a batch of at most `max_bytes` at a time. `fn` runs on the calling
        thread; `n_threads` has no effect.
        """
        walks.check(self.n_players)
        values = np.empty((walks.n_values, self.n_outputs), dtype=np.float64)
        rows_per_batch = max(1, check_max_bytes(max_bytes) // (_BYTES_PER_MEMBER * self.n_players))
        for first in range(0, walks.n_values, rows_per_batch):
            if cancel is not None and cancel.is_set():
                raise Cancelled
            stop = min(first + rows_per_batch, walks.n_values)
            values[first:stop] = self.evaluate(_expanded(walks, first, stop, self.n_players))
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
            raise ValueError(f"fn answered shape {answer.shape} for {rows} coalitions; expected [rows] or [rows, outputs].")
        if not np.isfinite(values).all():
            raise ValueError("fn answered a value that is not finite; expected finite numbers for every coalition.")
        return values.astype(np.float64)


def _expanded(walks: Walks, first: int, stop: int, n_players: int) -> NDArray[np.bool_]:
    """The coalitions behind values first .. stop - 1, parts of walks included: booleans [stop - first, n_players]."""
    begin = int(np.searchsorted(walks.value_offsets, first, side="right")) - 1
    end = int(np.searchsorted(walks.value_offsets, stop, side="left"))
    part = walks.take(begin, end)
    own = slice(first - walks.value_offsets[begin], stop - walks.value_offsets[begin])
    row = np.repeat(np.arange(part.rows), np.diff(part.value_offsets))[own]
    joined = np.repeat(part.sizes, np.diff(part.value_offsets))
    joined[part.scored_values] = part.scored
    coalitions = _places(part, n_players)[row] < joined[own, None]
    branching = np.full(part.n_values, -1, dtype=np.int64)
    branching[part.branch_values] = part.branches
    value = np.flatnonzero(branching[own] >= 0)
    coalitions[value, branching[own][value]] = True
    return coalitions


def _places(walks: Walks, n_players: int) -> NDArray[np.int32]:
    """Where each player first joins each walk, beyond its end for one who does not: [rows, n_players]."""
    places = np.full((walks.rows, n_players), np.iinfo(np.int32).max, dtype=np.int32)
    row = np.repeat(np.arange(walks.rows), walks.sizes)
    place = (np.arange(walks.players.size) - walks.offsets[row]).astype(np.int32)
    np.minimum.at(places.reshape(-1), row * n_players + walks.players, place)
    return places
