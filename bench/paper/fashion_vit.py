r"""Claim: for a vision transformer, noisy labels train an explainer worth tens of times their samples.

    python -m bench.paper.fashion_vit [--data-dir DATA] [--patches 49|196] [--estimators permutation unbiased-kernel kernel sgd banzhaf lime]
        [--samples 16 32] [--inputs 40000 10000 2500] [--small] [--out FOLDER] [--seeds 5] [--minutes 170]

The paper: ViT-B/16 on ImageNette, 196 patches, KernelSHAP labels of 512 samples, worth about 20,000 samples (40 x,
uncharged; about 25 x with selection labels and training charged). Here: a ViT of four blocks trained in this script on
Fashion-MNIST with its masked surrogate, all ten class probabilities attributed; an explainer that starts from the
surrogate's blocks and trains for a number of epochs fixed in advance, so that no labels go to selection. Fewer --inputs get
more samples each, so that all networks have as many evaluations, and as many steps. SGD-Shapley's labels are as the paper's
shrunk to a tenth; Banzhaf's and LIME's are of other indices, each held against its own truth. Truth is measured
on 30 training and 30 held-out images (10 and 20 with 196 patches), its variance subtracted. With 196 patches of 2 x 2
pixels everything is five times as expensive, and there are fewer inputs.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from bench import data
from bench.paper import explaining, vit
from bench.paper.sgd_labels import as_shrunk_as_the_papers
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.estimators import LIME, BanzhafMSR, Estimator, KernelSHAP, PermutationShapley, UnbiasedKernelSHAP

PIXELS = 28


@dataclass(frozen=True)
class Labels:
    """So many inputs get samples of an estimator, a network for each of the budgets; another, or the same, measures truth.

    efficient : whether the attributions sum to v(N) - v(empty).
    """

    inputs: int
    estimator: Estimator
    budgets: tuple[int, ...]
    truth_estimator: Estimator
    truth_samples: int
    efficient: bool = True

    def of(self, inputs: int) -> Labels:
        """For other inputs, with as many evaluations in all."""
        return replace(self, inputs=inputs, budgets=tuple(budget * self.inputs // inputs for budget in self.budgets))


@dataclass(frozen=True)
class Size:
    """What is trained and measured: the model on `rows` images, the explainer on the first ones, the truth of few.

    passes : of an input through the explainer in training, over all inputs.
    """

    grid: int
    rows: int
    model_epochs: int
    passes: int
    truths: tuple[int, int]
    labels: dict[str, Labels]


REVERSED = PermutationShapley(antithetic=True)
HEADLINE = Size(
    grid=7,
    rows=40_000,
    model_epochs=4,
    passes=200_000,
    truths=(30, 30),
    labels={
        "permutation": Labels(40_000, PermutationShapley(), (1,), REVERSED, 40),
        "unbiased-kernel": Labels(40_000, UnbiasedKernelSHAP(), (16, 32), UnbiasedKernelSHAP(), 2048),
        "kernel": Labels(10_000, KernelSHAP(), (128,), KernelSHAP(), 2048),
        "sgd": Labels(10_000, as_shrunk_as_the_papers(49, 32), (32,), UnbiasedKernelSHAP(), 2048),
        "banzhaf": Labels(10_000, BanzhafMSR(), (64,), BanzhafMSR(), 4096, efficient=False),
        "lime": Labels(10_000, LIME(), (64,), LIME(), 4096, efficient=False),
    },
)
FINE = Size(
    grid=14,
    rows=15_000,
    model_epochs=2,
    passes=15_000,
    truths=(10, 20),
    labels={
        "permutation": Labels(500, PermutationShapley(), (2,), REVERSED, 8),
        "kernel": Labels(500, KernelSHAP(), (320,), KernelSHAP(), 1536),
    },
)
SMALL = replace(
    HEADLINE,
    rows=1280,
    model_epochs=1,
    passes=60,
    truths=(4, 4),
    labels={
        "permutation": Labels(60, PermutationShapley(), (1,), REVERSED, 2),
        "unbiased-kernel": Labels(60, UnbiasedKernelSHAP(), (16,), UnbiasedKernelSHAP(), 64),
        "sgd": Labels(60, as_shrunk_as_the_papers(49, 8), (8,), UnbiasedKernelSHAP(), 64),
        "banzhaf": Labels(60, BanzhafMSR(), (16,), BanzhafMSR(), 64, efficient=False),
    },
)


def models(
    images: torch.Tensor, classes: torch.Tensor, size: Size, kept: Path | None
) -> tuple[vit.Classifier, vit.Classifier]:
    """The classifier and its surrogate, trained or read back from `kept`."""
    path = None if kept is None else kept / f"fashion_vit_{size.grid**2}_{size.rows}_rows.safetensors"
    patch = PIXELS // size.grid
    if path is not None and path.exists():
        stored = load_file(path)
        found = []
        for name in ("classifier", "surrogate"):
            model = vit.Classifier(patch=patch)
            model.load_state_dict({k[len(name) + 1 :]: v for k, v in stored.items() if k.startswith(f"{name}.")})
            found.append(model.eval())
        return found[0], found[1]
    rows = slice(size.rows)
    torch.manual_seed(0)
    classifier = vit.train_classifier(
        vit.Classifier(patch=patch), images[rows], classes[rows], epochs=size.model_epochs, seed=0
    )
    surrogate = vit.train_surrogate(classifier, images[rows], size.grid, epochs=size.model_epochs, seed=0)
    if path is not None:
        kept.mkdir(parents=True, exist_ok=True)
        both = {"classifier": classifier, "surrogate": surrogate}
        save_file({f"{n}.{k}": v.clone() for n, m in both.items() for k, v in m.state_dict().items()}, path)
    return classifier, surrogate


def game_of(surrogate: vit.Classifier, images: torch.Tensor, grid: int) -> games.ModelGame:
    return games.ModelGame(vit.Probabilities(surrogate).eval(), images, games.Patches((grid, grid)))


def explainer(surrogate: vit.Classifier, seed: int, **settings: Any) -> AttributionNet:
    """One that starts from the surrogate's blocks."""
    return AttributionNet(
        "tokens", backbone=surrogate.backbone, batch_size=64, learning_rate=1e-3, seed=seed, **settings
    )


