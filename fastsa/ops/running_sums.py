"""Running sums: a linear layer's answers along walks, each the one before and the columns of the player who joined."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa import _core, _threads
from fastsa.ops.masked import EntriesOf

_ADDED_PER_CHUNK = 1 << 20


class Rows(NamedTuple):
    """Inputs of walks, flattened: absent entries of walk r are background[behind[r]], present ones inputs[items[r]]."""

    inputs: NDArray[np.floating]
    items: NDArray[np.int64]
    background: NDArray[np.floating]
    behind: NDArray[np.int64]


def write_running_sums(
    starts: NDArray[np.floating],
    joining: NDArray[np.int32],
    columns: NDArray[np.floating],
    rows: Rows,
    entries_of: EntriesOf | None,
    out: NDArray[np.floating],
    *,
    rectified: bool = False,
    n_threads: int | None = None,
) -> None:
    """Sums [walks, positions, units] into `out`, with nothing checked; float32 or float64, of one dtype.

    out[w, 0] is starts[w], and out[w, p] is out[w, p - 1] + the sum over entries e of player joining[w, p - 1], in their order,
    of columns[e] * (inputs[items[w], e] - background[behind[w], e]); no two terms are contracted. entries_of None says that
    entry e is player e. `rectified` writes 0 for sums below 0, which goes on to be summed as it was.
    """
    units = columns.shape[1]
    entries, offsets = (None, None) if entries_of is None else entries_of

    def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        scratch = _threads.scratch(2 * units * columns.itemsize)[: 2 * units * columns.itemsize].view(columns.dtype)
        _core.running_sums(out, starts, joining, columns, entries, offsets, *rows, rectified, begin, end, scratch, flag)

    walks = joining.shape[0]
    added = (joining.shape[1] + 1) * units * max(1, columns.shape[0] // max(1, joining.shape[1]))
    _threads.run(kernel, walks, chunk=max(1, _ADDED_PER_CHUNK // added), n_threads=n_threads, brief=True)
