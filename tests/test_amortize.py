"""ValuationNet learns values from noisy labels, keeps its best state, reproduces its bytes and refuses bad input."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fastsa import _checks
from fastsa.amortize import ValuationNet, baselines
from fastsa.amortize.ridge import PENALTIES, leave_one_out_ridge
from fastsa.amortize.valuation.influence_start import InfluenceStart


def labels(mean, count=None):
    mean = np.asarray(mean, dtype=np.float64)
    count = np.full(mean.size, 4) if count is None else count
    return SimpleNamespace(mean=mean[:, None], count=count, stderr=np.zeros((mean.size, 1)))


@pytest.fixture(scope="module")
def planted():
    """400 points of 3 classes valued by a gradient times a training step, under noise of twice their spread."""
    rng = np.random.default_rng(1)
    centers = 3.0 * np.eye(3, 6)
    true_class = rng.integers(0, 3, 400).astype(np.int32)
    y = np.where(rng.random(400) < 0.2, rng.integers(0, 3, 400), true_class).astype(np.int32)
    X = centers[true_class] + rng.normal(size=(400, 6))
    values = np.where(y == true_class, 0.2, -2.0) + 0.5 * X[:, 5] * (y != true_class) * (y - 1)
    values = 1e-3 * values
    noise = [2.0 * values.std() * rng.normal(size=400) for _ in range(2)]
    return SimpleNamespace(X=X, y=y, values=values, train=labels(values + noise[0]), select=labels(values + noise[1]))


def error(estimate, values):
    return np.mean((estimate - values) ** 2) / values.var()


SHORT = dict(hidden=(16,), epochs=3, pretrain_epochs=2, n_threads=1)


@pytest.mark.parametrize("start, epochs, most", [("influence", 10, 0.45), ("constant", 40, 0.45)])
def test_values_learned_from_noisy_labels_beat_the_labels_and_the_mean(planted, start, epochs, most):
    net = ValuationNet(start=start, epochs=epochs, learning_rate=1e-3).fit(
        planted.X, planted.y, planted.train, select=planted.select, n_classes=3
    )
    assert error(planted.train.mean[:, 0], planted.values) > 3.0
    assert error(net.predict(planted.X, planted.y), planted.values) < most
    np.testing.assert_array_equal(
        net.predict(planted.X, planted.y), net.predict_all(planted.X)[np.arange(400), planted.y]
    )


def test_the_network_learns_what_the_start_cannot():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(600, 2))
    y = rng.integers(0, 2, 600).astype(np.int32)
    values = np.sign(X[:, 0] * X[:, 1]) * (2.0 * y - 1.0)
    fit = dict(train=labels(values + 0.5 * rng.normal(size=600)), select=labels(values), n_classes=2)
    start = ValuationNet(epochs=0).fit(X, y, **fit).predict(X, y)
    net = ValuationNet(epochs=30, learning_rate=5e-3).fit(X, y, **fit).predict(X, y)
    assert error(start, values) > 0.8 and error(net, values) < 0.2


@pytest.mark.parametrize("start", ["influence", "constant"])
def test_points_count_by_their_samples(planted, start):
    """Half the points have 1,000 samples and right labels, half one sample and a label far off."""
    rng = np.random.default_rng(3)
    trusted = rng.random(400) < 0.5
    mean = np.where(trusted, planted.values, -5.0 * planted.values + 1e-2)
    count = np.where(trusted, 1000, 1)
    options = dict(start=start, epochs=15, learning_rate=2e-3, pretrain_epochs=5)
    weighted = ValuationNet(**options).fit(planted.X, planted.y, labels(mean, count), n_classes=3)
    even = ValuationNet(**options).fit(planted.X, planted.y, labels(mean), n_classes=3)
    assert error(weighted.predict(planted.X, planted.y), planted.values) < 0.4
    assert error(even.predict(planted.X, planted.y), planted.values) > 2.0


def test_points_without_samples_teach_nothing_and_are_predicted(planted):
    count = np.where(np.arange(400) < 300, 4, 0)
    hidden = np.where(count > 0, planted.values, np.nan)
    garbage = np.where(count > 0, planted.values, 1e9)
    one, other = (
        ValuationNet(**SHORT).fit(planted.X, planted.y, labels(mean, count), n_classes=3) for mean in (hidden, garbage)
    )
    np.testing.assert_array_equal(one.predict_all(planted.X), other.predict_all(planted.X))
    assert error(one.predict(planted.X, planted.y)[300:], planted.values[300:]) < 0.5


def test_the_epoch_of_least_select_loss_is_kept(planted):
    options = dict(start="constant", epochs=30, learning_rate=3e-3, batch_size=32)
    net = ValuationNet(**options).fit(planted.X, planted.y, planted.train, select=labels(planted.values), n_classes=3)
    history = net.history_
    assert history["train"].shape == history["select"].shape == (31,)
    assert 0 < net.best_epoch_ == np.argmin(history["select"]) < 30
    kept = np.mean((net.predict(planted.X, planted.y) - planted.values) ** 2)
    assert kept == pytest.approx(history["select"].min(), rel=1e-6) and kept < 0.9 * history["select"][-1]


def test_without_select_the_last_epoch_is_kept(planted):
    net = ValuationNet(**SHORT).fit(planted.X, planted.y, planted.train, n_classes=3)
    assert net.best_epoch_ == 3 and net.history_["select"].size == 0
    last = np.mean((net.predict(planted.X, planted.y) - planted.train.mean[:, 0]) ** 2)
    assert last == pytest.approx(net.history_["train"][-1], rel=1e-6)


def test_select_labels_that_contradict_leave_the_start_alone(planted):
    fit = dict(select=labels(-50.0 * planted.values), n_classes=3)
    net = ValuationNet(**SHORT).fit(planted.X, planted.y, planted.train, **fit)
    start = ValuationNet(**SHORT | {"epochs": 0}).fit(planted.X, planted.y, planted.train, n_classes=3)
    assert net.best_epoch_ == 0
    np.testing.assert_array_equal(net.predict_all(planted.X), start.predict_all(planted.X))


def test_noisy_select_labels_seldom_leave_a_start_that_is_right():
    """The network can only add noise here: least loss alone leaves the start in most of 12 runs, this rule in few."""
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(200, 4)), rng.integers(0, 2, 200).astype(np.int32)
    left = least = 0
    for seed in range(12):
        train, select = (labels(10.0 * rng.normal(size=200)) for _ in range(2))
        net = ValuationNet(seed=seed, learning_rate=2e-3, **SHORT | {"epochs": 8}).fit(
            X, y, train, select=select, n_classes=2
        )
        left += net.best_epoch_ > 0
        least += np.argmin(net.history_["select"]) > 0
    assert left <= 2 < least


def test_a_seed_gives_the_same_bytes_and_leaves_torch_as_it_was(planted):
    state, threads = torch.random.get_rng_state().clone(), torch.get_num_threads()
    module = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5))
    after_module = torch.random.get_rng_state().clone()
    for net in ("mlp", module):
        fits = [
            ValuationNet(net, seed=seed, **SHORT).fit(planted.X, planted.y, planted.train, n_classes=3)
            for seed in (7, 7, 8)
        ]
        first, again, other = (fit.predict_all(planted.X) for fit in fits)
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), after_module) and torch.get_num_threads() == threads
    assert not torch.equal(state, after_module)  # the test can tell: making the module itself moved the generator


@pytest.mark.parametrize("start", ["influence", "constant"])
@pytest.mark.parametrize("own", [False, True])
def test_a_saved_net_predicts_the_same_bytes(planted, tmp_path, start, own):
    def make():
        return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU())

    net = ValuationNet(make if own else "mlp", start=start, **SHORT)
    net.fit(planted.X, planted.y, planted.train, select=planted.select, n_classes=3).save(tmp_path / "net.safetensors")
    loaded = ValuationNet.load(tmp_path / "net.safetensors", **({"net": make} if own else {}))
    np.testing.assert_array_equal(net.predict_all(planted.X), loaded.predict_all(planted.X))
    np.testing.assert_array_equal(net.history_["train"], loaded.history_["train"])
    assert (loaded.seed, loaded.hidden, loaded.best_epoch_) == (net.seed, net.hidden, net.best_epoch_)


def test_a_module_given_is_not_changed(planted):
    module = torch.nn.Linear(6, 8)
    before = module.weight.detach().clone()
    ValuationNet(module, **SHORT).fit(planted.X, planted.y, planted.train, n_classes=3)
    assert torch.equal(module.weight, before)


@pytest.mark.parametrize("start", ["influence", "constant"])
def test_constant_labels_give_that_constant(planted, start):
    net = ValuationNet(start=start, **SHORT).fit(planted.X, planted.y, labels(np.full(400, 0.3)), n_classes=3)
    np.testing.assert_allclose(net.predict(planted.X, planted.y), 0.3, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_units_of_the_labels_do_not_matter(planted, scale):
    base = ValuationNet(**SHORT).fit(planted.X, planted.y, planted.train, n_classes=3)
    scaled = ValuationNet(**SHORT).fit(planted.X, planted.y, labels(scale * planted.train.mean[:, 0]), n_classes=3)
    np.testing.assert_allclose(
        scaled.predict_all(planted.X), scale * base.predict_all(planted.X), rtol=1e-3, atol=1e-6 * scale
    )


def test_a_class_that_no_point_has_is_still_valued(planted):
    values = ValuationNet(**SHORT).fit(planted.X, planted.y, planted.train, n_classes=5).predict_all(planted.X)
    assert values.shape == (400, 5) and np.isfinite(values).all()


def test_the_start_knows_that_a_certain_classifier_expects_nothing(planted):
    """Averaged over the classifier's own probabilities, values of a point are the intercept, by construction."""
    start = InfluenceStart.fit(planted.X, planted.y, planted.train.mean[:, 0], np.full(400, 4.0), n_classes=3, seed=0)
    _, probabilities = start._inputs(planted.X)
    expected = (probabilities * start.predict_all(planted.X)).sum(axis=1)
    np.testing.assert_allclose(expected, start.intercept[0], atol=1e-12)


