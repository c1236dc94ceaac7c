"""Forecasts of error: the law recovers what it is made of, a pilot foretells larger budgets, and intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from known_amortizers import blocks_of, least_squares, realised, world
from synthetic_labels import labels_of

from fastsa import estimators
from fastsa.planning import Law, study
from fastsa.planning.law import Observed
from fastsa.planning.outlook import Costs, break_even, monte_carlo, outlook, refined_errors
from fastsa.planning.pilot import items_needed

M, K = np.array([100.0, 200.0, 400.0, 800.0, 800.0]), np.array([2.0, 2.0, 2.0, 2.0, 4.0])


def one_point(*, floor=0.0, size=10.0, power=1.0, beside=0.0, saturates=0.0, noise=4.0, signal=1.0):
    """A law of which nothing is open."""
    fields = (np.array([number]) for number in (floor, size, power, beside, beside, saturates, 1.0))
    return Law(*fields, noise, signal)


LAWS = {
    "two terms": lambda m, k: 0.2 + 30 * (4.0 / k + 0.2) / m,
    "saturating": lambda m, k: 0.2 + 0.8 / (1 + 0.8 * m / (30 * (4.0 / k + 0.3))),
    "unequal directions": lambda m, k: 0.1 + 0.9 / (1 + (40 * (4.0 / k + 0.2) / m / 0.9) ** -0.6),
    "no floor": lambda m, k: 10 * (4.0 / k) / m,
}


@pytest.mark.parametrize("name", LAWS)
def test_the_law_foretells_16_times_the_items_within_4_of_its_standard_errors_from_errors_known_to_1_percent(name):
    truth, rng = LAWS[name], np.random.default_rng(0)
    within = []
    for _ in range(10):
        error = truth(M, K) * (1 + 0.01 * rng.normal(size=M.size))
        law = Law.fit(
            Observed(np.zeros(M.size, bool), M, K, error, np.diag((0.01 * error) ** 2)), noise=4.0, signal=1.0
        )
        for m, k in ((3200, 4), (12_800, 4), (12_800, 16)):
            one = law.error(m, k)
            within.append(abs(one.value - truth(m, k)) < 4 * one.stderr and one.stderr < 0.6 * truth(m, k) + 0.02)
    assert all(within)


def test_what_the_pilot_leaves_open_grows_with_the_distance():
    error = LAWS["unequal directions"](M, K)
    law = Law.fit(Observed(np.zeros(M.size, bool), M, K, error, np.diag((0.02 * error) ** 2)), noise=4.0, signal=1.0)
    relative = [law.error(m, 4).stderr / law.error(m, 4).value for m in (800, 3200, 12_800)]
    assert relative[0] < relative[1] < relative[2]


def test_errors_measured_together_weigh_less_than_apart():
    m, k = np.tile(M, 5), np.tile(K, 5)
    error = LAWS["two terms"](m, k)
    apart = np.diag((0.03 * error) ** 2)
    together = 0.03**2 * np.outer(error, error) * (0.9 + 0.1 * np.eye(m.size))
    laws = [Law.fit(Observed(np.zeros(m.size, bool), m, k, error, c), noise=4.0, signal=1.0) for c in (apart, together)]
    assert laws[1].error(800, 4).stderr > 1.5 * laws[0].error(800, 4).stderr


@pytest.mark.parametrize("seed", [0, 1])
def test_a_pilot_foretells_4_and_16_times_its_size_within_15_percent_where_its_standard_error_is_5_percent(seed):
    rng = np.random.default_rng(seed)
    n, k, sigma = 12_000, 4, 0.5
    one = world(rng, n, k, sigma)
    pilot = study(blocks_of(one), least_squares(one.X), seed=seed)
    for factor in (4, 16):
        new, labeled, label, refined = realised(rng, factor * n, k, sigma)
        foretold = pilot.law.error(factor * n, k), pilot.law.error(factor * n, k, labeled=True)
        assert all(one.stderr < 0.05 * one.value for one in foretold)
        assert abs(foretold[0].value / new - 1) < 0.15 and abs(foretold[1].value / labeled - 1) < 0.15
        assert abs(monte_carlo(pilot.law, 0.0, k).value / label - 1) < 0.05
        assert abs(pilot.law.of(refined_errors(pilot.law, factor * n, k)).value / refined - 1) < 0.15


def test_intervals_of_small_pilots_hold_what_4_times_their_size_gives():
    held, relative = [], []
    for seed in range(12):
        rng = np.random.default_rng(100 + seed)
        one = world(rng, 800, 4, 1.0)
        law = study(blocks_of(one), least_squares(one.X), seed=seed).law
        foretold, (new, *_) = law.error(3200, 4), realised(rng, 3200, 4, 1.0)
        held.append(foretold.low < new < foretold.high)
        relative.append(foretold.stderr / foretold.value)
    assert np.sum(held) >= 9  # nominal 11.4; fewer than 9 in 0.2 % of runs
    assert np.median(relative) > 0.1


def test_an_amortizer_that_repeats_its_labels_is_certified_to_have_their_error():
    one = world(np.random.default_rng(3), 4000, 4, 1.0)
    pilot = study(blocks_of(one), lambda labels: labels.mean)
    observed = pilot.observed
    np.testing.assert_allclose(observed.error[observed.labeled], 1.0 / observed.samples[observed.labeled], rtol=0.3)
    whole = observed.labeled & (observed.items == 4000) & (observed.samples == 4)
    assert abs(observed.error[whole][0] - 0.25) < 4 * np.sqrt(observed.covariance[whole][0, whole][0])


def test_items_needed_follow_from_the_certificates_standard_error():
    one = world(np.random.default_rng(4), 20_000, 4, 0.5)
    error, label = realised(np.random.default_rng(5), 20_000, 4, 0.5)[1], 0.25 / 4
    expected = ((error + label) ** 2 + error**2) / (0.05 * error) ** 2
    assert abs(items_needed(blocks_of(one), least_squares(one.X), 0.05) / expected - 1) < 0.4


def test_refined_values_and_monte_carlo_follow_the_formulas():
    law = one_point(floor=0.1, size=1e-9, signal=1.0, noise=4.0)
    assert refined_errors(law, 1000, 8)[0] == pytest.approx(1 / (1 / 0.1 + 1 / 0.5))
    assert monte_carlo(law, 0.0, 8).value == pytest.approx(0.5)
    assert monte_carlo(law, 0.0, 0.5).value == pytest.approx(
        0.5 * 4.0 + 0.5 * 1.0
    )  # half have one sample, half the mean
    one = outlook(law, 0.0, Costs(2.0), 1000, 500, 8)
    assert one.evaluations == 8000 and one.monte_carlo.value == pytest.approx(1.0)
    assert one.pool.value == pytest.approx(0.5 * one.refined.value + 0.5 * one.new.value)


def test_least_squares_refined_by_its_own_items_labels_counts_what_goes_together():
    # p parameters, m items, no misfit: L = p v / m is all of it the labels' own noise; then refining gains nothing.
    law = one_point(size=50.0, noise=4.0)
    assert refined_errors(law, 500, 4)[0] == pytest.approx(50 * 1.0 / 500, rel=0.01)


def test_the_break_even_of_least_squares_is_its_number_of_parameters():
    law = one_point(size=50.0, noise=4.0)
    even = break_even(law, 4, False)
    assert even.value == pytest.approx(50, rel=0.07) and even.low == even.high
    assert break_even(law, 4, True).value == pytest.approx(
        100, rel=0.07
    )  # labels of noise 1, signal 1, shrunk to 1 / 2
    assert np.isinf(break_even(one_point(floor=0.5, noise=4.0), 16, False).value)


def test_refusals():
    rng = np.random.default_rng(0)
    blocks = blocks_of(world(rng, 40, 4, 1.0))
    learn = lambda labels: labels.mean  # noqa: E731
    with pytest.raises(ValueError, match="3 blocks were given; expected an even number"):
        study(blocks[:3], learn)
    with pytest.raises(ValueError, match="two labels hold the same samples"):
        study([blocks[0], blocks[0]], learn)
    with pytest.raises(
        ValueError, match="the pilot has 20 items in 20 units that are independent; expected at least 32 items"
    ):
        study([block.take(np.arange(20)) for block in blocks], learn)
    with pytest.raises(ValueError, match="is biased"):
        raw = estimators.SGDShapley(debiased=False)
        study([labels_of(rng.normal(size=(1, 40, 1)), first=j, estimator=raw) for j in (0, 1)], learn)
    with pytest.raises(ValueError, match="learn answered predictions of shape"):
        study(blocks, lambda labels: labels.mean[:3])
