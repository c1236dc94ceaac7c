"""Data-OOB is its definition bag by bag, and leave-one-out values are differences of two coalitions."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import fastsa
from fastsa.curation import data_oob, leave_one_out


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(31)
    y = np.arange(60) % 3
    X = 3.0 * np.eye(3)[y] + rng.normal(size=(60, 3))
    y[:6] = (y[:6] + 1) % 3
    return X, y


def slow(X, y, estimators, seed, model):
    """The two sums of the definition, point by point."""
    hits, seen_by = [0] * len(y), [0] * len(y)
    for b in range(estimators):
        rng = np.random.default_rng([seed, b])
        bag = [int(i) for i in rng.integers(0, len(y), len(y))]
        fitted = model(int(rng.integers(2**31))).fit(X[bag], y[bag])
        for i in range(len(y)):
            if i not in bag:
                seen_by[i] += 1
                hits[i] += int(fitted.predict(X[[i]])[0] == y[i])
    return [h / c for h, c in zip(hits, seen_by, strict=True)], seen_by


@pytest.mark.parametrize(
    "estimator, model",
    [
        (None, lambda state: DecisionTreeClassifier(random_state=state)),
        (KNeighborsClassifier(3), lambda state: KNeighborsClassifier(3)),
    ],
    ids=["tree", "neighbours"],
)
def test_values_are_the_definition_bag_by_bag(noisy, estimator, model):
    values, count = data_oob(*noisy, estimator=estimator, n_estimators=20, seed=4)
    expected, seen_by = slow(*noisy, 20, 4, model)
    np.testing.assert_array_equal(count, seen_by)
    np.testing.assert_array_equal(values, expected)


def test_the_bytes_do_not_depend_on_threads_and_depend_on_the_seed(noisy):
    one, two, other = (
        data_oob(*noisy, n_estimators=30, seed=seed, n_threads=threads).values.tobytes()
        for seed, threads in ((0, 1), (0, 2), (1, 1))
    )
    assert one == two != other


def test_points_are_out_of_bag_as_often_as_chance_says(noisy):
    """400 bags of 60 points; a single z-test over the total, false alarm 1e-6."""
    _, count = data_oob(*noisy, estimator=KNeighborsClassifier(1), n_estimators=400)
    chance = (1 - 1 / 60) ** 60
    bags = np.random.default_rng(9).integers(0, 60, (400, 60))
    spread = [60 - np.unique(bag).size for bag in bags]
    z = (count.sum() - 400 * 60 * chance) / (np.std(spread) * np.sqrt(400))
    assert abs(z) < stats.norm.isf(5e-7)


def test_wrong_classes_have_the_lowest_values(noisy):
    values, _ = data_oob(*noisy, n_estimators=100)
    assert values[:6].max() < np.median(values[6:]) and values[:6].mean() < 0.4 < 0.7 < values[6:].mean()


def test_a_point_in_every_bag_has_no_value_and_count_zero(noisy):
    values, count = data_oob(*noisy, n_estimators=1)
    assert (count == 0).any() and np.isnan(values[count == 0]).all() and np.isfinite(values[count == 1]).all()


def test_a_bag_of_one_class_predicts_it():
    X, y = np.arange(3.0)[:, None], np.array(["a", "b", "b"])
    values, count = data_oob(X, y, estimator=LogisticRegression(), n_estimators=60)
    assert (count > 0).all() and values[0] < 0.2


def test_classes_may_be_words(noisy):
    X, y = noisy
    words = data_oob(X, np.array(["x", "y", "z"])[y], n_estimators=10).values
    assert words.tobytes() == data_oob(X, y, n_estimators=10).values.tobytes()


@pytest.mark.parametrize(
    "utility", [fastsa.utilities.KNN(3, score="vote"), fastsa.utilities.Logistic()], ids=["knn", "logistic"]
)
def test_leave_one_out_is_a_difference_of_two_coalitions(noisy, utility):
    X, y = noisy
    game = fastsa.games.DataGame(utility, X[:30], y[:30], X[30:], y[30:])
    whole = game.evaluate(np.ones((1, 30), bool))
    expected = whole - game.evaluate(~np.eye(30, dtype=bool))
    np.testing.assert_allclose(leave_one_out(game), expected, rtol=0, atol=1e-12)
    assert np.abs(expected).max() > 0
    assert leave_one_out(game, n_threads=1).tobytes() == leave_one_out(game, n_threads=2).tobytes()


def test_leave_one_out_of_neighbours_is_the_closed_form(noisy):
    X, y = noisy
    game = fastsa.games.DataGame(fastsa.utilities.KNN(3, score="vote"), X[:30], y[:30], X[30:], y[30:])
    closed = fastsa.knn_shapley(X[:30], y[:30], X[30:], y[30:], k=3, index="leave-one-out")
    np.testing.assert_allclose(leave_one_out(game)[:, 0], closed, rtol=0, atol=1e-12)


def test_leave_one_out_in_several_calls_is_that_in_one(noisy, monkeypatch):
    X, y = noisy
    game = fastsa.games.DataGame(fastsa.utilities.KNN(3), X[:30], y[:30], X[30:], y[30:])
    at_once = leave_one_out(game)
    monkeypatch.setattr(sys.modules["fastsa.curation.leave_one_out"], "_PLAYERS_PER_CALL", 70)
    assert leave_one_out(game).tobytes() == at_once.tobytes()


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: data_oob(np.eye(2), [0, 0]), ValueError, "the single class 0"),
        (lambda: data_oob(np.eye(2), [0]), ValueError, "one class per point"),
        (lambda: data_oob(np.eye(2) * np.nan, [0, 1]), ValueError, "expected finite numbers"),
        (lambda: data_oob(np.eye(2), [0, 1], n_estimators=0), ValueError, "n_estimators is 0"),
        (lambda: data_oob(np.eye(2), [0, 1], seed=-1), ValueError, "seed is -1"),
        (lambda: data_oob(np.eye(2), [0, 1], estimator=DecisionTreeClassifier), TypeError, "such as DecisionTree"),
        (lambda: data_oob(np.eye(2), [0, 1], n_threads=0), ValueError, "n_threads is 0"),
        (lambda: data_oob(np.eye(2), [0, 1], estimator=LogisticRegression(), n_threads=2), ValueError, "on one thread"),
        (lambda: leave_one_out(3), TypeError, "expected a fastsa.games.DataGame"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
