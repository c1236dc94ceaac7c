"""Rules that end a stream: where they stop, what they never exceed, and that labels remember what biased them.

z-tests raise a false alarm with probability 1e-6.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import significance
import small_games
from scipy import stats

from fastsa import Labels, LabelStream, amortize, exact, games, metrics
from fastsa.estimators import (
    BanzhafMSR,
    Distributional,
    KernelSHAP,
    LeaveOneOut,
    PermutationShapley,
    UnbiasedKernelSHAP,
)
from fastsa.labels.stop import Budget, RankStability, StandardError, StopRule


def models(n_items=5):
    X = np.random.default_rng(0).normal(size=(n_items, 4))
    return games.ModelGame(lambda x: np.stack([x.prod(axis=1), x[:, 0]], axis=1), X, games.Baseline(np.ones(4)))


def marginal():
    rng = np.random.default_rng(1)
    return games.ModelGame(lambda x: x.prod(axis=1), rng.normal(size=(5, 4)), games.Marginal(rng.normal(size=(6, 4))))


CASES = [
    (lambda: small_games.table(6), PermutationShapley()),
    (lambda: small_games.table(6), BanzhafMSR()),
    (lambda: small_games.table(6), UnbiasedKernelSHAP()),
    (small_games.knn, Distributional(1, 4, shared=3)),
    (models, PermutationShapley(antithetic=True)),
    (models, KernelSHAP()),
    (marginal, UnbiasedKernelSHAP()),
]
IDS = [f"{repr(e)}{i}" for i, (_, e) in enumerate(CASES)]
every_case = pytest.mark.parametrize(("make", "estimator"), CASES, ids=IDS)


class After(StopRule):
    """Enough at a number of samples; remembers when it was asked."""

    def __init__(self, samples, asked=None):
        self.samples, self.asked = samples, [] if asked is None else asked

    def met(self, look):
        self.asked.append(int(look.labels.count.max()))
        return self.asked[-1] >= self.samples


def bytes_of(labels):
    return labels.mean.tobytes(), labels.stderr.tobytes(), labels.count.tobytes()


@every_case
def test_stopped_labels_are_the_bytes_of_a_stream_of_so_many_samples(make, estimator):
    game = make()
    rule = After(33)
    stopped = LabelStream(game, estimator, samples=400, seed=2, n_threads=2, batch=50).collect(until=rule, every=11)
    plain = LabelStream(game, estimator, samples=33, seed=2, n_threads=1).collect()
    assert rule.asked == [11, 22, 33]
    assert bytes_of(stopped) == bytes_of(plain)
    assert stopped.evaluations == plain.evaluations and stopped.ranges == plain.ranges


def test_looks_double_from_eight_and_end_with_the_stream():
    rule = After(10**9)
    labels = LabelStream(small_games.table(4), PermutationShapley(), samples=100).collect(until=rule)
    assert rule.asked == [8, 16, 32, 64, 100]
    (stop,) = labels.stops
    assert not stop.met and stop.samples == 100


def test_an_estimator_is_not_looked_at_before_it_has_labels():
    rule = After(20)
    estimator = KernelSHAP(paired=False)
    LabelStream(small_games.table(12), estimator, samples=40).collect(until=rule, every=5)
    assert rule.asked[0] == estimator.least_samples(12) > 5


@every_case
@pytest.mark.parametrize("budget", [500, 777, 1234])
def test_a_budget_is_used_up_and_never_exceeded(make, estimator, budget):
    game = make()
    labels = LabelStream(game, estimator, samples=10_000).collect(until=Budget(budget))
    one_more = LabelStream(game, estimator, samples=int(labels.count.max()) + 1).collect()
    assert labels.evaluations <= budget < one_more.evaluations
    assert labels.unbiased == estimator.unbiased and labels.stops[0].met


def test_a_budget_that_is_not_reached_leaves_the_stream_whole():
    labels = LabelStream(small_games.table(4), PermutationShapley(), samples=10).collect(until=Budget(10**6))
    assert labels.count.tolist() == [10] * 4 and not labels.stops[0].met and labels.unbiased


@pytest.mark.parametrize(
    ("make", "estimator"), [case for case in CASES if case[1] != BanzhafMSR()]
)  # its first is one evaluation
def test_a_budget_below_the_first_sample_is_refused_before_any_work(make, estimator):
    game = make()
    stream = LabelStream(game, estimator, samples=100)
    least = LabelStream(game, estimator, samples=max(1, estimator.least_samples(game.n_players))).collect().evaluations
    with pytest.raises(ValueError, match=f"which take {least} evaluations"):
        stream.collect(until=Budget(least - 1))
    assert stream.collect(until=Budget(least)).evaluations == least


def coin(n_players=2):
    """A game whose permutations pay player 0 either 0 or 2, so that the standard error is known: a coin's."""
    return games.FunctionGame(lambda c: 2.0 * (c[:, 0] & c[:, 1]), n_players)


