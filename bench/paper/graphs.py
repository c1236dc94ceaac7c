r"""Open question of the paper: does amortization carry over to graphs?

    python -m bench.paper.graphs [--data-dir DATA] [--small] [--out FOLDER] [--seeds 5] [--minutes 170]

Aqueous solubility: about 1,100 molecules of at most 20 heavy atoms, three classes, a message-passing network trained here;
players are the atoms, absent ones lose their features and bonds. Labels are antithetic permutations; 200 molecules are held out.
"""

from __future__ import annotations

import numpy as np
import torch

from bench import data
from bench.paper import explaining, small_models
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.estimators import PermutationShapley


def setup(sets: dict, *, epochs: int, n_held_out: int, n_truth: int, truth_samples: int) -> explaining.Setup:
    joined = [np.concatenate([sets[name][k] for name in ("train", "test")]) for k in range(3)]
    order = np.random.default_rng(0).permutation(len(joined[2]))
    atoms, bonds, classes = (torch.from_numpy(a[order]) for a in joined)
    n_train = len(order) - n_held_out
    torch.manual_seed(0)
    model = small_models.GraphClassifier(atoms.shape[2], 3)
    small_models.train(model, (atoms[:n_train], bonds[:n_train]), classes[:n_train], epochs=epochs, seed=0)
    with torch.inference_mode():
        right = (model(atoms[n_train:], bonds[n_train:]).argmax(1) == classes[n_train:]).double().mean()
        print(f"classifier: {right:.3f} of {n_held_out} held-out molecules right")
    permutation = PermutationShapley(antithetic=True)
    return explaining.Setup(
        name="Solubility",
        game=games.ModelGame(model, (atoms, bonds), games.Nodes()),
        X=(atoms, bonds),
        flat=torch.cat([atoms.flatten(1), atoms.sum(1)], dim=1).numpy(),
        n_train=n_train,
        truth_items={"training inputs": np.arange(n_truth), "held-out inputs": np.arange(n_train, n_train + n_truth)},
        estimator=permutation,
        truth_estimator=permutation,
        truth_samples=truth_samples,
        new_net=lambda seed: AttributionNet("nodes", epochs=100 if epochs > 5 else 2, batch_size=32, seed=seed),
        train_cost=lambda net: 3.0,
    )


def main(arguments: list[str] | None = None) -> None:
    given = explaining.parser_of(__doc__).parse_args(arguments)
    size = {"epochs": 60, "n_held_out": 200, "n_truth": 100, "truth_samples": 500}
    budgets = [(3, 1), (6, 2), (12, 4), (48, 16)]
    if given.small:
        size, budgets = {"epochs": 2, "n_held_out": 100, "n_truth": 20, "truth_samples": 30}, [(3, 1)]
    explaining.report(setup(data.solubility(data.folder(given.data_dir)), **size), budgets, given)


if __name__ == "__main__":
    main()
