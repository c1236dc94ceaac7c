"""Masked inputs: numpy's where, bit for bit, whatever the numbers, the players and the rows behind."""

from __future__ import annotations

import numpy as np
import pytest

import fastsa
from fastsa import _core, ops
from fastsa.games.arrays import Batch


def drawn(dtype, items, coalitions, entries, players, background, seed):
    rng = np.random.default_rng(seed)
    inputs, behind = (
        rng.normal(size=(items, entries)).astype(dtype),
        rng.normal(size=(background, entries)).astype(dtype),
    )
    inputs[0, 0], behind[-1, -1] = np.nan, np.inf
    player_of = None if players is None else rng.integers(0, players, entries).astype(np.int32)
    members = rng.random((coalitions, players or entries)) < 0.5
    return (
        inputs,
        rng.integers(0, items, coalitions),
        members,
        behind,
        rng.integers(0, background, coalitions),
        player_of,
    )


def keep_of(members, player_of):
    return members if player_of is None else members[:, player_of]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("entries", "players"), [(1, None), (7, None), (100, 13), (1024, None), (1025, 3), (3000, 196)]
)
def test_it_is_numpys_where(dtype, entries, players):
    inputs, items, members, behind, rows, player_of = drawn(dtype, 3, 20, entries, players, 5, seed=entries)
    keep = keep_of(members, player_of)
    one_row = ops.masked(inputs, items, members, behind, rows, player_of=player_of)
    assert one_row.tobytes() == np.where(keep, inputs[items], behind[rows]).tobytes()
    whole = ops.masked(inputs, items, members, behind, player_of=player_of)
    assert whole.tobytes() == np.where(keep[:, None], inputs[items][:, None], behind[None]).tobytes()


def test_threads_and_a_reused_out_change_nothing():
    inputs, items, members, behind, _, _ = drawn(np.float32, 3, 900, 100, None, 9, seed=1)
    out = np.full((900, 9, 100), np.float32(7))
    one = ops.masked(inputs, items, members, behind, n_threads=1)
    assert ops.masked(inputs, items, members, behind, out=out, n_threads=2) is out
    assert out.tobytes() == one.tobytes()


@pytest.mark.skipif(_core.instruction_set() == "portable", reason="this machine runs the portable build only")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("entries", [5, 100, 1500])
def test_every_instruction_set_gives_the_same_bytes(dtype, entries):
    inputs, items, members, behind, rows, _ = drawn(dtype, 3, 30, entries, None, 9, seed=2)
    for chosen, shape in ((rows, (30, entries)), (None, (30, 9, entries))):
        portable = np.zeros(shape, dtype)
        _core.masked(
            portable, inputs, items, members, None, behind, chosen, 0, 30, np.zeros(1, np.int32), portable_build=True
        )
        assert portable.tobytes() == ops.masked(inputs, items, members, behind, chosen).tobytes()


def test_nothing_to_mask_is_an_empty_answer():
    inputs, items, members, behind, rows, _ = drawn(np.float32, 3, 4, 6, None, 2, seed=1)
    assert ops.masked(inputs, items[:0], members[:0], behind, rows[:0]).shape == (0, 6)


X, ITEMS, MEMBERS, BEHIND = np.zeros((2, 3)), np.zeros(4, np.int64), np.zeros((4, 3), bool), np.zeros((5, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ops.masked(X.astype(int), ITEMS, MEMBERS, BEHIND), TypeError, "expected float32 or float64"),
        (lambda: ops.masked(X, ITEMS, MEMBERS, BEHIND.astype(np.float32)), TypeError, "background has dtype float32"),
        (lambda: ops.masked(X, ITEMS, MEMBERS, BEHIND[:, :2].copy()), ValueError, "background has 2 entries a row"),
        (lambda: ops.masked(X, ITEMS + 2, MEMBERS, BEHIND), ValueError, "items reach from 2 to 2; expected 0 to 1"),
        (lambda: ops.masked(X, ITEMS, MEMBERS, BEHIND, ITEMS - 1), ValueError, "rows reach from -1 to -1"),
        (lambda: ops.masked(X, ITEMS[:3], MEMBERS, BEHIND), ValueError, "items has 3 entries; expected 4"),
        (lambda: ops.masked(X, ITEMS, MEMBERS[:, :2].copy(), BEHIND), ValueError, "members have 2 players"),
        (
            lambda: ops.masked(X, ITEMS, MEMBERS, BEHIND, player_of=np.full(3, 3, np.int32)),
            ValueError,
            "player_of reach",
        ),
        (lambda: ops.masked(X, ITEMS, MEMBERS, BEHIND, out=np.zeros((4, 3))), ValueError, "out has shape|axes"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.float16])
