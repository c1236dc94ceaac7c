"""Scores: by name against scikit-learn's metrics, one per validation point, and what nothing earns."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
import tolerance
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB as NaiveBayes
from sklearn.neighbors import KNeighborsClassifier

from fastsa import games, utilities
from fastsa.utilities import KNN, GaussianNB, LinearDiscriminant, Logistic, Ridge, check, scores

PER_POINT = [
    (KNN(3), KNN(3, "correct")),
    (KNN(3, "vote"), KNN(3, "votes")),
    (Logistic(), Logistic(score="correct")),
    (Logistic(score="log_loss"), Logistic(score="log_likelihood")),
    (GaussianNB(), GaussianNB(score="correct")),
    (GaussianNB(score="log_loss"), GaussianNB(score="log_likelihood")),
    (LinearDiscriminant(score="log_loss"), LinearDiscriminant(score="log_likelihood")),
    (Ridge(), Ridge(score="correct")),
]


def clouds(n=50, m=35, classes=3, seed=0):
    """Unbalanced classes, the last of which no validation point has."""
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, n, p=[0.6, 0.25, 0.15])
    y[:classes] = np.arange(classes)
    y_val = rng.choice(classes - 1, m, p=[0.8, 0.2])
    return rng.normal(size=(n, 3)) + y[:, None], y, rng.normal(size=(m, 3)) + y_val[:, None], y_val


def some_coalitions(n, rows=30, seed=1):
    coalitions = np.random.default_rng(seed).random((rows, n)) < 0.4
    coalitions[:, :3] = True
    return coalitions


@pytest.mark.parametrize(("whole", "per_point"), PER_POINT, ids=repr)
def test_the_mean_over_points_is_the_score(whole, per_point):
    data = clouds()
    coalitions = np.concatenate([np.zeros((1, 50), dtype=bool), some_coalitions(50), np.eye(50, dtype=bool)[:3]])
    points = games.DataGame(per_point, *data)
    assert points.n_outputs == 35
    values = points.evaluate(coalitions)
    assert np.ptp(values[1:31], axis=1).min() > 0
    expected = games.DataGame(whole, *data).evaluate(coalitions)[:, 0]
    np.testing.assert_allclose(values.mean(axis=1), expected, rtol=0, atol=tolerance.REORDERED)


@pytest.mark.parametrize(
    ("utility", "reference"),
    [
        (KNN(3, "correct"), KNeighborsClassifier(3)),
        (GaussianNB(score="correct"), NaiveBayes()),
        (Logistic(score="correct"), LogisticRegression(tol=1e-9)),
    ],
    ids=lambda p: type(p).__name__,
)
def test_each_point_is_right_where_scikit_learn_is(utility, reference):
    X, y, X_val, y_val = clouds()
    values = games.DataGame(utility, X, y, X_val, y_val).evaluate(some_coalitions(50))
    expected = [reference.fit(X[c], y[c]).predict(X_val) == y_val for c in some_coalitions(50)]
    assert (values == np.array(expected)).all()


def test_points_of_many_tiles_stand_in_their_places():
    game = games.DataGame(KNN(3, "votes"), *clouds())
    walks = utilities.knn.Walks.of_coalitions(some_coalitions(50))
    assert game.walk(walks, max_bytes=16 * 50 * 4).tobytes() == game.walk(walks).tobytes()


@pytest.mark.parametrize("utility", [GaussianNB, LinearDiscriminant, Ridge])
def test_balanced_accuracy_is_the_mean_recall_of_classes_that_are_there(utility):
    X, y, X_val, y_val = clouds()
    right = games.DataGame(utility(score="correct"), X, y, X_val, y_val).evaluate(some_coalitions(50))
    expected = [[row[y_val == c].mean() for c in (0, 1)] for row in right]
    found = games.DataGame(utility(score="balanced_accuracy"), X, y, X_val, y_val).evaluate(some_coalitions(50))
    np.testing.assert_allclose(found[:, 0], np.mean(expected, axis=1), rtol=0, atol=tolerance.REORDERED)
    check(utility(score="balanced_accuracy"))


@pytest.mark.parametrize("utility", [GaussianNB(score="log_likelihood"), Ridge(score="correct")], ids=repr)
def test_check_passes_scores_per_point(utility):
    check(utility)


RNG = np.random.default_rng(5)
Y, PREDICTED = RNG.integers(0, 3, 40), RNG.integers(0, 3, 40)
PROBABILITIES = RNG.dirichlet(np.ones(3), 40)
TARGETS, OTHERS = RNG.normal(size=40), RNG.normal(size=40)


@pytest.mark.parametrize(
    ("name", "y", "predictions", "reference"),
    [
        ("accuracy", Y, PREDICTED, sklearn.metrics.accuracy_score),
        ("balanced_accuracy", Y, PREDICTED, sklearn.metrics.balanced_accuracy_score),
        ("log_loss", Y, PROBABILITIES, lambda y, p: -sklearn.metrics.log_loss(y, p)),
        ("r2", TARGETS, OTHERS, sklearn.metrics.r2_score),
        ("mean_squared_error", TARGETS, OTHERS, lambda y, p: -sklearn.metrics.mean_squared_error(y, p)),
    ],
)
def test_scores_by_name_are_scikit_learns(name, y, predictions, reference):
    assert scores.SCORES[name](y, predictions) == pytest.approx(reference(y, predictions), rel=tolerance.REORDERED)


@pytest.mark.parametrize(
    "per_point, whole",
    [("correct", "accuracy"), ("log_likelihood", "log_loss"), ("squared_errors", "mean_squared_error")],
)
def test_scores_per_point_average_to_the_whole(per_point, whole):
    y, predictions = {"classes": (Y, PREDICTED), "probabilities": (Y, PROBABILITIES), "targets": (TARGETS, OTHERS)}[
        scores.SCORES[whole].reads
    ]
    points = scores.SCORES[per_point](y, predictions)
    assert points.shape == (40,) and points.mean() == pytest.approx(scores.SCORES[whole](y, predictions)[0])


def test_nothing_earns_what_guessing_does():
    for name in ("accuracy", "balanced_accuracy", "correct"):
        assert (scores.SCORES[name].of_nothing(Y, 3) == 1 / 3).all()
    for name in ("log_loss", "log_likelihood"):
        np.testing.assert_allclose(scores.SCORES[name].of_nothing(Y, 3), -np.log(3))
    assert scores.SCORES["mean_squared_error"].of_nothing(TARGETS, 0)[0] == -np.mean(TARGETS**2)
    f1 = scores.resolve(lambda y, p: sklearn.metrics.f1_score(y, p, average="macro", zero_division=0), "classes")
    alone = [sklearn.metrics.f1_score(Y, np.full(40, c), average="macro", zero_division=0) for c in range(3)]
    assert f1.of_nothing(Y, 3)[0] == pytest.approx(np.mean(alone))


def test_below_two_classes_probabilities_are_the_smoothed_frequencies():
    counts = np.array([0, 4, 0])
    assert (scores.mixed(np.zeros((2, 3)), counts) == np.array([1, 5, 1]) / 7).all()
    two = scores.mixed(PROBABILITIES, np.array([1, 3, 0]))
    np.testing.assert_allclose(two, 0.99 * PROBABILITIES + 0.01 * np.array([2, 4, 1]) / 7)


@pytest.mark.parametrize(
    ("make", "error", "complaint"),
    [
        (lambda: scores.resolve("auc", "classes"), ValueError, "score is 'auc'; expected one of 'accuracy'"),
        (lambda: scores.resolve("r2", "classes"), ValueError, "score is 'r2', which is not one of classes"),
        (
            lambda: scores.resolve("accuracy", "targets"),
            ValueError,
            "'accuracy', which is not one of targets; expected one of 'r2'",
        ),
        (lambda: scores.resolve(3, "classes"), TypeError, "score is 3"),
        (lambda: scores.resolve(lambda y, p: p == y, "classes")(Y, PREDICTED), ValueError, "answered shape"),
        (lambda: scores.resolve(lambda y, p: "good", "classes")(Y, PREDICTED), TypeError, "answered dtype"),
        (lambda: KNN(3, "margins"), ValueError, "score is 'margins'"),
        (lambda: Logistic(score="balanced_accuracy"), ValueError, "score is 'balanced_accuracy'"),
        (lambda: Ridge(score="log_loss"), ValueError, "score is 'log_loss'"),
    ],
)
def test_scores_that_make_no_sense_are_refused(make, error, complaint):
    with pytest.raises(error, match=complaint):
        make()
