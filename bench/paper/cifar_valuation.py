r"""Claim: on CIFAR-10, five samples per point make amortized distributional values with a Pearson of 0.81 (Monte Carlo 0.58).

    python -m bench.paper.cifar_valuation [--data-dir DATA] [--points 10000] [--samples 5 10 25] [--flipped 0.1]
        [--stored] [--seeds 5] [--minutes 170] [--out FOLDER] [--small]

The paper (section 5.3, figures 5 and 19): 50,000 images, 10, 25 or 50 % of the classes flipped, logistic regression on 256
components of ResNet-50 features, accuracy on 1,000 images, coalitions of 100 to 999 points. Here the features are those of
a MobileNetV2, divided by their mean norm, so that the utility does not interpolate; --stored takes them as they are, as the
paper does. The valuation net is an MLP on the features. Truth: 500 points, its variance subtracted; kept under
bench/paper/truth.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

import fastsa
from bench import data
from bench.curation.noisy_sets import CIFAR_NORM, load
from bench.paper import valuing
from bench.paper.recipe import CIFAR

SHARED = 32


def setting(folder: Path, points: int, flipped: float, stored: bool, small: bool = False) -> valuing.Setting:
    val, truth_points, truth_samples = (100, 100, 10) if small else (1000, 500, 300)
    pool = load("cifar10", folder, points=points, val=val, test=0, flipped=flipped, seed=0)
    if stored:
        pool = dataclasses.replace(pool, X=pool.X * CIFAR_NORM, X_val=pool.X_val * CIFAR_NORM)
    ends = np.concatenate([np.arange(truth_points // 2), np.arange(points - truth_points // 2, points)])
    return valuing.Setting(
        name=f"cifar10-{'stored-' if stored else ''}{flipped:.0%}-{points}".replace("%", ""),
        data=pool,
        utility=fastsa.utilities.Logistic(),
        estimator=fastsa.estimators.Distributional(min_size=100, max_size=999, shared=SHARED),
        truth_items=np.unique(ends),
        truth_samples=truth_samples,
        recipe=CIFAR,
        bags=10 if small else None,
    )


def main(arguments: list[str] | None = None) -> None:
    parser = valuing.parser_of(__doc__, points=[10000], samples=[5, 10, 25])
    parser.add_argument("--flipped", type=float, nargs="+", default=[0.1], help="share of wrong classes")
    parser.add_argument("--stored", action="store_true", help="features as stored, not divided by their mean norm")
    given = parser.parse_args(arguments)
    if given.small:
        given.points, given.samples, given.seeds = [500], [5], 1
    folder = data.folder(given.data_dir)
    settings = [
        setting(folder, points, flipped, given.stored, given.small)
        for flipped in given.flipped
        for points in given.points
    ]
    valuing.run(settings, given.samples, given)


if __name__ == "__main__":
    main()
