r"""Claims: the paper's theory holds on linear problems where truth, bias and noise of the labels are known.

    python -m bench.trust.theory [--seeds 10] [--small] [--out FOLDER]

Eq. 4       (sqrt(L~ - N) - sqrt(B))^2 <= L <= (sqrt(L~ - N) + sqrt(B))^2 for any amortizer: L its error against the truth, L~
            the one measured against labels of bias B and noise N on fresh contexts. L~ - N is an estimate: the bound is
            taken over its 95 % interval. Without bias L~ - N = L, and what is measured differs by chance only.
Theorem 1   the excess loss of averaged, projected SGD stays below 4 Tr(S_p) (N_q + 4 l_max(S_q) D^2) / (l_min(S_p) (T + 1)),
            falls as 1 / T and rises affinely with the noise; that of least squares is N d / (n - d - 1).
Bias, noise error of least squares as both are dialled: B + N d / (n - d - 1). Bias is a floor, noise is averaged out.
Tolerance   of a truth of which the share A does not follow from the contexts, with noise N of a label, signal 1 and
            r = d / (n - d - 1): least squares beats an item's own label where N > A (1 + r) / (1 - r), and the constant
            where N < (1 - A) / r - A. Predicted against measured; beyond it ridge still beats the constant.

Truth has variance 1. Means over seeds (problems, contexts and labels) with 95 % t intervals.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

from bench.trust.known_errors import over_seeds
from bench.trust.linear import Linear, projected_sgd, ridge, theorem_1
from fastsa.display import Table, new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE

OUTPUTS = 5


@dataclass(frozen=True)
class Result:
    """A table, what it says of the claim, and numbers to draw."""

    table: Table
    verdicts: list[str]
    drawn: dict[str, Any]


def equation_4(seeds: int, n_test: int) -> Result:
    """Amortizers trained on the labels, and shifts along the bias, where the bound is attained."""
    d, rows, drawn, inside = 20, [], [], []
    off: list[float] = []
    for B in (0.0, 0.04, 0.25):
        for name in ("constant", "trained, n = 100", "trained, n = 2,000", "truth + half the bias", "truth + 2 x the bias"):
            if B == 0 and "truth" in name:
                continue
            found = [_one_bound(name, B, 1.0, d, n_test, np.random.default_rng([seed, round(100 * B)])) for seed in range(seeds)]
            gap, low, error, high = (over_seeds([f[i] for f in found]) for i in range(4))
            held = [f[4] for f in found]
            inside += held
            off += [f[5] for f in found] if B == 0 else []
            drawn.append((B, gap[0], error[0]))
            rows.append((f"B = {B}, {name}", gap[0], low[0], *error, high[0], f"{sum(held)} of {seeds}"))
    head = ("", "L~ - N", "lower", "L", "95 % interval", "upper", "inside")
    off_mean, interval = over_seeds(off)
    verdicts = [
        f"Eq. 4 holds in {sum(inside)} of {len(inside)} runs",
        f"without bias (L~ - N - L) / its standard error has mean {off_mean:.2f} ({interval[0]:.2f} .. {interval[1]:.2f}) "
        f"and standard deviation {np.std(off, ddof=1):.2f}; expected 0 and 1",
    ]
    notes = ("means over seeds; inside: seeds whose L is between the sides that follow from the 95 % interval of L~ - N.",)
    title = f"Eq. 4: {d} features, N = 1, {n_test:,} fresh labels"
    return Result(Table(head, tuple(rows), notes, title), verdicts, {"points": drawn})


def _one_bound(name: str, B: float, N: float, d: int, n_test: int, rng: np.random.Generator) -> tuple[float, ...]:
    """L~ - N, the two sides, L between, whether it is inside, and how many standard errors L~ - N is from what it estimates."""
    problem = Linear.of(rng, d, OUTPUTS, B=B, N=N)
    if name.startswith("trained"):
        b = problem.contexts(rng, int(name.split("= ")[1].replace(",", "")))
        weights = ridge(b, problem.labels(rng, b))
    else:
        share = {"constant": None, "truth + half the bias": 0.5, "truth + 2 x the bias": 2.0}[name]
        weights = 0 * problem.theta if share is None else problem.theta + share * problem.bias
    b = problem.contexts(rng, n_test)
    losses = ((b @ weights.T - problem.labels(rng, b)) ** 2).sum(axis=1)
    gap, stderr = float(losses.mean() - N), float(losses.std(ddof=1) / np.sqrt(n_test))
    ends = np.sqrt(np.maximum([gap - 1.96 * stderr, gap, gap + 1.96 * stderr], 0.0))
    root, error = np.sqrt(B), problem.error(weights)
    lowest = 0.0 if ends[0] <= root <= ends[2] else min((ends[0] - root) ** 2, (ends[2] - root) ** 2)
    highest = (ends[2] + root) ** 2
    off = (gap - error) / stderr
    return gap, float((ends[1] - root) ** 2), error, float((ends[1] + root) ** 2), bool(lowest <= error <= highest), off


def theorem_1_runs(seeds: int, steps: int) -> Result:
    d, noises = 10, np.array([0.0, 1.0, 4.0, 16.0])
    variances = np.linspace(0.5, 1.5, d)
    checkpoints = [int(t) for t in np.geomspace(steps / 100, steps, 5).round()]
    rows, excess = [], []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 1])
        theta = Linear.of(rng, d, OUTPUTS, B=0, N=0, variances=variances).theta
        radius = 2 * float(np.sqrt((theta**2).sum()))
        excess.append((projected_sgd(theta, variances, noises, radius, checkpoints, rng), theorem_1(variances, noises, radius, np.array(checkpoints))))
    losses, bounds = (np.stack(part) for part in zip(*excess, strict=True))
    for i, N in enumerate(noises):
        slope = [float(np.polyfit(np.log(checkpoints), np.log(run[i]), 1)[0]) for run in losses]
        last = over_seeds(list(losses[:, i, -1]))
        squares = over_seeds(_least_squares(seeds, steps, d, float(N)))
        rows.append((f"N = {N:g}", *last, float(bounds[:, i, -1].mean()), *over_seeds(slope), *squares, float(N * d / (steps - d - 1))))
    below = int((losses < bounds).sum())
    mean = losses[1:, :, -1].mean(axis=0) if seeds > 1 else losses[0, :, -1]
    line = np.polyval(np.polyfit(noises, mean, 1), noises)
    head = ("", f"SGD, T = {steps:,}", "95 % interval", "bound", "slope in log T", "95 % interval ", "least squares", "95 % interval  ", "N d / (n - d - 1)")
    verdicts = [
        f"Theorem 1 holds in {below} of {losses.size} checkpoints; the bound is {np.median(bounds / np.maximum(losses, 1e-300)):.0f} x the loss in the median",
        f"SGD's loss is affine in N up to {np.abs(line / mean - 1)[1:].max():.1%} of it (N >= 1)",
    ]
    drawn = {"steps": checkpoints, "noises": noises, "losses": losses.mean(axis=0), "bounds": bounds.mean(axis=0)}
    return Result(Table(head, tuple(rows), (), f"Theorem 1: {d} features"), verdicts, drawn)


def _least_squares(seeds: int, n: int, d: int, N: float, B: float = 0.0) -> list[float]:
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, n, round(100 * N), round(1e4 * B)])
        problem = Linear.of(rng, d, OUTPUTS, B=B, N=N)
        b = problem.contexts(rng, n)
        found.append(problem.error(ridge(b, problem.labels(rng, b))))
    return found


def bias_and_noise(seeds: int, sizes: tuple[int, ...]) -> Result:
    d, rows, drawn, ratios = 20, [], {}, []
    for B in (0.0, 0.01, 0.1):
        for N in (0.1, 1.0, 10.0):
            cells: list[Any] = [f"B = {B}, N = {N:g}"]
            for n in sizes:
                found = _least_squares(seeds, n, d, N, B)
                predicted = B + N * d / (n - d - 1)
                cells += [*over_seeds(found), predicted]
                ratios.append(float(np.mean(found)) / predicted)
                drawn[B, N, n] = float(np.mean(found))
            rows.append(tuple(cells))
    head = [""]
    for i, n in enumerate(sizes):
        head += [f"n = {n:,}", "95 % interval" + " " * i, "predicted" + " " * i]
    verdicts = [f"measured over predicted B + N d / (n - d - 1): {min(ratios):.2f} to {max(ratios):.2f} over {len(ratios)} cells"]
    table = Table(tuple(head), tuple(rows), (), f"Bias and noise dialled apart: {d} features, error of least squares")
    return Result(table, verdicts, {"cells": drawn, "sizes": sizes})


def tolerance(seeds: int, repeats: int) -> Result:
    """The two noises between which least squares is best, predicted and measured."""
    rows, drawn, ratios, kept = [], [], [], []
    for n, d, A in ((100, 10, 0.1), (100, 40, 0.1), (400, 40, 0.1), (400, 40, 0.4), (2000, 40, 0.2)):
        r = d / (n - d - 1)
        predicted = (A * (1 + r) / (1 - r), (1 - A) / r - A)
        found = [_crossings(n, d, A, repeats, np.random.default_rng([seed, n, d, round(10 * A)])) for seed in range(seeds)]
        cells: list[Any] = [f"n = {n:,}, d = {d}, A = {A}"]
        for i in range(2):
            measured = over_seeds([f[i] for f in found])
            cells += [predicted[i], *measured]
            ratios.append(measured[0] / predicted[i])
            drawn.append((predicted[i], measured[0]))
        beyond = over_seeds([f[2] for f in found])
        kept.append(beyond[0] < 1)
        rows.append((*cells, *beyond))
    head = ("", "beats the label above N =", "measured", "95 % interval", "the constant below N =", "measured ", "95 % interval ", "ridge at 4 x that", "95 % interval  ")
    verdicts = [
        f"measured over predicted thresholds: {min(ratios):.3f} to {max(ratios):.3f}",
        f"ridge of the best penalty beats the constant at 4 x the threshold in {sum(kept)} of {len(kept)} settings",
    ]
    notes = ("noise N of a label over the signal; ridge: its error over the constant's.",)
    return Result(Table(head, tuple(rows), notes, "Noise tolerance"), verdicts, {"thresholds": drawn})


def _crossings(n: int, d: int, A: float, repeats: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """The noises at which the mean error over `repeats` training sets passes the label's and the constant's; ridge beyond.

    The error is quadratic in the scale of the noise for given draws, so that crossings are exact for these.
    """
    theta = np.sqrt((1 - A) / d) * rng.choice([-1.0, 1.0], d)
    unseen, noise, contexts = (rng.normal(size=(repeats, n, *rest)) for rest in ((), (), (d,)))
    pulls = [np.linalg.lstsq(b, np.column_stack([u, e]), rcond=None)[0] for b, u, e in zip(contexts, unseen, noise, strict=True)]

    def error(N: float) -> float:
        return A + float(np.mean([((pull @ np.sqrt([A, N])) ** 2).sum() for pull in pulls]))

    low = optimize.brentq(lambda N: error(N) - N, 1e-6, 1e3)
    high = optimize.brentq(lambda N: error(N) - 1.0, 1e-6, 1e4)
    penalty = d * (4 * high + A) / (1 - A)
    labels = contexts @ theta + np.sqrt(A) * unseen + np.sqrt(4 * high) * noise
    beyond = [((ridge(b, l[:, None], penalty)[0] - theta) ** 2).sum() for b, l in zip(contexts, labels, strict=True)]
    return float(low), float(high), A + float(np.mean(beyond))


def draw(results: list[Result], path: Path) -> None:
    figure, axes = new_figure(4, (15.0, 3.8))
    bound, theorem, dials, threshold = (result.drawn for result in results)
    gaps = np.linspace(0, 1.3, 200)
    for B, color in ((0.0, GREY), (0.04, ORANGE), (0.25, BLUE)):
        sides = [(np.sqrt(gaps) + sign * np.sqrt(B)) ** 2 for sign in (-1, 1)]
        axes[0].fill_between(gaps, *sides, color=color, alpha=0.15)
        points = np.array([(gap, error) for b, gap, error in bound["points"] if b == B])
        axes[0].plot(*points.T, "o", ms=4, color=color, label=f"B = {B}")
    axes[0].plot(gaps, gaps, "--", lw=1, color=GREY)
    axes[0].set(title="Eq. 4", xlabel="error against labels - N", ylabel="error against the truth")
    for i, color in ((1, ORANGE), (3, BLUE)):
        axes[1].loglog(theorem["steps"], theorem["losses"][i], "o-", ms=4, color=color, label=f"N = {theorem['noises'][i]:g}")
        axes[1].loglog(theorem["steps"], theorem["bounds"][i], ":", color=color)
    axes[1].set(title="Theorem 1 (dotted: the bound)", xlabel="steps T", ylabel="excess loss")
    for (B, N), color, style in zip(((0.0, 1.0), (0.0, 10.0), (0.1, 1.0), (0.1, 10.0)), (GREY, GREY, BLUE, BLUE), ("-", "--", "-", "--"), strict=True):
        axes[2].loglog(dials["sizes"], [dials["cells"][B, N, n] for n in dials["sizes"]], "o" + style, ms=4, color=color, label=f"B = {B}, N = {N:g}")
    axes[2].set(title="bias is a floor, noise is not", xlabel="training points n", ylabel="error")
    predicted, measured = zip(*threshold["thresholds"], strict=True)
    axes[3].loglog(predicted, measured, "o", ms=5, color=BLUE)
    axes[3].plot([min(predicted), max(predicted)], [min(predicted), max(predicted)], "--", lw=1, color=GREY)
    axes[3].set(title="noise tolerance", xlabel="predicted threshold N", ylabel="measured")
    for axis in axes[:3]:
        axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="a form that takes a second")
    parser.add_argument("--out", type=Path, default=None, help="folder for the figure")
    given = parser.parse_args(arguments)
    if given.seeds < 2:
        parser.error(f"--seeds is {given.seeds}; expected at least 2, which intervals need.")
    n_test, steps, sizes, repeats = (2000, 500, (60, 600), 5) if given.small else (20_000, 10_000, (100, 1000, 10_000), 20)
    results = [
        equation_4(given.seeds, n_test),
        theorem_1_runs(given.seeds, steps),
        bias_and_noise(given.seeds, sizes),
        tolerance(given.seeds, repeats),
    ]
    for result in results:
        print(result.table, *result.verdicts, "", sep="\n")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        draw(results, given.out / "theory.png")


if __name__ == "__main__":
    main()
