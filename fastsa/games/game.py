"""What estimators and streams ask of any game."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    item_players: NDArray[np.int32] | None
    """The player that each item is: below n_players for one that can be drawn, beyond for one that only branches. None where
    every item is a game of its own, whose players are all valued."""
    fingerprint: str
    """Tells this game's labels from another's."""
    draws_background: bool
    """Whether a sample draws something of its own (a background row), so that even its empty coalition is random."""
    knows_empty: bool
    """Whether the value of the empty coalition is known after a first time, so that asking again costs no evaluation."""

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

    def evaluate(self, *coalitions: Any) -> NDArray[np.float64]:
        """Values of booleans [rows, n_players], after the items [rows] that they are of where there are many games."""
        ...


@dataclass(frozen=True)
class Roster:
    """Who gets labels: the items of a game, or the players of every item where each item is a game of its own."""

    ids: NDArray[np.uint64]
    n_players: int
    n_outputs: int
    one_game: bool
    draws_background: bool = False

    @staticmethod
    def of(game: Game) -> Roster:
        return Roster(game.ids, game.n_players, game.n_outputs, game.item_players is not None, game.draws_background)

    @property
    def cells(self) -> tuple[int, ...]:
        """The shape of what is counted: [items] of one game, [items, players] of many."""
        return (self.ids.size,) if self.one_game else (self.ids.size, self.n_players)

    @property
    def game_ids(self) -> NDArray[np.uint64]:
        """The id of every game: 0 for the one whose items are its players, else the items' own."""
        return np.zeros(1, np.uint64) if self.one_game else self.ids

    def take(self, items: Any) -> Roster:
        return replace(self, ids=self.ids[items])


def check_coalitions(coalitions: Any, n_players: int) -> NDArray[np.bool_]:
    """Booleans [rows, n_players], or an error that says what was given."""
    coalitions = np.asarray(coalitions)
    if coalitions.dtype != np.bool_:
        raise TypeError(f"coalitions have dtype {coalitions.dtype}; expected bool, True for the players that joined.")
    if coalitions.ndim != 2 or coalitions.shape[1] != n_players:
        raise ValueError(f"coalitions have shape {coalitions.shape}; expected [rows, {n_players}].")
    return coalitions


def check_game(name: str, game: Any) -> None:
    """Raise TypeError for what takes no walks."""
    if not hasattr(game, "walk"):
        given = type(game).__name__
        raise TypeError(f"{name} is a {given}; expected one of fastsa.games, such as DataGame(...) or ModelGame(...).")


def check_max_bytes(max_bytes: int | None) -> int:
    return DEFAULT_MAX_BYTES if max_bytes is None else _checks.count("max_bytes", max_bytes)
