"""CallableUtility: the function is asked for counts of every multiset, and its answers are checked."""

from __future__ import annotations

import naive_walks
import numpy as np
import pytest
import small_games

from fastsa import games
from fastsa._threads import Cancel, Cancelled
from fastsa.utilities import CallableUtility

N, N_OUTSIDE = 12, 3


@pytest.fixture
def data():
    X, y, X_val, y_val = small_games.points(N + N_OUTSIDE, 11, 3, seed=3)
    return {"X": X[:N], "y": y[:N], "X_val": X_val, "y_val": y_val, "X_items": X[N:], "y_items": y[N:]}


@pytest.fixture
def walks():
    return naive_walks.random_walks(np.random.default_rng(4), N, 20, n_points=N + N_OUTSIDE)


def weighted_counts(counts, data):
    """Tells every multiset from every other."""
    assert counts.dtype == np.int32 and counts.shape[1] == data.y.size
    return counts @ 5.0 ** np.arange(data.y.size)


def test_every_value_is_the_functions_answer_for_its_multiset(data, walks):
    found = games.DataGame(CallableUtility(weighted_counts), **data).walk(walks)
    expected = [sum(5.0**p for p in members) for members in naive_walks.multisets_behind(walks)]
    assert found[:, 0].tolist() == expected
    assert (
        games.DataGame(CallableUtility(weighted_counts), **data).walk(walks, max_bytes=1).tobytes() == found.tobytes()
    )


def test_the_function_sees_the_games_data_and_cannot_change_it(data):
    seen = []
    games.DataGame(CallableUtility(lambda counts, data: (seen.append(data), counts.sum(axis=1))[1]), **data)
    (view,) = seen
    assert (view.X == np.concatenate([data["X"], data["X_items"]])).all() and view.n_pool == N and view.n_classes == 3
    assert (view.y_val == data["y_val"]).all() and (view.X_val == data["X_val"]).all()
    assert not any(getattr(view, name).flags.writeable for name in ("X", "y", "X_val", "y_val"))


def test_coalitions_that_repeat_are_asked_for_once_and_empty_ones_when_the_game_is_made(data):
    asked = []
    game = games.DataGame(
        CallableUtility(lambda counts, data: (asked.append(counts.copy()), counts.sum(axis=1))[1]), **data
    )
    assert [a.sum() for a in asked] == [0]
    walks = naive_walks.walks_of([[1, 2], [2, 1], [2, 1, 3]], [[0, 2], [2, 2], [2]], [[], [], []])
    assert game.walk(walks)[:, 0].tolist() == [0, 2, 2, 2, 2]
    assert len(asked) == 2 and asked[1].shape[0] == 1


def test_many_outputs_one_per_point_and_a_set_empty_score(data):
    two = games.DataGame(
        CallableUtility(lambda c, d: np.stack([c.sum(1), -c.sum(1)], axis=1), n_outputs=2, empty=7.0), **data
    )
    assert two.evaluate(np.tri(2, N, dtype=bool)).tolist() == [[1.0, -1.0], [2.0, -2.0]]
    assert two.evaluate(np.zeros((1, N), dtype=bool)).tolist() == [[7.0, 7.0]]
    points = games.DataGame(CallableUtility(lambda c, d: np.outer(c.sum(1), d.y_val), n_outputs=None), **data)
    assert points.n_outputs == 11
    assert points.evaluate(np.ones((1, N), dtype=bool))[0].tolist() == (N * data["y_val"]).tolist()


def test_targets_reach_the_function_as_they_are(data):
    targets = {**data, "y": np.linspace(0, 1, N), "y_val": np.linspace(0, 1, 11), "y_items": np.zeros(3)}
    game = games.DataGame(CallableUtility(lambda c, d: c @ d.y, takes="targets"), **targets)
    assert game.evaluate(np.eye(N, dtype=bool))[:, 0].tolist() == targets["y"].tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_coalition(data, bad):
    game = games.DataGame(CallableUtility(lambda c, d: np.where(c[:, 4] > 1, bad, 0.0)), **data)
    with pytest.raises(
        ValueError, match=rf"CallableUtility scored a coalition .* not finite: {bad} for 4 players \(1, 4, 4, 13\)"
    ):
        game.walk(naive_walks.walks_of([[4, 1, 4]], [[0, 2]], [[13]]))


def test_a_long_coalition_is_named_by_its_first_players(data):
    game = games.DataGame(CallableUtility(lambda c, d: np.where(c.sum(axis=1) == N, np.nan, 0.0)), **data)
    with pytest.raises(ValueError, match=r"nan for 12 players \(0, 1, 2, 3, 4, 5, 6, 7, \.\.\.\)"):
        game.evaluate(np.ones((1, N), dtype=bool))


def test_cancelled_work_stops(data, walks):
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        games.DataGame(CallableUtility(weighted_counts), **data).walk(walks, cancel=cancel)


def test_functions_of_other_names_are_other_utilities(data):
    def other(counts, data):
        return counts.sum(axis=1)

    one, two = CallableUtility(weighted_counts), CallableUtility(other)
    assert one == CallableUtility(weighted_counts) != two
    assert games.DataGame(one, **data).fingerprint != games.DataGame(two, **data).fingerprint
    assert "weighted_counts, n_outputs=1, takes='classes', empty=None" in repr(one)


@pytest.mark.parametrize(
    ("make", "error", "complaint"),
    [
        (lambda data: CallableUtility(3), TypeError, "fn is 3"),
        (lambda data: CallableUtility(weighted_counts, n_outputs=0), ValueError, "n_outputs is 0"),
        (lambda data: CallableUtility(weighted_counts, takes="y"), ValueError, "takes is 'y'"),
        (
            lambda data: games.DataGame(CallableUtility(lambda c, d: 0.0), **data),
            ValueError,
            r"fn answered shape \(\) for 1 coalitions; expected \(1, 1\) or \(1,\)",
        ),
        (
            lambda data: games.DataGame(CallableUtility(lambda c, d: c), **data),
            ValueError,
            r"fn answered shape \(1, 15\)",
        ),
        (
            lambda data: games.DataGame(CallableUtility(lambda c, d: ["a"] * len(c)), **data),
            TypeError,
            "fn answered dtype <U1",
        ),
    ],
)
def test_bad_functions_are_refused(make, error, complaint, data):
    with pytest.raises(error, match=complaint):
        make(data)
