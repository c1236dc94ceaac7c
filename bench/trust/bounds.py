"""Equation 4 and Theorem 1 of the paper against measured errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.trust.known_errors import over_seeds
from bench.trust.linear import Linear, least_squares_errors, projected_sgd, ridge, theorem_1
from bench.trust.results import Result
from fastsa.display import Table

OUTPUTS = 5
BIASES = (0.0, 0.04, 0.25)


def _trained(problem: Linear, rng: np.random.Generator, n: int) -> np.ndarray:
    b = problem.contexts(rng, n)
    return ridge(b, problem.labels(rng, b))


# Without noise the last two attain the bound: they are off along the bias.
AMORTIZERS: dict[str, Callable[[Linear, np.random.Generator], np.ndarray]] = {
    "constant": lambda problem, rng: 0 * problem.theta,
    "trained, n = 100": lambda problem, rng: _trained(problem, rng, 100),
    "trained, n = 2,000": lambda problem, rng: _trained(problem, rng, 2000),
    "truth + half the bias": lambda problem, rng: problem.theta + 0.5 * problem.bias,
    "truth + 2 x the bias": lambda problem, rng: problem.theta + 2.0 * problem.bias,
}


def equation_4(seeds: int, n_test: int) -> Result:
    """Amortizers trained on the labels, and shifts along the bias, for several biases and noise 1."""
    d, rows, drawn, inside = 20, [], [], []
    off: list[float] = []
    for B in BIASES:
        for name in list(AMORTIZERS)[: None if B else 3]:
            rngs = [np.random.default_rng([seed, round(100 * B)]) for seed in range(seeds)]
            found = [one_bound(name, B, 1.0, d, n_test, rng) for rng in rngs]
            gap, low, error, high = (over_seeds([f[i] for f in found]) for i in range(4))
            held = [f[4] for f in found]
            inside += held
            off += [f[5] for f in found] if B == 0 else []
            drawn.append((B, gap[0], error[0]))
            rows.append((f"B = {B}, {name}", gap[0], low[0], *error, high[0], f"{sum(held)} of {seeds}"))
    head = ("", "L~ - N", "lower", "L", "95 % interval", "upper", "inside")
    mean, (low, high) = over_seeds(off)
    verdicts = [
        f"Eq. 4 holds in {sum(inside)} of {len(inside)} runs",
        f"without bias (L~ - N - L) / its standard error has mean {mean:.2f} ({low:.2f} .. {high:.2f}) "
        f"and standard deviation {np.std(off, ddof=1):.2f}; expected 0 and 1",
    ]
    notes = ("means over seeds; inside: seeds whose L is between the sides that the 95 % interval of L~ - N allows.",)
    title = f"Eq. 4: {d} features, N = 1, {n_test:,} fresh labels"
    return Result(Table(head, tuple(rows), notes, title), verdicts, {"points": drawn})


def one_bound(name: str, B: float, N: float, d: int, n_test: int, rng: np.random.Generator) -> tuple[float, ...]:
    """L~ - N, lower side, L, upper side; whether L is inside; by how many standard errors L~ - N differs from L."""
    problem = Linear.of(rng, d, OUTPUTS, B=B, N=N)
    weights = AMORTIZERS[name](problem, rng)
    b = problem.contexts(rng, n_test)
    losses = ((b @ weights.T - problem.labels(rng, b)) ** 2).sum(axis=1)
    gap, stderr = float(losses.mean() - N), float(losses.std(ddof=1) / np.sqrt(n_test))
    ends = np.sqrt(np.maximum([gap - 1.96 * stderr, gap, gap + 1.96 * stderr], 0.0))
    root, error = np.sqrt(B), problem.error(weights)
    lowest = 0.0 if ends[0] <= root <= ends[2] else min((ends[0] - root) ** 2, (ends[2] - root) ** 2)
    inside = bool(lowest <= error <= (ends[2] + root) ** 2)
    return gap, float((ends[1] - root) ** 2), error, float((ends[1] + root) ** 2), inside, (gap - error) / stderr


def theorem_1_runs(seeds: int, steps: int) -> Result:
    """SGD at several noises and five numbers of steps, the bound, and least squares of as many points."""
    d, noises = 10, np.array([0.0, 1.0, 4.0, 16.0])
    variances = np.linspace(0.5, 1.5, d)
    checkpoints = [int(t) for t in np.geomspace(steps / 100, steps, 5).round()]
    losses, bounds = np.empty((2, seeds, noises.size, len(checkpoints)))
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 1])
        theta = Linear.of(rng, d, OUTPUTS, B=0, N=0, variances=variances).theta
        radius = 2 * float(np.sqrt((theta**2).sum()))
        losses[seed] = projected_sgd(theta, variances, noises, radius, checkpoints, rng)
        bounds[seed] = theorem_1(variances, noises, radius, np.array(checkpoints))
    rows = []
    for i, N in enumerate(noises):
        slope = [float(np.polyfit(np.log(checkpoints[-3:]), np.log(run[i, -3:]), 1)[0]) for run in losses]
        last, bound = over_seeds(list(100 * losses[:, i, -1])), 100 * float(bounds[:, i, -1].mean())
        squares = over_seeds([100 * error for error in least_squares_errors(seeds, steps, d, OUTPUTS, N=float(N))])
        rows.append((f"N = {N:g}", *last, bound, *over_seeds(slope), *squares, float(100 * N * d / (steps - d - 1))))
    mean = losses[:, :, -1].mean(axis=0)
    line = np.polyval(np.polyfit(noises, mean, 1), noises)
    head = ("", f"SGD, T = {steps:,}", "95 % interval", "bound", "slope of the last decade", "95 % interval ")
    head += ("least squares", "95 % interval  ", "N d / (n - d - 1)")
    above = float(np.median(bounds[:, 1:] / losses[:, 1:]))
    verdicts = [
        f"Theorem 1 holds in {int((losses < bounds).sum())} of {losses.size} checkpoints; "
        f"with noise the bound is {above:.0f} x the loss in the median",
        f"SGD's loss is affine in N up to {np.abs(line / mean - 1)[1:].max():.1%} of it (N >= 1)",
    ]
    title = f"Theorem 1: {d} features, per cent of the truth's variance"
    drawn = {"steps": checkpoints, "noises": noises, "losses": losses.mean(axis=0), "bounds": bounds.mean(axis=0)}
    return Result(Table(head, tuple(rows), (), title), verdicts, drawn)
