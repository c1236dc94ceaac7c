"""One setting of data valuation: labels at several budgets and seeds of one fixed game, networks for each, the honest tables."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import fastsa
from bench.curation.noisy_sets import NoisySet
from bench.paper import options
from bench.paper.cells import Cells
from bench.paper.recipe import TABULAR, Recipe
from fastsa.amortize import Influences, ValuationNet, baselines, cross_refine
from fastsa.curation import data_oob, detection_table
from fastsa.display import Table
from fastsa.metrics import agreement
from fastsa.utilities.data import Utility

TRUTHS = Path(__file__).parent / "truth"
LABELS = "labels"  # a folder beside the records
KNN_GRID = (1, 5, 20)
MOST_BAGS, FEWEST_BAGS, ENTRIES_OF_BAGS = (
    800,
    40,
    100_000_000,
)  # of Data-OOB, whose paper has 800; a tree reads n x d entries
MONTE_CARLO, RECIPE, REFINED = "Monte Carlo, whole budget", "amortized, the paper's recipe", "amortized, refined"
MEASURES = {
    "error": "normalized_error",
    "Pearson": "pearson_corrected",
    "Spearman": "spearman",
    "sign": "sign_agreement",
}
TRUTH = "truth"
FOUND = ("AUROC", "AUPRC", "of wrong")


@dataclass(frozen=True)
class Setting:
    """A game that is fixed while labels and networks get other seeds.

    truth_items are positions of points, measured with `truth_samples` of `truth_estimator`, whose estimand is the labels'; by
    default it is the labels' estimator. `recipe` is the paper's network.
    bags : of Data-OOB; by default as many as its paper has while 100 million entries suffice, and at least 40.
    """

    name: str
    data: NoisySet
    utility: Utility
    estimator: fastsa.estimators.Estimator
    truth_items: np.ndarray
    truth_samples: int
    recipe: Recipe = TABULAR
    truth_estimator: fastsa.estimators.Estimator | None = None
    bags: int | None = None

    @cached_property
    def game(self) -> fastsa.games.DataGame:
        d = self.data
        return fastsa.games.DataGame(self.utility, d.X, d.y, d.X_val, d.y_val)

    @cached_property
    def n_classes(self) -> int:
        return int(self.data.y.max()) + 1

    @cached_property
    def influences(self) -> Influences:
        d = self.data
        law, C = self.estimator.size_law(d.y.size), getattr(self.utility, "C", None)
        return Influences.fit(d.X, d.y, d.X_val, d.y_val, n_classes=self.n_classes, size_law=law, C=C)

    @cached_property
    def out_of_bag(self) -> np.ndarray:
        """Data-OOB's values of one draw of bags, without labels; a point that was in every bag has the mean of all."""
        X, y = self.data.X, self.data.y
        bags = self.bags or int(np.clip(ENTRIES_OF_BAGS // X.size, FEWEST_BAGS, MOST_BAGS))
        values, count = data_oob(X, y, n_estimators=bags)
        return np.where(count > 0, values, np.nanmean(values))

    def truth(self, folder: Path | None = TRUTHS) -> fastsa.Labels:
        """Read from `folder`, or measured and written there, beside what tells how it was made; None keeps nothing."""
        path = None if folder is None else folder / f"{self.name}.npz"
        stored = kept_labels(path, self.game, self.truth_items)
        if stored is not None:
            return stored
        start, estimator = time.perf_counter(), self.truth_estimator or self.estimator
        stream = fastsa.LabelStream(
            self.game, estimator, samples=self.truth_samples, role="truth", items=self.truth_items
        )
        labels = stream.collect()
        if path is None:
            return labels
        path.parent.mkdir(parents=True, exist_ok=True)
        labels.save(path)
        about = {
            "samples": self.truth_samples,
            "estimator": repr(estimator),
            "seed": 0,
            "points": len(self.truth_items),
            "evaluations": int(labels.evaluations),
            "seconds": round(time.perf_counter() - start),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
        return labels


def kept_labels(path: Path | None, game: fastsa.games.DataGame, items: Any = slice(None)) -> fastsa.Labels | None:
    """The labels of these items at `path`; None, said once, where they are of others or of another game."""
    if path is None or not path.exists():
        return None
    stored = fastsa.Labels.load(path)
    if stored.fingerprint == game.fingerprint and np.array_equal(stored.ids, game.ids[items]):
        return stored
    print(f"{path} is of other points or another game (other data, or another version of them); it is measured again")
    return None


@dataclass(frozen=True)
class Halves:
    """The sample ranges of one budget: two halves, of each a fifth for selection, as in fastsa.DataValuator."""

    train: tuple[tuple[int, int], tuple[int, int]]
    select: tuple[tuple[int, int], tuple[int, int]]

    @staticmethod
    def of(samples: int) -> Halves:
        sizes = (samples - samples // 2, samples // 2)
        chosen = [max(1, size // 5) if size > 1 else 0 for size in sizes]
        trained = [size - few for size, few in zip(sizes, chosen, strict=True)]
        return Halves(*(((0, a), (a, a + b)) for a, b in (trained, chosen)))


class Bank:
    """Labels of one seed; samples that several budgets share are drawn once, and kept as npz where there is a folder."""

    def __init__(self, setting: Setting, seed: int, budgets: list[int], folder: Path | None = None) -> None:
        self._setting, self._seed, self._folder = setting, seed, folder
        halves = [Halves.of(samples) for samples in budgets]
        self._cuts = {
            role: sorted({end for h in halves for span in getattr(h, role) for end in span})
            for role in ("train", "select")
        }
        self._pieces: dict[tuple[str, int], fastsa.Labels] = {}
        self.seconds = 0.0

    def labels(self, role: str, first: int, stop: int) -> fastsa.Labels:
        cuts = [c for c in self._cuts[role] if first <= c <= stop]
        return reduce(fastsa.Labels.merge, [self._piece(role, *span) for span in zip(cuts, cuts[1:], strict=False)])

    def _piece(self, role: str, first: int, stop: int) -> fastsa.Labels:
        if (role, first) not in self._pieces:
            path = self._folder and self._folder / f"{self._setting.name}-{role}-{first}-{stop}-{self._seed}.npz"
            found = kept_labels(path, self._setting.game)
            if found is None:
                start = time.perf_counter()
                found = self._drawn(role, first, stop)
                self.seconds += time.perf_counter() - start
                if path is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    found.save(path)
            self._pieces[role, first] = found
        return self._pieces[role, first]

    def _drawn(self, role: str, first: int, stop: int) -> fastsa.Labels:
        s = self._setting
        return fastsa.LabelStream(
            s.game, s.estimator, samples=stop - first, first_sample=first, role=role, seed=self._seed
        ).collect()


def estimates(setting: Setting, bank: Bank, samples: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Values of all points by method, each from `samples` per point in all; and what networks and labels cost."""
    d, halves = setting.data, Halves.of(samples)
    train = [bank.labels("train", *span) for span in halves.train]
    select = [bank.labels("select", *span) if span[0] < span[1] else None for span in halves.select]
    parts = [t if s is None else t.merge(s) for t, s in zip(train, select, strict=True)]
    whole = parts[0].merge(parts[1])
    mean, count = whole.mean[:, 0], whole.count
    start = time.perf_counter()
    influences = setting.influences
    nets = [
        ValuationNet(seed=seed).fit(d.X, d.y, t, select=s, n_classes=setting.n_classes, influences=influences)
        for t, s in zip(train, select, strict=True)
    ]
    refined = cross_refine([net.predict(d.X, d.y) for net in nets], parts)
    trained = time.perf_counter() - start
    chosen = None if None in select else select[0].merge(select[1])
    recipe = setting.recipe.fit(d.X, d.y, train[0].merge(train[1]), chosen, n_classes=setting.n_classes, seed=seed)
    found = {
        MONTE_CARLO: mean,
        "Monte Carlo, shrunk": baselines.shrunk(mean, count, count * whole.stderr[:, 0] ** 2),
        "constant": baselines.constant(mean, count),
        "class mean": baselines.class_mean(mean, count, d.y),
        "ridge on features": baselines.ridge(d.X, d.y, mean, count, n_classes=setting.n_classes, per_class=True),
        "classifier's margin": baselines.calibrated(
            baselines.classifier_margin(d.X, d.y, n_classes=setting.n_classes), mean, count
        ),
    }
    for k in KNN_GRID:
        knn = fastsa.knn_shapley(d.X, d.y, d.X_val, d.y_val, k=k)
        found[f"KNN-Shapley, k={k}"] = baselines.calibrated(knn, mean, count)
    found["Data-OOB"] = baselines.calibrated(setting.out_of_bag, mean, count)
    found[RECIPE] = recipe.predict(d.X, d.y)
    found["amortized"] = refined.predictions[:, 0]
    found[REFINED] = refined.values[:, 0]
    certified = refined.certificate.error
    costs = {
        "evaluations": float(whole.evaluations),
        "training_seconds": trained,
        "certified_error": certified.value,
        "certified_low": certified.low,
        "certified_high": certified.high,
    }
    return found, costs


def cell(setting: Setting, truth: fastsa.Labels, bank: Bank, samples: int, seed: int) -> dict:
    """What one budget and seed gives, measured on the points of known truth; label_seconds of labels drawn in this run."""
    found, costs = estimates(setting, bank, samples, seed)
    scores = {}
    for method, values in found.items():
        agreed = agreement(values[setting.truth_items], truth.mean[:, 0], truth_variance=truth.stderr[:, 0] ** 2)
        scores[method] = {measure: getattr(agreed, name) for measure, name in MEASURES.items()}
    wrong, some = setting.data.is_mislabeled, setting.truth_items
    detection = {
        "all": detected(found, wrong),
        "of known truth": detected(
            {method: values[some] for method, values in found.items()} | {TRUTH: truth.mean[:, 0]}, wrong[some]
        ),
    }
    return {
        "setting": setting.name,
        "samples": samples,
        "seed": seed,
        "scores": scores,
        "detection": detection,
        "truth_samples": int(truth.count.max()),
        **costs,
        "label_seconds": bank.seconds,
    }


def detected(values: dict[str, np.ndarray], is_mislabeled: np.ndarray) -> dict[str, dict[str, float]]:
    """How well low values tell wrong classes, by method."""
    table = detection_table(values, is_mislabeled, resamples=2)
    return {method: {measure: table[method, measure] for measure in FOUND} for method in values}


def run(settings: list[Setting], budgets: list[int], given: argparse.Namespace) -> list[dict]:
    """All cells, those found under `given.out` read back; none is begun after `given.minutes`."""
    cells, kept = [], Cells(given)
    for setting in settings:
        truth = setting.truth(None if given.small else TRUTHS)
        for seed in range(given.seeds):
            bank = Bank(setting, seed, budgets, given.out and given.out / LABELS)
            for samples in budgets:
                made = kept(f"{setting.name}-{samples}-{seed}", partial(cell, setting, truth, bank, samples, seed))
                if made is not None:
                    cells.append(made)
        for samples in budgets:
            these = [c for c in cells if (c["setting"], c["samples"]) == (setting.name, samples)]
            if these:
                print(table(these), detection(these), sep="\n\n", end="\n\n", flush=True)
    if cells:
        print(summary(cells), flush=True)
    return cells


def over_seeds(values: list[float]) -> tuple[float, tuple[float, float] | None]:
    """The mean, and its 95 % t interval where there are two seeds or more."""
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return mean, None
    half = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return mean, (mean - half, mean + half)


def table(cells: list[dict]) -> Table:
    """Every method at one budget of one setting: means over seeds, with the interval of error and Pearson.

    A method that some cells lack, being records of an earlier version, is left out and named.
    """
    rows = []
    methods = {method: None for c in cells for method in c["scores"]}
    lacking = [method for method in methods if not all(method in c["scores"] for c in cells)]
    for method in (method for method in methods if method not in lacking):
        columns = {measure: [c["scores"][method][measure] for c in cells] for measure in MEASURES}
        error, pearson = over_seeds(columns["error"]), over_seeds(columns["Pearson"])
        gain = np.mean([c["scores"][MONTE_CARLO]["error"] / c["scores"][method]["error"] for c in cells])
        rows.append(
            (
                method,
                *error,
                *pearson,
                float(np.mean(columns["Spearman"])),
                float(np.mean(columns["sign"])),
                float(gain),
            )
        )
    head = (
        "",
        "error",
        "95 % interval",
        "Pearson",
        "95 % interval ",
        "Spearman",
        "sign",
        "Monte Carlo samples for one",
    )
    seeds, first = len(cells), cells[0]
    notes = [f"means over {seeds} seed{'s' if seeds > 1 else ''} of labels and networks; a constant scores error 1."]
    if lacking:
        notes.append(f"not in every record, so left out: {', '.join(lacking)}; records of earlier versions lack it.")
    return Table(head, tuple(rows), tuple(notes), f"{first['setting']}, {first['samples']} samples per point")


def summary(cells: list[dict]) -> Table:
    """A row per setting and budget: what the paper's claims are about."""
    rows = []
    for setting, samples in dict.fromkeys((c["setting"], c["samples"]) for c in cells):
        these = [c["scores"] for c in cells if (c["setting"], c["samples"]) == (setting, samples)]
        monte_carlo, recipe, refined = (
            {measure: over_seeds([scores[method][measure] for scores in these]) for measure in ("error", "Pearson")}
            for method in (MONTE_CARLO, RECIPE, REFINED)
        )
        gain = np.mean([scores[MONTE_CARLO]["error"] / scores[REFINED]["error"] for scores in these])
        errors = monte_carlo["error"][0], recipe["error"][0], *refined["error"]
        pearsons = monte_carlo["Pearson"][0], *recipe["Pearson"], *refined["Pearson"]
        rows.append((f"{setting}, {samples}", *errors, *pearsons, float(gain)))
    error = "setting, samples per point", "Monte Carlo", "paper's recipe", "refined", "95 % interval"
    pearson = "r: Monte Carlo", "r: paper's recipe", "95 % interval ", "r: refined", "95 % interval  "
    notes = (
        "normalised errors, then Pearson r: means over seeds; fewer samples: Monte Carlo's error over the refined.",
    )
    return Table((*error, *pearson, "fewer samples"), tuple(rows), notes)


def detection(cells: list[dict]) -> Table:
    """How well low values of every method, and the truth itself, tell wrong classes: means over seeds."""
    rows = []
    for method in (*cells[0]["scores"], TRUTH):
        cell = [method]
        for points in ("all", "of known truth"):
            columns = [[c["detection"][points].get(method, {}).get(measure) for c in cells] for measure in FOUND]
            if None in columns[0]:
                cell += [None] * (len(FOUND) + 1)
                continue
            auroc = over_seeds(columns[0])
            cell += [*auroc, *(float(np.mean(column)) for column in columns[1:])]
        rows.append(tuple(cell))
    head = ("", "AUROC", "95 % interval", "AUPRC", "below 0")
    first, blank = cells[0], " "
    notes = (
        "means over seeds; below 0: the share of wrong classes whose value is. On the right, points of known truth alone.",
        f"truth: {first['truth_samples']} samples per point.",
    )
    title = f"{first['setting']}, {first['samples']} samples per point: wrong classes found by low values"
    return Table((*head, *(name + blank for name in head[1:])), tuple(rows), notes, title)


def parser_of(doc: str | None, *, points: list[int], samples: list[int]) -> argparse.ArgumentParser:
    parser = options.parser_of(doc, minutes=170.0)
    parser.add_argument("--points", type=int, nargs="+", default=points)
    parser.add_argument("--samples", type=int, nargs="+", default=samples)
    return parser
