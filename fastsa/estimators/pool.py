"""Pools of evaluated coalitions: the values are kept, the coalitions are drawn again when labels are made of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators.estimator import Estimator, Finalized, Part, SampleRange
from fastsa.games import Game, Roster
from fastsa.ops import Lanes, Walks, pack, subsets, unpack

_BLOCK_SAMPLES = 256  # fixed, so that sums do not depend on how the samples came
_BLOCK_BYTES = 32 * 2**20


@dataclass
class Pool:
    """The values of drawn coalitions; a first axis of games, a second of samples.

    values  float64 [games, samples, coalitions of a sample, outputs]
    empty   float64 [games, outputs], the value of the empty coalition; [games, samples, outputs] where each sample has a
            background of its own
    whole   float64 [games, outputs], the value of the coalition of all; NaN where the estimator does not ask for the ends
    seed, role, sample   uint64, uint8, uint32 [samples]: the lanes, from which the coalitions are drawn again

    A pool costs 8 bytes per value: below n^2 / (2 outputs) samples of n players that is less than the n x n sums of a regression.
    """

    values: NDArray[np.float64]
    empty: NDArray[np.float64]
    whole: NDArray[np.float64]
    seed: NDArray[np.uint64]
    role: NDArray[np.uint8]
    sample: NDArray[np.uint32]

    def take(self, items: Any) -> Pool:
        return Pool(self.values[items], self.empty[items], self.whole[items], self.seed, self.role, self.sample)

    def put(self, items: Any, part: Pool) -> None:
        self.values[items], self.empty[items], self.whole[items] = part.values, part.empty, part.whole

    def beside(self, *others: Pool) -> Pool:
        """The games of all, these first; their samples are the same."""
        by_game = (np.concatenate([getattr(p, f) for p in (self, *others)]) for f in ("values", "empty", "whole"))
        return Pool(*by_game, self.seed, self.role, self.sample)

    def merge(self, other: Pool) -> Pool:
        """The samples of both, in the order of their lanes."""
        lanes = [np.concatenate([getattr(self, f), getattr(other, f)]) for f in ("seed", "role", "sample")]
        order = np.lexsort(lanes[::-1])
        empty = np.concatenate([self.empty, other.empty], axis=1)[:, order] if self.own_backgrounds else self.empty
        return Pool(
            np.ascontiguousarray(np.concatenate([self.values, other.values], axis=1)[:, order]),
            empty,
            self.whole,
            *(lane[order] for lane in lanes),
        )

    def table(self) -> NDArray[np.float64]:
        """[games, columns]: values, empty, whole."""
        games = self.values.shape[0]
        return np.concatenate([a.reshape(games, -1) for a in (self.values, self.empty, self.whole)], axis=1)

    def fill(self, table: NDArray[np.float64]) -> None:
        values, empty, whole = np.split(table, [self.values[0].size, table.shape[1] - self.whole.shape[1]], axis=1)
        self.values = values.reshape(self.values.shape).copy()
        self.empty = empty.reshape(self.empty.shape).copy()
        self.whole = whole.copy()

    @property
    def samples(self) -> int:
        return self.values.shape[1]

    @property
    def own_backgrounds(self) -> bool:
        return self.empty.ndim == 3

    def finished(self) -> Pool:
        """The samples that all games have values of: all but those that a stream under way has yet to make."""
        there = np.isfinite(self.values[:, :, 0, 0]).all(axis=0)
        if there.all():
            return self
        empty = self.empty[:, there] if self.own_backgrounds else self.empty
        return Pool(self.values[:, there], empty, self.whole, self.seed[there], self.role[there], self.sample[there])

    def empty_of(self, games: slice, samples: slice) -> NDArray[np.float64]:
        """v(empty) behind some samples of some games: [games, samples or 1, outputs]."""
        return self.empty[games, samples] if self.own_backgrounds else self.empty[games][:, None]

    def above_empty(self, games: slice, samples: slice) -> NDArray[np.float64]:
        """v(S) - v(empty), both before the same background: [games, samples, coalitions of a sample, outputs]."""
        return self.values[games, samples] - self.empty_of(games, samples)[:, :, None]

    @property
    def total(self) -> NDArray[np.float64]:
        """v(N) - v(empty), the latter a mean over backgrounds: [games, outputs]."""
        return self.whole - (self.empty.mean(axis=1) if self.own_backgrounds else self.empty)

    def shifts_of_total(self, games: slice, samples: slice) -> NDArray[np.float64]:
        """How far the background of each sample moves `total`: [games, samples, outputs], zeros [.., 1, ..] where it is shared."""
        if not self.own_backgrounds:
            return np.zeros_like(self.empty[games][:, None])
        return (self.empty[games].mean(axis=1, keepdims=True) - self.empty[games, samples]) / self.samples


class Block(NamedTuple):
    """Some samples of some games: members bool [games, samples, players], of the first coalition of each sample."""

    games: slice
    samples: slice
    members: NDArray[np.bool_]


@dataclass(frozen=True)
class PoolDraw:
    """Walks to take: the coalitions of games in turn, sample by sample, then the ends of each game.

    extra : values of a sample beyond its coalitions: 1 where it has an empty coalition of its own
    ends : values of a game beyond its samples: v(N) last, after v(empty) where that is shared
    known : values of empty coalitions that cost no evaluation
    """

    walks: Walks
    part: Part
    one_game: bool
    extra: int
    ends: int
    known: int

    @property
    def evaluations(self) -> int:
        return self.walks.n_values - self.known


@dataclass(frozen=True)
class PoolEstimator(Estimator):
    """Base of estimators that draw coalitions by a symmetric law and make labels of all their values at once.

    Coalitions are drawn with replacement: more samples than there are coalitions are allowed, and repeat some.

    paired : whether a sample is a coalition and its complement, or a coalition alone.
    needs_ends : whether v(empty) and v(N) are evaluated too.
    """

    shares_draws: ClassVar[bool] = True
    pooled: ClassVar[bool] = True
    statistics_type: ClassVar[type] = Pool
    needs_ends: ClassVar[bool] = True

    @property
    def unit(self) -> str:  # type: ignore[override]
        return "coalition and its complement" if self.paired else "coalition"

    @abstractmethod
    def law(self, n_players: int) -> dict[str, Any]:
        """The law of the coalitions, as `fastsa.ops.subsets` takes it: sizes or q."""

    @property
    def coalitions_of_a_sample(self) -> int:
        return 2 if self.paired else 1

    def check(self, game: Game, items: NDArray[np.int64], samples: int) -> None:
        name = type(self).__name__
        if game.n_players < 2:
            raise ValueError(f"{name} compares players; the game has {game.n_players}, whose value is v(N) - v(empty).")
        if game.item_players is not None and not np.array_equal(game.item_players[items], np.arange(game.n_players)):
            raise ValueError(
                f"{name} values all players of a game together: take them all as items, in order, and no others."
            )
        least = self.least_samples(game.n_players)
        if samples < least:
            raise ValueError(
                f"samples is {samples}; expected at least {least}, below which {name} has no labels of {game.n_players} players."
            )

    def evaluations(self, game: Game, items: NDArray[np.int64]) -> float:
        own = self.coalitions_of_a_sample + (0 if game.knows_empty else self._extra(game))
        return own * (1 if game.item_players is not None else items.size)

    def n_bytes(self, game: Game, items: NDArray[np.int64]) -> float:
        return self.evaluations(game, items) * (7 * game.n_players + 8 * game.n_outputs)

    def statistics(self, roster: Roster, span: SampleRange, after: Pool | None = None) -> Pool:
        games, outputs = roster.game_ids.size, roster.n_outputs
        new = Pool(
            np.full((games, span.samples, self.coalitions_of_a_sample, outputs), np.nan),
            np.full((games, span.samples, outputs) if self._extra(roster) else (games, outputs), np.nan),
            np.full((games, outputs), np.nan),
            np.full(span.samples, span.seed, np.uint64),
            np.full(span.samples, _checks.role(span.role), np.uint8),
            np.arange(span.first, span.stop).astype(np.uint32),
        )
        return new if after is None else after.merge(new)

    def draw(self, game: Game, part: Part, *, n_threads: int | None) -> PoolDraw:
        n, span = game.n_players, part.span
        one_game = game.item_players is not None
        games = np.zeros(1, np.int64) if one_game else part.items
        ids = np.zeros(1, np.uint64) if one_game else game.ids[part.items]
        samples = np.arange(span.first, span.stop).astype(np.uint32)
        bits = self._drawn(n, ids, samples, span.seed, span.role, n_threads)
        everyone = pack(np.ones(n, dtype=np.bool_))
        extra = self._extra(game)
        coalitions = [bits, bits ^ everyone][: self.coalitions_of_a_sample] + extra * [np.zeros_like(bits)]
        ends = [np.zeros_like(everyone), everyone][extra:] if self.needs_ends and part.opening else []
        per_sample = len(coalitions)
        of_samples = np.stack(coalitions, axis=2).reshape(-1, everyone.size)
        of_ends = np.tile(np.reshape(ends, (len(ends), everyone.size)).astype(np.uint64), (games.size, 1))
        lanes = Lanes(
            np.concatenate([np.repeat(games, samples.size * per_sample), np.repeat(games, len(ends))]),
            np.concatenate(
                [np.tile(np.repeat(samples, per_sample), games.size), np.zeros(games.size * len(ends), np.uint32)]
            ),
            span.seed,
            span.role,
        )
        walks = Walks.of_bits(np.concatenate([of_samples, of_ends]), lanes, n_threads=n_threads)
        empties = extra * samples.size + max(0, len(ends) - 1)
        return PoolDraw(walks, part, one_game, extra, len(ends), game.knows_empty * games.size * empties)

    def add(self, statistics: Pool, rows: NDArray[np.int64], draw: PoolDraw, values: NDArray[np.float64]) -> None:
        span = draw.part.span
        games = np.zeros(1, np.int64) if draw.one_game else rows[draw.part.items]
        lane = (statistics.seed == span.seed) & (statistics.role == _checks.role(span.role))
        places = np.flatnonzero(lane & (statistics.sample >= span.first) & (statistics.sample < span.stop))
        per_sample = self.coalitions_of_a_sample + draw.extra
        n_drawn = games.size * span.samples * per_sample
        drawn = values[:n_drawn].reshape(games.size, span.samples, per_sample, -1)
        statistics.values[np.ix_(games, places)] = drawn[:, :, : self.coalitions_of_a_sample]
        if draw.extra:
            statistics.empty[np.ix_(games, places)] = drawn[:, :, -1]
        if draw.ends:
            ends = values[n_drawn:].reshape(games.size, draw.ends, -1)
            statistics.whole[games] = ends[:, -1]
            if not draw.extra:
                statistics.empty[games] = ends[:, 0]

    def finalize(self, statistics: Pool, roster: Roster) -> Finalized:
        """The labels of the samples there are; NaN below `least_samples`, as while a stream is under way."""
        pool = statistics.finished()
        if pool.samples < self.least_samples(roster.n_players):
            mean = np.full((roster.game_ids.size, roster.n_players, roster.n_outputs), np.nan)
        else:
            mean = self.labels_of(pool, roster)
        mean = _of_roster(mean, roster)
        return Finalized(mean, np.full(mean.shape[:-1], pool.samples, dtype=np.int64))

    def stderr(self, statistics: Pool, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        pool = statistics.finished()
        if pool.samples < self.least_samples(roster.n_players):
            return np.full_like(mean, np.nan)
        squared = self.squared_errors(pool, roster, mean[None] if roster.one_game else mean)
        return _of_roster(np.sqrt(np.maximum(squared, 0.0)), roster)

    @abstractmethod
    def labels_of(self, pool: Pool, roster: Roster) -> NDArray[np.float64]:
        """The labels that follow from the values of a pool: [games, players, outputs]."""

    @abstractmethod
    def squared_errors(self, pool: Pool, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """The squares of the standard errors of these labels: [games, players, outputs]; NaN where there are none."""

    def blocks(self, pool: Pool, roster: Roster) -> Iterator[Block]:
        """The coalitions of a pool, drawn again: games in turn, samples in order, blocks of a fixed number of samples."""
        n = roster.n_players
        for games in game_slices(roster, 8 * n * min(_BLOCK_SAMPLES, max(1, pool.samples))):
            for begin in range(0, pool.samples, _BLOCK_SAMPLES):
                samples = slice(begin, min(begin + _BLOCK_SAMPLES, pool.samples))
                yield Block(games, samples, unpack(self.bits(pool, roster, games, samples), n))

    def bits(
        self, pool: Pool, roster: Roster, games: slice, samples: slice, *, n_threads: int | None = 1
    ) -> NDArray[np.uint64]:
        """The first coalition of each of these samples of a pool, drawn again: bits uint64 [games, samples, words]."""
        names = {number: name for name, number in _checks.ROLES.items()}
        parts = []
        for seed, role in sorted(set(zip(pool.seed[samples].tolist(), pool.role[samples].tolist()))):
            own = (pool.seed[samples] == seed) & (pool.role[samples] == role)
            ids, drawn = roster.game_ids[games], pool.sample[samples][own]
            parts.append(self._drawn(roster.n_players, ids, drawn, seed, names[role], n_threads))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def same_draws(self, other: Estimator, n_players: int) -> bool:
        """Whether another estimator would draw the same coalitions of so many players, so that a pool serves both."""
        if not isinstance(other, PoolEstimator) or self.paired != other.paired or self.needs_ends != other.needs_ends:
            return False
        mine, theirs = self.law(n_players), other.law(n_players)
        return mine.keys() == theirs.keys() and all(np.array_equal(mine[key], theirs[key]) for key in mine)

    def _extra(self, drawn_by: Game | Roster) -> int:
        """Values of a sample beyond its coalitions: of the empty one, where samples have backgrounds of their own."""
        return int(self.needs_ends and drawn_by.draws_background)

    def _drawn(
        self, n: int, ids: NDArray[np.uint64], samples: NDArray[np.uint32], seed: int, role: str, n_threads: int | None
    ) -> NDArray[np.uint64]:
        """The first coalition of each sample: bits uint64 [games, samples, words]."""
        bits = subsets(
            n,
            ids.size * samples.size,
            ids=np.repeat(ids, samples.size),
            samples=np.tile(samples, ids.size),
            **self.law(n),
            seed=seed,
            role=role,
            n_threads=n_threads,
        )
        return bits.reshape(ids.size, samples.size, -1)


def game_slices(roster: Roster, bytes_per_game: int) -> Iterator[slice]:
    """The games in turn, as many at a time as a block of memory holds."""
    games, step = roster.game_ids.size, max(1, _BLOCK_BYTES // bytes_per_game)
    yield from (slice(first, min(first + step, games)) for first in range(0, games, step))


def _of_roster(by_game: NDArray[np.float64], roster: Roster) -> NDArray[np.float64]:
    """[games, players, outputs] as labels are: without the games' axis where there is one game."""
    return by_game[0] if roster.one_game else by_game
