"""Informed inputs are what they say, a small head on them beats networks from scratch, and the labels choose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import fastsa
from fastsa import AmortizedExplainer, estimators, games
from fastsa.amortize import AttributionNet, InformedHead, ends, informed_inputs
from fastsa.amortize.correction.selection_error import selection_certificate, selection_gain
from fastsa.games.gradients import gradient_times_input

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5))
PAIRS = np.triu(RNG.normal(size=(5, 5)), 1)


def quadratic(x):
    """Interactions of two players at most: the Shapley value is the mean of occlusion and alone."""
    return np.stack([((x @ PAIRS) * x).sum(axis=1) + x[:, 0], x[:, 1] * x[:, 2]], axis=1)


def mixed(x):
    """A product pays each half of its occlusion, the additive part each the whole: no single weight fits."""
    return 2 * np.tanh(x[:, 0]) * np.tanh(x[:, 1]) + 2 * x[:, 3] + np.sin(2 * x[:, 4])


def drawn(game, samples, role="train", antithetic=False):
    estimator = estimators.PermutationShapley(antithetic=antithetic)
    return fastsa.LabelStream(game, estimator, samples=samples, role=role, n_threads=1).collect()


def squared(estimate, truth):
    return float(np.mean((estimate - truth) ** 2))


@pytest.mark.parametrize(
    ("inputs", "masker"),
    [
        (X, games.Baseline(0.5)),
        (X, games.Marginal(X[:7])),
        (X, games.Groups(np.array([0, 1, 1, 2, 0]))),
        (RNG.normal(size=(30, 2, 4, 4)), games.Patches((2, 2), 0.3)),
    ],
    ids=["baseline", "marginal", "groups", "patches"],
)
def test_gradient_times_input_is_the_shapley_value_of_a_linear_model(inputs, masker):
    torch.manual_seed(0)
    width = int(np.prod(inputs.shape[1:]))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(width, 3)).eval()
    game = games.ModelGame(model, torch.from_numpy(inputs.astype(np.float32)), masker)
    for share in (0.5, 1.0):
        np.testing.assert_allclose(gradient_times_input(game, share), fastsa.exact(game), atol=1e-5)
    assert all(p.grad is None for p in model.parameters())


def test_occlusion_and_alone_are_those_of_the_game_at_the_evaluations_they_count():
    rows = []

    def counted(x):
        rows.append(len(x))
        return quadratic(x)

    game = games.ModelGame(counted, X, games.Baseline())
    rows.clear()
    found = informed_inputs(game)
    assert found.kinds == ("occlusion", "alone") and found.evaluations == sum(rows) - 1 == 200 * 11
    everyone, nobody = np.ones((1, 5), bool), np.zeros((1, 5), bool)
    for player in (0, 3):
        without, only = everyone.copy(), nobody.copy()
        without[0, player], only[0, player] = False, True
        occlusion = game.evaluate([9], everyone) - game.evaluate([9], without)
        alone = game.evaluate([9], only) - game.evaluate([9], nobody)
        np.testing.assert_allclose(found.values[9, player], np.stack([occlusion[0], alone[0]], axis=-1), atol=1e-12)


def test_a_head_finds_the_closed_form_from_noisy_labels():
    game = games.ModelGame(quadratic, X, games.Baseline())
    train, truth, inputs = drawn(game, 1), fastsa.exact(game), informed_inputs(game).values
    np.testing.assert_allclose(inputs.mean(axis=-1), truth, atol=1e-12)
    head = InformedHead().fit(inputs, train)
    np.testing.assert_allclose(head.weights_[:2], 0.5, atol=0.12)
    assert squared(head.values(inputs), truth) < 0.02 * squared(train.mean, truth)
    efficient = InformedHead().fit(inputs, train, ends=ends(game))
    values = efficient.values(inputs, ends=ends(game))
    np.testing.assert_allclose(values.sum(axis=1), quadratic(X) - quadratic(np.zeros((1, 5))), atol=1e-12)


def test_at_equal_evaluations_it_is_far_nearer_than_a_network_from_scratch():
    """Occlusion and alone cost one evaluation more than an antithetic permutation: three samples and both against four."""
    truth = fastsa.exact(games.ModelGame(quadratic, X, games.Baseline()))
    plain = AmortizedExplainer(
        quadratic, games.Baseline(), samples=4, informed=False, net=AttributionNet(epochs=40, efficiency=True)
    ).fit(X, progress=False)
    told = AmortizedExplainer(
        quadratic, games.Baseline(), samples=3, informed=True, net=AttributionNet(epochs=10, efficiency=True)
    ).fit(X, progress=False)
    assert told.evaluations_ == plain.evaluations_ + len(X)
    assert squared(told.explain(X), truth) < 0.1 * squared(plain.explain(X), truth)
    assert (plain.choice_, plain.head_) == ("net", None)


def test_the_network_learns_what_the_head_leaves_and_is_chosen():
    inputs = np.random.default_rng(1).normal(size=(600, 5))
    truth = fastsa.exact(games.ModelGame(mixed, inputs, games.Baseline()))[..., 0]
    net = AttributionNet(epochs=40, width=32, efficiency=True)
    told = AmortizedExplainer(mixed, games.Baseline(), samples=6, net=net, informed=["occlusion"])
    told.fit(inputs, progress=False)
    game = games.ModelGame(mixed, inputs, games.Baseline())
    head = told.head_.values(informed_inputs(game, ["occlusion"]).values, ends=ends(game))[..., 0]
    assert told.choice_ == "head and net"
    assert squared(told.explain(inputs), truth) < 0.7 * squared(head, truth)
    assert told.error_.error.low < squared(told.explain(inputs), truth) < told.error_.error.high


@pytest.mark.parametrize(
    ("off", "choice"),
    [
        ((0.0, 1.0, 0.5), "net"),
        ((0.5, 1.0, 0.0), "head and net"),
        ((0.5, 0.0, 0.5), "head"),
        ((0.01, 0.01, 0.01), "head"),
    ],
)
def test_the_best_of_network_head_and_both_is_chosen_and_the_head_where_they_are_alike(off, choice):
    game = games.ModelGame(quadratic, X, games.Baseline())
    told, truth = AmortizedExplainer(quadratic, games.Baseline(), informed=True), fastsa.exact(game)
    given = [truth + one for one in off]
    best = told._choose(*given, drawn(game, 2, "select"))
    assert told.choice_ == choice
    np.testing.assert_array_equal(best, given[["net", "head", "head and net"].index(choice)])


def test_a_network_that_learned_nothing_is_left_out():
    net = AttributionNet(epochs=0, efficiency=True)
    told = AmortizedExplainer(quadratic, games.Baseline(), samples=4, net=net, informed=True).fit(X, progress=False)
    game = games.ModelGame(quadratic, X, games.Baseline())
    assert told.choice_ == "head"
    head = told.head_.values(informed_inputs(game).values, ends=ends(game))
    np.testing.assert_array_equal(told.explain(X), head)


def test_the_choice_is_that_of_the_certificate():
    """A loss to the labels that select is a certified error and their noise, whatever is compared."""
    game = games.ModelGame(quadratic, X, games.Baseline())
    train, select = drawn(game, 2), drawn(game, 2, "select")
    first, second = fastsa.exact(game) + 0.3, np.zeros((200, 5, 2))
    gain, stderr = selection_gain(first, second, select)
    certified = [selection_certificate(p, select, train).error.value for p in (first, second)]
    np.testing.assert_allclose(gain, certified[1] - certified[0], rtol=1e-10)
    assert 0 < stderr < gain / 4


def test_backgrounds_of_informed_inputs_are_not_those_of_labels():
    """Labels and answers of one background row would share their noise, and a head would learn it: 400 x 5 cells, z < 4."""
    inputs, background = np.random.default_rng(2).normal(size=(400, 5)), np.random.default_rng(3).normal(size=(60, 5))
    game = games.ModelGame(lambda x: x.sum(axis=1), inputs, games.Marginal(background))
    truth = inputs - background.mean(axis=0)
    label = drawn(game, 1).mean[..., 0] - truth
    for kind in range(2):
        answer = informed_inputs(game).values[..., 0, kind] - truth
        assert np.std(answer) > 0.5
        assert abs(np.corrcoef(answer.ravel(), label.ravel())[0, 1]) < 4 / np.sqrt(2000)


def test_evaluations_of_every_kind_are_counted_and_explaining_pays_for_its_own():
    rows = []

    def counted(x):
        rows.append(len(x))
        return quadratic(x)

    net = AttributionNet(epochs=2, width=8, efficiency=True)
    told = AmortizedExplainer(counted, games.Baseline(), samples=3, net=net, informed=["occlusion"])
    told.fit(X[:50], progress=False)
    assert told.evaluations_ == sum(rows) - 2  # the game's first, and the empty coalition
    rows.clear()
    told.explain(X[:10])
    assert sum(rows) == 1 + 11 + 10 * 6  # the game's first, the ends, and occlusion


def test_a_saved_informed_explainer_is_read_as_it_was_and_refines(tmp_path):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).eval()
    inputs = X.astype(np.float32)
    net = AttributionNet(epochs=3, width=8, efficiency=True)
    told = AmortizedExplainer(model, games.Baseline(), samples=3, net=net, informed=True).fit(inputs, progress=False)
    assert told.kinds_ == ("gradient", "occlusion", "alone")
    told.save(tmp_path / "saved")
    again = AmortizedExplainer.load(tmp_path / "saved", model, games.Baseline())
    assert again.explain(inputs).tobytes() == told.explain(inputs).tobytes()
    assert (again.choice_, again.kinds_, again.error_) == (told.choice_, told.kinds_, told.error_)
    labels = drawn(games.ModelGame(model, inputs, games.Baseline()), 3, "certify")
    truth = fastsa.exact(games.ModelGame(model, inputs, games.Baseline()))
    assert squared(told.explain(inputs, labels=labels), truth) < 1.001 * squared(told.explain(inputs), truth)


def test_values_of_other_estimators_are_informed_too():
    game = games.ModelGame(quadratic, X, games.Baseline())
    truth = fastsa.exact(game, index="banzhaf")
    banzhaf = estimators.BanzhafMSR()
    assert (
        AmortizedExplainer(quadratic, games.Baseline(), estimator=banzhaf, informed=True)._new_net(banzhaf).scale
        == "global"
    )
    told = AmortizedExplainer(
        quadratic, games.Baseline(), estimator=banzhaf, samples=40, informed=True, net=AttributionNet(epochs=5)
    ).fit(X, progress=False)
    assert squared(told.explain(X), truth) < 0.1 * squared(np.zeros_like(truth), truth)


def test_refusals():
    game = games.ModelGame(quadratic, X, games.Baseline())
    with pytest.raises(ValueError, match="kinds is 'tree'"):
        informed_inputs(game, ["tree"])
    with pytest.raises(ValueError, match="each once"):
        informed_inputs(game, ["alone", "alone"])
    with pytest.raises(TypeError, match="this game has none"):
        informed_inputs(game, ["gradient"])
    with pytest.raises(TypeError, match="expected 'auto', True, False, or some of"):
        AmortizedExplainer(quadratic, games.Baseline(), informed="occlusion")
    with pytest.raises(ValueError, match="informed is empty"):
        AmortizedExplainer(quadratic, games.Baseline(), informed=[])
    with pytest.raises(ValueError, match="informed is 'tree'"):
        AmortizedExplainer(quadratic, games.Baseline(), informed=["tree"])
    inputs, train = informed_inputs(game).values, drawn(game, 1)
    with pytest.raises(ValueError, match="an axis of kinds"):
        InformedHead().fit(inputs[:, :4], train)
    with pytest.raises(ValueError, match="fitted without ends"):
        InformedHead().fit(inputs, train).values(inputs, ends=ends(game))
    net = AttributionNet(epochs=1).fit(X, train, start=inputs[..., 0])
    with pytest.raises(ValueError, match="fitted with a start; predict with one"):
        net.predict(X)
    with pytest.raises(ValueError, match="start of labels has shape"):
        AttributionNet(epochs=1).fit(X, train, start=inputs)
    with pytest.raises(ValueError, match="scale 'global' that are not bounded"):
        AttributionNet(scale="unit").fit(X, train, start=inputs[..., 0])
