r"""What values are for, on noisy sets: every table of fastsa.curation, every method on the same points.

    python bench/curation/run.py --data-dir DATA --out FIGURES --keep VALUES

The data folder, or FASTSA_DATA, holds adult.npz, fars.npz, cifar10_mobilenetv2.npz and cifar10_train.npz. Amortized
values and Monte Carlo have the same labels: fastsa.DataValuator with its defaults, whose utility is the validation
accuracy of a logistic regression, and --samples labels per point; with --sizes 100 999 labels are distributional over
coalitions of so many points (Covert et al. 2024, section 5.3). The rows that begin with "log-loss" are the same with
the log-loss for a utility. Retrained models are logistic regressions on the features as given, the utility's learner.

Detection, removal and cleaning are repeated for --seeds seeds (other points, flips, labels, networks), and amortized
values compared with Monte Carlo and the best KNN-Shapley by paired differences. The full tables, addition and selection
are of the first seed. With --keep, values and measures are stored as they are made, and a run that was cut goes on. With
--truth, accuracy values of the first seed are measured with so many samples per point.

The pool is the largest of 500, 1,000 and 2,000 points in which wrong classes matter: putting them right gains at least
0.03 of test accuracy, five of its standard errors, on each of the three sets. --headroom prints these gains, on seeds
that nothing else uses; no value has a part in them.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import over_seeds
from learner import Learner
from noisy_sets import NoisySet, load
from over_seeds import Measures
from threadpoolctl import threadpool_limits
from valued import (
    AMORTIZED,
    MARGIN,
    MONTE_CARLO,
    PREFIXES,
    Values,
    baseline_key,
    drawn_key,
    from_labels,
    kept_numbers,
    key,
    points,
    without_labels,
)

import fastsa
from fastsa import curation
from fastsa.display import Table

SETS = ("adult", "fars", "cifar10")
MARKS = ("as given", "random filter", "perfect filter", "true classes")
DRAWN = (AMORTIZED, MONTE_CARLO, "KNN-Shapley, k=5", "Data-OOB", "classifier's margin", "random")
_HEADROOM_SEEDS = (100, 101, 102)
_FEW = 2  # resamples where nobody reads the interval


class Seed:
    """One set with the points and flips of one seed; values and measures of its methods, made once."""

    def __init__(self, name: str, seed: int, given: argparse.Namespace) -> None:
        self.name, self.seed, self.given = name, seed, given
        self.data = points(name, seed, given)
        self.without_labels = without_labels(self.data, seed, given, self._path(f"{baseline_key(given)}.npz"))

    def from_labels(self, samples: int) -> list[Values]:
        made = []
        for score in self.given.utilities:
            path = self._path(f"{drawn_key(score, samples, self.given.sizes)}.npz")
            made.append(
                from_labels(self.data, self.seed, score, samples, self.without_labels.held_out, path, self.given)
            )
        return made

    def values(self, samples: int) -> Values:
        return self.without_labels.joined(self.from_labels(samples))

    def measures(self, samples: int) -> Measures:
        """Every measure of every method. The parts are kept apart, so that no budget measures the baselines again."""
        named = [(baseline_key(self.given), self.without_labels)]
        named += zip(
            [drawn_key(score, samples, self.given.sizes) for score in self.given.utilities],
            self.from_labels(samples),
            strict=True,
        )
        measured: Measures = {}
        for part, values in named:
            path = self._path(f"{part}-{self.given.repeats}.json")
            found = kept_numbers(lambda values=values: measures(*self.tables(values, _FEW), self.given.flipped), path)
            for measure, numbers in found.items():
                measured.setdefault(measure, {}).update(numbers)
        return measured

    def tables(self, values: Values, resamples: int) -> tuple[curation.DetectionTable, curation.CurveTable, Table]:
        """Detection, removal and cleaning, every method on the same points."""
        data, name = self.data, self.name
        found = curation.detection_table(
            values.methods, data.is_mislabeled, resamples=min(resamples, 300), title=f"{name}: detection"
        )
        task = (values.methods, data.X, data.y, data.X_test, data.y_test)
        options = {"repeats": self.given.repeats, "model": Learner(), "resamples": resamples}
        removal = curation.removal_curves(*task, title=f"{name}: removal of the lowest", **options)
        cleaning = curation.cleaning_table(
            *task,
            share=self.given.flipped,
            relabel=values.proposals(),
            y_true=data.y_true,
            title=f"{name}: cleaning",
            **options,
        )
        return found, removal, cleaning

    def _path(self, ending: str) -> Path | None:
        return (
            None if self.given.keep is None else self.given.keep / f"{key(self.name, self.seed, self.given)}-{ending}"
        )


def measures(found: curation.DetectionTable, removal: curation.CurveTable, cleaning: Table, flipped: float) -> Measures:
    """What is compared over seeds, from the three tables of one."""
    methods = found.names[:-1]
    measured = {measure: {name: found[name, measure] for name in methods} for measure in ("AUROC", "AUPRC")}
    measured["removal, area"] = {name: removal[name, "area"] for name in methods}
    measured[f"removal up to {flipped:.0%}".replace("%", " %")] = {
        name: area_up_to(flipped, removal, name) for name in methods
    }
    for arm, told in (("filter", "filtered"), ("relabel", "relabelled")):
        arms = [name for name in cleaning.names if name.endswith(f", {arm}") and name not in MARKS]
        for column in ("accuracy", "log-loss", "put right") if arm == "relabel" else ("accuracy", "log-loss"):
            cells = {name.removesuffix(f", {arm}"): cleaning[name, column] for name in arms}
            # No share of nothing is right: a method that changes no class has none.
            measured[f"{told}, {column}"] = {name: np.nan if cell is None else cell for name, cell in cells.items()}
    for name in MARKS:
        for told in ("filtered", "relabelled"):
            measured[f"{told}, accuracy"][name] = cleaning[name, "accuracy"]
            measured[f"{told}, log-loss"][name] = cleaning[name, "log-loss"]
    return measured


def area_up_to(share: float, removal: curation.CurveTable, name: str) -> float:
    """The mean accuracy while no more points are removed than have a wrong class."""
    removed = [column for column in removal.columns if column.endswith(" %") and column[:-2].strip().isdigit()]
    at = np.array([float(column[:-2]) / 100 for column in removed])
    accuracy = np.array([removal[name, column] for column in removed])[at <= share]
    at = at[at <= share]
    return float(np.trapezoid(accuracy, at) / at[-1])


def first_seed(name: str, given: argparse.Namespace) -> None:
    """The full tables and figures of the first seed and last budget, with intervals over points; addition, selection."""
    seed = Seed(name, given.first_seed, given)
    data, values = seed.data, seed.values(given.samples[-1])
    found, removal, cleaning = seed.tables(values, 1000)
    task = (values.methods, data.X, data.y, data.X_test, data.y_test)
    options = {"repeats": given.repeats, "model": Learner()}
    addition = curation.addition_curves(*task, title=f"{name}: addition of the highest", **options)
    sizes = [given.points // 20, given.points // 10, given.points // 4, given.points // 2]
    selection = curation.selection_curves(
        *task, sizes=sizes, title=f"{name}: selection of the highest, by class", **options
    )
    for table in (found, removal, cleaning, addition, selection):
        print(f"\n{table}", flush=True)
    if given.truth:
        print(f"\n{measured_values(data, given)}", flush=True)
    if given.out is not None:
        shown = {"detection": found, "removal": removal, "addition": addition, "selection": selection}
        for kind, table in shown.items():
            drawn = [row for row in table.names if row.removeprefix("log-loss: ") in DRAWN]
            table.figure(drawn).savefig(given.out / f"{name}-{kind}.png", dpi=110)


def measured_values(data: NoisySet, given: argparse.Namespace) -> str:
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


def headroom(given: argparse.Namespace) -> None:
    """What wrong classes cost a model trained on them, by the size of the pool."""
    rows = []
    for name in given.sets:
        for size in (500, 1000, 2000):
            gains = []
            for seed in _HEADROOM_SEEDS:
                sizes = {"points": size, "val": given.val, "test": given.test}
                data = load(name, given.data_dir, **sizes, flipped=given.flipped, seed=seed)
                right = [Learner().fit(data.X, y).predict(data.X_test) == data.y_test for y in (data.y, data.y_true)]
                gains.append([right[0].mean(), right[1].mean(), right[1].mean() - right[0].mean()])
            rows.append((f"{name}, {size:,} points", *map(float, np.mean(gains, axis=0))))
    notes = (f"test accuracy, means over {len(_HEADROOM_SEEDS)} seeds, {given.flipped:.0%} wrong classes",)
    print(Table(("", "as given", "true classes", "gain"), tuple(rows), notes), flush=True)


def report(given: argparse.Namespace) -> None:
    """Every set and budget over seeds, full tables of the first seed, then who is ahead of whom."""
    prefixes = [PREFIXES[score] for score in given.utilities]
    contestants = [(which + ours, which + MONTE_CARLO) for which in prefixes for ours in (AMORTIZED, MARGIN)]
    verdicts = []
    for name in given.sets:
        start = time.perf_counter()
        found = {samples: [] for samples in given.samples}
        for number in range(given.first_seed, given.first_seed + given.seeds):
            seed = Seed(name, number, given)
            for samples in given.samples:
                found[samples].append(seed.measures(samples))
        for samples, seeds in found.items():
            title = f"{name}, {samples} samples per point"
            print(f"\n{over_seeds.means(seeds, title)}", flush=True)
            for ours, other in contestants:
                print(f"\n{over_seeds.contest(seeds, ours, other, f'{title}: {ours}')}", flush=True)
                verdicts.append(f"{title}, {over_seeds.verdict(seeds, ours, other)}")
        if not given.brief:
            first_seed(name, given)
        print(f"\n{name} took {time.perf_counter() - start:.0f} s.\n", flush=True)
    print("\n".join(verdicts))


def parsed(told: str | None) -> argparse.Namespace:
    """The settings that decide points, values and measures."""
    parser = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("FASTSA_DATA"))
    parser.add_argument("--out", type=Path, help="folder for the figures; none without it")
    parser.add_argument("--keep", type=Path, help="folder for values and measures, from which a cut run goes on")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--val", type=int, default=1000)
    parser.add_argument("--test", type=int, default=5000)
    parser.add_argument("--flipped", type=float, default=0.25)
    parser.add_argument("--samples", type=int, nargs="+", default=[10], help="labels per point; several budgets")
    parser.add_argument("--sizes", type=int, nargs=2, metavar=("LEAST", "MOST"), help="of distributional coalitions")
    parser.add_argument("--utilities", nargs="+", choices=list(PREFIXES), default=list(PREFIXES))
    parser.add_argument("--trees", type=int, default=50, help="of Data-OOB")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="others than those that a choice was made on")
    parser.add_argument("--truth", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--brief", action="store_true", help="only what is measured over seeds")
    parser.add_argument("--headroom", action="store_true", help="only what wrong classes cost, by the size of the pool")
    given = parser.parse_args()
    if given.data_dir is None:
        parser.error("no data folder: give --data-dir or set FASTSA_DATA.")
    given.data_dir = Path(given.data_dir)
    for folder in (given.out, given.keep):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    return given


def main() -> None:
    given = parsed(__doc__)
    # Small fits gain nothing from threads of the BLAS, and lose a hundredfold where other work wants the processors.
    with threadpool_limits(1):
        (headroom if given.headroom else report)(given)


if __name__ == "__main__":
    main()
