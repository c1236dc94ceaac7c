"""What a game asks a model at once: rows that can be made, halved where they do not fit, and named where an answer is bad."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastsa._threads import Cancel
from fastsa.games.arrays import Batch
from fastsa.games.maskers import Behind, Bound, Replaced
from fastsa.ops import Walks, memberships
from fastsa.ops.masked import MaskedWalks


class Request(Protocol):
    n_rows: int

    def outputs(self, bound: Any, model: Any, batch: Batch) -> NDArray[Any]:
        """What the model says of all rows, unchecked."""
        ...

    def halves(self) -> list[Any]:
        """Two requests that make this one; or this one alone, where it is a single row."""
        ...

    def place(self, row: int) -> tuple[int, int]:
        """The item, and the size of the coalition, behind a row."""
        ...


@dataclass(frozen=True)
class Coalitions:
    """Coalitions written down: members bool [coalitions, players], the item of each, and the background behind each."""

    items: NDArray[np.int64]
    members: NDArray[np.bool_]
    behind: Behind

    @property
    def n_rows(self) -> int:
        return self.items.size * self._rows_each

    @property
    def _rows_each(self) -> int:
        return self.behind.stop - self.behind.start if isinstance(self.behind, slice) else 1

    def outputs(self, bound: Bound, model: Any, batch: Batch) -> NDArray[Any]:
        return bound.outputs(model, self.items, self.members, self.behind, batch)

    def halves(self) -> list[Coalitions]:
        """Halves of the coalitions; of a single coalition's background."""
        items, members, behind = self.items, self.members, self.behind
        if items.size > 1:
            parts = (slice(0, items.size // 2), slice(items.size // 2, None))
            return [Coalitions(items[p], members[p], behind if isinstance(behind, slice) else behind[p]) for p in parts]
        if not isinstance(behind, slice) or behind.stop - behind.start < 2:
            return [self]
        middle = (behind.start + behind.stop) // 2
        return [Coalitions(items, members, slice(*ends)) for ends in ((behind.start, middle), (middle, behind.stop))]

    def place(self, row: int) -> tuple[int, int]:
        coalition = row // self._rows_each
        return int(self.items[coalition]), int(self.members[coalition].sum())


@dataclass(frozen=True)
class ValuesOfWalks:
    """Values first .. stop - 1 of walks over one background row each: `masked` writes their inputs, and no coalitions."""

    walks: Walks
    masked: MaskedWalks
    first: int
    stop: int
    cancel: Cancel | None = None

    @property
    def n_rows(self) -> int:
        return self.stop - self.first

    def outputs(self, bound: Replaced, model: Any, batch: Batch) -> NDArray[Any]:
        inputs = bound.flat[0]
        rows = batch.array((self.stop - self.first, inputs.shape[1]), inputs.dtype)
        self.masked.write(rows, self.first, n_threads=batch.n_threads, cancel=self.cancel)
        return model(bound.of_flat(rows))

    def halves(self) -> list[ValuesOfWalks]:
        if self.n_rows < 2:
            return [self]
        middle = (self.first + self.stop) // 2
        return [replace(self, stop=middle), replace(self, first=middle)]

    def place(self, row: int) -> tuple[int, int]:
        value = self.first + row
        walk = int(np.searchsorted(self.walks.value_offsets, value, side="right")) - 1
        n_players = 1 + int(max(self.walks.players.max(initial=0), self.walks.branches.max(initial=0)))
        return int(self.walks.lanes.items[walk]), int(memberships(self.walks, n_players, value, value + 1).sum())
