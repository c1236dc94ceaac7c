"""Labels of many games and of pools: the same bytes however they are made, merged, stored, read again and turned over."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest
import repeated_games
import small_games
import tolerance

from fastsa import Labels, LabelStore, LabelStream, games
from fastsa.estimators import (
    LIME,
    AdjustedMSR,
    BanzhafMSR,
    BetaShapley,
    KernelSHAP,
    LeaveOneOut,
    LeverageSHAP,
    PermutationShapley,
    Semivalue,
    SGDShapley,
    UnbiasedKernelSHAP,
)

ESTIMATORS = [
    PermutationShapley(),
    PermutationShapley(antithetic=True),
    PermutationShapley(min_size=1, max_size=2),
    BetaShapley(),
    UnbiasedKernelSHAP(),
    KernelSHAP(),
    KernelSHAP(paired=False),
    LeverageSHAP(),
    LIME(),
    BanzhafMSR(),
    Semivalue("banzhaf"),
    AdjustedMSR(paired=False),
    SGDShapley(),
]
IDS = np.array([90, 7, 2**48 - 1, 0, 12])
X = np.random.default_rng(3).normal(size=(5, 4))


def model_game(masker=None, ids=IDS, rows=slice(None)):
    masker = games.Marginal(repeated_games.BACKGROUND) if masker is None else masker
    return games.ModelGame(repeated_games.smooth, X[rows], masker, ids=ids[rows])


GAMES = {
    "a background row per sample": model_game,
    "groups": lambda: model_game(games.Groups([1, 0, 1, 2])),
}
ONE_GAME = {"table": lambda: small_games.table(5)}
every_game = pytest.mark.parametrize("make", [*GAMES.values(), *ONE_GAME.values()], ids=[*GAMES, *ONE_GAME])
many_games = pytest.mark.parametrize("make", GAMES.values(), ids=GAMES.keys())
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def labels_of(game, estimator, samples=20, **options):
    return LabelStream(game, estimator, samples=samples, **{"seed": 3, **options}).collect()


def same(a, b):
    tables = a.statistics.table().tobytes() == b.statistics.table().tobytes()
    means, errors = a.mean.tobytes() == b.mean.tobytes(), a.stderr.tobytes() == b.stderr.tobytes()
    return tables and means and errors and (a.ids == b.ids).all() and (a.count == b.count).all()


@every_game
@every_estimator
def test_threads_batches_and_byte_budgets_change_no_byte(make, estimator):
    game = make()
    whole = labels_of(game, estimator, n_threads=1)
    for options in ({"n_threads": 2}, {"batch": 1}, {"batch": 37}, {"max_bytes": 1}, {"max_bytes": 3000, "batch": 50}):
        again = labels_of(game, estimator, **options)
        assert same(again, whole), options
        assert again.evaluations == whole.evaluations


@every_game
@every_estimator
def test_eight_extended_by_twelve_are_twenty_and_halves_merge_to_the_whole(make, estimator):
    game = make()
    whole, eight = labels_of(game, estimator), labels_of(game, estimator, 8)
    extended = eight.extend(game, 12, batch=30)
    assert same(extended, whole)
    assert (extended.ranges, extended.evaluations) == (whole.ranges, whole.evaluations)
    merged = labels_of(game, estimator, 12, first_sample=8).merge(eight)
    assert merged.ranges == whole.ranges
    if estimator.pooled:
        assert same(merged, whole)
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=0, atol=tolerance.REORDERED)
    np.testing.assert_allclose(merged.stderr, whole.stderr, rtol=0, atol=tolerance.REORDERED)


@many_games
@pytest.mark.parametrize(
    "estimator", [UnbiasedKernelSHAP(), Semivalue(), BanzhafMSR(), PermutationShapley(), LeaveOneOut()], ids=repr
)
def test_single_samples_add_up(make, estimator):
    """A sample alone tells what is its own (an empty coalition behind a background row) from what all share."""
    if isinstance(estimator, LeaveOneOut) and not make().draws_background:
        pytest.skip("leave-one-out values of this game are one sample")
    game = make()
    whole, one = labels_of(game, estimator, 3), labels_of(game, estimator, 1)
    assert same(one.extend(game, 2), whole)
    merged = one.merge(labels_of(game, estimator, 1, first_sample=2)).merge(
        labels_of(game, estimator, 1, first_sample=1)
    )
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=0, atol=tolerance.REORDERED)


@many_games
@every_estimator
def test_an_item_alone_and_in_any_order_has_the_bytes_it_has_among_others(make, estimator):
    game = make()
    whole = labels_of(game, estimator)
    order = np.array([3, 0, 4, 2, 1])
    assert same(labels_of(game, estimator, items=order), whole.take(order))
    assert same(labels_of(game, estimator, items=[2]), whole.take([2]))
    parts = [labels_of(game, estimator, items=items) for items in ([3, 4], [0], [2, 1])]
    assert same(parts[0].merge(parts[1]).merge(parts[2]).take([2, 4, 3, 0, 1]), whole)
    if make is GAMES["a background row per sample"]:
        alone = model_game(rows=slice(2, 3))
        assert same(labels_of(alone, estimator), whole.take([2]))


@pytest.mark.parametrize("estimator", [e for e in ESTIMATORS if not e.pooled], ids=repr)
def test_some_points_of_one_game_have_the_bytes_they_have_among_all(estimator):
    game = small_games.knn(7)
    whole = labels_of(game, estimator)
    for items in ([5, 0, 3], [6], [1, 2, 3, 4, 5, 6, 0]):
        assert same(labels_of(game, estimator, items=items), whole.take(items))


@every_estimator
def test_seeds_roles_and_ids_are_lanes_of_their_own_and_merge(estimator):
    game = model_game()
    by_role = {role: labels_of(game, estimator, role=role) for role in ("train", "truth")}
    assert (by_role["train"].mean != by_role["truth"].mean).any()
    other = labels_of(game, estimator, seed=4)
    both = by_role["truth"].merge(other).merge(by_role["train"])
    assert same(by_role["train"].merge(by_role["truth"]).merge(other), both) or not estimator.pooled
    assert len(both.ranges) == 3
    if not (isinstance(estimator, PermutationShapley) and estimator.min_size):
        assert (both.count == 60).all()


@every_game
@every_estimator
def test_saved_labels_are_the_same_bytes_and_go_on(make, estimator, tmp_path):
    game = make()
    labels = labels_of(game, estimator, role="certify")
    labels.save(tmp_path / "labels.npz")
    again = Labels.load(tmp_path / "labels.npz")
    assert same(again, labels) and again.roster.n_players == game.n_players
    assert (again.ranges, again.estimator, again.evaluations, again.fingerprint) == (
        labels.ranges,
        labels.estimator,
        labels.evaluations,
        labels.fingerprint,
    )
    assert again.mean.shape == (
        (5, game.n_players, 2) if game.item_players is None else (game.n_players, game.n_outputs)
    )
    assert same(again.extend(game, 4), labels.extend(game, 4))


@every_game
@pytest.mark.parametrize(
    "estimator", [PermutationShapley(), UnbiasedKernelSHAP(), KernelSHAP(), AdjustedMSR(), BanzhafMSR()], ids=repr
)
@pytest.mark.parametrize("samples_per_chunk", [1, 4])
def test_a_store_ends_with_the_bytes_of_the_stream(make, estimator, samples_per_chunk, tmp_path):
    """Chunks may hold fewer samples than the labels need; a run that goes on, of other shards, ends the same."""
    game = make()
    given = {"seed": 3, "samples_per_chunk": samples_per_chunk, "items_per_chunk": 2}
    store = LabelStore.create(tmp_path / "a", game, estimator, **given).run(game, samples=8)
    whole = LabelStore(store.path).run(game, samples=12, n_threads=1).labels()
    stream = labels_of(game, estimator, 12)
    rows = np.argsort(whole.ids)[np.argsort(np.argsort(stream.ids))]
    assert (whole.ids[rows] == stream.ids).all() and (whole.count[rows] == stream.count).all()
    if estimator.pooled:
        assert (
            whole.mean[rows].tobytes() == stream.mean.tobytes()
            and whole.stderr[rows].tobytes() == stream.stderr.tobytes()
        )
    np.testing.assert_allclose(whole.mean[rows], stream.mean, rtol=0, atol=tolerance.REORDERED)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_killed_store_of_a_pool_ends_with_the_bytes_of_an_unbroken_one(tmp_path):
    game, estimator = model_game(), KernelSHAP()
    given = {"samples_per_chunk": 2, "items_per_chunk": 1}
    unbroken = LabelStore.create(tmp_path / "whole", game, estimator, **given).run(game, samples=12).labels()
    store = LabelStore.create(tmp_path / "killed", game, estimator, **given)
    killed = 0
    while len(store.chunks()) < 25 and killed < 12:
        done = len(store.chunks())
        child = os.fork()
        if child == 0:
            try:
                LabelStore(store.path).run(game, samples=12, n_threads=1)
            finally:
                os._exit(0)
        deadline = time.monotonic() + 5
        while len(store.chunks()) < done + 3 and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        killed += 1
    assert killed >= 2 and not store.damaged()
    assert same(store.run(game, samples=12).labels(), unbroken)


def test_labels_under_another_estimator_are_the_bytes_of_its_own():
    made = 0
    for game in (model_game(), model_game(games.Baseline()), small_games.table(5), small_games.knn(7)):
        for first in ESTIMATORS:
            labels = labels_of(game, first)
            for second in [
                *ESTIMATORS,
                Semivalue("beta", alpha=2),
                SGDShapley(0.01, debiased=False),
                LIME("paper"),
                BanzhafMSR(0.4),
            ]:
                if first.pooled and first.same_draws(second, game.n_players):
                    turned = labels.under(second)
                    assert same(turned, labels_of(game, second)) and turned.evaluations == labels.evaluations
                    made += first != second
                else:
                    with pytest.raises(ValueError, match="does not draw the coalitions"):
                        labels.under(second)
    assert made == 4 * (3 * 3 + 2 * 2 + 2 * 2)  # pairs by kernel, pairs by uniform sizes, coins


def test_labels_under_an_estimator_that_needs_more_samples_are_refused():
    labels = labels_of(model_game(), UnbiasedKernelSHAP(), 3)
    with pytest.raises(ValueError, match="hold 3 samples; KernelSHAP.* needs at least 4"):
        labels.under(KernelSHAP())


@every_game
@every_estimator
def test_batches_hold_the_labels_of_the_samples_so_far(make, estimator):
    game = make()
    seen = 0
    for batch in LabelStream(game, estimator, samples=16, seed=3, batch=60):
        shorter = int(batch.count.max())
        seen += batch.samples
        if isinstance(estimator, PermutationShapley) and estimator.min_size:
            continue
        if shorter < estimator.least_samples(game.n_players):
            assert np.isnan(batch.mean).all()
            continue
        expected = labels_of(game, estimator, shorter)
        rows = batch.items if game.item_players is None or not estimator.pooled else slice(None)
        assert batch.mean.tobytes() == expected.mean[rows].tobytes()
        assert batch.stderr.tobytes() == expected.stderr[rows].tobytes()
    assert seen == 16 * game.ids.size


@every_estimator
@pytest.mark.parametrize(
    "masker", [games.Baseline(), games.Marginal(repeated_games.BACKGROUND)], ids=["baseline", "marginal"]
)
def test_many_outputs_are_single_outputs_side_by_side(estimator, masker):
    both = labels_of(model_game(masker), estimator)
    for output in range(2):
        one = games.ModelGame(lambda x, o=output: repeated_games.smooth(x)[:, o], X, masker, ids=IDS)
        labels = labels_of(one, estimator)
        np.testing.assert_allclose(labels.mean[..., 0], both.mean[..., output], rtol=0, atol=tolerance.REORDERED)
        np.testing.assert_allclose(labels.stderr[..., 0], both.stderr[..., output], rtol=0, atol=1e-9)


@every_estimator
def test_evaluations_are_those_that_the_model_was_asked_for(estimator):
    """Each coalition of each sample once, v(N) once where it is asked for; background rows once in all, and not counted."""
    rows = []

    def counts(x):
        rows.append(len(x))
        return repeated_games.smooth(x)

    game = games.ModelGame(counts, X, games.Marginal(repeated_games.BACKGROUND), ids=IDS)
    rows.clear()
    game.evaluate([0], np.zeros((1, 4), dtype=bool))
    assert sum(rows) == len(repeated_games.BACKGROUND)
    rows.clear()
    labels = labels_of(game, estimator, 9)
    ends = 5 * (estimator.pooled and estimator.needs_ends)
    by_chance = empty_by_chance(estimator, labels) if estimator.pooled else 0
    assert sum(rows) + by_chance == labels.evaluations == 9 * estimator.evaluations(game, np.arange(5)) + ends


def empty_by_chance(estimator, labels):
    """Drawn coalitions that are empty: they are counted, and cost nothing."""
    members = [block.members for block in estimator.blocks(labels.statistics, labels.roster)]
    sides = [m if inside else ~m for m in members for inside in (True, False)[: estimator.coalitions_of_a_sample]]
    return sum(int((~side.any(axis=-1)).sum()) for side in sides)


def test_more_samples_than_coalitions_are_drawn_with_replacement():
    for estimator in (UnbiasedKernelSHAP(), KernelSHAP(), LIME(), BanzhafMSR(), SGDShapley(), AdjustedMSR()):
        labels = LabelStream(small_games.table(3), estimator, samples=200).collect()
        assert np.isfinite(labels.mean).all() and (labels.count == 200).all()


def test_a_dataframe_names_players_and_outputs():
    pytest.importorskip("pandas")
    labels = labels_of(model_game(), KernelSHAP())
    frame = labels.to_dataframe()
    assert list(frame.columns) == ["id", "player", "output", "mean", "stderr", "count"] and len(frame) == 5 * 4 * 2
    for item, player, output in ((0, 0, 0), (2, 3, 1), (4, 1, 0)):
        row = frame[(frame["id"] == IDS[item]) & (frame["player"] == player) & (frame["output"] == output)]
        assert row["mean"].item() == labels.mean[item, player, output] and row["count"].item() == 20
        assert row["stderr"].item() == labels.stderr[item, player, output]
