"""Estimators of one input many times over: unbiased at the smallest samples, and solving what they draw.

The runs of one game are independent items of one stream (repeated_games). A test of unbiasedness raises a false alarm with
probability 1e-6 and finds, with probability 0.999, a bias of a tenth of the standard deviation of one run; that is asserted.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import pytest
import repeated_games
import significance
from scipy import stats

from fastsa import LabelStream, exact, games
from fastsa.estimators import (
    LIME,
    AdjustedMSR,
    BanzhafMSR,
    BetaShapley,
    KernelSHAP,
    LeaveOneOut,
    LeverageSHAP,
    PermutationShapley,
    Semivalue,
    SGDShapley,
    UnbiasedKernelSHAP,
)
from fastsa.estimators.linear_pool import kernel_eigenvalue

RUNS = 8000
CASES = {
    "table": lambda runs: repeated_games.table_case(runs, 4),
    "a background row per sample": repeated_games.marginal_case,
    "the whole background": lambda runs: repeated_games.marginal_case(runs, whole=True),
}
UNBIASED = [
    (PermutationShapley(), 1),
    (PermutationShapley(antithetic=True), 1),
    (BetaShapley(4, 2), 1),
    (BetaShapley(0.5, 3), 2),
    (UnbiasedKernelSHAP(), 1),
    (UnbiasedKernelSHAP(paired=False), 2),
    (Semivalue(), 1),
    (Semivalue("banzhaf", q=0.3, paired=False), 2),
    (Semivalue("beta", alpha=4), 2),
    (AdjustedMSR(), 4),
    (AdjustedMSR("banzhaf", paired=False), 5),
    (BanzhafMSR(), 40),
    (BanzhafMSR(0.3), 60),
    (SGDShapley(), 2),
    (SGDShapley(step=0.2), 5),
]


def is_biased(game, estimator, samples):
    """Whether the mean over runs contradicts the exact values, at the file's rate of false alarms."""
    bias, stderr = repeated_games.runs_of(game, estimator, samples).bias
    return not np.isfinite(bias).all() or significance.largest_z(bias, stderr, 0.0) > significance.threshold(bias.size)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize(("estimator", "samples"), UNBIASED)
def test_labels_of_few_samples_are_unbiased(case, estimator, samples):
    runs = repeated_games.runs_of(case(RUNS), estimator, samples)
    reach = significance.threshold(runs.truth.size) + stats.norm.isf(1 - significance.CAUGHT)
    assert reach / np.sqrt(RUNS) < 0.1
    assert estimator.unbiased and not is_biased(case(RUNS), estimator, samples)


class WrongEigenvalue(UnbiasedKernelSHAP):
    """The mistake of taking E[1_i 1_j] for that of uniform sizes."""

    def weights(self, n_players):
        share = np.arange(n_players + 1) / n_players
        return (1 - share) * 6, -share * 6


class ForgetsTheEnds(Semivalue):
    """The mistake of a sum over coalitions that were drawn, with the empty one and the whole left out."""

    def ends(self, n_players):
        return 0.0, 0.0


class CountsOneSize(BetaShapley):
    """The mistake of weights by the size with the player, one too many."""

    def weight_of_size(self, n_players):
        return np.roll(super().weight_of_size(n_players), 1)


@dataclass(frozen=True)
class FitsItsOwnFold(AdjustedMSR):
    """The mistake of a fit on the samples that it is corrected by: no longer independent."""

    def _fits(self, pool, roster):
        return super()._fits(pool, roster)[::-1]


class ReversesNothing(PermutationShapley):
    """The mistake of pairing a permutation with itself, and paying the first player twice."""

    def draw(self, game, part, **options):
        drawn = super().draw(game, part, **options)
        after = drawn.after.copy()
        after[:: game.n_players] = drawn.before[:: game.n_players]
        return type(drawn)(drawn.walks, drawn.items, after, drawn.before, drawn.players, drawn.weights, drawn.fold)


TWINS = [
    (WrongEigenvalue(), 1),
    (ForgetsTheEnds(), 1),
    (ForgetsTheEnds("beta", alpha=4), 2),
    (CountsOneSize(4, 2), 1),
    (FitsItsOwnFold(), 4),
    (ReversesNothing(antithetic=True), 1),
    (SGDShapley(step=0.2, debiased=False), 5),
    (KernelSHAP(), 20),
]


