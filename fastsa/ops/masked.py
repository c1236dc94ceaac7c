"""Masked inputs: entries of absent players are taken from rows of a background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads

_BYTES_PER_CHUNK = 1 << 20


def masked(
    inputs: NDArray[np.floating],
    items: NDArray[np.int64],
    members: NDArray[np.bool_],
    background: NDArray[np.floating],
    rows: NDArray[np.int64] | None = None,
    *,
    player_of: NDArray[np.int32] | None = None,
    out: NDArray[np.floating] | None = None,
    n_threads: int | None = None,
) -> NDArray[np.floating]:
    """A model's rows for coalitions of its inputs' players: [coalitions, entries], or [coalitions, b, entries].

    Entry e of coalition c is inputs[items[c], e] where members[c, player_of[e]], else background[rows[c], e]. Without
    `rows` all b rows of the background stand behind every coalition in turn, and the masks are not repeated in memory.

    inputs, background  float32 or float64 [items, entries] and [b, entries], of one dtype
    items, rows         int64 [coalitions]
    members             bool [coalitions, players]
    player_of           int32 [entries]; None: entry e is player e
    out                 written in place of a new array, and worth reusing: writing memory is the whole cost

    Numbers are copied as bits, NaN included. Raises TypeError or ValueError for other dtypes, layouts and shapes, and for
    items, rows or players that are out of bounds.

    >>> import fastsa, numpy as np
    >>> X, background = np.array([[1.0, 2.0]]), np.array([[0.0, 0.0], [9.0, 9.0]])
    >>> fastsa.ops.masked(X, np.array([0]), np.array([[True, False]]), background).tolist()
    [[[1.0, 0.0], [1.0, 9.0]]]
    """
    dtype = getattr(inputs, "dtype", None)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"inputs have dtype {dtype}; expected float32 or float64.")
    _checks.exact("inputs", inputs, dtype, 2)
    _checks.exact("background", background, dtype, 2)
    _checks.exact("members", members, np.bool_, 2)
    entries = inputs.shape[1]
    if background.shape[1] != entries:
        raise ValueError(f"background has {background.shape[1]} entries a row; expected {entries}, as the inputs.")
    _places("items", items, members.shape[0], inputs.shape[0])
    if rows is not None:
        _places("rows", rows, members.shape[0], background.shape[0])
    if player_of is not None:
        _places("player_of", player_of, entries, members.shape[1], np.int32)
    elif members.shape[1] != entries:
        raise ValueError(
            f"members have {members.shape[1]} players; expected {entries}, one per entry, without player_of."
        )
    shape = (members.shape[0], entries) if rows is not None else (members.shape[0], background.shape[0], entries)
    out = _checks.output(out, shape, dtype)
    write_masked(inputs, items, members, background, rows, player_of, out, n_threads=n_threads)
    return out


def write_masked(
    inputs: NDArray[np.floating],
    items: NDArray[np.int64],
    members: NDArray[np.bool_],
    background: NDArray[np.floating],
    rows: NDArray[np.int64] | None,
    player_of: NDArray[np.int32] | None,
    out: NDArray[np.floating],
    *,
    n_threads: int | None = None,
) -> None:
    """As `masked`, with nothing checked: for a loop over checked items and rows."""

    def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.masked(out, inputs, items, members, player_of, background, rows, begin, end, flag)

    coalitions = members.shape[0]
    chunk = max(1, _BYTES_PER_CHUNK * coalitions // max(1, out.nbytes))
    _threads.run(kernel, coalitions, chunk=chunk, n_threads=n_threads, brief=True)


def _places(name: str, places: NDArray[np.int64], n: int, bound: int, dtype: type = np.int64) -> None:
    _checks.exact(name, places, dtype, 1)
    if places.size != n:
        raise ValueError(f"{name} has {places.size} entries; expected {n}.")
    if n and not (places.min() >= 0 and places.max() < bound):
        raise ValueError(f"{name} reach from {places.min()} to {places.max()}; expected 0 to {bound - 1}.")
