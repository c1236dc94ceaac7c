r"""Claim: noisy labels of any unbiased estimator teach a network more than they say themselves; labels of a biased one do not.

    python -m bench.paper.label_estimators [--data-dir DATA] [--out FOLDER] [--seeds 5] [--minutes 60] [--budgets 78]
        [--inputs 2500] [--small]

The paper (figures 10 to 12 and 14 to 17, a ViT of 196 patches, one seed): networks trained on labels of permutations and of
KernelSHAP are ahead of these at every budget; on SGD-Shapley's, which are shrunk to a tenth, they fail by all measures; on
Banzhaf's and LIME's they win in squared error and lose in correlation, and with labels brought to unit norm the other way
round. Here: Adult as in `rivals`, an evaluation being one row of the model, each estimator held against the exact values of
what it estimates. SGD-Shapley takes the step that shrinks its labels as much as the paper's; `debiased` undoes that. "unit"
learns directions and norms apart (AttributionNet(scale="unit")), on the labels as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import fastsa
from bench import data
from bench.paper import attributions, valuing
from bench.paper.adult_games import Adult, adult_games
from bench.paper.cells import Cells
from bench.paper.rivals import determined, labels_of, parser_of, scores, sgd
from fastsa import amortize, estimators, games
from fastsa.amortize import AttributionNet
from fastsa.display import Table


@dataclass(frozen=True)
class Games:
    X: np.ndarray
    train: games.ModelGame
    X_new: np.ndarray
    new: games.ModelGame
    ends: np.ndarray
    ends_new: np.ndarray
    truths: dict[str, attributions.Truth]
    """By the index that is estimated."""

    @staticmethod
    def of(adult: Adult) -> Games:
        train, new = adult.game(adult.X), adult.game(adult.X_new)
        exact = {
            "Shapley": fastsa.exact(adult.whole),
            "Banzhaf": fastsa.exact(adult.whole, "banzhaf"),
            "LIME": fastsa.exact(adult.whole, estimators.LIME()),
        }
        truths = {index: attributions.Truth(values, np.zeros_like(values)) for index, values in exact.items()}
        return Games(adult.X, train, adult.X_new, new, amortize.ends(train), amortize.ends(new), truths)


def kinds(game: games.ModelGame, budget: int) -> dict[str, tuple[str, estimators.Estimator, str]]:
    """By name: the index, the estimator and the scale of the network."""
    return {
        "permutation": ("Shapley", estimators.PermutationShapley(), "global"),
        "permutation, antithetic": ("Shapley", estimators.PermutationShapley(antithetic=True), "global"),
        "KernelSHAP": ("Shapley", estimators.KernelSHAP(paired=False), "global"),
        "KernelSHAP, paired": ("Shapley", estimators.KernelSHAP(), "global"),
        "unbiased KernelSHAP, paired": ("Shapley", estimators.UnbiasedKernelSHAP(), "global"),
        "SGD-Shapley": ("Shapley", sgd(game, budget, debiased=False), "global"),
        "SGD-Shapley, debiased": ("Shapley", sgd(game, budget, debiased=True), "global"),
        "Banzhaf": ("Banzhaf", estimators.BanzhafMSR(), "global"),
        "Banzhaf, unit": ("Banzhaf", estimators.BanzhafMSR(), "unit"),
        "LIME": ("LIME", estimators.LIME(), "global"),
        "LIME, unit": ("LIME", estimators.LIME(), "unit"),
    }


def cell(both: Games, name: str, budget: int, seed: int, epochs: int) -> dict:
    """One estimator, budget and seed: its own labels of the held-out inputs, and what a network makes of the training inputs'."""
    index, estimator, scale = kinds(both.train, budget)[name]
    efficient = index == "Shapley"
    train = labels_of(both.train, estimator, budget, seed)
    net = AttributionNet(
        "mlp", width=256, epochs=epochs, batch_size=128, efficiency=efficient, scale=scale, n_threads=1, seed=seed
    )
    net.fit(both.X, train, ends=both.ends if efficient else None)
    own = labels_of(both.new, estimator, budget, seed, "certify")
    found = {
        "labels": determined(own),
        "amortized": net.predict(both.X_new, ends=both.ends_new if efficient else None),
    }
    if estimator.unbiased and own.count.min() > 1:
        found["refined"] = amortize.refine(found["amortized"], own).values
    made = {"scores": scores(found, both.truths[index]), "evaluations": own.evaluations / len(both.X_new)}
    return {"estimator": name, "budget": budget, "seed": seed, **made}


def tables(cells: dict[str, list[dict]], budget: int, inputs: int) -> tuple[Table, Table]:
    """Errors with intervals, and agreements; every measure of the labels beside that of the network."""
    errors, agreements = [], []
    for name, of in cells.items():

        def each(method: str, measure: str, of: list[dict] = of) -> list[float]:
            return [c["scores"][method][measure] for c in of]

        labels, amortized = each("labels", "error"), each("amortized", "error")
        refined = float(np.mean(each("refined", "error"))) if "refined" in of[0]["scores"] else None
        ratio = valuing.over_seeds([a / b for a, b in zip(labels, amortized, strict=True)])
        row = (name, *valuing.over_seeds(labels), *valuing.over_seeds(amortized), *ratio, refined)
        errors.append((*row, round(of[0]["evaluations"])))
        difference = [b - a for a, b in zip(each("labels", "Pearson"), each("amortized", "Pearson"), strict=True)]
        pairs = [float(np.mean(each(m, s))) for s in ("Pearson", "Spearman", "sign") for m in ("labels", "amortized")]
        agreements.append((name, *pairs, valuing.over_seeds(difference)[1]))
    seeds = len(next(iter(cells.values())))
    notes = (
        f"means over {seeds} seed{'s' if seeds > 1 else ''}; {inputs:,} training inputs; the mean attribution scores error 1.",
    )
    title = f"Adult, labels of {budget} evaluations, each one row of the model"
    head = (
        "",
        "labels",
        "95 % interval",
        "amortized",
        "95 % interval ",
        "ratio",
        "95 % interval  ",
        "refined",
        "spent",
    )
    measures = ("Pearson", "amortized", "Spearman", "amortized ", "sign", "amortized  ", "gain of Pearson, 95 %")
    return Table(head, tuple(errors), notes, f"{title}: errors"), Table(
        ("", *measures), tuple(agreements), notes, f"{title}: agreement"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--budgets", type=int, nargs="+", default=[78])
    given = parser.parse_args(arguments)
    n_held_out, epochs = 100, 40
    if given.small:
        given.inputs, given.seeds, n_held_out, epochs = 150, 1, 20, 3
    adult = adult_games(
        data.adult(data.folder(given.data_dir)), n_train=given.inputs, n_held_out=n_held_out, small=given.small
    )
    both, kept = Games.of(adult), Cells(given)
    for budget in given.budgets:
        cells: dict[str, list[dict]] = {}
        for seed in range(given.seeds):
            made = {}
            for name in kinds(both.train, budget):
                slug = name.replace(", ", "-").replace(" ", "-")
                made[name] = kept(
                    f"labels-{slug}-{budget}-{given.inputs}-{seed}",
                    lambda name=name: cell(both, name, budget, seed, epochs),
                )
            if None in made.values():
                continue
            for name, record in made.items():
                cells.setdefault(name, []).append(record)
        if cells:
            print(*tables(cells, budget, given.inputs), sep="\n\n", flush=True)
            print()


if __name__ == "__main__":
    main()
