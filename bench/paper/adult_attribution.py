r"""Claim: an amortized explainer of a tabular model beats Monte Carlo at equal evaluations (not run in the paper).

    python -m bench.paper.adult_attribution [--data-dir DATA] [--small] [--out FOLDER] [--seeds 5] [--minutes 170]

Adult, 13 variables as players, a gradient-boosted classifier's probability of the higher income, marginal masking by 100
background rows. Labels are antithetic permutations, a third of them to select the epoch. Truth is 1,000 antithetic
permutations of 100 training and 100 held-out inputs, its variance subtracted.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from bench import data
from bench.paper import explaining
from fastsa import games
from fastsa.amortize import AttributionNet
from fastsa.estimators import PermutationShapley


def setup(adult: data.Table, *, n_train: int, n_truth: int, truth_samples: int, epochs: int) -> explaining.Setup:
    fitted = np.random.default_rng(0).permutation(len(adult.y))[:30_000]
    model = HistGradientBoostingClassifier(max_iter=100, random_state=0).fit(adult.X[fitted], adult.y[fitted])
    order = np.random.default_rng(1).permutation(len(adult.y))
    rows, background = np.split(order[: n_train + n_truth + 100], [n_train + n_truth])

    def probability(x: np.ndarray) -> np.ndarray:
        return model.predict_proba(x)[:, 1]

    masker = games.Groups(adult.variable, games.Marginal(adult.X[background]))
    permutation = PermutationShapley(antithetic=True)
    return explaining.Setup(
        name="Adult",
        game=games.ModelGame(probability, adult.X[rows], masker),
        X=adult.X[rows],
        flat=adult.X[rows],
        n_train=n_train,
        truth_items={"training inputs": np.arange(n_truth), "held-out inputs": np.arange(n_train, n_train + n_truth)},
        estimator=permutation,
        truth_estimator=permutation,
        truth_samples=truth_samples,
        new_net=lambda seed: AttributionNet("mlp", width=256, epochs=epochs, batch_size=128, seed=seed),
        train_cost=lambda net: 0.0,  # a step of this network costs less than one evaluation of the trees
    )


def main(arguments: list[str] | None = None) -> None:
    given = explaining.parser_of(__doc__).parse_args(arguments)
    size = {"n_train": 10_000, "n_truth": 100, "truth_samples": 1000, "epochs": 40}
    budgets = [(3, 1), (6, 2), (12, 4)]
    if given.small:
        size, budgets = {"n_train": 300, "n_truth": 20, "truth_samples": 100, "epochs": 5}, [(3, 1)]
    adult = data.adult(data.folder(given.data_dir))
    explaining.report(setup(adult, **size), budgets, given)


if __name__ == "__main__":
    main()
