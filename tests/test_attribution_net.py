"""AttributionNet learns from noisy labels, streams and coalitions, keeps its best state, and refuses bad input."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import fastsa
from fastsa import estimators, games
from fastsa.amortize import AttributionNet

SHORT = dict(epochs=3, width=16, n_threads=1)


def model(x):
    return np.stack([np.tanh(x[:, 0] + x[:, 1]) + x[:, 2] * x[:, 3], x[:, 0] * x[:, 4]], axis=1)


def drawn(game, samples, role="train", estimator=None, **options):
    estimator = estimators.PermutationShapley() if estimator is None else estimator
    return fastsa.LabelStream(game, estimator, samples=samples, role=role, n_threads=1, **options)


@pytest.fixture(scope="module")
def problem():
    """500 inputs of 5 features, two outputs with interactions: labels of one permutation, and exact values."""
    X = np.random.default_rng(1).normal(size=(500, 5))
    game = games.ModelGame(model, X, games.Baseline())
    return SimpleNamespace(
        X=X,
        game=game,
        train=drawn(game, 1).collect(),
        select=drawn(game, 1, "select").collect(),
        truth=fastsa.exact(game),
        ends=fastsa.amortize.ends(game),
    )


def error(estimate, truth):
    return float(np.mean(np.sum((estimate - truth) ** 2, axis=1)))


@pytest.fixture(scope="module")
def fitted(problem):
    return AttributionNet(epochs=40).fit(problem.X, problem.train, select=problem.select)


def test_values_learned_from_noisy_labels_are_far_nearer_than_the_labels_and_their_mean(problem, fitted):
    constant = np.broadcast_to(problem.train.mean.mean(axis=0), problem.truth.shape)
    found = error(fitted.predict(problem.X), problem.truth)
    assert found < 0.4 * error(problem.train.mean, problem.truth)
    assert found < 0.2 * error(constant, problem.truth)


def test_an_additive_model_is_learned_far_below_the_noise_of_its_labels():
    """A linear model under a random background: labels are noisy, the truth is linear in the input."""
    rng = np.random.default_rng(2)
    X, slopes = rng.normal(size=(400, 4)), np.array([1.0, -2.0, 0.5, 0.0])
    background = rng.normal(size=(50, 4))
    game = games.ModelGame(lambda x: x @ slopes, X, games.Marginal(background))
    labels = drawn(game, 1).collect()
    truth = ((X - background.mean(axis=0)) * slopes)[:, :, None]
    net = AttributionNet(epochs=30).fit(X, labels, select=drawn(game, 1, "select").collect())
    assert error(net.predict(X), truth) < 0.1 * error(labels.mean, truth)


def test_inputs_that_were_not_trained_on_are_explained_too(problem, fitted):
    X = np.random.default_rng(3).normal(size=(200, 5))
    truth = fastsa.exact(games.ModelGame(model, X, games.Baseline()))
    assert error(fitted.predict(X), truth) < 0.25 * error(np.zeros_like(truth), truth)


def test_efficient_values_sum_to_the_ends_and_are_never_farther_from_the_truth(problem, fitted):
    net = AttributionNet(epochs=40, efficiency=True)
    net.fit(problem.X, problem.train, select=problem.select, ends=problem.ends)
    values = net.predict(problem.X, ends=problem.ends)
    np.testing.assert_allclose(values.sum(axis=1), problem.ends[:, 1] - problem.ends[:, 0], atol=1e-12)
    plain = fitted.predict(problem.X)
    total = problem.ends[:, 1] - problem.ends[:, 0]
    moved = plain + ((total - plain.sum(axis=1)) / 5)[:, None]
    assert error(moved, problem.truth) <= error(plain, problem.truth)


def test_a_regression_brings_the_ends_along(problem):
    labels = drawn(problem.game, 12, estimator=estimators.KernelSHAP()).collect()
    net = AttributionNet(efficiency=True, **SHORT).fit(problem.X, labels)
    again = AttributionNet(efficiency=True, **SHORT).fit(problem.X, labels, ends=problem.ends)
    np.testing.assert_allclose(
        net.predict(problem.X, ends=problem.ends), again.predict(problem.X, ends=problem.ends), atol=1e-5
    )


def test_bounded_values_stay_within_one(problem):
    values = AttributionNet(bounded=True, epochs=20).fit(problem.X, problem.train).predict(50.0 * problem.X)
    assert 0.9 < np.abs(values).max() <= 1.0


def test_the_epoch_of_least_select_loss_is_kept(problem):
    net = AttributionNet(epochs=60, learning_rate=3e-3, batch_size=32).fit(
        problem.X, problem.train, select=problem.select
    )
    history = net.history_
    assert history["train"].shape == history["select"].shape == (61,) and np.isnan(history["train"][0])
    assert 0 < net.best_epoch_ == np.argmin(history["select"]) < 60
    kept = error(net.predict(problem.X), problem.select.mean) / net.readout_.unit**2
    assert kept == pytest.approx(history["select"].min(), rel=1e-5) and kept < history["select"][-1]


def test_a_selected_net_takes_the_steps_that_few_inputs_need(problem):
    """500 inputs make 8 steps per epoch: 188 epochs with select, 50 without; the longer course is the better."""
    chosen = AttributionNet(width=16, n_threads=1).fit(problem.X, problem.train, select=problem.select)
    short = AttributionNet(width=16, epochs=50).fit(problem.X, problem.train, select=problem.select)
    plain = AttributionNet(width=16).fit(problem.X, problem.train)
    assert (chosen.history_["train"].size, plain.history_["train"].size) == (189, 51)
    assert error(chosen.predict(problem.X), problem.truth) < error(short.predict(problem.X), problem.truth)


def test_other_inputs_may_choose_the_epoch(problem):
    X = np.random.default_rng(4).normal(size=(100, 5))
    select = drawn(games.ModelGame(model, X, games.Baseline()), 2, "select").collect()
    net = AttributionNet(epochs=10).fit(problem.X, problem.train, select=select, X_select=X)
    kept = error(net.predict(X), select.mean) / net.readout_.unit**2
    assert kept == pytest.approx(net.history_["select"].min(), rel=1e-5)


def test_a_stream_refines_labels_while_training_goes_on(problem):
    """16 permutations come in over the epochs: the last epochs see all, and the result is that of all."""
    stream = drawn(problem.game, 16, batch=500)
    net = AttributionNet(epochs=40).fit(problem.X, stream, select=problem.select)
    fixed = AttributionNet(epochs=40).fit(problem.X, drawn(problem.game, 16).collect(), select=problem.select)
    assert error(net.predict(problem.X), problem.truth) < 1.3 * error(fixed.predict(problem.X), problem.truth)
    losses = net.history_["train"]
    assert losses[-1] < 0.3 * losses[1]


def test_batches_of_a_stream_replace_earlier_totals(problem):
    from fastsa.amortize.attribution.labels import AttributionLabels

    labels = AttributionLabels.of("labels", drawn(problem.game, 8, batch=600), 500)
    counts = []
    while labels.advance((len(counts) + 1) / 8):
        counts.append(labels.count.max())
    assert len(counts) > 4 and counts == sorted(counts)
    whole = drawn(problem.game, 8).collect()
    np.testing.assert_array_equal(labels.mean, whole.mean)
    np.testing.assert_array_equal(labels.count, whole.count)


def test_a_stream_of_pools_trains_on_the_items_that_are_done(problem):
    net = AttributionNet(epochs=30).fit(
        problem.X, drawn(problem.game, 12, estimator=estimators.KernelSHAP(), batch=2000)
    )
    assert error(net.predict(problem.X), problem.truth) < 0.5 * error(np.zeros_like(problem.truth), problem.truth)


def test_refreshed_labels_are_independent_parts_of_the_stream_for_equally_many_epochs(problem):
    """8 samples in 4 parts over 8 epochs: two epochs each, every part the bytes of its own range of samples."""
    from fastsa.amortize.attribution.labels import AttributionLabels

    evaluated, start = [], np.random.default_rng(0).normal(size=problem.truth.shape)

    def counted(x):
        evaluated.append(len(x))
        return model(x)

    game = games.ModelGame(counted, problem.X, games.Baseline())
    evaluated.clear()
    labels = AttributionLabels.of("labels", drawn(game, 8, first_sample=3), 500, start, refresh=2)
    seen = []
    for epoch in range(1, 9):
        assert labels.advance(epoch / 8) == (epoch % 2 == 1)
        seen.append(labels.mean.copy())
        assert labels.count.min() == labels.count.max() == 2
    the_empty = 1
    assert sum(evaluated) == drawn(problem.game, 8, first_sample=3).collect().evaluations + the_empty
    for part in range(4):
        own = drawn(problem.game, 2, first_sample=3 + 2 * part).collect().mean - start
        np.testing.assert_array_equal(seen[2 * part], own)
        np.testing.assert_array_equal(seen[2 * part + 1], own)
    whole = drawn(problem.game, 8, first_sample=3).collect().mean - start
    np.testing.assert_allclose(np.mean(seen, axis=0), whole, atol=1e-12)


def test_a_network_that_memorises_forgets_the_noise_of_refreshed_labels(problem):
    """40 inputs, 400 epochs: the fixed label of 16 samples is learned by heart, and so is the last of 16 refreshed ones.

    What remains of the others' noise is in the memory of the network: its error lies between those labels' errors.
    """
    X, game = problem.X[:40], games.ModelGame(model, problem.X[:40], games.Baseline())
    net = AttributionNet(epochs=400, batch_size=40, learning_rate=3e-3, decay="linear")
    fixed = error(net.fit(X, drawn(game, 16).collect()).predict(X), problem.truth[:40])
    refreshed = error(net.fit(X, drawn(game, 16), refresh=1).predict(X), problem.truth[:40])
    one, all_of_them = (error(drawn(game, k).collect().mean, problem.truth[:40]) for k in (1, 16))
    assert fixed == pytest.approx(all_of_them, rel=0.5)
    assert all_of_them < refreshed < 0.5 * one


def test_fresh_coalitions_teach_what_labels_teach(problem):
    net = AttributionNet(objective="coalitions", epochs=30).fit(problem.X, problem.game, select=problem.select)
    values = net.predict(problem.X, ends=problem.ends)
    assert error(values, problem.truth) < 0.2 * error(problem.train.mean, problem.truth)
    np.testing.assert_allclose(values.sum(axis=1), problem.ends[:, 1] - problem.ends[:, 0], atol=1e-12)


def test_coalitions_are_counted_where_the_model_is_called(problem):
    asked = []

    def counted(x):
        asked.append(len(x))
        return model(x)

    game = games.ModelGame(counted, problem.X, games.Baseline())
    asked.clear()
    net = AttributionNet(objective="coalitions", coalitions=4, **SHORT).fit(problem.X, game, select=game)
    the_empty = 1
    assert net.evaluations_ + the_empty == sum(asked)
    assert np.isfinite(net.history_["select"]).all()


def test_the_coalition_objective_is_least_at_the_exact_values(problem):
    """At the Shapley values the loss is below that of 20 efficient neighbours on the same coalitions."""
    from fastsa.amortize.attribution.objectives import ToCoalitions
    from fastsa.amortize.attribution.readout import Readout

    readout = Readout(5, 2, "global", False, True, 1.0, torch.zeros(5, 2))
    objective = ToCoalitions(problem.game, problem.ends, readout, 400, 0, "train", fresh=False)
    items, rng = torch.arange(40), np.random.default_rng(5)
    best = objective.loss(torch.from_numpy(problem.truth[:40]), items)
    for _ in range(20):
        other = problem.truth[:40] + 0.1 * rng.normal(size=(40, 5, 2))
        assert objective.loss(torch.from_numpy(other), items) > best


def test_unit_scaling_improves_direction_and_error_of_long_tailed_values_together():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(800, 6))
    game = games.ModelGame(
        lambda x: np.exp(1.5 * x[:, 5]) * (np.tanh(x[:, 0] + x[:, 1]) + x[:, 2] * x[:, 3]), X, games.Baseline()
    )
    labels, select = (drawn(game, 24, role, estimators.BanzhafMSR()).collect() for role in ("train", "select"))
    truth = fastsa.exact(game, index="banzhaf")
    net = AttributionNet(scale="unit", epochs=40).fit(X, labels, select=select)
    noisy = np.nan_to_num(labels.mean)

    def alignment(values):
        return float(
            np.mean(
                np.sum(values * truth, axis=1)
                / np.maximum(np.linalg.norm(values, axis=1) * np.linalg.norm(truth, axis=1), 1e-12)
            )
        )

    found = net.predict(X)
    assert alignment(found) > alignment(noisy) + 0.05
    assert error(found, truth) < 0.7 * error(noisy, truth)


def test_items_without_samples_teach_nothing(problem):
    """The last hundred inputs have labels of no use, which a NaN mean says."""
    from dataclasses import replace

    outcomes = []
    for garbage in (np.nan, 1e6):
        statistics = problem.train.statistics.take(np.arange(500))
        statistics.count[400:], statistics.mean[400:] = 0, garbage
        net = AttributionNet(**SHORT).fit(problem.X, replace(problem.train, statistics=statistics))
        outcomes.append(net.predict(problem.X))
    np.testing.assert_array_equal(*outcomes)


def test_inputs_count_by_their_samples(problem):
    """Half the inputs have 1,000 samples and exact labels, half one sample and the opposite."""
    from dataclasses import replace

    trusted = np.arange(500) % 2 == 0
    statistics = problem.train.statistics.take(np.arange(500))
    statistics.mean[:] = np.where(trusted[:, None, None], problem.truth, -problem.truth)
    options = dict(epochs=30, learning_rate=3e-3)
    even = AttributionNet(**options).fit(problem.X, replace(problem.train, statistics=statistics))
    statistics.count[trusted] = 1000
    weighted = AttributionNet(**options).fit(problem.X, replace(problem.train, statistics=statistics))
    assert error(weighted.predict(problem.X), problem.truth) < 0.4 * error(even.predict(problem.X), problem.truth)


def test_a_seed_gives_the_same_bytes_and_leaves_torch_as_it_was(problem):
    module = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 10)).eval()
    state, threads = torch.random.get_rng_state().clone(), torch.get_num_threads()
    for net in ("mlp", module):
        first, again, other = (
            AttributionNet(net, seed=seed, **SHORT).fit(problem.X, problem.train).predict(problem.X)
            for seed in (7, 7, 8)
        )
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
    streamed = [AttributionNet(**SHORT).fit(problem.X, drawn(problem.game, 4)).predict(problem.X) for _ in range(2)]
    np.testing.assert_array_equal(*streamed)
    assert torch.equal(torch.random.get_rng_state(), state) and torch.get_num_threads() == threads


def test_a_module_given_is_trained_in_a_copy(problem):
    module = torch.nn.Linear(5, 10)
    before = module.weight.detach().clone()
    net = AttributionNet(module, **SHORT).fit(problem.X, problem.train)
    assert torch.equal(module.weight, before) and not torch.equal(net.module_.weight, before)


@pytest.mark.parametrize("settings", [{}, {"scale": "unit"}, {"bounded": True}, {"efficiency": True}, {"own": True}])
def test_a_saved_net_predicts_the_same_bytes(problem, tmp_path, settings):
    own = torch.nn.Linear(5, 10) if settings.pop("own", False) else None
    net = AttributionNet("auto" if own is None else own, **SHORT, **settings)
    ends = problem.ends if net.efficiency else None
    net.fit(problem.X, problem.train, select=problem.select, ends=ends).save(tmp_path / "net")
    loaded = AttributionNet.load(tmp_path / "net", own)
    np.testing.assert_array_equal(loaded.predict(problem.X, ends=ends), net.predict(problem.X, ends=ends))
    np.testing.assert_array_equal(loaded.history_["train"], net.history_["train"])
    assert (loaded.best_epoch_, loaded.learning_rate) == (net.best_epoch_, net.learning_rate)


def test_the_units_of_the_labels_do_not_matter(problem):
    scaled = games.ModelGame(lambda x: 1e6 * model(x), problem.X, games.Baseline())
    big = AttributionNet(**SHORT).fit(problem.X, drawn(scaled, 1).collect()).predict(problem.X)
    base = AttributionNet(**SHORT).fit(problem.X, problem.train).predict(problem.X)
    np.testing.assert_allclose(big, 1e6 * base, rtol=1e-3, atol=1.0)


def test_constant_labels_give_that_constant_without_a_warning():
    X = np.random.default_rng(7).normal(size=(30, 3))
    labels = drawn(games.ModelGame(lambda x: np.ones(len(x)), X, games.Baseline()), 2).collect()
    for scale in ("global", "unit"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_allclose(AttributionNet(scale=scale, **SHORT).fit(X, labels).predict(X), 0.0, atol=1e-6)


def test_the_ends_are_those_of_enumeration_at_the_evaluations_stated():
    X, asked = np.random.default_rng(8).normal(size=(6, 3)), []

    def counted(x):
        asked.append(len(x))
        return x.prod(axis=1)

    for masker, per_empty in ((games.Baseline(2.0), 1), (games.Marginal(X[:4]), 4)):
        game = games.ModelGame(counted, X, masker)
        asked.clear()
        both = fastsa.amortize.ends(game)
        assert sum(asked) == 6 + per_empty
        for place, inside in enumerate((False, True)):
            np.testing.assert_allclose(both[:, place], game.evaluate(np.arange(6), np.full((6, 3), inside)), atol=1e-12)


OTHER = np.random.default_rng(9).normal(size=(500, 5))


def foreign_select(p):
    return drawn(games.ModelGame(model, OTHER, games.Baseline()), 1, "select").collect()


def points_labels():
    game = games.FunctionGame(lambda c: c.sum(axis=1), 5)
    return drawn(game, 2).collect()


@pytest.mark.parametrize(
    ("call", "error_type", "message"),
    [
        (lambda p: AttributionNet("cnn"), ValueError, "net is 'cnn'"),
        (lambda p: AttributionNet(3), TypeError, "net is a int"),
        (lambda p: AttributionNet("mlp", backbone=torch.nn.Linear(2, 2)), ValueError, "has a backbone"),
        (lambda p: AttributionNet(grid=3), TypeError, "grid is 3"),
        (lambda p: AttributionNet(scale="log"), ValueError, "scale is 'log'"),
        (lambda p: AttributionNet(efficiency=1), TypeError, "expected True or False"),
        (lambda p: AttributionNet(scale="unit", bounded=True), ValueError, "scale='unit' is for labels alone"),
        (lambda p: AttributionNet(coalitions=3), ValueError, "expected an even number"),
        (lambda p: AttributionNet(epochs=-1), ValueError, "epochs is -1"),
        (lambda p: AttributionNet(decay="step"), ValueError, "decay is 'step'"),
        (lambda p: AttributionNet().predict(p.X), ValueError, "has not been fitted"),
        (lambda p: AttributionNet().fit(p.X, p.truth), TypeError, "labels is a ndarray; expected fastsa.Labels"),
        (lambda p: AttributionNet().fit(p.X, points_labels()), ValueError, "labels of one game's points"),
        (lambda p: AttributionNet().fit(p.X[:9], p.train), ValueError, "labels of 500 inputs and X has 9"),
        (lambda p: AttributionNet().fit(p.X[:, 0], p.train), ValueError, r"expected \[items, \.\.\.\]"),
        (lambda p: AttributionNet().fit(p.X.astype("U8"), p.train), TypeError, "expected numbers"),
        (
            lambda p: AttributionNet().fit(np.where(p.X > 2, np.nan, p.X), p.train),
            ValueError,
            "is nan; expected finite",
        ),
        (lambda p: AttributionNet("conv").fit(p.X, p.train), ValueError, "expected images whose players are a grid"),
        (lambda p: AttributionNet(grid=(2, 2)).fit(p.X, p.train), ValueError, "of 4 players; the labels have 5"),
        (lambda p: AttributionNet().fit(p.X, drawn(p.game, 2, "certify").collect()), ValueError, "role 'certify'"),
        (lambda p: AttributionNet().fit(p.X, drawn(p.game, 2, "truth")), ValueError, "role 'truth'"),
        (
            lambda p: AttributionNet().fit(p.X, p.train, select=drawn(p.game, 2, "truth").collect()),
            ValueError,
            "role 'truth'",
        ),
        (lambda p: AttributionNet().fit(p.X, p.train, select=p.train), ValueError, "samples that are trained on"),
        (
            lambda p: AttributionNet().fit(p.X, drawn(p.game, 2), select=p.train),
            ValueError,
            "samples that are trained on",
        ),
        (lambda p: AttributionNet().fit(p.X, p.train, select=foreign_select(p)), ValueError, "labels of other inputs"),
        (lambda p: AttributionNet().fit(p.X, p.train, select=p.game), TypeError, "unless objective is 'coalitions'"),
        (lambda p: AttributionNet().fit(p.X, p.train, X_select=p.X), ValueError, "without select"),
        (
            lambda p: AttributionNet(efficiency=True).fit(p.X, p.train),
            ValueError,
            "needs ends, v\\(empty\\) and v\\(N\\)",
        ),
        (
            lambda p: AttributionNet(efficiency=True).fit(p.X, p.train, ends=p.ends[:, :, :1]),
            ValueError,
            r"expected \(500, 2, 2\)",
        ),
        (
            lambda p: AttributionNet(objective="coalitions").fit(p.X, p.train),
            TypeError,
            "expected a fastsa.games.ModelGame",
        ),
        (lambda p: AttributionNet(torch.nn.Linear(5, 3)).fit(p.X, p.train), ValueError, r"expected \[rows, 5, 2\]"),
        (lambda p: AttributionNet().fit(p.X, p.train, refresh=1), ValueError, "give a LabelStream to refresh from"),
        (lambda p: AttributionNet().fit(p.X, drawn(p.game, 8), refresh=3), ValueError, "expected a divisor of 8"),
        (lambda p: AttributionNet().fit(p.X, drawn(p.game, 8), refresh=0), ValueError, "refresh is 0"),
        (
            lambda p: AttributionNet(epochs=3).fit(p.X, drawn(p.game, 8), refresh=2),
            ValueError,
            "makes 4 labels in turn, and there are 3 epochs",
        ),
        (
            lambda p: AttributionNet(objective="coalitions").fit(p.X, p.game, refresh=1),
            ValueError,
            "draws new coalitions at every step",
        ),
        (
            lambda p: AttributionNet().fit(p.X, drawn(p.game, 8, estimator=estimators.BanzhafMSR()), refresh=2),
            ValueError,
            "of 500 inputs; expected half",
        ),
        (lambda p: drawn(p.game, 8).part(6, 3), ValueError, "expected samples among the stream's 8"),
        (lambda p: AttributionNet(lambda: 3).fit(p.X, p.train), TypeError, "net made a int"),
        (lambda p: AttributionNet(**SHORT).fit(p.X, p.train).predict(p.X[:, :2]), ValueError, r"expected \[\(5,\)\]"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(problem, call, error_type, message):
    with pytest.raises(error_type, match=message):
        call(problem)


def test_labels_that_too_few_coalitions_determine_are_refused(problem):
    labels = drawn(problem.game, 2, estimator=estimators.BanzhafMSR()).collect()
    with pytest.raises(ValueError, match="of 500 inputs; expected half"):
        AttributionNet().fit(problem.X, labels)


def test_a_file_of_another_kind_is_refused(problem, tmp_path):
    own = torch.nn.Linear(5, 10)
    AttributionNet(own, **SHORT).fit(problem.X, problem.train).save(tmp_path / "own")
    with pytest.raises(ValueError, match="give it again"):
        AttributionNet.load(tmp_path / "own")
    with pytest.raises(ValueError, match="does not fit the weights"):
        AttributionNet.load(tmp_path / "own", torch.nn.Linear(5, 10, bias=False))
    with pytest.raises(ValueError, match="holds no ValuationNet"):
        fastsa.amortize.ValuationNet.load(tmp_path / "own")


def test_a_missing_library_is_named(problem, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(fastsa.BackendUnavailable, match=r"Amortization needs torch: pip install 'fastsa\[torch\]'"):
        AttributionNet().fit(problem.X, problem.train)
