"""Who is a member of each coalition that walks ask for: dense booleans, for games that take those."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops.walks import Walks

_BYTES_PER_CHUNK = 1 << 21


def memberships(
    walks: Walks,
    n_players: int,
    first: int = 0,
    stop: int | None = None,
    *,
    out: NDArray[np.bool_] | None = None,
    n_threads: int | None = None,
) -> NDArray[np.bool_]:
    """The coalitions behind values first .. stop - 1 of `walks`: booleans [stop - first, n_players].

    One row per scored position and per branch, in the order of the values; None for `stop` is the last. A player who
    joins twice is a member once. `out` is written in place of a new array, so that a loop over ranges reuses one.

    Raises TypeError when `walks` are none, ValueError when they or the range are out of bounds.

    >>> import fastsa, numpy as np
    >>> walks = fastsa.ops.Walks.of_permutations(np.array([[2, 0, 1]], dtype=np.int32))
    >>> fastsa.ops.memberships(walks, 3, 1).astype(int).tolist()
    [[0, 0, 1], [1, 0, 1], [1, 1, 1]]
    """
    if not isinstance(walks, Walks):
        raise TypeError(f"walks is a {type(walks).__name__}; expected fastsa.ops.Walks.")
    n_players = _checks.count("n_players", n_players, most=_checks.MOST_PLAYERS)
    walks.check(n_players)
    stop = walks.n_values if stop is None else _checks.count("stop", stop, least=0, most=walks.n_values)
    first = _checks.count("first", first, least=0, most=stop)
    out = _checks.output(out, (stop - first, n_players), np.bool_)
    write_memberships(walks, out, first, n_threads=n_threads)
    return out


def write_memberships(
    walks: Walks,
    out: NDArray[np.bool_],
    first: int,
    *,
    n_threads: int | None = None,
    cancel: _threads.Cancel | None = None,
) -> None:
    """As `memberships`, of as many values as `out` has rows, with nothing checked: for a loop over checked walks."""
    view = _core.Walks(*walks.arrays, 1)

    def kernel(begin: int, end: int, flag: NDArray[Any]) -> None:
        _core.memberships(out, view, walks.rows, first, begin, end, flag)

    chunk = max(1, _BYTES_PER_CHUNK // out.shape[1])
    _threads.run(kernel, out.shape[0], chunk=chunk, n_threads=n_threads, cancel=cancel, brief=True)
