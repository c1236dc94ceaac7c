"""Detection tables agree with scikit-learn and with counting; the value margin is its definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as peer

from fastsa.curation import baseline_values, detection_table, value_margin
from fastsa.metrics import interval


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(5)
    wrong = rng.random(200) < 0.15
    return {"good": rng.normal(size=200) - 2.0 * wrong, "tied": np.round(rng.normal(size=200) - wrong)}, wrong


@pytest.fixture(scope="module")
def table(noisy):
    return detection_table(*noisy, resamples=60)


@pytest.mark.parametrize("name", ["good", "tied"])
def test_the_scores_agree_with_scikit_learn(noisy, table, name):
    values, wrong = noisy[0][name], noisy[1]
    assert table[name, "AUROC"] == pytest.approx(peer.roc_auc_score(wrong, -values), rel=1e-12)
    assert table[name, "AUPRC"] == pytest.approx(peer.average_precision_score(wrong, -values), rel=1e-12)


def test_the_shares_found_are_counted_from_the_lowest_value_up(noisy, table):
    values, wrong = noisy[0]["good"], noisy[1]
    order = sorted(range(200), key=lambda i: values[i])
    for percent in (5, 10, 20, 50):
        looked_at = order[: 2 * percent]
        assert table["good", f"in {percent} %"] == pytest.approx(sum(wrong[i] for i in looked_at) / wrong.sum())


def test_ties_find_what_a_random_order_of_them_finds_on_average():
    """4,000 random orders of three tied groups; the mean is within 5 standard errors of the table's share."""
    values, wrong = np.repeat([0.0, 1.0, 2.0], [6, 10, 4]), np.arange(20) % 3 == 0
    rng = np.random.default_rng(6)
    found = [wrong[np.lexsort((rng.random(20), values))[:10]].sum() / wrong.sum() for _ in range(4000)]
    expected = detection_table({"tied": values}, wrong, resamples=2)["tied", "in 50 %"]
    assert abs(np.mean(found) - expected) < 5 * np.std(found) / np.sqrt(4000)
    assert np.std(found) > 0.05


def test_the_shares_below_zero_are_of_all_of_the_wrong_and_of_the_right():
    table = detection_table({"a": [-1.0, -2.0, 0.0, 3.0, -0.5]}, [True, False, True, False, False], resamples=5)
    assert table["a", "below 0"] == 0.6 and table["a", "of wrong"] == 0.5
    assert table["a", "of right"] == pytest.approx(2 / 3)


def test_the_row_of_chance_is_what_chance_expects(table, noisy):
    assert table["random", "AUROC"] == 0.5 and table["random", "AUPRC"] == pytest.approx(noisy[1].mean())
    assert table["random", "in 20 %"] == pytest.approx(0.2) and table["random", "95 % AUROC"] is None


def test_the_intervals_are_of_resamples_within_wrong_and_right_points(noisy, table):
    values, wrong = noisy[0]["good"], noisy[1]
    rng = np.random.default_rng(7)
    bad, good = np.flatnonzero(wrong), np.flatnonzero(~wrong)
    drawn = []
    for _ in range(2000):
        low, high = values[rng.choice(bad, bad.size)], values[rng.choice(good, good.size)]
        drawn.append(np.mean(low[:, None] < high))
    low, high = table["good", "95 % AUROC"]
    assert low < table["good", "AUROC"] < high
    np.testing.assert_allclose([low, high], np.quantile(drawn, [0.025, 0.975]), atol=0.02)


def test_a_single_wrong_point_has_intervals_too():
    table = detection_table({"a": np.arange(30.0)}, np.arange(30) == 3, resamples=50)
    assert table["a", "AUROC"] == pytest.approx(26 / 29)


