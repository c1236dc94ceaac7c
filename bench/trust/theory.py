r"""Claims: the paper's theory holds on linear problems where truth, bias and noise of the labels are known.

    python -m bench.trust.theory [--seeds 10] [--small] [--out FOLDER]

Eq. 4       (sqrt(L~ - N) - sqrt(B))^2 <= L <= (sqrt(L~ - N) + sqrt(B))^2 for any amortizer: L its error against the
            truth, L~ the one measured against labels of bias B and noise N on fresh contexts. L~ - N is an estimate:
            the bound is taken over its 95 % interval. Without bias L~ - N = L; what is measured differs by chance only.
Theorem 1   the excess loss of averaged, projected SGD stays below
            4 Tr(S_p) (N_q + 4 l_max(S_q) D^2) / (l_min(S_p) (T + 1)), falls as 1 / T (the last of two decades; faster
            without noise) and rises affinely with the noise; that of least squares is N d / (n - d - 1).
Bias, noise error of least squares as both are dialled: B + N d / (n - d - 1). Bias is a floor, noise is averaged out.
Tolerance   of a truth of which the share A does not follow from the contexts, with noise N of a label, signal 1 and
            r = d / (n - d - 1): least squares beats an item's own label where N > A (1 + r) / (1 - r), and the constant
            where N < (1 - A) / r - A. Predicted against measured; beyond it ridge still beats the constant.

Truth has variance 1. Means over seeds (problems, contexts and labels) with 95 % t intervals.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bench.trust.bounds import equation_4, theorem_1_runs
from bench.trust.noise import bias_and_noise, tolerance
from bench.trust.results import Result
from fastsa.display import new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE


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
        axes[1].loglog(
            theorem["steps"], theorem["losses"][i], "o-", ms=4, color=color, label=f"N = {theorem['noises'][i]:g}"
        )
        axes[1].loglog(theorem["steps"], theorem["bounds"][i], ":", color=color)
    axes[1].set(title="Theorem 1 (dotted: the bound)", xlabel="steps T", ylabel="excess loss")
    for (B, N), color, style in zip(
        ((0.0, 1.0), (0.0, 10.0), (0.1, 1.0), (0.1, 10.0)),
        (GREY, GREY, BLUE, BLUE),
        ("-", "--", "-", "--"),
        strict=True,
    ):
        axes[2].loglog(
            dials["sizes"],
            [dials["cells"][B, N, n] for n in dials["sizes"]],
            "o" + style,
            ms=4,
            color=color,
            label=f"B = {B}, N = {N:g}",
        )
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
    n_test, steps, sizes, repeats = (
        (2000, 500, (60, 600), 5) if given.small else (20_000, 10_000, (100, 1000, 10_000), 20)
    )
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
