"""Metrics agree with scipy and scikit-learn, subtract the truth's noise without bias, and refuse bad input."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as peer

from fastsa.metrics import agreement, interval, mislabel_detection


@pytest.fixture
def pair():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=200)
    return truth + rng.normal(size=200), truth


@pytest.mark.parametrize("decimals", [0, 1, 12])
@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (1e-6, 0.0), (1e6, 1e6), (1e-200, 0.0)])
def test_correlations_agree_with_scipy_with_and_without_ties(pair, decimals, scale, shift):
    estimate, truth = (np.round(v, decimals) * scale + shift for v in pair)
    result = agreement(estimate, truth)
    unscaled = [np.round(v, decimals) for v in pair]
    assert result.pearson == pytest.approx(stats.pearsonr(*unscaled).statistic, abs=1e-9)
    assert result.spearman == pytest.approx(stats.spearmanr(*unscaled).statistic, abs=1e-12)


def test_errors_agree_with_scikit_learn(pair):
    estimate, truth = pair
    result = agreement(estimate, truth)
    assert result.squared_error == pytest.approx(peer.mean_squared_error(truth, estimate), rel=1e-12)
    assert result.explained_variance == pytest.approx(peer.r2_score(truth, estimate), rel=1e-12)
    assert result.normalized_error == pytest.approx(1 - result.explained_variance, rel=1e-12)
    assert result.pearson_corrected == result.pearson
    assert result.n == 200


@pytest.mark.parametrize("variance", [None, 0.3])
def test_predicting_the_mean_of_the_truth_scores_one(pair, variance):
    truth = pair[1]
    result = agreement(np.full(truth.size, truth.mean()), truth, truth_variance=variance)
    assert result.normalized_error == pytest.approx(1.0, rel=1e-12)
    assert np.isnan(result.pearson) and np.isnan(result.spearman)


def test_a_hand_made_case():
    result = agreement([1.0, -1.0, 0.0, 2.0], [1.0, 1.0, 0.0, -2.0], truth_variance=[0.0, 2.0, 0.0, 2.0])
    assert result.squared_error == 5.0 - 1.0
    assert result.normalized_error == 4.0 / (1.5 - 1.0)
    assert result.sign_agreement == 0.5  # the zeros agree; a zero agrees with nothing else
    assert result.pearson_corrected == pytest.approx(result.pearson * np.sqrt(3.0))


def test_a_zero_agrees_in_sign_only_with_a_zero():
    assert agreement([0.0, 0.0], [1.0, 0.0]).sign_agreement == 0.5


def test_a_constant_truth_has_an_error_but_nothing_relative_to_its_variance():
    result = agreement([0.1, 0.3], [0.1, 0.1])
    assert result.squared_error == pytest.approx(0.02)
    assert result.sign_agreement == 1.0
    for undefined in ("normalized_error", "explained_variance", "pearson", "pearson_corrected", "spearman"):
        assert np.isnan(getattr(result, undefined))


def test_a_truth_that_is_all_noise_has_no_normalized_error():
    result = agreement([0.0, 1.0], [0.0, 1.0], truth_variance=10.0)
    assert np.isnan(result.normalized_error) and np.isnan(result.pearson_corrected)
    assert result.squared_error == -10.0 and result.pearson == 1.0


def test_the_noise_corrected_metrics_are_right_on_average():
    """Against the same estimates compared with the noise-free truth; false alarms 1e-6 per z-test.

    4,000 noisy truths for 60 points. The error's bias without the correction would be over 100 standard errors. The two
    ratios have a bias of order 1/n, for which 4 % is allowed; uncorrected they would be off by 10 % or more.
    """
    rng = np.random.default_rng(2)
    values = rng.normal(size=60)
    estimate = values + 0.7 * rng.normal(size=60)
    noise = rng.uniform(0.2, 0.8, size=60)
    exact = agreement(estimate, values)
    noisy = [agreement(estimate, values + noise * rng.normal(size=60), truth_variance=noise**2) for _ in range(4000)]
    errors = np.array([result.squared_error for result in noisy])
    z = (errors.mean() - exact.squared_error) / (errors.std() / np.sqrt(errors.size))
    assert abs(z) < stats.norm.isf(5e-7)
    assert np.mean([result.normalized_error for result in noisy]) == pytest.approx(exact.normalized_error, rel=0.04)
    assert np.mean([result.pearson_corrected for result in noisy]) == pytest.approx(exact.pearson, rel=0.04)
    assert np.mean([result.pearson for result in noisy]) < 0.95 * exact.pearson


@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_detection_agrees_with_scikit_learn_with_and_without_ties(decimals):
    rng = np.random.default_rng(3)
    wrong = rng.random(300) < 0.1
    values = np.round(rng.normal(size=300) - wrong, decimals)
    result = mislabel_detection(values, wrong)
    assert result.auroc == pytest.approx(peer.roc_auc_score(wrong, -values), rel=1e-12)
    assert result.auprc == pytest.approx(peer.average_precision_score(wrong, -values), rel=1e-12)


def test_the_curve_has_one_step_per_distinct_value():
    result = mislabel_detection([0.0, 0.0, -1.0, 2.0], [True, False, True, False])
    np.testing.assert_allclose(result.inspected, [0, 0.25, 0.75, 1.0])
    np.testing.assert_allclose(result.found, [0, 0.5, 1.0, 1.0])


def test_all_values_equal_is_chance():
    result = mislabel_detection(np.zeros(10), np.arange(10) < 3)
    assert result.auroc == 0.5 and result.auprc == pytest.approx(0.3)


def test_the_interval_covers_the_true_correlation_as_often_as_it_says():
    """100 data sets of 100 points at level 0.8: coverage outside 0.6 to 0.95 by chance in less than 1 of 1e4 runs."""
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(100):
        truth = rng.normal(size=100)
        low, high = interval("pearson", truth + rng.normal(size=100), truth, level=0.8, resamples=100)
        covered += low <= np.sqrt(0.5) <= high
    assert 60 < covered < 95


def test_an_interval_is_reproducible_and_takes_functions_and_variances(pair):
    assert interval("spearman", *pair, resamples=50, seed=1) == interval("spearman", *pair, resamples=50, seed=1)
    assert interval("spearman", *pair, resamples=50, seed=1) != interval("spearman", *pair, resamples=50, seed=2)
    plain = interval("squared_error", *pair, resamples=50)
    shifted = interval("squared_error", *pair, truth_variance=np.full(200, 0.5), resamples=50)
    np.testing.assert_allclose(np.subtract(plain, 0.5), shifted, rtol=1e-12)
    np.testing.assert_allclose(interval("squared_error", *pair, truth_variance=0.5, resamples=50), shifted)
    wrong = pair[1] < -1
    low, high = interval(lambda v, w: mislabel_detection(v, w).auroc, pair[0], wrong, resamples=50)
    assert low < mislabel_detection(pair[0], wrong).auroc < high


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: agreement([1.0], [1.0]), ValueError, "at least 2 points"),
        (lambda: agreement([1.0, 2.0], [1.0]), ValueError, "truth has 1 entries; expected 2, as in estimate"),
        (lambda: agreement([[1.0], [2.0]], [1.0, 2.0]), ValueError, r"Pass one column, as in estimate\[:, 0\]"),
        (lambda: agreement([1.0, np.nan], [1.0, 2.0]), ValueError, r"estimate\[1\] is nan"),
        (lambda: agreement([1.0, 2.0], [1.0, np.inf]), ValueError, r"truth\[1\] is inf"),
        (lambda: agreement(["a", "b"], [1.0, 2.0]), TypeError, "estimate has dtype"),
        (lambda: agreement([1.0, 2.0], [1.0, 2.0], truth_variance=-1.0), ValueError, "reaches -1.0"),
        (lambda: agreement([1.0, 2.0], [1.0, 2.0], truth_variance=[1.0]), ValueError, "expected 2, as in truth"),
        (lambda: mislabel_detection([1.0, 2.0], [0, 1]), TypeError, "Compare the classes"),
        (lambda: mislabel_detection([1.0, 2.0], [True]), ValueError, r"expected \(2,\)"),
        (lambda: mislabel_detection([1.0, 2.0], [True, True]), ValueError, "2 of 2 points are mislabeled"),
        (lambda: mislabel_detection([1.0, 2.0], [False, False]), ValueError, "0 of 2 points are mislabeled"),
        (lambda: mislabel_detection([1.0, np.nan], [True, False]), ValueError, r"values\[1\] is nan"),
        (lambda: interval("accuracy", [1.0, 2.0], [1.0, 2.0]), ValueError, "metric is 'accuracy'"),
        (lambda: interval("pearson", [1.0, 2.0], [1.0, 2.0], level=1.0), ValueError, "level is 1.0"),
        (lambda: interval("pearson", [1.0, 2.0], [1.0, 2.0], seed=-1), ValueError, "seed is -1"),
        (lambda: interval("pearson", [1.0, 2.0], [1.0, 2.0]), ValueError, "give more points"),
        (lambda: interval(max, [1.0, 2.0], [1.0, 2.0], truth_variance=1.0), ValueError, "takes no truth_variance"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("module", ["agreement", "bootstrap", "detection"])
def test_the_examples_of_the_docstrings_run(module):
    assert doctest.testmod(importlib.import_module(f"fastsa.metrics.{module}")).failed == 0
