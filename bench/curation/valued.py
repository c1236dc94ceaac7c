"""Values of every method on a noisy set, kept on disk where a folder is given, so that an interrupted run goes on."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from noisy_sets import NoisySet, load
from over_seeds import BY_CLASSIFIER

import fastsa
from fastsa import curation
from fastsa.amortize import baselines

AMORTIZED, MONTE_CARLO, MARGIN = "amortized", "Monte Carlo, whole budget", "amortized, value margin"
CLASS_MEAN, RIDGE = "class mean of labels", "ridge on the features"
SHARED = 32  # points that one distributional coalition serves
PREFIXES = {"accuracy": "", "log_loss": "log-loss: "}


@dataclass(frozen=True)
class Values:
    """By the name of their method: values [n], low is suspicious; values under every class [n, classes] to relabel by.

    Methods that know the value of a point under no class but its own relabel by `held_out`, the logits of a classifier
    that has not seen the point.
    """

    methods: dict[str, np.ndarray]
    under_all: dict[str, np.ndarray]
    held_out: np.ndarray

    def joined(self, others: list[Values]) -> Values:
        methods, under_all = dict(self.methods), dict(self.under_all)
        for other in others:
            methods |= other.methods
            under_all |= other.under_all
        return Values(methods, under_all, self.held_out)

    def proposals(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """What relabels, and who is looked at first, as curation.cleaning_table takes them."""
        proposed = {name: (self.held_out, values) for name, values in self.methods.items()}
        for name, under_all in self.under_all.items():
            margin = name.removesuffix(AMORTIZED) + MARGIN
            proposed |= {which: (under_all, self.methods[which]) for which in (name, margin)}
            proposed[name + BY_CLASSIFIER] = (self.held_out, self.methods[name])
        return proposed


def points(name: str, seed: int, given: argparse.Namespace) -> NoisySet:
    sizes = {"points": given.points, "val": given.val, "test": given.test}
    return load(name, given.data_dir, **sizes, flipped=given.flipped, seed=seed)


def key(name: str, seed: int, given: argparse.Namespace) -> str:
    """The points of a seed, as the beginning of a file's name."""
    return f"{name}-{given.points}-{given.val}-{given.test}-{given.flipped:g}-seed{seed}"


def baseline_key(given: argparse.Namespace) -> str:
    return f"baselines-{given.trees}"


def drawn_key(score: str, samples: int, sizes: list[int] | None) -> str:
    law = "" if sizes is None else f"-{sizes[0]}-{sizes[1]}"
    return f"{score}-{samples}{law}"


def without_labels(data: NoisySet, seed: int, given: argparse.Namespace, keep: Path | None) -> Values:
    """Values of the methods that need none: the same for every utility and budget."""

    def make() -> dict[str, np.ndarray]:
        named = curation.baseline_values(
            data.X, data.y, data.X_val, data.y_val, n_estimators=given.trees, seed=seed, n_threads=given.threads
        )
        n_classes = int(data.y_true.max()) + 1
        return {"held_out": baselines.held_out_logits(data.X, data.y, n_classes=n_classes, seed=seed)} | named

    made = kept(make, data, keep)
    held_out = made.pop("held_out")
    return Values(made, {}, held_out)


def from_labels(
    data: NoisySet,
    seed: int,
    score: str,
    samples: int,
    held_out: np.ndarray,
    keep: Path | None,
    given: argparse.Namespace,
) -> Values:
    """Values of the methods that spend `samples` labels per point, under one utility."""

    def make() -> dict[str, np.ndarray]:
        utility = fastsa.utilities.Logistic(score=score)
        sizes = given.sizes
        estimator = None if sizes is None else fastsa.estimators.Distributional(*sizes, shared=SHARED)
        valuator = fastsa.DataValuator(
            utility, estimator=estimator, samples=samples, seed=seed, n_threads=given.threads
        )
        valuator.fit(data.X, data.y, data.X_val, data.y_val, progress=False)
        labels = {"mean": valuator.labels_.mean[:, 0], "count": valuator.labels_.count}
        return labels | {"values": valuator.values_, "under_all": valuator.predict_all(data.X)}

    made, which = kept(make, data, keep), PREFIXES[score]
    mean, count, under_all = made["mean"], made["count"], made["under_all"]
    methods = {
        AMORTIZED: made["values"],
        MONTE_CARLO: mean,
        MARGIN: curation.value_margin(under_all, data.y, classes=np.arange(under_all.shape[1])),
        CLASS_MEAN: baselines.class_mean(mean, count, data.y),
        RIDGE: baselines.ridge(data.X, data.y, mean, count, n_classes=under_all.shape[1]),
    }
    return Values({which + name: values for name, values in methods.items()}, {which + AMORTIZED: under_all}, held_out)


def kept(make: Callable[[], dict[str, np.ndarray]], data: NoisySet, path: Path | None) -> dict[str, np.ndarray]:
    """What `make` gives: read where an earlier run left it for the same classes, else made and left there."""
    if path is None:
        return make()
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            found = dict(file)
        if not np.array_equal(found.pop("y given"), data.y):
            raise SystemExit(f"{path} holds values of other points than the data folder gives; remove it.")
        return found
    made = make()
    whole = path.with_suffix(".part.npz")
    np.savez(whole, **{"y given": data.y}, **made)
    whole.replace(path)
    return made


def kept_numbers(make: Callable[[], dict[str, dict[str, float]]], path: Path | None) -> dict[str, dict[str, float]]:
    """As `kept`, for measures."""
    if path is not None and path.exists():
        return json.loads(path.read_text())
    made = make()
    if path is not None:
        path.write_text(json.dumps(made))
    return made
