"""Adapters: worker processes beside one process, torch modules trained many at once beside one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from fastsa import ops
from fastsa.games import DataGame
from fastsa.ops import Walks
from fastsa.utilities import SklearnUtility, TorchUtility

N = 300
STEPS = 20


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N + 100, 14))
    y = (X @ rng.normal(size=14) + rng.normal(size=N + 100) > 0).astype(int)
    return X[:N], y[:N], X[N:], y[N:]


def test_two_processes(benchmark, compare, binary):
    """The same prefixes of a permutation; the one process is this one. The bytes are the same."""
    walks = Walks.of_permutations(ops.permutations(N, 1, seed=0))
    one, two = (DataGame(SklearnUtility(LogisticRegression(), n_workers=n), *binary) for n in (1, 2))
    assert one.walk(walks).tobytes() == two.walk(walks).tobytes()
    compare(
        "refits of scikit-learn, two processes / one",
        lambda: two.walk(walks),
        lambda: one.walk(walks),
        bar=1.8,
        our_work=N,
        their_work=N,
        of="refit",
    )
    benchmark(lambda: two.walk(walks))


def test_many_models_at_once(benchmark, compare, binary):
    """32 models in a block beside a loop over coalitions that trains on their members only; the same threads."""
    X, y, X_val, _ = binary
    walks = Walks.of_permutations(ops.permutations(N, 1, seed=0)[:, :128].copy())
    game = DataGame(TorchUtility(module, steps=STEPS), *binary)
    inputs, classes, validation = torch.tensor(X), torch.tensor(y), torch.tensor(X_val)

    def one_by_one():
        for size in range(1, 129):
            train(inputs[walks.players[:size]], classes[walks.players[:size]], validation)

    compare(
        f"torch, {STEPS} steps: 32 models at once / one by one",
        lambda: game.walk(walks),
        one_by_one,
        bar=0,
        our_work=128,
        their_work=128,
        of="training",
    )
    benchmark(lambda: game.walk(walks))


def module():
    first, last = torch.nn.Linear(14, 16, dtype=torch.float64), torch.nn.Linear(16, 2, dtype=torch.float64)
    return torch.nn.Sequential(first, torch.nn.ReLU(), last)


def train(inputs, classes, validation):
    torch.manual_seed(0)
    model = module()
    parameters = list(model.parameters())
    for _ in range(STEPS):
        loss = torch.nn.functional.cross_entropy(model(inputs), classes)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                parameter -= 0.5 * gradient
    return model(validation).argmax(dim=1)
