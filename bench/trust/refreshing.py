r"""Question: labels that stay, labels that are refined and labels that are replaced while a network trains; which is best?

    python -m bench.trust.refreshing [--data-dir DATA] [--seeds 5] [--small] [--out FOLDER]

Every input has the same samples in all, S antithetic permutations, and every network the same steps:

fixed      the mean of all S from the first epoch on
refining   a stream: the mean of the samples so far, all of them in the last epoch
refreshed  S labels of one sample in turn, each for equally many epochs (AttributionNet.fit, refresh=1)

Two tasks: Adult's boosted trees (13 variables, marginal masking, one background row per sample), and a synthetic model of 8
features with interactions, masked likewise. Few inputs can be learned by heart, many cannot. Networks keep their last epoch,
or the one of least loss on S / 4 select samples, which all three then pay beside S.

Errors are squared, over the variance of the truth (a constant has 1), whose own noise is subtracted; ratios are of the
error of fixed labels of the same seed, on the same inputs. Seeds give other labels and other networks; 95 % t intervals.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fastsa
from bench.trust import known_errors, tasks
from bench.trust.results import Result
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.display import Table
from fastsa.estimators import PermutationShapley

MODES = ("fixed", "refining", "refreshed")
KEPT = ("last epoch", "selected epoch")
PERMUTATIONS = PermutationShapley(antithetic=True)


@dataclass(frozen=True)
class Sizes:
    """inputs and samples : the settings; steps of training; held_out, and as many of those trained on, have truth."""

    inputs: tuple[int, ...]
    samples: tuple[int, ...]
    steps: int
    held_out: int
    truth: int


@dataclass(frozen=True)
class Case:
    """A model to explain: inputs to train on, then those held out."""

    model: Callable[[np.ndarray], np.ndarray]
    masker: Any
    X: np.ndarray

    def game(self, rows: slice) -> games.ModelGame:
        return games.ModelGame(self.model, self.X[rows], self.masker)


def synthetic(sizes: Sizes, data_dir: Path | None) -> Case:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(max(sizes.inputs) + sizes.held_out, 8))

    def model(x: np.ndarray) -> np.ndarray:
        return np.tanh(x[:, 0] + x[:, 1]) + x[:, 2] * x[:, 3] + np.sin(2 * x[:, 4]) * x[:, 5] + 0.5 * x[:, 6]

    return Case(model, games.Marginal(rng.normal(size=(100, 8))), X)


def adult(sizes: Sizes, data_dir: Path | None) -> Case:
    return Case(*tasks.boosted_trees(max(sizes.inputs) + sizes.held_out, 10_000, data_dir))


CASES = {"synthetic": synthetic, "Adult, boosted trees": adult}


def stream(game: games.ModelGame, samples: int, role: str, seed: int) -> fastsa.LabelStream:
    """Of batches that hold one sample of every input, so that labels are refined sample by sample."""
    batch = int(np.ceil(PERMUTATIONS.evaluations(game, np.arange(game.ids.size))))
    return fastsa.LabelStream(game, PERMUTATIONS, samples=samples, role=role, seed=seed, batch=batch, n_threads=1)


def fitted(mode: str, X: np.ndarray, train: fastsa.LabelStream, select: Any, epochs: int, seed: int) -> AttributionNet:
    net = AttributionNet("mlp", epochs=epochs, seed=seed)
    if mode == "refreshed":
        return net.fit(X, train, select=select, refresh=1)
    return net.fit(X, train if mode == "refining" else train.collect(), select=select)


def measured(case: Case, sizes: Sizes, seeds: int) -> list[dict[str, Any]]:
    """One record for each number of inputs, samples, kept epoch, mode and seed: errors on inputs trained on and held out."""
    held_out = slice(len(case.X) - sizes.held_out, None)
    known = {
        "trained on": (slice(0, sizes.held_out), stream(case.game(slice(0, sizes.held_out)), sizes.truth, "truth", 0)),
        "held out": (held_out, stream(case.game(held_out), sizes.truth, "truth", 1)),
    }
    truths = {name: (rows, truth.collect()) for name, (rows, truth) in known.items()}
    unit = known_errors.signal(truths["held out"][1])
    found = []
    for n in sizes.inputs:
        game, X = case.game(slice(0, n)), case.X[:n]
        epochs = -(-sizes.steps // -(-n // 64))
        for samples in sizes.samples:
            for seed in range(seeds):
                train = stream(game, samples, "train", seed)
                select = stream(game, max(1, samples // 4), "select", seed).collect()
                for kept, mode in itertools.product(KEPT, MODES):
                    net = fitted(mode, X, train, select if kept == KEPT[1] else None, max(epochs, samples), seed)
                    errors = {
                        name: float(known_errors.per_item(net.predict(case.X[rows]), truth).mean()) / unit
                        for name, (rows, truth) in truths.items()
                    }
                    setting = {"inputs": n, "samples": samples, "seed": seed, "kept": kept, "mode": mode}
                    found.append({**setting, "errors": errors})
    return found


def table(name: str, records: list[dict[str, Any]], kept: str) -> Result:
    rows, apart = [], []
    settings = sorted({(r["inputs"], r["samples"]) for r in records})
    for n, samples in settings:
        for which in ("trained on", "held out"):
            of = {
                mode: np.array(
                    [
                        r["errors"][which]
                        for r in records
                        if (r["inputs"], r["samples"], r["mode"], r["kept"]) == (n, samples, mode, kept)
                    ]
                )
                for mode in MODES
            }
            cells: list[Any] = [f"{n:,} inputs, S = {samples}, {which}", *known_errors.over_seeds(of["fixed"])]
            for mode in MODES[1:]:
                ratio = known_errors.over_seeds(of[mode] / of["fixed"])
                cells += [float(of[mode].mean()), *ratio]
                apart.append((mode, ratio[1]))
            rows.append(tuple(cells))
    head = ("", "fixed", "95 % interval")
    for i, mode in enumerate(MODES[1:], 1):
        head += (mode, "over fixed" + " " * i, "95 % interval" + " " * i)
    verdicts = []
    for mode in MODES[1:]:
        better = sum(ends is not None and ends[1] < 1 for m, ends in apart if m == mode)
        worse = sum(ends is not None and ends[0] > 1 for m, ends in apart if m == mode)
        verdicts.append(
            f"{name}, {kept}: {mode} labels are better than fixed ones in {better}, worse in {worse} of {len(rows)} rows"
        )
    title = f"{name}, {kept}: networks on labels of equal evaluations"
    return Result(Table(head, tuple(rows), (), title), verdicts, {})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--small", action="store_true", help="a form that takes seconds")
    parser.add_argument("--out", type=Path, default=None, help="folder for refreshing.json")
    given = parser.parse_args(arguments)
    if given.seeds < 2:
        parser.error(f"--seeds is {given.seeds}; expected at least 2, which intervals need.")
    sizes = Sizes((100, 1000), (8,), 800, 100, 300)
    if given.small:
        sizes = Sizes((40,), (4,), 20, 20, 20)
    found = {}
    for name in given.tasks:
        found[name] = measured(CASES[name](sizes, given.data_dir), sizes, given.seeds)
        for kept in KEPT:
            result = table(name, found[name], kept)
            print(result.table, *result.verdicts, "", sep="\n", flush=True)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "refreshing.json").write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
