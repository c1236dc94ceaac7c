"""Diagnosis: every failure is provoked on purpose and named, and a healthy fit is called healthy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_amortizers import world
from synthetic_labels import labels_of

from fastsa import AmortizedExplainer, DataValuator, LabelStream, diagnose, estimators, exact, games
from fastsa.amortize import AttributionNet
from fastsa.planning import FAILURES, Fit
from fastsa.planning.fit import simple
from fastsa.utilities import KNN


def halves_of(samples):
    middle = len(samples) // 2
    return [labels_of(samples[first : first + middle, :, None], first=first, role="train") for first in (0, middle)]


def least_squares(X, halves):
    return [X @ np.linalg.lstsq(X, half.mean, rcond=None)[0] for half in halves]


def linear(seed, n=2000, k=4, sigma=1.0, width=20, misfit=0.0):
    one = world(np.random.default_rng(seed), n, k, sigma, misfit, width)
    return one, halves_of(one.samples)


@pytest.mark.parametrize("seed", range(8))
def test_a_healthy_fit_is_called_healthy(seed):
    one, halves = linear(seed)
    new = np.random.default_rng(seed + 50).normal(size=(300, 20))
    found = diagnose(Fit(least_squares(one.X, halves), halves, one.X), new=new)
    assert found.healthy and str(found).startswith("Healthy: none of the 7 known failures shows.")
    error = np.mean((np.mean(least_squares(one.X, halves), axis=0)[:, 0] - one.truth) ** 2)
    assert abs(found.error - error) < 4 * found.error_stderr


def test_labels_that_are_too_noisy():
    one, halves = linear(0, n=400, sigma=20.0)
    found = diagnose(Fit(simple(halves, one.X), halves, one.X))
    assert found.names[0] == "labels too noisy" and "Draw about" in str(found)
    assert "labels too noisy" not in diagnose(Fit(least_squares(*_clear()), _clear()[1], _clear()[0])).names


def _clear():
    one, halves = linear(0)
    return one.X, halves


def test_noisy_labels_of_many_items_that_are_learned_well_are_no_failure():
    one, halves = linear(1, n=30_000, sigma=5.0)  # noise 6, signal 1
    assert "labels too noisy" not in diagnose(Fit(least_squares(one.X, halves), halves, one.X)).names


@pytest.mark.parametrize("seed", range(4))
def test_labels_that_are_biased(seed):
    one, _ = linear(seed)
    rng = np.random.default_rng(seed + 9)
    shrunk = halves_of(0.5 * one.truth + 0.3 * rng.normal(size=(4, 2000)))
    reference = labels_of((one.truth + rng.normal(size=(4, 2000)))[..., None], role="certify")
    assert "labels biased" in diagnose(Fit(least_squares(one.X, shrunk), shrunk, one.X), reference=reference).names
    right = halves_of(one.truth + 0.3 * rng.normal(size=(4, 2000)))
    assert diagnose(Fit(least_squares(one.X, right), right, one.X), reference=reference).healthy


def test_an_estimator_that_admits_its_bias_is_named_without_reference():
    X = np.random.default_rng(0).normal(size=(300, 4))
    game = games.ModelGame(lambda x: x[:, 0] * x[:, 1] + x[:, 2], X, games.Baseline(np.zeros(4)))
    labels = LabelStream(game, estimators.KernelSHAP(), samples=40, n_threads=1).collect()
    held_out = LabelStream(game, estimators.PermutationShapley(), samples=8, role="certify", n_threads=1).collect()
    found = diagnose(Fit(exact(game) + 0.01 * np.random.default_rng(1).normal(size=(300, 4, 1)), labels, X, held_out))
    assert found.names == ("labels biased",) and "how much is not known" in str(found)


def test_a_network_that_is_too_small():
    one, halves = linear(2, misfit=1.0)
    found = diagnose(Fit(least_squares(one.X[:, 1:], halves), halves, one.X))
    assert found.names == ("network too small",) and "a plain regression on the features tells" in str(found)


def test_a_network_that_is_too_large():
    one, halves = linear(3, n=4000)
    beside = np.c_[one.X, np.random.default_rng(0).normal(size=(4000, 700))]  # a fifth of the noise taken over
    found = diagnose(Fit(least_squares(beside, halves), halves, one.X))
    assert found.names == ("network too large",) and "ridge regression on the features has" in str(found)


@pytest.mark.parametrize("two", [True, False])
def test_noise_that_is_learned_by_heart(two):
    one, halves = linear(4)
    heart = [0.6 * half.mean + 0.4 * p for half, p in zip(halves, least_squares(one.X, halves), strict=True)]
    held_out = labels_of((one.truth + np.random.default_rng(1).normal(size=(4, 2000)))[..., None], role="certify")
    fit = Fit(heart, halves, one.X) if two else Fit(heart[0], halves[0], one.X, held_out)
    found = diagnose(fit)
    assert "overfitting the noise" in found.names and "predictions hold 6" in str(found)


def test_a_training_set_that_is_too_small():
    # Products of all pairs of 20 features: 190 terms, of which 200 items teach a smoother next to nothing.
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 20))
    pairs = np.triu_indices(20, 1)
    truth = (X[:, pairs[0]] * X[:, pairs[1]]) @ rng.normal(size=190) / np.sqrt(190)
    halves = halves_of(truth + 0.5 * rng.normal(size=(4, 200)))
    near = np.exp(-((X[:, None] - X[None]) ** 2).sum(axis=2) / 40) * (1 - np.eye(200))
    near /= near.sum(axis=1, keepdims=True)
    found = diagnose(Fit([near @ half.mean for half in halves], halves, X))
    assert found.names == ("training set too small",) and "is above that of the labels themselves" in str(found)


def test_a_shift_is_told_by_features_and_by_error():
    one, halves = linear(6)
    fit, rng = Fit(least_squares(one.X, halves), halves, one.X), np.random.default_rng(2)
    assert diagnose(fit, new=rng.normal(size=(200, 20)) + 1.0).names == (FAILURES[-1],)
    truth = rng.normal(size=500)
    new_labels = labels_of((truth + rng.normal(size=(4, 500)))[..., None], role="certify")
    found = diagnose(fit, new_labels=new_labels, new_predictions=truth + 0.6)
    assert found.names == (FAILURES[-1],) and "the certified error of predictions is" in str(found)
    assert diagnose(fit, new_labels=new_labels, new_predictions=truth + 0.05).healthy


def test_every_failure_is_provoked_above():
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in text for name in FAILURES[:-1]) and "FAILURES[-1]" in text


def classes(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + 100, 4))
    y = (X[:, 0] + 0.2 * rng.normal(size=n + 100) > 0).astype(int)
    return X[:n], y[:n], X[n:], y[n:]


def test_a_valuator_is_read_where_it_was_fitted(tmp_path):
    X, y, X_val, y_val = classes()
    valuator = DataValuator(KNN(25), estimator=estimators.Distributional(10, 60), samples=8, n_threads=1)
    valuator.fit(X, y, X_val, y_val, progress=False)
    found = diagnose(valuator, X, y, new=(X_val, y_val))
    assert "shift between training and new items" not in found.names and "labels biased" not in found.names
    assert "shift between training and new items" in diagnose(valuator, X, y, new=X_val + 4.0).names
    valuator.save(tmp_path / "saved")
    with pytest.raises(ValueError, match="was loaded, and the halves of its labels are not stored"):
        diagnose(DataValuator.load(tmp_path / "saved"), X, y)
    with pytest.raises(ValueError, match="does not keep its data"):
        diagnose(valuator)
    with pytest.raises(ValueError, match="X has 100 rows; expected 200"):
        diagnose(valuator, X_val, y_val)


def small_net():
    return AttributionNet("mlp", width=16, epochs=3, n_threads=1)


def test_an_explainer_is_judged_by_labels_that_are_drawn():
    X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    model = lambda x: x[:, 0] * x[:, 1] + x[:, 2]  # noqa: E731
    explainer = AmortizedExplainer(model, games.Baseline(np.zeros(4)), samples=4, net=small_net(), n_threads=1).fit(
        X, progress=False
    )
    assert "labels biased" not in diagnose(explainer, X).names
    raw = AmortizedExplainer(
        model,
        games.Baseline(np.zeros(4)),
        estimator=estimators.SGDShapley(debiased=False),
        samples=40,
        net=small_net(),
        n_threads=1,
    ).fit(X, progress=False)
    assert "labels biased" in diagnose(raw, X).names
    with pytest.raises(ValueError, match="X holds other inputs"):
        diagnose(explainer, X[:200])


def test_refusals():
    one, halves = linear(0, n=100)
    with pytest.raises(TypeError, match="a list cannot be diagnosed"):
        diagnose([])
    with pytest.raises(ValueError, match="without held_out labels"):
        diagnose(Fit(halves[0].mean, halves[0], one.X))
    with pytest.raises(ValueError, match="features have 99 rows; expected 100"):
        diagnose(Fit([half.mean for half in halves], halves, one.X[:99]))
    with pytest.raises(ValueError, match="two labels hold the same samples"):
        diagnose(Fit([halves[0].mean] * 2, [halves[0]] * 2, one.X))