@pytest.mark.parametrize(("twin", "samples"), TWINS)
def test_a_biased_twin_fails_the_same_test(twin, samples):
    game = repeated_games.spike_case(RUNS) if isinstance(twin, KernelSHAP) else repeated_games.table_case(RUNS, 4)
    assert is_biased(game, twin, samples)


def test_leave_one_out_is_exact_where_nothing_is_drawn_and_unbiased_where_a_background_is():
    game = repeated_games.table_case(3)
    labels = LabelStream(game, LeaveOneOut(), samples=1).collect()
    assert (labels.mean == exact(game, "leave_one_out")).all() and np.isnan(labels.stderr).all()
    assert not is_biased(repeated_games.marginal_case(RUNS), LeaveOneOut(), 2)


@pytest.mark.parametrize("n", [2, 3, 6, 10, 196])
def test_the_eigenvalue_is_that_of_the_published_matrix(n):
    """A_ij = sum over k = 2 .. d - 1 of (k - 1) / (d - k), over d (d - 1) sum of 1 / (k (d - k)): Covert and Lee 2021."""
    k = np.arange(1, n)
    off_diagonal = ((k - 1) / (n - k)).sum() / (1 / (k * (n - k))).sum() / (n * (n - 1))
    assert abs(kernel_eigenvalue(n) - (0.5 - off_diagonal)) < 1e-12
    if n <= 10:
        members = (np.arange(1, 2**n - 1)[:, None] >> np.arange(n)) & 1
        size = members.sum(axis=1)
        chance = 1 / (size * (n - size)) / np.array([comb(n, s) for s in size])
        matrix = members.T @ (chance[:, None] * members) / chance.sum()
        expected = np.full((n, n), off_diagonal) + np.eye(n) * (0.5 - off_diagonal)
        np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)


def test_the_shrinkage_of_the_published_sgd_is_the_papers():
    """step 5e-4, 196 patches, 4993 steps: a tenth of the way from the uniform start to the Shapley values."""
    assert round(kernel_eigenvalue(196), 4) == 0.0854
    assert round(SGDShapley().shrinkage(196, 4993), 4) == 0.0995


@pytest.mark.parametrize("step", [0.01, 0.3])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_mean_iterate_of_sgd_is_the_closed_form(case, step):
    """u + c (phi - u) at 12 steps (false alarm 1e-6); without the shrinkage the same test fails."""
    game = case(RUNS)
    runs = repeated_games.runs_of(game, SGDShapley(step=step, debiased=False), 12)
    start = runs.truth.sum(axis=0) / game.n_players
    c = 1 - np.mean((1 - step * kernel_eigenvalue(game.n_players)) ** np.arange(1, 13))
    _, stderr = runs.bias
    off = significance.threshold(runs.truth.size)
    assert significance.largest_z(runs.mean.mean(axis=0), stderr, start + c * (runs.truth - start)) < off
    assert significance.largest_z(runs.mean.mean(axis=0), stderr, runs.truth) > off


def test_the_published_algorithm_step_by_step_gives_the_labels():
    """SGD written out: a pair a step, projection after each, the mean of all iterates, from (v(N) - v(empty)) / n each."""
    game = repeated_games.table_case(1, 5)
    estimator = SGDShapley(step=0.05, debiased=False)
    labels = LabelStream(game, estimator, samples=30).collect()
    (block,) = estimator.blocks(labels.statistics, labels.roster)
    ends = game.evaluate([0, 0], np.array([[False], [True]]) & np.ones(5, bool))
    total = ends[1] - ends[0]
    phi, iterates = np.tile(total / 5, (5, 1)), []
    for members in block.members[0]:
        gradient = 0
        for coalition in (members, ~members):
            value = game.evaluate([0], coalition[None])[0] - ends[0]
            gradient = gradient + coalition[:, None] * (phi[coalition].sum(axis=0) - value) / 2
        phi = phi - 0.05 * gradient
        phi = phi - (phi.sum(axis=0) - total) / 5
        iterates.append(phi)
    np.testing.assert_allclose(labels.mean[0], np.mean(iterates, axis=0), rtol=0, atol=1e-12)


