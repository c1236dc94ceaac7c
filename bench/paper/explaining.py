"""One experiment of feature attribution: labels at several budgets, an explainer for each, and the honest tables."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import fastsa
from bench.paper import attributions
from bench.paper.cells import write
from fastsa import amortize, estimators, games

FEWEST = 8  # samples that tell the noise of one


@dataclass(frozen=True)
class Setup:
    """A family of games, of which the first `n_train` inputs make labels, and inputs of known truth.

    X : what the explainer reads, one array or a tuple.
    flat : features of every input for the ridge baseline.
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
    new_net: Callable[[], Any]
    train_cost: Callable[[Any], float]
    efficient: bool = False
    truths: dict[str, attributions.Truth] = field(default_factory=dict)
    estimates: dict[str, np.ndarray] = field(default_factory=dict)


def measure_truth(setup: Setup, seed: int) -> float:
    """Fill in the truths; the seconds it took."""
    start = time.perf_counter()
    for name, items in setup.truth_items.items():
        labels = fastsa.LabelStream(
            setup.game, setup.truth_estimator, samples=setup.truth_samples, role="truth", items=items, seed=seed
        ).collect()
        noise = float((labels.stderr**2).sum(axis=1).mean()) * setup.truth_samples
        setup.truths[name] = attributions.Truth(labels.mean, labels.stderr**2, noise)
    return time.perf_counter() - start


def at_budget(setup: Setup, samples: int, select_samples: int, seed: int) -> tuple[dict[str, Any], list[Any]]:
    """`samples` in all per training input, of which `select_samples` choose the epoch; with 0 the last epoch stays.

    On unseen inputs Monte Carlo pays for labels of its own; "refined" weighs those and the network's prediction. The
    estimates of the last set of inputs, which are held out, are left in `setup.estimates`.
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
    net = setup.new_net().fit(_rows(setup.X, items), train, select=select, ends=None if ends is None else ends[items])
    trained = time.perf_counter()
    evaluations = whole.evaluations / setup.n_train + (1.0 if setup.efficient else 0.0)
    center = np.nanmean(whole.mean, axis=0)
    tables, record = [], {}
    for name, where in setup.truth_items.items():
        own = whole.take(where) if where.max() < setup.n_train else labels_of(where, samples, "certify")
        truth = setup.truths[name]
        noise = truth.noise_of_one
        if repr(setup.estimator) != repr(setup.truth_estimator):
            repeated = labels_of(where, max(samples, FEWEST), "certify")
            noise = float((repeated.stderr**2).sum(axis=1).mean()) * max(samples, FEWEST)
        methods = {
            "amortized": net.predict(_rows(setup.X, where), ends=None if ends is None else ends[where]),
            "Monte Carlo, whole budget": own.mean,
            "Monte Carlo, shrunk": attributions.shrunk(own.mean, center, noise / samples / own.mean.shape[1]),
            "ridge on features": attributions.ridge(setup.flat[items], whole.mean, setup.flat[where]),
            "constant": np.broadcast_to(center, own.mean.shape),
        }
        if (
            setup.estimator.unbiased and samples > 1 and where.min() >= setup.n_train
        ):  # labels that the network has not seen
            methods["amortized, refined"] = amortize.refine(methods["amortized"], own).values
        setup.estimates.clear()
        setup.estimates.update(methods, truth=truth.values)
        table = attributions.table(methods, truth, f"{setup.name}, {name}: {evaluations:.0f} evaluations each")
        tables.append(table)
        worth = attributions.plain_samples_worth(table["amortized", "error"], noise, float(truth.spread.mean()))
        per_sample = whole.evaluations / setup.n_train / samples
        record[name] = {
            **{method: table[method, "error"] for method in methods},
            "worth_samples": worth,
            "uncharged_gain": worth / (samples - select_samples),
            "charged_gain": worth * per_sample / (evaluations + setup.train_cost(net) * net.epochs),
        }
    record |= {
        "evaluations_per_input": evaluations,
        "label_seconds": labeled - start,
        "training_seconds": trained - labeled,
        "best_epoch": int(net.best_epoch_),
    }
    return record, tables


def _rows(X: Any, items: np.ndarray) -> Any:
    return tuple(x[items] for x in X) if isinstance(X, tuple) else X[items]


def report(setup: Setup, budgets: list[tuple[int, int]], seed: int, out: Path | None) -> dict[str, Any]:
    """Print every table and what the explainer is worth; keep a JSON record."""
    record: dict[str, Any] = {
        "name": setup.name,
        "seed": seed,
        "truth_seconds": measure_truth(setup, seed),
        "budgets": {},
    }
    print(
        f"{setup.name}: truth of {sum(map(len, setup.truth_items.values()))} inputs took {record['truth_seconds']:.0f} s\n"
    )
    for samples, select_samples in budgets:
        made, tables = at_budget(setup, samples, select_samples, seed)
        record["budgets"][samples] = made
        print(*tables, sep="\n\n")
        for name in setup.truth_items:
            r = made[name]
            print(
                f"\n{name}: as good as {r['worth_samples']:,.0f} samples of {type(setup.estimator).__name__} each: "
                f"{r['uncharged_gain']:.1f} x those trained on; {r['charged_gain']:.1f} x with selection and training charged"
            )
        print(f"labels {made['label_seconds']:.0f} s, training {made['training_seconds']:.0f} s\n", flush=True)
        if out:
            slug = setup.name.lower().replace(",", "").replace(" ", "_")
            write(record, out / f"{slug}.json")
            np.savez(out / f"{slug}.npz", **{k: v.astype(np.float32) for k, v in setup.estimates.items()})
    return record


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=None, help="folder for the JSON record")
    parser.add_argument("--small", action="store_true", help="a form that takes seconds")
    parser.add_argument("--seed", type=int, default=0)
    return parser