@pytest.mark.parametrize(
    "masker",
    [
        fastsa.games.Baseline(2.0),
        fastsa.games.Marginal(np.arange(42.0).reshape(7, 6) % 5),
        fastsa.games.Groups(np.array([0, 0, 1, 2, 2, 1]), fastsa.games.Marginal(np.arange(42.0).reshape(7, 6) % 5)),
    ],
)
def test_a_models_values_do_not_depend_on_the_dtypes_path(dtype, masker):
    """Small whole numbers are exact in every dtype, native or not."""
    inputs = np.random.default_rng(0).integers(-3, 4, (5, 6))
    seen = []

    def model(x):
        assert x.dtype == np.dtype(dtype)
        seen.append(len(x))
        return x.astype(np.float64) @ np.arange(1.0, 7.0)

    game = fastsa.games.ModelGame(model, inputs.astype(dtype), masker)
    rng = np.random.default_rng(1)
    items, coalitions = rng.integers(0, 5, 40), rng.random((40, game.n_players)) < 0.5
    players = getattr(masker, "players", np.arange(6))
    background = (
        np.full((1, 6), 2.0) if isinstance(masker, fastsa.games.Baseline) else np.arange(42.0).reshape(7, 6) % 5
    )
    rows = np.where(coalitions[:, players][:, None], inputs[items][:, None], background[None])
    np.testing.assert_array_equal(game.evaluate(items, coalitions)[:, 0], (rows @ np.arange(1.0, 7.0)).mean(axis=1))
    anyone = coalitions.any(axis=1)
    assert sum(seen[1:]) == (anyone.sum() + (not anyone.all())) * len(background)


def test_a_strided_view_of_inputs_is_masked_as_its_copy():
    inputs = np.random.default_rng(0).normal(size=(6, 10)).astype(np.float32)
    view, coalitions = inputs.T[::2, ::-1], np.random.default_rng(1).random((5, 6)) < 0.5
    games = [
        fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 5], x, fastsa.games.Baseline(1.0)) for x in (view, view.copy())
    ]
    answers = [game.evaluate(np.arange(5), coalitions) for game in games]
    assert answers[0].tobytes() == answers[1].tobytes()


def test_a_model_that_overwrites_its_batch_or_answers_a_view_of_it_changes_nothing():
    inputs = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    background = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32)
    items, coalitions = np.repeat(np.arange(40), 64), np.random.default_rng(2).random((2560, 6)) < 0.5

    def overwrites(x):
        answer = x[:, 2] + x[:, 4]
        x[:] = np.nan
        return answer

    def answers_a_view(x):
        x[:, 0] = x[:, 2] + x[:, 4]
        return x[:, :1]

    for masker in (fastsa.games.Baseline(0.0), fastsa.games.Marginal(background)):
        values = [
            fastsa.games.ModelGame(model, inputs, masker).walk(
                ops.Walks.of_coalitions(coalitions, ops.Lanes(items)), max_bytes=1 << 12
            )
            for model in (lambda x: x[:, 2] + x[:, 4], overwrites, answers_a_view)
        ]
        assert values[1].tobytes() == values[0].tobytes() and values[2].tobytes() == values[0].tobytes()


def test_a_background_that_does_not_fit_into_memory_is_halved():
    background = np.arange(12.0).reshape(6, 2)

    def model(x):
        if len(x) > 2:
            raise MemoryError
        return x.sum(axis=1)

    game = fastsa.games.ModelGame(model, np.array([[100.0, 200.0]]), fastsa.games.Marginal(background))
    assert game.evaluate([0], [[True, False]]).item() == 100.0 + background[:, 1].mean()


def test_a_batch_hands_out_one_memory_that_only_grows():
    batch = Batch()
    first = batch.array((4, 5), np.float32)
    assert first.shape == (4, 5) and first.dtype == np.float32
    assert np.shares_memory(first, batch.array((3, 2), np.float64))
    assert batch.array((40, 5), np.float32).size == 200
