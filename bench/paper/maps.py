"""Attribution maps of held-out images: truth, the explainer, and Monte Carlo at the evaluations of its labels.

    python -m bench.paper.maps --out FOLDER [--data-dir DATA]

FOLDER holds what fashion_vit left there with --out; fashion_vit_maps.png, of seed 0, is written beside it: per image the
attribution of the class that has most of the truth's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from bench import data
from bench.paper.explaining import ESTIMATES

IMAGES = 6
RUNS = "fashion_vit_*-0.npz"
SHOWN = (("truth", "truth"), ("amortized", "one forward pass"), ("Monte Carlo, whole budget", "Monte Carlo"))


def draw(runs: list[Path], images: np.ndarray, path: Path) -> None:
    kept = {run: dict(np.load(run)) for run in runs}
    rows = [(run, key, label) for run in runs for key, label in SHOWN]
    columns = min(IMAGES, *(len(file["truth"]) for file in kept.values()))
    figure = Figure(figsize=(1.35 * columns, 1.35 * (1 + len(rows))), layout="constrained")
    grid = figure.subplots(1 + len(rows), columns)
    for column in range(columns):
        grid[0, column].imshow(images[column, 0], cmap="gray_r")
    for (run, key, label), axes_of_row in zip(rows, grid[1:], strict=True):
        values, truth = kept[run][key][:columns], kept[run]["truth"][:columns]
        side = int(np.sqrt(values.shape[1]))
        for axis, value, right in zip(axes_of_row, values, truth, strict=True):
            shown = np.abs(right.sum(axis=0)).argmax()
            limit = np.abs(right[:, shown]).max()
            axis.imshow(value[:, shown].reshape(side, side), cmap="RdBu", vmin=-limit, vmax=limit)
        patches, _, labels = run.stem.rsplit("-", 3)[0].removeprefix("fashion_vit_").split("_", 2)
        axes_of_row[0].set_ylabel(f"{label}\n{patches} patches, {labels}", fontsize=6)
    for axis in grid.ravel():
        axis.set_xticks([]), axis.set_yticks([])
        for edge in axis.spines.values():
            edge.set_visible(False)
    figure.savefig(path, dpi=150, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data-dir")
    given = parser.parse_args()
    runs = sorted((given.out / ESTIMATES).glob(RUNS))
    if not runs:
        raise SystemExit(f"{given.out} holds no attributions; run bench.paper.fashion_vit with --out {given.out}.")
    images, _ = data.fashion_mnist(data.folder(given.data_dir))["test"]
    draw(runs, images, given.out / "fashion_vit_maps.png")


if __name__ == "__main__":
    main()
