"""Standard errors that cover what they say, and biases that fall as they say, over many runs of one game (repeated_games)."""

from __future__ import annotations

import numpy as np
import pytest
import repeated_games
import significance
from scipy import stats

from fastsa import exact, games
from fastsa.estimators import (
    LIME,
    AdjustedMSR,
    BanzhafMSR,
    BetaShapley,
    KernelSHAP,
    LeverageSHAP,
    PermutationShapley,
    Semivalue,
    SGDShapley,
    UnbiasedKernelSHAP,
)

CASES = {
    "table": lambda runs: repeated_games.table_case(runs, 4),
    "a background row per sample": repeated_games.marginal_case,
}
COVERED = [
    (PermutationShapley(), 100),
    (PermutationShapley(antithetic=True), 100),
    (BetaShapley(2, 1), 100),
    (UnbiasedKernelSHAP(), 100),
    (UnbiasedKernelSHAP(paired=False), 100),
    (Semivalue(), 100),
    (Semivalue("banzhaf", paired=False), 100),
    (AdjustedMSR(), 200),
    (BanzhafMSR(), 100),
    (SGDShapley(), 200),
    (SGDShapley(step=0.02), 200),
    (SGDShapley(step=0.02, debiased=False), 200),
    (KernelSHAP(), 100),
    (KernelSHAP(paired=False), 100),
    (LeverageSHAP(), 100),
    (LeverageSHAP(paired=False), 100),
    (LIME(), 300),
    (LIME("tabular"), 300),
]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize(("estimator", "samples"), COVERED)
def test_intervals_cover_what_they_estimate_as_often_as_they_say(case, estimator, samples):
    """95 % t-intervals, mean coverage over values within 0.02: three standard errors of 1000 runs
    were all values of a run to err together, which they do not."""
    game = case(1000)
    runs = repeated_games.runs_of(game, estimator, samples)
    truth = runs.truth
    if isinstance(estimator, SGDShapley) and not estimator.debiased:
        model = games.ModelGame(game.model._fn, game.bound.inputs[:1], game.masker)
        total = exact(model)[0].sum(axis=0) / game.n_players
        truth = total + estimator.shrinkage(game.n_players, samples) * (truth - total)
    varies = runs.stderr.min(axis=0) > significance.ROUNDING
    covered = np.abs(runs.mean - truth) <= stats.t.ppf(0.975, samples - 1) * runs.stderr
    assert 0.93 < covered[:, varies].mean() < 0.97


@pytest.mark.parametrize(
    ("estimator", "samples"), [(KernelSHAP(), 8), (LeverageSHAP(), 8), (KernelSHAP(paired=False), 10)]
)
def test_errors_of_regressions_are_scaled_by_the_samples_that_are_spare(estimator, samples):
    """At few samples the mean squared standard error is that of the runs within a third; by the sum alone it is half of it."""
    game = games.ModelGame(repeated_games.table_model(4, 1, seed=2)[0], np.ones((4000, 4)), games.Baseline())
    runs = repeated_games.runs_of(game, estimator, samples)
    there = np.isfinite(runs.stderr).all(axis=(1, 2))
    stated = np.median(runs.stderr[there], axis=0)
    found = np.median(np.abs(runs.mean[there] - runs.truth), axis=0) / stats.norm.ppf(0.75)
    assert there.mean() > 0.8
    assert 0.67 < (stated / found).mean() < 1.5


def three_of_four(runs):
    """Three players who are worth something together: LIME is biased on it."""
    return games.ModelGame(lambda x: x[:, :3].prod(axis=1), np.ones((runs, 4)), games.Baseline())


RATES = [
    (repeated_games.spike_case, KernelSHAP(), 20, 16_000),
    (repeated_games.spike_case, KernelSHAP(paired=False), 20, 40_000),
    (three_of_four, LIME(), 24, 8000),
    (three_of_four, LIME("tabular"), 24, 16_000),
]


@pytest.mark.parametrize(("game", "estimator", "samples", "runs"), RATES)
def test_the_bias_of_consistent_estimators_falls_as_one_over_samples(game, estimator, samples, runs):
    """The bias is found by more than five standard errors; at four times the samples a quarter of it is left, not a half.

    A quarter within three standard errors and a sixteenth for what falls faster; a half is further away than four.
    """
    few, many = (repeated_games.runs_of(game(runs), estimator, k, seed=s) for s, k in enumerate((samples, 4 * samples)))
    (bias, stderr), (left, left_stderr) = few.bias, many.bias
    assert significance.largest_z(bias, stderr, 0.0) > 5
    direction = bias / (bias**2).sum()
    ratio = (left * direction).sum()
    error = np.sqrt((left_stderr**2 * direction**2).sum() + ratio**2 * (stderr**2 * direction**2).sum())
    assert abs(ratio - 0.25) < 3 * error + 0.0625
    assert 0.5 - ratio > 4 * error
    assert not estimator.unbiased


@pytest.mark.parametrize("paired", [True, False])
def test_leverage_weights_leave_no_bias_to_speak_of(paired):
    """On the game where KernelSHAP's is found by more than five standard errors of as many runs (false alarm 1e-6)."""
    bias, stderr = repeated_games.runs_of(repeated_games.spike_case(16_000), LeverageSHAP(paired=paired), 40).bias
    assert significance.largest_z(bias, stderr, 0.0) < significance.threshold(bias.size)
