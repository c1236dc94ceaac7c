"""DataValuator.fit(budget=...): the budget is kept, the pilot is used again, and what comes out is certified as before."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import DataValuator, LabelStream
from fastsa.estimators import Distributional, PermutationShapley
from fastsa.games import DataGame
from fastsa.utilities import KNN


def data(n=320, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + 100, 4))
    y = np.where(X[:, 0] + 0.3 * rng.normal(size=n + 100) > 0, "yes", "no")
    return X[:n], y[:n], X[n:], y[n:]


ESTIMATOR = Distributional(5, 40, shared=4)
BUDGET = 4900


@pytest.fixture(scope="module")
def fitted():
    valuator = DataValuator(KNN(5), estimator=ESTIMATOR, seed=2, n_threads=1)
    return valuator.fit(*data(), progress=False, budget=BUDGET)


def test_the_budget_is_kept_and_spent_but_for_less_than_one_block(fitted):
    spent = fitted.labels_.evaluations
    assert BUDGET - 5 * 4 < spent <= BUDGET
    assert fitted.plan_.samples == 12 and fitted.plan_.items == 320 and fitted.plan_.budget == BUDGET
    assert (fitted.labels_.count >= 12).all() and set(fitted.seconds_) == {"plan", "labels", "training"}


def test_the_labels_are_those_of_one_run(fitted):
    game = DataGame(KNN(5), *data())
    whole = LabelStream(game, ESTIMATOR, samples=12, seed=2, n_threads=1).collect()
    plain = fitted.labels_.count == 12
    assert plain.sum() > 0 and {r.role for r in fitted.labels_.ranges} == {"train"}
    np.testing.assert_allclose(fitted.labels_.mean[plain], whole.mean[plain], atol=1e-12)


def test_values_beat_the_labels_and_the_certificate_holds_the_truth(fitted):
    truth = LabelStream(DataGame(KNN(5), *data()), ESTIMATOR, samples=200, role="truth", seed=2, n_threads=1).collect()
    noise = float(np.mean(truth.stderr**2))
    error = np.mean((fitted.values_ - truth.mean[:, 0]) ** 2) - noise
    assert error < np.mean((fitted.labels_.mean - truth.mean) ** 2) - noise
    values = fitted.error_.values.error
    assert values.low < error < values.high  # one run of a literal seed
    outlook = fitted.plan_.outlook
    assert outlook.pool.low < error < outlook.pool.high
    assert (
        outlook.monte_carlo.low
        < np.mean((fitted.labels_.mean - truth.mean) ** 2) - noise
        < 1.2 * outlook.monte_carlo.high
    )


def test_points_that_the_budget_does_not_reach_are_predicted():
    valuator = DataValuator(KNN(5), estimator=Distributional(5, 40), seed=1, n_threads=1)
    valuator.fit(*data(), progress=False, budget=1000)
    places = valuator.plan_.labeled
    others = np.setdiff1d(np.arange(320), places)
    assert valuator.labels_.evaluations <= 1000 and places.size == valuator.labels_.ids.size < 320
    X, y = data()[:2]
    np.testing.assert_array_equal(valuator.values_[others], valuator.predict(X, y)[others])
    assert (
        np.isfinite(valuator.stderr_).all()
        and (valuator.stderr_[others] == np.sqrt(valuator.plan_.outlook.new.value)).all()
    )


def test_estimators_that_share_every_sample_are_planned_too():
    X, y, X_val, y_val = data(60)
    valuator = DataValuator(KNN(5), estimator=PermutationShapley(), n_threads=1)
    valuator.fit(X, y, X_val, y_val, progress=False, budget=1000)
    assert (valuator.labels_.count == valuator.plan_.samples).all() and valuator.labels_.evaluations <= 1000


def test_without_a_budget_there_is_no_plan_and_too_small_a_one_is_refused():
    valuator = DataValuator(KNN(5), estimator=ESTIMATOR, samples=2, n_threads=1).fit(*data(), progress=False)
    assert valuator.plan_ is None and (valuator.labels_.count == 2).all()
    with pytest.raises(ValueError, match="budget is 50 evaluations; expected at least"):
        valuator.fit(*data(), progress=False, budget=50)
