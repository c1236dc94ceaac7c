r"""Claim: every point of half a million gets its value on two cores in minutes, with the error known.

    python -m bench.paper.scale [--data-dir DATA] [--points 10000 100000 580012] [--samples 5] [--seeds 5] [--minutes 170]
        [--out FOLDER] [--small]

The paper's largest set has 50,000 points. Here Covertype's 581,012 (its commonest class against the others, 20 % of the pool's
classes flipped): 1,000 are for validation, the others the pool, or its first points. fastsa.DataValuator values a pool from
`samples` labels per point in all: distributional Shapley values, coalitions of 100 to 999 points, accuracy of a logistic
regression. Every figure is of one fit: the seconds of labels, of training and of the rest, the memory of the whole process,
the error certified without truth, and the error against the truth of 1,000 points (600 samples of their own each, shared by 32
points, their variance subtracted; kept under bench/paper/truth). Certified correlation: the root of the certified explained
variance, which a correlation with the true values is at least. scikit-learn: the same number of fits and scores at its rate,
measured in the same run on coalitions of the same law, one thread as ours have each.
"""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

import fastsa
from bench import data
from bench.curation.noisy_sets import load
from bench.paper import valuing
from bench.paper.cells import Cells
from fastsa.display import Table
from fastsa.metrics import agreement

ROWS, VALIDATION, SHARED = 581_012, 1000, 32
MEASURES = ("Pearson", "predicted", "Monte Carlo", "certified_correlation")


def settings(folder: Path, points: list[int], small: bool) -> list[valuing.Setting]:
    """The same validation points for every pool; the smaller pools are the first points of the larger ones."""
    pool = load("covertype", folder, points=max(points), val=VALIDATION, test=0, flipped=0.2, seed=0)
    truth_points, truth_samples = (64, 50) if small else (1000, 600)
    return [
        valuing.Setting(
            name=f"covertype-scale-{n}",
            data=dataclasses.replace(pool, X=pool.X[:n], y=pool.y[:n], y_true=pool.y_true[:n]),
            utility=fastsa.utilities.Logistic(),
            estimator=fastsa.estimators.Distributional(min_size=100, max_size=999, shared=SHARED),
            truth_items=np.arange(truth_points),
            truth_samples=truth_samples,
        )
        for n in points
    ]


def sklearn_seconds_per_evaluation(setting: valuing.Setting, evaluations: int = 40) -> float:
    d, rng = setting.data, np.random.default_rng(0)
    start = time.perf_counter()
    with threadpool_limits(1):
        for size in rng.integers(setting.estimator.min_size, setting.estimator.max_size + 1, evaluations):
            rows = rng.integers(0, d.y.size, size)
            LogisticRegression().fit(d.X[rows], d.y[rows]).score(d.X_val, d.y_val)
    return (time.perf_counter() - start) / evaluations


def fit(setting: valuing.Setting, truth: fastsa.Labels, samples: int, seed: int) -> dict[str, float]:
    d, places = setting.data, setting.truth_items
    start = time.perf_counter()
    valuator = fastsa.DataValuator(setting.utility, estimator=setting.estimator, samples=samples, seed=seed)
    valuator.fit(d.X, d.y, d.X_val, d.y_val, progress=False)
    seconds = time.perf_counter() - start

    def score(values: np.ndarray) -> fastsa.metrics.Agreement:
        return agreement(values, truth.mean[:, 0], truth_variance=truth.stderr[:, 0] ** 2)

    certificate = valuator.error_.values
    refined = score(valuator.values_[places])
    return {
        "points": d.y.size,
        "samples": samples,
        "seed": seed,
        "evaluations": float(valuator.labels_.evaluations),
        "label_seconds": valuator.seconds_["labels"],
        "training_seconds": valuator.seconds_["training"],
        "seconds": seconds,
        "peak_gb": _peak_gb(),
        "error": refined.normalized_error,
        "Pearson": refined.pearson_corrected,
        "predicted": score(valuator.predict(d.X[places], d.y[places])).normalized_error,
        "Monte Carlo": score(valuator.labels_.mean[places, 0]).normalized_error,
        **{
            f"certified_{end}": getattr(certificate.error, end) / certificate.signal.value
            for end in ("value", "low", "high")
        },
        "certified_correlation": float(np.sqrt(max(certificate.explained_variance.value, 0.0))),
        "sklearn_seconds": sklearn_seconds_per_evaluation(setting) * valuator.labels_.evaluations,
    }


def _peak_gb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)


def tables(fits: list[dict[str, float]]) -> list[Table]:
    """What each pool cost, and how good the values are: means over seeds."""
    cost, quality = [], []
    for n in sorted({f["points"] for f in fits}):
        own = [f for f in fits if f["points"] == n]
        columns = {name: [f[name] for f in own] for name in own[0]}
        mean = {name: float(np.mean(column)) for name, column in columns.items()}
        name = f"{int(n):,} points"
        minutes = [mean[c] / 60 for c in ("label_seconds", "training_seconds", "seconds")]
        cost.append((name, f"{int(mean['evaluations']):,}", *minutes, mean["sklearn_seconds"] / 3600, mean["peak_gb"]))
        error, interval = valuing.over_seeds(columns["error"])
        certified = mean["certified_value"], (mean["certified_low"], mean["certified_high"])
        quality.append((name, error, interval, *certified, *(mean[m] for m in MEASURES)))
    seeds, samples = len({f["seed"] for f in fits}), int(fits[0]["samples"])
    head = ("", "evaluations", "labels, min", "training, min", "in all, min", "scikit-learn's labels, h", "peak GB")
    notes = (f"means over {seeds} seed{'s' if seeds > 1 else ''}; peak memory is the process's so far.",)
    title = f"covertype, {samples} samples per point"
    named = ("", "error", "95 % interval", "certified", "95 % interval ", "Pearson", "predicted alone", "labels alone")
    named += ("certified correlation",)
    return [Table(head, tuple(cost), notes, title), Table(named, tuple(quality), (), f"{title}: errors")]


def main(arguments: list[str] | None = None) -> None:
    parser = valuing.parser_of(__doc__, points=[10_000, 100_000, ROWS - VALIDATION], samples=[5])
    given = parser.parse_args(arguments)
    if given.small:
        given.points, given.samples, given.seeds = [640], [2], 1
    fits, kept = [], Cells(given)
    for setting in settings(data.folder(given.data_dir), sorted(given.points), given.small):
        truth = setting.truth(None if given.small else valuing.TRUTHS)
        for samples in given.samples:
            for seed in range(given.seeds):
                name = f"{setting.name}-{samples}-{seed}"
                fits.append(kept(name, partial(fit, setting, truth, samples, seed)))
    fits = [f for f in fits if f is not None]
    for samples in given.samples:
        for table in tables([f for f in fits if f["samples"] == samples]):
            print(table, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
