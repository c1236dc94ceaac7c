"""Work over validation points: who is near whom, cut into blocks that fit `max_bytes` and summed in one fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops import _device

METRICS = {"euclidean": 0, "cosine": 0, "inner": 1}
POINT_DTYPES = (np.float16, np.float32, np.float64)
DEFAULT_BYTES = 1 << 29
_PARTIAL_VALUES = 1 << 22
_MOST_PARTIALS = 64
_FEWEST_PARTIALS = 8
_BLOCK_VALUES = 1 << 13
_VAL_PER_PASS = 4
_MOST_VAL_PER_BLOCK = 32
_MOST_ROWS_PER_BLOCK = 1024


@dataclass(frozen=True)
class Neighborhood:
    """Training points as seen from validation points; checked arrays, exact dtypes, all numpy's or all CuPy's.

    X        float16, float32 or float64 [n, d]
    X_val    the same [m, d], or None: every training point is valued by the others
    y, y_val int32 classes [n], [m], or None where classes play no part
    metric   "euclidean": the sum over features of squared differences, in their order, in float64
             "cosine": the same between points scaled to length one
             "inner": minus the inner product
    """

    X: NDArray[Any]
    X_val: NDArray[Any] | None
    y: NDArray[np.int32] | None
    y_val: NDArray[np.int32] | None
    metric: str

    @property
    def n(self) -> int:
        return self.X.shape[0]

    @property
    def n_val(self) -> int:
        return self.n if self.X_val is None else self.X_val.shape[0]

    @property
    def n_neighbors(self) -> int:
        """Training points that one validation point ranks."""
        return self.n - 1 if self.X_val is None else self.n

    @property
    def val_classes(self) -> NDArray[np.int32] | None:
        return self.y if self.X_val is None else self.y_val

    def check(self, cuda: _device.Cuda | None = None) -> None:
        """Raise TypeError or ValueError where an array is not what the class says, or not on the device."""
        kind, exact = (np.ndarray, _checks.exact) if cuda is None else (cuda.xp.ndarray, cuda.exact)
        owner = "an array" if cuda is None else "a CuPy array"
        _checks.choice("metric", self.metric, METRICS)
        for name, x in (("X", self.X), ("X_val", self.X_val)):
            if x is None and name == "X_val":
                continue
            if not isinstance(x, kind) or x.dtype not in POINT_DTYPES:
                given = x.dtype if isinstance(x, kind) else type(x).__name__
                raise TypeError(f"{name} is {given}; expected {owner} of float16, float32 or float64.")
            exact(name, x, x.dtype, 2)
        if self.X_val is not None and self.X_val.shape[1] != self.X.shape[1]:
            raise ValueError(f"X_val has {self.X_val.shape[1]} features; expected {self.X.shape[1]}, as in X.")
        _checks.count("the number of points", self.n, most=_checks.MOST_PLAYERS)
        for name, y, size in (("y", self.y, self.n), ("y_val", self.y_val, self.n_val)):
            if y is not None:
                exact(name, y, np.int32, 1)
                if y.size != size:
                    raise ValueError(f"{name} has {y.size} entries; expected {size}, one per point.")

    def problem(self) -> _core.NeighborProblem:
        """The native view."""
        X_val = self.X if self.X_val is None else self.X_val
        return _core.NeighborProblem(
            self.X, X_val, *self.scales(), METRICS[self.metric], self.y, self.val_classes, self.X_val is None
        )

    def scales(self, xp: Any = np) -> tuple[Any, Any]:
        """What multiplies training and validation points before they are compared: float64 [n] and [m], or None."""
        if self.metric != "cosine":
            return None, None
        scale = _to_length_one("X", self.X, xp)
        return scale, scale if self.X_val is None else _to_length_one("X_val", self.X_val, xp)


class Terms(Protocol):
    """A utility and an index, reduced to what a native launcher takes."""

    launcher: Callable[..., None]

    def native(self) -> Any: ...

    def workspace(self, problem: Any, cut: Any, n: int) -> int:
        """Bytes of scratch of one thread."""
        ...


def mean_values(
    hood: Neighborhood,
    terms: Terms,
    *,
    max_bytes: int | None = None,
    n_threads: int | None = None,
    cancel: _threads.Cancel | None = None,
) -> NDArray[np.float64]:
    """Values averaged over validation points: float64 [n].

    Partial sums belong to fixed ranges of validation points and are added in their order, so the bytes depend neither
    on the threads nor on `max_bytes`, which bounds the working memory (at least 8 rows of values and 4 of keys).
    """
    per_partial = val_per_partial(hood.n, hood.n_val)
    partials = np.zeros((-(-hood.n_val // per_partial), hood.n), dtype=np.float64)
    work = _Work(hood, terms, max_bytes, n_threads, cancel, held=partials.nbytes)
    work.run(partials, 0, hood.n_val, per_partial)
    total = partials[0]
    for partial in partials[1:]:
        total += partial
    total /= hood.n_val
    return total


def value_blocks(
    hood: Neighborhood,
    terms: Terms,
    *,
    max_bytes: int | None = None,
    n_threads: int | None = None,
    cancel: _threads.Cancel | None = None,
) -> Iterator[NDArray[np.float64]]:
    """Values of every validation point, in order, in blocks [some, n] of at most half of `max_bytes`."""
    rows = min(hood.n_val, max(1, (max_bytes or DEFAULT_BYTES) // (16 * hood.n)), _MOST_ROWS_PER_BLOCK)
    work = _Work(hood, terms, max_bytes, n_threads, cancel, held=rows * hood.n * 8)  # refuses before the first block

    def blocks() -> Iterator[NDArray[np.float64]]:
        for first in range(0, hood.n_val, rows):
            block = np.zeros((min(rows, hood.n_val - first), hood.n), dtype=np.float64)
            work.run(block, first, first + block.shape[0], 1)
            yield block

    return blocks()


class _Work:
    """One problem, cut for the memory and the threads at hand."""

    def __init__(
        self,
        hood: Neighborhood,
        terms: Terms,
        max_bytes: int | None,
        n_threads: int | None,
        cancel: _threads.Cancel | None,
        *,
        held: int,
    ) -> None:
        self._launch = type(terms).launcher
        self._terms = terms.native()
        self._problem = hood.problem()
        self._n_threads = _threads.resolve(n_threads)
        self._cancel = cancel
        left = ((max_bytes or DEFAULT_BYTES) - held) // min(self._n_threads, hood.n_val)
        self._cut, self._n_bytes = _cut(hood, self._problem, terms, left)

    def run(self, out: NDArray[np.float64], first: int, stop: int, val_per_row: int) -> None:
        """Add the values of validation points first .. stop - 1 to rows of `out`, `val_per_row` of them to each."""

        def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
            scratch = _threads.scratch(self._n_bytes)
            rows = (out, first, val_per_row, first + begin, first + end)
            self._launch(self._problem, self._cut, self._terms, *rows, scratch, flag)

        chunk = val_per_row if val_per_row > 1 else _MOST_VAL_PER_BLOCK
        _threads.run(kernel, stop - first, chunk=chunk, n_threads=self._n_threads, cancel=self._cancel)


def val_per_partial(n: int, n_val: int) -> int:
    """Validation points whose values are summed into one row, before the rows are: a function of the problem alone.

    Fewer than a block of them read the training points more often, so small problems have at least eight rows, and
    large ones as many as stay small beside the training points.
    """
    partials = min(max(_PARTIAL_VALUES // n, _FEWEST_PARTIALS), _MOST_PARTIALS)
    per_partial = max(-(-n_val // partials), min(n_val // _FEWEST_PARTIALS, _MOST_VAL_PER_BLOCK))
    return max(_VAL_PER_PASS, -(-per_partial // _VAL_PER_PASS) * _VAL_PER_PASS)


def _cut(
    hood: Neighborhood, problem: _core.NeighborProblem, terms: Terms, max_bytes: int
) -> tuple[_core.NeighborCut, int]:
    """As many validation points in a block as fit, and what they take; no value depends on it."""
    points = min(max(_BLOCK_VALUES // hood.X.shape[1] // 8 * 8, 64), 256)
    sample = min(hood.n, max(64, min(4096, hood.n // 32)))
    needed = -(-hood.n_val // _VAL_PER_PASS) * _VAL_PER_PASS
    for val in range(min(_MOST_VAL_PER_BLOCK, needed), 0, -_VAL_PER_PASS):
        cut = _core.NeighborCut(val, points, sample)
        n_bytes = terms.workspace(problem, cut, hood.n)
        if n_bytes <= max_bytes:
            break
    return cut, n_bytes


def _to_length_one(name: str, x: NDArray[Any], xp: Any) -> NDArray[np.float64]:
    """1 / length of every point, each length summed over features in their order: float64 [n]."""
    squares = xp.zeros(x.shape[0])
    for j in range(x.shape[1]):
        column = x[:, j].astype(np.float64)
        squares += column * column
    if not (squares > 0).all():
        row = int(xp.flatnonzero(squares == 0)[0])
        raise ValueError(f"{name}[{row}] has length zero, and so no direction; drop it or use another metric.")
    return 1.0 / xp.sqrt(squares)
