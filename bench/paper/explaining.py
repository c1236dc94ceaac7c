"""One experiment of feature attribution: labels at several budgets and seeds, an explainer for each, the honest tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fastsa
from bench.paper import attributions, options, valuing
from bench.paper.cells import Cells
from bench.paper.valuing import MONTE_CARLO, REFINED
from fastsa import amortize, estimators, games
from fastsa.display import Table

ESTIMATES = "estimates"  # a folder beside the records
FEWEST = 8  # samples that tell the noise of one


@dataclass(frozen=True)
class Setup:
    """A family of games, of which the first `n_train` inputs make labels, and inputs of known truth.

    X : what the explainer reads, one array or a tuple.
    flat : features of every input for the ridge baseline.
    new_net : an explainer, by its seed.
    train_cost : of the fitted net: how many model evaluations one pass of training over one input is worth.
    efficient : whether attributions are made to sum to v(N) - v(empty), at one evaluation more per explained input.
    """

    name: str
    game: games.ModelGame
    X: Any
    flat: np.ndarray
    n_train: int
    truth_items: dict[str, np.ndarray]
    estimator: estimators.Estimator
    truth_estimator: estimators.Estimator
    truth_samples: int
    new_net: Callable[[int], Any]
    train_cost: Callable[[Any], float]
    efficient: bool = False
    truths: dict[str, attributions.Truth] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """Of records: two sizes of an experiment have two."""
        return f"{self.name.lower().replace(',', '').replace(' ', '_')}-{self.n_train}"


def truth(setup: Setup, name: str, out: Path | None) -> attributions.Truth:
    """The truth of a set of inputs: measured once, one for all seeds, and kept as npz where there is a folder."""
    size = f"{setup.truth_items[name].size}x{setup.truth_samples}"
    path = None if out is None else out / f"{setup.slug}-truth-{name.replace(' ', '_')}-{size}.npz"
    if name not in setup.truths and path is not None and path.exists():
        with np.load(path) as kept:
            setup.truths[name] = attributions.Truth(kept["values"], kept["variance"], float(kept["noise_of_one"]))
    if name not in setup.truths:
        start = time.perf_counter()
        labels = fastsa.LabelStream(
            setup.game, setup.truth_estimator, samples=setup.truth_samples, role="truth", items=setup.truth_items[name]
        ).collect()
        noise = float((labels.stderr**2).sum(axis=1).mean()) * setup.truth_samples
        made = setup.truths[name] = attributions.Truth(labels.mean, labels.stderr**2, noise)
        print(f"{setup.name}: truth of {labels.ids.size} {name} took {time.perf_counter() - start:.0f} s", flush=True)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, values=made.values, variance=made.variance, noise_of_one=made.noise_of_one)
    return setup.truths[name]


def at_budget(setup: Setup, samples: int, select_samples: int, seed: int, out: Path | None) -> dict[str, Any]:
    """`samples` in all per training input, of which `select_samples` choose the epoch; with 0 the last epoch stays.

    On unseen inputs Monte Carlo pays for labels of its own; "refined" weighs those and the network's prediction. The
    estimates of the last set of inputs, which are held out, are kept as npz. Prints its tables.
    """
    items = np.arange(setup.n_train)

    def labels_of(items: np.ndarray, samples: int, role: str) -> fastsa.Labels:
        return fastsa.LabelStream(
            setup.game, setup.estimator, samples=samples, role=role, items=items, seed=seed
        ).collect()

    start = time.perf_counter()
    train = labels_of(items, samples - select_samples, "train")
    select = labels_of(items, select_samples, "select") if select_samples else None
    whole = train if select is None else train.merge(select)
    labeled = time.perf_counter()
    ends = amortize.ends(setup.game) if setup.efficient else None
    net = setup.new_net(seed).fit(
        _rows(setup.X, items), train, select=select, ends=None if ends is None else ends[items]
    )
    trained = time.perf_counter()
    evaluations = whole.evaluations / setup.n_train + (1.0 if setup.efficient else 0.0)
    center = np.nanmean(whole.mean, axis=0)
    record: dict[str, Any] = {"name": setup.name, "samples": samples, "seed": seed}
    for name, where in setup.truth_items.items():
        own = whole.take(where) if where.max() < setup.n_train else labels_of(where, samples, "certify")
        known = truth(setup, name, out)
        noise = known.noise_of_one
        if repr(setup.estimator) != repr(setup.truth_estimator):
            repeated = labels_of(where, max(samples, FEWEST), "certify")
            noise = float((repeated.stderr**2).sum(axis=1).mean()) * max(samples, FEWEST)
        methods = {
            "amortized": net.predict(_rows(setup.X, where), ends=None if ends is None else ends[where]),
            MONTE_CARLO: own.mean,
            "Monte Carlo, shrunk": attributions.shrunk(own.mean, center, noise / samples / own.mean.shape[1]),
            "ridge on features": attributions.ridge(setup.flat[items], whole.mean, setup.flat[where]),
            "constant": np.broadcast_to(center, own.mean.shape),
        }
        if (
            setup.estimator.unbiased and samples > 1 and where.min() >= setup.n_train
        ):  # labels that the network has not seen
            methods[REFINED] = amortize.refine(methods["amortized"], own).values
        table = attributions.table(methods, known, f"{setup.name}, {name}: {evaluations:.0f} evaluations each")
        print(table, end="\n\n")
        worth = attributions.plain_samples_worth(table["amortized", "error"], noise, float(known.spread.mean()))
        per_sample = whole.evaluations / setup.n_train / samples
        record[name] = {
            **{method: table[method, "error"] for method in methods},
            "Pearson": {method: table[method, "Pearson"] for method in methods},
            "worth_samples": worth,
            "uncharged_gain": worth / (samples - select_samples),
            "charged_gain": worth * per_sample / (evaluations + setup.train_cost(net) * net.epochs),
        }
    print(f"labels {labeled - start:.0f} s, training {trained - labeled:.0f} s\n", flush=True)
    if out is not None:
        path = out / ESTIMATES / f"{setup.slug}-{samples}-{seed}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {**methods, "truth": known.values}
        np.savez(path, **{k: v.astype(np.float32) for k, v in kept.items()})
    return record | {
        "evaluations_per_input": evaluations,
        "label_seconds": labeled - start,
        "training_seconds": trained - labeled,
        "best_epoch": int(net.best_epoch_),
    }


def _rows(X: Any, items: np.ndarray) -> Any:
    return tuple(x[items] for x in X) if isinstance(X, tuple) else X[items]


def report(setup: Setup, budgets: list[tuple[int, int]], given: argparse.Namespace) -> list[dict[str, Any]]:
    """A cell per seed and budget, and what all seeds say."""
    cell = Cells(given)
    made = [
        cell(f"{setup.slug}-{samples}-{seed}", partial(at_budget, setup, samples, select_samples, seed, given.out))
        for seed in range(1 if given.small else given.seeds)
        for samples, select_samples in budgets
    ]
    records = [record for record in made if record is not None]
    if records:
        for name in setup.truth_items:
            print(summary(setup, records, name), end="\n\n", flush=True)
    return records


def summary(setup: Setup, records: list[dict[str, Any]], name: str) -> Table:
    """A row per budget: errors on a set of inputs, and what a network is worth, with intervals over seeds."""
    rows = []
    for samples in dict.fromkeys(record["samples"] for record in records):
        some = [record for record in records if record["samples"] == samples]
        found = [record[name] for record in some]
        errors: list[Any] = []
        for method in ("amortized", REFINED):
            errors += valuing.over_seeds([f[method] for f in found]) if method in found[0] else (None, None)
        others = (MONTE_CARLO, "Monte Carlo, shrunk", "ridge on features")
        errors += [float(np.mean([f[method] for f in found])) for method in others]
        gains = [valuing.over_seeds([f[gain] for f in found]) for gain in ("uncharged_gain", "charged_gain")]
        labels, net = ([f["Pearson"][method] for f in found] for method in (MONTE_CARLO, "amortized"))
        agreements = float(np.mean(labels)), *valuing.over_seeds(net)
        evaluations = f"{some[0]['evaluations_per_input']:.0f} evaluations"
        rows.append((evaluations, *errors, *agreements, *gains[0], *gains[1], len(some)))
    head = ("", "amortized", "95 % interval", "refined", "95 % interval ", "Monte Carlo", "shrunk", "ridge")
    agreements = ("r: Monte Carlo", "r: amortized", "95 % interval  ")
    worth = ("worth", "95 % interval   ", "charged", "95 % interval    ", "seeds")
    notes = (
        f"worth: samples of {type(setup.estimator).__name__} of the same error, over those trained on; then over all that was paid.",
        "r: Pearson correlation over players and outputs, the mean of inputs.",
        "Intervals are over seeds of labels and networks, one fixed model and truth.",
    )
    return Table((*head, *agreements, *worth), tuple(rows), notes, f"{setup.name}, {name}")


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    return options.parser_of(doc, minutes=170.0)
