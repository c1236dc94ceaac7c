"""KNN-Shapley on a CUDA device: tiles of validation points that fit `max_bytes`, ranked by CuPy, valued by kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from fastsa import _checks
from fastsa.ops import _device
from fastsa.ops.neighbors import DEFAULT_BYTES, METRICS, Neighborhood, val_per_partial

# A pair's distance and value, and where CuPy sorts rows of them: a copy, the order, row numbers, and Thrust's buffer of
# all three.
_BYTES_PER_PAIR = 16
_BYTES_PER_RANKED_PAIR = 64


class Terms(Protocol):
    """A utility and an index, reduced to what a kernel takes."""

    device_kernel: str | None
    ranked: bool  # whether the kernel reads ranks; else distances

    def device_arguments(self, cuda: _device.Cuda, hood: Neighborhood) -> tuple[Any, ...]:
        """The kernel's arguments after values, ranks or distances, rows, n and first."""
        ...


def mean_values(cuda: _device.Cuda, hood: Neighborhood, terms: Terms, *, max_bytes: int | None = None) -> Any:
    """Values averaged over validation points: CuPy float64 [n], ready in the current stream.

    As `neighbors.mean_values`, for CuPy arrays: the same distances, ranks and order of sums as there. The bytes depend
    neither on `max_bytes` (which bounds the working memory on the device, to at least one row of pairs and the 8 to 64
    rows of sums) nor on how kernels are launched.

    Raises BackendUnavailable for terms that devices have no kernel for; TypeError for arrays that are not CuPy's:
    nothing is moved, save the tables of the terms.
    """
    per_sum = val_per_partial(hood.n, hood.n_val)
    n_sums = -(-hood.n_val // per_sum)
    tiles = _Tiles(cuda, hood, terms, max_bytes, held=8 * n_sums * hood.n)
    sums = cuda.xp.zeros((n_sums, hood.n), dtype=np.float64)
    values = cuda.xp.empty((tiles.rows, hood.n), dtype=np.float64)
    for first in range(0, hood.n_val, tiles.rows):
        tile = values[: hood.n_val - first]
        tiles.value(first, tile)
        cuda.launch("add_columns", sums, n_sums, tile, tile.shape[0], hood.n, first, per_sum)
    total = sums[0].copy()
    for more in sums[1:]:
        total += more
    total /= hood.n_val
    return total


def value_blocks(
    cuda: _device.Cuda, hood: Neighborhood, terms: Terms, *, max_bytes: int | None = None
) -> Iterator[Any]:
    """Values of every validation point, in order, in CuPy blocks [some, n]; errors are those of `mean_values`."""
    tiles = _Tiles(cuda, hood, terms, max_bytes, held=0)  # refuses before the first block

    def blocks() -> Iterator[Any]:
        for first in range(0, hood.n_val, tiles.rows):
            block = cuda.xp.empty((min(tiles.rows, hood.n_val - first), hood.n), dtype=np.float64)
            tiles.value(first, block)
            yield block

    return blocks()


class _Tiles:
    """One problem on a device, cut for its memory."""

    def __init__(
        self, cuda: _device.Cuda, hood: Neighborhood, terms: Terms, max_bytes: int | None, *, held: int
    ) -> None:
        if terms.device_kernel is None:
            raise _checks.BackendUnavailable(
                f"{type(terms).__name__} has no kernel for a CUDA device; use device='cpu'."
            )
        hood.check(cuda)
        self._cuda = cuda
        self._hood = hood
        self._kernel, self._ranked = terms.device_kernel, terms.ranked
        self._arguments = terms.device_arguments(cuda, hood)
        per_row = hood.n * (_BYTES_PER_RANKED_PAIR if terms.ranked else _BYTES_PER_PAIR)
        self.rows = min(hood.n_val, max(1, ((max_bytes or DEFAULT_BYTES) - held) // per_row))
        self._distances = cuda.xp.empty((self.rows, hood.n), dtype=np.float64)
        self._points = self._point_arguments()

    def value(self, first: int, out: Any) -> None:
        """Write the values of validation points `first` on into `out` [at most `rows`, n]."""
        rows, n = out.shape
        read = self._distances[:rows]
        self._cuda.launch("neighbor_distances", read, rows, first, *self._points)
        if self._ranked:
            # Stable, so that equal distances stay in the order of their indices.
            read = self._cuda.xp.argsort(read, axis=1, kind="stable")
        self._cuda.launch(self._kernel, out, read, rows, n, first, *self._arguments)

    def _point_arguments(self) -> tuple[Any, ...]:
        hood = self._hood
        X_val = hood.X if hood.X_val is None else hood.X_val
        scale, val_scale = hood.scales(self._cuda.xp)
        train = hood.X, *hood.X.shape, hood.X.dtype.itemsize, scale
        val = X_val, hood.n_val, X_val.dtype.itemsize, val_scale
        return *train, *val, METRICS[hood.metric], hood.X_val is None
