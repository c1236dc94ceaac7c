"""Groups of training points as players: the walks that utilities see, the values of groups, and groups that are none.

z-tests raise a false alarm with probability 1e-6 (Bonferroni over their labels) and find, with probability 0.999, a bias of a
sixth of the standard deviation of one sample; that is asserted.
"""

from __future__ import annotations

import naive_walks
import numpy as np
import pytest
import significance
import small_games
import tolerance

from fastsa import LabelStream, exact, games, utilities
from fastsa.estimators import (
    BanzhafMSR,
    Distributional,
    LeaveOneOut,
    PermutationShapley,
)
from fastsa.games.point_groups import point_groups

GROUPS = np.array([7, 2, 7, 30, 2, 7, 11, 30, 2, 5])  # ids 2, 5, 7, 11, 30
MEMBERS = [[1, 4, 8], [9], [0, 2, 5], [6], [3, 7]]
X, Y, X_VAL, Y_VAL = small_games.points(10, 12, 3, seed=4)
TARGETS, TARGETS_VAL = X @ [1.0, -2.0], X_VAL @ [1.0, -2.0]


def mean_target(counts, data):
    return counts @ data.y.astype(float) / np.maximum(1, counts.sum(axis=1))


def refitted_tree():
    pytest.importorskip("sklearn")
    from sklearn.tree import DecisionTreeClassifier

    return utilities.SklearnUtility(DecisionTreeClassifier())


UTILITIES = {
    "logistic": lambda: utilities.Logistic(score="log_loss"),
    "knn": lambda: utilities.KNN(2),
    "knn, one output per validation point": lambda: utilities.KNN(2, "votes"),
    "open": lambda: utilities.NearestCentroid(),
    "callable": lambda: utilities.CallableUtility(mean_target),
    "scikit-learn": refitted_tree,
}


def game_of(utility, groups=GROUPS, **options):
    return games.DataGame(utility, X, Y, X_VAL, Y_VAL, groups=groups, **options)


def points_of(coalition):
    """The points of a coalition of groups, as booleans."""
    joined = np.zeros(10, dtype=bool)
    for player in np.flatnonzero(coalition):
        joined[MEMBERS[player]] = True
    return joined


ALL = (np.arange(32)[:, None] >> np.arange(5)) & 1 == 1


@pytest.mark.parametrize("make", UTILITIES.values(), ids=UTILITIES.keys())
def test_a_coalition_of_groups_earns_what_its_points_earn(make):
    of_groups = game_of(make())
    of_points = games.DataGame(make(), X, Y, X_VAL, Y_VAL)
    earned = of_points.evaluate(np.stack([points_of(c) for c in ALL]))
    assert of_groups.n_players == 5 and of_groups.ids.tolist() == [2, 5, 7, 11, 30]
    np.testing.assert_allclose(of_groups.evaluate(ALL), earned, rtol=0, atol=tolerance.LOG_LOSS)


def test_targets_have_groups_too():
    of_targets = utilities.CallableUtility(mean_target, takes="targets")
    of_groups = games.DataGame(of_targets, X, TARGETS, X_VAL, TARGETS_VAL, groups=GROUPS)
    expected = [TARGETS[points_of(c)].mean() if c.any() else 0.0 for c in ALL]
    np.testing.assert_allclose(of_groups.evaluate(ALL).ravel(), expected, rtol=0, atol=tolerance.REORDERED)


@pytest.mark.parametrize("outside", [0, 3])
@pytest.mark.parametrize("max_bytes", [1, 400, 10**6])
def test_walks_of_points_score_the_points_of_every_coalition_in_order(outside, max_bytes):
    groups = point_groups(GROUPS, 10, outside)
    members = [*MEMBERS, *([10 + i] for i in range(outside))]
    rng = np.random.default_rng(5)
    walks = naive_walks.random_walks(rng, 5, 60, n_points=5 + outside)
    expected = [
        sorted(p for player in coalition for p in members[player]) for coalition in naive_walks.multisets_behind(walks)
    ]
    parts = list(groups.walks_of_points(walks, max_bytes))
    for part in parts:
        part.check(10 + outside)
    assert [sorted(c) for part in parts for c in naive_walks.multisets_behind(part)] == expected
    assert len(parts) == 1 if max_bytes == 10**6 else len(parts) > 3


