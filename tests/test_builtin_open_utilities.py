"""The built-in open utilities against scikit-learn on the same coalitions, and what is said of them."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import sklearn.discriminant_analysis
import sklearn.linear_model
import sklearn.naive_bayes

from fastsa import LabelStream, exact
from fastsa.estimators import PermutationShapley
from fastsa.games import DataGame
from fastsa.ops import Walks
from fastsa.utilities import GaussianNB, LinearDiscriminant, NearestCentroid, Ridge, check
from fastsa.utilities import open as open_module
from fastsa.utilities import ridge as ridge_module
from fastsa.utilities.open import Data

pytestmark = pytest.mark.filterwarnings("ignore:Only one sample available:UserWarning")  # of scikit-learn's covariance
SHIFT = 1e6
UTILITIES = [GaussianNB(), Ridge(), LinearDiscriminant()]
LOG_LOSSES = [GaussianNB(score="log_loss"), LinearDiscriminant(score="log_loss")]
REFERENCES = {
    GaussianNB: sklearn.naive_bayes.GaussianNB,
    Ridge: sklearn.linear_model.RidgeClassifier,
    LinearDiscriminant: lambda shrinkage=1e-3: sklearn.discriminant_analysis.LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage=shrinkage
    ),
}
by_utility = pytest.mark.parametrize("utility", UTILITIES, ids=lambda u: type(u).__name__)


def make_data(n=60, m=40, classes=3, d=4, seed=0):
    """Points of unequal scales, every tenth of the pool a copy of another."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n + m)
    y[:classes] = np.arange(classes)
    X = (rng.normal(size=(n + m, d)) + y[:, None]) * np.linspace(0.5, 3.0, d)
    X[10:n:10], y[10:n:10] = X[9 : n - 1 : 10], y[9 : n - 1 : 10]
    return X[:n], y[:n], X[n:], y[n:]


def coalitions(n, rows, seed):
    """Multisets of 1 .. 40 players, the small ones in the majority."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n, int(rng.choice([1, 2, 3, 4, 6, 10, 40]))).astype(np.int32) for _ in range(rows)]


def values_of(game, members):
    offsets = np.cumsum([0] + [m.size for m in members])
    return game.walk(Walks.to_ends(np.concatenate(members), offsets))[:, 0]


def reference(utility, X, y, members, log_loss=False, X_val=None, y_val=None, **settings):
    """scikit-learn's score; NaN where its discriminant has no answer: no class with two different points."""
    present, counts = np.unique(y[members], return_counts=True)
    if present.size == 1:
        predicted = np.full((y_val.size, 1), 1.0)
    elif all(np.ptp(X[members][y[members] == c], axis=0).max() == 0 for c in present) and utility is LinearDiscriminant:
        return np.nan
    else:
        model = REFERENCES[utility](**settings).fit(X[members], y[members])
        if not log_loss:
            return model.score(X_val, y_val)
        predicted = model.predict_proba(X_val)
    if not log_loss:
        return np.mean(y_val == present[0])
    n_classes = int(y.max()) + 1
    frequency = (np.bincount(y[members], minlength=n_classes) + 1) / (members.size + n_classes)
    fitted = np.zeros((y_val.size, n_classes))
    fitted[:, present] = predicted
    mixed = 0.99 * fitted + 0.01 * frequency if present.size > 1 else np.tile(frequency, (y_val.size, 1))
    return np.log(mixed[np.arange(y_val.size), y_val]).mean()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("shift", [0.0, SHIFT])
@by_utility
def test_accuracy_is_scikit_learns_on_multisets_of_any_size(utility, classes, shift):
    """Ties of a coalition that mixes copies of a point in two classes do not occur: copies keep their class."""
    X, y, X_val, y_val = make_data(classes=classes)
    members = coalitions(y.size, 80, seed=1)
    values = values_of(DataGame(utility, X + shift, y, X_val + shift, y_val), members)
    expected = np.array([reference(type(utility), X, y, m, X_val=X_val, y_val=y_val) for m in members])
    known = np.isfinite(expected)
    assert known.sum() > 50
    np.testing.assert_allclose(values[known], expected[known], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("utility", "settings"), [(GaussianNB, {"var_smoothing": 1e-2}), (LinearDiscriminant, {"shrinkage": 0.3})]
)
def test_log_loss_is_that_of_scikit_learns_probabilities(utility, settings):
    X, y, X_val, y_val = make_data()
    members = coalitions(y.size, 100, seed=2)
    values = values_of(DataGame(utility(**settings, score="log_loss"), X, y, X_val, y_val), members)
    expected = np.array([reference(utility, X, y, m, True, X_val, y_val, **settings) for m in members])
    known = np.isfinite(expected)
    np.testing.assert_allclose(values[known], expected[known], rtol=1e-8)
    assert (expected[known] < -np.log(3)).any() and (expected[known] > -0.5).any()


@pytest.mark.parametrize("shift", [0.0, SHIFT])
@by_utility
def test_one_point_per_class_predicts_the_nearest(utility, shift):
    X, y = np.array([[0.0, 0.0], [4.0, 2.0], [0.0, 6.0]]), [0, 1, 2]
    X_val = np.array([[0.5, 0.5], [3.5, 2.5], [0.0, 5.0], [1.0, 0.0]])
    game = DataGame(utility, X + shift, y, X_val + shift, [0, 1, 2, 1])
    assert game.evaluate([[True, True, True]]).item() == pytest.approx(0.75)