def test_ridge_has_the_smallest_of_the_errors_found_by_leaving_out_each_row():
    rng = np.random.default_rng(4)
    columns, weight = rng.normal(size=(30, 5)), rng.integers(1, 5, 30).astype(float)
    target = columns[:, 0] + rng.normal(size=30)
    found, intercept = leave_one_out_ridge(lambda rows: columns[rows], target, weight)

    def solve(kept, penalty):
        centred = columns - np.average(columns[kept], axis=0, weights=weight[kept])
        gram = (centred[kept] * weight[kept, None]).T @ centred[kept]
        offset = np.average(target[kept], weights=weight[kept])
        moment = (centred[kept] * weight[kept, None]).T @ (target[kept] - offset)
        w = np.linalg.solve(gram + penalty * np.eye(5), moment)
        return w, offset - np.average(columns[kept], axis=0, weights=weight[kept]) @ w

    everyone = np.arange(30)
    centred = columns - np.average(columns, axis=0, weights=weight)
    energy = np.sum(weight[:, None] * centred**2)
    errors = []
    for penalty in PENALTIES * energy:
        error = 0.0
        for row in everyone:
            w, b = solve(everyone != row, penalty)
            error += weight[row] * (columns[row] @ w + b - target[row]) ** 2
        errors.append(error)
    w, b = solve(everyone >= 0, PENALTIES[np.argmin(errors)] * energy)
    np.testing.assert_allclose(found, w, rtol=1e-9)
    assert intercept == pytest.approx(b, rel=1e-9)


