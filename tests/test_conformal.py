"""Intervals for items without labels: they cover what they say, of labels and of the truth behind them."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_labels import labels_of

from fastsa.amortize import conformal_interval
from fastsa.estimators import Distributional


class Biased(Distributional):
    unbiased = False


def problem(rng, items, samples, *, error=0.5, noise=1.0, players=None, tails="normal", error_scale=None):
    """(truth, predictions, labels) of independent items: truth normal, predictions off by `error`, one sample by `noise`."""
    shape = (items, 2) if players is None else (items, players, 2)
    truth = rng.normal(size=shape)
    off = rng.normal(size=shape) if tails == "normal" else rng.laplace(size=shape) / np.sqrt(2)
    predictions = truth + error * (1.0 if error_scale is None else error_scale) * off
    drawn = truth + noise * rng.normal(size=(samples, *shape))
    return truth, predictions, labels_of(drawn, one_game=players is None)


def coverage(rng, repeats, of="truth", against="truth", level=0.95, items=150, samples=3, **shape):
    """Mean share of 2,000 new items inside, over calibrations of their own."""
    shares, widths = [], []
    for _ in range(repeats):
        _, p, labels = problem(rng, items, samples, **shape)
        truth, new, theirs = problem(rng, 2000, samples, **shape)
        low, high = conformal_interval(p, labels, new, of=of, level=level)
        target = truth if against == "truth" else theirs.mean
        shares.append(np.mean((low <= target) & (target <= high)))
        widths.append(np.mean(high - low))
    return float(np.mean(shares)), float(np.mean(widths))


@pytest.mark.parametrize(
    ("noise", "items"), [(0.2, 150), (1.0, 150), (2.0, 800)], ids=["little noise", "some", "four times the error"]
)
@pytest.mark.parametrize("players", [None, 3], ids=["points", "players"])
def test_intervals_of_the_truth_cover_it_whatever_the_noise_of_the_labels(noise, items, players):
    """94 to 97 % over 40 calibrations; a calibration's coverage spreads by some 3 %, so that chance moves the mean by .5 %."""
    share, width = coverage(np.random.default_rng(1), 40, noise=noise, items=items, players=players)
    assert 0.94 < share < 0.975
    assert width < 1.25 * 2 * 1.96 * 0.5


def test_where_few_items_cannot_tell_the_error_from_noise_intervals_are_wide_rather_than_wrong():
    share, _ = coverage(np.random.default_rng(1), 40, noise=2.0, items=100)
    assert share > 0.97


def test_intervals_of_labels_cover_labels_and_are_far_too_wide_for_the_truth():
    """The twin: without the noise taken out intervals are about as wide as labels are noisy."""
    rng = np.random.default_rng(2)
    share, _ = coverage(rng, 40, of="labels", against="labels", noise=2.0)
    assert 0.945 < share < 0.965
    over, width = coverage(rng, 10, of="labels", against="truth", noise=2.0, items=800)
    assert over > 0.999 and width > 2 * coverage(rng, 10, noise=2.0, items=800)[1]


@pytest.mark.parametrize("level", [0.5, 0.8, 0.99])
def test_other_levels_are_kept(level):
    share, _ = coverage(np.random.default_rng(3), 30, level=level, items=300)
    assert level - 0.01 < share < min(level + 0.045, 1.0)


def test_errors_of_longer_tails_are_covered_nearly_as_often():
    share, _ = coverage(np.random.default_rng(4), 40, tails="laplace")
    assert 0.93 < share < 0.975


def test_the_spread_gives_unsure_items_wide_intervals_and_the_others_narrow_ones():
    """Means over 20 calibrations of 400 items."""
    rng = np.random.default_rng(5)
    shares = []
    for _ in range(20):
        scale = np.where(rng.random((1200, 1)) < 0.5, 0.2, 2.0) * np.ones(2)
        truth, p, labels = problem(rng, 1200, 3, noise=0.5, error_scale=scale)
        old, new = np.arange(400), np.arange(400, 1200)
        own, sure = labels.take(old), scale[new] < 1
        flat = conformal_interval(p[old], own, p[new])
        told = conformal_interval(p[old], own, p[new], spread=scale[old], new_spread=scale[new])
        inside = [(low <= truth[new]) & (truth[new] <= high) for low, high in (flat, told)]
        shares.append([one[rows].mean() for one in inside for rows in (sure, ~sure)])
    flat_sure, flat_unsure, told_sure, told_unsure = np.mean(shares, axis=0)
    assert flat_sure > 0.999 and flat_unsure < 0.92
    assert 0.94 < told_sure < 0.975 and 0.94 < told_unsure < 0.975
    other_unit = conformal_interval(p[old], own, p[new], spread=7 * scale[old], new_spread=7 * scale[new])
    np.testing.assert_allclose(other_unit.low, told.low, atol=1e-9)


def test_players_have_widths_of_their_own_and_one_output_may_be_left_out():
    rng = np.random.default_rng(6)
    each = np.array([0.01, 0.5, 2.0])[:, None]
    _, p, labels = problem(rng, 300, 3, noise=0.1, players=3, error_scale=each)
    low, high = conformal_interval(p, labels, p[:50])
    width = (high - low).mean(axis=(0, 2))
    assert width[0] < 0.7 * width[1] < 0.35 * width[2]
    single = labels_of(rng.normal(size=(3, 60, 1)))
    low, high = conformal_interval(single.mean[:, 0] + 0.1, single, np.zeros(7))
    assert low.shape == high.shape == (7,)


def test_exact_labels_give_the_quantile_of_the_errors_and_items_without_samples_none():
    rng = np.random.default_rng(7)
    truth = rng.normal(size=(99, 1))
    exact = labels_of(np.stack([truth, truth]))
    p = truth + np.linspace(-1, 1, 99)[:, None]
    low, high = conformal_interval(p, exact, np.zeros((1, 1)), of="labels", level=0.9)
    np.testing.assert_allclose([low.item(), high.item()], [-np.sort(np.abs(np.linspace(-1, 1, 99)))[89], -low.item()])
    # nothing is noise: the normal interval of the truth is no wider than that of labels
    inside = conformal_interval(p, exact, np.zeros((1, 1)), level=0.9)
    assert inside.high.item() <= high.item()


def test_refusals():
    rng = np.random.default_rng(8)
    _, p, labels = problem(rng, 30, 3)
    with pytest.raises(ValueError, match="30 items are too few for level 0.99; expected at least 99"):
        conformal_interval(p, labels, p, of="labels", level=0.99)
    with pytest.raises(ValueError, match="the role train"):
        conformal_interval(p, labels_of(rng.normal(size=(3, 30, 2)), role="train"), p)
    with pytest.raises(ValueError, match="is biased"):
        conformal_interval(p, labels_of(rng.normal(size=(3, 30, 2)), estimator=Biased()), p)
    with pytest.raises(ValueError, match="new has shape"):
        conformal_interval(p, labels, p[:, :1])
    with pytest.raises(ValueError, match="go together"):
        conformal_interval(p, labels, p, spread=np.ones((30, 2)))
    with pytest.raises(ValueError, match="expected numbers above 0"):
        conformal_interval(p, labels, p, spread=np.zeros((30, 2)), new_spread=np.ones((30, 2)))
    with pytest.raises(ValueError, match="of is 'mean'"):
        conformal_interval(p, labels, p, of="mean")
    with pytest.raises(ValueError, match="expected a share below 1"):
        conformal_interval(p, labels, p, level=1.0)
    with pytest.raises(TypeError, match="expected fastsa.Labels"):
        conformal_interval(p, p, p)
