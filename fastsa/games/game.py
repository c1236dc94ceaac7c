"""What estimators and streams ask of any game."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel
from fastsa.ops import Walks

DEFAULT_MAX_BYTES = 256 * 2**20


class Game(Protocol):
    """Players 0 .. n_players - 1, items to value, and a value for every coalition."""

    n_players: int
    n_outputs: int
    ids: NDArray[np.uint64]
    item_players: NDArray[np.int32]
    """The player that each item is: below n_players for a point that can be drawn, beyond for one that only branches."""
    fingerprint: str
    """Tells this game's labels from another's."""

    def walk(
        self,
        walks: Walks,
        *,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float64]:
        """Values of the walks' scored positions and branches: float64 [walks.n_values, n_outputs]."""
        ...

    def evaluate(self, coalitions: Any) -> NDArray[np.float64]:
        """Values of booleans [rows, n_players]: float64 [rows, n_outputs]."""
        ...


def check_coalitions(coalitions: Any, n_players: int) -> NDArray[np.bool_]:
    """Booleans [rows, n_players], or an error that says what was given."""
    coalitions = np.asarray(coalitions)
    if coalitions.dtype != np.bool_:
        raise TypeError(f"coalitions have dtype {coalitions.dtype}; expected bool, True for the players that joined.")
    if coalitions.ndim != 2 or coalitions.shape[1] != n_players:
        raise ValueError(f"coalitions have shape {coalitions.shape}; expected [rows, {n_players}].")
    return coalitions


def check_max_bytes(max_bytes: int | None) -> int:
    return DEFAULT_MAX_BYTES if max_bytes is None else _checks.count("max_bytes", max_bytes)
