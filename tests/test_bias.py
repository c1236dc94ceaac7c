"""The bias test keeps its false alarms, and finds SGD-Shapley, truncation and thin bias."""

from __future__ import annotations

import numpy as np
import pytest
from small_games import table
from synthetic_labels import labels_of

from fastsa import LabelStream, estimators
from fastsa.metrics import bias_test


def stream(game, estimator, samples, role):
    return LabelStream(game, estimator, samples=samples, role=role).collect()


def test_of_2000_pairs_without_bias_5_percent_are_below_5_percent():
    rng, below = np.random.default_rng(0), []
    for _ in range(2_000):
        truth = rng.normal(size=40)
        a, b = (
            labels_of((truth + rng.normal(size=(k, 40)))[..., None], role=r) for k, r in ((3, "certify"), (5, "truth"))
        )
        result = bias_test(a, b)
        below.append([result.p_largest < 0.05, result.p_together < 0.05, result.p < 0.05])
    # Welch's freedom is nearly right: 2,000 repetitions have a standard error of 0.5 %.
    assert (np.mean(below, axis=0) < 0.065).all()
    assert (np.mean(below, axis=0)[:2] > 0.03).all()


def test_sgd_shapley_as_published_is_exposed_and_its_debiased_form_is_not():
    game = table(6, outputs=1, seed=1)
    plain = stream(game, estimators.PermutationShapley(), 2_000, "truth")

    def against(estimator):  # a label of a pool: its spread is known from labels of disjoint samples
        parts = [
            LabelStream(game, estimator, samples=50, first_sample=50 * b, role="certify").collect().mean
            for b in range(40)
        ]
        return bias_test(labels_of(np.stack(parts), estimator=estimators.PermutationShapley(), seed=9), plain)

    assert against(estimators.SGDShapley(debiased=False)).p < 1e-9
    assert against(estimators.SGDShapley()).p > 1e-4


def test_truncation_is_exposed():
    game = table(6, outputs=1, seed=2)
    plain = stream(game, estimators.PermutationShapley(), 2_000, "truth")
    assert bias_test(stream(game, estimators.PermutationShapley(max_size=2), 2_000, "certify"), plain).p < 1e-6
    assert bias_test(stream(game, estimators.PermutationShapley(antithetic=True), 2_000, "certify"), plain).p > 1e-4


def test_bias_spread_thinly_is_found_by_the_sum_and_not_by_the_largest():
    rng = np.random.default_rng(3)
    a, b = (
        labels_of((shift + rng.normal(size=(10, 5_000)))[..., None], role=r)
        for shift, r in ((0.2, "certify"), (0.0, "truth"))
    )
    result = bias_test(a, b)
    assert result.p_together < 1e-9 and result.p < 1e-8
    assert result.p_largest > 1e-3
    shared = [
        labels_of(
            x.mean[None] + 0.1 * rng.normal(size=(9, 5_000, 1)), role=r, estimator=estimators.PermutationShapley()
        )
        for x, r in ((a, "certify"), (b, "truth"))
    ]
    assert np.isnan(bias_test(*shared).p_together)


def test_exact_labels_agree_or_differ_for_certain():
    same = labels_of(np.ones((3, 4, 1)))
    assert bias_test(same, labels_of(np.ones((3, 4, 1)), role="truth")).p == 1.0
    assert bias_test(same, labels_of(np.full((3, 4, 1), 1.1), role="truth")).p < 1e-200


def test_refusals():
    labels = labels_of(np.random.default_rng(4).normal(size=(3, 6, 1)))
    with pytest.raises(ValueError, match="both labels hold samples of one seed and role"):
        bias_test(labels, labels)
    with pytest.raises(ValueError, match="a has items with fewer than 2 samples"):
        bias_test(labels_of(np.ones((1, 6, 1)), role="truth"), labels)
    with pytest.raises(ValueError, match="different items or outputs"):
        bias_test(labels_of(np.ones((3, 5, 1)), role="truth"), labels)
    with pytest.raises(TypeError, match="expected fastsa.Labels"):
        bias_test(labels, np.ones(6))
