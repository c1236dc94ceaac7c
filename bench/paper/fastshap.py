r"""Claim: the same network trained on the game itself (FastSHAP) is as good as on labels at every budget of operations.

    python -m bench.paper.fastshap [--data-dir DATA] [--small] [--out FOLDER] [--seeds 5] [--minutes 170]

The paper (figure 13): its ViT's explainer with FastSHAP's loss on 32 fresh coalitions of an image and epoch; errors are alike at
every number of operations, FastSHAP's slightly lower at the largest. Here: the ViT of 49 patches in `fashion_vit`, its explainer
on the cheapest labels of unbiased KernelSHAP, and the same explainer with FastSHAP's loss, for as many epochs with few
coalitions, and for two epochs with more. A pass of training counts as in `fashion_vit`, as the forward passes of the model
that have as many operations; FastSHAP's networks are given no more of them than the one on labels, but for 256 inputs' coalitions that tell its scale.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.paper import attributions, explaining, fashion_vit, valuing, vit
from bench.paper.cells import Cells
from fastsa import amortize
from fastsa.display import Table

LABELS, HELD_OUT = "unbiased-kernel", "held-out inputs"
FEW_EPOCHS = 2


@dataclass(frozen=True)
class Schedule:
    """So many epochs, with so many fresh coalitions of an input in each."""

    epochs: int
    coalitions: int

    @staticmethod
    def within(operations: float, epochs: int, pass_: float) -> Schedule:
        """The most coalitions, in pairs, that `operations` of an input allow beside a `pass_` of training in every epoch."""
        return Schedule(epochs, max(2, 2 * int((operations / epochs - pass_) // 2)))

    def __str__(self) -> str:
        return f"FastSHAP, {self.epochs} epoch{'s' if self.epochs > 1 else ''} of {self.coalitions} coalitions"


@dataclass(frozen=True)
class Contest:
    """The explainer of a surrogate and of `images`, with the inputs of `setup` to be held against the truth.

    pass_ : of training of an image, in forward passes of the surrogate.
    """

    surrogate: vit.Classifier
    images: torch.Tensor
    grid: int
    setup: explaining.Setup
    pass_: float

    def fastshap(self, schedule: Schedule, seed: int, out: Path | None) -> dict[str, Any]:
        """A record of one network: its error and Pearson, and what was spent on an input."""
        start = time.perf_counter()
        game = fashion_vit.game_of(self.surrogate, self.images, self.grid)
        net = fashion_vit.explainer(
            self.surrogate, seed, objective="coalitions", coalitions=schedule.coalitions, epochs=schedule.epochs
        ).fit(self.images, game, ends=amortize.ends(game))
        trained = time.perf_counter()
        where = self.setup.truth_items[HELD_OUT]
        unseen = self.setup.X[where]
        ends = amortize.ends(fashion_vit.game_of(self.surrogate, unseen, self.grid))
        truth = explaining.truth(self.setup, HELD_OUT, out)
        score = attributions.score(net.predict(unseen, ends=ends), truth)
        evaluations = net.evaluations_ / len(self.images) + 1.0
        return {
            "name": str(schedule),
            "seed": seed,
            "error": score.error,
            "Pearson": score.pearson,
            "evaluations_per_input": evaluations,
            "operations_per_input": evaluations + self.pass_ * schedule.epochs,
            "seconds": trained - start,
        }


def on_labels(record: dict[str, Any], pass_: float, epochs: int) -> dict[str, Any]:
    """What a record of `fashion_vit` says, as those of FastSHAP say it."""
    found, evaluations = record[HELD_OUT], record["evaluations_per_input"]
    return {
        "name": f"labels, {epochs} epoch{'s' if epochs > 1 else ''}",
        "error": found["amortized"],
        "Pearson": found["Pearson"]["amortized"],
        "evaluations_per_input": evaluations,
        "operations_per_input": evaluations + pass_ * epochs,
        "seconds": record["label_seconds"] + record["training_seconds"],
    }


def table(records: list[dict[str, Any]], title: str) -> Table:
    rows = []
    for name in dict.fromkeys(record["name"] for record in records):
        some = [record for record in records if record["name"] == name]
        errors, agreements = (
            valuing.over_seeds([record[measure] for record in some]) for measure in ("error", "Pearson")
        )
        spent = (some[0][f"{what}_per_input"] for what in ("evaluations", "operations"))
        minutes = sum(record["seconds"] for record in some) / len(some) / 60
        rows.append((name, *errors, *agreements, *spent, minutes, len(some)))
    head = ("", "error", "95 % interval", "Pearson", "95 % interval ", "evaluations", "operations", "minutes", "seeds")
    notes = (
        "evaluations of an input; operations: these and those of training, in evaluations.",
        "Intervals are over seeds of labels, coalitions and networks; inputs that no network has seen.",
    )
    return Table(head, tuple(rows), notes, title)


def main(arguments: list[str] | None = None) -> None:
    given = explaining.parser_of(__doc__).parse_args(arguments)
    size = fashion_vit.SMALL if given.small else fashion_vit.HEADLINE
    surrogate, images, unseen = fashion_vit.trained(given, size)
    labels = size.labels[LABELS]
    setup = fashion_vit.setup(surrogate, images, unseen, size, LABELS, labels)
    samples, epochs = labels.budgets[0], fashion_vit.epochs_of(size, labels)
    images = images[: labels.inputs]
    pass_ = vit.passes_of_training(fashion_vit.untrained(surrogate, images, size.grid), surrogate, images[:1])
    contest = Contest(surrogate, images, size.grid, setup, pass_)
    kept = Cells(given)
    made = []
    for seed in range(1 if given.small else given.seeds):
        record = kept(
            f"{setup.slug}-{samples}-{seed}", partial(explaining.at_budget, setup, samples, 0, seed, given.out)
        )
        if record is None:  # the time is over
            break
        made.append(on_labels(record, pass_, epochs))
        allowed = made[-1]["operations_per_input"] - 1.0
        for schedule in {Schedule.within(allowed, e, pass_): None for e in (epochs, FEW_EPOCHS)}:
            name = f"fastshap-{setup.slug}-{schedule.epochs}x{schedule.coalitions}-{seed}"
            made.append(kept(name, lambda s=schedule, seed=seed: contest.fastshap(s, seed, given.out)))
    records = [record for record in made if record is not None]
    if records:
        print(table(records, f"{setup.name}, {HELD_OUT}"), flush=True)


if __name__ == "__main__":
    main()
