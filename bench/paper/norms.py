r"""Claim: the norms of Banzhaf values and of LIME's have long tails, which is why the paper brings its labels to unit norm.

    python -m bench.paper.norms [--data-dir DATA] [--inputs 1000] [--out FOLDER] [--small]

The paper (figure 14, a ViT of 196 patches) shows histograms. Here: Adult's 13 variables, values of held-out inputs by
enumeration, so that no noise lengthens a tail, Shapley values beside them. A tail is told by how many medians the 95th and
the 99th percentile and the largest norm are, and by the share of all squared norms, which is what a squared error weighs
inputs by, that the tenth of inputs with the largest has. Intervals: 2,000 bootstrap samples of the inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import fastsa
from bench import data
from bench.paper import options
from bench.paper.adult_games import adult_games
from fastsa import estimators
from fastsa.display import Table, new_figure
from fastsa.display.figures import BLUE, GREY, ORANGE

RESAMPLED = 2000
MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "95th / median": lambda norms: np.quantile(norms, 0.95, axis=-1) / np.median(norms, axis=-1),
    "99th / median": lambda norms: np.quantile(norms, 0.99, axis=-1) / np.median(norms, axis=-1),
    "largest / median": lambda norms: norms.max(axis=-1) / np.median(norms, axis=-1),
    "share of the largest tenth": lambda norms: share_of_largest_tenth(norms**2),
}


def share_of_largest_tenth(sizes: np.ndarray) -> np.ndarray:
    """Of sizes [..., inputs]."""
    largest = np.sort(sizes, axis=-1)[..., -max(1, sizes.shape[-1] // 10) :]
    return largest.sum(axis=-1) / sizes.sum(axis=-1)


def norms_of(folder: Path, inputs: int, small: bool) -> dict[str, np.ndarray]:
    """By index, the Euclidean norms [inputs] of exact attributions."""
    adult = adult_games(data.adult(folder), n_train=1, n_held_out=inputs, small=small)
    indices = {"Shapley": "shapley", "Banzhaf": "banzhaf", "LIME": estimators.LIME()}
    values = {name: fastsa.exact(adult.whole, index) for name, index in indices.items()}
    return {name: np.linalg.norm(found.reshape(inputs, -1), axis=1) for name, found in values.items()}


def table(found: dict[str, np.ndarray]) -> Table:
    rng, rows = np.random.default_rng(0), []
    inputs = len(next(iter(found.values())))
    drawn = rng.integers(0, inputs, (RESAMPLED, inputs))
    for name, norms in found.items():
        cells: list = [name]
        for measure in MEASURES.values():
            low, high = np.quantile(measure(norms[drawn]), (0.025, 0.975))
            cells += [float(measure(norms)), (float(low), float(high))]
        rows.append(tuple(cells))
    head = [""]
    for i, measure in enumerate(MEASURES):
        head += [measure, "95 % interval" + " " * i]
    return Table(tuple(head), tuple(rows), (), f"Adult, norms of the exact attributions of {inputs:,} inputs")


def draw(found: dict[str, np.ndarray], path: Path) -> None:
    figure, (axis,) = new_figure(1, (6.0, 3.6))
    for (name, norms), color in zip(found.items(), (GREY, BLUE, ORANGE), strict=True):
        shares = 1 - np.arange(norms.size) / norms.size
        axis.step(np.sort(norms) / np.median(norms), shares, where="post", color=color, label=name)
    axis.set(
        yscale="log", xlabel="norm / median norm", ylabel="share of inputs beyond", title="Adult, exact attributions"
    )
    axis.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> None:
    parser = options.single_parser_of(__doc__, out="folder of the figure")
    parser.add_argument("--inputs", type=int, default=1000)
    given = parser.parse_args(arguments)
    found = norms_of(data.folder(given.data_dir), 20 if given.small else given.inputs, given.small)
    print(table(found))
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        draw(found, given.out / "norms.png")


if __name__ == "__main__":
    main()
