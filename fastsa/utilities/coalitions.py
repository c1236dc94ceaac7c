"""Walks expanded to the multisets of players behind their values, for utilities that start every coalition afresh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa.ops import Walks

_LISTED = 8


@dataclass(frozen=True)
class Coalitions:
    """Distinct coalitions, each its players in ascending order with repeats, and the values that each stands behind.

    Row r is players[offsets[r] : offsets[r + 1]]: int32, int64 [rows + 1]. values int64 [n]: places in the walks' answer;
    rows int64 [n]: the coalition of each. None is empty.
    """

    players: NDArray[np.int32]
    offsets: NDArray[np.int64]
    values: NDArray[np.int64]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        return self.players[self.offsets[row] : self.offsets[row + 1]]

    def counts(self, begin: int, end: int, n_points: int) -> NDArray[np.int32]:
        """How often every point is in each of the coalitions begin .. end - 1: int32 [end - begin, n_points]."""
        row = np.repeat(np.arange(end - begin), np.diff(self.offsets[begin : end + 1]))
        flat = row * n_points + self.players[self.offsets[begin] : self.offsets[end]]
        return np.bincount(flat, minlength=(end - begin) * n_points).astype(np.int32).reshape(end - begin, n_points)


def expanded(walks: Walks, max_bytes: int) -> Iterator[Coalitions]:
    """All non-empty coalitions that the walks score, in parts that hold about `max_bytes` of players.

    A coalition comes once in a part, however many values it stands behind.
    """
    seen: dict[bytes, int] = {}
    values: list[int] = []
    rows: list[int] = []
    held = 0
    for value, players in _in_order(walks):
        key = players.tobytes()
        if key not in seen:
            if seen and held + len(key) > max_bytes:
                yield _part(seen, values, rows)
                seen, values, rows, held = {}, [], [], 0
            seen[key] = len(seen)
            held += len(key)
        values.append(value)
        rows.append(seen[key])
    if seen:
        yield _part(seen, values, rows)


def behind(walks: Walks, value: int) -> NDArray[np.int32]:
    """The players, ascending and with repeats, of the coalition behind one value of the walks."""
    row = int(np.searchsorted(walks.value_offsets, value, side="right")) - 1
    begin = int(walks.value_offsets[row])
    return next(players for at, players in _of_row(walks, row) if at == value - begin)


def described(players: NDArray[np.int32]) -> str:
    """A coalition's size and its first players, for a sentence."""
    listed = ", ".join(str(p) for p in players[:_LISTED].tolist())
    more = ", ..." if players.size > _LISTED else ""
    return f"{players.size} player{'s' if players.size != 1 else ''} ({listed}{more})"


def _in_order(walks: Walks) -> Iterator[tuple[int, NDArray[np.int32]]]:
    for row in range(walks.rows):
        first = int(walks.value_offsets[row])
        for at, players in _of_row(walks, row):
            if players.size:
                yield first + at, players


def _of_row(walks: Walks, row: int) -> Iterator[tuple[int, NDArray[np.int32]]]:
    players = walks.players[walks.offsets[row] : walks.offsets[row + 1]]
    scored = walks.scored[walks.scored_offsets[row] : walks.scored_offsets[row + 1]]
    branches = walks.branches[walks.branch_offsets[row] : walks.branch_offsets[row + 1]]
    for at, position in enumerate(scored):
        yield at, np.sort(players[:position])
    for at, branch in enumerate(branches):
        yield scored.size + at, np.sort(np.append(players, branch))


def _part(seen: dict[bytes, int], values: list[int], rows: list[int]) -> Coalitions:
    players = np.frombuffer(b"".join(seen), dtype=np.int32)
    offsets = np.zeros(len(seen) + 1, dtype=np.int64)
    np.cumsum([len(key) // players.itemsize for key in seen], out=offsets[1:])
    return Coalitions(players, offsets, np.array(values), np.array(rows))
