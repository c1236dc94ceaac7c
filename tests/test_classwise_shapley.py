"""Class-wise Shapley values: the value of a class by its definition, and labels against enumeration from the paper's words.

z-tests raise a false alarm with probability 1e-6 (Bonferroni over their labels) and find, with probability 0.999, a bias of a
sixth of the standard deviation of one sample; that is asserted.
"""

from __future__ import annotations

from itertools import chain, combinations
from itertools import permutations as orders_of
from math import exp, factorial

import numpy as np
import pytest
import significance
import small_games
import tolerance

from fastsa import Labels, LabelStore, LabelStream, exact, games, utilities
from fastsa.estimators import BanzhafMSR, ClasswiseShapley, Distributional, LeaveOneOut, PermutationShapley, from_config
from fastsa.games import ClasswiseGame
from fastsa.labels.stop import Budget

SAMPLES = 3500


def data(n=6, n_classes=2, seed=3, n_val=11):
    X, y, X_val, y_val = small_games.points(n, n_val, n_classes, seed)
    return X, y, X_val, y_val


def nearest(X, y, X_val, members):
    """The class of the nearest member, the first of several."""
    distances = ((X_val[:, None] - X[None, members]) ** 2).sum(axis=2)
    return y[np.array(members)[np.argmin(distances, axis=1)]]


def right_by_nearest(X, y, X_val, y_val):
    """members -> [m], how right each validation point is, by one nearest neighbour."""
    n_classes = np.unique(y).size

    def right(members):
        if not members:
            return np.full(y_val.size, 1.0 / n_classes)
        return (nearest(X, y, X_val, sorted(members)) == y_val).astype(float)

    return right


def value_of_class(right, y_val, c):
    """v_c by the paper: accuracy on the class times exp(accuracy on the others), both over all validation points."""
    in_class = sum(r for r, label in zip(right, y_val, strict=True) if label == c) / len(y_val)
    out_of_class = sum(r for r, label in zip(right, y_val, strict=True) if label != c) / len(y_val)
    return in_class * exp(out_of_class)


def subsets_of(players):
    return chain.from_iterable(combinations(players, size) for size in range(len(players) + 1))


def by_definition(right, y, y_val, *, value=value_of_class, subsets=subsets_of):
    """Mean over subsets of the others and orders of the class of what each of its points adds."""
    values = np.zeros((y.size, 1))
    for c in np.unique(y):
        own, others = np.flatnonzero(y == c).tolist(), np.flatnonzero(y != c).tolist()
        chosen = list(subsets(others))
        for beside in chosen:
            for order in orders_of(own):
                for place, player in enumerate(order):
                    before = value(right([*beside, *order[:place]]), y_val, c)
                    after = value(right([*beside, *order[: place + 1]]), y_val, c)
                    values[player] += (after - before) / len(chosen) / factorial(len(own))
    return values


CASES = {"two classes": (6, 2), "three classes": (7, 3), "a class of one point": (5, 4)}
every_case = pytest.mark.parametrize(("n", "n_classes"), CASES.values(), ids=CASES.keys())


def nearest_game(n, n_classes):
    given = data(n, n_classes)
    return ClasswiseGame(utilities.KNN(1, "correct"), *given), given


@every_case
def test_labels_and_enumeration_are_the_definition(n, n_classes):
    game, (X, y, X_val, y_val) = nearest_game(n, n_classes)
    truth = by_definition(right_by_nearest(X, y, X_val, y_val), y, y_val)
    np.testing.assert_allclose(exact(game, ClasswiseShapley()), truth, rtol=0, atol=tolerance.REORDERED)
    labels = LabelStream(game, ClasswiseShapley(), samples=SAMPLES, seed=2).collect()
    assert labels.unbiased and labels.count.tolist() == [SAMPLES] * n
    assert significance.smallest_bias_caught(labels) < np.sqrt(labels.variance.max()) / 6
    assert not significance.contradicts_truth(labels, truth)


