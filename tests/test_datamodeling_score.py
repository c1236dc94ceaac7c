"""The linear datamodeling score: Spearman's correlation as scipy has it, and an interval that covers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from fastsa.metrics import datamodeling_score


def world(rng, points, subsets, n=12):
    """Effects, subsets, and outputs that follow the effects up to noise of each validation point's own size."""
    effects = rng.normal(size=(n, points))
    noise = rng.uniform(0.2, 4.0, size=points)
    coalitions = rng.random((subsets, n)) < 0.5
    return effects, coalitions, coalitions @ effects + noise * rng.normal(size=(subsets, points))


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "ties"])
def test_it_is_the_mean_of_scipys_correlations(rounded):
    effects, coalitions, outputs = world(np.random.default_rng(0), 7, 60)
    if rounded:
        effects, outputs = effects.round(), outputs.round() > 0
    wanted = [spearmanr(coalitions @ effects[:, v], outputs[:, v]).statistic for v in range(7)]
    made = datamodeling_score(effects, coalitions, outputs)
    np.testing.assert_allclose(made.by_point, wanted, rtol=0, atol=1e-12)
    assert made.score == pytest.approx(np.mean(wanted), abs=1e-12) and made.low < made.score < made.high


def test_only_the_ranks_count():
    effects, coalitions, outputs = world(np.random.default_rng(1), 5, 40)
    made = datamodeling_score(effects, coalitions, outputs)
    assert datamodeling_score(3.0 * effects, coalitions, np.exp(outputs)).by_point == pytest.approx(
        made.by_point, abs=1e-12
    )
    assert datamodeling_score(-effects, coalitions, outputs).score == pytest.approx(-made.score, abs=1e-12)


def test_a_point_whose_outputs_are_alike_takes_no_part_and_sums_that_are_alike_score_0():
    effects, coalitions, outputs = world(np.random.default_rng(2), 4, 50)
    full = datamodeling_score(effects, coalitions, outputs)
    outputs[:, 1] = 0.7
    effects[:, 2] = 0.0
    made = datamodeling_score(effects, coalitions, outputs)
    assert np.isnan(made.by_point[1]) and made.by_point[2] == 0.0
    assert made.score == pytest.approx((full.by_point[0] + full.by_point[3]) / 3, abs=1e-12)
    assert "over 3 validation points and 50 subsets" in str(made)


def test_sums_of_the_same_effects_in_another_order_tie():
    coalitions = np.array([[1, 1, 1, 0], [0, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]], dtype=bool)
    effects = np.array([[0.1], [0.2], [0.3], [0.1]])
    outputs = np.array([[3.0], [3.0], [1.0], [2.0], [0.0]])
    assert datamodeling_score(effects, coalitions, outputs).score == 1.0


def test_the_interval_covers_new_subsets_and_new_validation_points():
    """One that covers 95 % falls below 178 of 200 in 1 of 5,000 runs; and it may be half as wide again as it has to be."""
    rng = np.random.default_rng(3)
    truth = np.mean([datamodeling_score(*world(rng, 400, 2000), resamples=1).score for _ in range(5)])
    made = [datamodeling_score(*world(rng, 20, 80), resamples=200, seed=s) for s in range(200)]
    covered = sum(one.low <= truth <= one.high for one in made)
    assert 178 <= covered
    spread = np.std([one.score for one in made])
    assert np.mean([one.high - one.low for one in made]) < 1.5 * 3.92 * spread


def test_it_depends_on_its_seed_alone():
    given = world(np.random.default_rng(4), 5, 40)
    one, two = datamodeling_score(*given, seed=1), datamodeling_score(*given, seed=1)
    assert (
        (one.low, one.high) == (two.low, two.high) != (datamodeling_score(*given).low, datamodeling_score(*given).high)
    )


def test_refusals():
    effects, coalitions, outputs = world(np.random.default_rng(5), 4, 10)
    with pytest.raises(TypeError, match="coalitions are float64"):
        datamodeling_score(effects, coalitions * 1.0, outputs)
    with pytest.raises(ValueError, match="a row for each of the coalitions' 12 players"):
        datamodeling_score(effects[:5], coalitions, outputs)
    with pytest.raises(ValueError, match=r"expected \(10, 4\), subsets and validation points"):
        datamodeling_score(effects, coalitions, outputs.T)
    with pytest.raises(ValueError, match="at least 3 to rank"):
        datamodeling_score(effects, coalitions[:2], outputs[:2])
    with pytest.raises(ValueError, match="same output under all subsets"):
        datamodeling_score(effects, coalitions, np.ones_like(outputs))
    with pytest.raises(ValueError, match=r"effects\[0, 0\] is nan"):
        datamodeling_score(effects * np.nan, coalitions, outputs)
    with pytest.raises(ValueError, match="level is 1.0"):
        datamodeling_score(effects, coalitions, outputs, level=1.0)