@pytest.mark.parametrize("utility", LOG_LOSSES, ids=repr)
def test_points_that_coincide_have_finite_scores(utility):
    game = DataGame(utility, np.ones((6, 2)), [0, 0, 0, 1, 1, 2], np.ones((3, 2)), [0, 1, 2])
    rows = np.tril(np.ones((6, 6), dtype=bool))
    values = game.evaluate(np.concatenate([np.zeros((1, 6), dtype=bool), rows]))[:, 0]
    assert np.isfinite(values).all()
    assert values[0] == -np.log(3)
    assert values[1] == pytest.approx((np.log(2 / 4) + 2 * np.log(1 / 4)) / 3)


@numba.njit
def _ridge_updates(add, data, state, players):
    for player in players:
        add(data, state, player)


def margins_after(players, X, y, X_val, alpha):
    """Ridge's margins [points, classes] from the weights that its score leaves in the state."""
    data = Data(
        X, y.astype(np.int32), X_val, np.zeros(X_val.shape[0], np.int32), np.array([alpha, 0.0]), int(y.max()) + 1
    )
    state = np.empty(Ridge.state_size(data))
    Ridge.reset(data, state)
    _ridge_updates(compiled_add(), data, state, players)
    assert Ridge.score(data, state, np.empty(1)) == 0
    members, _, mean, _, _, weights, _ = ridge_module._parts(data, state)
    return (X_val - mean) @ weights.T + 2 * members / members.sum() - 1


def compiled_add():
    open_module._register_callees(Ridge.add)
    return numba.njit(Ridge.add, error_model="numpy")


def scikit_learns_margins(players, X, y, X_val, alpha):
    model = sklearn.linear_model.RidgeClassifier(alpha=alpha).fit(X[players], y[players])
    return model.decision_function(X_val)


@pytest.mark.parametrize("size", [3, 8, 200])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
def test_margins_of_ridge_are_scikit_learns(size, alpha):
    X, y, X_val, _ = make_data(n=200)
    players = np.random.default_rng(3).integers(0, 200, size)
    players[:3] = [0, 1, 2]
    ours, theirs = (f(players, X, y, X_val, alpha) for f in (margins_after, scikit_learns_margins))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_ridge_does_not_drift_in_ten_thousand_updates(scale):
    """One feature is `scale` times the others. Within 4e-14 of exact; a Sherman-Morrison inverse: 1e-11, 5e-8."""
    X, y, X_val, _ = make_data(n=500, d=14)
    X, X_val = X.copy(), X_val.copy()
    X[:, 0] *= scale
    X_val[:, 0] *= scale
    players = np.random.default_rng(4).integers(0, 500, 10_000)
    ours, theirs = (f(players, X, y, X_val, 1.0) for f in (margins_after, scikit_learns_margins))
    assert np.abs(ours - theirs).max() < 1e-12


@pytest.mark.parametrize("utility", [*UTILITIES, *LOG_LOSSES], ids=repr)
def test_check_passes(utility):
    check(utility)


@pytest.mark.parametrize("utility", [*UTILITIES, *LOG_LOSSES], ids=repr)
def test_permutation_labels_meet_enumeration(utility):
    """z below 5.5 for 6 players: false alarm below 2.5e-7 each; a bias of 6 standard errors (about 0.02) is seen."""
    X, y, X_val, y_val = make_data(n=6, classes=2)
    game = DataGame(utility, X, y, X_val, y_val)
    labels = LabelStream(game, PermutationShapley(), samples=5_000).collect()
    z = (labels.mean - exact(game)) / np.maximum(labels.stderr, 1e-12)
    assert np.abs(z).max() < 5.5


def test_equal_parameters_are_equal_utilities_and_print_alike():
    assert Ridge(2) == Ridge(2.0) and hash(Ridge(2)) == hash(Ridge(2.0)) and repr(Ridge(2)) == repr(Ridge(2.0))
    assert Ridge(2) != Ridge(3) and GaussianNB() != GaussianNB(score="log_loss")
    assert NearestCentroid() == NearestCentroid() != Ridge()
    assert repr(GaussianNB()) == "GaussianNB(var_smoothing=1e-09, score='accuracy')"
    assert repr(LinearDiscriminant(1)) == "LinearDiscriminant(shrinkage=1.0, score='accuracy')"
    assert len({Ridge(1), Ridge(1.0), Ridge(3)}) == 2


@pytest.mark.parametrize(
    ("make", "error", "complaint"),
    [
        (lambda: Ridge(0.0), ValueError, "alpha is 0.0; expected a finite number above 0"),
        (lambda: Ridge(np.nan), ValueError, "alpha is nan"),
        (lambda: Ridge("1"), TypeError, "alpha is '1', a str"),
        (lambda: GaussianNB(-1e-9), ValueError, "var_smoothing is -1e-09"),
        (
            lambda: GaussianNB(score="auc"),
            ValueError,
            "score is 'auc'; expected one of 'accuracy', 'balanced_accuracy', 'correct', 'log_loss'",
        ),
        (lambda: LinearDiscriminant(1.5), ValueError, "shrinkage is 1.5; expected at most 1"),
        (lambda: LinearDiscriminant(0), ValueError, "shrinkage is 0.0"),
        (lambda: LinearDiscriminant(score=None), TypeError, "score is None"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, error, complaint):
    with pytest.raises(error, match=complaint):
        make()


def test_a_covariance_that_is_numerically_singular_is_an_error_code():
    X = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]])
    game = DataGame(LinearDiscriminant(1e-30), X, [0, 0, 1, 1], X, [0, 0, 1, 1])
    with pytest.raises(RuntimeError, match="LinearDiscriminant answered error code 1 while scoring"):
        game.evaluate(np.ones((1, 4), dtype=bool))
