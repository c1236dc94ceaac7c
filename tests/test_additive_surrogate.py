"""Values of additive surrogates are exact, cost what they say, and teach an explainer what an additive model does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fastsa
from fastsa import AmortizedExplainer, estimators, games
from fastsa.amortize import AttributionNet, InformedHead, informed_inputs
from fastsa.amortize.attribution import additive_surrogate
from fastsa.amortize.attribution.additive_surrogate import AdditiveSurrogate
from fastsa.games.whole_rows import answers, is_table, whole_rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5)) @ RNG.normal(size=(5, 5))  # entries that depend on each other
BACKGROUND = X[200:260] + 0.5
IMAGES = RNG.normal(size=(60, 2, 4, 4))


def bumpy(x):
    """Not additive: what a surrogate says of it is wrong, and its own values are exact all the same."""
    flat = x.reshape(len(x), -1)
    return np.stack([np.tanh(flat[:, 0]) * flat[:, 1] + np.sin(2 * flat[:, 2]), flat.sum(axis=1) > 0], axis=1)


def said_by(surrogate):
    """The surrogate as a model, written out from its configuration, without its constant."""
    stored = surrogate.config()
    weights = np.array(stored["weights"])

    def model(x):
        flat = x.reshape(len(x), -1)
        total = flat @ weights[: flat.shape[1]]
        for e, at, height in zip(stored["entry"], stored["at"], weights[flat.shape[1] :], strict=True):
            total = total + np.outer(flat[:, e] > at, height)
        return total

    return model


@pytest.mark.parametrize("steps", [False, True], ids=["linear", "additive"])
@pytest.mark.parametrize(
    ("inputs", "masker"),
    [
        (X, games.Baseline(0.5)),
        (X, games.Marginal(BACKGROUND)),
        (X, games.Marginal(BACKGROUND, whole=True)),
        (X, games.Groups(np.array([2, 0, 1, 0, 2]), games.Marginal(BACKGROUND[:7]))),
        (IMAGES, games.Patches((2, 2), 0.3)),
    ],
    ids=["baseline", "marginal", "whole", "groups", "patches"],
)
def test_values_are_the_exact_shapley_values_of_the_surrogate(inputs, masker, steps):
    surrogate = AdditiveSurrogate.fit(games.ModelGame(bumpy, inputs[:200], masker), steps=steps)
    assert (surrogate.at.size > 0) == steps and np.abs(surrogate.weights).max() > 1e-3
    new = inputs[-9:]
    of_surrogate = games.ModelGame(said_by(surrogate), new, masker)
    found = surrogate.values(games.ModelGame(bumpy, new, masker))
    np.testing.assert_allclose(found, fastsa.exact(of_surrogate), atol=1e-10)
    np.testing.assert_allclose(found, fastsa.exact(of_surrogate, index="banzhaf"), atol=1e-10)


def test_the_values_of_a_linear_model_are_those_of_enumeration():
    weights = RNG.normal(size=(5, 2))
    game = games.ModelGame(lambda x: x @ weights + 3.0, X, games.Marginal(BACKGROUND))
    truth = fastsa.exact(game)
    np.testing.assert_allclose(
        truth[:, :, 0], weights[:, 0] * (X - BACKGROUND.mean(axis=0)), atol=1e-10
    )  # corollary 1 itself
    found = AdditiveSurrogate.fit(game, steps=False).values(game)
    assert np.abs(found - truth).max() < 1e-3 * np.abs(truth).max()


def test_the_values_of_an_additive_model_of_a_few_levels_are_those_of_enumeration_and_linear_ones_are_not():
    levels = np.random.default_rng(1).integers(0, 6, size=(400, 4)).astype(np.float32)
    heights = np.random.default_rng(2).normal(size=(4, 6, 1))

    def model(x):
        return sum(heights[e][x[:, e].astype(int)] for e in range(4))

    game = games.ModelGame(model, levels, games.Marginal(levels[:50]))
    truth = fastsa.exact(game)
    found, straight = (AdditiveSurrogate.fit(game, steps=steps).values(game) for steps in (True, False))
    assert np.abs(found - truth).max() < 2e-3 * np.abs(truth).max()
    assert np.abs(straight - truth).max() > 0.2 * np.abs(truth).max()


def test_an_evaluation_of_every_input_and_background_row_is_spent_once_for_all_surrogates_and_none_when_explaining():
    rows = []

    def counted(x):
        rows.append(len(x))
        return bumpy(x)

    for masker, behind in (
        (games.Baseline(), 1),
        (games.Marginal(BACKGROUND), 60),
        (games.Marginal(X, whole=True), 300),
    ):
        game, new = games.ModelGame(counted, X, masker), games.ModelGame(counted, X[:9], masker)
        rows.clear()
        found = informed_inputs(game, ["additive", "linear"])
        assert found.evaluations == sum(rows) == 300 + behind == AdditiveSurrogate.cost(game)
        rows.clear()
        again = informed_inputs(new, ["linear", "additive"], surrogates=found.surrogates)
        assert again.evaluations == 0 and rows == []
        np.testing.assert_array_equal(again.values, found.values[:9, :, :, ::-1])


def test_answers_are_of_inputs_and_then_of_the_background_in_batches_of_any_size(monkeypatch):
    game = games.ModelGame(bumpy, X, games.Groups(np.array([0, 1, 1, 0, 2]), games.Marginal(BACKGROUND)))
    monkeypatch.setattr(games.ModelGame, "rows_per_batch", lambda self, max_bytes: 7)
    np.testing.assert_array_equal(answers(game), bumpy(np.concatenate([X, BACKGROUND])))
    assert whole_rows(game).player_of.tolist() == [0, 1, 1, 0, 2]


def test_an_explainer_told_by_a_surrogate_is_far_nearer_where_the_model_is_nearly_additive():
    """One background row per sample: labels and occlusion are noisy, and the surrogate's values are means over all rows.

    All spend the same, within 3 %: the surrogate's answers are paid with inputs.
    """
    inputs = np.random.default_rng(3).normal(size=(520, 6))

    def model(x):
        return np.sin(2 * x[:, 0]) + (x[:, 1] > 0.5) + x[:, 2] ** 2 + x[:, 3] + 0.1 * x[:, 4] * x[:, 5]

    masker, held_out = games.Marginal(inputs[300:400]), inputs[-100:]
    truth = fastsa.exact(games.ModelGame(model, held_out, masker))[..., 0]
    errors, spent = {}, {}
    for kinds, items in (((), 300), (("occlusion",), 240), (("linear",), 280), (("additive",), 280)):
        net = AttributionNet(epochs=30, width=32, efficiency=True)
        told = AmortizedExplainer(model, masker, samples=2, net=net, informed=kinds or False)
        told.fit(inputs[:items], progress=False)
        errors[kinds], spent[kinds] = float(np.mean((told.explain(held_out) - truth) ** 2)), told.evaluations_
    assert max(spent.values()) < 1.03 * spent[()] and told.choice_ != "net"
    assert errors["additive",] < 0.25 * min(errors[()], errors["occlusion",], errors["linear",])


def test_the_labels_choose_the_network_where_the_surrogate_says_nothing():
    """A model of products alone, whose additive part is 0: values of the surrogate are noise, and the labels see it."""
    inputs = np.random.default_rng(4).normal(size=(500, 4))

    def products(x):
        return x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3]

    game = games.ModelGame(products, inputs, games.Baseline())
    told = informed_inputs(game, ["linear"])
    labels = fastsa.LabelStream(game, estimators.PermutationShapley(), samples=2).collect()
    truth = fastsa.exact(game)
    head = InformedHead().fit(told.values, labels).values(told.values)
    assert np.mean((head - truth) ** 2) > 0.8 * np.mean(truth**2)
    net = AttributionNet(epochs=60, efficiency=True)
    explainer = AmortizedExplainer(products, games.Baseline(), samples=6, net=net, informed=["linear"])
    explainer.fit(inputs, progress=False)
    assert explainer.choice_ != "head"
    assert np.mean((explainer.explain(inputs) - truth[..., 0]) ** 2) < 0.3 * np.mean(truth**2)


def test_a_saved_explainer_explains_by_the_surrogates_that_it_was_fitted_with(tmp_path):
    net = AttributionNet(epochs=2, width=8, efficiency=True)
    kinds = ("linear", "additive", "alone")
    told = AmortizedExplainer(bumpy, games.Marginal(BACKGROUND), samples=3, net=net, informed=kinds)
    told.fit(X[:150], progress=False)
    assert told.choice_ != "net" and set(told.surrogates_) == {"linear", "additive"}
    told.save(tmp_path / "saved")
    again = AmortizedExplainer.load(tmp_path / "saved", bumpy, games.Marginal(BACKGROUND))
    assert again.explain(X[150:]).tobytes() == told.explain(X[150:]).tobytes()


def test_a_torch_model_of_images_and_many_entries_has_fewer_steps():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(400, 2)).eval()
    images = torch.rand(30, 1, 20, 20)
    surrogate = AdditiveSurrogate.fit(games.ModelGame(model, images, games.Patches((2, 2))), steps=True)
    assert surrogate.weights.shape == (800, 2) and np.bincount(surrogate.entry).tolist() == [1] * 400


def test_constant_entries_and_constant_models_have_values_of_0():
    constant = np.concatenate([X, np.ones((300, 1))], axis=1)
    for model in (lambda x: x[:, 0], lambda x: np.full(len(x), 2.5)):
        game = games.ModelGame(model, constant, games.Baseline())
        surrogate = AdditiveSurrogate.fit(games.ModelGame(model, constant, games.Baseline(np.ones(6))), steps=True)
        values = surrogate.values(game)
        assert np.isfinite(values).all() and np.abs(values[:, 5]).max() == 0
    assert np.abs(values).max() == 0


def test_refusals():
    tokens = games.ModelGame(lambda t, m: (t * m).sum(axis=1), np.ones((3, 4), int), games.Tokens())
    with pytest.raises(TypeError, match="masker is Tokens, which has no background"):
        informed_inputs(tokens, ["linear"])
    holes = np.where(X > 3, np.nan, X)
    with pytest.raises(ValueError, match=r"inputs\[\d+, \d\] is nan; expected finite numbers"):
        informed_inputs(games.ModelGame(lambda x: np.nan_to_num(x).sum(axis=1), holes, games.Baseline()), ["additive"])
    words = np.array([["a", "b"], ["c", "d"]], dtype=object)
    game = games.ModelGame(lambda x: (x == "a").sum(axis=1), words, games.Baseline(np.array(["e", "f"], dtype=object)))
    with pytest.raises(TypeError, match="expected numbers. Encode other columns first"):
        informed_inputs(game, ["linear"])
    surrogate = AdditiveSurrogate.fit(games.ModelGame(bumpy, X, games.Baseline()), steps=False)
    with pytest.raises(ValueError, match="game has 4 entries and 2 outputs; expected 5 and 2"):
        surrogate.values(games.ModelGame(bumpy, X[:, :4], games.Baseline()))


def test_shapley_values_of_a_table_are_informed_by_an_additive_surrogate_unless_told_otherwise():
    """Not images, not more than 1,024 entries, not what has no number somewhere, and not other values than Shapley's."""
    net = AttributionNet(epochs=1, width=8, efficiency=True)

    def kinds(inputs, **settings):
        settings = {"net": net, **settings}

        def total(x):
            return np.nan_to_num(np.asarray(x, dtype=float)).reshape(len(x), -1).sum(axis=1)

        told = AmortizedExplainer(total, games.Baseline(), **{"samples": 2, **settings})
        return told.fit(inputs, progress=False).kinds_

    rows = np.random.default_rng(5).normal(size=(40, 3))
    gaps = rows.copy()
    gaps[7, 1] = np.nan
    assert kinds(rows) == ("additive",)
    assert kinds(rows, informed=False) == kinds(rows.reshape(40, 3, 1)) == kinds(np.zeros((4, 1025))) == ()
    assert not is_table(games.ModelGame(lambda x: np.nan_to_num(x).sum(axis=1), gaps, games.Baseline()))
    assert kinds(rows, estimator=estimators.BanzhafMSR(), samples=60, net=AttributionNet(epochs=1, width=8)) == ()


def test_a_surrogate_of_many_inputs_is_taught_by_some_of_them(monkeypatch):
    monkeypatch.setattr(additive_surrogate, "_MOST_INPUTS", 60)
    rows = []

    def counted(x):
        rows.append(len(x))
        return bumpy(x)

    game = games.ModelGame(counted, X, games.Marginal(BACKGROUND))
    rows.clear()
    surrogate = AdditiveSurrogate.fit(game, steps=False)
    assert sum(rows) == AdditiveSurrogate.cost(game) == 60 + len(BACKGROUND)
    assert surrogate.values(game).shape[0] == len(X)
