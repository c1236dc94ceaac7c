"""The tests that decide about randomness pass what is right, and fail what is slightly wrong."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import significance


def labels_of(samples):
    stderr = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return SimpleNamespace(mean=samples.mean(axis=0), stderr=stderr)


def test_fair_counts_pass_and_loaded_ones_do_not():
    rng = np.random.default_rng(1)
    law = np.full(6, 1 / 6)
    loaded = np.array([0.18, 0.18, 0.16, 0.16, 0.16, 0.16])
    assert not significance.contradicts_law(rng.multinomial(60_000, law), law)
    assert significance.contradicts_law(rng.multinomial(60_000, loaded), law)


def test_a_count_of_something_impossible_is_a_contradiction():
    assert significance.contradicts_law([50, 50, 1], [0.5, 0.5, 0.0])


def test_too_few_draws_are_refused():
    with pytest.raises(AssertionError, match="too few"):
        significance.contradicts_law([1, 1], [0.5, 0.5])


def test_false_alarms_come_at_the_stated_rate():
    """At 5 % of 2,000 unbiased trials, 100 are expected; 60 to 140 is four standard deviations around."""
    rng = np.random.default_rng(2)
    alarms = sum(
        significance.contradicts_truth(labels_of(rng.normal(size=(400, 3, 1))), np.zeros((3, 1)), false_alarm=0.05)
        for _ in range(2000)
    )
    assert 60 < alarms < 140


def test_the_smallest_bias_is_caught():
    rng = np.random.default_rng(3)
    labels = labels_of(rng.normal(size=(10_000, 4, 1)))
    truth = np.zeros((4, 1))
    truth[2] = significance.smallest_bias_caught(labels)
    assert significance.contradicts_truth(labels, truth)


def test_labels_without_noise_must_be_exact():
    constant = SimpleNamespace(mean=np.ones((2, 1)), stderr=np.zeros((2, 1)))
    assert not significance.contradicts_truth(constant, np.ones((2, 1)))
    assert significance.contradicts_truth(constant, np.array([[1.0], [1.1]]))


def test_a_missing_label_is_a_contradiction():
    missing = SimpleNamespace(mean=np.full((1, 1), np.nan), stderr=np.zeros((1, 1)))
    assert significance.contradicts_truth(missing, np.zeros((1, 1)))


def test_a_weak_correlation_is_found_and_independence_passes():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 20_000))
    assert not significance.contradicts_independence(a, b)
    assert significance.contradicts_independence(a, b + 0.05 * a)
