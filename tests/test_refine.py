"""Refined values: near the bound, never far above the better parent, standard errors that cover, and cross-fitting."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_labels import labels_of

from fastsa import estimators
from fastsa.amortize import crossfit, refine

NORMAL_95 = 1.96


def normal(rng, shape):
    return rng.normal(size=shape)


def skewed(rng, shape):
    return rng.exponential(size=shape) - 1.0


def trials(n, k, tau, sigma, shape=normal, repetitions=100, seed=0):
    """(errors of values, prediction, label: [repetitions, 3]; covered share of items; covered share of certificates)."""
    rng, errors, items, certified = np.random.default_rng(seed), [], [], []
    for _ in range(repetitions):
        truth = rng.normal(size=n)
        labels = labels_of((truth + sigma * shape(rng, (k, n)))[..., None])
        p = truth + tau * rng.normal(size=n)
        refined = refine(p, labels)
        off = refined.values[:, 0] - truth
        errors.append([np.mean(off**2), np.mean((p - truth) ** 2), np.mean((labels.mean[:, 0] - truth) ** 2)])
        items.append(np.mean(np.abs(off) <= NORMAL_95 * refined.stderr[:, 0]))
        error = refined.certificate.error
        certified.append(error.low <= errors[-1][0] <= error.high)
    return np.array(errors), np.mean(items), np.mean(certified)


TASKS = [  # items, samples, error of the prediction, noise of a sample, its shape
    (1_000, 2, 0.5, 1.0, normal),
    (1_000, 3, 1.0, 1.0, normal),
    (1_000, 5, 0.5, 1.0, skewed),
    (1_000, 50, 0.5, 1.0, normal),
    (1_000, 2, 1.0, 0.1, normal),
    (4_000, 5, 0.3, 2.0, normal),
]


@pytest.mark.parametrize(("n", "k", "tau", "sigma", "shape"), TASKS)
def test_the_error_is_within_5_percent_of_the_best_weighting_and_standard_errors_cover_94_to_96_percent(
    n, k, tau, sigma, shape
):
    errors, covered, _ = trials(n, k, tau, sigma, shape)
    refined, prediction, label = errors.mean(axis=0)
    assert refined <= 1.05 / (1 / prediction + 1 / label)
    assert 0.94 <= covered <= 0.96


@pytest.mark.parametrize("tau", [0.01, 0.05, 0.1, 0.2, 0.3, 0.7, 1.5, 5.0])
def test_no_task_is_more_than_2_percent_worse_than_its_better_parent_or_than_a_thousandth_of_the_noise(tau):
    # Ten thousand items, noise 1/2: below tau = 0.1 no weight can be told from 0, and what is lost is beside the noise.
    errors, covered, _ = trials(10_000, 2, tau, 1.0, repetitions=30, seed=1)
    refined, prediction, label = errors.mean(axis=0)
    better = min(prediction, label)
    assert refined <= max(1.02 * better, better + 1e-3 * label)
    assert refined <= 1.06 / (1 / prediction + 1 / label) or better < 0.005
    assert covered >= 0.94


def test_the_certificate_of_the_values_covers_their_error_on_these_items():
    covered = [trials(500, k, tau, 1.0, repetitions=300, seed=2)[2] for k, tau in ((2, 0.5), (5, 1.0), (20, 0.3))]
    assert all(0.92 <= share <= 0.98 for share in covered), covered  # standard error 1.3 %


def test_an_items_own_variance_would_bias_where_noise_is_skewed_and_the_pooled_one_does_not():
    rng = np.random.default_rng(3)
    truth = np.zeros(50_000)
    samples = rng.exponential(size=(3, 50_000)) - 1.0
    labels = labels_of(samples[..., None])
    own = 0.25 / (0.25 + labels.stderr**2) * labels.mean
    assert abs(own.mean()) > 0.05  # skewed: low means go with low variances, and are believed more
    refined = refine(truth + 0.5 * rng.normal(size=50_000), labels)
    assert abs(refined.values.mean()) < 0.01


def test_values_tend_to_the_labels_as_samples_grow_and_to_the_prediction_as_they_vanish():
    rng = np.random.default_rng(4)
    truth = rng.normal(size=400)
    p = truth + 0.5 * rng.normal(size=400)
    weights = [
        refine(p, labels_of((truth + rng.normal(size=(k, 400)))[..., None])).weight.mean() for k in (2, 20, 200, 2_000)
    ]
    assert np.all(np.diff(weights) > 0) and weights[-1] > 0.99
    exact = labels_of(np.repeat(truth[None, :, None], 2, axis=0))
    np.testing.assert_array_equal(refine(p, exact).values[:, 0], truth)
    perfect = refine(truth, labels_of((truth + rng.normal(size=(2, 400)))[..., None]))
    assert perfect.weight.mean() < 0.02


def test_groups_of_different_error_get_weights_of_their_own():
    rng = np.random.default_rng(5)
    truth, bad = rng.normal(size=4_000), np.arange(4_000) % 2
    labels = labels_of((truth + rng.normal(size=(4, 4_000)))[..., None])
    p = truth + np.where(bad, 1.5, 0.1) * rng.normal(size=4_000)
    grouped, together = refine(p, labels, groups=bad), refine(p, labels, groups=np.zeros(4_000, int))
    assert grouped.weight[bad == 1].mean() > 0.85 and grouped.weight[bad == 0].mean() < 0.2
    assert np.mean((grouped.values[:, 0] - truth) ** 2) < 0.7 * np.mean((together.values[:, 0] - truth) ** 2)


def test_labels_without_samples_leave_the_prediction_and_more_samples_weigh_more():
    rng = np.random.default_rng(6)
    truth, count = rng.normal(size=900), np.tile([0, 2, 8], 300)
    samples = truth + rng.normal(size=(8, 900))
    labels = labels_of(samples[..., None])
    for k in (0, 2):
        some = labels_of(samples[: max(k, 1), :, None]).statistics
        for name in ("count", "mean", "deviation"):
            getattr(labels.statistics, name)[count == k] = getattr(some, name)[count == k] if k else 0
    refined = refine(truth + 0.6 * rng.normal(size=900), labels)
    np.testing.assert_array_equal(refined.values[count == 0], refined.predictions[count == 0])
    weights = [refined.weight[count == k].mean() for k in (0, 2, 8)]
    assert weights[0] == 0 and 0.3 < weights[1] < 0.55 and 0.65 < weights[2] < 0.85
    assert (refined.stderr > 0).all()


def test_players_and_outputs_of_many_games_are_refined_apart():
    rng = np.random.default_rng(7)
    truth = rng.normal(size=(300, 4, 2)) * [1.0, 100.0]
    samples = truth + rng.normal(size=(4, 300, 4, 2)) * [2.0, 20.0]
    labels = labels_of(samples, one_game=False, estimator=estimators.PermutationShapley())
    refined = refine(truth + rng.normal(size=truth.shape) * [0.2, 50.0], labels)
    assert refined.values.shape == truth.shape
    assert refined.weight[..., 0].mean() < 0.15 and refined.weight[..., 1].mean() > 0.9


def regression(X):
    return lambda labels: X @ np.linalg.lstsq(X, labels.mean, rcond=None)[0]


def crossfitted(rng, *, n, k, width, rho=0.0, rest=0.5, sigma=1.0):
    """One run: (errors of values, prediction and label), covered share, certificates of both."""
    X = rng.normal(size=(n, width))
    truth = X @ rng.normal(size=width) / np.sqrt(width) + rest * rng.normal(size=n)
    common = rng.normal(size=(2 * k, width)) @ X.T / np.sqrt(width)
    samples = truth + sigma * (np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=(2 * k, n)))
    estimator = estimators.PermutationShapley() if rho else None
    parts = [
        labels_of(s[..., None], first=k * i, role="train", estimator=estimator)
        for i, s in enumerate((samples[:k], samples[k:]))
    ]
    refined = crossfit(regression(X), parts)
    errors = [
        np.mean((v - truth) ** 2) for v in (refined.values[:, 0], refined.predictions[:, 0], samples.mean(axis=0))
    ]
    return errors, np.mean(np.abs(refined.values[:, 0] - truth) <= NORMAL_95 * refined.stderr[:, 0]), refined


@pytest.mark.parametrize(("k", "width"), [(2, 10), (1, 10), (2, 40), (5, 10)])
def test_cross_fitted_values_meet_the_bound_their_errors_are_certified_and_their_standard_errors_cover(k, width):
    rng = np.random.default_rng(8)
    runs = [crossfitted(rng, n=1_000, k=k, width=width) for _ in range(100)]
    refined, prediction, label = np.mean([run[0] for run in runs], axis=0)
    assert refined <= (1.05 if width == 10 else 1.08) / (
        1 / prediction + 1 / label
    )  # the bound is for independent errors
    assert 0.94 <= np.mean([run[1] for run in runs]) <= 0.96
    for place, name in ((0, "certificate"), (1, "prediction_certificate")):
        errors = [getattr(run[2], name).error for run in runs]
        # Weights chosen on the same noise flatter the values: by 5 % at one sample in each half, about 1 % at two.
        assert np.mean([e.value for e in errors]) == pytest.approx(
            [refined, prediction][place], rel=0.06 if k == 1 else 0.04
        )
        assert np.mean([e.low <= run[0][place] <= e.high for e, run in zip(errors, runs, strict=True)]) >= (
            0.90 if width == 10 else 0.85
        )


def test_where_items_share_draws_cross_fitting_by_sample_still_tells_the_errors():
    rng = np.random.default_rng(9)
    runs = [crossfitted(rng, n=1_000, k=4, width=20, rho=0.5) for _ in range(50)]
    refined, prediction, _ = np.mean([run[0] for run in runs], axis=0)
    assert np.mean([run[2].certificate.error.value for run in runs]) == pytest.approx(refined, rel=0.05)
    assert np.mean([run[2].prediction_certificate.error.value for run in runs]) == pytest.approx(prediction, rel=0.05)
    assert 0.92 <= np.mean([run[1] for run in runs]) <= 0.96
    assert np.isnan(runs[0][2].certificate.error.low) and "share" in runs[0][2].certificate.basis


def test_a_prediction_taken_for_independent_of_its_own_labels_would_seem_too_good_and_is_refused():
    rng = np.random.default_rng(10)
    X = rng.normal(size=(1_000, 100))
    truth = 0.5 * rng.normal(size=1_000)
    labels = labels_of((truth + rng.normal(size=(4, 1_000)))[..., None], role="train")
    p = regression(X)(labels)
    with pytest.raises(ValueError, match="the labels have the role train"):
        refine(p, labels)
    with pytest.raises(ValueError, match="the predictions have seen the samples"):
        refine(p, labels, seen=labels)
    naive = refine(p, labels, seen=())
    assert naive.prediction_certificate.error.value < 0.85 * np.mean((p[:, 0] - truth) ** 2)


def test_refusals():
    samples = np.random.default_rng(11).normal(size=(3, 20, 1))
    labels, p = labels_of(samples), np.zeros(20)
    with pytest.raises(ValueError, match="no label has two samples"):
        refine(p, labels_of(samples[:1]))
    with pytest.raises(ValueError, match="SGDShapley.* is biased, and its bias would pass for truth"):
        refine(p, labels_of(samples, estimator=estimators.SGDShapley(debiased=False)))
    with pytest.raises(TypeError, match="groups have dtype float64"):
        refine(p, labels, groups=np.zeros(20))
    with pytest.raises(ValueError, match=r"groups have shape \(3,\); expected one that broadcasts to \(20,\)"):
        refine(p, labels, groups=np.zeros(3, int))
    with pytest.raises(ValueError, match="1 parts were given; expected 2"):
        crossfit(lambda _: p, [labels])
    with pytest.raises(ValueError, match="two labels hold the same samples"):
        crossfit(lambda _: p, [labels, labels_of(samples, first=2)])
    with pytest.raises(ValueError, match=r"predictions have shape \(3,\)"):
        crossfit(lambda _: p[:3], [labels, labels_of(samples, first=3)])
    empty = labels_of(samples, first=3)
    empty.statistics.count[4] = 0
    with pytest.raises(ValueError, match="an item has no sample in one of the parts"):
        crossfit(lambda _: p, [labels, empty])
