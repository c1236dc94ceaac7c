"""Figures of what experiments recorded, means over their seeds.

    python -m bench.paper.figures --out FOLDER

FOLDER holds the JSON records that the experiments left there with --out. Written beside them: attribution.png, error against
evaluations per unseen input, of attribution experiments at several budgets; and sizes.png, error against the points that get
labels, of `cifar_sizes`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bench.paper.cells import read
from bench.paper.valuing import over_seeds
from fastsa.display import new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE

METHODS = (
    ("Monte Carlo, whole budget", GREY, "-", "Monte Carlo"),
    ("Monte Carlo, shrunk", GREY, ":", "Monte Carlo, shrunk"),
    ("ridge on features", ORANGE, "-", "ridge on features"),
    ("amortized", BLUE, "-", "amortized, no labels of its own"),
    ("amortized, refined", BLUE, ":", "amortized, refined by own labels"),
)
TICKS = [m * 10.0**e for e in range(-4, 1) for m in (1, 2, 5)]


SIZES = (
    ("Monte Carlo", GREY, "Monte Carlo"),
    ("recipe", ORANGE, "the paper's recipe"),
    ("refined", BLUE, "amortized, on the left refined by own labels"),
    ("amortized", BLUE, "amortized, on the left refined by own labels"),
)


def draw_sizes(cells: list[dict], path: Path) -> None:
    """Cells of `cifar_sizes`: errors of points with labels on the left, without on the right, 95 % intervals shaded."""
    figure, axes = new_figure(2, (8.0, 3.6))
    sizes = sorted({cell["size"] for cell in cells})
    for axis, kind, title in zip(axes, ("labelled", "others"), ("points with labels", "points without"), strict=True):
        for method, color, label in SIZES:
            errors = [[c[kind][method]["error"] for c in cells if c["size"] == s and method in c[kind]] for s in sizes]
            if not all(errors) or (method, kind) == ("amortized", "labelled"):
                continue
            found = [over_seeds(each) for each in errors]
            axis.loglog(sizes, [mean for mean, _ in found], marker="o", ms=4, color=color, label=label)
            if all(interval for _, interval in found):
                low, high = zip(*(interval for _, interval in found), strict=True)
                axis.fill_between(sizes, np.maximum(low, 1e-3), high, color=color, alpha=0.15, lw=0)
        axis.set_title(title, loc="left")
        axis.set_xlabel("points that get 5 labels")
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axis.set_ylim(0.03, 12)
        axis.set_yticks([0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"])
        axis.minorticks_off()
    axes[0].set_ylabel("error (a constant is 1)")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=150, bbox_inches="tight")


def draw(experiments: dict[str, dict[float, list[dict]]], path: Path) -> None:
    """experiments: by name, by evaluations per input, the errors of held-out inputs of every seed."""
    figure, axes = new_figure(len(experiments), (3.6 * len(experiments), 3.6))
    for axis, (name, made) in zip(axes, experiments.items(), strict=True):
        cost = sorted(made)
        for method, color, style, label in METHODS:
            if method not in made[cost[0]][0]:
                continue
            errors = [np.mean([errors[method] for errors in made[c]]) for c in cost]
            axis.loglog(cost, errors, style, marker="o", ms=4, color=color, label=label)
        axis.set_title(name, loc="left")
        axis.set_xlabel("model evaluations per input")
        axis.set_xticks(cost, [f"{c:.0f}" for c in cost])
        low, high = axis.get_ylim()
        axis.set_yticks([t for t in TICKS if low <= t <= high], [f"{t:g}" for t in TICKS if low <= t <= high])
        axis.minorticks_off()
    axes[0].set_ylabel("error (the mean attribution is 1)")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=150, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    experiments: dict[str, dict[float, list[dict]]] = {}
    sizes = [read(path) for path in sorted(given.out.glob("sizes-*.json"))]
    for record in (read(path) for path in sorted(given.out.glob("*.json"))):
        if "held-out inputs" in record:
            made = experiments.setdefault(record["name"], {})
            made.setdefault(record["evaluations_per_input"], []).append(record["held-out inputs"])
    experiments = {name: made for name, made in experiments.items() if len(made) > 1}
    if not experiments and not sizes:
        raise SystemExit(
            f"{given.out} holds no record of an experiment at several budgets; run one with --out {given.out}."
        )
    if experiments:
        draw(experiments, given.out / "attribution.png")
    if sizes:
        draw_sizes(sizes, given.out / "sizes.png")


if __name__ == "__main__":
    main()
