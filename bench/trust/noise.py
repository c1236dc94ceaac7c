"""What bias and noise of labels do to least squares, and how much noise it tolerates."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import optimize

from bench.trust.known_errors import over_seeds
from bench.trust.linear import least_squares_errors, ridge
from bench.trust.results import Result
from fastsa.display import Table

OUTPUTS = 5
SETTINGS = ((100, 10, 0.1), (100, 40, 0.1), (400, 40, 0.1), (400, 40, 0.4), (2000, 40, 0.2))  # points, features, A


def bias_and_noise(seeds: int, sizes: tuple[int, ...]) -> Result:
    """Least squares on labels of several biases and noises, by the number of training points."""
    d, rows, drawn, ratios = 20, [], {}, []
    for B in (0.0, 0.01, 0.1):
        for N in (0.1, 1.0, 10.0):
            cells: list[Any] = [f"B = {B}, N = {N:g}"]
            for n in sizes:
                found = least_squares_errors(seeds, n, d, OUTPUTS, N=N, B=B)
                predicted = B + N * d / (n - d - 1)
                cells += [*over_seeds([100 * error for error in found]), 100 * predicted]
                ratios.append(float(np.mean(found)) / predicted)
                drawn[B, N, n] = float(np.mean(found))
            rows.append(tuple(cells))
    head = [""]
    for i, n in enumerate(sizes):
        head += [f"n = {n:,}", "95 % interval" + " " * i, "predicted" + " " * i]
    ends = f"{min(ratios):.2f} to {max(ratios):.2f}"
    verdicts = [f"measured over predicted B + N d / (n - d - 1): {ends} over {len(ratios)} cells"]
    title = f"Bias and noise dialled apart: {d} features, error of least squares in per cent of the truth's variance"
    table = Table(tuple(head), tuple(rows), (), title)
    return Result(table, verdicts, {"cells": drawn, "sizes": sizes})


def tolerance(seeds: int, repeats: int) -> Result:
    """The two noises between which least squares is best, predicted and measured."""
    rows, drawn, ratios, kept = [], [], [], []
    for n, d, A in SETTINGS:
        r = d / (n - d - 1)
        predicted = (A * (1 + r) / (1 - r), (1 - A) / r - A)
        rngs = [np.random.default_rng([seed, n, d, round(10 * A)]) for seed in range(seeds)]
        found = [crossings(n, d, A, repeats, rng) for rng in rngs]
        cells: list[Any] = [f"n = {n:,}, d = {d}, A = {A}"]
        for i in range(2):
            measured = over_seeds([f[i] for f in found])
            cells += [predicted[i], *measured]
            ratios.append(measured[0] / predicted[i])
            drawn.append((predicted[i], measured[0]))
        beyond = over_seeds([f[2] for f in found])
        kept.append(beyond[0] < 1)
        rows.append((*cells, *beyond))
    head = ("", "beats the label above N =", "measured", "95 % interval", "the constant below N =", "measured ")
    head += ("95 % interval ", "ridge at 4 x that", "95 % interval  ")
    verdicts = [
        f"measured over predicted thresholds: {min(ratios):.3f} to {max(ratios):.3f}",
        f"ridge of the best penalty beats the constant at 4 x the threshold in {sum(kept)} of {len(kept)} settings",
    ]
    notes = ("noise N of a label over the signal; ridge: its error over the constant's.",)
    return Result(Table(head, tuple(rows), notes, "Noise tolerance"), verdicts, {"thresholds": drawn})


def crossings(n: int, d: int, A: float, repeats: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """The noises where least squares passes the label and the constant, and the error of ridge at 4 x the latter.

    Errors are means over `repeats` training sets. That of least squares is quadratic in the scale of the noise for
    given draws, so that crossings are exact for these.
    """
    theta = np.sqrt((1 - A) / d) * rng.choice([-1.0, 1.0], d)
    unseen, noise, contexts = (rng.normal(size=(repeats, n, *rest)) for rest in ((), (), (d,)))
    pulls = [
        np.linalg.lstsq(b, np.column_stack([u, e]), rcond=None)[0]
        for b, u, e in zip(contexts, unseen, noise, strict=True)
    ]

    def error(N: float) -> float:
        return A + float(np.mean([((pull @ np.sqrt([A, N])) ** 2).sum() for pull in pulls]))

    low = optimize.brentq(lambda N: error(N) - N, 1e-6, 1e3)
    high = optimize.brentq(lambda N: error(N) - 1.0, 1e-6, 1e4)
    penalty = d * (4 * high + A) / (1 - A)
    labels = contexts @ theta + np.sqrt(A) * unseen + np.sqrt(4 * high) * noise
    beyond = [
        ((ridge(b, one[:, None], penalty)[0] - theta) ** 2).sum() for b, one in zip(contexts, labels, strict=True)
    ]
    return float(low), float(high), A + float(np.mean(beyond))
