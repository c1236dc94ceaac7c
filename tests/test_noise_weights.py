"""Weights by the inverse of noise: unbiased because no label is asked about its own, and worth having where noise differs."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_labels import labels_of

import fastsa
from fastsa import estimators, games
from fastsa.amortize import AttributionNet, ValuationNet, item_variance, noise_weights


def test_weights_follow_counts_where_nothing_else_is_known():
    rng = np.random.default_rng(0)
    many, few = labels_of(rng.normal(size=(8, 30, 1))), labels_of(rng.normal(size=(2, 30, 1)), first=8)
    uneven = many.take(np.arange(20)).merge(few.take(np.arange(20)))
    assert np.ptp(noise_weights(uneven)) < 1e-12
    counts = np.where(np.arange(30) < 10, 8, 2)
    mixed = labels_of(rng.normal(size=(8, 30, 1)))
    mixed.statistics.count[:] = counts
    weights = noise_weights(mixed, error=0.0)
    np.testing.assert_allclose(weights[0] / weights[-1], 4.0)
    np.testing.assert_allclose(weights.mean(), 1.0)
    capped = noise_weights(mixed, error=1e3)
    assert capped[0] / capped[-1] < 1.01


def test_by_default_the_spread_of_the_truth_keeps_exact_labels_from_counting_for_all():
    """2,000 items of variance 4 with noise of variance 0 or 1 per label: weights 1 / 4 and 1 / 5, within 5 %."""
    rng = np.random.default_rng(8)
    quiet = np.arange(2000) % 2 == 0
    draws = 2 * rng.normal(size=(1, 2000, 1)) + np.where(quiet, 0.0, 2.0)[:, None] * rng.normal(size=(4, 2000, 1))
    weights = noise_weights(labels_of(draws), variance=np.where(quiet, 0.0, 4.0))
    np.testing.assert_allclose(weights[0] / weights[1], 5 / 4, rtol=0.05)


def test_an_own_variance_would_bias_skewed_labels_and_another_fold_does_not():
    """4,000 items of truth 1 with exponential samples: the weighted mean is off by z < 3.5 (false alarm 1 in 2,000).

    The biased twin, weights from the same samples, is off by more than a tenth of the truth.
    """
    rng = np.random.default_rng(1)
    own, other = labels_of(rng.exponential(size=(5, 4000, 1))), labels_of(rng.exponential(size=(5, 4000, 1)), first=5)
    weights = noise_weights(own, fold=other, error=0.0)
    assert weights.std() > 0.2
    mean, share = own.mean[:, 0], weights / weights.sum()
    off = float(share @ mean) - 1
    assert abs(off) < 3.5 * float(np.sqrt(share**2 @ (mean - 1) ** 2))
    twin = noise_weights(own, variance=own.variance[:, 0] + 0.1, error=0.0)
    assert np.average(mean, weights=twin) < 0.9


@pytest.mark.parametrize("how", ["fold", "learned", "known"])
def test_where_noise_differs_a_weighted_fit_is_far_nearer(how):
    """A line through 400 points, half of them ten times as noisy, 30 times: least squares with and without weights."""
    rng, errors = np.random.default_rng(2), []
    for _ in range(30 if how != "learned" else 6):
        x = rng.normal(size=(400, 2))
        scale = np.where(x[:, 1] > 0, 10.0, 1.0)[None, :, None]
        draws = x[:, 0][None, :, None] + scale * rng.normal(size=(8, 400, 1))
        train, other = labels_of(draws[:4]), labels_of(draws[4:], first=4)
        weights = {
            "fold": lambda: noise_weights(train, fold=other, error=0.0),
            "learned": lambda: noise_weights(train, variance=item_variance(x, train, epochs=40), error=0.0),
            "known": lambda: noise_weights(train, variance=scale[0, :, 0] ** 2, error=0.0),
        }[how]()
        y = train.mean[:, 0]
        errors.append([((w * x[:, 0]) @ y / ((w * x[:, 0]) @ x[:, 0]) - 1) ** 2 for w in (np.ones(400), weights)])
    plain, weighted = np.mean(errors, axis=0)
    assert weighted < {"fold": 0.4, "learned": 0.4, "known": 0.1}[how] * plain


def test_the_functions_of_log_variances_are_those_of_the_handbook():
    from fastsa.amortize.noise_weights import _digamma, _trigamma

    x = np.array([0.5, 1.0, 4.0])
    np.testing.assert_allclose(_digamma(x), [-1.9635100260214235, -0.5772156649015329, 1.2561176684318005], atol=1e-7)
    np.testing.assert_allclose(_trigamma(x), [np.pi**2 / 2, np.pi**2 / 6, np.pi**2 / 6 - 1 - 1 / 4 - 1 / 9], atol=1e-6)


def test_learned_variances_are_those_of_other_items_and_follow_the_inputs():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 3))
    variance = np.exp(1.5 * x[:, :2])
    draws = np.sqrt(variance)[None, :, :, None] * rng.normal(size=(4, 600, 2, 1))
    found = item_variance(x, labels_of(draws, one_game=False))
    assert found.shape == (600, 2)
    for player in range(2):
        assert np.corrcoef(np.log(found[:, player]), np.log(variance[:, player]))[0, 1] > 0.9
        assert 0.8 < found[:, player].mean() / variance[:, player].mean() < 1.25
    draws[:, 17] *= 100.0
    again = item_variance(x, labels_of(draws, one_game=False), epochs=100)
    np.testing.assert_array_equal(again[17], found[17])


def test_a_network_weighted_by_its_counts_is_the_one_without_weights():
    x = np.random.default_rng(4).normal(size=(80, 3))
    game = games.ModelGame(lambda x: x[:, 0] * x[:, 1], x, games.Baseline())
    labels = fastsa.LabelStream(game, estimators.PermutationShapley(), samples=2, n_threads=1).collect()
    plain, same, others = (
        AttributionNet(epochs=3, width=8).fit(x, labels, weights=w).predict(x)
        for w in (None, labels.count, np.where(np.arange(80) < 40, 1.0, 3.0))
    )
    assert same.tobytes() == plain.tobytes() != others.tobytes()


def test_weights_of_zero_leave_labels_out():
    x = np.random.default_rng(5).normal(size=(80, 3))
    game = games.ModelGame(lambda x: x[:, 0] * x[:, 1], x, games.Baseline())
    labels = fastsa.LabelStream(game, estimators.PermutationShapley(), samples=2, n_threads=1).collect()
    spoiled = labels.take(np.arange(80))
    spoiled.statistics.mean[60:] += 1e6
    weights = np.where(np.arange(80) < 60, 1.0, 0.0)
    values = AttributionNet(epochs=3, width=8).fit(x, spoiled, weights=weights).predict(x)
    assert np.abs(values).max() < 100
    y = (np.arange(80) % 2).astype(np.int32)
    values = labels_of(np.repeat(x[None, :, :1], 2, axis=0) + np.where(weights, 0.0, 1e6)[:, None], role="train")
    net = ValuationNet(epochs=3, pretrain_epochs=1).fit(x, y, values, n_classes=2, weights=weights)
    assert np.abs(net.predict(x, y)).max() < 100


def test_the_epoch_of_least_loss_is_that_of_least_certified_error():
    """Product form and loss differ by the noise of the labels that select, whatever the network predicts."""
    rng = np.random.default_rng(6)
    halves = [rng.normal(size=(2, 50, 1)).mean(axis=0) for _ in range(2)]
    both = (halves[0] + halves[1]) / 2
    gaps = []
    for _ in range(5):
        p = rng.normal(size=(50, 1))
        gaps.append(np.mean((p - both) ** 2) - np.mean((p - halves[0]) * (p - halves[1])))
    np.testing.assert_allclose(gaps, np.mean((halves[0] - halves[1]) ** 2) / 4)


def test_refusals():
    rng = np.random.default_rng(7)
    labels = labels_of(rng.normal(size=(3, 20, 1)))
    with pytest.raises(ValueError, match="hold the same samples"):
        noise_weights(labels, fold=labels)
    with pytest.raises(ValueError, match="expected one of them"):
        noise_weights(labels, fold=labels_of(rng.normal(size=(3, 20, 1)), first=3), variance=np.ones(20))
    with pytest.raises(ValueError, match="no label has two samples"):
        noise_weights(labels_of(rng.normal(size=(1, 20, 1))))
    with pytest.raises(ValueError, match="would weigh infinitely much"):
        noise_weights(labels, variance=np.zeros(20), error=0.0)
    with pytest.raises(ValueError, match="variance has shape"):
        noise_weights(labels, variance=np.ones(3))
    with pytest.raises(ValueError, match="error is -1"):
        noise_weights(labels, error=-1.0)
    with pytest.raises(TypeError, match="expected fastsa.Labels"):
        noise_weights(np.ones(3))
    with pytest.raises(ValueError, match="0 items have two samples"):
        item_variance(np.ones((20, 2)), labels_of(rng.normal(size=(1, 20, 1))))
    x = rng.normal(size=(20, 3))
    game = games.ModelGame(lambda x: x.sum(axis=1), x, games.Baseline())
    stream = fastsa.LabelStream(game, estimators.PermutationShapley(), samples=2)
    with pytest.raises(ValueError, match="whose counts grow"):
        AttributionNet(epochs=1).fit(x, stream, weights=np.ones(20))
    for wrong, message in ((np.ones(3), "weights have shape"), (-np.ones(20), "expected finite numbers, at least 0")):
        with pytest.raises(ValueError, match=message):
            AttributionNet(epochs=1).fit(x, stream.collect(), weights=wrong)
