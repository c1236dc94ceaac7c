"""A masked surrogate says of masked inputs what they leave to be said, and leaves the model alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastsa import games
from fastsa.amortize import masked_surrogate

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 4)).astype(np.float32)
X[:, 1] = X[:, 0] + 0.1 * X[:, 1]


def network(outputs=2, last=None):
    torch.manual_seed(3)
    layers = [torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, outputs)]
    module = torch.nn.Sequential(*layers, *([] if last is None else [last]))
    with torch.no_grad():
        module[2].weight *= 4.0
    return module.eval()


def divergence(module, original, members):
    inputs = torch.from_numpy(X)
    with torch.no_grad():
        wanted, said = original(inputs).log_softmax(1), module(inputs * torch.from_numpy(members)).log_softmax(1)
    return float(torch.nn.functional.kl_div(said, wanted, reduction="batchmean", log_target=True))


SHORT = dict(epochs=30, learning_rate=5e-3, n_threads=1)


def test_a_surrogate_is_nearer_to_the_original_on_masked_inputs_than_the_original_is():
    original = network()
    copy = masked_surrogate(original, X, games.Baseline(), **SHORT)
    members = np.random.default_rng(4).random((400, 4)) < 0.5
    assert divergence(copy, original, members) < 0.75 * divergence(original, original, members)
    assert not copy.training and copy is not original


def test_the_original_and_torch_stay_as_they_were():
    original = network()
    before = {name: tensor.clone() for name, tensor in original.state_dict().items()}
    state = torch.random.get_rng_state().clone()
    one, two = (masked_surrogate(original, X, games.Baseline(), seed=5, **SHORT | {"epochs": 2}) for _ in range(2))
    other = masked_surrogate(original, X, games.Baseline(), seed=6, **SHORT | {"epochs": 2})
    assert all(torch.equal(before[name], tensor) for name, tensor in original.state_dict().items())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters()))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters()))
    assert torch.equal(torch.random.get_rng_state(), state) and not original.training


def test_probabilities_are_taken_as_they_are():
    """Of the same model with and without a softmax, the losses agree, so that one step moves both alike."""
    logits = network()
    probabilities = network(last=torch.nn.Softmax(dim=1))
    one, two = (masked_surrogate(m, X, games.Baseline(), **SHORT | {"epochs": 1}) for m in (logits, probabilities))
    torch.testing.assert_close(one[0].weight, two[0].weight, atol=1e-3, rtol=1e-2)


def test_squared_error_learns_the_conditional_mean():
    """Two features are nearly one: told the first alone, the surrogate knows their sum, the original half of it."""

    class Sum(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
            torch.nn.init.zeros_(self.layers[2].weight)
            torch.nn.init.zeros_(self.layers[2].bias)

        def forward(self, x):
            return x[:, 0] + x[:, 1] + self.layers(torch.cat([x, (x == 0).float()], dim=1))[:, 0]

    torch.manual_seed(7)
    copy = masked_surrogate(Sum().eval(), X, games.Baseline(), loss="squared", **SHORT | {"epochs": 80})
    only_first = torch.from_numpy(X * np.array([True, False, False, False]))
    with torch.no_grad():
        said = copy(only_first).numpy()
    whole = X[:, 0] + X[:, 1]
    assert np.mean((said - whole) ** 2) < 0.3 * np.mean((X[:, 0] - whole) ** 2)


def test_the_epoch_of_least_loss_on_select_inputs_is_kept():
    """At an absurd learning rate every epoch is worse than none, and the model comes back as it was."""
    original = network()
    copy = masked_surrogate(
        original, X[:64], games.Baseline(), X_select=X[64:], epochs=3, learning_rate=50.0, n_threads=1
    )
    assert torch.equal(copy[0].weight, original[0].weight)


class Worths(torch.nn.Module):
    """Sums of the worths of present tokens, and their negative."""

    def __init__(self):
        super().__init__()
        self.worth = torch.nn.Embedding(9, 1)

    def forward(self, tokens, mask):
        total = (self.worth(tokens)[..., 0] * mask).sum(dim=1, keepdim=True)
        return torch.cat([total, -total], dim=1)


class Graphs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 2)

    def forward(self, features, adjacency):
        return self.linear((adjacency @ features).sum(dim=1))


@pytest.mark.parametrize(
    ("module", "inputs", "masker"),
    [
        (
            torch.nn.Sequential(torch.nn.Conv2d(1, 3, 4), torch.nn.Flatten()),
            rng.normal(size=(20, 1, 4, 4)),
            games.Patches((2, 2)),
        ),
        (Worths(), rng.integers(0, 9, (20, 5)), games.Tokens()),
        (Graphs(), (rng.normal(size=(20, 3, 2)), np.ones((20, 3, 3))), games.Nodes()),
        (network(), X[:20], games.Marginal(X[20:25])),
        (network(), X[:20], games.Groups(np.array([0, 0, 1, 1]))),
    ],
    ids=["patches", "tokens", "nodes", "marginal", "groups"],
)
def test_every_masker_trains_a_surrogate(module, inputs, masker):
    copy = masked_surrogate(module.eval(), inputs, masker, **SHORT | {"epochs": 1})
    changed = [not torch.equal(a, b) for a, b in zip(copy.parameters(), module.parameters())]
    assert any(changed) and all(bool(torch.isfinite(p).all()) for p in copy.parameters())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: masked_surrogate(lambda x: x, X, games.Baseline()), TypeError, "expected a torch.nn.Module"),
        (lambda: masked_surrogate(network().train(), X, games.Baseline()), ValueError, "in training mode"),
        (lambda: masked_surrogate(network(), X, games.Baseline), TypeError, "expected one of fastsa.games"),
        (lambda: masked_surrogate(network(), X, games.Tokens(drop=True)), ValueError, "Tokens\\(drop=False\\)"),
        (lambda: masked_surrogate(network(1), X, games.Baseline()), ValueError, "a single output"),
        (lambda: masked_surrogate(network(), X, games.Baseline(), loss="l1"), ValueError, "loss is 'l1'"),
        (lambda: masked_surrogate(network(), X[:0], games.Baseline()), ValueError, "at least one item"),
        (lambda: masked_surrogate(network(), X, games.Patches((2, 2))), ValueError, "expected images"),
        (lambda: masked_surrogate(network(), X * np.nan, games.Baseline()), ValueError, "not finite"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
