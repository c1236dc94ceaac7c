"""A permutation and its reverse have two background rows behind them where a game draws one."""

from __future__ import annotations

import numpy as np
import pytest
from significance import contradicts_truth

import fastsa
from fastsa import estimators, games

RNG = np.random.default_rng(0)
X, BACKGROUND, W = RNG.normal(size=(12, 5)), RNG.normal(size=(7, 5)), RNG.normal(size=5)
REVERSED = estimators.PermutationShapley(antithetic=True)


def linear(x):
    return x @ W


def bent(x):
    return np.tanh(x @ W) + x[:, 0] * x[:, 1]


def collected(game, samples, estimator=REVERSED, **options):
    return fastsa.LabelStream(game, estimator, samples=samples, seed=3, **options).collect()


def test_one_sample_of_a_linear_game_sees_both_of_two_background_rows():
    game = games.ModelGame(linear, X, games.Marginal(BACKGROUND[:2]))
    np.testing.assert_allclose(collected(game, 1).mean, fastsa.exact(game), atol=1e-12)


def test_labels_are_unbiased_and_less_noisy_than_two_permutations():
    """A sample takes the evaluations of two permutations, each with a row of its own."""
    game = games.ModelGame(bent, X, games.Marginal(BACKGROUND))
    labels = collected(game, 4000)
    assert not contradicts_truth(labels, fastsa.exact(game))
    plain = collected(game, 4000, estimators.PermutationShapley())
    assert labels.variance.mean() < 0.5 * plain.variance.mean()


@pytest.mark.parametrize("options", [{"max_bytes": 1 << 12}, {"n_threads": 1}, {"batch": 5}])
def test_labels_are_the_same_bytes_however_the_walks_are_cut(options):
    game = games.ModelGame(bent, X, games.Marginal(BACKGROUND))
    assert collected(game, 33, **options).mean.tobytes() == collected(game, 33, n_threads=2).mean.tobytes()


def test_without_a_drawn_background_the_reverse_is_in_the_same_game():
    game = games.ModelGame(linear, X, games.Baseline(BACKGROUND[0]))
    np.testing.assert_allclose(collected(game, 1).mean, fastsa.exact(game), atol=1e-12)
