"""The network: seconds to fit and to predict, which must grow with the points only in proportion."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np

from fastsa.amortize import ValuationNet


def problem(n):
    """Noisy labels of a planted function of 64 features and 10 classes."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 64)), rng.integers(0, 10, n).astype(np.int32)
    truth = X[:, 0] * (y < 5) - 0.1 * y
    noisy = (truth + 3 * rng.normal(size=n))[:, None]
    return X, y, SimpleNamespace(mean=noisy, count=np.full(n, 8), stderr=np.full((n, 1), 3 / np.sqrt(8)))


def fit(n):
    X, y, labels = problem(n)
    return lambda: ValuationNet().fit(X, y, labels, n_classes=10)


def test_fit(benchmark):
    benchmark.pedantic(fit(1000), rounds=3)


def test_predict(benchmark):
    net = fit(1000)()
    X, y, _ = problem(10_000)
    benchmark(lambda: net.predict(X, y))


def test_fit_is_linear_in_the_points(compare):
    seconds = []
    for n in (1000, 4000):
        run = fit(n)
        rounds = []
        for _ in range(min(3, compare.rounds)):
            start = time.perf_counter()
            run()
            rounds.append(time.perf_counter() - start)
        seconds.append(float(np.median(rounds)))
    compare.record("fit of 4,000 points / of 1,000", seconds[1] / seconds[0], bar=0, unit="x")
