"""What a utility is prepared on, what it becomes, and what it earns before anyone joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastsa._threads import Cancel
from fastsa.ops import Walks

TAKES = ("classes", "targets")


@dataclass(frozen=True)
class SupervisedData:
    """Points that can join a coalition, and the points it is scored on.

    `y` and `y_val` are classes, int32 encoded 0 .. n_classes - 1, or float64 targets, where n_classes is 0. The first
    `n_pool` points are the pool that coalitions are drawn from; the others only branch.
    """

    X: NDArray[np.float64]
    y: NDArray[np.int32] | NDArray[np.float64]
    n_pool: int
    X_val: NDArray[np.float64]
    y_val: NDArray[np.int32] | NDArray[np.float64]
    n_classes: int


class Prepared(Protocol):
    """A utility on its data: answers walks."""

    def walk(self, walks: Walks, *, max_bytes: int, n_threads: int | None, cancel: Cancel) -> NDArray[np.float64]:
        """Values [walks.n_values, outputs] of non-empty coalitions; those of empty ones are the game's to fill."""
        ...


class Utility(Protocol):
    """How a training subset is scored: a frozen description, hashable, with a readable repr.

    n_outputs : how many numbers a coalition earns; None for one per validation point.
    takes : "classes" or "targets", what y is; one that does not say takes classes.

    A utility whose empty coalition earns what the data decide has `empty_values(data) -> [outputs]` in place of
    `empty_score`.
    """

    n_outputs: int | None

    def empty_score(self, n_classes: int) -> float:
        """The value of the empty coalition, the same for every output."""
        ...

    def prepare(self, data: SupervisedData) -> Prepared: ...


def takes(utility: Utility) -> str:
    """ "classes" or "targets"."""
    return getattr(utility, "takes", "classes")


def count_outputs(utility: Utility, n_val: int) -> int:
    """How many numbers a coalition earns on this many validation points."""
    return n_val if utility.n_outputs is None else utility.n_outputs


def empty_values(utility: Utility, data: SupervisedData) -> NDArray[np.float64]:
    """What the empty coalition earns: [outputs]."""
    if hasattr(utility, "empty_values"):
        values = utility.empty_values(data)
    else:
        values = utility.empty_score(data.n_classes)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (count_outputs(utility, data.y_val.size),))
