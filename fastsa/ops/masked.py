"""Masked inputs: entries of absent players are taken from rows of a background; of coalitions, or along walks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops.walks import Walks

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


class EntriesOf(NamedTuple):
    """The entries of each player, ascending: player p has entries[offsets[p] : offsets[p + 1]], int32 and int64."""

    entries: NDArray[np.int32]
    offsets: NDArray[np.int64]


def entries_of_players(player_of: NDArray[np.int32], n_players: int) -> EntriesOf:
    """Turns player_of [entries] around.

    >>> entries_of_players(np.array([1, 0, 1], dtype=np.int32), 2)
    EntriesOf(entries=array([1, 0, 2], dtype=int32), offsets=array([0, 1, 3]))
    """
    offsets = np.append(0, np.cumsum(np.bincount(player_of, minlength=n_players)))
    return EntriesOf(np.argsort(player_of, kind="stable").astype(np.int32), offsets.astype(np.int64))


class MaskedWalks:
    """Writes the masked inputs of walks' values, any range at a time, with nothing checked.

    As `masked` of `memberships`: inputs of walks.lanes.items, over background[behind[walk]], behind int64 [walks.rows];
    entries_of None says that entry e is player e. A row is the row above with the entries of who joined: no coalition is
    written down, and a row costs a copy.
    """

    def __init__(
        self,
        inputs: NDArray[np.floating],
        walks: Walks,
        background: NDArray[np.floating],
        behind: NDArray[np.int64],
        entries_of: EntriesOf | None,
    ) -> None:
        entries, offsets = (None, None) if entries_of is None else entries_of
        self._view = _core.Walks(*walks.arrays, 1), walks.rows
        self._rest = inputs, walks.lanes.items, entries, offsets, background, behind

    def write(
        self,
        out: NDArray[np.floating],
        first: int,
        *,
        n_threads: int | None = None,
        cancel: _threads.Cancel | None = None,
    ) -> None:
        """As many values as `out` has rows, from `first` on."""

        def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
            _core.masked_walks(out, *self._view, first, *self._rest, begin, end, flag)

        chunk = max(1, _BYTES_PER_CHUNK * out.shape[0] // max(1, out.nbytes))
        _threads.run(kernel, out.shape[0], chunk=chunk, n_threads=n_threads, cancel=cancel, brief=True)


def _places(name: str, places: NDArray[np.int64], n: int, bound: int, dtype: type = np.int64) -> None:
    _checks.exact(name, places, dtype, 1)
    if places.size != n:
        raise ValueError(f"{name} has {places.size} entries; expected {n}.")
    if n and not (places.min() >= 0 and places.max() < bound):
        raise ValueError(f"{name} reach from {places.min()} to {places.max()}; expected 0 to {bound - 1}.")
