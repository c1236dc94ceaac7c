"""Neighbours that the caller ranked: arrays or a sparse graph, checked, in the order (distance, index), and valued."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _core, _threads
from fastsa.ops.neighbors import val_per_partial

_ROWS_PER_BLOCK = 256


@dataclass(frozen=True)
class NeighborLists:
    """The listed training points of every validation point, nearest first.

    offsets  int64 [m + 1]; row v is points[offsets[v] : offsets[v + 1]]
    points   int32
    n        training points in all
    """

    offsets: NDArray[np.int64]
    points: NDArray[np.int32]
    n: int

    @property
    def n_val(self) -> int:
        return self.offsets.size - 1

    @property
    def shortest(self) -> int:
        return int(np.diff(self.offsets).min())

    @property
    def longest(self) -> int:
        return int(np.diff(self.offsets).max())

    def truncated(self, length: int) -> NeighborLists:
        """The same lists, of at most `length` points each."""
        kept = np.minimum(np.diff(self.offsets), length)
        row = np.repeat(np.arange(self.n_val), kept)
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        place = np.arange(offsets[-1]) - offsets[row]
        return NeighborLists(offsets, self.points[self.offsets[row] + place], self.n)


def from_arrays(indices: Any, distances: Any, n: int) -> NeighborLists:
    """Lists from the index and distance arrays [m, length] that nearest-neighbour libraries return.

    Raises ValueError for other shapes, indices outside 0 .. n - 1 (libraries mark what they did not find with -1),
    repeated neighbours of one point, and distances that are NaN.
    """
    indices, distances = np.asarray(indices), np.asarray(distances)
    if indices.ndim != 2 or indices.shape != distances.shape or 0 in indices.shape:
        raise ValueError(
            f"neighbour indices have shape {indices.shape} and distances {distances.shape}; "
            "expected the same two axes, [validation points, neighbours], neither empty."
        )
    offsets = np.arange(indices.shape[0] + 1, dtype=np.int64) * indices.shape[1]
    return _sorted(offsets, indices.reshape(-1), distances.reshape(-1), n)


def from_graph(graph: Any, n: int) -> NeighborLists:
    """Lists from a sparse matrix of distances in CSR form, [m, n]: what is stored is a neighbour, at distance 0 too."""
    if len(graph.shape) != 2 or graph.shape[1] != n:
        raise ValueError(f"the neighbour graph has shape {tuple(graph.shape)}; expected [validation points, {n}].")
    offsets = np.asarray(graph.indptr).astype(np.int64)
    if (np.diff(offsets) < 1).any():
        row = int(np.flatnonzero(np.diff(offsets) < 1)[0])
        raise ValueError(f"row {row} of the neighbour graph is empty; expected at least one neighbour per point.")
    return _sorted(offsets, np.asarray(graph.indices), np.asarray(graph.data), n)


def _sorted(offsets: NDArray[np.int64], points: NDArray[Any], distances: NDArray[Any], n: int) -> NeighborLists:
    if points.dtype.kind not in "iu":
        raise TypeError(f"neighbour indices have dtype {points.dtype}; expected integers.")
    if distances.dtype.kind not in "fiu":
        raise TypeError(f"neighbour distances have dtype {distances.dtype}; expected real numbers.")
    row = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    outside = np.flatnonzero((points < 0) | (points >= n))
    if outside.size:
        raise ValueError(
            f"validation point {row[outside[0]]} lists the neighbour {points[outside[0]]}; "
            f"expected 0 to {n - 1}. Drop neighbours that were not found."
        )
    if np.isnan(distances).any():
        raise ValueError(f"a neighbour of validation point {row[np.isnan(distances)][0]} is at distance NaN.")
    order = np.lexsort((points, distances, row))
    listed = np.ascontiguousarray(points[order], dtype=np.int32)
    by_point = np.lexsort((points, row))
    again = (points[by_point][1:] == points[by_point][:-1]) & (row[1:] == row[:-1])
    if again.any():
        where = by_point[1:][again][0]
        raise ValueError(f"validation point {row[where]} lists the neighbour {points[where]} twice; expected it once.")
    return NeighborLists(offsets, listed, n)


class ListedWork:
    """Lists, with what is known of the points, and the terms of a utility that values them."""

    def __init__(
        self,
        lists: NeighborLists,
        terms: Any,
        classes: NDArray[np.int32] | None,
        val_classes: NDArray[np.int32] | None,
        n_threads: int | None,
    ) -> None:
        self._lists = lists
        self._launch = type(terms).listed_launcher
        self._terms = terms.native()
        self._native = _core.NeighborLists(lists.offsets, lists.points, classes, val_classes, lists.longest)
        self._n_bytes = _core.lists_workspace(lists.longest)
        self._n_threads = n_threads

    def mean_values(self) -> NDArray[np.float64]:
        """Values averaged over validation points: float64 [n]; points that no list has are worth 0."""
        lists = self._lists
        per_partial = val_per_partial(lists.n, lists.n_val)
        partials = np.zeros((-(-lists.n_val // per_partial), lists.n), dtype=np.float64)
        self._run(partials, 0, lists.n_val, per_partial)
        return _in_order(partials) / lists.n_val

    def value_blocks(self) -> Iterator[NDArray[np.float64]]:
        """Values of every validation point, in order, in blocks [some, n]."""
        lists = self._lists
        for first in range(0, lists.n_val, _ROWS_PER_BLOCK):
            block = np.zeros((min(_ROWS_PER_BLOCK, lists.n_val - first), lists.n), dtype=np.float64)
            self._run(block, first, first + block.shape[0], 1)
            yield block

    def _run(self, out: NDArray[np.float64], first: int, stop: int, val_per_row: int) -> None:
        def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
            scratch = _threads.scratch(self._n_bytes)
            self._launch(self._native, self._terms, out, first, val_per_row, first + begin, first + end, scratch, flag)

        chunk = val_per_row if val_per_row > 1 else _ROWS_PER_BLOCK
        _threads.run(kernel, stop - first, chunk=chunk, n_threads=self._n_threads)


def _in_order(partials: NDArray[np.float64]) -> NDArray[np.float64]:
    total = partials[0].copy()
    for partial in partials[1:]:
        total += partial
    return total
