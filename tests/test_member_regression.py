"""Regression on members: ridge with the penalty of least leave-one-out error, as brute force has it."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import LabelStream
from fastsa.amortize import member_regression
from fastsa.amortize.datamodels.member_regression import _PENALTIES, _subsets
from fastsa.estimators import BanzhafMSR, PermutationShapley
from fastsa.games import Baseline, FunctionGame, ModelGame

N = 9
EFFECTS = np.random.default_rng(0).normal(size=(N, 4))


def outputs(coalitions):
    others = 3.0 * np.cos(coalitions @ np.arange(1.0, 10.0))
    return coalitions @ EFFECTS + 5.0 + others[:, None] * [0.0, 0.1, 1.0, 5.0]


def labels(samples, q=0.5):
    return LabelStream(FunctionGame(outputs, N), BanzhafMSR(q), samples=samples).collect()


def brute_force(members, earned, start):
    """Every penalty, every subset left out in turn, normal equations with an intercept that is not penalised."""
    left = earned - members @ start
    energy = (np.linalg.svd(members - members.mean(axis=0), compute_uv=False) ** 2).mean()

    def fit(rows, penalty):
        centre, mean = members[rows].mean(axis=0), left[rows].mean()
        x = members[rows] - centre
        w = np.linalg.solve(x.T @ x + penalty * np.eye(N), x.T @ (left[rows] - mean))
        return w, mean - centre @ w

    def error(penalty):
        missed = 0.0
        for out in range(left.size):
            w, intercept = fit(np.arange(left.size) != out, penalty)
            missed += (left[out] - members[out] @ w - intercept) ** 2
        return missed

    best = min(energy * _PENALTIES, key=error)
    return start + fit(np.arange(left.size), best)[0]


@pytest.mark.parametrize("start", [None, EFFECTS + 0.3], ids=["from nothing", "from predictions"])
@pytest.mark.parametrize("samples", [7, 30])
def test_it_is_ridge_under_the_best_leave_one_out_penalty(samples, start):
    given = labels(samples)
    members, earned = _subsets(given)
    made = member_regression(given, start)
    for column in range(4):
        wanted = brute_force(members, earned[:, column], np.zeros(N) if start is None else start[:, column])
        np.testing.assert_allclose(made[:, column], wanted, rtol=0, atol=1e-9)


@pytest.mark.parametrize("q", [0.3, 0.5])
def test_the_subsets_are_those_that_were_evaluated(q):
    given = labels(40, q)
    members, earned = _subsets(given)
    assert np.array_equal(outputs(members), earned) and 0 < members.mean() < 1
    merged = given.merge(LabelStream(FunctionGame(outputs, N), BanzhafMSR(q), samples=20, role="select").collect())
    members, earned = _subsets(merged)
    assert members.shape == (60, N) and np.array_equal(outputs(members), earned)


def test_an_additive_game_is_found_and_predictions_that_are_right_are_kept():
    given = labels(60)
    assert np.abs(member_regression(given)[:, 0] - EFFECTS[:, 0]).max() < 0.01
    np.testing.assert_allclose(member_regression(given, EFFECTS)[:, 0], EFFECTS[:, 0], rtol=0, atol=1e-12)


def test_refusals():
    given = labels(10)
    with pytest.raises(TypeError, match="labels are PermutationShapley"):
        member_regression(LabelStream(FunctionGame(outputs, N), PermutationShapley(), samples=2).collect())
    with pytest.raises(TypeError, match="labels are ndarray"):
        member_regression(given.mean)
    models = ModelGame(lambda x: x.sum(axis=1), np.ones((2, 3)), Baseline(np.zeros(3)))
    with pytest.raises(TypeError, match="expected Labels of one game"):
        member_regression(LabelStream(models, BanzhafMSR(), samples=20).collect())
    with pytest.raises(ValueError, match=r"predicted has shape \(4, 9\); expected \(9, 4\)"):
        member_regression(given, EFFECTS.T)
    with pytest.raises(ValueError, match="labels hold 2 subsets; expected at least 3"):
        member_regression(labels(2))