def test_strata_keep_their_sizes_in_every_resample_and_points_stay_in_theirs():
    strata = np.repeat([0, 1, 2], [2, 7, 31])
    for group in range(3):
        size = interval(lambda v, w, g=group: np.sum(w == g), np.arange(40.0), strata, strata=strata, resamples=40)
        assert size == ((strata == group).sum(),) * 2
    spread = interval(lambda v, w: v[w == 2].mean(), np.arange(40.0), strata, strata=strata, resamples=40)
    assert 9 <= spread[0] < spread[1] < 40
    with pytest.raises(ValueError, match=r"expected integers \(40,\)"):
        interval("pearson", np.arange(40.0), np.arange(40.0), strata=[0.5] * 40)


def test_the_figure_draws_every_curve_under_its_name(table):
    (axis,) = table.figure().axes
    assert [line.get_label() for line in axis.lines] == ["good", "tied", "random"]
    assert axis.lines[0].get_ydata()[-1] == pytest.approx(100.0)
    (axis,) = table.figure(["random", "tied"]).axes
    assert [line.get_label() for line in axis.lines] == ["random", "tied"]
    with pytest.raises(ValueError, match="no row 'best'; it has 'good', 'tied', 'random'"):
        table.figure("best")


def test_the_value_margin_is_the_own_value_less_the_best_other():
    rng = np.random.default_rng(8)
    values, y = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    before = values.copy()
    slow = [values[i, y[i]] - max(values[i, c] for c in range(4) if c != y[i]) for i in range(50)]
    np.testing.assert_array_equal(value_margin(values, y), slow)
    np.testing.assert_array_equal(values, before)
    names = np.array(["ant", "bee", "cat", "dog"])
    np.testing.assert_array_equal(value_margin(values, names[y], classes=names), slow)


def test_baselines_find_flipped_classes_of_separate_groups():
    rng = np.random.default_rng(9)
    y_true = np.arange(160) % 2
    X = 4.0 * y_true[:, None] + rng.normal(size=(160, 2))
    y = y_true.copy()
    y[:12] = 1 - y[:12]
    values = baseline_values(X[:120], y[:120], X[120:], y_true[120:], n_estimators=60, n_threads=1)
    again = baseline_values(X[:120], y[:120], X[120:], y_true[120:], n_estimators=60, n_threads=2)
    table = detection_table(values, y[:120] != y_true[:120], resamples=10)
    assert all(table[name, "AUROC"] > 0.9 for name in values if name != "leave-one-out, k=5")
    assert all(values[name].tobytes() == again[name].tobytes() for name in values)


A, W = np.array([0.0, 1.0]), np.array([True, False])


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: detection_table(A, W), TypeError, "expected a dict from names to values"),
        (lambda: detection_table({}, W), ValueError, "methods is empty"),
        (lambda: detection_table({1: A}, W), TypeError, "name 1, a int; expected text"),
        (lambda: detection_table({"random": A}, W), ValueError, "which the table adds itself"),
        (lambda: detection_table({"a": A, "b": [1.0]}, W), ValueError, r"methods\['b'\] has 1 entries; expected 2"),
        (lambda: detection_table({"a": [0.0, np.nan]}, W), ValueError, r"methods\['a'\]\[1\] is nan"),
        (lambda: detection_table({"a": A}, [0, 1]), TypeError, "expected bool"),
        (lambda: detection_table({"a": A}, [True]), ValueError, r"expected \(2,\)"),
        (lambda: detection_table({"a": A}, [True, True]), ValueError, "2 of 2 points are mislabeled"),
        (lambda: detection_table({"a": A}, W, resamples=0), ValueError, "resamples is 0"),
        (lambda: detection_table({"a": A}, W, seed=-1), ValueError, "seed is -1"),
        (lambda: value_margin(A, W), ValueError, r"expected \[points, classes\]"),
        (lambda: value_margin(np.zeros((2, 3)), [0, 1]), ValueError, "2 classes and 3 columns"),
        (lambda: value_margin(np.zeros((2, 2)), [0, 1], classes=[1, 0]), ValueError, "sorted and distinct"),
        (lambda: value_margin(np.zeros((2, 2)), [0, 5], classes=[0, 1]), ValueError, "the class .*5"),
        (lambda: baseline_values(*(np.eye(4), [0, 1] * 2) * 2, n_estimators=1), ValueError, "every bag"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
