"""Logistic walks, beside refitting and scoring scikit-learn on the same coalitions; one thread on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from fastsa import ops
from fastsa.estimators import Distributional, Part, SampleRange
from fastsa.games import DataGame
from fastsa.ops import Walks
from fastsa.utilities import Logistic

N = 1000


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N + 100, 14))
    y = (X @ rng.normal(size=14) + rng.normal(size=N + 100) > 0).astype(int)
    return X[:N], y[:N], X[N:], y[N:]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(y.size)
    X, y = X[order] / 16.0, y[order]
    return X[:N], y[:N], X[N : N + 300], y[N : N + 300]


def refit(data, coalitions, **settings):
    """scikit-learn's accuracy on every coalition, at its default tolerance unless told; 0 where a class is alone."""
    X, y, X_val, y_val = data
    scores = []
    with threadpool_limits(1):
        for members in coalitions:
            if np.unique(y[members]).size > 1:
                scores.append(LogisticRegression(**settings).fit(X[members], y[members]).score(X_val, y_val))
            else:
                scores.append(np.mean(y_val == y[members[0]]))
    return np.array(scores)


def test_binary_walk(benchmark, compare, binary):
    """Every prefix of a permutation of 1,000 points against refits of prefixes of all sizes."""
    game = DataGame(Logistic(), *binary)
    walks = Walks.of_permutations(ops.permutations(N, 2, seed=0))
    prefixes = [walks.players[:size] for size in range(25, N + 1, 25)]

    def ours():
        return game.walk(walks, n_threads=1)

    compare(
        "logistic walk, 2 classes, n=1,000, 14 features / refits",
        ours,
        lambda: refit(binary, prefixes),
        bar=80,
        our_work=2 * N,
        their_work=len(prefixes),
        of="marginal contribution",
    )
    benchmark(ours)


@pytest.mark.parametrize(("shared", "bar"), [(1, 20), (32, 60)])
def test_softmax_pairs(benchmark, compare, digits, shared, bar):
    """v(S + z) - v(S) for sizes 100 .. 999 on digits, against two refits per pair."""
    game = DataGame(Logistic(), *digits)
    items = np.arange(64)
    draw = Distributional(shared=shared).draw(game, Part(items, SampleRange(0, "train", 0, 3)), n_threads=1)
    pairs = draw.items.size
    sampled = [
        coalition
        for row in range(0, draw.walks.rows, max(1, draw.walks.rows // 6))
        for coalition in _pair(draw.walks, row)
    ]

    def ours():
        return game.walk(draw.walks, n_threads=1)

    compare(
        f"softmax pairs, digits, one coalition for {shared} / refits",
        ours,
        lambda: refit(digits, sampled),
        bar=bar,
        our_work=pairs,
        their_work=len(sampled) / 2,
        of="pair",
    )
    benchmark(ours)


def test_accuracy_equals_converged_scikit_learn(compare, digits):
    """Share of coalitions with the accuracy of scikit-learn at tol=1e-10."""
    rounds = 4 if compare.rounds == 1 else 60
    game = DataGame(Logistic(), *digits)
    draw = Distributional().draw(game, Part(np.arange(rounds), SampleRange(1, "train", 0, 1)), n_threads=1)
    coalitions = [c for row in range(draw.walks.rows) for c in _pair(draw.walks, row)]
    ours = game.walk(draw.walks).ravel()
    theirs = refit(digits, coalitions, tol=1e-10, max_iter=10_000)
    compare.record(
        f"coalitions with scikit-learn's accuracy, of {ours.size}",
        100 * np.mean(np.abs(ours - theirs) < 1e-9),
        bar=99.5,
        unit="%",
    )


def _pair(walks, row):
    """The coalition of a row, and the same with its first branch."""
    members = walks.players[walks.offsets[row] : walks.offsets[row + 1]]
    return members, np.append(members, walks.branches[walks.branch_offsets[row]])