def enumerated_regression(n, values, weight):
    """KernelSHAP over every coalition between the ends, each weighted, by constrained least squares in the KKT form."""
    members = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(float)[1:-1]
    w = weight(members.sum(axis=1))[:, None]
    kkt = np.ones((n + 1, n + 1))
    kkt[:n, :n], kkt[n, n] = members.T @ (w * members), 0
    right = np.concatenate([members.T @ (w * (values[1:-1] - values[0])), values[-1:] - values[:1]])
    return np.linalg.solve(kkt, right)[:n]


def test_a_regression_on_all_coalitions_gives_the_shapley_values():
    """The law and the weights of KernelSHAP and LeverageSHAP multiply to the Shapley kernel, whose regression is exact."""
    n = 5
    model, _ = repeated_games.table_model(n)
    members = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    truth = exact(games.FunctionGame(lambda c: model(c * 1.0), n))
    for estimator in (KernelSHAP(), LeverageSHAP()):
        law, weight = estimator.law(n)["sizes"], estimator.weight_of_size(n)
        per_coalition = law * weight / np.array([comb(n, s) for s in range(n + 1)])
        found = enumerated_regression(n, model(members * 1.0), lambda size: per_coalition[size.astype(int)])
        np.testing.assert_allclose(found, truth, rtol=0, atol=1e-10)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("kind", [KernelSHAP, LeverageSHAP])
def test_a_regression_solves_its_drawn_coalitions(kind, paired):
    game = repeated_games.table_case(1, 5)
    estimator = kind(paired=paired)
    labels = LabelStream(game, estimator, samples=25).collect()
    (block,) = estimator.blocks(labels.statistics, labels.roster)
    members = block.members[0]
    members = (np.concatenate([members, ~members]) if paired else members).astype(float)
    w = estimator.weight_of_size(5)[members.sum(axis=1).astype(int)][:, None]
    ends = game.evaluate([0, 0], np.array([[False], [True]]) & np.ones(5, bool))
    values = game.evaluate(np.zeros(len(members), int), members > 0)
    kkt = np.ones((6, 6))
    kkt[:5, :5], kkt[5, 5] = members.T @ (w * members), 0
    right = np.concatenate([members.T @ (w * (values - ends[0])), ends[1:] - ends[:1]])
    np.testing.assert_allclose(labels.mean[0], np.linalg.solve(kkt, right)[:5], rtol=0, atol=1e-10)
    np.testing.assert_allclose(labels.mean[0].sum(axis=0), ends[1] - ends[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("kernel", ["image", "paper", "tabular"])
def test_lime_is_weighted_least_squares_of_its_drawn_coalitions(kernel):
    game = repeated_games.table_case(1, 5)
    labels = LabelStream(game, LIME(kernel), samples=40).collect()
    (block,) = labels.estimator.blocks(labels.statistics, labels.roster)
    members, share = block.members[0], block.members[0].mean(axis=1)
    distance = 1 - np.sqrt(share)
    weight = {
        "image": np.sqrt(np.exp(-(distance**2) / 0.25**2)),
        "paper": np.exp(-(distance**2) / 0.25),
        "tabular": np.sqrt(np.exp(-(5 - members.sum(axis=1)) / (0.75 * np.sqrt(5)) ** 2)),
    }[kernel]
    root = np.sqrt(weight)[:, None]
    design = np.column_stack([members, np.ones(40)])
    values = game.evaluate(np.zeros(40, int), members)
    expected = np.linalg.lstsq(root * design, root * values, rcond=None)[0][:5]
    np.testing.assert_allclose(labels.mean[0], expected, rtol=0, atol=1e-10)


def test_banzhaf_values_are_nan_only_for_a_player_of_whom_a_side_was_never_drawn():
    labels = LabelStream(repeated_games.table_case(400, 4), BanzhafMSR(), samples=4).collect()
    (block,) = labels.estimator.blocks(labels.statistics, labels.roster)
    joined = block.members.sum(axis=1)
    one_sided = (joined == 0) | (joined == 4)
    assert one_sided.any() and (np.isnan(labels.mean).all(axis=2) == one_sided).all()
    assert (np.isnan(labels.stderr).all(axis=2) == ((joined < 2) | (joined > 2))).all()