def test_a_standard_error_stops_at_the_first_look_that_is_small_enough():
    every, at_most = 10, 0.08
    whole = [LabelStream(coin(), PermutationShapley(), samples=n, seed=4).collect() for n in range(every, 301, every)]
    small = [labels.stderr.max() <= at_most for labels in whole]
    expected = whole[small.index(True)]
    assert 120 < expected.count[0] < 180  # a coin of 0 and 2 has a standard deviation of 1: (1 / 0.08)^2 = 156
    stopped = LabelStream(coin(), PermutationShapley(), samples=10_000, seed=4).collect(
        until=StandardError(at_most), every=every
    )
    assert bytes_of(stopped) == bytes_of(expected)
    assert stopped.stderr.max() <= at_most and not stopped.unbiased


def test_a_fraction_of_the_labels_is_enough_where_it_is_asked_for():
    values = np.array([0.0, 0.0, 0.0, 5.0])
    game = games.FunctionGame(lambda c: c @ values + 3.0 * c[:, 2] * c[:, 3], 4)  # players 0 and 1 have no noise
    stream = LabelStream(game, PermutationShapley(), samples=64)
    assert stream.collect(until=StandardError(1e-9, fraction=0.5)).count[0] == 8
    assert stream.collect(until=StandardError(1e-9, fraction=0.6)).count[0] == 64
    assert stream.collect(until=StandardError(1e-9)).count[0] == 64


def test_labels_without_a_standard_error_stop_nothing():
    labels = LabelStream(small_games.table(4), LeaveOneOut(), samples=1).collect(until=StandardError(100.0))
    assert np.isnan(labels.stderr).all() and not labels.stops[0].met


def test_ranks_that_hold_still_stop_and_those_that_move_do_not():
    additive = games.FunctionGame(lambda c: c @ np.arange(6.0), 6)
    labels = LabelStream(additive, PermutationShapley(), samples=500).collect(until=RankStability(over=3), every=4)
    assert labels.count[0] == 16 and not labels.unbiased and labels.stops[0].met
    noise = small_games.table(6, outputs=1, seed=3)
    stream = LabelStream(noise, PermutationShapley(), samples=4096, seed=1)
    stopped = stream.collect(until=RankStability(1.0, over=2), every=4)
    means = [
        LabelStream(noise, PermutationShapley(), samples=n, seed=1).collect().mean
        for n in range(4, stopped.count[0] + 1, 4)
    ]
    same = [stats.spearmanr(a, b).statistic > 1 - 1e-9 for a, b in itertools.pairwise(means)]
    assert stopped.count[0] == 4 * (1 + next(i for i in range(2, len(same) + 1) if all(same[i - 2 : i])))
    assert not all(same)


