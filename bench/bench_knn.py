"""KNN walks: nanoseconds per step and validation point, which must not grow with the coalition."""

from __future__ import annotations

import time

import numpy as np
import pytest

from fastsa import ops
from fastsa.games import DataGame
from fastsa.ops import Walks
from fastsa.utilities import KNN

N_VAL = 1000


def make_game(n):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + N_VAL, 16))
    y = rng.integers(0, 5, n + N_VAL)
    return DataGame(KNN(5), X[:n], y[:n], X[n:], y[n:])


@pytest.mark.parametrize("n", [1000, 10_000])
def test_walk(benchmark, compare, n):
    game = make_game(n)
    walks = Walks.of_permutations(ops.permutations(n, 2, seed=0))
    distances = np.ones((n, N_VAL))

    def ours():
        return game.walk(walks, n_threads=1)

    def read_memory():
        """What any walk must at least do: read one row of distances per step."""
        return distances[walks.players].sum() if n <= 1000 else distances.sum() + distances.sum()

    steps = 2.0 * n * N_VAL
    compare(
        f"KNN walk, n={n:,} / reading its distances once per step",
        ours,
        read_memory,
        bar=0,
        our_work=steps,
        their_work=steps,
        of="step and validation point",
    )
    benchmark(ours)


def test_step_does_not_depend_on_the_coalition_size(compare):
    n = 8000
    game = make_game(n)
    order = ops.permutations(n, 1, seed=0)[0]

    def seconds(first, last):
        """Of the steps from `first` to `last` joined players, as a difference of two walks."""
        times = []
        for end in (first, last):
            walks = Walks.to_ends(order[:end], np.array([0, end]))
            start = time.perf_counter()
            game.walk(walks, n_threads=1)
            times.append(time.perf_counter() - start)
        return times[1] - times[0]

    seconds(10, 20)
    early, late = (np.median([seconds(*span) for _ in range(compare.rounds)]) for span in ((1000, 2000), (7000, 8000)))
    compare.record("KNN step at 7,500 members / at 1,500", late / early, bar=0, unit="x")
