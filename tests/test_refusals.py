"""Bad input is refused in a sentence that names it, with the right type, and before any work starts."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fastsa import Labels, LabelStream, estimators, games, utilities

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 3)), np.array([0, 1, 2, 0, 1, 2, 0, 1])
X_VAL, Y_VAL = RNG.normal(size=(5, 3)), np.array([0, 1, 2, 0, 1])
KNN = utilities.KNN(2)


def with_value(array, place, value):
    changed = np.array(array, dtype=object if isinstance(value, str) or value is None else np.float64)
    changed[place] = value
    return changed


def data_game(**changed):
    given = {"utility": KNN, "X": X, "y": Y, "X_val": X_VAL, "y_val": Y_VAL, **changed}
    return games.DataGame(**given)


DATA = [
    ({"X": with_value(X, (2, 1), np.nan)}, ValueError, r"X\[2, 1\] is nan"),
    ({"X": with_value(X, (7, 0), -np.inf)}, ValueError, r"X\[7, 0\] is -inf"),
    ({"X_val": with_value(X_VAL, (0, 2), np.inf)}, ValueError, r"X_val\[0, 2\] is inf"),
    ({"X": X[:, 0]}, ValueError, r"X has shape \(8,\); expected two axes"),
    ({"X": X[None]}, ValueError, r"X has shape \(1, 8, 3\)"),
    ({"X": X[:0], "y": Y[:0]}, ValueError, r"X has shape \(0, 3\); expected at least one point"),
    ({"X": X[:, :0]}, ValueError, r"X has shape \(8, 0\)"),
    ({"X": X.astype(complex)}, TypeError, "X has dtype complex128; expected real numbers"),
    ({"X": X.astype(str)}, TypeError, "X has dtype <U.*; expected real numbers"),
    ({"X": with_value(X, (0, 0), "blue")}, TypeError, "X has dtype object"),
    ({"X_val": X_VAL[:, :2]}, ValueError, "X_val has 2 features; expected 3, as in X"),
    ({"X_val": X_VAL[:0], "y_val": Y_VAL[:0]}, ValueError, r"X_val has shape \(0, 3\); expected at least one point"),
    ({"y": Y[:7]}, ValueError, r"y has shape \(7,\); expected \(8,\)"),
    ({"y": Y[:, None]}, ValueError, r"y has shape \(8, 1\)"),
    ({"y_val": Y_VAL[:4]}, ValueError, r"y_val has shape \(4,\); expected \(5,\)"),
    (
        {"y": np.zeros(8, int), "y_val": np.zeros(5, int)},
        ValueError,
        "y has the single class .*0.*; expected at least two",
    ),
    ({"y_val": np.array([0, 1, 2, 3, 1])}, ValueError, "y_val has the class .*3.*, which y does not"),
    ({"y": Y.astype(str)}, TypeError, "y_val has dtype int64 and y has <U"),
    ({"y_val": Y_VAL.astype(str)}, TypeError, "y_val has dtype <U.* and y has int64"),
    ({"y": with_value(Y, 3, np.nan)}, ValueError, "y contains NaN"),
    ({"y": with_value(Y, 3, None)}, ValueError, "y contains a missing value"),
    ({"y": with_value(Y, 3, "two")}, TypeError, "y mixes classes of type .*str"),
    (
        {"y": np.array(list("abcabcab"), dtype=object), "y_val": np.array([1, 2, 3, 1, 1], dtype=object)},
        TypeError,
        "y_val has classes such as 1",
    ),
    ({"utility": "logistic"}, TypeError, "utility is 'logistic'; expected one of fastsa.utilities"),
    ({"utility": utilities.KNN}, TypeError, "utility is <class .*; expected one of fastsa.utilities"),
    ({"X_items": X[:2]}, ValueError, "X_items and y_items go together"),
    ({"y_items": Y[:2]}, ValueError, "X_items and y_items go together"),
    ({"X_items": X[:2, :2], "y_items": Y[:2]}, ValueError, "X_items has 2 features; expected 3"),
    ({"X_items": X[:2], "y_items": np.array([0, 9])}, ValueError, "y_items has the class .*9"),
    ({"X_items": X[:0], "y_items": Y[:0]}, ValueError, r"X_items has shape \(0, 3\)"),
    ({"ids": np.arange(7)}, ValueError, r"ids have shape \(7,\); expected \(8,\)"),
    ({"ids": np.zeros(8, int)}, ValueError, "ids repeat"),
    ({"ids": np.arange(8) - 1}, ValueError, "ids reach from -1"),
    ({"ids": np.arange(8) + 2**48 - 7}, ValueError, "ids reach from .* 281474976710656"),
    ({"ids": np.arange(8.0)}, TypeError, "ids have dtype float64"),
]


@pytest.mark.parametrize(("changed", "error", "words"), DATA)
def test_bad_data_are_refused(changed, error, words):
    with pytest.raises(error, match=words):
        data_game(**changed)


class CountsPreparations:
    """A utility that tells whether any work was started."""

    n_outputs = 1
    prepared = 0

    def empty_score(self, n_classes):
        return 0.0

    def prepare(self, data):
        CountsPreparations.prepared += 1


@pytest.mark.parametrize("changed", [c for c, _, _ in DATA if "utility" not in c])
def test_bad_data_are_refused_before_the_utility_is_prepared(changed):
    CountsPreparations.prepared = 0
    with pytest.raises((TypeError, ValueError)):
        data_game(utility=CountsPreparations(), **changed)
    assert CountsPreparations.prepared == 0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: utilities.KNN(0), ValueError, "k is 0; expected at least 1"),
        (lambda: utilities.KNN(2.0), TypeError, "k is 2.0, a float"),
        (lambda: utilities.KNN(True), TypeError, "k is True, a bool"),
        (lambda: utilities.KNN(10**6), ValueError, "k is 1000000; expected at most"),
        (lambda: utilities.KNN(3, "f1"), ValueError, "score is 'f1'; expected one of 'accuracy', 'vote'"),
        (lambda: utilities.KNN(3, empty=np.nan), ValueError, "empty is nan"),
        (lambda: utilities.KNN(3, empty="0"), TypeError, "empty is '0', a str"),
        (lambda: utilities.Logistic(0.0), ValueError, "C is 0.0; expected a finite number above 0"),
        (lambda: utilities.Logistic(-1), ValueError, "C is -1"),
        (lambda: utilities.Logistic(np.inf), ValueError, "C is inf"),
        (lambda: utilities.Logistic("1"), TypeError, "C is '1', a str"),
        (lambda: utilities.Logistic(None), TypeError, "C is None"),
        (
            lambda: utilities.Logistic(score="vote"),
            ValueError,
            "score is 'vote'; expected one of 'accuracy', 'log_loss'",
        ),
        (lambda: utilities.Logistic(empty=-np.inf), ValueError, "empty is -inf"),
        (lambda: estimators.Distributional(5, 4), ValueError, "max_size is 4; expected at least 5"),
        (lambda: estimators.Distributional(-1, 4), ValueError, "min_size is -1"),
        (lambda: estimators.Distributional(1, 4, shared=0), ValueError, "shared is 0"),
        (lambda: estimators.Distributional(1.0, 4), TypeError, "min_size is 1.0"),
        (lambda: estimators.PermutationShapley(min_size=-1), ValueError, "min_size is -1"),
        (lambda: estimators.PermutationShapley(3, 2), ValueError, "max_size is 2; expected at least 3"),
        (lambda: estimators.PermutationShapley(max_size="4"), TypeError, "max_size is '4'"),
        (lambda: estimators.PermutationShapley(antithetic=1), TypeError, "antithetic is 1; expected True or False"),
        (
            lambda: estimators.PermutationShapley(2, antithetic=True),
            ValueError,
            "antithetic permutations count every size",
        ),
        (lambda: estimators.BetaShapley(0.0), ValueError, "alpha is 0.0; expected a finite number above 0"),
        (lambda: estimators.BetaShapley(1, -1), ValueError, "beta is -1.0"),
        (lambda: estimators.BetaShapley("1"), TypeError, "alpha is '1', a str"),
        (lambda: estimators.BanzhafMSR(0), ValueError, "q is 0.0; expected a finite number above 0"),
        (lambda: estimators.BanzhafMSR(1.0), ValueError, "q is 1.0; expected a number below 1"),
        (lambda: estimators.BanzhafMSR(None), TypeError, "q is None"),
        (
            lambda: estimators.Semivalue("owen"),
            ValueError,
            "index is 'owen'; expected one of 'shapley', 'banzhaf', 'beta'",
        ),
        (lambda: estimators.Semivalue("banzhaf", q=1.5), ValueError, "q is 1.5"),
        (lambda: estimators.AdjustedMSR(paired="no"), TypeError, "paired is 'no'"),
        (lambda: estimators.KernelSHAP(paired=None), TypeError, "paired is None; expected True or False"),
        (lambda: estimators.LeverageSHAP(0), TypeError, "paired is 0"),
        (lambda: estimators.LIME("text"), ValueError, "kernel is 'text'; expected one of 'image', 'paper', 'tabular'"),
        (lambda: estimators.LIME(3), TypeError, "kernel is 3"),
        (lambda: estimators.SGDShapley(0.0), ValueError, "step is 0.0"),
        (lambda: estimators.SGDShapley(debiased=2), TypeError, "debiased is 2"),
        (lambda: estimators.from_config({"name": "Owen"}), ValueError, "name is 'Owen'; expected one of"),
        (lambda: games.FunctionGame("sum", 3), TypeError, "fn is 'sum'"),
        (lambda: games.FunctionGame(lambda c: c[:, 0], 0), ValueError, "n_players is 0"),
        (lambda: games.FunctionGame(lambda c: c[:, 0], 2**31), ValueError, "n_players is 2147483648"),
    ],
)
def test_bad_settings_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


class NeverWalked:
    """A game that must not be asked for values."""

    n_players, n_outputs = 6, 1
    ids = np.arange(6, dtype=np.uint64)
    item_players = np.arange(6, dtype=np.int32)
    fingerprint = "none"
    draws_background = knows_empty = False

    def walk(self, walks, **options):
        raise AssertionError("work was started")

    evaluate = walk


STREAMS = [
    ({"samples": 0}, ValueError, "samples is 0; expected at least 1"),
    ({"samples": -3}, ValueError, "samples is -3"),
    ({"samples": 2.0}, TypeError, "samples is 2.0, a float"),
    ({"samples": None}, TypeError, "samples is None"),
    (
        {"samples": 2**32 + 1},
        ValueError,
        "samples 0 to 4294967297 pass the 4294967296 that one seed holds; use another seed",
    ),
    ({"samples": 2, "first_sample": 2**32 - 1}, ValueError, "use another seed"),
    ({"first_sample": -1}, ValueError, "first_sample is -1"),
    ({"seed": -1}, ValueError, "seed is -1; expected 0 <= seed < 2"),
    ({"seed": 2**64}, ValueError, "seed is 18446744073709551616"),
    ({"seed": 0.5}, TypeError, "seed is 0.5"),
    ({"seed": None}, TypeError, "seed is None"),
    ({"role": "validation"}, ValueError, "role is 'validation'; expected one of 'train', 'select', 'certify', 'truth'"),
    ({"role": 2}, TypeError, "role is 2"),
    ({"role": ["train"]}, TypeError, "role is \\['train'\\]"),
    ({"items": []}, ValueError, "items have shape \\(0,\\)"),
    ({"items": [[0, 1]]}, ValueError, "items have shape \\(1, 2\\)"),
    ({"items": [0.0, 1.0]}, TypeError, "items have dtype float64"),
    ({"items": np.ones(6, bool)}, TypeError, "items have dtype bool.*flatnonzero"),
    ({"items": [0, 6]}, ValueError, "items reach from 0 to 6; expected 0 to 5"),
    ({"items": [-1]}, ValueError, "items reach from -1"),
    ({"items": [2, 2]}, ValueError, "items repeat"),
    ({"batch": 0}, ValueError, "batch is 0"),
    ({"max_bytes": 0}, ValueError, "max_bytes is 0"),
    ({"max_bytes": 1e9}, TypeError, "max_bytes is 1000000000.0"),
    ({"n_threads": 0}, ValueError, "n_threads is 0"),
    ({"n_threads": "all"}, TypeError, "n_threads is 'all'"),
    ({"estimator": "shapley"}, TypeError, "estimator is 'shapley'; expected one of fastsa.estimators"),
    ({"estimator": estimators.PermutationShapley}, TypeError, "estimator is <class"),
    ({"estimator": estimators.PermutationShapley(min_size=6)}, ValueError, "min_size is 6; expected at most 5"),
    (
        {"estimator": estimators.KernelSHAP()},
        ValueError,
        "samples is 3; expected at least 6, below which KernelSHAP has no labels of 6 players",
    ),
    ({"estimator": estimators.KernelSHAP(paired=False), "samples": 6}, ValueError, "samples is 6; expected at least 7"),
    (
        {"estimator": estimators.LeverageSHAP(), "samples": 5},
        ValueError,
        "samples is 5; expected at least 6, below which LeverageSHAP",
    ),
    ({"estimator": estimators.LIME(), "samples": 7}, ValueError, "samples is 7; expected at least 8, below which LIME"),
    ({"estimator": estimators.AdjustedMSR()}, ValueError, "samples is 3; expected at least 4, below which AdjustedMSR"),
    ({"estimator": estimators.SGDShapley(9.0)}, ValueError, "step is 9.0; expected below .*, where steps diverge"),
    ({"estimator": estimators.LeaveOneOut()}, ValueError, "samples is 3; expected 1"),
    (
        {"estimator": estimators.BanzhafMSR(), "items": [1, 0, 2, 3, 4, 5]},
        ValueError,
        "take them all as items, in order",
    ),
    ({"shard_of": 2}, ValueError, "shard_of is 2; expected at least 3"),
    ({"shard_of": 4.0}, TypeError, "shard_of is 4.0"),
    ({"game": np.zeros((3, 3))}, TypeError, "game is a ndarray; expected one of fastsa.games"),
]


@pytest.mark.parametrize(("changed", "error", "words"), STREAMS)
def test_bad_requests_are_refused_before_any_work(changed, error, words):
    given = {"game": NeverWalked(), "estimator": estimators.PermutationShapley(), "samples": 3, **changed}
    before = threading.active_count()
    with pytest.raises(error, match=words):
        LabelStream(given.pop("game"), given.pop("estimator"), **given)
    assert threading.active_count() == before


def test_permutations_value_the_pool_only():
    game = data_game(X_items=X[:2], y_items=Y[:2])
    with pytest.raises(ValueError, match="use Distributional for points outside"):
        LabelStream(game, estimators.PermutationShapley(), samples=3)


def test_the_last_sample_of_a_seed_can_be_taken_and_not_extended():
    game = games.FunctionGame(lambda c: c[:, 0], 3)
    labels = LabelStream(
        game, estimators.PermutationShapley(), samples=1, first_sample=2**32 - 1, seed=2**64 - 1
    ).collect()
    with pytest.raises(ValueError, match="use another seed"):
        labels.extend(game, 1)
    with pytest.raises(ValueError, match="samples is 0"):
        labels.extend(game, 0)


def test_settings_of_games_cannot_be_changed_afterwards():
    for frozen, name in ((KNN, "k"), (utilities.Logistic(), "C"), (estimators.Distributional(), "shared")):
        with pytest.raises(AttributeError):
            setattr(frozen, name, 7)


def test_a_dataframe_without_pandas_says_what_to_install(monkeypatch):
    import sys

    from fastsa import BackendUnavailable

    game = games.FunctionGame(lambda c: c[:, 0], 3)
    labels: Labels = LabelStream(game, estimators.PermutationShapley(), samples=2).collect()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(BackendUnavailable, match="pip install pandas"):
        labels.to_dataframe()
