"""Labels through every kind of utility are unbiased: z-tests against enumeration on five players."""

from __future__ import annotations

import numpy as np
import pytest
import significance
import small_games
import torch
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB

from fastsa import LabelStream, exact, games, utilities
from fastsa.estimators import Distributional, PermutationShapley

N, SAMPLES = 5, 2_000


def members_of_each_class(counts, data):
    """The product of the classes' sizes: every player counts for others."""
    return np.prod([counts[:, data.y == c].sum(axis=1) + 1.0 for c in range(data.n_classes)], axis=0)


def classes():
    X, y, X_val, y_val = small_games.points(N, 12, 2, seed=6)
    return X, y, X_val, y_val


def targets():
    X, _, X_val, _ = classes()
    return X, X @ [1.0, -2.0] + X[:, 0] ** 2, X_val, X_val @ [1.0, -2.0]


UTILITIES = [
    (utilities.SklearnUtility(GaussianNB(var_smoothing=1.0), "log_loss"), classes),
    (utilities.SklearnUtility(Ridge(), "mean_squared_error"), targets),
    (utilities.TorchUtility(lambda: torch.nn.Linear(2, 2, dtype=torch.float64), steps=5, score="log_loss"), classes),
    (utilities.CallableUtility(members_of_each_class), classes),
    (utilities.RidgeRegression(score="mean_squared_error", empty_prediction=1.0), targets),
    (utilities.Logistic(score="log_likelihood"), classes),
    (utilities.KNN(2, "votes"), classes),
]
by_utility = pytest.mark.parametrize(("utility", "data"), UTILITIES, ids=[type(u).__name__ for u, _ in UTILITIES])


@by_utility
@pytest.mark.parametrize("estimator", [PermutationShapley(), Distributional(0, 3, shared=2)], ids=repr)
def test_labels_meet_enumeration(utility, data, estimator):
    """False alarm below 1e-6 in all; a bias of about a fifth of the values' spread is caught."""
    game = games.DataGame(utility, *data())
    labels = LabelStream(game, estimator, samples=SAMPLES, seed=8, batch=10**6).collect()
    truth = exact(game, "shapley" if isinstance(estimator, PermutationShapley) else estimator)
    assert not significance.contradicts_truth(labels, truth, false_alarm=1e-6 / (2 * len(UTILITIES)))
    spread = np.abs(truth).max()
    assert np.ptp(truth) > 0
    assert significance.contradicts_truth(labels, truth + 0.2 * spread, false_alarm=1e-6)


def test_a_small_difference_of_the_estimand_is_seen():
    """Values over subsets are not those over multisets: the test of one with the other's truth fails."""
    utility, data = UTILITIES[3]
    game = games.DataGame(utility, *data())
    labels = LabelStream(game, PermutationShapley(), samples=SAMPLES, seed=8).collect()
    assert significance.contradicts_truth(labels, exact(game, Distributional(0, 4)))
