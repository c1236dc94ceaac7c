"""Values of training points by every estimator that data sets have use for: unbiased, efficient, and in the right scale.

A z-test raises a false alarm with probability 1e-6 (Bonferroni over its labels) and finds, with probability 0.999, a bias of
a sixth of the standard deviation of one sample; that is asserted.
"""

from __future__ import annotations

import numpy as np
import pytest
import significance
import small_games
import tolerance

from fastsa import LabelStream, exact, games
from fastsa.estimators import (
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

SAMPLES = 3500
GAMES = {
    "table": lambda: small_games.table(6),
    "knn accuracy": small_games.knn,
    "knn vote": lambda: small_games.knn(8, kind="vote"),
    "logistic log-loss": small_games.logistic,
    "softmax accuracy": lambda: small_games.logistic(5, score="accuracy", n_classes=3),
}
UNBIASED = [
    PermutationShapley(antithetic=True),
    BetaShapley(4, 1),
    BetaShapley(),
    BanzhafMSR(),
    BanzhafMSR(0.2),
    Semivalue(),
    Semivalue("banzhaf", q=0.2),
    Semivalue("beta", alpha=4, paired=False),
    AdjustedMSR(),
    AdjustedMSR("beta", alpha=4, paired=False),
    UnbiasedKernelSHAP(),
    SGDShapley(),
]


@pytest.mark.parametrize("estimator", UNBIASED, ids=repr)
@pytest.mark.parametrize("make", GAMES.values(), ids=GAMES.keys())
def test_values_of_points_are_unbiased(make, estimator):
    game = make()
    labels = LabelStream(game, estimator, samples=SAMPLES, seed=5).collect()
    assert significance.smallest_bias_caught(labels) < np.sqrt(labels.variance.max()) / 6
    assert not significance.contradicts_truth(labels, exact(game, estimator))


class WithoutTheOthers(BanzhafMSR):
    """The mistake of the mean value with a player alone, with nothing to compare it to."""

    def labels_of(self, pool, roster):
        return super().labels_of(pool, roster) + pool.values.mean()


class WrongCoin(BanzhafMSR):
    """The mistake of drawing with one probability and stating another."""

    def law(self, n_players):
        return {"q": 0.7}


class UnweightedSizes(Semivalue):
    """The mistake of averaging over coalitions as they were drawn, whatever the index."""

    def size_law(self, n_players):
        return np.full(n_players, 1 / n_players)


@pytest.mark.parametrize(
    ("twin", "make", "truth"),
    [
        (WithoutTheOthers(), small_games.knn, BanzhafMSR()),
        (WrongCoin(0.2), small_games.knn, BanzhafMSR(0.2)),
        (WrongCoin(0.2), small_games.logistic, BanzhafMSR(0.2)),
        (UnweightedSizes("beta", alpha=4), small_games.knn, Semivalue("beta", alpha=4)),
        (UnweightedSizes("banzhaf", q=0.2), small_games.knn, Semivalue("banzhaf", q=0.2)),
        (PermutationShapley(), small_games.knn, BetaShapley(4, 1)),
    ],
)
def test_a_biased_twin_fails_the_same_test(twin, make, truth):
    game = make()
    labels = LabelStream(game, twin, samples=SAMPLES, seed=5).collect()
    assert significance.contradicts_truth(labels, exact(game, truth))


@pytest.mark.parametrize("make", GAMES.values(), ids=GAMES.keys())
def test_leave_one_out_values_of_points_are_exact_in_any_batch_and_of_any_items(make):
    game = make()
    labels = LabelStream(game, LeaveOneOut(), samples=1).collect()
    np.testing.assert_allclose(labels.mean, exact(game, "leave_one_out"), rtol=0, atol=tolerance.REORDERED)
    assert np.isnan(labels.stderr).all() and labels.evaluations == game.n_players + 1
    some = LabelStream(game, LeaveOneOut(), samples=1, items=[4, 1], batch=1).collect()
    assert some.mean.tobytes() == labels.mean[[4, 1]].tobytes()
    assert LabelStream(game, LeaveOneOut(), samples=1, items=[4, 1]).collect().evaluations == 3


WORTH = np.array([-4.0, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0, 7.0])
EVERY = [*UNBIASED, PermutationShapley(), KernelSHAP(), KernelSHAP(paired=False), LeverageSHAP(), LeaveOneOut()]


@pytest.mark.parametrize("estimator", EVERY, ids=repr)
def test_on_additive_games_the_slope_of_estimate_on_truth_is_one(estimator):
    """Players of both signs: slope within five of its standard errors of 1, and 0.8 is further away (0 for the two whose weights are heaviest)."""
    game = games.FunctionGame(lambda c: 2.5 + c @ WORTH, 8)
    np.testing.assert_allclose(exact(game, estimator)[:, 0], WORTH, rtol=0, atol=1e-10)
    samples = 1 if isinstance(estimator, LeaveOneOut) else 6000
    labels = LabelStream(game, estimator, samples=samples, seed=2).collect()
    centered = WORTH - WORTH.mean()
    weights = centered / (centered @ centered)
    slope = weights @ labels.mean[:, 0]
    error = np.abs(weights) @ np.nan_to_num(labels.stderr[:, 0])  # as though all errors pulled together
    assert abs(slope - 1) < 5 * error + 1e-9
    assert abs(slope - 0.8) > 5 * error or estimator in (
        BetaShapley(),
        SGDShapley(),
        Semivalue("beta", alpha=4, paired=False),
    )


@pytest.mark.parametrize(
    "estimator",
    [
        KernelSHAP(),
        KernelSHAP(paired=False),
        LeverageSHAP(),
        UnbiasedKernelSHAP(),
        SGDShapley(),
        PermutationShapley(antithetic=True),
    ],
    ids=repr,
)
def test_values_share_out_what_everyone_earns(estimator):
    """These satisfy efficiency in every run, to rounding; nothing is left over or made up."""
    game = small_games.table(7, outputs=3)
    labels = LabelStream(game, estimator, samples=30).collect()
    ends = game.evaluate(np.array([[False], [True]]) & np.ones(7, bool))
    np.testing.assert_allclose(labels.mean.sum(axis=0), ends[1] - ends[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("estimator", [KernelSHAP(), LeverageSHAP(), AdjustedMSR("shapley")], ids=repr)
def test_regressions_find_additive_games_at_once(estimator):
    game = games.FunctionGame(lambda c: 2.5 + c @ WORTH, 8)
    labels = LabelStream(game, estimator, samples=60).collect()
    np.testing.assert_allclose(
        labels.mean[:, 0], WORTH, rtol=0, atol=1e-4 if isinstance(estimator, AdjustedMSR) else 1e-10
    )


def test_pools_need_every_player_of_a_data_set_and_nobody_else():
    outside = small_games.knn(5, outside=2)
    for estimator in (BanzhafMSR(), Semivalue(), KernelSHAP(), AdjustedMSR()):
        with pytest.raises(ValueError, match="values all players of a game together"):
            LabelStream(outside, estimator, samples=20)
        with pytest.raises(ValueError, match="values all players of a game together"):
            LabelStream(small_games.knn(7), estimator, samples=20, items=[0, 1])
    with pytest.raises(ValueError, match="a point outside it is in no whole"):
        LabelStream(outside, LeaveOneOut(), samples=1)
    with pytest.raises(ValueError, match="samples is 2; expected 1: leave-one-out values of this game are exact"):
        LabelStream(small_games.knn(7), LeaveOneOut(), samples=2)


def test_one_player_is_worth_what_permutations_say_and_pools_refuse_it():
    game = games.FunctionGame(lambda c: c[:, 0] * 3.0, 1)
    assert LabelStream(game, PermutationShapley(antithetic=True), samples=2).collect().mean.tolist() == [[3.0]]
    assert LabelStream(game, LeaveOneOut(), samples=1).collect().mean.tolist() == [[3.0]]
    for estimator in (KernelSHAP(), Semivalue(), BanzhafMSR(), UnbiasedKernelSHAP(), SGDShapley()):
        with pytest.raises(ValueError, match="compares players; the game has 1"):
            LabelStream(game, estimator, samples=20)


def test_two_players_are_enough_for_every_estimator():
    game = small_games.table(2)
    for estimator in (*UNBIASED, KernelSHAP(), KernelSHAP(paired=False), LeverageSHAP()):
        labels = LabelStream(game, estimator, samples=400).collect()
        truth = exact(game, estimator)
        assert np.abs(labels.mean - truth).max() < 8 * np.nanmax(labels.stderr) + 1e-9
