"""What a utility is prepared on, and what it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastsa._threads import Cancel
from fastsa.ops import Walks


@dataclass(frozen=True)
class SupervisedData:
    """Points that can join a coalition, and the points it is scored on; classes are encoded 0 .. n_classes - 1.

    The first `n_pool` points are the pool that coalitions are drawn from; the others only branch.
    """

    X: NDArray[np.float64]
    y: NDArray[np.int32]
    n_pool: int
    X_val: NDArray[np.float64]
    y_val: NDArray[np.int32]
    n_classes: int


class Prepared(Protocol):
    """A utility on its data: answers walks."""

    def walk(
        self, walks: Walks, *, max_bytes: int, n_threads: int | None, cancel: Cancel
    ) -> NDArray[np.float64]:
        """Values [walks.n_values, 1] of non-empty coalitions; those of empty ones are the game's to fill."""
        ...


class Utility(Protocol):
    """How a training subset is scored: a frozen description, hashable, with a readable repr."""

    n_outputs: int

    def empty_score(self, n_classes: int) -> float:
        """The value of the empty coalition."""
        ...

    def prepare(self, data: SupervisedData) -> Prepared: ...
