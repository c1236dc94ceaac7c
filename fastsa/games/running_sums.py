"""Networks whose first layer is linear: along a walk its pre-activation is a running sum, so that no masked input is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.games.arrays import Batch
from fastsa.ops import Walks
from fastsa.ops.masked import write_masked

RESTART = 128
"""Positions of a walk after which the sum starts again from the layer itself, so that rounding does not build up."""

_HIDDEN_IN_CACHE = 1 << 19  # of two such arrays, which a second-level cache and its successor hold


class Rows(NamedTuple):
    """Inputs of a walk's rows, flattened: absent entries of walk r are background[behind[r]], present ones inputs[items[r]]."""

    inputs: NDArray[np.floating]
    background: NDArray[np.floating]
    items: NDArray[np.int64]
    behind: NDArray[np.int64]


class Stretch(NamedTuple):
    """Outputs of positions first .. of some walks: [positions, walks, outputs]; place says where the walk's positions begin."""

    walks: slice
    positions: slice
    outputs: Any


@dataclass(frozen=True)
class FirstLayer:
    """A network in two parts: `layer`, linear in the flattened input, and `rest`, from its answers to the outputs."""

    layer: Any
    rest: Callable[[Any], Any]


def first_layer_of(module: Any) -> FirstLayer:
    """The two parts of a torch module. Raises ValueError, which says why, where they do not make the whole exactly.

    A plain `torch.nn.Sequential` that starts with `torch.nn.Linear`, after `torch.nn.Flatten()` or not; or any module with a
    method `first_layer()` that answers (a torch.nn.Linear, a callable from its answers to the outputs).
    """
    from torch import nn

    if hasattr(module, "first_layer"):
        layer, rest = module.first_layer()
    elif type(module) is nn.Sequential:
        parts = list(module)
        flattened = bool(parts) and type(parts[0]) is nn.Flatten and (parts[0].start_dim, parts[0].end_dim) == (1, -1)
        parts = parts[1:] if flattened else parts
        layer, rest = (parts[0] if parts else None), nn.Sequential(*parts[1:])
    else:
        raise ValueError(
            f"model is a {type(module).__name__}; expected a torch.nn.Sequential, or a module with a method first_layer() "
            "that answers (its torch.nn.Linear, the rest), so that the first layer can be summed."
        )
    if type(layer) is not nn.Linear:
        raise ValueError(f"the model's first layer is a {type(layer).__name__}; expected torch.nn.Linear, which can be summed.")
    hooked = [m for m in (module, layer) if m._forward_hooks or m._forward_pre_hooks]
    if hooked:
        raise ValueError(f"{type(hooked[0]).__name__} has forward hooks, which a summed first layer would not call; remove them.")
    return FirstLayer(layer, rest)


class RunningSums:
    """Outputs along walks: W x + b of a prefix is that of the prefix before, plus the columns of the player who joined."""

    def __init__(
        self, parts: FirstLayer, background: NDArray[np.floating], player_of: NDArray[np.int32] | None, n_players: int
    ) -> None:
        weight = parts.layer.weight.detach().numpy()
        if weight.shape[1] != background.shape[1] or weight.dtype != background.dtype:
            raise ValueError(
                f"the model's first layer takes {weight.shape[1]} entries of {weight.dtype}, inputs have {background.shape[1]} "
                f"of {background.dtype}; expected the same."
            )
        self._parts = parts
        self._of_nobody = self._of_layer(background)
        self._columns = np.ascontiguousarray(weight.T)
        self._player_of = player_of
        if player_of is not None:
            self._by_player = np.argsort(player_of, kind="stable")
            self._starts = np.searchsorted(player_of[self._by_player], np.arange(n_players))
            self._sorted_columns = np.ascontiguousarray(self._columns[self._by_player])

    def along(self, walks: Walks, rows: Rows, n_players: int, rows_per_batch: int, batch: Batch) -> Iterator[Stretch]:
        """Outputs of walks that `is_along`, a stretch of positions of some of them at a time."""
        orders = walks.players.reshape(walks.rows, -1)
        low, high = int(walks.scored[0]), int(walks.scored[walks.scored.size // walks.rows - 1])
        hidden = self._columns.shape[1]
        longest = min(RESTART, high + 1 - low)
        together = max(1, min(rows_per_batch, _HIDDEN_IN_CACHE // hidden) // longest)
        for first in range(0, walks.rows, together):
            some = slice(first, min(first + together, walks.rows))
            own = Rows(rows.inputs, rows.background, rows.items[some], rows.behind[some])
            for begin in range(low, high + 1, RESTART):
                end = min(begin + RESTART, high + 1)
                sums = self._sums(orders[some], own, begin, end, n_players, batch)
                yield Stretch(some, slice(begin - low, end - low), self._rest(sums))

    def _sums(
        self, orders: NDArray[np.int32], rows: Rows, begin: int, end: int, n_players: int, batch: Batch
    ) -> NDArray[np.floating]:
        """Pre-activations of positions begin .. end - 1: [positions, walks, hidden]."""
        walks, hidden = orders.shape[0], self._columns.shape[1]
        sums = batch.array((end - begin, walks, hidden), self._columns.dtype, "sums")
        sums[0] = self._of_members(orders[:, :begin], rows, n_players, batch)
        joining = orders[:, begin : end - 1]
        if self._player_of is None:
            np.take(self._columns, joining.T, axis=0, out=sums[1:], mode="clip")
            apart = rows.inputs[rows.items[:, None], joining] - rows.background[rows.behind[:, None], joining]
            np.multiply(sums[1:], apart.T[:, :, None], out=sums[1:])
        else:
            for walk in range(walks):
                sums[1:, walk] = self._of_players(rows, walk, batch)[joining[walk]]
        for position in range(1, end - begin):
            np.add(sums[position - 1], sums[position], out=sums[position])
        return sums

    def _of_members(self, joined: NDArray[np.int32], rows: Rows, n_players: int, batch: Batch) -> NDArray[np.floating]:
        """What the layer itself says of each walk's members so far: [walks, hidden]."""
        if joined.shape[1] == 0:
            return self._of_nobody[rows.behind]
        members = np.zeros((joined.shape[0], n_players), dtype=np.bool_)
        np.put_along_axis(members, joined.astype(np.int64), True, axis=1)
        masked = batch.array((joined.shape[0], rows.inputs.shape[1]), rows.inputs.dtype)
        write_masked(
            rows.inputs, rows.items, members, rows.background, rows.behind, self._player_of, masked, n_threads=batch.n_threads
        )
        return self._of_layer(masked)

    def _of_layer(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        import torch

        with torch.inference_mode():
            return self._parts.layer(torch.from_numpy(rows)).numpy()

    def _of_players(self, rows: Rows, walk: int, batch: Batch) -> NDArray[np.floating]:
        """What each player of a walk's input adds, all its entries together: [players, hidden]."""
        apart = rows.inputs[rows.items[walk]] - rows.background[rows.behind[walk]]
        added = batch.array(self._columns.shape, self._columns.dtype, "columns")
        np.multiply(self._sorted_columns, apart[self._by_player, None], out=added)
        return np.add.reduceat(added, self._starts, axis=0)

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