def test_shrinking_is_near_the_best_factor_and_beats_the_labels():
    """Over 200 data sets of 100 points the mean loss is within 3 % of that of the factor that knows the truth."""
    rng = np.random.default_rng(5)
    count = rng.integers(2, 9, 100)
    losses = []
    for _ in range(200):
        values = 1.0 + rng.normal(size=100)
        samples = values[:, None] + 2.0 * rng.normal(size=(100, 8))
        taken = np.arange(8) < count[:, None]
        mean = np.sum(samples * taken, axis=1) / count
        variance = np.sum((samples - mean[:, None]) ** 2 * taken, axis=1) / (count - 1)
        best = 1.0 + count / (count + 4.0) * (mean - 1.0)
        estimates = (baselines.shrunk(mean, count, variance), best, mean)
        losses.append([np.mean((estimate - values) ** 2) for estimate in estimates])
    shrunk, best, plain = np.mean(losses, axis=0)
    assert best < shrunk < 1.03 * best and shrunk < 0.8 * plain


def test_labels_of_pure_noise_shrink_to_the_constant_and_noiseless_ones_stay():
    mean = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(baselines.shrunk(mean, np.full(3, 2), np.full(3, 100.0)), 2.0)
    np.testing.assert_allclose(baselines.shrunk(mean, np.full(3, 2), np.zeros(3)), mean)


def test_the_margin_of_a_point_does_not_know_its_own_class(planted):
    """Given another class, the same point's margin falls, and low margins find the wrong classes."""
    margin = baselines.classifier_margin(planted.X, planted.y, n_classes=3)
    alone = planted.y.copy()
    alone[0] = (alone[0] + 1) % 3
    assert np.sign(margin[0]) != np.sign(baselines.classifier_margin(planted.X, alone, n_classes=3)[0])
    assert np.mean((margin < 0) == (planted.values < 0)) > 0.9


def test_per_class_slopes_find_what_common_slopes_cannot(planted):
    target = planted.X[:, 0] * (planted.y - 1.0)
    fit = [
        baselines.ridge(planted.X, planted.y, target, np.ones(400, int), n_classes=3, per_class=per_class)
        for per_class in (False, True)
    ]
    assert error(fit[0], target) > 0.2 and error(fit[1], target) < 0.01


