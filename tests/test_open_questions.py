"""What experiments on open questions rest on: points that share draws stay together, laws are what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
sys.path.append(str(Path(__file__).parents[1]))  # behind the installed package

import fastsa  # noqa: E402
from bench.curation.noisy_sets import NoisySet  # noqa: E402
from bench.paper import cheap_games, noise_tolerance, transfer  # noqa: E402


def pool(n=160, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + 60, 3))
    y = (X[:, 0] + 0.3 * rng.normal(size=n + 60) > 0).astype(np.int64)
    return NoisySet(X[:n], y[:n], y[:n], X[n:], y[n:], np.empty((0, 3)), np.empty(0, np.int64))


@pytest.fixture(scope="module")
def game():
    return cheap_games.of_pool("Adult, KNN", "small", pool(), truth_points=32, truth_samples=20)


def test_points_that_share_draws_are_labelled_together():
    order = cheap_games.blocks_in_order(22, seed=3)
    assert sorted(order.tolist()) == list(range(22))
    blocks = order // cheap_games.SHARED
    assert (np.diff(blocks) != 0).sum() == np.unique(blocks).size - 1
    assert (order != cheap_games.blocks_in_order(22, seed=4)).any()


def test_influences_that_a_pool_knows_are_those_that_would_be_computed(game):
    fresh = fastsa.amortize.Influences(**game.influences.arrays())
    for X in (game.data.X, game.data.X[::-1].copy(), game.data.X_val):
        for known, computed in zip(game.influences.of(X), fresh.of(X), strict=True):
            np.testing.assert_array_equal(known, computed)


def test_a_truncated_label_is_the_share_of_coalitions_that_still_count(game):
    """Coalitions of 10 to 100 points: up to 55 are 46 of 91 sizes, and the rest contribute 0."""
    exact = noise_tolerance.Exact.of(game, None, points=40, samples=50, cuts=(55,))
    alone = fastsa.LabelStream(
        game.game, fastsa.estimators.Distributional(10, 55, shared=32), samples=50, items=exact.labelled
    ).collect()
    np.testing.assert_allclose(exact.mean[55], alone.mean[:, 0] * 46 / 91, rtol=1e-12)


def test_the_law_of_noise_is_found_again_from_errors_that_follow_it():
    noises = (0.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
    errors = noise_tolerance.law(np.array(noises) + 0.05, 0.3, 0.02)
    cells = [{"labels": 0.05, "noise": {f"{N:g}": e for N, e in zip(noises, errors, strict=True)}}]
    np.testing.assert_allclose(noise_tolerance.fitted(cells), (0.3, 0.02), rtol=1e-4)
    assert noise_tolerance.constant_from(cells) == [float("inf")]


def test_the_noise_from_which_a_constant_is_as_good_lies_between_those_measured():
    assert noise_tolerance.constant_from([{"noise": {"0": 0.2, "1": 0.9, "100": 1.1}}]) == pytest.approx([10.0])
    assert noise_tolerance.constant_from([{"noise": {"0": 1.1, "1": 1.2}}]) == [0.0]


def test_a_rare_class_is_kept_at_a_quarter_and_the_other_domain_is_left_out():
    rng = np.random.default_rng(0)
    whole = transfer.Everything(rng.normal(size=(8000, 2)), rng.integers(0, 2, 8000), np.arange(8000) % 2 == 0)
    skewed = whole.pool(2000, np.ones(8000, bool), rare=(0,))
    share = (skewed.y_true == 0).mean()
    assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 2000)  # one false alarm in 15,000
    assert (skewed.y != skewed.y_true).sum() == 200
    here = whole.pool(500, ~whole.elsewhere)
    assert not {tuple(x) for x in here.X} & {tuple(x) for x in whole.X[whole.elsewhere]}
