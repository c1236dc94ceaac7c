"""shapiq's KernelSHAP on one linear model: seconds per input, model calls included.
Environment: Python 3.12 or later, pip install "shapiq==1.8.0".
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from shapiq.approximator import KernelSHAP

n, evaluations = int(sys.argv[1]), int(sys.argv[2])
REPEATS = 5
rng = np.random.default_rng(0)
inputs, weights = rng.normal(size=(REPEATS, n)).astype(np.float32), rng.normal(size=n).astype(np.float32)


def seconds(x: np.ndarray) -> float:
    def game(coalitions: np.ndarray) -> np.ndarray:
        return np.where(coalitions, x, np.float32(0)) @ weights

    approximator = KernelSHAP(n, pairing_trick=True, random_state=0)
    start = time.perf_counter()
    approximator.approximate(evaluations, game)
    return time.perf_counter() - start


print("KernelSHAP", statistics.median([seconds(x) for x in inputs]))
