"""The front door of data valuation: what goes in, what comes out, what is kept."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import DataValuator, LabelStream
from fastsa.estimators import Distributional, SGDShapley
from fastsa.games import DataGame
from fastsa.utilities import KNN


def data(n=260, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    y = np.where(X[:, 0] + 0.3 * rng.normal(size=n) > 0, "yes", "no")
    return X[:200], y[:200], X[200:], y[200:]


@pytest.fixture(scope="module")
def fitted():
    X, y, X_val, y_val = data()
    y = y.copy()
    y[:30] = np.where(y[:30] == "yes", "no", "yes")
    return DataValuator(samples=10, seed=3).fit(X, y, X_val, y_val, progress=False)


def test_wrong_classes_are_worth_less_than_right_ones(fitted):
    assert fitted.values_[:30].mean() < fitted.values_[30:].mean() - 2 * fitted.values_[30:].std() / np.sqrt(30)


def test_all_samples_are_counted_and_kept_apart_by_role(fitted):
    assert (fitted.labels_.count == 10).all()
    assert sorted((r.role, r.stop) for r in fitted.labels_.ranges) == [("select", 2), ("train", 8)]


def test_a_prediction_is_the_observed_class_of_all_predictions(fitted):
    X, y, X_val, y_val = data()
    everything = fitted.predict_all(X_val)
    assert fitted.classes_.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(fitted.predict(X_val, y_val), everything[np.arange(60), (y_val == "yes").astype(int)])


def test_a_saved_valuator_is_read_as_it_was(fitted, tmp_path):
    fitted.save(tmp_path / "saved")
    again = DataValuator.load(tmp_path / "saved")
    X = data()[2]
    assert again.predict_all(X).tobytes() == fitted.predict_all(X).tobytes()
    assert again.values_.tobytes() == fitted.values_.tobytes() and again.stderr_.tobytes() == fitted.stderr_.tobytes()
    assert str(again.error_) == str(fitted.error_)  # NaN where no signal is seen
    assert again.labels_.mean.tobytes() == fitted.labels_.mean.tobytes()
    assert again.classes_.tolist() == fitted.classes_.tolist() and again.utility == repr(fitted.utility)
    assert not list((tmp_path / "saved").glob("*.pkl"))


@pytest.mark.parametrize("informed", [True, False])
def test_a_saved_valuator_remembers_whether_it_was_informed(informed, tmp_path):
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    valuator = DataValuator(samples=2, informed=informed).fit(X[:40], y[:40], X[40:], y[40:], progress=False)
    valuator.save(tmp_path)
    assert DataValuator.load(tmp_path).informed is informed


def test_values_are_certified_below_the_labels_noise(fitted):
    values, predict = fitted.error_
    assert values.error.low < values.error.high < values.noise.value and predict.n_items == 200
    assert (fitted.stderr_ > 0).all() and "blocks of 32 ids" in values.basis


def test_certificates_agree_with_the_truth():
    X, y, X_val, y_val = data(seed=4)
    estimator = Distributional(10, 60, shared=2)
    valuator = DataValuator(KNN(5), estimator=estimator, samples=6, seed=4).fit(X, y, X_val, y_val, progress=False)
    game = DataGame(KNN(5), X, y, X_val, y_val)
    truth = LabelStream(game, estimator, samples=150, role="truth", seed=4).collect()
    noise = float(np.mean(truth.stderr**2))
    # One run of literal seeds: each interval misses in 5 % of runs.
    for certificate, values in zip(valuator.error_, (valuator.values_, valuator.predict(X, y)), strict=True):
        error = np.mean((values - truth.mean[:, 0]) ** 2) - noise
        assert certificate.error.low < error < certificate.error.high
    off = np.abs(valuator.values_ - truth.mean[:, 0])
    assert 0.90 < np.mean(off <= 1.96 * np.sqrt(valuator.stderr_**2 + truth.stderr[:, 0] ** 2)) <= 1.0


@pytest.mark.parametrize("samples", [2, 3, 5])
def test_few_samples_are_halved_too(samples):
    valuator = DataValuator(KNN(3), estimator=Distributional(5, 50), samples=samples, seed=1).fit(
        *data(), progress=False
    )
    assert (valuator.labels_.count == samples).all() and np.isfinite(valuator.values_).all()


def test_the_same_seed_gives_the_same_values_for_any_threads():
    one, two = (
        DataValuator(KNN(3), estimator=Distributional(5, 50, shared=4), samples=4, seed=9, n_threads=n)
        .fit(*data(), progress=False)
        .labels_.mean.tobytes()
        for n in (1, 2)
    )
    assert one == two


def test_refusals():
    with pytest.raises(ValueError, match="samples is 1; expected at least 2"):
        DataValuator(samples=1)
    with pytest.raises(ValueError, match="utility is 'forest'"):
        DataValuator("forest")
    with pytest.raises(TypeError, match="expected 'auto' or one of fastsa.estimators"):
        DataValuator(estimator=3)
    with pytest.raises(ValueError, match="which is biased; its bias would pass for value"):
        DataValuator(estimator=SGDShapley(debiased=False))
    with pytest.raises(AttributeError, match="call fit first"):
        DataValuator().predict_all(data()[0])
    X, y, X_val, y_val = data()
    with pytest.raises(ValueError, match="y_val has the class"):
        DataValuator(samples=2).fit(X, y, X_val, np.where(y_val == "no", "maybe", y_val), progress=False)