def test_import_loads_neither_torch_nor_tqdm_nor_safetensors():
    code = "import sys, fastsa.amortize; sys.exit(any(m in sys.modules for m in ('torch', 'tqdm', 'safetensors')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("library", ["torch", "safetensors"])
def test_a_missing_library_is_named(planted, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(_checks.BackendUnavailable, match=r"Amortization needs torch: pip install 'fastsa\[torch\]'"):
        ValuationNet().fit(planted.X, planted.y, planted.train, n_classes=3)


def changed(planted, **attributes):
    return SimpleNamespace(**(vars(planted.train) | attributes))


@pytest.mark.parametrize(
    "call, error_type, message",
    [
        (lambda p: ValuationNet("cnn"), ValueError, "net is 'cnn'"),
        (lambda p: ValuationNet(3), TypeError, "net is a int"),
        (lambda p: ValuationNet(hidden=()), ValueError, "hidden is empty"),
        (lambda p: ValuationNet(hidden=(0,)), ValueError, "hidden is 0"),
        (lambda p: ValuationNet(start="zero"), ValueError, "start is 'zero'"),
        (lambda p: ValuationNet(learning_rate=0.0), ValueError, "learning_rate is 0.0"),
        (lambda p: ValuationNet(epochs=-1), ValueError, "epochs is -1"),
        (lambda p: ValuationNet(seed=2**64), ValueError, "seed is"),
        (lambda p: ValuationNet().predict(p.X, p.y), ValueError, "has not been fitted"),
        (lambda p: ValuationNet().fit(p.X, p.y, p.values, n_classes=3), TypeError, r"without \.count|expected fastsa"),
        (lambda p: ValuationNet().fit(p.X, p.y, changed(p, mean=p.values), n_classes=3), ValueError, r"train\.mean"),
        (lambda p: ValuationNet().fit(p.X, p.y, changed(p, count=np.ones(3, int)), n_classes=3), ValueError, "count"),
        (lambda p: ValuationNet().fit(p.X, p.y, changed(p, count=np.ones(400)), n_classes=3), TypeError, "integers"),
        (lambda p: ValuationNet().fit(p.X, p.y, labels(p.values, np.zeros(400, int)), n_classes=3), ValueError, "0 p"),
        (lambda p: ValuationNet().fit(p.X, p.y, labels(np.full(400, np.nan)), n_classes=3), ValueError, "is nan"),
        (lambda p: ValuationNet().fit(p.X[:9], p.y[:9], p.train, n_classes=3), ValueError, r"expected \(9, 1\)"),
        (lambda p: ValuationNet().fit(p.X, p.y, p.train, n_classes=2), ValueError, "reaches from 0 to 2"),
        (lambda p: ValuationNet().fit(p.X, p.y.astype(float), p.train, n_classes=3), TypeError, "encoded as integers"),
        (lambda p: ValuationNet().fit(p.X[:, 0], p.y, p.train, n_classes=3), ValueError, "expected two axes"),
        (lambda p: ValuationNet(lambda: 3).fit(p.X, p.y, p.train, n_classes=3), TypeError, "net made a int"),
        (
            lambda p: ValuationNet(torch.nn.Unflatten(1, (2, 3))).fit(p.X, p.y, p.train, n_classes=3),
            ValueError,
            r"expected \[rows, features\]",
        ),
        (
            lambda p: ValuationNet(**SHORT).fit(p.X, p.y, p.train, n_classes=3).predict_all(p.X[:, :2]),
            ValueError,
            "has 2 features; expected 6",
        ),
        (lambda p: baselines.shrunk([1.0, 2.0], [1, 1], [np.nan, np.nan]), ValueError, "no point has two samples"),
        (lambda p: baselines.constant([1.0], [0]), ValueError, "count holds"),
        (lambda p: baselines.class_mean([1.0], [1], [0.5]), TypeError, "encoded as integers"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(planted, call, error_type, message):
    with pytest.raises(error_type, match=message):
        call(planted)


def test_a_file_of_another_kind_is_refused(planted, tmp_path):
    own = ValuationNet(torch.nn.Linear(6, 4), **SHORT).fit(planted.X, planted.y, planted.train, n_classes=3)
    own.save(tmp_path / "own")
    with pytest.raises(ValueError, match="give it again"):
        ValuationNet.load(tmp_path / "own")
    with pytest.raises(ValueError, match="does not fit the weights"):
        ValuationNet.load(tmp_path / "own", net=torch.nn.Linear(6, 4, bias=False))
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(ValueError, match="holds no ValuationNet"):
        ValuationNet.load(tmp_path / "foreign")


@pytest.mark.parametrize("module", ["baselines", "valuation.net"])
def test_the_examples_of_the_docstrings_run(module):
    assert doctest.testmod(importlib.import_module(f"fastsa.amortize.{module}")).failed == 0
