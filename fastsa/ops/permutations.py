"""Uniform permutations of players, a function of seed and row alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops import _device
from fastsa.ops._lanes import row_lanes

_WORDS_PER_CHUNK = 1 << 16


def permutations(
    n_players: int,
    rows: int,
    *,
    seed: int,
    first_row: int = 0,
    ids: NDArray[np.uint64] | None = None,
    samples: NDArray[np.uint32] | None = None,
    role: str = "train",
    out: NDArray[np.int32] | None = None,
    n_threads: int | None = None,
    device: str = "cpu",
) -> NDArray[np.int32]:
    """Uniform random permutations of `n_players` players: int32 [rows, n_players].

    Row r is drawn by Fisher and Yates from the Philox4x32-10 words of (seed, role, first_row + r): the same bytes on
    any machine, for any number of threads, and for any split into calls. With `ids`, uint64 [rows] below 2**48, and
    `samples`, uint32 [rows], row r is drawn from (seed, role, ids[r], samples[r]) instead: one game's draws among those
    of many. Rows without them are those of id 0. `out` is written in place of a new array. With `device` "cuda" all
    arrays are CuPy's, of the same bytes, ready in CuPy's current stream; given ids, it waits for the largest of them.

    Raises ValueError for fewer than one player, a negative number of rows, a seed outside 64 bits, an unknown role,
    rows beyond 2**32, or ids and samples that are not one of each per row; BackendUnavailable when "cuda" lacks what it
    needs.

    >>> import fastsa
    >>> whole = fastsa.ops.permutations(5, 3, seed=7)
    >>> bool((fastsa.ops.permutations(5, 1, seed=7, first_row=2) == whole[2:]).all())
    True
    >>> import numpy as np
    >>> ids, samples = np.array([0, 9], np.uint64), np.array([2, 2], np.uint32)
    >>> each = fastsa.ops.permutations(5, 2, seed=7, ids=ids, samples=samples)
    >>> [bool((row == whole[2]).all()) for row in each]
    [True, False]
    """
    n_players = _checks.count("n_players", n_players, most=_checks.MOST_PLAYERS)
    rows = _checks.count("rows", rows, least=0)
    cuda = _device.cuda(device, n_threads)
    lanes = row_lanes(rows, seed=seed, role=role, first_row=first_row, ids=ids, samples=samples, cuda=cuda)
    if cuda is not None:
        return cuda.permutations(out, n_players, rows, lanes.addresses)
    out = _checks.output(out, (rows, n_players), np.int32)

    def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.permutations(out, *lanes.arguments, begin, end, flag)

    _threads.run(kernel, rows, chunk=max(1, _WORDS_PER_CHUNK // n_players), n_threads=n_threads, brief=True)
    return out
