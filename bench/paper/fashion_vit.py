r"""Claim: for a vision transformer, noisy KernelSHAP labels train an explainer worth tens of times their samples.

    python -m bench.paper.fashion_vit [--data-dir DATA] [--small] [--out FOLDER] [--seed 0]

The paper: ViT-B/16 on ImageNette, 196 patches, 512-sample labels worth about 20,000 samples (40 x, uncharged; about 25 x with
selection labels and training charged). Here: a ViT of four blocks trained in this script on Fashion-MNIST, 49 patches, its
masked surrogate, all ten class probabilities attributed; an explainer that starts from the surrogate's blocks. Truth is
KernelSHAP with 2,048 pairs on 30 training and 30 held-out images, its variance subtracted.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from bench import data
from bench.paper import explaining, vit
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.estimators import KernelSHAP

GRID = 7
EXPLAINER_PASSES = 3.0 * 1.7  # forward and backward of blocks and head, in forwards of the model


def models(images: Any, classes: Any, *, rows: int, epochs: int, kept: Path | None) -> tuple[vit.Classifier, vit.Classifier]:
    """The classifier and its surrogate, trained or read back from `kept`."""
    path = None if kept is None else kept / "fashion_vit.safetensors"
    if path is not None and path.exists():
        stored = load_file(path)
        found = []
        for name in ("classifier", "surrogate"):
            model = vit.Classifier()
            model.load_state_dict({k[len(name) + 1 :]: v for k, v in stored.items() if k.startswith(f"{name}.")})
            found.append(model.eval())
        return found[0], found[1]
    classifier = vit.train_classifier(images[:rows], classes[:rows], epochs=epochs, seed=0)
    surrogate = vit.train_surrogate(classifier, images[:rows], GRID, epochs=epochs, seed=0)
    if path is not None:
        kept.mkdir(parents=True, exist_ok=True)
        both = {"classifier": classifier, "surrogate": surrogate}
        save_file({f"{n}.{k}": v.clone() for n, m in both.items() for k, v in m.state_dict().items()}, path)
    return classifier, surrogate


def setup(
    sets: dict[str, Any], *, rows: int, epochs: int, n_train: int, n_truth: int, truth_pairs: int, net_epochs: int, seed: int, kept: Path | None
) -> explaining.Setup:
    images, classes = (torch.from_numpy(a) for a in sets["train"])
    unseen, unseen_classes = (torch.from_numpy(a) for a in sets["test"])
    start = time.perf_counter()
    classifier, surrogate = models(images, classes, rows=rows, epochs=epochs, kept=kept)
    with torch.inference_mode():
        accuracy = [(m(unseen[:5000]).argmax(1) == unseen_classes[:5000]).double().mean().item() for m in (classifier, surrogate)]
    print(f"classifier {accuracy[0]:.3f}, surrogate {accuracy[1]:.3f} of test images right; {time.perf_counter() - start:.0f} s")
    explained = torch.cat([images[:n_train], unseen[:n_truth]])
    return explaining.Setup(
        name="Fashion ViT",
        game=games.ModelGame(vit.Probabilities(surrogate).eval(), explained, games.Patches((GRID, GRID))),
        X=explained,
        flat=explained.flatten(1).numpy(),
        n_train=n_train,
        truth_items={"training inputs": np.arange(n_truth), "held-out inputs": np.arange(n_train, n_train + n_truth)},
        estimator=KernelSHAP(),
        truth_estimator=KernelSHAP(),
        truth_samples=truth_pairs,
        new_net=lambda: AttributionNet("tokens", backbone=surrogate.backbone, epochs=net_epochs, batch_size=64, learning_rate=3e-4, seed=seed),
        train_cost=EXPLAINER_PASSES,
    )


def main(arguments: list[str] | None = None) -> None:
    given = explaining.arguments_of(__doc__, arguments)
    size = {"rows": 40_000, "epochs": 4, "n_train": 2000, "n_truth": 30, "truth_pairs": 2048, "net_epochs": 30}
    budgets = [(128, 50)]
    if given.small:
        size = {"rows": 1280, "epochs": 1, "n_train": 40, "n_truth": 4, "truth_pairs": 128, "net_epochs": 1}
        budgets = [(128, 64)]
    sets = data.fashion_mnist(data.folder(given.data_dir))
    explaining.report(setup(sets, **size, seed=given.seed, kept=given.out), budgets, given.seed, given.out)


if __name__ == "__main__":
    main()
