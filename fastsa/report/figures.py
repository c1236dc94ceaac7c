"""The demo's figures, as inline SVG and PNG."""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastsa.curation.baseline_values import KNN_GRID
from fastsa.display import new_figure
from fastsa.display.figures import BLUE, FAINT, GREY, ORANGE, RED
from fastsa.report.demo import MONTE_CARLO, REFINED, DemoResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def estimate_against_truth(result: DemoResult) -> str:
    """Two scatters on the same axes: Monte Carlo with the whole budget, and refined, against the truth."""
    figure, axes = new_figure(2, (8.4, 4.0))
    truth = 1000 * result.truth.mean[:, 0]
    wrong = result.digits.is_mislabeled[result.truth_items]
    for axis, name in zip(axes, (MONTE_CARLO, REFINED), strict=True):
        row = result.row(name)
        estimate = 1000 * row.values[result.truth_items]
        low, high = _limits(np.concatenate([truth, 1000 * result.row(MONTE_CARLO).values[result.truth_items]]))
        axis.plot([low, high], [low, high], color=FAINT, linewidth=1, zorder=0)
        axis.scatter(truth[~wrong], estimate[~wrong], s=16, color=BLUE, alpha=0.75, linewidth=0, label="right class")
        axis.scatter(truth[wrong], estimate[wrong], s=26, color=RED, marker="x", linewidth=1.4, label="wrong class")
        axis.set(xlim=(low, high), ylim=(low, high), xlabel="ground truth (0.1 % accuracy)", title=name)
        axis.text(0.04, 0.93, f"r = {row.agreement.pearson:.2f}", transform=axis.transAxes, color="#333")
        axis.set_aspect("equal")
    axes[0].set_ylabel("estimate (0.1 % accuracy)")
    axes[1].legend(frameon=False, loc="lower right", fontsize=9)
    return _svg(figure)


def mislabel_curves(result: DemoResult) -> str:
    """The share of wrong classes found against the share of points inspected, lowest value first."""
    figure, (axis,) = new_figure(1, (5.6, 4.0))
    best_knn = max((result.row(f"KNN-Shapley, k={k}") for k in KNN_GRID), key=lambda row: row.detection.auroc)
    shown = [
        (result.row(REFINED), BLUE, "-", 2.2),
        (best_knn, ORANGE, "-", 1.5),
        (result.row("classifier's margin"), ORANGE, ":", 1.8),
        (result.row(MONTE_CARLO), GREY, "-", 1.5),
    ]
    for row, color, style, width in shown:
        detection = row.detection
        axis.plot(100 * detection.inspected, 100 * detection.found, style, color=color, linewidth=width, label=row.name)
    axis.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=0, label="random order")
    axis.set(xlim=(0, 100), ylim=(0, 101), xlabel="points inspected, %", ylabel="wrong classes found, %")
    axis.legend(frameon=False, loc="lower right", fontsize=9)
    return _svg(figure)


def digit_png(pixels: NDArray[np.float64]) -> str:
    """One digit [64] as a data URI, dark on white."""
    from matplotlib import image

    buffer = io.BytesIO()
    image.imsave(buffer, 1.0 - pixels.reshape(8, 8), cmap="gray", vmin=0.0, vmax=1.0, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    margin = 0.05 * np.ptp(values)
    return float(values.min() - margin), float(values.max() + margin)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)
