"""Cleaning gives the lowest points their best class, and its table tells what every arm does to a retrained model."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from fastsa.curation import clean, cleaning_table


def slow_clean(values_all, y, share):
    n = len(y)
    own = [values_all[i][y[i]] for i in range(n)]
    lowest = sorted(range(n), key=lambda i: (own[i], i))[: int(share * n + 0.5)]
    new = list(y)
    for i in lowest:
        new[i] = max(range(len(values_all[i])), key=lambda c: (values_all[i][c], -c))
    return new


@pytest.mark.parametrize("share", [0.05, 0.3, 0.95])
def test_cleaning_is_the_slow_loop(share):
    rng = np.random.default_rng(21)
    values_all, y = rng.normal(size=(80, 5)), rng.integers(0, 5, 80)
    cleaned = clean(values_all, y, share=share)
    assert cleaned.y.tolist() == slow_clean(values_all.tolist(), y.tolist(), share)
    np.testing.assert_array_equal(cleaned.changed, cleaned.y != y)
    words = np.array(["a", "bb", "ccc", "d", "e"])
    assert clean(values_all, words[y], share=share).y.tolist() == words[cleaned.y].tolist()
    assert clean(values_all, words[y], share=share).y.dtype == words.dtype


def test_other_values_may_say_which_points_are_looked_at():
    values_all = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    cleaned = clean(values_all, [0, 0, 1], share=0.34, values=[2.0, -1.0, 0.0])
    assert cleaned.changed.tolist() == [False, True, False]


def test_a_class_that_y_lacks_can_be_given():
    cleaned = clean([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], ["a", "a"], share=0.9, classes=["a", "b", "longer"])
    assert cleaned.y.tolist() == ["longer", "a"]


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(22)
    y = np.arange(500) % 2
    X = 5.0 * y[:, None] + rng.normal(size=(500, 3))
    given = y[:100].copy()
    given[:20] = 1 - given[:20]
    return X[:100], given, y[:100], X[100:], y[100:]


@pytest.fixture(scope="module")
def table(noisy):
    X, y, y_true, X_test, y_test = noisy
    ideal = np.where(y_true[:, None] == [0, 1], 1.0, -1.0)
    return cleaning_table(
        {"ideal": ideal[np.arange(100), y], "reverse": -ideal[np.arange(100), y]},
        X,
        y,
        X_test,
        y_test,
        share=0.2,
        relabel={"ideal": ideal, "reverse": -ideal},
        y_true=y_true,
        model=KNeighborsClassifier(1),
        repeats=4,
    )


def test_every_arm_is_there_with_its_points_and_wrong_classes(table):
    assert {name: (table[name, "points"], table[name, "wrong classes"]) for name in table.names} == {
        "as given": (100, 20.0),
        "random filter": (80, pytest.approx(16.0, abs=3.0)),
        "ideal, filter": (80, 0.0),
        "reverse, filter": (80, 20.0),
        "ideal, relabel": (100, 0.0),
        "reverse, relabel": (100, 40.0),
        "perfect filter": (80, 0.0),
        "true classes": (100, 0.0),
    }


def test_ideal_values_do_what_the_truth_does_and_their_reverse_does_harm(table, noisy):
    X, y, y_true, X_test, y_test = noisy
    start = np.mean(KNeighborsClassifier(1).fit(X, y).predict(X_test) == y_test)
    assert table["as given", "accuracy"] == start < 0.9
    assert table["ideal, filter", "accuracy"] == table["perfect filter", "accuracy"] == 1.0
    assert table["ideal, relabel", "accuracy"] == table["true classes", "accuracy"] == 1.0
    assert table["reverse, relabel", "accuracy"] < start - 0.1
    assert table["ideal, filter", "gain"] == pytest.approx(1.0 - start)
    low, high = table["ideal, filter", "95 % gain"]
    assert 0.0 < low < 1.0 - start < high
    assert table["as given", "gain"] is None and abs(table["random filter", "gain"]) < 0.05


def test_the_table_tells_how_many_classes_are_new_and_how_many_of_them_right(table):
    told = {name: (table[name, "changed"], table[name, "put right"]) for name in table.names}
    assert told["ideal, relabel"] == (20, 1.0) == told["true classes"] and told["reverse, relabel"] == (20, 0.0)
    assert {
        told[name] for name in table.names if name not in ("ideal, relabel", "reverse, relabel", "true classes")
    } == {(0, None)}


def test_a_pair_of_what_relabels_is_cleaned_in_the_order_of_its_values(noisy):
    X, y, y_true, X_test, y_test = noisy
    rng = np.random.default_rng(23)
    under_all, values = rng.normal(size=(100, 2)), rng.normal(size=100)
    table = cleaning_table({}, X, y, X_test, y_test, share=0.3, relabel={"a": (under_all, values)}, y_true=y_true)
    cleaned = clean(under_all, y, share=0.3, values=values)
    assert cleaned.changed.tolist() != clean(under_all, y, share=0.3).changed.tolist()
    assert table["a, relabel", "changed"] == cleaned.changed.sum()
    assert table["a, relabel", "put right"] == np.mean(cleaned.y[cleaned.changed] == y_true[cleaned.changed])
    assert table["a, relabel", "wrong classes"] == np.sum(cleaned.y != y_true)


def test_log_loss_is_of_predictions_mixed_with_a_uniform_one(table):
    certain = -np.log(0.99 + 0.01 / 2)
    never = -np.log(0.01 / 2)
    assert table["true classes", "log-loss"] == pytest.approx(certain)
    accuracy = table["as given", "accuracy"]
    assert table["as given", "log-loss"] == pytest.approx(accuracy * certain + (1 - accuracy) * never)


def test_a_model_without_probabilities_has_no_log_loss(noisy):
    X, y, _, X_test, y_test = noisy
    table = cleaning_table({"a": np.arange(100.0)}, X, y, X_test, y_test, share=0.1, model=LinearSVC(), repeats=1)
    assert table["a, filter", "log-loss"] is None and table["a, filter", "wrong classes"] is None
    assert "perfect filter" not in table.names


X, Y, V = np.eye(4), np.array([0, 1, 0, 1]), {"a": np.arange(4.0)}
ALL = np.zeros((4, 2))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: clean(ALL, Y, share=0.0), ValueError, "share is 0.0"),
        (lambda: clean(ALL, Y, share=1.0), ValueError, "below 1"),
        (lambda: clean(ALL[:, 0], Y, share=0.5), ValueError, r"expected \[points, classes\]"),
        (lambda: clean(np.zeros((4, 3)), Y, share=0.5), ValueError, "2 classes and 3 columns"),
        (lambda: clean(ALL, Y[:3], share=0.5), ValueError, "one class per point"),
        (lambda: clean(ALL * np.nan, Y, share=0.5), ValueError, "expected finite numbers"),
        (lambda: clean(ALL, Y, share=0.5, values=[1.0]), ValueError, "expected 4, as in y"),
        (lambda: cleaning_table({}, X, Y, X, Y, share=0.5), ValueError, "methods is empty"),
        (lambda: cleaning_table(V, X, Y, X, Y, share=0.1), ValueError, "which is 0 of 4 points"),
        (lambda: cleaning_table(V, X, Y, X, Y, share=0.9), ValueError, "which is 4 of 4 points"),
        (lambda: cleaning_table(V, X, Y, X, Y, share=0.5, relabel=ALL), TypeError, "relabel is a ndarray"),
        (lambda: cleaning_table(V, X, Y, X, Y, share=0.5, relabel={"b": ALL[:2]}), ValueError, r"relabel\['b'\]"),
        (lambda: cleaning_table(V, X, Y, X, Y, share=0.5, relabel={"b": ALL[:, :1]}), ValueError, r"relabel\['b'\]"),
        (lambda: cleaning_table(V, X, Y, X, Y, share=0.5, relabel={"b": (ALL, [1.0])}), ValueError, "expected 4"),
        (lambda: cleaning_table(V, X, Y, X, Y, share=0.5, y_true=Y + 7), ValueError, "y_true has the class .*7"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