def untrained(surrogate: vit.Classifier, images: torch.Tensor, grid: int) -> torch.nn.Module:
    """The explainer's module, with the weights it starts from."""
    few = images[:2]
    return explainer(surrogate, 0, epochs=0, objective="coalitions").fit(few, game_of(surrogate, few, grid)).module_


def epochs_of(size: Size, labels: Labels) -> int:
    return max(1, size.passes // labels.inputs)


def setup(
    surrogate: vit.Classifier, images: torch.Tensor, held_out: torch.Tensor, size: Size, name: str, labels: Labels
) -> explaining.Setup:
    seen, unseen = size.truths
    explained = torch.cat([images[: labels.inputs], held_out[:unseen]])
    epochs = epochs_of(size, labels)
    return explaining.Setup(
        name=f"Fashion ViT, {size.grid**2} patches, {name}",
        game=game_of(surrogate, explained, size.grid),
        X=explained,
        flat=explained.flatten(1).numpy(),
        n_train=labels.inputs,
        truth_items={
            "training inputs": np.arange(seen),
            "held-out inputs": np.arange(labels.inputs, labels.inputs + unseen),
        },
        estimator=labels.estimator,
        truth_estimator=labels.truth_estimator,
        truth_samples=labels.truth_samples,
        new_net=lambda seed: explainer(surrogate, seed, efficiency=labels.efficient, epochs=epochs),
        train_cost=lambda net: vit.passes_of_training(net.module_, surrogate, explained[:1]),
        efficient=labels.efficient,
    )


def trained(given: argparse.Namespace, size: Size) -> tuple[vit.Classifier, torch.Tensor, torch.Tensor]:
    """The surrogate, the images it was trained on and those it was not; says how often it is right."""
    sets = data.fashion_mnist(data.folder(given.data_dir))
    images, classes, unseen, unseen_classes = (torch.from_numpy(a) for name in ("train", "test") for a in sets[name])
    start = time.perf_counter()
    classifier, surrogate = models(images, classes, size, given.out)
    print(
        f"classifier {right(classifier, unseen, unseen_classes):.3f}, surrogate {right(surrogate, unseen, unseen_classes):.3f} ",
        end="",
    )
    print(f"of test images right; {time.perf_counter() - start:.0f} s", flush=True)
    return surrogate, images, unseen


def main(arguments: list[str] | None = None) -> None:
    parser = explaining.parser_of(__doc__)
    parser.add_argument("--patches", type=int, choices=(49, 196), default=49)
    parser.add_argument(
        "--estimators", nargs="+", choices=tuple(HEADLINE.labels), help="of the labels; default all of the size"
    )
    parser.add_argument("--samples", type=int, nargs="+", help="per input; default the budgets of the labels")
    parser.add_argument("--inputs", type=int, nargs="+", help="that get labels; default as many as the labels have")
    given = parser.parse_args(arguments)
    size = SMALL if given.small else {49: HEADLINE, 196: FINE}[given.patches]
    fewest = min(label.inputs for name, label in size.labels.items() if name in (given.estimators or size.labels))
    if given.inputs and not all(0 < inputs <= fewest for inputs in given.inputs):
        raise SystemExit(f"--inputs are {given.inputs}; expected 1 to {fewest}, which these labels have.")
    surrogate, images, unseen = trained(given, size)
    for name in given.estimators or size.labels:
        labels = size.labels[name]
        labels = replace(labels, budgets=tuple(given.samples or labels.budgets))
        for inputs in given.inputs or (labels.inputs,):
            these = labels.of(inputs)
            budgets = [(samples, 0) for samples in these.budgets]
            explaining.report(setup(surrogate, images, unseen, size, name, these), budgets, given)


def right(model: Any, images: torch.Tensor, classes: torch.Tensor) -> float:
    with torch.inference_mode():
        return float((model(images[:2000]).argmax(1) == classes[:2000]).double().mean())


if __name__ == "__main__":
    main()
