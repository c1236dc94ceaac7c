"""Permutations and their prefix coalitions, beside numpy on the same thread."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import ops

PLAYERS, ROWS = 1000, 500


@pytest.fixture(scope="module")
def orders() -> np.ndarray:
    return ops.permutations(PLAYERS, ROWS, seed=0)


def test_permutations(benchmark, compare, orders):
    out = np.empty_like(orders)
    rows = np.tile(np.arange(PLAYERS, dtype=np.int32), (ROWS, 1))
    theirs = np.empty_like(rows)
    rng = np.random.default_rng(0)

    def ours(n_threads=1):
        return ops.permutations(PLAYERS, ROWS, seed=1, out=out, n_threads=n_threads)

    compare(
        f"permutations of {PLAYERS:,} players / Generator.permuted",
        ours,
        lambda: rng.permuted(rows, axis=1, out=theirs),
        bar=2.5,
        our_work=PLAYERS * ROWS,
        their_work=PLAYERS * ROWS,
        of="player",
    )
    benchmark(ours)


def test_permutations_on_two_threads(compare):
    """Long enough that a processor taken away for a moment does not decide."""
    out = np.empty((20_000, PLAYERS), dtype=np.int32)
    compare(
        "permutations, two threads / one",
        lambda: ops.permutations(PLAYERS, out.shape[0], seed=1, out=out, n_threads=2),
        lambda: ops.permutations(PLAYERS, out.shape[0], seed=1, out=out, n_threads=1),
        bar=1.8,
    )


def test_prefix_coalitions(benchmark, compare, orders):
    out = np.empty((ROWS // 5, PLAYERS + 1, (PLAYERS + 63) // 64), dtype=np.uint64)
    part = orders[: ROWS // 5]

    def ours():
        return ops.prefix_coalitions(part, out=out, n_threads=1)

    compare.rate("prefix coalitions as bits", ours, amount=out.nbytes / 1e9, unit="GB/s", bar=1.0)
    benchmark(ours)


@pytest.mark.parametrize("law", ["size", "coin"])
def test_subsets(benchmark, law):
    n = 196
    sizes = np.full(n + 1, 1 / (n + 1))
    out = np.empty((10_000, (n + 63) // 64), dtype=np.uint64)
    given = {"sizes": sizes} if law == "size" else {"q": 0.5}
    benchmark(lambda: ops.subsets(n, out.shape[0], seed=0, out=out, n_threads=1, **given))


def test_draws_with_replacement(benchmark):
    ids, samples = np.arange(2000, dtype=np.uint64), np.zeros(2000, dtype=np.uint32)
    benchmark(lambda: ops.draws_with_replacement(1000, ids, samples, min_size=100, max_size=999, seed=0, n_threads=1))


def test_unpack(benchmark, orders):
    bits = ops.prefix_coalitions(orders[:10])
    benchmark(lambda: ops.unpack(bits, PLAYERS))