def test_items_outside_the_pool_stay_branches():
    groups = point_groups(GROUPS, 10, 2)
    walks = naive_walks.walks_of([[0, 3], [2]], [[2], [1]], [[5, 6], [6]], many_branches=True)
    (part,) = groups.walks_of_points(walks, 10**6)
    assert part.rows == 2 and part.branches.tolist() == [10, 11, 11] and part.many_branches


ESTIMATORS = [
    PermutationShapley(),
    PermutationShapley(antithetic=True),
    BanzhafMSR(),
    Distributional(min_size=1, max_size=3),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@pytest.mark.parametrize("name", ["logistic", "knn"])
def test_values_of_groups_are_unbiased(name, estimator):
    game = game_of(UTILITIES[name]())
    labels = LabelStream(game, estimator, samples=3000, seed=6, n_threads=2).collect()
    assert labels.ids.tolist() == [2, 5, 7, 11, 30] and labels.mean.shape == (5, 1)
    assert significance.smallest_bias_caught(labels) < np.sqrt(labels.variance.max()) / 6
    assert not significance.contradicts_truth(labels, exact(game, estimator))


def test_the_z_test_finds_groups_that_lost_a_point():
    game = game_of(utilities.Logistic(score="log_loss"))
    labels = LabelStream(game, PermutationShapley(), samples=3000, seed=6).collect()
    others = np.where(np.arange(10) == 5, 99, GROUPS)
    of_others = games.DataGame(utilities.Logistic(score="log_loss"), X, Y, X_VAL, Y_VAL, groups=others)
    assert significance.contradicts_truth(labels, exact(of_others)[:5])


def test_leave_one_out_leaves_a_group_out():
    game = game_of(utilities.KNN(2))
    labels = LabelStream(game, LeaveOneOut(), samples=1).collect()
    whole = np.ones(5, dtype=bool)
    of_points = games.DataGame(utilities.KNN(2), X, Y, X_VAL, Y_VAL)
    without = np.stack([points_of(whole & (np.arange(5) != g)) for g in range(5)])
    expected = of_points.evaluate(points_of(whole)[None]) - of_points.evaluate(without)
    np.testing.assert_array_equal(labels.mean, expected)


def same_labels(a, b):
    return a.mean.tobytes() == b.mean.tobytes() and a.stderr.tobytes() == b.stderr.tobytes()


@pytest.mark.parametrize("estimator", [*ESTIMATORS, LeaveOneOut()], ids=repr)
@pytest.mark.parametrize("make", [utilities.Logistic, utilities.KNN, utilities.NearestCentroid])
def test_groups_of_one_point_are_the_points_to_the_byte(make, estimator):
    samples = 1 if isinstance(estimator, LeaveOneOut) else 40
    plain = games.DataGame(make(), X, Y, X_VAL, Y_VAL)
    alone = [game_of(make(), np.arange(10)), game_of(make(), [[i] for i in range(10)])]
    labels = LabelStream(plain, estimator, samples=samples, seed=1).collect()
    for game in alone:
        assert game.fingerprint == plain.fingerprint
        assert same_labels(LabelStream(game, estimator, samples=samples, seed=1).collect(), labels)


def test_expanding_groups_of_one_point_changes_no_byte():
    plain = games.DataGame(utilities.Logistic(), X, Y, X_VAL, Y_VAL)
    walks = naive_walks.random_walks(np.random.default_rng(8), 10, 50)
    expected = plain.walk(walks)
    plain.groups = point_groups(np.arange(10), 10)
    assert plain.walk(walks).tobytes() == expected.tobytes()


def test_labels_depend_on_the_ids_of_groups_and_not_on_their_order():
    estimator = Distributional(min_size=1, max_size=4)
    game = game_of(utilities.KNN(2))
    labels = LabelStream(game, estimator, samples=30).collect()
    for items in ([4, 0, 2], [3]):
        some = LabelStream(game, estimator, samples=30, items=items).collect()
        assert some.ids.tolist() == labels.ids[items].tolist() and some.mean.tobytes() == labels.mean[items].tobytes()
    listed = game_of(utilities.KNN(2), MEMBERS)
    assert listed.ids.tolist() == [0, 1, 2, 3, 4]
    assert listed.fingerprint != game.fingerprint
    assert not np.array_equal(LabelStream(listed, estimator, samples=30).collect().mean, labels.mean)
    np.testing.assert_array_equal(exact(listed), exact(game))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_labels_of_groups_do_not_depend_on_threads_batches_or_memory(estimator):
    game = game_of(utilities.Logistic())
    labels = [
        LabelStream(game, estimator, samples=64, n_threads=n, batch=batch, max_bytes=most).collect()
        for n, batch, most in ((1, None, None), (2, 7, 2000), (2, 100, 10**5))
    ]
    assert same_labels(labels[0], labels[1]) and same_labels(labels[0], labels[2])


def test_points_outside_the_pool_join_coalitions_of_groups():
    outside = {"X_items": X_VAL[:3], "y_items": Y_VAL[:3], "ids": [8, 9, 70]}
    game = game_of(utilities.KNN(2), **outside)
    estimator = Distributional(min_size=1, max_size=2)
    labels = LabelStream(game, estimator, samples=3000, seed=3).collect()
    assert game.n_players == 5 and labels.ids.tolist() == [8, 9, 70]
    assert not significance.contradicts_truth(labels, exact(game, estimator))


def test_a_game_of_other_groups_is_another_game():
    marks = {game_of(utilities.KNN(2), groups).fingerprint for groups in (None, GROUPS, GROUPS[::-1], MEMBERS)}
    assert len(marks) == 4


@pytest.mark.parametrize(
    ("groups", "error", "words"),
    [
        ([[0, 1, 2], [2, 3, 4, 5, 6, 7, 8, 9]], ValueError, "groups 0 and 1 both hold point 2"),
        ([[0, 1, 2, 3], [4, 5, 6, 7]], ValueError, "none of 2 groups holds point 8 and 1 more"),
        ([[0, 1, 2, 3, 4], [5, 6, 7, 8, 8, 9]], ValueError, "group 1 holds point 8 twice"),
        ([np.arange(10), np.array([], int)], ValueError, r"group 1 has shape \(0,\)"),
        ([[0, 1, 2, 3, 4], [5, 6, 7, 8, 10]], ValueError, "group 1 reaches from 5 to 10; expected 0 to 9"),
        ([[0, 1, 2, 3, 4], [5, 6, 7, 8, -1]], ValueError, "group 1 reaches from -1 to 8"),
        ([[True] * 5, [False] * 5], TypeError, "group 0 has dtype bool"),
        (np.zeros((2, 0), int), ValueError, r"group 0 has shape \(0,\)"),
        ([0, 1, 2], ValueError, r"groups have shape \(3,\); expected the group of each of 10 points"),
        (3, ValueError, r"groups have shape \(\)"),
        ([], TypeError, "groups have dtype float64"),
        (list("aabbccddee"), TypeError, "groups have dtype <U1; expected an integer"),
        (np.arange(10) - 1, ValueError, "groups reach from -1 to 8"),
        (np.arange(10) + 2**48, ValueError, "expected integers from 0 to 2"),
        (np.full(10, 0.5), TypeError, "groups have dtype float64"),
    ],
)
def test_groups_that_are_none_are_refused(groups, error, words):
    with pytest.raises(error, match=words):
        game_of(utilities.KNN(2), groups)


def test_ids_beside_groups_are_refused():
    with pytest.raises(ValueError, match="groups have ids of their own"):
        game_of(utilities.KNN(2), ids=np.arange(5))


def test_a_value_that_is_not_finite_names_the_groups():
    def odd(counts, data):
        return np.where(counts[:, 9] > 0, np.nan, 0.0)

    game = game_of(utilities.CallableUtility(odd))
    with pytest.raises(ValueError, match=r"2 players \(1, 3\)"):
        game.evaluate(ALL[[0b01010]])
