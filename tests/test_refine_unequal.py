"""Refined values where errors and noise are of unequal sizes, or hardly known: items, players, and labels tens of times noisier."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_labels import labels_of

from fastsa import estimators
from fastsa.amortize import refine
from fastsa.amortize.correction.error_sizes import Cells, ErrorSize, error_size


def of_inputs(seed, *, items, players, samples, ratio, of_items=0.0, of_players=0.0):
    """(truth, prediction, labels) [items, players, 1]; logs of sizes are normal, `ratio` is noise over error, the same everywhere."""
    rng = np.random.default_rng(seed)
    size = np.exp(of_items * rng.normal(size=(items, 1, 1)) + of_players * rng.normal(size=(1, players, 1)))
    truth = size * rng.normal(size=(items, players, 1))
    p = truth + 0.5 * size * rng.normal(size=truth.shape)
    noise = 0.5 * np.sqrt(ratio * samples) * size * rng.normal(size=(samples, *truth.shape))
    return truth, p, labels_of(truth + noise, one_game=False, estimator=estimators.PermutationShapley())


def compared(truth, p, labels, **settings):
    """The error of refined values over that of the better parent, and over the bound."""
    e, e_p, e_l = (np.mean((v - truth) ** 2) for v in (refine(p, labels, **settings).values, p, labels.mean))
    return e / min(e_p, e_l), e * (1 / e_p + 1 / e_l)


@pytest.mark.parametrize(("items", "ratio", "most"), [(100, 0.3, 0.85), (300, 0.3, 0.9), (300, 1.0, 0.61)])
def test_where_few_inputs_hold_the_error_values_are_better_than_both_parents(items, ratio, most):
    """Of the better parent, means of 8: 0.78, 0.82 and 0.57. Groups drawn to one size by their means: 0.88, 1.43 and 0.83; bound
    by one size only: 0.65 in the last."""
    found = [
        compared(*of_inputs(seed, items=items, players=12, samples=4, ratio=ratio, of_items=1.0)) for seed in range(8)
    ]
    better, bound = np.mean(found, axis=0)
    assert better < most
    assert bound < 1.12


@pytest.mark.parametrize("ratio", [0.3, 1.0])
def test_players_of_unequal_sizes_are_known_by_their_common_ratio_at_4_samples(ratio):
    """50 inputs hardly tell each player's error. Over the bound: 1.01 and 1.03; bound by one size only, 1.04 and 1.21."""
    groups = np.arange(8)[None]
    made = [of_inputs(s, items=50, players=8, samples=4, ratio=ratio, of_items=0.3, of_players=1.0) for s in range(8)]
    assert np.mean([compared(*one, groups=groups)[1] for one in made]) < (1.03 if ratio < 1 else 1.08)


def test_players_whose_errors_are_of_one_size_though_their_noise_is_not_are_known_by_that_size():
    """The twin of the ratio: with noise of all sizes and one error, the ratio would believe noisy labels most."""
    rng = np.random.default_rng(0)
    scale = np.exp(np.linspace(-2, 2, 8))[:, None]
    truth = rng.normal(size=(60, 8, 1))
    p = truth + 0.5 * rng.normal(size=truth.shape)
    labels = labels_of(
        truth + scale * rng.normal(size=(4, *truth.shape)), one_game=False, estimator=estimators.PermutationShapley()
    )
    refined = refine(p, labels, groups=np.arange(8)[None])
    best = 0.25 / (0.25 + scale[:, 0] ** 2 / 4)
    np.testing.assert_allclose(refined.weight[0, :, 0], best, atol=0.1)


@pytest.mark.parametrize(("ratio", "bound", "better"), [(10, 1.05, 0.96), (20, 1.03, 0.98), (50, 1.02, 1.0)])
def test_labels_tens_of_times_noisier_than_the_prediction_take_off_what_they_can_and_do_no_harm(ratio, bound, better):
    """1,000 points, 5 samples, means of 30. Expected sizes taken for true cost 3 % at 50; weight 0 misses the bound at 10."""
    found = []
    for seed in range(30):
        rng = np.random.default_rng([ratio, seed])
        truth = rng.normal(size=(1_000, 1))
        labels = labels_of(truth + 0.5 * np.sqrt(5 * ratio) * rng.normal(size=(5, 1_000, 1)))
        found.append(compared(truth, truth + 0.5 * rng.normal(size=truth.shape), labels))
    assert np.mean([f[0] for f in found]) < better
    assert np.mean([f[1] for f in found]) < bound


def test_the_weight_has_the_least_expected_ratio_to_the_best_weights_error():
    sizes, noise = np.array([0.01, 0.2, 3.0]), 0.7
    chance = np.array([0.3, 0.5, 0.2])
    weights = np.linspace(0, 1, 100_001)
    errors = weights[:, None] ** 2 * noise + (1 - weights[:, None]) ** 2 * sizes
    best = weights[np.argmin((errors * (1 / sizes + 1 / noise)) @ chance)]
    size = ErrorSize(*(np.array([v]) for v in (chance @ sizes, chance @ (1 / sizes), np.nan, np.nan)))
    assert size.weight(np.array([noise]))[0] == pytest.approx(best, abs=2e-5)
    assert size.weight(np.array([0.0]))[0] == 1.0 and size.weight(np.array([np.inf]))[0] == 0.0


@pytest.mark.parametrize("noise", [0.1, 1.0, 3.0])
def test_the_size_of_one_groups_error_is_expected_as_the_integral_over_all_sizes_says(noise):
    rng = np.random.default_rng(1)
    squared = 1.5 * rng.chisquare(1, size=(60, 1)) - noise + 0.4 * noise
    cells = Cells(np.zeros((60, 1), np.int64), np.arange(60)[:, None])
    found = error_size(squared, np.full((60, 1), noise), cells)
    whole = squared.mean() + noise
    shape = min(whole**2 / (squared.var() / 60), 30)
    logs = np.linspace(np.log(0.005 * whole), np.log(20 * whole), 20_001)
    size = np.exp(logs)
    density = (whole / (size + noise)) ** shape * np.exp(-shape * (whole / (size + noise) - 1))
    expected = [(density @ v) / density.sum() for v in (size, 1 / size)]
    expected += [(weights @ size) / weights.sum() for weights in (density * size, density * size**2)]
    for value, by_integral in zip((found.mean, found.inverse, found.likely, found.widest), expected, strict=True):
        np.testing.assert_allclose(value, by_integral, rtol=0.05)


def test_groups_without_noise_keep_their_own_error_and_no_group_minds_them():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(200, 3, 1))
    noise = np.array([0.0, 1.0, 1.0])[:, None] * rng.normal(size=(4, 200, 3, 1))
    labels = labels_of(truth + noise, one_game=False, estimator=estimators.PermutationShapley())
    refined = refine(truth + 0.5 * rng.normal(size=truth.shape), labels, groups=np.arange(3)[None])
    np.testing.assert_array_equal(refined.values[:, 0], truth[:, 0])
    np.testing.assert_allclose(refined.weight[:, 1:], 0.5, atol=0.1)
