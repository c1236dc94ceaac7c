"""Uniform permutations of players, a function of seed and row alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops import _device

_WORDS_PER_CHUNK = 1 << 16


def permutations(
    n_players: int,
    rows: int,
    *,
    seed: int,
    first_row: int = 0,
    role: str = "train",
    out: NDArray[np.int32] | None = None,
    n_threads: int | None = None,
    device: str = "cpu",
) -> NDArray[np.int32]:
    """Uniform random permutations of `n_players` players: int32 [rows, n_players].

    Row r is drawn by Fisher and Yates from the Philox4x32-10 words of (seed, role, first_row + r): the same bytes on
    any machine, for any number of threads, and for any split into calls. `out` is written in place of a new array.
    With `device` "cuda" the result (and `out`) is a CuPy array of the same bytes, ready in CuPy's current stream.

    Raises ValueError for fewer than one player, a negative number of rows, a seed outside 64 bits, an unknown role, or
    rows beyond 2**32; BackendUnavailable when "cuda" lacks what it needs.

    >>> import fastsa
    >>> whole = fastsa.ops.permutations(5, 3, seed=7)
    >>> bool((fastsa.ops.permutations(5, 1, seed=7, first_row=2) == whole[2:]).all())
    True
    """
    n_players = _checks.count("n_players", n_players, most=_checks.MOST_PLAYERS)
    lane = _checks.role(role)
    seed = _checks.seed(seed)
    rows = _checks.count("rows", rows, least=0)
    first, _ = _checks.sample_range(first_row, max(rows, 1), what="rows")
    if (cuda := _device.cuda(device, n_threads)) is not None:
        return cuda.permutations(out, n_players, rows, seed, lane, first)
    out = _checks.output(out, (rows, n_players), np.int32)

    def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.permutations(out, seed, lane, 0, first, begin, end, flag)

    _threads.run(kernel, rows, chunk=max(1, _WORDS_PER_CHUNK // n_players), n_threads=n_threads)
    return out
