"""Walks: the one request that travels from an estimator to a game."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core
from fastsa.ops.coalitions import members, pack


@dataclass(frozen=True)
class Lanes:
    """Which game each row of some walks is played in, and which sample of it the row belongs to.

    items    int64 [rows], positions among the items of a game that has one game per item; zeros where there is one game
    samples  uint32 [rows], for games that draw something of their own per sample, such as a background row; with `seed` and
             `role` they name the lane. None: nothing is drawn, the value is the game's expectation.
    turns    int64 [rows], the walk's place among those of its sample that draw apart; None: all is drawn once a sample

    >>> import fastsa, numpy as np
    >>> fastsa.ops.Lanes(np.array([4, 2, 2])).take(1, 3).items.tolist()
    [2, 2]
    """

    items: NDArray[np.int64]
    samples: NDArray[np.uint32] | None = None
    seed: int = 0
    role: str = "train"
    turns: NDArray[np.int64] | None = None

    def take(self, begin: int, end: int) -> Lanes:
        samples, turns = (None if rows is None else rows[begin:end] for rows in (self.samples, self.turns))
        return Lanes(self.items[begin:end], samples, self.seed, self.role, turns)


@dataclass(frozen=True)
class Walks:
    """Players in the order they join, where the coalition so far is scored, and who joins its end alone.

    Row r of each ragged pair is `flat[offsets[r] : offsets[r + 1]]`:

    players, offsets          int32, int64 [rows + 1]: who joins, in order; a player may join more than once
    scored, scored_offsets    int32 positions, ascending within a row: t is the coalition of the first t players
    branches, branch_offsets  int32 players who each join the finished coalition on their own, and are scored

    lanes                     which game and sample each row is of; None for the walks of one game that draws nothing
    many_branches             whether coalitions are worth preparing for several branches; asked rather than counted, so
                              that the value of a branch does not depend on which others join

    A permutation scores every position; a distributional sample scores its coalition and one branch, the point to value.
    The values of a row are its scored positions in order, then its branches: row r owns values
    `value_offsets[r] : value_offsets[r + 1]` of the whole answer.

    >>> import fastsa, numpy as np
    >>> walks = fastsa.ops.Walks.of_permutations(np.array([[1, 0]], dtype=np.int32))
    >>> walks.scored.tolist()
    [0, 1, 2]
    """

    players: NDArray[np.int32]
    offsets: NDArray[np.int64]
    scored: NDArray[np.int32]
    scored_offsets: NDArray[np.int64]
    branches: NDArray[np.int32]
    branch_offsets: NDArray[np.int64]
    many_branches: bool = False
    lanes: Lanes | None = None

    @property
    def rows(self) -> int:
        return self.offsets.size - 1

    @property
    def n_values(self) -> int:
        return self.scored.size + self.branches.size

    @property
    def arrays(self) -> tuple[NDArray[np.int32] | NDArray[np.int64], ...]:
        """The six arrays in the order that the native view takes."""
        return self.players, self.offsets, self.scored, self.scored_offsets, self.branches, self.branch_offsets

    @cached_property
    def value_offsets(self) -> NDArray[np.int64]:
        return self.scored_offsets + self.branch_offsets

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Players of each row, branches not counted: int64 [rows]."""
        return np.diff(self.offsets)

    @cached_property
    def branch_values(self) -> NDArray[np.int64]:
        """Where each branch's value stands in the answer: int64 [branches]."""
        first = self.value_offsets[:-1] + np.diff(self.scored_offsets)
        row = np.repeat(np.arange(self.rows), np.diff(self.branch_offsets))
        return first[row] + np.arange(self.branches.size) - self.branch_offsets[row]

    @cached_property
    def scored_values(self) -> NDArray[np.int64]:
        """Where each scored position's value stands in the answer: int64 [scored]."""
        row = np.repeat(np.arange(self.rows), np.diff(self.scored_offsets))
        return np.arange(self.scored.size) + self.branch_offsets[row]

    def rows_per_chunk(self, players: int) -> int:
        """Rows that join about this many players in all, so that short walks are handed to threads many at a time."""
        joining = self.players.size + self.branches.size + self.rows
        return max(1, players * self.rows // max(1, joining))

    @property
    def empty_values(self) -> NDArray[np.int64]:
        """Where the values of empty coalitions stand in the answer."""
        return self.scored_values[self.scored == 0]

    @property
    def rows_of_empty(self) -> NDArray[np.int64]:
        """The row of each empty coalition that is scored."""
        return np.repeat(np.arange(self.rows), np.diff(self.scored_offsets))[self.scored == 0]

    def without_empty(self) -> tuple[Walks, NDArray[np.int64]]:
        """The same walks with no empty coalition scored, and where their values stand in the answer of these."""
        kept = self.scored > 0
        before = np.concatenate([[0], np.cumsum(kept)])
        rest = replace(self, scored=self.scored[kept], scored_offsets=before[self.scored_offsets])
        places = np.ones(self.n_values, dtype=np.bool_)
        places[self.empty_values] = False
        return rest, np.flatnonzero(places)

    def check(self, n_players: int) -> None:
        """Raise ValueError when an offset, a position or a player is out of its bounds."""
        for name, flat, offsets in (
            ("players", self.players, self.offsets),
            ("scored", self.scored, self.scored_offsets),
            ("branches", self.branches, self.branch_offsets),
        ):
            _checks.exact(name, flat, np.int32, 1)
            _checks.exact(f"offsets of {name}", offsets, np.int64, 1)
            ascending = 0 < offsets.size == self.offsets.size and offsets[0] == 0 and offsets[-1] == flat.size
            if not ascending or (np.diff(offsets) < 0).any():
                raise ValueError(f"offsets of {name} do not divide its {flat.size} entries into {self.rows} rows.")
        if not _core.are_within_bounds(_core.Walks(*self.arrays, 1), self.rows, n_players):
            self._refuse_bounds(n_players)

    def _refuse_bounds(self, n_players: int) -> None:
        for name, flat in (("players", self.players), ("branches", self.branches)):
            if flat.size and not (flat.min() >= 0 and flat.max() < n_players):
                raise ValueError(f"{name} reach from {flat.min()} to {flat.max()}; expected 0 to {n_players - 1}.")
        if self.lanes is not None and self.lanes.items.shape != (self.rows,):
            raise ValueError(f"lanes name {self.lanes.items.size} items; expected one for each of {self.rows} rows.")
        row = np.repeat(np.arange(self.rows), np.diff(self.scored_offsets))
        same_row = row[1:] == row[:-1]
        if (self.scored < 0).any() or (self.scored > self.sizes[row]).any():
            raise ValueError("a scored position lies outside its walk; expected 0 to the number of its players.")
        if (np.diff(self.scored)[same_row] < 0).any():
            raise ValueError("the scored positions of a walk descend; expected ascending positions.")
        raise AssertionError("the native bounds of walks differ from these.")

    def take(self, begin: int, end: int) -> Walks:
        """Rows begin .. end - 1."""

        def part(flat: NDArray[np.int32], offsets: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
            own = offsets[begin : end + 1]
            return flat[own[0] : own[-1]], own - own[0]

        return Walks(
            *part(self.players, self.offsets),
            *part(self.scored, self.scored_offsets),
            *part(self.branches, self.branch_offsets),
            self.many_branches,
            None if self.lanes is None else self.lanes.take(begin, end),
        )

    @staticmethod
    def of_permutations(orders: NDArray[np.int32]) -> Walks:
        """Every prefix of every row of `orders` [rows, n] is scored."""
        rows, n = orders.shape
        return Walks(
            orders.reshape(-1),
            np.arange(rows + 1, dtype=np.int64) * n,
            np.tile(np.arange(n + 1, dtype=np.int32), rows),
            np.arange(rows + 1, dtype=np.int64) * (n + 1),
            np.empty(0, np.int32),
            np.zeros(rows + 1, np.int64),
        )

    @staticmethod
    def to_ends(players: NDArray[np.int32], offsets: NDArray[np.int64], lanes: Lanes | None = None) -> Walks:
        """Only the finished coalition of every row is scored."""
        rows = offsets.size - 1
        return Walks(
            players,
            offsets,
            np.diff(offsets).astype(np.int32),
            np.arange(rows + 1, dtype=np.int64),
            np.empty(0, np.int32),
            np.zeros(rows + 1, np.int64),
            lanes=lanes,
        )

    @staticmethod
    def of_coalitions(coalitions: NDArray[np.bool_], lanes: Lanes | None = None) -> Walks:
        """The members of every row of booleans [rows, n_players], in order, scored at their end."""
        return Walks.of_bits(pack(coalitions), lanes)

    @staticmethod
    def of_bits(bits: NDArray[np.uint64], lanes: Lanes | None = None, *, n_threads: int | None = None) -> Walks:
        """As `of_coalitions`, of coalitions as bits [rows, words]."""
        return Walks.to_ends(*members(bits, n_threads=n_threads), lanes)
