"""The Shapley regression: against dense algebra in float64, in rational arithmetic, and where it has no answer."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from fastsa import _core, _threads, ops

# Cholesky of n x n of a condition number below 1e4, against an inverse with errors of its own.
CLOSE = 1e-11


def drawn(games, samples, n, coalitions, outputs, seed):
    rng = np.random.default_rng(seed)
    members = rng.random((games, samples, n)) < rng.random((games, samples, 1))
    return members, rng.normal(size=(games, samples, coalitions, outputs)), rng.normal(size=(games, outputs))


def by_dense_algebra(members, values, totals, weight):
    """The formula of the docstring, coalition by coalition."""
    n = members.shape[1]
    gram, moment, one = np.zeros((n, n)), np.zeros((n, values.shape[2])), np.ones(n)
    for coalition, of_sample in zip(members, values, strict=True):
        w = 1.0 if weight is None else weight[coalition.sum()]
        for indicator, value in zip((coalition * 1.0, 1.0 - coalition), of_sample, strict=False):
            gram += w * np.outer(indicator, indicator)
            moment += w * np.outer(indicator, value)
    inverse = np.linalg.inv(gram)
    return inverse @ (moment - np.outer(one, (one @ inverse @ moment - totals) / (one @ inverse @ one)))


@pytest.mark.parametrize(
    ("n", "samples", "coalitions", "outputs"),
    [
        *((2, 9, 1, 1), (7, 40, 2, 1), (8, 64, 1, 3), (9, 65, 2, 8)),
        *((63, 200, 2, 1), (64, 300, 1, 7), (65, 257, 2, 2), (130, 400, 2, 9)),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_formula_of_dense_algebra(n, samples, coalitions, outputs, weighted):
    members, values, totals = drawn(3, samples, n, coalitions, outputs, seed=[n, samples])
    weight = np.random.default_rng(n).random(n + 1) + 0.5 if weighted else None
    phi = ops.shapley_regression(n, ops.pack(members), values, totals, weight_of_size=weight)
    for game in range(3):
        expected = by_dense_algebra(members[game], values[game], totals[game], weight)
        np.testing.assert_allclose(phi[game], expected, rtol=0, atol=CLOSE * np.abs(expected).max())
    np.testing.assert_allclose(phi.sum(axis=1), totals, rtol=0, atol=1e-12)


def test_it_is_exact_to_rounding_beside_rational_arithmetic():
    members, values, totals = drawn(1, 20, 5, 2, 1, seed=3)
    values, totals = np.round(values * 8), np.round(totals * 8)  # so that fractions are exact
    samples = list(zip(members[0], values[0], strict=True))
    rows = [(list(map(int, z ^ flip)), Fraction(float(v[int(flip), 0]))) for z, v in samples for flip in (False, True)]
    gram = [[Fraction(sum(z[i] * z[j] for z, _ in rows)) for j in range(5)] for i in range(5)]
    right = [[sum(z[i] * v for z, v in rows), Fraction(1)] for i in range(5)]
    solved = eliminate(gram, right)
    excess = (sum(row[0] for row in solved) - Fraction(float(totals[0, 0]))) / sum(row[1] for row in solved)
    expected = [float(row[0] - excess * row[1]) for row in solved]
    phi = ops.shapley_regression(5, ops.pack(members), values, totals)
    np.testing.assert_allclose(phi[0, :, 0], expected, rtol=1e-13)


def eliminate(matrix, right):
    """Gauss and Jordan, in fractions."""
    n = len(matrix)
    rows = [a + b for a, b in zip(matrix, right, strict=True)]
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[n:] for row in rows]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("paired", [False, True])
def test_an_undetermined_game_is_nan_and_its_neighbours_are_not(weighted, paired):
    n = 21
    members, values, totals = drawn(4, 90, n, 2 if paired else 1, 2, seed=11)
    members[1, :, 4] = members[1, :, 17]  # two players who always join together
    members[2] = members[2, :1]  # one coalition only
    weight = np.linspace(0.3, 1.7, n + 1) if weighted else None
    phi = ops.shapley_regression(n, ops.pack(members), values, totals, weight_of_size=weight)
    assert np.isnan(phi[[1, 2]]).all() and np.isfinite(phi[[0, 3]]).all()


def test_a_player_who_is_never_drawn_makes_a_game_of_single_coalitions_nan():
    members, values, totals = drawn(1, 50, 9, 1, 1, seed=2)
    members[:, :, 3] = False
    assert np.isnan(ops.shapley_regression(9, ops.pack(members), values, totals)).all()


def test_games_do_not_touch_each_other_and_threads_change_nothing():
    members, values, totals = drawn(9, 130, 70, 2, 3, seed=5)
    weight = np.linspace(0.5, 2.0, 71)
    bits = ops.pack(members)
    together = ops.shapley_regression(70, bits, values, totals, weight_of_size=weight, n_threads=2)
    for game in range(9):
        own = slice(game, game + 1)
        alone = ops.shapley_regression(70, bits[own], values[own], totals[own], weight_of_size=weight, n_threads=1)
        assert alone.tobytes() == together[own].tobytes()


@pytest.mark.skipif(_core.instruction_set() == "portable", reason="this machine runs the portable build only")
@pytest.mark.parametrize(("n", "samples", "coalitions", "outputs"), [(2, 3, 1, 1), (66, 200, 2, 9), (196, 256, 2, 1)])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_instruction_set_gives_the_same_bytes(n, samples, coalitions, outputs, weighted):
    members, values, totals = drawn(2, samples, n, coalitions, outputs, seed=n)
    weight = np.linspace(0.5, 2.0, n + 1) if weighted else None
    workspace = _threads.scratch(_core.shapley_regression_workspace(samples, n, outputs))
    answers = []
    for portable in (False, True):
        phi = np.zeros((2, n, outputs))
        _core.shapley_regression(
            phi,
            ops.pack(members),
            values,
            weight,
            totals,
            0,
            2,
            workspace,
            np.zeros(1, np.int32),
            portable_build=portable,
        )
        answers.append(phi.tobytes())
    assert answers[0] == answers[1]


BITS, VALUES, TOTALS = np.zeros((1, 4, 1), np.uint64), np.zeros((1, 4, 2, 1)), np.zeros((1, 1))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ops.shapley_regression(1, BITS, VALUES, TOTALS), ValueError, "n_players is 1"),
        (lambda: ops.shapley_regression(65, BITS, VALUES, TOTALS), ValueError, "expected 2 for 65 players"),
        (lambda: ops.shapley_regression(3, BITS.astype(int), VALUES, TOTALS), TypeError, "members has dtype int64"),
        (
            lambda: ops.shapley_regression(3, BITS, VALUES[:, :3].copy(), TOTALS),
            ValueError,
            r"expected \[1, 4, 1 or 2, 1\]",
        ),
        (
            lambda: ops.shapley_regression(3, BITS, np.zeros((1, 4, 3, 1)), TOTALS),
            ValueError,
            r"expected \[1, 4, 1 or 2, 1\]",
        ),
        (lambda: ops.shapley_regression(3, BITS, VALUES, np.zeros((2, 1))), ValueError, r"totals have shape \(2, 1\)"),
        (
            lambda: ops.shapley_regression(3, BITS, VALUES, TOTALS, weight_of_size=np.ones(3)),
            ValueError,
            "expected 4, sizes",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()
