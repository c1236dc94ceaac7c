"""Coalitions: prefixes of permutations, subsets by law, draws with replacement; dense rows of bits for small games.

A row of bits is uint64 [words], words = ceil(n_players / 64); player p is bit p % 64 of word p // 64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops import _device
from fastsa.ops._lanes import check_ids, row_lanes

_WORDS_PER_CHUNK = 1 << 16


def _n_words(n_players: int) -> int:
    return (n_players + 63) // 64


def prefix_coalitions(
    orders: NDArray[np.int32],
    *,
    out: NDArray[np.uint64] | None = None,
    n_threads: int | None = None,
    device: str = "cpu",
) -> NDArray[np.uint64]:
    """The coalitions that a permutation passes through: bits uint64 [rows, n_players + 1, words].

    `orders` is int32 [rows, n_players], every row a permutation of 0 .. n_players - 1. Entry [r, t] holds the first t
    players of row r. `out` is written in place of a new array.

    Raises TypeError or ValueError when `orders` is of another dtype or layout or a row is not a permutation.

    >>> import fastsa, numpy as np
    >>> bits = fastsa.ops.prefix_coalitions(np.array([[2, 0, 1]], dtype=np.int32))
    >>> fastsa.ops.unpack(bits[0], 3).astype(int).tolist()
    [[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1]]
    """
    cuda = _device.cuda(device, n_threads)
    (_checks.exact if cuda is None else cuda.exact)("orders", orders, np.int32, 2)
    rows, n = orders.shape
    _checks.count("n_players", n)
    if rows and not (_core if cuda is None else cuda).are_permutations(orders):
        raise ValueError("a row of orders is not a permutation of its players; draw them with ops.permutations.")
    if cuda is not None:
        return cuda.prefix_coalitions(out, orders, _n_words(n))
    out = _checks.output(out, (rows, n + 1, _n_words(n)), np.uint64)

    def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.prefix_coalitions(out, orders, begin, end, flag)

    _threads.run(kernel, rows, chunk=max(1, _WORDS_PER_CHUNK // ((n + 1) * _n_words(n))), n_threads=n_threads)
    return out


def subsets(
    n_players: int,
    rows: int,
    *,
    sizes: NDArray[np.float64] | None = None,
    q: float | None = None,
    seed: int,
    first_row: int = 0,
    ids: NDArray[np.uint64] | None = None,
    samples: NDArray[np.uint32] | None = None,
    role: str = "train",
    out: NDArray[np.uint64] | None = None,
    n_threads: int | None = None,
    device: str = "cpu",
) -> NDArray[np.uint64]:
    """Random subsets of `n_players` players: bits uint64 [rows, words].

    Either `sizes`, float64 [n_players + 1], gives the probability of each size and a subset is uniform within its size;
    or every player joins independently with probability `q`, taken to the nearest multiple of 2**-32. Row r depends on
    (seed, role, first_row + r) only; with `ids`, uint64 [rows] below 2**48, and `samples`, uint32 [rows], on (seed,
    role, ids[r], samples[r]): one game's draws among those of many. Rows without them are those of id 0. With `device`
    "cuda" all arrays are CuPy's, of the same bytes, ready in CuPy's current stream; `sizes` stays a numpy array, and
    given ids, it waits for the largest of them.

    Raises ValueError unless exactly one law is given, when `sizes` are negative or do not sum to 1 within 1e-9, when
    `q` is outside [0, 1], or when ids and samples are not one of each per row; BackendUnavailable when "cuda" lacks
    what it needs.

    >>> import fastsa, numpy as np
    >>> bits = fastsa.ops.subsets(4, 100, sizes=np.array([0, 0, 1.0, 0, 0]), seed=1)
    >>> set(fastsa.ops.unpack(bits, 4).sum(axis=1).tolist())
    {2}
    """
    n_players = _checks.count("n_players", n_players, most=_checks.MOST_PLAYERS)
    rows = _checks.count("rows", rows, least=0)
    if (sizes is None) == (q is None):
        raise ValueError("give one law: either sizes, the probability of each size, or q, the chance of each player.")
    cumulative, coin = (_cumulative(sizes, n_players), 0) if q is None else (None, _coin(q))
    shape = rows, _n_words(n_players)
    cuda = _device.cuda(device, n_threads)
    lanes = row_lanes(rows, seed=seed, role=role, first_row=first_row, ids=ids, samples=samples, cuda=cuda)
    if cuda is not None:
        return cuda.subsets(out, n_players, shape, cumulative, coin, lanes.addresses)
    out = _checks.output(out, shape, np.uint64)

    def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.subsets(out, n_players, cumulative, coin, *lanes.arguments, begin, end, flag)

    _threads.run(kernel, rows, chunk=max(1, _WORDS_PER_CHUNK // n_players), n_threads=n_threads)
    return out


def _cumulative(sizes: NDArray[np.float64] | None, n_players: int) -> NDArray[np.float64]:
    law = _checks.exact("sizes", sizes, np.float64, 1)
    if law.shape != (n_players + 1,):
        raise ValueError(f"sizes has shape {law.shape}; expected ({n_players + 1},), one per size from 0 to n_players.")
    if not np.isfinite(law).all() or (law < 0).any() or abs(law.sum() - 1) > 1e-9:
        raise ValueError("sizes are not probabilities; expected non-negative numbers that sum to 1.")
    cumulative = np.cumsum(law)
    cumulative[np.flatnonzero(law)[-1] :] = 1.0
    return cumulative


def _coin(q: float) -> int:
    q = _checks.number("q", q)
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"q is {q}; expected a probability in [0, 1].")
    return round(q * 2**32)


def draws_with_replacement(
    n_players: int,
    ids: NDArray[np.uint64],
    samples: NDArray[np.uint32],
    *,
    min_size: int,
    max_size: int,
    seed: int,
    role: str = "train",
    n_threads: int | None = None,
    device: str = "cpu",
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Multisets of players: for row r a size uniform on min_size .. max_size, then players uniform with replacement.

    Returns (players int32 [total], offsets int64 [rows + 1]); row r is players[offsets[r] : offsets[r + 1]] and depends
    on (seed, role, ids[r], samples[r]) only. `ids` is uint64 [rows], `samples` uint32 [rows]. With `device` "cuda" all
    arrays are CuPy's; the call waits for the device, for the largest id and for the total size.

    Raises ValueError for ids beyond 48 bits, min_size below 0 or above max_size; BackendUnavailable when "cuda" lacks
    what it needs.

    >>> import fastsa, numpy as np
    >>> players, offsets = fastsa.ops.draws_with_replacement(
    ...     9, np.array([4], np.uint64), np.array([0], np.uint32), min_size=3, max_size=3, seed=0)
    >>> offsets.tolist()
    [0, 3]
    """
    n_players = _checks.count("n_players", n_players, most=_checks.MOST_PLAYERS)
    min_size = _checks.count("min_size", min_size, least=0)
    max_size = _checks.count("max_size", max_size, least=min_size, most=_checks.MOST_PLAYERS - 1)
    cuda = _device.cuda(device, n_threads)
    check_ids(ids, samples, cuda)
    lane, seed = _checks.role(role), _checks.seed(seed)
    if cuda is not None:
        return cuda.draws_with_replacement(n_players, ids, samples, min_size, max_size, seed, lane)
    rows = ids.size
    sizes = np.empty(rows, dtype=np.int64)
    chunk = max(1, _WORDS_PER_CHUNK // max(1, max_size))

    def size_kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.draw_sizes(sizes, ids, samples, min_size, max_size, seed, lane, begin, end, flag)

    _threads.run(size_kernel, rows, chunk=_WORDS_PER_CHUNK, n_threads=n_threads)
    offsets = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    players = np.empty(offsets[-1], dtype=np.int32)

    def player_kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.draw_players(players, offsets, ids, samples, n_players, min_size, max_size, seed, lane, begin, end, flag)

    _threads.run(player_kernel, rows, chunk=chunk, n_threads=n_threads)
    return players, offsets


def members(bits: NDArray[np.uint64], *, n_threads: int | None = None) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The players of each row of bits uint64 [rows, words], ascending: (players int32 [total], offsets int64 [rows + 1]).

    Row r is players[offsets[r] : offsets[r + 1]]. Raises TypeError or ValueError for bits of another dtype or layout.

    >>> import fastsa, numpy as np
    >>> players, offsets = fastsa.ops.members(np.array([[6], [0], [1]], dtype=np.uint64))
    >>> players.tolist(), offsets.tolist()
    ([1, 2, 0], [0, 2, 2, 3])
    """
    _checks.exact("bits", bits, np.uint64, 2)
    rows, words = bits.shape
    offsets = np.zeros(rows + 1, dtype=np.int64)
    sizes, chunk = np.empty(rows, dtype=np.int64), max(1, _WORDS_PER_CHUNK // max(1, 8 * words))

    def size_kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.count_members(sizes, bits, begin, end, flag)

    _threads.run(size_kernel, rows, chunk=8 * chunk, n_threads=n_threads)
    np.cumsum(sizes, out=offsets[1:])
    players = np.empty(offsets[-1], dtype=np.int32)

    def player_kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        _core.list_members(players, offsets, bits, begin, end, flag)

    _threads.run(player_kernel, rows, chunk=chunk, n_threads=n_threads)
    return players, offsets


def unpack(bits: NDArray[np.uint64], n_players: int) -> NDArray[np.bool_]:
    """Rows of bits uint64 [..., words] as booleans [..., n_players].

    Raises TypeError for another dtype, ValueError when the last axis does not hold the words of `n_players`.

    >>> import fastsa, numpy as np
    >>> fastsa.ops.unpack(np.array([6], dtype=np.uint64), 4).tolist()
    [False, True, True, False]
    """
    n_players = _checks.count("n_players", n_players)
    bits = np.asarray(bits)
    if bits.dtype != np.uint64:
        raise TypeError(f"bits have dtype {bits.dtype}; expected uint64.")
    if bits.ndim == 0 or bits.shape[-1] != _n_words(n_players):
        raise ValueError(
            f"bits have shape {bits.shape}; expected [..., {_n_words(n_players)}] for {n_players} players."
        )
    octets = np.ascontiguousarray(bits).astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=n_players, bitorder="little").view(np.bool_)


def pack(coalitions: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Booleans [..., n_players] as rows of bits uint64 [..., words]; the inverse of `unpack`.

    Raises TypeError for another dtype, ValueError for no players.

    >>> import fastsa, numpy as np
    >>> fastsa.ops.pack(np.array([False, True, True, False])).tolist()
    [6]
    """
    coalitions = np.asarray(coalitions)
    if coalitions.dtype != np.bool_:
        raise TypeError(f"coalitions have dtype {coalitions.dtype}; expected bool.")
    if coalitions.ndim == 0 or coalitions.shape[-1] == 0:
        raise ValueError(f"coalitions have shape {coalitions.shape}; expected [..., n_players], at least one player.")
    octets = np.packbits(coalitions, axis=-1, bitorder="little")
    words = np.zeros((*coalitions.shape[:-1], 8 * _n_words(coalitions.shape[-1])), dtype=np.uint8)
    words[..., : octets.shape[-1]] = octets
    return words.view("<u8").astype(np.uint64, copy=False)
