"""Five real tasks of one shape: a game, an estimator, a network, and how many samples each role is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier

import fastsa
from bench import data
from bench.curation import noisy_sets
from fastsa import estimators, games
from fastsa.amortize import AttributionNet, ValuationNet

VALUATION, ATTRIBUTION = "valuation", "attribution"
WRONG = 0.1  # of the classes of a pool


@dataclass(frozen=True)
class Sizes:
    """items labeled, those of them that are certified, validation points, and samples of every role."""

    items: int
    certified: int
    val: int
    train: int
    certify: int
    truth: int


@dataclass(frozen=True)
class Task:
    """fit(train labels, seed) predicts the items `certified`, in the shape of the mean of their labels."""

    name: str
    kind: str
    game: games.Game
    estimator: estimators.Estimator
    fit: Callable[[fastsa.Labels, int], np.ndarray]
    certified: np.ndarray
    sizes: Sizes

    def labels(self, role: str, samples: int, seed: int, *, first: int = 0) -> fastsa.Labels:
        """Labels of what is certified, or for training of everything."""
        items = np.arange(self.sizes.items) if role == "train" else self.certified
        stream = fastsa.LabelStream(
            self.game, self.estimator, samples=samples, first_sample=first, role=role, items=items, seed=seed
        )
        return stream.collect()


SIZES = {
    "digits, KNN": Sizes(1000, 1000, 200, 5, 150, 1000),
    "Adult, logistic": Sizes(1000, 1000, 200, 5, 400, 1200),
    "FARS, logistic": Sizes(1000, 1000, 200, 5, 200, 600),
    "Adult, boosted trees": Sizes(1000, 500, 0, 2, 16, 300),
    "digits, MLP": Sizes(1000, 500, 0, 2, 16, 300),
}
SMALL = {
    "digits, KNN": Sizes(120, 120, 60, 5, 20, 40),
    "Adult, logistic": Sizes(120, 120, 60, 5, 20, 40),
    "FARS, logistic": Sizes(120, 120, 60, 5, 20, 40),
    "Adult, boosted trees": Sizes(100, 50, 0, 2, 6, 30),
    "digits, MLP": Sizes(100, 50, 0, 2, 6, 30),
}


def task(name: str, sizes: Sizes, data_dir: Path | None) -> Task:
    made = {
        "digits, KNN": _digits_points,
        "Adult, logistic": lambda name, sizes, folder: _noisy_set(name, "adult", sizes, folder),
        "FARS, logistic": lambda name, sizes, folder: _noisy_set(name, "fars", sizes, folder),
        "Adult, boosted trees": _boosted_trees,
        "digits, MLP": _digits_inputs,
    }
    return made[name](name, sizes, data_dir)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(y.size)
    return X[order] / 16.0, y[order].astype(np.int64)


def _digits_points(name: str, sizes: Sizes, data_dir: Path | None) -> Task:
    X, y = _digits()
    n, rng = sizes.items, np.random.default_rng(1)
    given = y[:n].copy()
    wrong = rng.choice(n, round(WRONG * n), replace=False)
    given[wrong] = (given[wrong] + rng.integers(1, 10, wrong.size)) % 10
    val = slice(n, n + sizes.val)
    return _valuation(name, sizes, fastsa.utilities.KNN(k=5), (X[:n], given, X[val], y[val]))


def _noisy_set(name: str, which: str, sizes: Sizes, data_dir: Path | None) -> Task:
    d = noisy_sets.load(which, data.folder(data_dir), points=sizes.items, val=sizes.val, test=0, flipped=WRONG, seed=0)
    return _valuation(name, sizes, fastsa.utilities.Logistic(), (d.X, d.y, d.X_val, d.y_val))


def _valuation(name: str, sizes: Sizes, utility: fastsa.utilities.Utility, points: tuple) -> Task:
    X, y = points[0], points[1].astype(np.int32)

    def fit(labels: fastsa.Labels, seed: int) -> np.ndarray:
        net = ValuationNet(seed=seed).fit(X, y, labels, n_classes=int(y.max()) + 1)
        return net.predict(X, y)[:, None]

    estimator = estimators.Distributional(min_size=5, max_size=25, shared=4)
    game = games.DataGame(utility, *points)
    return Task(name, VALUATION, game, estimator, fit, np.arange(sizes.items), sizes)


def _boosted_trees(name: str, sizes: Sizes, data_dir: Path | None) -> Task:
    probability, masker, X = boosted_trees(sizes.items, 100 * sizes.certified // 5, data_dir)
    return _attribution(name, sizes, games.ModelGame(probability, X, masker), X)


def boosted_trees(
    items: int, fitted: int, data_dir: Path | None
) -> tuple[Callable[[np.ndarray], np.ndarray], games.Groups, np.ndarray]:
    """Adult's higher income told by trees `fitted` to so many rows; players are its 13 variables; inputs of other rows."""
    adult = data.adult(data.folder(data_dir))
    order = np.random.default_rng(0).permutation(len(adult.y))
    taught, rest = order[:fitted], order[30_000:]
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(adult.X[taught], adult.y[taught])
    rows, background = rest[:items], rest[items : items + 100]
    masker = games.Groups(adult.variable, games.Marginal(adult.X[background]))

    def probability(x: np.ndarray) -> np.ndarray:
        return model.predict_proba(x)[:, 1]

    return probability, masker, adult.X[rows]


def _digits_inputs(name: str, sizes: Sizes, data_dir: Path | None) -> Task:
    """Players are the 16 squares of 2 x 2 pixels; an absent one is black, as the network has seen it."""
    X, y = _digits()
    images, classes = torch.from_numpy(X).float(), torch.from_numpy(y)
    squares = (np.arange(64) // 8 // 2) * 4 + np.arange(64) % 8 // 2
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10), torch.nn.Softmax(dim=1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(30):
        for rows in torch.randperm(len(classes)).split(64):
            keep = (torch.rand(len(rows), 16) < torch.rand(len(rows), 1))[:, squares]
            optimizer.zero_grad()
            torch.nn.functional.nll_loss(torch.log(model(images[rows] * keep) + 1e-9), classes[rows]).backward()
            optimizer.step()
    masker = games.Groups(squares, games.Baseline(torch.zeros(64)))
    return _attribution(name, sizes, games.ModelGame(model.eval(), images[: sizes.items], masker), X[: sizes.items])


def _attribution(name: str, sizes: Sizes, game: games.ModelGame, X: np.ndarray) -> Task:
    def fit(labels: fastsa.Labels, seed: int) -> np.ndarray:
        net = AttributionNet("mlp", seed=seed).fit(X, labels)
        return net.predict(X[: sizes.certified])

    estimator = estimators.PermutationShapley(antithetic=True)
    return Task(name, ATTRIBUTION, game, estimator, fit, np.arange(sizes.certified), sizes)
