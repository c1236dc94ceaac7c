"""Values of every method on a noisy set, kept on disk where a folder is given, so that an interrupted run goes on."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from noisy_sets import NoisySet, load

import fastsa
from fastsa import curation
from fastsa.amortize import baselines

AMORTIZED, MONTE_CARLO, MARGIN = "amortized", "Monte Carlo, whole budget", "amortized, value margin"
CLASS_MEAN, RIDGE = "class mean of labels", "ridge on the features"
PREFIXES = {"accuracy": "", "log_loss": "log-loss: "}
_SETTINGS = ("points", "val", "test", "flipped", "samples", "trees")


@dataclass(frozen=True)
class Valued:
    """A noisy set, and by the name of their method values (low is suspicious) and values under every class.

    `held_out` are logits of a classifier that has not seen the point: the class that a method without values under
    every class gives to points it finds suspicious.
    """

    data: NoisySet
    methods: dict[str, np.ndarray]
    under_all: dict[str, np.ndarray]
    held_out: np.ndarray


def key(name: str, seed: int, given: argparse.Namespace) -> str:
    """What values depend on, as the name of a file."""
    settings = "-".join(f"{setting}{getattr(given, setting):g}" for setting in _SETTINGS)
    return f"{name}-{settings}-{'-'.join(given.utilities)}-seed{seed}"


def value(name: str, seed: int, given: argparse.Namespace) -> Valued:
    """Values of every method on the points of one seed: read from `given.keep` where they are, else made and kept."""
    data = load(
        name, given.data_dir, points=given.points, val=given.val, test=given.test, flipped=given.flipped, seed=seed
    )
    kept = None
    if given.keep is not None:
        kept = given.keep / f"{key(name, seed, given)}.npz"
    if kept is None or not kept.exists():
        made = _made(data, seed, given)
        if kept is None:
            return made
        _keep(made, kept)
    return _read(data, kept)


def _made(data: NoisySet, seed: int, given: argparse.Namespace) -> Valued:
    methods, under_all = {}, {}
    n_classes = int(data.y_true.max()) + 1
    for score in given.utilities:
        which = PREFIXES[score]
        utility = fastsa.utilities.Logistic(score=score)
        valuator = fastsa.DataValuator(utility, samples=given.samples, seed=seed, n_threads=given.threads)
        valuator.fit(data.X, data.y, data.X_val, data.y_val, progress=False)
        under_all[which + AMORTIZED] = valuator.predict_all(data.X)
        mean, count = valuator.labels_.mean[:, 0], valuator.labels_.count
        methods[which + AMORTIZED] = valuator.values_
        methods[which + MONTE_CARLO] = mean
        methods[which + MARGIN] = curation.value_margin(under_all[which + AMORTIZED], data.y)
        methods[which + CLASS_MEAN] = baselines.class_mean(mean, count, data.y)
        methods[which + RIDGE] = baselines.ridge(data.X, data.y, mean, count, n_classes=n_classes)
    methods |= curation.baseline_values(
        data.X, data.y, data.X_val, data.y_val, n_estimators=given.trees, seed=seed, n_threads=given.threads
    )
    return Valued(data, methods, under_all, baselines.held_out_logits(data.X, data.y, n_classes=n_classes, seed=seed))


def _keep(made: Valued, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"value/{name}": values for name, values in made.methods.items()}
    arrays |= {f"under all/{name}": values for name, values in made.under_all.items()}
    whole = path.with_suffix(".part.npz")
    np.savez(whole, y=made.data.y, held_out=made.held_out, **arrays)
    whole.replace(path)


def _read(data: NoisySet, path: Path) -> Valued:
    with np.load(path, allow_pickle=False) as file:
        if not np.array_equal(file["y"], data.y):
            raise SystemExit(f"{path} holds values of other points than the data folder gives; remove it.")
        parts: dict[str, dict[str, np.ndarray]] = {"value": {}, "under all": {}}
        for name in file.files:
            kind, _, method = name.partition("/")
            if method:
                parts[kind][method] = file[name]
        return Valued(data, parts["value"], parts["under all"], file["held_out"])