def test_rank_correlations_are_those_of_scipy():
    from fastsa.labels.stop import _centered_ranks, _correlations

    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 6, size=(7, 12, 3)).astype(float) for _ in range(2))
    found = _correlations(_centered_ranks(a), _centered_ranks(b))
    expected = [[stats.spearmanr(a[i, :, o], b[i, :, o]).statistic for o in range(3)] for i in range(7)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    ties = np.zeros((1, 4, 1))
    assert _correlations(_centered_ranks(ties), _centered_ranks(ties + 1)).tolist() == [[1.0]]
    assert _correlations(_centered_ranks(ties), _centered_ranks(np.arange(4.0).reshape(1, 4, 1))).tolist() == [[0.0]]


def test_players_are_ranked_within_their_item():
    labels = LabelStream(models(), PermutationShapley(), samples=2000).collect(until=RankStability(0.9, fraction=0.8))
    assert labels.stops[0].met and labels.count.max() < 2000


def test_either_stops_at_the_first_rule_and_both_at_the_last():
    stream = LabelStream(small_games.table(5), PermutationShapley(), samples=1000)
    assert stream.collect(until=Budget(600) | After(80), every=10).count[0] == 80
    assert stream.collect(until=Budget(300) | After(80), every=10).count[0] == 50
    assert stream.collect(until=Budget(300) & After(80), every=10).count[0] == 80
    assert stream.collect(until=Budget(600) & After(80), every=10).count[0] == 100
    assert stream.collect(until=(Budget(300) | After(30)) & After(40), every=10).count[0] == 40


@pytest.mark.parametrize(
    ("rule", "looks"),
    [
        (Budget(90), False),
        (Budget(90) | Budget(60), False),
        (StandardError(0.1), True),
        (RankStability(), True),
        (Budget(90) | StandardError(1e-12), True),  # stopped by the budget, but might have been by its values
        (RankStability() & Budget(90), True),
    ],
)
def test_labels_are_biased_where_the_rule_looked(rule, looks):
    labels = LabelStream(small_games.table(5), PermutationShapley(), samples=40).collect(until=rule)
    assert labels.unbiased is (not looks)
    assert (repr(rule) in labels.why_biased) is looks
    assert labels.stops[0].seen == (labels.ranges if looks else ())


@every_case
def test_a_stop_does_not_depend_on_threads_or_batches(make, estimator):
    game = make()
    rule = StandardError(0.3) | RankStability(0.95) | Budget(4000)
    runs = [
        LabelStream(game, estimator, samples=10_000, n_threads=n, batch=batch, max_bytes=most).collect(until=rule)
        for n, batch, most in ((1, None, None), (2, 64, 10**5), (2, 1000, 10**6))
    ]
    assert len({bytes_of(run) for run in runs}) == 1 and len({run.stops for run in runs}) == 1


def skewed():
    """Contributions of player 0 are 0 mostly, and 12 where everyone else has joined: 1 in 12."""
    return games.FunctionGame(lambda c: 12.0 * c.all(axis=1), 12)


def means_of_player_0(rule, runs, **options):
    """The means of many runs of their own seeds."""
    return np.array(
        [
            LabelStream(skewed(), PermutationShapley(), samples=64, items=[0], seed=seed, n_threads=1, batch=10**6)
            .collect(until=rule, **options)
            .mean[0, 0]
            for seed in range(runs)
        ]
    )


def z_of(means):
    return (means.mean() - 1.0) / (means.std(ddof=1) / np.sqrt(means.size))


def test_stopping_on_ones_own_standard_error_biases_and_a_pilot_or_a_budget_does_not():
    limit = significance.threshold(3)
    assert z_of(means_of_player_0(StandardError(0.9), 250)) < -limit
    assert abs(z_of(means_of_player_0(Budget(13 * 11), 250))) < limit
    pilot = LabelStream(skewed(), PermutationShapley(), samples=64, items=[0], seed=10**6, role="select").collect()
    assert abs(z_of(means_of_player_0(StandardError(0.9, pilot=pilot), 250))) < limit


def test_a_pilot_forecasts_the_standard_error():
    game = small_games.table(5)
    pilot = LabelStream(game, PermutationShapley(), samples=500, role="select").collect()
    needed = int(np.ceil((pilot.variance / 0.1**2).max()))
    labels = LabelStream(game, PermutationShapley(), samples=10_000).collect(
        until=StandardError(0.1, pilot=pilot), every=1
    )
    assert labels.count[0] == needed and labels.unbiased


def test_labels_merged_with_their_pilot_are_biased(tmp_path):
    game = models(40)
    pilot = LabelStream(game, PermutationShapley(), samples=20, role="truth", seed=3).collect()
    rule = Budget(10**6) | StandardError(0.1, pilot=pilot)
    labels = LabelStream(game, PermutationShapley(), samples=100, role="certify").collect(until=rule)
    labels.save(tmp_path / "labels.npz")
    loaded = Labels.load(tmp_path / "labels.npz")
    assert loaded.unbiased and loaded.stops == labels.stops and labels.stops[0].seen == pilot.ranges
    for merged in (pilot.merge(loaded), loaded.merge(pilot)):
        assert not merged.unbiased
    assert loaded.merge(LabelStream(game, PermutationShapley(), samples=20, role="select").collect()).unbiased
    with pytest.raises(ValueError, match="looked at these samples"):
        metrics.certify(exact(game), pilot, labels)
    metrics.certify(exact(game), labels)
    metrics.certify(exact(game), pilot)


def test_pilots_of_other_labels_are_refused():
    game = small_games.table(5)
    stream = LabelStream(game, PermutationShapley(), samples=100)

    def refused(words, pilot):
        with pytest.raises(ValueError, match=words):
            stream.collect(until=Budget(1000) | StandardError(0.1, pilot=pilot))

    refused("share samples", LabelStream(game, PermutationShapley(), samples=10).collect())
    refused("fewer than 2 samples", LabelStream(game, PermutationShapley(), samples=1, role="select").collect())
    refused("another game, estimator", LabelStream(game, UnbiasedKernelSHAP(), samples=10, role="select").collect())
    refused(
        "another game, estimator",
        LabelStream(game, PermutationShapley(), items=[1], samples=10, role="select").collect(),
    )
    other = small_games.table(6)
    refused("another game, estimator", LabelStream(other, PermutationShapley(), samples=10, role="select").collect())


def stopped_and_plain(game, **options):
    stopped = LabelStream(game, PermutationShapley(), samples=64, **options).collect(until=StandardError(0.01))
    plain = LabelStream(game, PermutationShapley(), samples=64, first_sample=1000, **options).collect()
    return stopped, plain


def test_what_is_made_of_stopped_labels_is_biased_too(tmp_path):
    game = small_games.table(5)
    stopped, plain = stopped_and_plain(game)
    stopped.save(tmp_path / "stopped.npz")
    loaded = Labels.load(tmp_path / "stopped.npz")
    assert loaded.stops == stopped.stops and loaded.why_biased == stopped.why_biased
    for labels in (loaded, stopped.merge(plain), plain.merge(stopped), stopped.extend(game, 10), stopped.take([0, 2])):
        assert not labels.unbiased and labels.stops == stopped.stops
    pooled = LabelStream(game, UnbiasedKernelSHAP(), samples=64).collect(until=StandardError(0.01))
    assert pooled.under(UnbiasedKernelSHAP()).stops == pooled.stops


def test_labels_of_other_items_beside_stopped_ones_are_biased():
    game = small_games.knn()
    some = [
        LabelStream(game, Distributional(1, 4), samples=16, items=items).collect(until=rule)
        for items, rule in (([0, 1], StandardError(1e-9)), ([2], None))
    ]
    for labels in (some[0].merge(some[1]), some[1].merge(some[0])):
        assert labels.ids.size == 3 and not labels.unbiased


def test_labels_that_were_merged_of_two_stops_keep_both():
    game = small_games.table(5)
    budgets = [
        LabelStream(game, PermutationShapley(), samples=64, role=role).collect(until=Budget(n))
        for role, n in (("train", 60), ("select", 90))
    ]
    merged = budgets[0].merge(budgets[1])
    assert [stop.rule for stop in merged.stops] == [
        "Budget(evaluations=60)",
        "Budget(evaluations=90)",
    ] and merged.unbiased


def test_files_of_labels_that_knew_no_stops_are_read(tmp_path):
    import json

    _, plain = stopped_and_plain(small_games.table(5))
    plain.save(tmp_path / "new.npz")
    stored = dict(np.load(tmp_path / "new.npz"))
    about = json.loads(str(stored["about"]))
    assert about.pop("stops") == []
    np.savez(tmp_path / "old.npz", **{**stored, "about": np.array(json.dumps({**about, "format": 2}))})
    old = Labels.load(tmp_path / "old.npz")
    assert bytes_of(old) == bytes_of(plain) and old.unbiased


def test_certificates_and_refinement_refuse_labels_of_a_stop_that_looked():
    game = models(40)
    stopped, plain = stopped_and_plain(game, role="certify")
    predictions = exact(game)
    words = r"StandardError\(at_most=0.01, fraction=1.0\) looked at these samples when it stopped after 64 .* pass for truth"
    with pytest.raises(ValueError, match=words):
        metrics.certify(predictions, stopped)
    with pytest.raises(ValueError, match=words):
        amortize.refine(predictions, stopped)
    with pytest.raises(ValueError, match=words):
        amortize.cross_refine([predictions, predictions], [plain, stopped])
    with pytest.raises(ValueError, match=words):
        metrics.certify(predictions, plain.merge(stopped))
    metrics.certify(predictions, plain)


def test_progress_counts_every_sample():
    seen = []
    labels = LabelStream(small_games.table(4), PermutationShapley(), samples=100).collect(
        seen.append, until=Budget(50 * 5)
    )
    assert sum(seen) == 50 * 4 == labels.count.sum()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Budget(0), ValueError, "evaluations is 0; expected at least 1"),
        (lambda: Budget(1.5), TypeError, "evaluations is 1.5"),
        (lambda: StandardError(0.0), ValueError, "at_most is 0.0"),
        (lambda: StandardError(0.1, 1.5), ValueError, "fraction is 1.5; expected at most 1"),
        (lambda: StandardError(0.1, pilot=3), TypeError, "pilot is a int"),
        (lambda: RankStability(1.1), ValueError, "correlation is 1.1"),
        (lambda: RankStability(over=0), ValueError, "over is 0"),
        (lambda: Budget(3) | 4, TypeError, "4 is no rule"),
        (lambda: Budget(3) & None, TypeError, "None is no rule"),
    ],
)
def test_rules_that_are_none_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_streams_refuse_what_is_no_rule_and_looks_without_one():
    stream = LabelStream(small_games.table(4), PermutationShapley(), samples=4)
    with pytest.raises(TypeError, match="is no rule"):
        stream.collect(until=0.1)
    with pytest.raises(ValueError, match="give the rule as until"):
        stream.collect(every=3)
    with pytest.raises(ValueError, match="every is 0"):
        stream.collect(until=Budget(100), every=0)
