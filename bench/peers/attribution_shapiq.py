"""shapiq on a model: KernelSHAP of one that is linear, seconds per input; or permutation sampling of a network, as a multiple
of its forward passes. Environment: Python 3.12 or later, pip install "shapiq==1.8.0"; torch is used where it is installed.

    attribution_shapiq.py PLAYERS EVALUATIONS
    attribution_shapiq.py network

Without torch the network is one of the same size in numpy, whose own forward passes are the measure.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from shapiq.approximator import KernelSHAP, PermutationSamplingSV

REPEATS = 5
FEATURES, HIDDEN, OUTPUTS = 100, 256, 10
INPUTS, ORDERS, BATCHES = 8, 10, (256, 512, 1024)  # inputs of 64: they are taken one by one
Outputs = Callable[[np.ndarray], np.ndarray]


def kernel_shap(n: int, evaluations: int) -> None:
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


def numpy_network() -> Outputs:
    rng = np.random.default_rng(0)
    sizes = (FEATURES, HIDDEN, HIDDEN, OUTPUTS)
    weights = [
        rng.normal(size=pair, scale=pair[0] ** -0.5).astype(np.float32) for pair in zip(sizes, sizes[1:], strict=False)
    ]

    def outputs(rows: np.ndarray) -> np.ndarray:
        for weight in weights[:-1]:
            rows = rows @ weight
            np.maximum(rows, 0, out=rows)
        return rows @ weights[-1]

    return outputs


def torch_network() -> Outputs:
    import torch

    torch.set_num_threads(1)
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    layers = linear(FEATURES, HIDDEN), relu(), linear(HIDDEN, HIDDEN), relu(), linear(HIDDEN, OUTPUTS)
    model = torch.nn.Sequential(*layers).eval()

    def outputs(rows: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(rows)).numpy()

    return outputs


def forward_seconds(outputs: Outputs, rows: int) -> float:
    """Processor seconds of so many rows, in batches of the best size."""

    def seconds(batch: int) -> float:
        given = np.random.default_rng(1).normal(size=(batch, FEATURES)).astype(np.float32)
        start = time.process_time()
        for first in range(0, rows, batch):
            outputs(given[: min(batch, rows - first)])
        return time.process_time() - start

    return min(seconds(batch) for batch in BATCHES)


def network() -> None:
    """All orders of an input in one call of the model; one output, as shapiq values one."""
    try:
        name, outputs = "torch", torch_network()
    except ImportError:
        name, outputs = "numpy", numpy_network()
    inputs = np.random.default_rng(2).normal(size=(INPUTS, FEATURES)).astype(np.float32)
    rows = 0

    def explain(x: np.ndarray) -> None:
        def game(coalitions: np.ndarray) -> np.ndarray:
            nonlocal rows
            masked = np.where(np.atleast_2d(coalitions), x, np.float32(0))
            rows += len(masked)
            return outputs(masked)[:, 0]

        approximator = PermutationSamplingSV(FEATURES, random_state=0)
        approximator.approximate(2 + ORDERS * (FEATURES - 1), game, batch_size=ORDERS)

    explain(inputs[0])
    ratios = []
    for _ in range(REPEATS):
        rows, start = 0, time.process_time()
        for x in inputs:
            explain(x)
        ratios.append((time.process_time() - start) / forward_seconds(outputs, rows))
    print(f"of_forward_of_{name}", statistics.median(ratios))


if sys.argv[1:] == ["network"]:
    network()
else:
    kernel_shap(int(sys.argv[1]), int(sys.argv[2]))
