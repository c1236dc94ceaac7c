r"""What values are for, on noisy sets: every table of fastsa.curation, every method on the same points.

    python bench/curation/run.py --data-dir DATA --out FIGURES

The data folder, or FASTSA_DATA, holds adult.npz, fars.npz, cifar10_mobilenetv2.npz and cifar10_train.npz. Amortized
values and Monte Carlo have the same labels: fastsa.DataValuator with its defaults, whose utility is the validation
accuracy of a logistic regression, and --samples labels per point. The rows that begin with "log-loss" are the same with
the log-loss for a utility. Detection is repeated for --seeds seeds (other points, flips, labels, networks); the other
tables are of the first. Retrained models are logistic regressions on the features as given, the learner of the utility.
With --truth, accuracy values of the first seed are measured with so many samples per point, to see what better
estimates of them would find.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from noisy_sets import NoisySet, load
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

import fastsa
from fastsa import curation
from fastsa.display import Table

SETS = ("adult", "fars", "cifar10")
AMORTIZED, MONTE_CARLO, MARGIN = "amortized", "Monte Carlo, whole budget", "amortized, value margin"
UTILITIES = {"": "accuracy", "log-loss: ": "log_loss"}
DRAWN = (
    AMORTIZED,
    MONTE_CARLO,
    "KNN-Shapley, k=5",
    "Data-OOB",
    "log-loss: " + AMORTIZED,
    "classifier's margin",
    "random",
)


@dataclass(frozen=True)
class Valued:
    """A noisy set, values of every method (low is suspicious), and amortized values under every class by utility."""

    data: NoisySet
    methods: dict[str, np.ndarray]
    under_all: dict[str, np.ndarray]


def value(name: str, seed: int, given: argparse.Namespace) -> Valued:
    data = load(
        name,
        given.data_dir,
        points=given.points,
        val=given.val,
        test=given.test,
        flipped=given.flipped,
        seed=seed,
    )
    methods, under_all = {}, {}
    for which, score in UTILITIES.items():
        utility = fastsa.utilities.Logistic(score=score)
        valuator = fastsa.DataValuator(utility, samples=given.samples, seed=seed, n_threads=given.threads)
        valuator.fit(data.X, data.y, data.X_val, data.y_val, progress=False)
        under_all[which + AMORTIZED] = valuator.predict_all(data.X)
        methods[which + AMORTIZED] = valuator.values_
        methods[which + MONTE_CARLO] = valuator.labels_.mean[:, 0]
        methods[which + MARGIN] = curation.value_margin(under_all[which + AMORTIZED], data.y)
    methods |= curation.baseline_values(
        data.X, data.y, data.X_val, data.y_val, n_estimators=given.trees, seed=seed, n_threads=given.threads
    )
    return Valued(data, methods, under_all)


def measured(data: NoisySet, given: argparse.Namespace) -> str:
    """How well accuracy values find wrong classes when they are measured with many samples, in a sentence."""
    game = fastsa.games.DataGame(fastsa.utilities.Logistic(), data.X, data.y, data.X_val, data.y_val)
    largest = min(999, given.points)
    estimator = fastsa.estimators.Distributional(min_size=min(100, largest // 10), max_size=largest, shared=32)
    stream = fastsa.LabelStream(game, estimator, samples=given.truth, role="truth", n_threads=given.threads)
    labels = stream.collect()
    noise = float(np.mean(labels.stderr[:, 0] ** 2) / labels.mean[:, 0].var())
    found = fastsa.metrics.mislabel_detection(labels.mean[:, 0], data.is_mislabeled)
    return (
        f"Accuracy values measured with {given.truth} samples per point ({noise:.0%} of their variance is noise): "
        f"AUROC {found.auroc:.3f}, AUPRC {found.auprc:.3f}."
    )


def over_seeds(tables: list[curation.DetectionTable], title: str) -> Table:
    """Mean and range of AUROC and AUPRC, and on how many seeds the amortized values are ahead."""
    rows = []
    for name in tables[0].names[:-1]:
        cells: list[object] = [name]
        for measure in ("AUROC", "AUPRC"):
            found = [table[name, measure] for table in tables]
            behind = sum(table[AMORTIZED, measure] > table[name, measure] for table in tables)
            cells += [float(np.mean(found)), (min(found), max(found)), None if name == AMORTIZED else behind]
        rows.append(tuple(cells))
    columns = ("", "AUROC", "range", "amortized ahead", "AUPRC", "range ", "amortized ahead ")
    notes = (f"means over {len(tables)} seeds; amortized ahead: on how many of them.",)
    return Table(columns, tuple(rows), notes, title)


def verdict(name: str, which: str, tables: list[curation.DetectionTable]) -> str:
    """Whether amortized values are ahead of Monte Carlo, and of the best KNN-Shapley, by mean AUROC and AUPRC."""
    said, ours = [], which + AMORTIZED
    for measure in ("AUROC", "AUPRC"):
        mean = {row: float(np.mean([table[row, measure] for table in tables])) for row in tables[0].names}
        best_knn = max(value for row, value in mean.items() if row.startswith("KNN-Shapley"))
        for what, other in (("Monte Carlo", mean[which + MONTE_CARLO]), ("the best KNN-Shapley", best_knn)):
            won = "beats" if mean[ours] > other else "loses to"
            said.append(f"{won} {what} in {measure} ({mean[ours]:.3f}, {other:.3f})")
    return f"{name}, {ours}: " + "; ".join(said) + "."


def downstream(name: str, valued: Valued, given: argparse.Namespace) -> None:
    """Removal, addition, cleaning and selection with retrained models."""
    data, methods = valued.data, valued.methods
    points = (data.X, data.y, data.X_test, data.y_test)
    options = {"repeats": given.repeats, "model": LogisticRegression(max_iter=1000)}
    removal = curation.removal_curves(methods, *points, title=f"{name}: removal of the lowest", **options)
    addition = curation.addition_curves(methods, *points, title=f"{name}: addition of the highest", **options)
    cleaning = curation.cleaning_table(
        methods,
        *points,
        share=given.flipped,
        relabel=valued.under_all,
        y_true=data.y_true,
        title=f"{name}: cleaning",
        **options,
    )
    sizes = [given.points // 20, given.points // 10, given.points // 4, given.points // 2]
    selection = curation.selection_curves(
        methods, *points, sizes=sizes, title=f"{name}: selection of the highest, by class", **options
    )
    for table in (removal, addition, cleaning, selection):
        print(f"\n{table}", flush=True)
    for kind, table in (("removal", removal), ("addition", addition), ("selection", selection)):
        save(table, name, kind, given)


def save(table: curation.DetectionTable | curation.CurveTable, name: str, kind: str, given: argparse.Namespace) -> None:
    if given.out is not None:
        table.figure(DRAWN).savefig(given.out / f"{name}-{kind}.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("FASTSA_DATA"))
    parser.add_argument("--out", type=Path, help="folder for the figures; none without it")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--val", type=int, default=1000)
    parser.add_argument("--test", type=int, default=5000)
    parser.add_argument("--flipped", type=float, default=0.1)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--truth", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    given = parser.parse_args()
    if given.data_dir is None:
        parser.error("no data folder: give --data-dir or set FASTSA_DATA.")
    given.data_dir = Path(given.data_dir)
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
    # Small fits gain nothing from threads of the BLAS, and lose a hundredfold where other work wants the processors.
    with threadpool_limits(1):
        report(given)


def report(given: argparse.Namespace) -> None:
    """Every table of every set, then who is ahead of whom."""
    verdicts = []
    for name in given.sets:
        start = time.perf_counter()
        tables, first = [], None
        for seed in range(given.seeds):
            valued = value(name, seed, given)
            first = first or valued
            tables.append(
                curation.detection_table(
                    valued.methods, valued.data.is_mislabeled, seed=seed, title=f"{name}: detection, seed {seed}"
                )
            )
        print(f"\n{tables[0]}\n\n{over_seeds(tables, f'{name}: detection over seeds')}", flush=True)
        for which in first.under_all:
            right = highest_is_true(first, which)
            print(
                f"\n{which}: the class of the highest value is the true one of {right[0]:.1%} of all points, "
                f"of {right[1]:.1%} of the wrong."
            )
        if given.truth:
            print(f"\n{measured(first.data, given)}", flush=True)
        save(tables[0], name, "detection", given)
        downstream(name, first, given)
        print(f"\n{name} took {time.perf_counter() - start:.0f} s.\n", flush=True)
        verdicts += [verdict(name, which, tables) for which in UTILITIES]
    print("\n".join(verdicts))


def highest_is_true(valued: Valued, which: str) -> tuple[float, float]:
    """How often the class of the highest amortized value is the true one: among all points, among the wrong ones."""
    right = valued.under_all[which].argmax(axis=1) == valued.data.y_true
    return float(right.mean()), float(right[valued.data.is_mislabeled].mean())


if __name__ == "__main__":
    main()
