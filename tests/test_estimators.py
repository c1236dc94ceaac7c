"""Every estimator against enumeration by z-tests, and a biased twin of each that the same test must catch.

One run of a test raises a false alarm with probability 1e-6 (Bonferroni over its labels). A bias of a sixth of the standard
deviation of one contribution, in any single label, would be caught with probability 0.999; that much is asserted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import significance
import small_games

from fastsa import LabelStream, estimators, exact
from fastsa.estimators import Distributional, Draw, Part, PermutationShapley, SampleRange

CONTRIBUTIONS = 3500
BIAS_CAUGHT = 1 / 6

GAMES = {
    "table": lambda: small_games.table(6),
    "table of eight": lambda: small_games.table(8, outputs=1, seed=3),
    "knn accuracy": lambda: small_games.knn(),
    "knn vote": lambda: small_games.knn(8, kind="vote"),
    "logistic log-loss": lambda: small_games.logistic(),
    "logistic accuracy": lambda: small_games.logistic(5, score="accuracy"),
    "softmax": lambda: small_games.logistic(6, n_classes=3),
}
WITH_OUTSIDE = {
    "knn": lambda: small_games.knn(5, outside=3),
    "logistic": lambda: small_games.logistic(5, outside=2),
}
PERMUTATIONS = {
    "all sizes": PermutationShapley(),
    "from 2": PermutationShapley(min_size=2),
    "to 3": PermutationShapley(max_size=3),
    "3 only": PermutationShapley(min_size=3, max_size=3),
}
DISTRIBUTIONAL = {
    "sizes 1 to 4": Distributional(1, 4),
    "empty too": Distributional(0, 3),
    "one size": Distributional(3, 3),
    "shared by 3": Distributional(1, 4, shared=3),
    "shared by all": Distributional(1, 4, shared=16),
}


def labels_of(game, estimator, seed=5):
    """As many samples as give every item about as many contributions."""
    kept = 1.0
    if isinstance(estimator, PermutationShapley):
        kept = (estimator.size_law(game.n_players) > 0).mean()
    return LabelStream(game, estimator, samples=round(CONTRIBUTIONS / kept), seed=seed).collect()


def check(game, estimator):
    truth, labels = exact(game, estimator), labels_of(game, estimator)
    deviation = np.sqrt(labels.variance.max())
    assert significance.smallest_bias_caught(labels) < BIAS_CAUGHT * deviation
    assert not significance.contradicts_truth(labels, truth)
    assert estimator.unbiased


@pytest.mark.parametrize("estimator", PERMUTATIONS.values(), ids=PERMUTATIONS.keys())
@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES.keys())
def test_permutations_are_unbiased_for_what_they_state(game, estimator):
    check(game(), estimator)


@pytest.mark.parametrize("estimator", DISTRIBUTIONAL.values(), ids=DISTRIBUTIONAL.keys())
@pytest.mark.parametrize("game", WITH_OUTSIDE.values(), ids=WITH_OUTSIDE.keys())
def test_distributional_samples_are_unbiased_also_outside_the_pool(game, estimator):
    check(game(), estimator)


@pytest.mark.parametrize("estimator", [Distributional(1, 4), Distributional(2, 3, shared=4)])
def test_distributional_samples_of_many_outputs_are_unbiased(estimator):
    check(small_games.table(6, outputs=3, seed=4), estimator)


class SkipsTheFirst(PermutationShapley):
    """The mistake of a truncated start: claims all sizes, never counts the contribution to the empty coalition."""

    def draw(self, game, part, **options):
        return PermutationShapley(min_size=1).draw(game, part, **options)


class KeepsTwoOrders(PermutationShapley):
    """The mistake of a lazy shuffle: with one order of eight kept sorted, first players come first too often."""

    def draw(self, game, part, **options):
        drawn = super().draw(game, part, **options)
        rows = drawn.walks.players.reshape(part.span.samples, game.n_players).copy()
        kept = np.arange(part.span.first, part.span.stop) % 8 == 0
        rows[kept] = np.arange(game.n_players)
        walks = replace(drawn.walks, players=rows.reshape(-1))
        place = np.full(game.n_players, -1)
        place[game.item_players[part.items]] = part.items
        return Draw(walks, place[walks.players], drawn.after, drawn.before)


class LosesTheLast(PermutationShapley):
    """The mistake of stopping one early: the player who completes the coalition is paid nothing."""

    def draw(self, game, part, **options):
        drawn = super().draw(game, part, **options)
        last = np.arange(drawn.items.size) % game.n_players == game.n_players - 1
        return replace(drawn, after=np.where(last, drawn.before, drawn.after))


@dataclass(frozen=True)
class OneSizeShort(Distributional):
    """The mistake of an open end: sizes min_size .. max_size - 1."""

    def draw(self, game, part, **options):
        return Distributional(self.min_size, self.max_size - 1, self.shared).draw(game, part, **options)


@dataclass(frozen=True)
class WithoutReplacement(Distributional):
    """The mistake of drawing subsets: nobody is drawn twice."""

    def draw(self, game, part, **options):
        drawn = super().draw(game, part, **options)
        rng = np.random.default_rng(part.span.first)
        players = drawn.walks.players.copy()
        for start, end in zip(drawn.walks.offsets[:-1], drawn.walks.offsets[1:], strict=True):
            players[start:end] = rng.permutation(game.n_players)[: end - start]
        return replace(drawn, walks=replace(drawn.walks, players=players))


TWINS = {
    "skips the first": (SkipsTheFirst(), lambda: small_games.table(6)),
    "keeps an order": (KeepsTwoOrders(), lambda: small_games.table(6)),
    "loses the last": (LosesTheLast(), lambda: small_games.table(6)),
    "skips the first, knn": (SkipsTheFirst(), small_games.knn),
    "skips the first, logistic": (SkipsTheFirst(), small_games.logistic),
    "loses the last, knn": (LosesTheLast(), small_games.knn),
    "one size short": (OneSizeShort(1, 2), small_games.logistic),
    "one size short, knn": (OneSizeShort(1, 3), lambda: small_games.knn(5, outside=3)),
    "without replacement": (WithoutReplacement(2, 4), lambda: small_games.logistic(5)),
    "one size short, shared": (OneSizeShort(1, 2, shared=3), small_games.logistic),
}


@pytest.mark.parametrize(("twin", "game"), TWINS.values(), ids=TWINS.keys())
def test_a_biased_twin_fails_the_same_test(twin, game):
    game = game()
    labels = labels_of(game, twin)
    assert significance.contradicts_truth(labels, exact(game, twin))


@pytest.mark.parametrize("estimator", [PermutationShapley(), PermutationShapley(min_size=1), Distributional(1, 4)])
def test_a_sample_gives_every_item_at_most_one_contribution(estimator):
    game = small_games.table(5)
    items = np.arange(5)
    draw = estimator.draw(game, Part(items, SampleRange(0, "train", 0, 4)), n_threads=1)
    draw.walks.check(5)
    counts = np.bincount(draw.items, minlength=5)
    assert counts.max() <= 4 and (counts == 4).all() or estimator.__class__ is PermutationShapley
    assert draw.walks.n_values == 4 * estimator.evaluations(game, items)


def test_shares_keep_errors_apart_only_where_they_say_so():
    """With shared=1 labels of two items are independent (false alarm 1e-6); one shared permutation correlates them."""
    game = small_games.table(5, outputs=1)

    def errors(estimator):
        runs = [
            LabelStream(game, estimator, samples=1, first_sample=s, seed=9).collect().mean[:, 0] for s in range(600)
        ]
        return np.array(runs).T

    alone = errors(Distributional(2, 2))
    assert not significance.contradicts_independence(alone[0], alone[1])
    together = errors(Distributional(2, 2, shared=2))
    assert significance.contradicts_independence(together[0], together[1])
    assert not significance.contradicts_independence(together[0], together[2])


def test_estimands_state_their_sizes():
    assert "Shapley value" in PermutationShapley().estimand
    assert "t = 2 .. n - 1" in PermutationShapley(min_size=2).estimand
    assert "t = 0 .. 7" in PermutationShapley(max_size=7).estimand
    assert "t = 100 .. 999" in Distributional().estimand


@pytest.mark.parametrize("estimator", [*PERMUTATIONS.values(), *DISTRIBUTIONAL.values()])
def test_laws_of_size_are_probabilities(estimator):
    law = estimator.size_law(6)
    assert (law >= 0).all() and abs(law.sum() - 1) < significance.ROUNDING


@pytest.mark.parametrize(
    "estimator", [PermutationShapley(min_size=np.int64(2)), Distributional(np.int32(1), np.int64(4), np.uint8(2))]
)
def test_an_estimator_is_made_again_from_its_settings(estimator):
    import json

    config = json.loads(json.dumps(estimator.config()))
    again = estimators.from_config(config)
    assert again == estimator and repr(again) == repr(estimator)
