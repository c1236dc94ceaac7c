"""Removal, addition and selection curves are the naive loops over retrained models, and know what helps."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import fastsa
from fastsa.curation import addition_curves, removal_curves, select, selection_curves


@pytest.fixture(scope="module")
def noisy():
    """(X, given classes, true ones, test X, test classes): two groups far apart, a fifth of the pool flipped."""
    rng = np.random.default_rng(11)
    y = np.arange(400) % 2
    X = 5.0 * y[:, None] + rng.normal(size=(400, 3))
    given = y[:100].copy()
    given[:20] = 1 - given[:20]
    return X[:100], given, y[:100], X[100:], y[100:]


@pytest.fixture(scope="module")
def harm(noisy):
    """-1 at the flipped points, else 1, with something small to break ties."""
    return np.where(noisy[1] == noisy[2], 1.0, -1.0) + 1e-3 * np.random.default_rng(12).random(100)


def naive(X, y, X_test, y_test, subsets):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return [np.mean(model.fit(X[sorted(rows)], y[sorted(rows)]).predict(X_test) == y_test) for rows in subsets]


@pytest.mark.parametrize("first", ["lowest", "highest"])
def test_a_removal_curve_is_the_naive_loop(noisy, first):
    X, y, _, X_test, y_test = noisy
    values = np.random.default_rng(13).normal(size=100)
    table = removal_curves({"a": values}, X, y, X_test, y_test, first=first, fractions=[0, 0.25, 0.9], repeats=1)
    order = sorted(range(100), key=lambda i: values[i], reverse=first == "highest")
    scores = naive(X, y, X_test, y_test, [order[gone:] for gone in (0, 25, 90)])
    assert [table["a", step] for step in ("0 %", "25 %", "90 %")] == scores
    area = (0.25 * (scores[0] + scores[1]) / 2 + 0.65 * (scores[1] + scores[2]) / 2) / 0.9
    assert table["a", "area"] == pytest.approx(area)


@pytest.mark.parametrize("first", ["lowest", "highest"])
def test_an_addition_curve_is_the_naive_loop(noisy, first):
    X, y, _, X_test, y_test = noisy
    values = np.random.default_rng(14).normal(size=100)
    table = addition_curves({"a": values}, X, y, X_test, y_test, first=first, fractions=[0.1, 0.5, 1], repeats=1)
    order = sorted(range(100), key=lambda i: values[i], reverse=first == "highest")
    scores = naive(X, y, X_test, y_test, [order[:joined] for joined in (10, 50, 100)])
    assert [table["a", step] for step in ("10 %", "50 %", "100 %")] == scores


def test_the_lead_over_random_is_the_difference_of_areas_and_inside_its_interval(noisy, harm):
    X, y, _, X_test, y_test = noisy
    table = removal_curves({"a": harm}, X, y, X_test, y_test, model=KNeighborsClassifier(1), repeats=3)
    assert table["a", "over random"] == pytest.approx(table["a", "area"] - table["random", "area"])
    low, high = table["a", "95 % interval"]
    assert 0.0 < low < table["a", "over random"] < high < 0.3


def test_removing_harmful_points_helps_and_removing_good_ones_hurts(noisy, harm):
    X, y, _, X_test, y_test = noisy
    given = dict(fractions=[0.0, 0.2, 0.5], model=KNeighborsClassifier(1), repeats=3)
    low = removal_curves({"a": harm}, X, y, X_test, y_test, **given)
    high = removal_curves({"a": harm}, X, y, X_test, y_test, first="highest", **given)
    assert low["a", "0 %"] < 0.9 and low["a", "20 %"] == 1.0
    assert high["a", "50 %"] < low["random", "50 %"] < low["a", "50 %"]


def test_adding_good_points_first_reaches_the_top_and_ends_where_all_points_do(noisy, harm):
    X, y, _, X_test, y_test = noisy
    table = addition_curves({"a": harm}, X, y, X_test, y_test, model=KNeighborsClassifier(1), repeats=2)
    assert table["a", "75 %"] == 1.0 and table["a", "100 %"] == table["random", "100 %"] < 0.9


def test_knn_shapley_values_lead_removal(noisy):
    X, y, y_true, X_test, y_test = noisy
    values = fastsa.knn_shapley(X, y, X_test[:100], y_test[:100])
    table = removal_curves(
        {"knn": values}, X, y, X_test[100:], y_test[100:], model=KNeighborsClassifier(1), fractions=[0.0, 0.2]
    )
    assert table["knn", "20 %"] > table["random", "20 %"] + 0.05


def test_random_orders_are_the_mean_of_their_repeats_and_depend_on_the_seed(noisy, harm):
    X, y, _, X_test, y_test = noisy
    given = dict(fractions=[0.1, 0.8], model=KNeighborsClassifier(1))
    one = removal_curves({"a": harm}, X, y, X_test, y_test, repeats=1, **given)
    more = removal_curves({"a": harm}, X, y, X_test, y_test, repeats=4, **given)
    other = removal_curves({"a": harm}, X, y, X_test, y_test, repeats=4, seed=1, **given)
    assert more.rows[0][:3] == one.rows[0][:3] == other.rows[0][:3]
    assert more["random", "80 %"] not in (one["random", "80 %"], other["random", "80 %"])
    assert more == removal_curves({"a": harm}, X, y, X_test, y_test, repeats=4, **given)


def test_the_order_of_equal_values_is_that_of_the_points(noisy):
    X, y, _, X_test, y_test = noisy
    tied = removal_curves({"a": np.zeros(100)}, X, y, X_test, y_test, fractions=[0.2, 0.6], repeats=1)
    ranked = removal_curves({"a": np.arange(100.0)}, X, y, X_test, y_test, fractions=[0.2, 0.6], repeats=1)
    assert tied["a", "60 %"] == ranked["a", "60 %"] and tied["a", "20 %"] == ranked["a", "20 %"]


def test_a_subset_of_one_class_predicts_it(noisy):
    X, y, _, X_test, y_test = noisy
    table = removal_curves({"a": y.astype(float)}, X, y, X_test, y_test, fractions=[0.0, 0.9], repeats=1)
    assert table["a", "90 %"] == np.mean(y_test == 1)


def test_any_classifier_will_do_and_a_random_one_is_seeded(noisy, harm):
    X, y, _, X_test, y_test = noisy
    for model in (LinearSVC(), DecisionTreeClassifier(max_features=1, splitter="random")):
        one, two = (
            removal_curves({"a": harm}, X, y, X_test, y_test, model=model, fractions=[0.0, 0.3], repeats=1, seed=3)
            for _ in range(2)
        )
        assert one.rows == two.rows
        assert not hasattr(model, "classes_")


def test_classes_may_be_words(noisy, harm):
    X, y, _, X_test, y_test = noisy
    words = np.array(["no", "yes"])
    given = dict(fractions=[0.0, 0.5], repeats=1)
    assert (
        removal_curves({"a": harm}, X, words[y], X_test, words[y_test], **given).rows
        == removal_curves({"a": harm}, X, y, X_test, y_test, **given).rows
    )


def test_a_selection_takes_the_highest_values_and_ties_by_index():
    assert select([3.0, 1.0, 3.0, 2.0, 3.0], 2).tolist() == [0, 2]
    assert select([3.0, 1.0, 3.0, 2.0, 3.0], 5).tolist() == [0, 1, 2, 3, 4]


def test_a_balanced_selection_keeps_the_share_of_every_class():
    rng = np.random.default_rng(15)
    y = np.repeat(["a", "b", "c"], [60, 30, 10])
    values = rng.normal(size=100) - 5.0 * (y == "c")
    assert np.bincount(np.unique(y[select(values, 50)], return_inverse=True)[1]).sum() == 50
    assert "c" not in y[select(values, 50)]
    for size in range(1, 101):
        chosen = select(values, size, y=y)
        counts = {c: int(np.sum(y[chosen] == c)) for c in "abc"}
        assert chosen.size == size and (np.diff(chosen) > 0).all()
        assert all(abs(counts[c] - size * share) < 1 for c, share in zip("abc", (0.6, 0.3, 0.1), strict=True))
        for c in "abc":
            left = values[(y == c) & ~np.isin(np.arange(100), chosen)]
            assert not left.size or not counts[c] or values[chosen][y[chosen] == c].min() > left.max()


@pytest.mark.parametrize("balanced", [True, False])
def test_a_selection_curve_is_the_naive_loop(noisy, balanced):
    X, y, _, X_test, y_test = noisy
    values = np.random.default_rng(16).normal(size=100)
    table = selection_curves({"a": values}, X, y, X_test, y_test, sizes=[10, 40], balanced=balanced, repeats=2)
    subsets = [select(values, size, y=y if balanced else None) for size in (10, 40)]
    assert [table["a", "10"], table["a", "40"]] == naive(X, y, X_test, y_test, subsets)


def test_the_figure_draws_the_curves_over_the_steps(noisy, harm):
    X, y, _, X_test, y_test = noisy
    table = removal_curves({"a": harm}, X, y, X_test, y_test, fractions=[0.0, 0.5], repeats=1, title="removal")
    (axis,) = table.figure().axes
    assert [line.get_label() for line in axis.lines] == ["a", "random"] and axis.get_title() == "removal"
    np.testing.assert_allclose(axis.lines[0].get_xydata(), [[0, table["a", "0 %"]], [50, table["a", "50 %"]]])


X, Y, V = np.eye(4), np.array([0, 1, 0, 1]), {"a": np.arange(4.0)}


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: removal_curves(V, X, Y, X, Y, first="worst"), ValueError, "first is 'worst'"),
        (lambda: removal_curves(V, X, Y, X, Y, fractions=[0.0, 1.0]), ValueError, "leaves none of 4 points"),
        (lambda: removal_curves(V, X, Y, X, Y, fractions=[0.5, 0.2]), ValueError, "two or more ascending shares"),
        (lambda: removal_curves(V, X, Y, X, Y, fractions=[0.5]), ValueError, "two or more ascending shares"),
        (lambda: removal_curves(V, X, Y, X, Y, fractions=[-0.5, 0.5]), ValueError, "shares from 0 to 1"),
        (lambda: addition_curves(V, X, Y, X, Y, fractions=[0.0, 1.0]), ValueError, "which is none of 4 points"),
        (lambda: removal_curves({"a": [1.0]}, X, Y, X, Y), ValueError, "expected 4, one per point"),
        (lambda: removal_curves(V, X, Y[:3], X, Y), ValueError, r"y has shape \(3,\)"),
        (lambda: removal_curves(V, X, Y * 0, X, Y), ValueError, "the single class 0"),
        (lambda: removal_curves(V, X, Y, X[:, :2], Y), ValueError, "X_test has 2 features; expected 4"),
        (lambda: removal_curves(V, X, Y, X, Y + 1), ValueError, "y_test has the class .*2"),
        (lambda: removal_curves(V, X, Y, X, Y, model=LogisticRegression), TypeError, "such as LogisticRegression()"),
        (lambda: removal_curves(V, X, Y, X, Y, model=3), TypeError, "expected a scikit-learn classifier"),
        (lambda: removal_curves(V, X, Y, X, Y, repeats=0), ValueError, "repeats is 0"),
        (lambda: removal_curves(V, X, Y, X, Y, resamples=0), ValueError, "resamples is 0"),
        (lambda: removal_curves(V, X, Y, X, Y, seed=0.5), TypeError, "seed is 0.5"),
        (lambda: select([1.0, 2.0], 3), ValueError, "size is 3; expected at most 2"),
        (lambda: select([1.0, 2.0], 0), ValueError, "size is 0"),
        (lambda: select([1.0, 2.0], 1, y=["a"]), ValueError, "one class per point"),
        (lambda: selection_curves(V, X, Y, X, Y, sizes=[3, 2]), ValueError, "two or more ascending numbers"),
        (lambda: selection_curves(V, X, Y, X, Y, sizes=[1, 5]), ValueError, "expected at most 4"),
        (lambda: selection_curves(V, X, Y, X, Y, sizes=[1, 2], balanced=1), TypeError, "expected True or False"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
