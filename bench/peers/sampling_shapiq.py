"""shapiq's coalitions of so many players: seconds per coalition of its permutations and of its paired size sampling.
Environment: Python 3.12 or later, pip install "shapiq==1.8.0".
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from shapiq.approximator import PermutationSamplingSV
from shapiq.approximator.sampling import CoalitionSampler

n = int(sys.argv[1])
REPEATS = 3


class Game:
    """Answers zeros, and counts the coalitions it was asked for."""

    def __init__(self) -> None:
        self.coalitions = 0

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        self.coalitions += len(coalitions)
        return np.zeros(len(coalitions))


def permutations() -> float:
    """Its estimator draws, builds and adds up in one loop, which cannot be timed apart; the adding up is included."""
    game = Game()
    start = time.perf_counter()
    PermutationSamplingSV(n, random_state=0).approximate(50 * n, game)
    return (time.perf_counter() - start) / game.coalitions


def pairs() -> float:
    size = np.arange(1, n)
    weights = np.zeros(n + 1)
    weights[1:-1] = 1.0 / (size * (n - size))
    sampler = CoalitionSampler(n, weights, pairing_trick=True, random_state=0)
    start = time.perf_counter()
    sampler.sample(10_000)
    return (time.perf_counter() - start) / sampler.n_coalitions


for run in (permutations, pairs):
    print(run.__name__, statistics.median(run() for _ in range(REPEATS)))
