"""TorchUtility: every coalition trained alone by plain autograd, the same bytes for any batch, and refusals."""

from __future__ import annotations

import sys

import naive_walks
import numpy as np
import pytest
import small_games
import torch

import fastsa
from fastsa import games
from fastsa._threads import Cancel, Cancelled
from fastsa.utilities import TorchUtility

N, N_OUTSIDE = 12, 3
DOUBLES = 1e-9  # of scores after a few steps in float64, taken in another order


def mlp(outputs=3, dtype=torch.float64):
    return lambda: torch.nn.Sequential(
        torch.nn.Linear(2, 5, dtype=dtype),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(5, outputs, dtype=dtype),
    )


@pytest.fixture(scope="module")
def data():
    X, y, X_val, y_val = small_games.points(N + N_OUTSIDE, 11, 3, seed=3)
    return {"X": X[:N], "y": y[:N], "X_val": X_val, "y_val": y_val, "X_items": X[N:], "y_items": y[N:]}


@pytest.fixture(scope="module")
def walks():
    return naive_walks.random_walks(np.random.default_rng(4), N, 10, n_points=N + N_OUTSIDE)


def trained_alone(make, members, X, y, X_val, *, steps, rate, decay=0.0):
    """Outputs for X_val of one module trained on repeated rows by autograd; no weights, no vmap."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        module = make().eval()
    parameters = list(module.parameters())
    inputs, targets = torch.tensor(X[members]), torch.tensor(y[members])
    for _ in range(steps):
        outputs = module(inputs)
        if targets.is_floating_point():
            loss = ((outputs.reshape(-1) - targets) ** 2).mean()
        else:
            present = torch.unique(targets)
            loss = torch.nn.functional.cross_entropy(outputs[:, present], torch.searchsorted(present, targets))
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
            parameter.data -= rate * (gradient + decay * parameter.data)
    return module(torch.tensor(X_val)).detach().numpy()


def likelihoods(outputs, y, members, y_val):
    """Log of the mixed probability of the true class, by its definition."""
    counts = np.bincount(y[members], minlength=3)
    frequency = (counts + 1) / (members.size + 3)
    odds = np.exp(outputs) * (counts > 0)
    probability = odds / odds.sum(axis=1, keepdims=True)
    mixed = 0.99 * probability + 0.01 * frequency if (counts > 0).sum() > 1 else np.tile(frequency, (y_val.size, 1))
    return np.log(mixed[np.arange(y_val.size), y_val])


def everything(data):
    return np.concatenate([data["X"], data["X_items"]]), np.concatenate([data["y"], data["y_items"]])


def test_walks_are_plain_training_of_every_multiset(data, walks):
    X, y = everything(data)
    utility = TorchUtility(
        mlp(), steps=6, learning_rate=0.7, weight_decay=0.1, score="log_likelihood", seed=7, models=5
    )
    found = games.DataGame(utility, **data).walk(walks)
    for value, members in zip(found, naive_walks.multisets_behind(walks), strict=True):
        expected = np.full(11, -np.log(3))
        if members:
            members = np.array(members)
            outputs = trained_alone(mlp(), members, X, y, data["X_val"], steps=6, rate=0.7, decay=0.1)
            expected = likelihoods(outputs, y, members, data["y_val"])
        np.testing.assert_allclose(value, expected, rtol=0, atol=DOUBLES)


def test_targets_are_trained_by_squared_error(data, walks):
    X, _ = everything(data)
    y, y_val = X.sum(axis=1), data["X_val"].sum(axis=1)
    targets = {**data, "y": y[:N], "y_items": y[N:], "y_val": y_val}
    utility = TorchUtility(mlp(1), steps=5, learning_rate=0.1, takes="targets", score="squared_errors", seed=7)
    found = games.DataGame(utility, **targets).walk(walks)
    for value, members in zip(found, naive_walks.multisets_behind(walks), strict=True):
        outputs = np.zeros(11)
        if members:
            outputs = trained_alone(mlp(1), np.array(members), X, y, data["X_val"], steps=5, rate=0.1)[:, 0]
        np.testing.assert_allclose(value, -((outputs - y_val) ** 2), rtol=0, atol=DOUBLES)


def test_accuracy_is_the_mean_of_its_points_and_one_class_is_predicted_always(data, walks):
    settings = {"steps": 8, "seed": 7}
    whole, points = (
        games.DataGame(TorchUtility(mlp(), score=s, **settings), **data).walk(walks) for s in ("accuracy", "correct")
    )
    np.testing.assert_allclose(points.mean(axis=1), whole[:, 0])
    assert np.unique(whole).size > 4
    alone = games.DataGame(TorchUtility(mlp(), **settings), **data).evaluate(np.eye(N, dtype=bool))
    assert alone[:, 0].tolist() == [np.mean(data["y_val"] == c) for c in data["y"]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_do_not_depend_on_batches_or_order(data, walks, dtype):
    game = games.DataGame(TorchUtility(mlp(dtype=dtype), steps=4, score="log_loss", models=7), **data)
    assert game.walk(walks).tobytes() == game.walk(walks, max_bytes=100).tobytes()
    members = [3, 9, 1, 1, 7, 4]
    orders = naive_walks.walks_of([members, members[::-1], sorted(members)], [[6]] * 3, [[]] * 3)
    assert np.unique(game.walk(orders)).size == 1


def test_torchs_generator_is_left_as_it_was_and_the_seed_decides(data):
    before = torch.random.get_rng_state().numpy().tobytes()
    coalitions = np.tril(np.ones((N, N), dtype=bool))
    one, same, other = (
        games.DataGame(TorchUtility(mlp(), steps=2, score="log_loss", seed=s), **data).evaluate(coalitions)
        for s in (1, 1, 2)
    )
    assert torch.random.get_rng_state().numpy().tobytes() == before
    assert one.tobytes() == same.tobytes() and (one != other).any()


def test_training_that_diverges_is_refused_with_its_coalition(data):
    game = games.DataGame(TorchUtility(lambda: torch.nn.Linear(2, 1), learning_rate=1e6, takes="targets"), **data)
    with pytest.raises(
        ValueError, match=r"TorchUtility scored a coalition with a value that is not finite: nan for 2 players \(3, 4\)"
    ):
        game.walk(naive_walks.walks_of([[4, 3]], [[2]], [[]]))


def test_cancelled_work_stops(data, walks):
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        games.DataGame(TorchUtility(mlp()), **data).walk(walks, cancel=cancel)


def test_the_repr_tells_settings_and_that_it_is_slow():
    text = repr(TorchUtility(mlp(), steps=3, score="log_loss"))
    assert (
        "mlp" in text
        and "steps=3" in text
        and "score='log_loss'" in text
        and "slow: trains at every scored position" in text
    )
    make = mlp()
    assert TorchUtility(make) == TorchUtility(make, models=3) != TorchUtility(make, steps=3)


@pytest.mark.parametrize(
    ("make", "error", "complaint"),
    [
        (lambda data: TorchUtility(torch.nn.Linear(2, 3), steps=-1), ValueError, "steps is -1"),
        (lambda data: TorchUtility("mlp"), TypeError, "make_module is 'mlp'"),
        (lambda data: TorchUtility(mlp(), learning_rate=0), ValueError, "learning_rate is 0.0"),
        (lambda data: TorchUtility(mlp(), weight_decay=-1), ValueError, "weight_decay is -1"),
        (lambda data: TorchUtility(mlp(), takes="labels"), ValueError, "takes is 'labels'"),
        (lambda data: TorchUtility(mlp(), score="r2"), ValueError, "'r2', which is not one of classes"),
        (lambda data: TorchUtility(mlp(), models=0), ValueError, "models is 0"),
        (
            lambda data: games.DataGame(TorchUtility(mlp(2)), **data),
            ValueError,
            r"answers shape \(2, 2\) for inputs \(2, 2\); expected \(2, 3\)",
        ),
        (
            lambda data: games.DataGame(TorchUtility(mlp(2), takes="targets"), **data),
            ValueError,
            r"expected \(2,\) or \(2, 1\)",
        ),
        (lambda data: games.DataGame(TorchUtility(torch.nn.Identity), **data), ValueError, "without parameters"),
        (
            lambda data: games.DataGame(TorchUtility(lambda: 3), **data),
            TypeError,
            "made a int; expected a torch.nn.Module",
        ),
    ],
)
def test_bad_settings_are_refused_before_any_work(make, error, complaint, data):
    with pytest.raises(error, match=complaint):
        make(data)


def test_without_torch_one_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(fastsa.BackendUnavailable, match=r"TorchUtility needs PyTorch: pip install 'fastsa\[torch\]'"):
        TorchUtility(mlp())
