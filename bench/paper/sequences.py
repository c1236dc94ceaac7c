r"""Open question of the paper: does amortization carry over to sequences?

    python -m bench.paper.sequences [--data-dir DATA] [--small] [--out FOLDER] [--seeds 5] [--minutes 170]

JapaneseVowels: 640 sequences of 25 steps and 12 channels, 9 speakers, a bidirectional GRU trained here; players are the steps,
absent ones are zeros. 440 sequences make labels (antithetic permutations), 200 are held out. So few inputs are where
amortization should lose: the table says at which budget Monte Carlo passes it.
"""

from __future__ import annotations

import numpy as np
import torch

from bench import data
from bench.paper import explaining, small_models
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.estimators import PermutationShapley


def setup(sets: dict, *, epochs: int, n_train: int, n_truth: int, truth_samples: int) -> explaining.Setup:
    X, y = (np.concatenate([sets[name][k] for name in ("train", "test")]) for k in (0, 1))
    order = np.random.default_rng(0).permutation(len(y))
    sequences, speakers = torch.from_numpy(X[order]), torch.from_numpy(y[order])
    torch.manual_seed(0)
    model = small_models.train(
        small_models.SequenceClassifier(12, 9), (sequences[:n_train],), speakers[:n_train], epochs=epochs, seed=0
    )
    with torch.inference_mode():
        print(
            f"classifier: {(model(sequences[n_train:]).argmax(1) == speakers[n_train:]).double().mean():.3f} of held-out right"
        )
    permutation = PermutationShapley(antithetic=True)
    steps = np.arange(X.shape[1])[:, None]
    return explaining.Setup(
        name="Vowels",
        game=games.ModelGame(model, sequences, games.Groups(steps)),
        X=sequences,
        flat=sequences.flatten(1).numpy(),
        n_train=n_train,
        truth_items={"training inputs": np.arange(n_truth), "held-out inputs": np.arange(n_train, n_train + n_truth)},
        estimator=permutation,
        truth_estimator=permutation,
        truth_samples=truth_samples,
        new_net=lambda seed: AttributionNet("steps", epochs=100 if epochs > 5 else 2, batch_size=32, seed=seed),
        train_cost=lambda net: 3.0,
    )


def main(arguments: list[str] | None = None) -> None:
    given = explaining.parser_of(__doc__).parse_args(arguments)
    size, budgets = {"epochs": 60, "n_train": 440, "n_truth": 100, "truth_samples": 100}, [(3, 1), (6, 2), (12, 4)]
    if given.small:
        size, budgets = {"epochs": 2, "n_train": 100, "n_truth": 20, "truth_samples": 30}, [(3, 1)]
    explaining.report(setup(data.vowels(data.folder(given.data_dir)), **size), budgets, given)


if __name__ == "__main__":
    main()
