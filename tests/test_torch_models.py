"""ModelGame of torch modules: the same function as in numpy, called without gradients, in batches that a cache holds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tolerance

from fastsa import LabelStream, exact, games
from fastsa.estimators import UnbiasedKernelSHAP

RNG = np.random.default_rng(7)
X = RNG.normal(size=(4, 3))
BACKGROUND = RNG.normal(size=(5, 3))
ALL = (np.arange(8)[:, None] >> np.arange(3)) & 1 == 1
SINGLE_PRECISION = 1e-5  # sums of a few float32 products


def values_of_all(game, item=2):
    return game.evaluate(np.full(8, item), ALL)


def same(found, expected, within=tolerance.REORDERED):
    np.testing.assert_allclose(found, expected, rtol=0, atol=within)


def linear_in_torch(dtype):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch, torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).to(dtype).eval()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "masker", [games.Baseline(0.3), games.Marginal(BACKGROUND), games.Groups([1, 0, 1], games.Marginal(BACKGROUND))]
)
def test_a_module_is_the_same_function_in_numpy(dtype, masker):
    import torch

    torch, module = linear_in_torch(getattr(torch, dtype))
    (w, b), (u, c) = (
        (part.weight.detach().double().numpy(), part.bias.detach().double().numpy()) for part in (module[0], module[2])
    )
    within = SINGLE_PRECISION if dtype == "float32" else 1e-11
    ours = games.ModelGame(lambda x: np.tanh(x @ w.T + b) @ u.T + c, X, masker)
    for inputs in (X, torch.from_numpy(X), torch.from_numpy(X).float() if dtype == "float32" else X.astype(np.float64)):
        game = games.ModelGame(module, inputs, masker)
        labels, expected = (LabelStream(g, UnbiasedKernelSHAP(), samples=50).collect().mean for g in (game, ours))
        same(labels, expected, 20 * within)
        same(exact(game), exact(ours), within)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_module_is_given_tensors_of_its_own_dtype_without_gradients(dtype):
    torch = pytest.importorskip("torch")
    seen = set()

    class Watches(torch.nn.Linear):
        def forward(self, x):
            seen.add((type(x), x.dtype, x.requires_grad, torch.is_grad_enabled()))
            answer = super().forward(x)
            x.zero_()
            return answer

    module = Watches(3, 2).to(getattr(torch, dtype)).eval()
    inputs = torch.tensor(X, requires_grad=True)
    game = games.ModelGame(module, inputs, games.Marginal(torch.tensor(BACKGROUND)))
    first = values_of_all(game)
    assert (values_of_all(game) == first).all() and first.dtype == np.float64
    assert seen == {(torch.Tensor, getattr(torch, dtype), False, False)}
    assert (inputs.detach().numpy() == X).all()


def test_tokens_stay_integers_in_torch_and_a_mask_is_boolean():
    torch = pytest.importorskip("torch")

    class Bag(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(50, 2, dtype=torch.float64)

        def forward(self, tokens, mask):
            assert tokens.dtype == torch.int64 and mask.dtype == torch.bool
            return (self.table(tokens) * mask[:, :, None]).sum(dim=1)

    torch.manual_seed(1)
    module, tokens = Bag().eval(), RNG.integers(1, 50, size=(3, 6))
    masked, dropped = (games.ModelGame(module, tokens, games.Tokens(drop=drop)) for drop in (False, True))
    same(exact(dropped), exact(masked))
    table = module.table.weight.detach().numpy()
    same(exact(masked), table[tokens])


def test_a_batch_holds_as_many_rows_as_a_cache_their_widest_activations():
    torch = pytest.importorskip("torch")

    class Tokens(torch.nn.Module):
        def __init__(self, length):
            super().__init__()
            self.length, self.lift = length, torch.nn.Linear(3, 256)

        def forward(self, x):
            return self.lift(x[:, None].expand(-1, self.length, -1)).mean(dim=(1, 2))

    torch.manual_seed(0)
    inputs = torch.randn(4, 3)
    batch = {}
    for length in (1, 80, 8000):
        module = Tokens(length).eval()
        game = games.ModelGame(module, inputs, games.Baseline(0.0))
        batch[length] = game.rows_per_batch(2**28)
        assert not any(part._forward_hooks for part in module.modules())
    assert batch == {1: (1 << 17) // 256, 80: (1 << 19) // (80 * 256), 8000: 16}


def test_scripted_and_compiled_modules_are_called_as_they_are():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()
    inputs = torch.randn(4, 3)
    expected = games.ModelGame(module, inputs, games.Baseline(0.0)).evaluate(np.arange(4), np.ones((4, 3), bool))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is to go
        scripted, traced = torch.jit.script(module), torch.jit.trace(module, inputs)
    compiled = torch.compile(module, backend="eager")
    for other in (scripted, traced, compiled, torch.nn.Sequential(scripted).eval()):
        game = games.ModelGame(other, inputs, games.Baseline(0.0))
        same(game.evaluate(np.arange(4), np.ones((4, 3), bool)), expected, SINGLE_PRECISION)


def test_modules_that_are_not_ready_are_refused():
    torch, module = linear_in_torch(None)
    module.train()
    with pytest.raises(ValueError, match="training mode.*call model.eval"):
        games.ModelGame(module, X, games.Baseline())
    module.eval()[1].train()
    with pytest.raises(ValueError, match="training mode"):
        games.ModelGame(module, X, games.Baseline())

    class Named(torch.nn.Module):
        def forward(self, x):
            return {"logits": x}

    with pytest.raises(TypeError, match="answered a dict; expected a tensor"):
        games.ModelGame(Named().eval(), X, games.Baseline())


def test_the_weights_of_a_module_are_in_the_fingerprint():
    torch, module = linear_in_torch(None)
    before = games.ModelGame(module, X, games.Baseline()).fingerprint
    assert games.ModelGame(module, X, games.Baseline()).fingerprint == before
    with torch.no_grad():
        module[0].weight[0, 0] += 1e-3
    assert games.ModelGame(module, X, games.Baseline()).fingerprint != before


def test_out_of_memory_in_torch_is_halved():
    torch, module = linear_in_torch(None)
    expected = values_of_all(games.ModelGame(module, X, games.Baseline()))

    class Limited(torch.nn.Module):
        def forward(self, x):
            if len(x) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return module(x)

    same(values_of_all(games.ModelGame(Limited().eval(), X, games.Baseline())), expected, SINGLE_PRECISION)
