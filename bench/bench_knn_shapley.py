"""KNN-Shapley beside the limit of the machine: the product of the same tiles, and numpy's argsort of the same rows.

    pytest bench/bench_knn_shapley.py --benchmark-enable -s          the ratios, printed
    FASTSA_DATA=FOLDER in front of it also values Covertype

Ratios are of medians taken in turn in one run; every function runs on two threads.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import fastsa
from fastsa import _core, _threads
from fastsa.ops import knn_shapley as closed_forms
from fastsa.ops.neighbors import Neighborhood, _cut

THREADS = 2
FEATURES = 32
ROWS_OF_THE_LIMIT = 32
ROUNDS = 5


def arrays(n: int, m: int, classes: int = 10) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    X, X_val = (rng.normal(size=(rows, FEATURES)).astype(np.float32) for rows in (n, m))
    return X, rng.integers(0, classes, n), X_val, rng.integers(0, classes, m)


def limit(X: np.ndarray, X_val: np.ndarray) -> dict[str, Callable[[], None]]:
    """The two parts of any such method, a row of the tile per thread at a time, in reused memory."""
    tiles = [np.empty((1, len(X)), dtype=np.float32) for _ in X_val]
    transposed = np.ascontiguousarray(X.T)
    pool = ThreadPoolExecutor(THREADS)
    wide = np.empty((len(X_val), len(X)), dtype=np.float32)
    np.matmul(X_val, transposed, out=wide)
    for tile, row in zip(tiles, wide, strict=True):
        tile[0] = row
    return {
        "product": lambda: np.matmul(X_val, transposed, out=wide),
        "argsort": lambda: list(pool.map(lambda tile: tile.argsort(axis=1)[0, 0], tiles)),
    }


def in_turn(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each, one after the other in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(of_call) for name, of_call in seconds.items()}


def shares(X: np.ndarray, y: np.ndarray, X_val: np.ndarray, y_val: np.ndarray) -> dict[str, float]:
    """The share of each stage in the time of one thread."""
    hood = Neighborhood(X, X_val, y.astype(np.int32), y_val.astype(np.int32), "euclidean")
    steps = closed_forms.match_steps("hard", "shapley", len(X), 5, 10)
    problem, seconds = hood.problem(), np.zeros(3)
    cut, n_bytes = _cut(hood, problem, steps, 1 << 28)
    terms = _core.ClockedSteps(steps.step, 0.0, 0.0, seconds)
    out, flag = np.zeros((1, len(X))), np.zeros(1, np.int32)
    quickest = np.full(3, np.inf)
    for _ in range(ROUNDS):
        seconds[:] = 0.0
        _core.clocked_match_values(
            problem, cut, terms, out, 0, len(X_val), 0, len(X_val), _threads.scratch(n_bytes), flag
        )
        quickest = np.minimum(quickest, seconds)
    seconds = quickest
    return dict(zip(("products", "sort", "scan"), seconds / seconds.sum(), strict=True))


def test_ratio_to_the_product_and_the_argsort_of_the_same_rows():
    print()
    per_pair = {}
    for n, m in ((10_000, 512), (1_000_000, 256)):
        X, y, X_val, y_val = arrays(n, m)
        rows = min(m, ROWS_OF_THE_LIMIT if n > 100_000 else m)
        calls = limit(X, X_val[:rows]) | {
            "ours": lambda X=X, y=y, X_val=X_val, y_val=y_val: fastsa.knn_shapley(X, y, X_val, y_val, n_threads=THREADS)
        }
        seconds = in_turn(calls)
        pair = {name: s / n / (m if name == "ours" else rows) * 1e9 for name, s in seconds.items()}
        per_pair[n] = pair["ours"]
        parts = ", ".join(f"{name} {share:.0%}" for name, share in shares(X, y, X_val[:32], y_val[:32]).items())
        ratio = pair["ours"] / (pair["product"] + pair["argsort"])
        print(
            f"{n:>9,} points: ours {pair['ours']:.1f} ns per pair; sgemm {pair['product']:.1f}, argsort "
            f"{pair['argsort']:.1f}; ours / both {ratio:.2f} (bar 0.30); {parts}"
        )
    print(f"cost per pair, 1,000,000 over 10,000: {per_pair[1_000_000] / per_pair[10_000]:.2f} (bar 1.60)")


@pytest.mark.parametrize("n", [10_000, 100_000])
@pytest.mark.parametrize("variant", ["hard", "soft", "regression", "threshold"])
def test_variants(benchmark, variant, n):
    benchmark.group = f"knn_shapley, {n} x 256"
    X, y, X_val, y_val = arrays(n, 256)
    options = {"radius": 8.0} if variant == "threshold" else {}
    values = benchmark(lambda: fastsa.knn_shapley(X, y, X_val, y_val, variant=variant, n_threads=THREADS, **options))
    assert np.isfinite(values).all()
    if benchmark.stats:
        benchmark.extra_info["ns_per_pair"] = benchmark.stats.stats.median / n / 256 * 1e9


def test_weighted_votes(benchmark):
    benchmark.group = "knn_shapley, weighted, 1000 x 64"
    X, y, X_val, y_val = arrays(1000, 64, classes=2)
    values = benchmark(lambda: fastsa.knn_shapley(X, y, X_val, y_val, variant="weighted", n_threads=THREADS))
    assert np.isfinite(values).all()


@pytest.mark.skipif("FASTSA_DATA" not in os.environ, reason="FASTSA_DATA names the folder with covertype.npz")
def test_covertype_exact_and_with_epsilon():
    import resource

    with np.load(Path(os.environ["FASTSA_DATA"], "covertype.npz"), allow_pickle=False) as data:
        X, y = data["features"].astype(np.float32), data["label"]
    order = np.random.default_rng(0).permutation(len(X))
    X, y, X_val, y_val = X[order[:500_000]], y[order[:500_000]], X[order[500_000:510_000]], y[order[500_000:510_000]]
    fastsa.knn_shapley(X[:1000], y[:1000], X_val[:10], y_val[:10])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = {}
    values = {}
    for epsilon in (0.0, 1e-3):
        start = time.perf_counter()
        values[epsilon] = fastsa.knn_shapley(X, y, X_val, y_val, epsilon=epsilon, n_threads=THREADS)
        seconds[epsilon] = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"\nCovertype 500,000 x 10,000: exact {seconds[0.0]:.0f} s, epsilon 1e-3 {seconds[1e-3]:.0f} s "
        f"(share {seconds[1e-3] / seconds[0.0]:.2f}, bar 0.33); memory beside the inputs at most {grown:.0f} MiB "
        f"(bar 512); largest error {np.abs(values[0.0] - values[1e-3]).max():.1e}"
    )
