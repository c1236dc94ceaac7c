"""A summed first layer answers as the model called whole, within rounding, and says where it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import LabelStream, estimators, exact, games
from fastsa.games import running_sums
from fastsa.ops import Lanes, Walks

torch = pytest.importorskip("torch")
nn = torch.nn
ULP = np.finfo(np.float32).eps


def network(entries, hidden=32, outputs=3, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(entries, hidden), nn.ReLU(), nn.Linear(hidden, outputs)).eval()


def rows(n, entries, seed=1):
    return np.random.default_rng(seed).normal(size=(n, entries)).astype(np.float32)


def both(model, X, masker, **more):
    return [games.ModelGame(model, X, masker, first_layer=f, **more) for f in ("called", "summed")]


def walks_of(n_players, n_rows, items, samples=True, seed=0):
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(n_players) for _ in range(n_rows)]).astype(np.int32)
    walks = Walks.of_permutations(orders)
    lanes = Lanes(rng.integers(0, items, n_rows), np.arange(n_rows, dtype=np.uint32) if samples else None)
    return Walks(*walks.arrays, lanes=lanes)


shuffled = np.random.default_rng(3).permutation(np.arange(30) % 10)
MASKERS = {
    "baseline": games.Baseline(0.3),
    "one row drawn": games.Marginal(rows(7, 30, 2)),
    "groups": games.Groups(np.repeat(np.arange(10), 3)),
    "scattered groups of unlike sizes": games.Groups(np.where(shuffled > 7, 0, shuffled)),
    "groups, one row drawn": games.Groups(shuffled, games.Marginal(rows(7, 30, 2))),
}


@pytest.mark.parametrize("name", MASKERS)
def test_values_along_permutations_are_those_of_the_model_called_whole(name):
    called, summed = both(network(30), rows(6, 30), MASKERS[name])
    walks = walks_of(called.n_players, 40, 6)
    expected, found = called.walk(walks), summed.walk(walks)
    assert np.abs(expected - found).max() < 20 * ULP * np.abs(expected).max()
    assert np.abs(np.diff(expected, axis=0)).max() > 1e-3  # the walk changes values at all


def test_the_sums_are_used_for_permutations_and_for_nothing_else(monkeypatch):
    _, summed = both(network(30), rows(6, 30), games.Baseline())
    stretches = []
    along = running_sums.RunningSums.along
    monkeypatch.setattr(running_sums.RunningSums, "along", lambda *a: stretches.append(1) or along(*a))
    summed.walk(walks_of(30, 4, 6))
    assert len(stretches) == 1
    summed.evaluate([0], np.ones((1, 30), dtype=bool))
    LabelStream(summed, estimators.KernelSHAP(), samples=40).collect()
    repeated = Walks.of_permutations(np.zeros((2, 30), np.int32))
    summed.walk(Walks(*repeated.arrays, lanes=Lanes(np.zeros(2, np.int64))))
    assert len(stretches) == 1


def test_a_player_who_joins_twice_counts_once():
    called, summed = both(network(4), rows(1, 4), games.Baseline())
    order = np.array([[2, 2, 0, 1]], dtype=np.int32)
    walks = Walks(*Walks.of_permutations(order).arrays, lanes=Lanes(np.zeros(1, np.int64)))
    np.testing.assert_array_equal(called.walk(walks), summed.walk(walks))


def test_rounding_does_not_build_up_along_a_thousand_players_of_unlike_scale():
    entries = 1000
    model = nn.Sequential(nn.Linear(entries, 8)).eval()  # what is answered is the sum itself
    X = rows(2, entries) * 10.0 ** np.random.default_rng(5).integers(-3, 4, entries).astype(np.float32)
    background = 100 * rows(3, entries, 6)
    called, summed = both(model, X, games.Marginal(background))
    weight = model[0].weight.detach().numpy().astype(np.float64)
    terms = (np.abs(weight) @ (np.abs(X).max(axis=0) + np.abs(background).max(axis=0))).max()
    walks = walks_of(entries, 6, 2)
    difference = np.abs(called.walk(walks) - summed.walk(walks)).max()
    assert 0 < difference < running_sums.RESTART * ULP * terms
    assert difference < 1e-5 * terms


def test_without_restarts_rounding_would_build_up(monkeypatch):
    entries = 4000
    model = nn.Sequential(nn.Linear(entries, 4, bias=False)).eval()
    with torch.no_grad():
        model[0].weight[:] = 0.1
    X, walks = np.full((1, entries), 1.1, np.float32), walks_of(entries, 1, 1)

    def error(restart):
        monkeypatch.setattr(running_sums, "RESTART", restart)
        called, summed = both(model, X, games.Baseline())
        return np.abs(called.walk(walks) - summed.walk(walks)).max()

    assert 4 * error(128) < error(10**6)


@pytest.mark.parametrize(
    "estimator",
    [
        estimators.PermutationShapley(),
        estimators.PermutationShapley(antithetic=True),
        estimators.PermutationShapley(min_size=2, max_size=6),
        estimators.BetaShapley(4, 1),
    ],
)
def test_labels_agree_and_draw_the_same_background(estimator):
    called, summed = both(network(30), rows(5, 30), MASKERS["groups, one row drawn"], ids=np.arange(5) + 100)
    expected, found = (LabelStream(g, estimator, samples=30, n_threads=1).collect() for g in (called, summed))
    for one, other in ((expected.mean, found.mean), (expected.stderr, found.stderr)):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-6)
    assert expected.evaluations == found.evaluations and called.fingerprint == summed.fingerprint


@pytest.mark.parametrize("max_bytes", [1, 20_000, None])
def test_batches_change_nothing_but_rounding(max_bytes):
    _, summed = both(network(30), rows(6, 30), MASKERS["one row drawn"])
    walks = walks_of(30, 40, 6)
    np.testing.assert_allclose(
        summed.walk(walks, max_bytes=max_bytes, n_threads=2), summed.walk(walks), rtol=0, atol=1e-6
    )


def test_flattened_images_in_patches_and_double_precision():
    images = np.random.default_rng(0).normal(size=(3, 1, 8, 8))
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 2)).double().eval()
    called, summed = both(model, images, games.Patches((4, 2)))
    walks = walks_of(8, 10, 3)
    np.testing.assert_allclose(summed.walk(walks), called.walk(walks), rtol=0, atol=1e-14)
    assert np.abs(exact(summed) - exact(called)).max() == 0.0  # enumeration calls the model


class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 2)

    def first_layer(self):
        return self.first, lambda hidden: self.second(hidden.sigmoid())

    def forward(self, x):
        layer, rest = self.first_layer()
        return rest(layer(x))


def test_any_module_may_say_its_first_layer():
    called, summed = both(Hooked().eval(), rows(2, 6), games.Baseline(1.0))
    walks = walks_of(6, 5, 2)
    np.testing.assert_allclose(summed.walk(walks), called.walk(walks), rtol=0, atol=1e-6)


def test_a_value_that_is_not_finite_is_named_with_its_item_and_size():
    class Exploding(nn.Module):
        def forward(self, x):
            return x / (x.abs() > 1.5).logical_not()

    model = nn.Sequential(nn.Linear(3, 1, bias=False), Exploding()).eval()
    with torch.no_grad():
        model[0].weight[:] = 1.0
    X = np.array([[0.1, 0.1, 0.1], [1.0, 0.4, 0.4]], np.float32)
    order = np.array([[0, 1, 2]], np.int32)
    game = games.ModelGame(model, X, games.Baseline(), first_layer="summed")
    walks = Walks(*Walks.of_permutations(order).arrays, lanes=Lanes(np.ones(1, np.int64)))
    with pytest.raises(ValueError, match="not finite for item 1 with 3 of 3 players"):
        game.walk(walks)


class Subclass(nn.Sequential):
    def forward(self, x):
        return super().forward(x) + x.sum()


def hooked():
    model = network(30)
    model[0].register_forward_hook(lambda *_: None)
    return model


@pytest.mark.parametrize(
    "model, masker, message",
    [
        (lambda x: x.sum(axis=1), games.Baseline(), "no torch module"),
        (
            nn.Sequential(nn.ReLU(), nn.Linear(30, 2)).eval(),
            games.Baseline(),
            "first layer is a ReLU; expected torch.nn.Linear",
        ),
        (Subclass(nn.Linear(30, 2)).eval(), games.Baseline(), "model is a Subclass; expected a torch.nn.Sequential"),
        (nn.Linear(30, 2).eval(), games.Baseline(), "model is a Linear"),
        (hooked(), games.Baseline(), "Linear has forward hooks"),
        (network(30), games.Baseline(np.inf), "not all finite"),
    ],
)
def test_where_it_is_not_exact_summed_says_why_and_auto_calls_the_model(model, masker, message):
    X = rows(2, 30)
    with pytest.raises(ValueError, match=message):
        games.ModelGame(model, X, masker, first_layer="summed")
    if masker.values != np.inf:
        assert games.ModelGame(model, X, masker, first_layer="auto").n_players == 30


def test_a_word_that_is_none_of_the_three_is_refused():
    with pytest.raises(ValueError, match="first_layer is 'linear'; expected one of"):
        games.ModelGame(network(30), rows(2, 30), games.Baseline(), first_layer="linear")


def test_a_whole_background_is_averaged_by_calling_the_model():
    called, summed = both(network(30), rows(2, 30), games.Marginal(rows(4, 30, 2), whole=True))
    walks = walks_of(30, 3, 2)
    np.testing.assert_array_equal(summed.walk(walks), called.walk(walks))
