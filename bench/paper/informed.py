r"""Claim: a vision transformer's first-order answers make an explainer of noisy labels far better at equal evaluations.

    python -m bench.paper.informed [--data-dir DATA] [--small] [--out FOLDER] [--seed 0]

Not in the paper. The model of bench.paper.fashion_vit (FOLDER keeps it); the front door with two antithetic permutations per
input, one of them to select by, 196 evaluations; with informed inputs on as many fewer inputs as these cost, so that
every row spends the same in all. Explaining an unseen input then costs its first-order answers too, which is said. Truth is
KernelSHAP with 2,048 pairs on 20 held-out images, its variance subtracted; the certificate is the explainer's own, of the
inputs it was fitted on, over the signal.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import fastsa
from bench import data
from bench.paper import attributions, fashion_vit, options, vit
from bench.paper.cells import write
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.estimators import KernelSHAP

GRID = fashion_vit.HEADLINE.grid
PLAYERS, OUTPUTS = GRID**2, 10
LABELS = 4 * PLAYERS
COST = {"gradient": 1 + 2 * OUTPUTS, "occlusion": PLAYERS + 1, "alone": PLAYERS}
CHOICES: tuple[tuple[str, ...], ...] = ((), ("gradient",), ("occlusion",), ("occlusion", "alone"))


def measured(
    model: Any, images: torch.Tensor, unseen: torch.Tensor, truth: attributions.Truth, size: dict[str, int], seed: int
) -> dict[str, Any]:
    """One row for each choice of informed inputs."""
    rows, records = [], {}
    for kinds in CHOICES:
        extra = sum(COST[kind] for kind in kinds)
        items = size["n_train"] * LABELS // (LABELS + extra)
        net = AttributionNet(
            "tokens",
            backbone=model.classifier.backbone,
            epochs=size["epochs"],
            learning_rate=3e-4,
            efficiency=True,
            seed=seed,
        )
        start = time.perf_counter()
        explainer = fastsa.AmortizedExplainer(
            model, games.Patches((GRID, GRID)), samples=2, informed=kinds or False, net=net, seed=seed
        ).fit(images[:items], progress=False)
        score, told = attributions.score(explainer.explain(unseen), truth), explainer.error_
        name = " and ".join(kinds) or "none"
        certified = told.error.value / told.signal.value
        rows.append(
            (name, items, explainer.evaluations_, extra + 1, explainer.choice_, score.error, score.interval, certified)
        )
        records[name] = {
            "inputs": items,
            "evaluations": explainer.evaluations_,
            "choice": explainer.choice_,
            "error": score.error,
            "interval": score.interval,
            "certified": certified,
            "seconds": time.perf_counter() - start,
        }
        print(name, json.dumps(records[name]), flush=True)
    head = ("", "inputs", "evaluations", "each unseen", "chosen", "error", "95 % interval", "certified")
    print(fastsa.display.Table(head, tuple(rows), (), "Fashion ViT: informed explainers at equal evaluations"))
    return records


def main(arguments: list[str] | None = None) -> None:
    parser = options.single_parser_of(__doc__, out="folder of the JSON record and of the model")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    size = {"n_train": 500, "n_truth": 20, "truth_pairs": 2048, "epochs": 20}
    if given.small:
        size = {"n_train": 12, "n_truth": 3, "truth_pairs": 64, "epochs": 1}
    sets = data.fashion_mnist(data.folder(given.data_dir))
    images, classes = (torch.from_numpy(a) for a in sets["train"])
    unseen = torch.from_numpy(sets["test"][0])[: size["n_truth"]]
    made = replace(fashion_vit.HEADLINE, rows=640, model_epochs=1) if given.small else fashion_vit.HEADLINE
    _, surrogate = fashion_vit.models(images, classes, made, given.out)
    model = vit.Probabilities(surrogate).eval()
    game = games.ModelGame(model, unseen, games.Patches((GRID, GRID)))
    labels = fastsa.LabelStream(
        game, KernelSHAP(), samples=size["truth_pairs"], role="truth", seed=given.seed
    ).collect()
    truth = attributions.Truth(labels.mean, np.square(labels.stderr))
    records = measured(model, images, unseen, truth, size, given.seed)
    if given.out:
        write(records, given.out / "informed.json")


if __name__ == "__main__":
    main()