def test_logistic_regressions_have_class_wise_values():
    X, y, X_val, y_val = data(7, 3, seed=1)
    points = games.DataGame(utilities.Logistic(score="correct"), X, y, X_val, y_val)
    members = (np.arange(2**7)[:, None] >> np.arange(7)) & 1 == 1
    right = points.evaluate(members)
    truth = by_definition(lambda players: right[sum(1 << p for p in players)], y, y_val)
    game = ClasswiseGame(utilities.Logistic(score="correct"), X, y, X_val, y_val)
    np.testing.assert_allclose(exact(game, ClasswiseShapley()), truth, rtol=0, atol=tolerance.REORDERED)
    labels = LabelStream(game, ClasswiseShapley(), samples=SAMPLES, seed=2).collect()
    assert significance.smallest_bias_caught(labels) < np.sqrt(labels.variance.max()) / 6
    assert not significance.contradicts_truth(labels, truth)


def divided_by_its_own(right, y_val, c):
    own = y_val == c
    return float(right[own].mean() * exp(right[~own].mean()))


@pytest.mark.parametrize(
    "twin",
    [{"value": divided_by_its_own}, {"subsets": lambda others: [s for s in subsets_of(others) if s]}],
    ids=["own counts", "no empty subset"],
)
def test_the_z_test_finds_other_definitions(twin):
    game, (X, y, X_val, y_val) = nearest_game(6, 2)
    labels = LabelStream(game, ClasswiseShapley(), samples=SAMPLES, seed=2).collect()
    truth = by_definition(right_by_nearest(X, y, X_val, y_val), y, y_val, **twin)
    assert significance.contradicts_truth(labels, truth)


def test_a_coalition_earns_each_class_its_value():
    game, (X, y, X_val, y_val) = nearest_game(7, 3)
    right = right_by_nearest(X, y, X_val, y_val)
    members = (np.arange(2**7)[:, None] >> np.arange(7)) & 1 == 1
    for c in range(3):
        expected = [value_of_class(right(np.flatnonzero(row).tolist()), y_val, c) for row in members]
        np.testing.assert_allclose(
            game.evaluate(np.full(2**7, c), members).ravel(), expected, rtol=0, atol=tolerance.REORDERED
        )


def test_classes_go_by_the_names_they_were_given():
    X, y, X_val, y_val = data(6, 2)
    names = np.array(["zebra", "ape"])
    named = ClasswiseGame(utilities.KNN(1, "correct"), X, names[y], X_val, names[y_val])
    plain = ClasswiseGame(utilities.KNN(1, "correct"), X, y, X_val, y_val)
    members = np.eye(6, dtype=bool)
    np.testing.assert_array_equal(named.evaluate(names[y], members), plain.evaluate(y, members))
    estimator = ClasswiseShapley()
    np.testing.assert_allclose(exact(named, estimator), exact(plain, estimator), rtol=0, atol=tolerance.REORDERED)
    assert named.fingerprint != plain.fingerprint


def test_the_values_of_a_class_add_up_to_what_all_of_it_adds():
    game, (_, y, _, _) = nearest_game(7, 3)
    values = exact(game, ClasswiseShapley())
    for c in range(3):
        others = np.flatnonzero(y != c)
        members = np.zeros((2**others.size, 7), dtype=bool)
        members[:, others] = (np.arange(2**others.size)[:, None] >> np.arange(others.size)) & 1 == 1
        with_all = game.evaluate(np.full(members.shape[0], c), members | (y == c))
        added = (with_all - game.evaluate(np.full(members.shape[0], c), members)).mean()
        assert abs(values[y == c].sum() - added) < tolerance.REORDERED


def same_bytes(a, b):
    return (a.mean.tobytes(), a.stderr.tobytes()) == (b.mean.tobytes(), b.stderr.tobytes())


@pytest.mark.parametrize(
    "options", [{"n_threads": 2, "batch": 7}, {"max_bytes": 300}, {"batch": 10**6, "max_bytes": 10**8}]
)
def test_labels_do_not_depend_on_threads_batches_or_memory(options):
    game, _ = nearest_game(7, 3)
    plain = LabelStream(game, ClasswiseShapley(), samples=60, n_threads=1).collect()
    assert same_bytes(LabelStream(game, ClasswiseShapley(), samples=60, **options).collect(), plain)


