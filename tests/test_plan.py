"""Plans: the pilot is chosen, used again and never exceeds the budget; the split is the best one."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from test_planning_forecasts import one_point

import fastsa
from fastsa import LabelStream, estimators, games
from fastsa.amortize import AttributionNet
from fastsa.planning import finish, plan
from fastsa.planning.outlook import Costs

N = 600
POSITION = np.linspace(-1, 1, N)


def straight_line(labels):
    return np.polyval(np.polyfit(POSITION, labels.mean[:, 0], 1, w=np.sqrt(labels.count)), POSITION)


def noisy_game(n=N):
    """Values 0 .. 1 along the players, and noise of variance 1 / 4 per sample."""
    return games.FunctionGame(lambda c: c @ np.linspace(-1, 1, n) + 0.5 * (c.sum(axis=1) % 2), n)


@pytest.fixture(scope="module")
def planned():
    return plan(
        noisy_game(), estimators.Distributional(1, 10, shared=4), straight_line, budget=20_000, seed=3, n_threads=1
    )


def test_the_pilots_labels_are_the_first_samples_of_a_run_and_nothing_is_drawn_twice(planned):
    game = noisy_game()
    halves = finish(planned, game, n_threads=1)
    whole = LabelStream(game, planned.pilot.blocks[0].estimator, samples=planned.samples, seed=3, n_threads=1).collect()
    both = halves[0].merge(halves[1])
    assert planned.items == N and both.ranges == whole.ranges and (both.count == planned.samples).all()
    np.testing.assert_allclose(both.mean, whole.mean, atol=1e-12)
    assert both.evaluations == whole.evaluations <= 20_000


def test_a_budget_that_does_not_reach_all_items_labels_whole_units_in_an_order_by_chance():
    game, estimator = noisy_game(), estimators.Distributional(1, 10, shared=4)
    chosen = plan(game, estimator, straight_line, budget=1000, pilot=100, seed=5, n_threads=1)
    halves = finish(chosen, game, n_threads=1)
    assert chosen.items < N and chosen.samples == 2 and chosen.items % 4 == 0 and chosen.pilot.positions.size == 100
    assert sum(half.evaluations for half in halves) <= 1000 < 1000 + Costs(1.25).of(4, 2)
    np.testing.assert_array_equal(halves[0].ids, chosen.labeled)
    blocks = np.unique(chosen.labeled // 4)
    np.testing.assert_array_equal(chosen.labeled, (4 * blocks[:, None] + np.arange(4)).ravel())
    assert abs(blocks.mean() - 74.5) < 15  # not the first of them


def test_a_pilot_grows_until_it_suffices_and_says_when_it_cannot(planned):
    assert not planned.sufficient and planned.needed > planned.pilot.positions.size
    assert "is too small for forecasts to 5 %: that takes about" in str(planned)
    easy = plan(
        noisy_game(),
        estimators.Distributional(1, 10),
        lambda labels: 0 * labels.mean,
        budget=20_000,
        precision=0.5,
        n_threads=1,
    )
    assert easy.sufficient and easy.pilot.positions.size == 256 and "is large enough" in str(easy)


def test_what_is_forecast_is_realised(planned):
    game = noisy_game()
    halves = finish(planned, game, n_threads=1)
    truth = np.linspace(-1, 1, N)
    label = halves[0].merge(halves[1]).mean[:, 0]
    monte_carlo = planned.outlook.monte_carlo
    assert abs(monte_carlo.value / np.mean((label - truth) ** 2) - 1) < 0.35  # 150 units: standard error 12 %
    predicted = np.mean([straight_line(half) for half in halves], axis=0)
    assert planned.outlook.predicted.low <= np.mean((predicted - truth) ** 2) <= planned.outlook.predicted.high


def test_the_split_has_all_items_before_it_has_more_samples(planned):
    few, many = planned.split(4000), planned.split(40_000)
    assert (few.items, few.samples) == (N, 4) and many.items == N and 50 <= many.samples <= 53


def planned_by(law, planned, costs, n_items, aim="new"):
    pilot = replace(planned.pilot, law=law, positions=np.arange(100), n_items=n_items)
    order, ends = np.arange(n_items), np.arange(1, n_items + 1)
    return replace(planned, pilot=pilot, costs=costs, n_items=n_items, aim=aim, order=order, ends=ends)


def test_where_an_item_costs_something_once_the_samples_are_the_root_of_both_ratios(planned):
    # Minimise (noise / k + b) / m with m (f + k c) = B: k = sqrt(noise f / (b c)) = sqrt(100 * 40 / (2.5 * 1)) = 40.
    law = one_point(size=1.0, beside=2.5, noise=100.0, signal=1.0)
    best = planned_by(law, planned, Costs(1.0, 40.0), 100_000).split(100_000)
    assert 36 <= best.samples <= 44 and best.evaluations <= 100_000


@pytest.mark.parametrize(("floor", "size", "beside"), [(0.02, 30.0, 0.0), (0.3, 300.0, 1.0), (0.0, 5.0, 0.1)])
@pytest.mark.parametrize("aim", ["new", "pool"])
def test_the_split_is_within_5_percent_of_the_best_of_a_search(planned, floor, size, beside, aim):
    law = one_point(floor=floor, size=size, beside=beside, noise=20.0, signal=1.0, saturates=1.0)
    chosen = planned_by(law, planned, Costs(1.0, 5.0), 3000, aim)
    for budget in (3000, 30_000, 300_000):
        best = getattr(chosen.split(budget), aim).value
        every = [(m, int(chosen.costs.samples(budget, m))) for m in range(100, 3001, 25)]
        searched = [getattr(chosen.at(m, k), aim).value for m, k in every if k >= chosen.pilot.samples]
        assert best <= 1.05 * min(searched)


def test_pools_of_one_game_are_planned_with_all_items():
    game = games.FunctionGame(lambda c: c @ np.linspace(-1, 1, 60), 60)
    chosen = plan(game, estimators.PermutationShapley(), lambda labels: labels.mean * 0, budget=2000, n_threads=1)
    assert chosen.items == 60 and chosen.pilot.positions.size == 60
    assert finish(chosen, game, n_threads=1)[0].mean.shape == (60, 1)


def test_a_game_per_input_is_planned_too():
    X = np.random.default_rng(0).normal(size=(300, 4))
    game = games.ModelGame(lambda x: x[:, 0] * x[:, 1] + x[:, 2], X, games.Baseline(np.zeros(4)))
    chosen = plan(
        game, estimators.PermutationShapley(), lambda labels: np.zeros_like(labels.mean), budget=30_000, n_threads=1
    )
    assert chosen.outlook.predicted.value == pytest.approx(chosen.pilot.signal.value, rel=0.3)
    assert finish(chosen, game, n_threads=1)[1].mean.shape == (300, 4, 1)


def test_networks_that_take_labels_get_those_of_the_items_that_have_some():
    X = np.random.default_rng(0).normal(size=(128, 3)).astype(np.float32)
    game, seen = games.ModelGame(lambda x: x[:, 0] * x[:, 1] + x[:, 2], X, games.Baseline(np.zeros(3))), []

    def learn(labels):
        seen.append(labels.labeled.size)
        np.testing.assert_array_equal(labels.labels.mean, labels.mean[labels.labeled])
        net = AttributionNet("mlp", width=8, epochs=1, efficiency=False, n_threads=1)
        return net.fit(X[labels.labeled], labels.labels).predict(X)

    chosen = plan(game, estimators.PermutationShapley(), learn, budget=16_000, pilot=128, n_threads=1)
    assert {16, 32, 64, 128} == set(seen) and chosen.items == 128


def test_refusals(planned):
    game = noisy_game()
    with pytest.raises(ValueError, match="budget is 300 evaluations; expected at least"):
        plan(game, estimators.Distributional(1, 10), straight_line, budget=300)
    with pytest.raises(ValueError, match="is biased"):
        plan(game, estimators.SGDShapley(debiased=False), straight_line, budget=10**9)
    with pytest.raises(TypeError, match="estimator is 'auto'"):
        plan(game, "auto", straight_line, budget=10_000)
    with pytest.raises(ValueError, match="aim is 'best'"):
        plan(game, estimators.Distributional(1, 10), straight_line, budget=10_000, aim="best")
    with pytest.raises(ValueError, match=re.escape("expected at least")):
        planned.split(10)
    assert fastsa.plan is plan
