r"""Question: do exact values of an additive surrogate make an explainer of Adult better, at equal evaluations?

    python -m bench.trust.surrogates [--data-dir DATA] [--seeds 5] [--small] [--out FOLDER]

The front door on 400 inputs of Adult's boosted trees, 13 variables, marginal masking by 100 rows, three antithetic
permutations per input, one of them to select by. Informed inputs are paid with inputs, so that every row spends the same in all: an occlusion
is 14 evaluations of each input under one background row, an "alone" 13, a surrogate one of each input, and of each of the 100 rows.
Errors are those of 100 held-out inputs, squared, over the variance of the truth (a constant has 1), whose own noise is
subtracted; ratios are to the explainer without informed inputs of the same seed. Explaining one more input takes the
evaluations of the last column: v(N), of which no efficient explainer is spared, and the first-order answers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import fastsa
from bench.trust import known_errors, tasks
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.amortize.attribution.informed_inputs import SURROGATES
from fastsa.display import Table
from fastsa.estimators import PermutationShapley

SAMPLES, BACKGROUND = 3, 100
PERMUTATIONS = PermutationShapley(antithetic=True)
CHOICES: tuple[tuple[str, ...], ...] = (
    (),
    ("occlusion", "alone"),
    ("linear",),
    ("additive",),
    ("additive", "occlusion", "alone"),
)


def inputs_for(kinds: tuple[str, ...], inputs: int, players: int) -> int:
    """How many inputs the evaluations of so many without informed inputs are enough for."""
    labels, answered = SAMPLES * 2 * players + 1, int(any(kind in SURROGATES for kind in kinds))
    budget = inputs * labels - answered * BACKGROUND
    return budget // (labels + answered + walked(kinds, players))


def walked(kinds: tuple[str, ...], players: int) -> int:
    """Evaluations of the first-order answers about an input."""
    return sum({"occlusion": players + 1, "alone": players}.get(kind, 0) for kind in kinds)


def measured(inputs: int, held_out: int, epochs: int, truth_samples: int, seeds: int, data_dir: Path | None) -> Any:
    """For each choice of informed inputs a list of records, one for each seed."""
    model, masker, X = tasks.boosted_trees(inputs + held_out, 10_000, data_dir)
    unseen = games.ModelGame(model, X[inputs:], masker)
    truth = fastsa.LabelStream(
        unseen, PERMUTATIONS, samples=truth_samples, role="truth", seed=1000, n_threads=1
    ).collect()
    unit = known_errors.signal(truth)
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in range(seeds):
        for kinds in CHOICES:
            items = inputs_for(kinds, inputs, unseen.n_players)
            net = AttributionNet("mlp", epochs=epochs, efficiency=True, seed=seed)
            explainer = fastsa.AmortizedExplainer(
                model,
                masker,
                estimator=PERMUTATIONS,
                samples=SAMPLES,
                informed=kinds or False,
                net=net,
                seed=seed,
                n_threads=1,
            ).fit(X[:items], progress=False)
            values = explainer.explain(X[inputs:])[..., None]
            error = float(known_errors.per_item(values, truth).mean()) / unit
            told = explainer.error_
            found.setdefault(" and ".join(kinds) or "none", []).append(
                {
                    "seed": seed,
                    "inputs": items,
                    "evaluations": explainer.evaluations_,
                    "choice": explainer.choice_,
                    "error": error,
                    "certified": told.error.value / told.signal.value,
                    "each": 1 + walked(kinds, unseen.n_players),
                }
            )
        print(f"seed {seed}:", {name: round(records[-1]["error"], 3) for name, records in found.items()}, flush=True)
    return found


def table(found: dict[str, list[dict[str, Any]]]) -> Table:
    plain = np.array([r["error"] for r in found["none"]])
    rows = []
    for name, records in found.items():
        errors = np.array([r["error"] for r in records])
        chosen = [r["choice"] for r in records]
        said = ", ".join(f"{chosen.count(c)} {c}" for c in ("net", "head", "head and net") if c in chosen)
        certified = float(np.mean([r["certified"] for r in records]))
        evaluations = int(np.mean([r["evaluations"] for r in records]))
        cells = (records[0]["inputs"], evaluations, said, *known_errors.over_seeds(list(errors)), certified)
        rows.append((name, *cells, *known_errors.over_seeds(list(errors / plain)), records[0]["each"]))
    head = ("", "inputs", "evaluations", "chosen", "error", "95 % interval", "certified", "over none")
    head += ("95 % interval ", "each unseen")
    return Table(head, tuple(rows), (), "Adult, boosted trees: informed explainers at equal evaluations")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a form that takes seconds")
    parser.add_argument("--out", type=Path, default=None, help="folder for surrogates.json")
    given = parser.parse_args(arguments)
    if given.seeds < 2:
        parser.error(f"--seeds is {given.seeds}; expected at least 2, which intervals need.")
    sizes = (60, 20, 2, 20) if given.small else (400, 100, 50, 200)
    found = measured(*sizes, given.seeds, given.data_dir)
    print(table(found))
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "surrogates.json").write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
