"""Rows of a background set, drawn for an item and a sample each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops import _device
from fastsa.ops._lanes import check_ids

_ROWS_PER_CHUNK = 1 << 15
_MOST_BACKGROUND = 2**32 - 1  # the bound of one word


def background_rows(
    n_background: int,
    ids: NDArray[np.uint64],
    samples: NDArray[np.uint32],
    *,
    seed: int,
    role: str = "train",
    out: NDArray[np.int64] | None = None,
    n_threads: int | None = None,
    device: str = "cpu",
) -> NDArray[np.int64]:
    """One row of a background set of `n_background` rows for every item and sample: int64 [rows], uniform.

    Entry r depends on (seed, role, ids[r], samples[r]) only, and on words that no other draw takes: it is independent
    of the permutation or subset of the same item and sample. `ids` is uint64 [rows] below 2**48, `samples` uint32
    [rows]. `out` is written in place of a new array. With `device` "cuda" all arrays are CuPy's, ready in CuPy's
    current stream; the call waits for the device, for the largest id.

    Raises ValueError for no background, one beyond 2**32 - 1 rows, or ids and samples that are not one of each per row;
    BackendUnavailable when "cuda" lacks what it needs.

    >>> import fastsa, numpy as np
    >>> ids, samples = np.array([4, 4, 5], np.uint64), np.array([0, 1, 0], np.uint32)
    >>> rows = fastsa.ops.background_rows(1000, ids, samples, seed=0)
    >>> bool((fastsa.ops.background_rows(1000, ids[1:], samples[1:], seed=0) == rows[1:]).all())
    True
    """
    n_background = _checks.count("n_background", n_background, most=_MOST_BACKGROUND)
    seed, lane = _checks.seed(seed), _checks.role(role)
    cuda = _device.cuda(device, n_threads)
    check_ids(ids, samples, cuda)
    if cuda is not None:
        return cuda.background_rows(out, n_background, ids, samples, seed, lane)
    out = _checks.output(out, ids.shape, np.int64)

    def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.background_rows(out, n_background, ids, samples, seed, lane, begin, end, flag)

    _threads.run(kernel, ids.size, chunk=_ROWS_PER_CHUNK, n_threads=n_threads)
    return out