def test_a_label_is_the_same_among_few_items_and_when_extended(tmp_path):
    game, _ = nearest_game(7, 3)
    plain = LabelStream(game, ClasswiseShapley(), samples=60).collect()
    few = LabelStream(game, ClasswiseShapley(), samples=60, items=[5, 1]).collect()
    assert same_bytes(few, plain.take([5, 1]))
    assert few.evaluations == 60 * sum(1 + int((game.class_of == game.class_of[i]).sum()) for i in (5, 1))
    half = LabelStream(game, ClasswiseShapley(), samples=30).collect()
    half.save(tmp_path / "half.npz")
    assert same_bytes(Labels.load(tmp_path / "half.npz").extend(game, 30), plain)
    store = LabelStore.create(tmp_path / "store", game, ClasswiseShapley(), samples_per_chunk=20)
    np.testing.assert_allclose(store.run(game, samples=60).labels().mean, plain.mean, rtol=0, atol=tolerance.REORDERED)


def test_evaluations_are_counted_and_budgets_kept():
    game, _ = nearest_game(7, 3)
    stream = LabelStream(game, ClasswiseShapley(), samples=1000)
    labels = stream.collect(until=Budget(155))
    assert labels.evaluations == 150 == 15 * ClasswiseShapley().evaluations(game, np.arange(7)) and labels.unbiased
    assert stream.cost().evaluations == 10_000


def test_roles_and_classes_have_draws_of_their_own():
    X, y, X_val, y_val = data(60, 2, n_val=60)
    game = ClasswiseGame(utilities.KNN(3, "correct"), X, y, X_val, y_val)
    means = [
        LabelStream(game, ClasswiseShapley(), samples=1, seed=seed, role=role).collect().mean
        for seed, role in ((0, "train"), (1, "train"), (0, "select"))
    ]
    assert not any(np.array_equal(a, b) for a, b in combinations(means, 2))


def test_the_estimator_can_be_described_and_made_again():
    assert from_config(ClasswiseShapley().config()) == ClasswiseShapley()
    assert "other classes" in ClasswiseShapley().estimand


def zeros(counts, data):
    return np.zeros((counts.shape[0], data.y_val.size))


OF_TARGETS = utilities.CallableUtility(zeros, n_outputs=None, takes="targets")


@pytest.mark.parametrize(
    "utility", [utilities.KNN(1), utilities.KNN(1, "vote"), utilities.Logistic(), OF_TARGETS], ids=repr
)
def test_utilities_without_an_output_per_point_are_refused(utility):
    X, y, X_val, y_val = data()
    y, y_val = (y + 0.5, y_val + 0.5) if getattr(utility, "takes", "") == "targets" else (y, y_val)
    with pytest.raises(ValueError, match="with an output per validation point"):
        ClasswiseGame(utility, X, y, X_val, y_val)


def test_outputs_that_are_no_shares_are_refused():
    game = ClasswiseGame(utilities.Logistic(score="log_likelihood"), *data())
    with pytest.raises(ValueError, match="give the score 'correct'"):
        LabelStream(game, ClasswiseShapley(), samples=2).collect()


def test_other_estimators_and_other_games_are_refused():
    game, given = nearest_game(6, 2)
    for estimator in (PermutationShapley(), BanzhafMSR(), Distributional(1, 2), LeaveOneOut()):
        with pytest.raises(TypeError, match="make labels with estimators.ClasswiseShapley"):
            LabelStream(game, estimator, samples=1).collect()
    plain = games.DataGame(utilities.KNN(1, "correct"), *given)
    with pytest.raises(ValueError, match="this game is a DataGame"):
        LabelStream(plain, ClasswiseShapley(), samples=2)
    with pytest.raises(ValueError, match="this game is a DataGame"):
        exact(plain, ClasswiseShapley())
    with pytest.raises(ValueError, match="say for which"):
        exact(game)
    with pytest.raises(ValueError, match="classes has the class .*7"):
        game.evaluate([7], np.ones((1, 6), dtype=bool))
