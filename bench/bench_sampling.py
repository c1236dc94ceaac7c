"""Coalitions of 196 players, the patches of an image, from the draw to booleans that a model can read; one thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fastsa import ops

PLAYERS = 196
ITEMS, SAMPLES = 100, 50


def lanes() -> dict[str, np.ndarray]:
    """Many items at once, as many samples of each."""
    return {
        "ids": np.repeat(np.arange(ITEMS, dtype=np.uint64), SAMPLES),
        "samples": np.tile(np.arange(SAMPLES, dtype=np.uint32), ITEMS),
    }


def prefixes_as_booleans() -> tuple[Callable[[], object], int]:
    """Permutations, and all their prefixes in a buffer that is kept; and how many coalitions that is."""
    per_call = 500
    of_rows = {name: array[:per_call] for name, array in lanes().items()}
    orders = np.empty((per_call, PLAYERS), dtype=np.int32)
    out = np.empty((per_call * (PLAYERS + 1), PLAYERS), dtype=np.bool_)

    def run() -> None:
        ops.permutations(PLAYERS, per_call, seed=0, out=orders, n_threads=1, **of_rows)
        ops.memberships(ops.Walks.of_permutations(orders), PLAYERS, out=out, n_threads=1)

    return run, out.shape[0]


def kernel_shap_sizes() -> np.ndarray:
    """1 / (s (n - s)) for s = 1 .. n - 1: Lundberg and Lee (2017), theorem 2, summed over the coalitions of a size."""
    size = np.arange(1, PLAYERS)
    law = np.zeros(PLAYERS + 1)
    law[1:-1] = 1.0 / (size * (PLAYERS - size))
    return law / law.sum()


def paired_subsets(as_booleans: bool) -> tuple[Callable[[], object], int]:
    """Half of the coalitions by the size law, half their complements."""
    of_rows, sizes = lanes(), kernel_shap_sizes()
    rows = of_rows["ids"].size
    everyone = ops.pack(np.ones(PLAYERS, dtype=np.bool_))
    bits = np.empty((2, rows, everyone.size), dtype=np.uint64)

    def run() -> object:
        ops.subsets(PLAYERS, rows, sizes=sizes, seed=0, out=bits[0], n_threads=1, **of_rows)
        np.bitwise_xor(bits[0], everyone, out=bits[1])
        return ops.unpack(bits, PLAYERS) if as_booleans else bits

    return run, 2 * rows


RUNS = {
    "prefixes of permutations, booleans": (prefixes_as_booleans, 3.33),
    "KernelSHAP pairs, bits": (lambda: paired_subsets(as_booleans=False), 1.0),
    "KernelSHAP pairs, booleans": (lambda: paired_subsets(as_booleans=True), 1.0),
}


@pytest.mark.parametrize("what", RUNS)
def test_millions_of_coalitions_a_second(benchmark, compare, what):
    make, bar = RUNS[what]
    run, coalitions = make()
    compare.rate(f"{PLAYERS} players: {what}", run, amount=coalitions / 1e6, unit="M/s", bar=bar)
    benchmark(run)


def test_background_rows(benchmark, compare):
    given = lanes()
    out = np.empty(given["ids"].size, dtype=np.int64)

    def run() -> None:
        ops.background_rows(100, seed=0, out=out, n_threads=1, **given)

    compare.rate("background rows", run, amount=out.size / 1e6, unit="M/s", bar=0)
    benchmark(run)
