r"""Question: labels of how many of the points, with the same samples each, are enough to value all of them?

    python -m bench.paper.partial [--data-dir DATA] [--tasks "CIFAR-10, KNN" "Adult, logistic"] [--seeds 5]
        [--minutes 60] [--out FOLDER] [--small]

Of a pool of 2,400 points 10, 25, 50 or 100 % get four samples each. Two networks, one on either half of the samples,
predict all points (their mean is "amortized"; of labelled points "refined" adds the labels); "recipe" is the paper's
network. The error is measured on the 400 points of known truth, those that have labels and the others apart. Monte
Carlo knows nothing of the others; KNN-Shapley needs no labels but to be given the values' unit.
"""

from __future__ import annotations

import numpy as np

import fastsa
from bench.paper import cheap_games
from fastsa.amortize import baselines, cross_refine

SHARES, SAMPLES = (0.1, 0.25, 0.5, 1.0), 4
METHODS = ("Monte Carlo", "Monte Carlo, shrunk", "KNN-Shapley", "ridge", "recipe", "amortized", "refined")


def estimates(setting: cheap_games.CheapGame, share: float, samples: int, seed: int) -> tuple[dict, np.ndarray]:
    """Values of all points by method, NaN where a method has none, and which points are labelled."""
    d, n = setting.data, setting.data.y.size
    labelled = np.sort(
        cheap_games.blocks_in_order(n, seed)[: round(share * n / cheap_games.SHARED) * cheap_games.SHARED]
    )
    half = samples // 2
    parts = [cheap_games.labels(setting, labelled, half, seed, first=first) for first in (0, half)]
    given = [cheap_games.of_all(part, setting) for part in parts]
    whole = cheap_games.of_all(parts[0].merge(parts[1]), setting)
    mean, count = whole.mean[:, 0], whole.count
    two = {
        learner: [cheap_games.values(setting, cheap_games.network(setting, part, seed, learner)) for part in given]
        for learner in cheap_games.LEARNERS
    }
    refined = cross_refine([one[labelled] for one in two["informed"]], parts)
    there = count > 0
    knn = fastsa.knn_shapley(d.X, d.y, d.X_val, d.y_val, k=5)
    variance = np.where(there, count * whole.stderr[:, 0] ** 2, np.nan)
    found = {
        "Monte Carlo": np.where(there, mean, np.nan),
        "Monte Carlo, shrunk": np.where(there, baselines.shrunk(mean, count, variance), np.nan),
        "KNN-Shapley": baselines.calibrated(knn, mean, count),
        "ridge": baselines.ridge(d.X, d.y, mean, count, n_classes=setting.n_classes, per_class=True),
        "recipe": np.mean(two["recipe"], axis=0),
        "amortized": np.mean(two["informed"], axis=0),
        "refined": np.full(n, np.nan),
    }
    found["refined"][labelled] = refined.values[:, 0]
    return found, there


def cell(setting: cheap_games.CheapGame, truth: fastsa.Labels, share: float, samples: int, seed: int) -> dict:
    found, there = estimates(setting, share, samples, seed)
    own = there[setting.truth_items]
    record: dict = {"share": share, "seed": seed, "labelled": {}, "others": {}}
    for method, values in found.items():
        for which, places in (("labelled", own), ("others", ~own)):
            estimate = values[setting.truth_items]
            if places.sum() > 1 and np.isfinite(estimate[places]).all():
                record[which][method] = cheap_games.scores(estimate, truth, np.flatnonzero(places))
    return record


def main(arguments: list[str] | None = None) -> None:
    given = cheap_games.parse(__doc__, arguments)
    shares, samples = ((0.5,), 4) if given.small else (SHARES, SAMPLES)
    for task, setting in cheap_games.settings(given).items():
        truth = cheap_games.truth_of(setting, given)
        jobs = [
            cheap_games.job(
                f"partial-{setting.name}-{seed}-{100 * share:g}", cell, setting, truth, share, samples, seed
            )
            for seed in range(given.seeds)
            for share in shares
        ]
        cells = cheap_games.recorded(jobs, given)
        for which in ("labelled", "others"):
            rows = {method: [{f"{c['share']:g}": c[which].get(method)} for c in cells] for method in METHODS}
            rows = {method: found for method, found in rows.items() if any(any(one.values()) for one in found)}
            columns = {f"{share:.0%}": (f"{share:g}", "error") for share in shares if which == "labelled" or share < 1}
            title = (
                f"{task}: error on points {'with' if which == 'labelled' else 'without'} labels, by the share labelled"
            )
            if rows:
                print(cheap_games.table(title, columns, rows), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
