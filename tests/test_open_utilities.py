"""Open utilities: against the definition, and the check against utilities that break its rules."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid as Reference

from fastsa import LabelStream, exact
from fastsa.estimators import PermutationShapley
from fastsa.games import DataGame
from fastsa.utilities import NearestCentroid, OpenUtility, UtilityError, check


def make_data(n=60, m=25, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n + m)
    y[:classes] = np.arange(classes)
    X = rng.normal(size=(n + m, 4)) + y[:, None]
    return X[:n], y[:n], X[n:], y[n:]


class Counter(OpenUtility):
    """The number of members, the simplest utility; its variants below each break one rule."""

    def state_size(data):
        return 2

    def reset(data, state):
        state[0] = 0.0
        state[1] = 0.0

    def add(data, state, player):
        state[0] += 1.0
        return 0

    def score(data, state, out):
        out[0] = state[0]
        return 0


class SumsItsState(Counter):
    def score(data, state, out):
        out[0] = state[:1].sum() + 0.0 * data.X[0].sum() + state.sum() - state[0]
        return 0


class KeepsState(Counter):
    def reset(data, state):
        pass


class ReadsOutOfBounds(Counter):
    def add(data, state, player):
        state[0] += data.y[player + data.y.size - 1] * 0.0 + 1.0
        return 0


class IndexesBelowZero(Counter):
    def add(data, state, player):
        state[-1] += 1.0
        state[0] += 1.0
        return 0


class WritesData(Counter):
    def add(data, state, player):
        data.y[player] = 0
        state[0] += 1.0
        return 0


class DependsOnOrder(Counter):
    def add(data, state, player):
        state[0] = state[0] * 0.5 + player
        return 0


class ScoresNothing(Counter):
    def score(data, state, out):
        return 0


class Fails(Counter):
    def add(data, state, player):
        if player == 7:
            return 42
        state[0] += 1.0
        return 0


class FailsToScore(Counter):
    def score(data, state, out):
        if state[0] > 3.0:
            return 5
        out[0] = state[0]
        return 0


class Raises(Counter):
    def add(data, state, player):
        if player == 7:
            raise ValueError("seven")
        state[0] += 1.0
        return 0


class MeanPlayer(Counter):
    """Needs a member to score: the empty coalition would be 0 / 0."""

    def add(data, state, player):
        state[0] += 1.0
        state[1] += player
        return 0

    def score(data, state, out):
        out[0] = divided(state)
        return 0


def divided(state):
    return state[1] / nonzero(state[0])


def nonzero(number):
    return number


class ScoresInfinity(Counter):
    def score(data, state, out):
        out[0] = np.inf
        return 0


def test_nearest_centroid_is_scikit_learns():
    X, y, X_val, y_val = make_data()
    game = DataGame(NearestCentroid(), X, y, X_val, y_val)
    members = np.random.default_rng(1).random((60, 60)) < 0.3
    values = game.evaluate(members)[:, 0]
    for coalition, value in zip(members, values, strict=True):
        if np.unique(y[coalition]).size > 1:
            assert value == pytest.approx(Reference().fit(X[coalition], y[coalition]).score(X_val, y_val), abs=1e-12)


@pytest.mark.parametrize("utility", [NearestCentroid(), Counter(), SumsItsState()])
def test_check_passes_a_utility_that_keeps_the_rules(utility):
    check(utility)


@pytest.mark.parametrize(
    ("utility", "complaint"),
    [
        (KeepsState, "differ"),
        (ReadsOutOfBounds, "index .* of y is out of bounds"),
        (IndexesBelowZero, "index -1 of state is out of bounds"),
        (WritesData, "wrote to data.y"),
        (DependsOnOrder, "order in which players join"),
        (ScoresNothing, "not finite"),
        (Fails, "add of player 7 answered 42"),
        (FailsToScore, "score answered 5"),
    ],
)
def test_check_names_the_rule_that_is_broken(utility, complaint):
    with pytest.raises(UtilityError, match=complaint):
        check(utility())


def test_an_error_code_arrives_as_an_exception_that_names_the_player():
    game = DataGame(Fails(), *make_data())
    with pytest.raises(RuntimeError, match="Fails answered error code 42 when player 7 joined"):
        game.evaluate(np.ones((1, 60), dtype=bool))


def test_an_error_code_of_score_is_named_as_such():
    game = DataGame(FailsToScore(), *make_data())
    with pytest.raises(RuntimeError, match="code 5 while scoring"):
        game.evaluate(np.ones((1, 60), dtype=bool))


def test_an_exception_in_compiled_code_arrives_and_names_the_player():
    game = DataGame(Raises(), *make_data())
    with pytest.raises(RuntimeError, match="Raises raised an exception when player 7 joined; .*check may show which"):
        game.evaluate(np.ones((1, 60), dtype=bool))


def test_the_empty_coalition_is_the_games_to_value_and_bodies_call_functions_of_their_module():
    check(MeanPlayer())
    members = np.zeros((3, 60), dtype=bool)
    members[1, 4], members[2, [4, 8]] = True, True
    assert DataGame(MeanPlayer(), *make_data()).evaluate(members)[:, 0].tolist() == [1 / 3, 4.0, 6.0]


def test_division_by_zero_is_not_finite_and_refused():
    class Divides(MeanPlayer):
        def add(data, state, player):
            state[1] += player + 1.0
            return 0

    with pytest.raises(ValueError, match="Divides scored a coalition with a value that is not finite"):
        DataGame(Divides(), *make_data()).evaluate(np.ones((1, 60), dtype=bool))


def test_a_score_that_is_not_finite_is_refused():
    game = DataGame(ScoresInfinity(), *make_data())
    with pytest.raises(ValueError, match="not finite"):
        game.evaluate(np.ones((1, 60), dtype=bool))


def test_a_utility_without_its_functions_is_refused():
    class Half(OpenUtility):
        def state_size(data):
            return 1

    with pytest.raises(TypeError, match="does not define reset, add, score"):
        DataGame(Half(), *make_data())


def test_labels_are_the_same_bytes_for_any_number_of_threads():
    game = DataGame(NearestCentroid(), *make_data())
    one, two, seven = (
        LabelStream(game, PermutationShapley(), samples=9, n_threads=n).collect().mean.tobytes() for n in (1, 2, 7)
    )
    assert one == two == seven


def test_permutation_labels_meet_enumeration():
    """z below 5.5 for 6 players: false alarm below 2.5e-7; a bias of 6 standard errors (about 0.01) would be seen."""
    X, y, X_val, y_val = make_data(n=6, m=40, classes=2)
    game = DataGame(NearestCentroid(), X, y, X_val, y_val)
    labels = LabelStream(game, PermutationShapley(), samples=20_000).collect()
    z = (labels.mean - exact(game)) / np.maximum(labels.stderr, 1e-12)
    assert np.abs(z).max() < 5.5
