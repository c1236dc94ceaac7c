"""Networks whose first layer is linear: along a walk its pre-activation is a running sum, so that no masked input is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.games.arrays import Batch
from fastsa.games.maskers import Replaced
from fastsa.ops import Walks
from fastsa.ops.masked import write_masked
from fastsa.ops.running_sums import Rows, write_running_sums

RESTART = 128
"""Positions of a walk after which the sum starts again from the layer itself, so that rounding does not build up."""


class Stretch(NamedTuple):
    """Outputs of some positions of some walks, as the rest of the network answered them: [walks * positions, outputs]."""

    walks: slice
    positions: slice
    outputs: Any


@dataclass(frozen=True)
class FirstLayer:
    """A network in two parts: `layer`, linear in the flattened input, and `rest`, from its answers to the outputs.

    With `rectified` a ReLU stands between them.
    """

    layer: Any
    rest: Callable[[Any], Any]
    rectified: bool = False


def first_layer_of(module: Any) -> FirstLayer:
    """The two parts of a torch module. Raises ValueError, which says why, where they do not make the whole exactly.

    A plain `torch.nn.Sequential` that starts with `torch.nn.Linear`, after `torch.nn.Flatten()` or not; or any module with a
    method `first_layer()` that answers (a torch.nn.Linear, a callable from its answers to the outputs).
    """
    from torch import nn

    rectified = False
    if hasattr(module, "first_layer"):
        layer, rest = module.first_layer()
    elif type(module) is nn.Sequential:
        parts = list(module)
        flattened = bool(parts) and type(parts[0]) is nn.Flatten and (parts[0].start_dim, parts[0].end_dim) == (1, -1)
        parts = parts[1:] if flattened else parts
        layer, after = (parts[0] if parts else None), parts[1:]
        rectified = (
            bool(after) and type(after[0]) is nn.ReLU and not (after[0]._forward_hooks or after[0]._forward_pre_hooks)
        )
        rest = nn.Sequential(*after[rectified:])
    else:
        raise ValueError(
            f"model is a {type(module).__name__}; expected a torch.nn.Sequential, or a module with a method first_layer() "
            "that answers (its torch.nn.Linear, the rest), so that the first layer can be summed."
        )
    if type(layer) is not nn.Linear:
        raise ValueError(
            f"the model's first layer is a {type(layer).__name__}; expected torch.nn.Linear, which can be summed."
        )
    hooked = [m for m in (module, layer) if m._forward_hooks or m._forward_pre_hooks]
    if hooked:
        raise ValueError(
            f"{type(hooked[0]).__name__} has forward hooks, which a summed first layer would not call; remove them."
        )
    return FirstLayer(layer, rest, rectified)


class RunningSums:
    """Outputs along walks: W x + b of a prefix is that of the prefix before, plus the columns of the player who joined."""

    def __init__(self, parts: FirstLayer, bound: Replaced) -> None:
        background = bound.flat[1]
        weight = parts.layer.weight.detach().numpy()
        if weight.shape[1] != background.shape[1] or weight.dtype != background.dtype:
            raise ValueError(
                f"the model's first layer takes {weight.shape[1]} entries of {weight.dtype}, inputs have {background.shape[1]} "
                f"of {background.dtype}; expected the same."
            )
        self._parts, self._bound = parts, bound
        self._of_nobody = self._of_layer(background)
        self._columns = np.ascontiguousarray(weight.T)

    def along(self, walks: Walks, rows: Rows, rows_per_batch: int, batch: Batch) -> Iterator[Stretch]:
        """Outputs of walks that `is_along`, a stretch of positions of some of them at a time."""
        orders = walks.players.reshape(walks.rows, -1)
        low, high = int(walks.scored[0]), int(walks.scored[walks.scored.size // walks.rows - 1])
        together = max(1, rows_per_batch // min(RESTART, high + 1 - low))
        for first in range(0, walks.rows, together):
            some = slice(first, min(first + together, walks.rows))
            own = Rows(rows.inputs, rows.items[some], rows.background, rows.behind[some])
            for begin in range(low, high + 1, RESTART):
                end = min(begin + RESTART, high + 1)
                sums = self._sums(orders[some], own, begin, end, batch)
                yield Stretch(some, slice(begin - low, end - low), self._rest(sums))

    def _sums(self, orders: NDArray[np.int32], rows: Rows, begin: int, end: int, batch: Batch) -> NDArray[np.floating]:
        """Pre-activations, or activations of a ReLU, of positions begin .. end - 1: [walks, positions, hidden]."""
        sums = batch.array((orders.shape[0], end - begin, self._columns.shape[1]), self._columns.dtype, "sums")
        starts = self._of_members(orders[:, :begin], rows, batch)
        joining = np.ascontiguousarray(orders[:, begin : end - 1])
        write_running_sums(
            starts,
            joining,
            self._columns,
            rows,
            self._bound.entries_of,
            sums,
            rectified=self._parts.rectified,
            n_threads=batch.n_threads,
        )
        return sums

    def _of_members(self, joined: NDArray[np.int32], rows: Rows, batch: Batch) -> NDArray[np.floating]:
        """What the layer itself says of each walk's members so far: [walks, hidden]."""
        if joined.shape[1] == 0:
            return self._of_nobody[rows.behind]
        members = np.zeros((joined.shape[0], self._bound.n_players), dtype=np.bool_)
        np.put_along_axis(members, joined.astype(np.int64), True, axis=1)
        masked = batch.array((joined.shape[0], rows.inputs.shape[1]), rows.inputs.dtype)
        write_masked(
            rows.inputs,
            rows.items,
            members,
            rows.background,
            rows.behind,
            self._bound.player_of,
            masked,
            n_threads=batch.n_threads,
        )
        return self._of_layer(masked)

    def _of_layer(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        import torch

        with torch.inference_mode():
            return self._parts.layer(torch.from_numpy(rows)).numpy()

    def _rest(self, sums: NDArray[np.floating]) -> Any:
        import torch

        with torch.inference_mode():
            return self._parts.rest(torch.from_numpy(sums.reshape(-1, sums.shape[2])))


def is_along(walks: Walks, n_players: int) -> bool:
    """Whether walks score one range of positions each, the same, long enough to be worth summing; no player joins twice."""
    n_rows = walks.rows
    if n_rows == 0 or walks.branches.size or walks.scored.size < 2 * n_rows or walks.scored.size < walks.players.size:
        return False
    if walks.players.size % n_rows or walks.scored.size % n_rows:
        return False
    length, scored = walks.players.size // n_rows, walks.scored.size // n_rows
    if not (np.diff(walks.offsets) == length).all() or not (np.diff(walks.scored_offsets) == scored).all():
        return False
    positions = walks.scored.reshape(n_rows, scored)
    if not (positions == positions[0, 0] + np.arange(scored)).all():
        return False
    joined = np.zeros((n_rows, n_players), dtype=np.bool_)
    np.put_along_axis(joined, walks.players.reshape(n_rows, length).astype(np.int64), True, axis=1)
    return int(joined.sum()) == walks.players.size
