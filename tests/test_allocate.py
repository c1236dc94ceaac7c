"""Selective refinement: the allocation is the best one, and values stay unbiased and their errors as stated."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_labels import labels_of

from fastsa import LabelStream, estimators, games
from fastsa.amortize import refine
from fastsa.planning import allocate, extended, refine_where


def left(error, noise, count):
    return float(np.sum(1 / (1 / error + count / noise)))


@pytest.mark.parametrize("seed", range(6))
def test_the_allocation_is_that_of_one_best_sample_after_another(seed):
    rng = np.random.default_rng(seed)
    error, noise, count = rng.exponential(size=30), 10 * rng.exponential(size=30), rng.integers(0, 8, 30)
    greedy = count.copy()
    for _ in range(200):
        gains = 1 / (1 / error + greedy / noise) - 1 / (1 / error + (greedy + 1) / noise)
        greedy[np.argmax(gains)] += 1
    more = allocate(error, noise, count, 200)
    assert more.sum() == 200 and (more >= 0).all()
    assert left(error, noise, count + more) <= left(error, noise, greedy) * (1 + 1e-9) + 1e-12


def test_equal_items_get_equally_many_and_exact_predictions_none():
    assert allocate(np.ones(4), np.ones(4), np.zeros(4, int), 12).tolist() == [3, 3, 3, 3]
    assert allocate([0.0, 1.0], [1.0, 1.0], [0, 0], 5).tolist() == [0, 5]
    assert allocate([0.0, 1.0], [1.0, 0.0], [0, 0], 5).tolist() == [0, 0]


def task(rng, n=4000, k=4):
    """Two kinds of items, known beforehand: predictions of the second are bad and its samples noisier, and skewed."""
    kind = np.arange(n) % 4 == 0
    truth = rng.normal(size=n)
    sigma, tau = np.where(kind, 2.0, 0.5), np.where(kind, 1.5, 0.1)
    prediction = truth + tau * rng.normal(size=n)

    def draw(items, samples):
        return truth[items] + sigma[items] * (rng.exponential(size=(samples, len(items))) - 1.0)

    return kind.astype(int), truth, prediction, draw(np.arange(n), k), draw


def extend(samples, more, draw):
    """(mean, variance of one sample by all that there are, count) with more[i] further samples of item i."""
    total, count = samples.sum(axis=0), len(samples) + more
    for level in range(1, int(more.max()) + 1):
        items = np.flatnonzero(more >= level)
        total[items] += draw(items, 1)[0]
    return total / count, count


def test_samples_where_they_pay_leave_a_quarter_less_error_than_spread_evenly_and_bias_nothing():
    rng, even, chosen, bias = np.random.default_rng(0), [], [], []
    for _ in range(8):
        kind, truth, p, samples, draw = task(rng)
        labels = labels_of(samples[..., None])
        more = refine_where(p, labels, 4000, groups=kind, seen=())
        assert more.sum() <= 4000 and more[kind == 1].mean() > 3 * more[kind == 0].mean()
        noise, tau2 = np.where(kind == 1, 4.0, 0.25), np.where(kind == 1, 2.25, 0.01)
        for which, extra in ((even, np.full(4000, 1)), (chosen, more)):
            mean, count = extend(samples, extra, draw)
            weight = tau2 / (tau2 + noise / count)
            which.append(np.mean((weight * mean + (1 - weight) * p - truth) ** 2))
            if which is chosen:
                bias.append(np.mean(mean - truth) / np.sqrt(np.mean(noise / count) / 4000))
    assert np.mean(chosen) < 0.75 * np.mean(even)
    assert abs(np.sum(bias)) < 4 * np.sqrt(8)  # one run in 16,000


def test_an_allocation_by_an_items_own_variance_would_bias():
    rng, z = np.random.default_rng(1), []
    for _ in range(8):
        _, truth, _, samples, draw = task(rng)
        own = samples.var(axis=0, ddof=1)
        mean, count = extend(samples, allocate(np.full(4000, 1.0), own, np.full(4000, 4), 4000), draw)
        z.append(np.mean(mean - truth) / np.sqrt(np.mean(np.where(np.arange(4000) % 4 == 0, 4.0, 0.25) / count) / 4000))
    assert abs(np.sum(z)) > 6 * np.sqrt(8)


def test_refined_values_of_uneven_counts_are_within_their_standard_errors():
    X = np.random.default_rng(2).normal(size=(500, 3)) + np.repeat([0.0, 3.0], 250)[:, None]
    game = games.ModelGame(lambda x: x[:, 0] * x[:, 1] * x[:, 2] + np.sin(5 * x[:, 0]), X, games.Baseline(np.zeros(3)))
    far = np.repeat([0, 1], 250)[:, None]
    labels = LabelStream(game, estimators.PermutationShapley(), samples=3, role="certify").collect()
    truth = LabelStream(game, estimators.PermutationShapley(), samples=400, role="truth").collect().mean
    p = np.repeat(truth.mean(axis=2, keepdims=True), 1, axis=2) + np.random.default_rng(3).normal(size=truth.shape)
    more = refine_where(p, labels, 1500, groups=far, seen=())
    (whole,) = extended(game, [labels], more)
    np.testing.assert_array_equal(whole.count, 3 + more[:, None] + np.zeros((1, 3), int))
    again = LabelStream(game, estimators.PermutationShapley(), samples=int(3 + more.max()), role="certify").collect()
    most = more == more.max()
    np.testing.assert_allclose(whole.mean[most], again.mean[most], atol=1e-12)  # the lane goes on
    refined = refine(p, whole, groups=far)
    covered = np.abs(refined.values - truth) <= 1.96 * refined.stderr + 1e-9
    assert 0.90 <= covered.mean() <= 1.0


def test_items_that_share_draws_get_equally_many_and_halves_are_dealt_to_in_turn():
    game = games.FunctionGame(lambda c: c @ np.linspace(-1, 1, 64) + (c.sum(axis=1) % 2), 64)
    halves = [
        LabelStream(game, estimators.Distributional(1, 6, shared=8), samples=2, first_sample=2 * h).collect()
        for h in (0, 1)
    ]
    more = refine_where(np.zeros(64), halves[0].merge(halves[1]), 64 * 3, groups=np.arange(64) // 32, seen=())
    assert (more.reshape(8, 8) == more[::8, None]).all() and 0 < more.sum() <= 64 * 3
    first, second = extended(game, halves, more, n_threads=1)
    assert first.merge(second).count.sum() == 64 * 4 + more.sum() and second.count.max() > 2


def test_refusals():
    labels = labels_of(np.random.default_rng(0).normal(size=(3, 50, 1)))
    with pytest.raises(ValueError, match="error, noise and count have 2, 1 and 2 items"):
        allocate([1.0, 1.0], [1.0], [1, 1], 3)
    with pytest.raises(ValueError, match="holds a negative number"):
        allocate([1.0, -1.0], [1.0, 1.0], [1, 1], 3)
    with pytest.raises(ValueError, match="the predictions have seen the samples"):
        refine_where(np.zeros(50), labels, 10, seen=labels)
    shared = labels_of(np.random.default_rng(0).normal(size=(3, 50, 1)), estimator=estimators.PermutationShapley())
    with pytest.raises(ValueError, match="shares every sample among all items; none can have more"):
        refine_where(np.zeros(50), shared, 10, seen=())
