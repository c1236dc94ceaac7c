"""Label streams: what they add to the walks, and what a second thread brings."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fastsa.estimators import BanzhafMSR, Distributional, PermutationShapley
from fastsa.games import DataGame, FunctionGame
from fastsa.labels import LabelStream
from fastsa.ops import Moments, Walks, permutations
from fastsa.utilities import Logistic


@pytest.fixture(scope="module")
def game():
    X, y = load_digits(return_X_y=True)
    return DataGame(Logistic(), X[:1000] / 16.0, y[:1000], X[1000:1300] / 16.0, y[1000:1300])


def test_two_threads(benchmark, compare, game):
    def collect(n_threads):
        return LabelStream(
            game, Distributional(shared=32), samples=2, items=np.arange(320), n_threads=n_threads
        ).collect()

    compare("distributional labels, two threads / one", lambda: collect(2), lambda: collect(1), bar=1.8)
    benchmark(lambda: collect(2))


def test_stream_over_walks(compare):
    """Draws, statistics and prefetch together, as a share of the walks alone."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 14))
    y = (X[:, 0] + rng.normal(size=600) > 0).astype(int)
    game = DataGame(Logistic(), X[:500], y[:500], X[500:], y[500:])
    walks = Walks.of_permutations(permutations(500, 16, seed=0))
    compare(
        "permutation stream / its walks alone",
        lambda: LabelStream(game, PermutationShapley(), samples=16, n_threads=1).collect(),
        lambda: game.walk(walks, n_threads=1),
        bar=0,
    )


def test_moments(benchmark):
    items = np.tile(np.arange(1000), 50)
    values = np.random.default_rng(0).normal(size=(items.size + 1, 1))
    after = np.arange(1, items.size + 1)
    moments = Moments.zeros((1000,), 1)
    benchmark(lambda: moments.add(values, cells=items, after=after, before=after - 1))


def test_bookkeeping_of_banzhaf_labels(compare):
    """Draws, values kept, labels and standard errors, of a game that costs nothing; pyDVL 0.10 took 241 ms per coalition."""
    game = FunctionGame(lambda coalitions: np.zeros(len(coalitions)), 1000)
    samples = 8192

    def labels():
        made = LabelStream(game, BanzhafMSR(), samples=samples).collect()
        return made.mean, made.stderr

    compare.rate("Banzhaf labels, 1,000 players: coalitions booked", labels, amount=samples / 1e3, unit="k/s", bar=41.5)
