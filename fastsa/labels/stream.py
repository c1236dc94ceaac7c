"""Labels in the order they are made: the next batch is computed while the consumer works on the last."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _threads
from fastsa.estimators import Estimator, Part, SampleRange, Statistics
from fastsa.games import DEFAULT_MAX_BYTES, Game, Roster
from fastsa.games.game import check_game
from fastsa.labels.labels import Labels
from fastsa.labels.stop import StopRule
from fastsa.labels.until import collect_until

_EVALUATIONS_PER_BATCH = 32_768
_WALKS_PER_THREAD = 4
_SECONDS_TIMED = 0.02


@dataclass(frozen=True)
class LabelBatch:
    """Running totals of the items that the last samples were for; they replace earlier ones.

    items int64 [items]: positions among the game's items; ids uint64 [items]; mean, stderr float64 [items, outputs]; count
    int64 [items]; where every item is a game of its own they have an axis of players after the items. `samples` is how many
    samples of single items this batch added. Standard errors are computed when they are first asked for, from a copy of the
    totals that the batch holds.
    """

    items: NDArray[np.int64]
    mean: NDArray[np.float64]
    count: NDArray[np.int64]
    samples: int
    estimator: Estimator
    roster: Roster
    statistics: Statistics

    @property
    def ids(self) -> NDArray[np.uint64]:
        return self.roster.ids

    @cached_property
    def stderr(self) -> NDArray[np.float64]:
        return self.estimator.stderr(self.statistics, self.roster, self.mean)


@dataclass(frozen=True)
class Cost:
    """What a stream will take, measured on its first walks."""

    items: int
    samples: int
    evaluations: int
    seconds: float
    n_threads: int

    def __str__(self) -> str:
        threads = f"{self.n_threads} thread{'s' if self.n_threads > 1 else ''}"
        return (
            f"{self.items:,} items x {self.samples:,} samples = {self.evaluations:,} evaluations, "
            f"about {self.seconds:,.1f} s on {threads}"
        )


class LabelStream:
    """Noisy, unbiased labels of a game's items, batch by batch.

    A label depends on (seed, estimator, role, item id, sample) and nothing else: the same bytes for any batch size, any
    number of threads, after a fork, and for one run or a run extended later.

    Parameters
    ----------
    game : a fastsa.games game.
    estimator : one of fastsa.estimators.
    samples : samples per item (in the estimator's unit), at least 1.
    first_sample : where to start in the lane; default 0. Shards of a job are ranges of samples, or of items.
    role : what the samples are for: "train" (default), "select", "certify" or "truth". Roles have lanes of their own, so
        labels of different roles are independent.
    items : positions int [m] among the game's items, distinct; default all.
    seed : 64 bits; default 0.
    batch : utility evaluations per batch, as a target; default 32,768, and at least four walks per thread.
    max_bytes : bound on the memory of a batch; default 256 MiB.
    n_threads : default all available processors.
    shard_of : samples of the whole job that this stream is a shard of, where the estimator needs several and the shard holds
        fewer; default those up to its own last.

    Iterating yields `LabelBatch`es; `collect()` runs to the end, or until a rule has enough, and answers `Labels`; `cost()`
    forecasts.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * 3.0 + c[:, 1], 2)
    >>> stream = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=4)
    >>> stream.collect().mean.ravel().tolist()
    [3.0, 1.0]
    """

    def __init__(
        self,
        game: Game,
        estimator: Estimator,
        *,
        samples: int,
        first_sample: int = 0,
        role: str = "train",
        items: Any = None,
        seed: int = 0,
        batch: int | None = None,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        shard_of: int | None = None,
        after: Labels | None = None,
    ) -> None:
        if not isinstance(estimator, Estimator):
            raise TypeError(
                f"estimator is {estimator!r}; expected one of fastsa.estimators, such as PermutationShapley()."
            )
        check_game("game", game)
        self._game = game
        self._estimator = estimator
        self._seed = _checks.seed(seed)
        self._first, self._stop = _checks.sample_range(first_sample, samples)
        _checks.role(role)
        self._role = role
        self._items = _positions(items, game.ids.size)
        self._batch = None if batch is None else _checks.count("batch", batch)
        self._max_bytes = DEFAULT_MAX_BYTES if max_bytes is None else _checks.count("max_bytes", max_bytes)
        self._n_threads = _threads.resolve(n_threads)
        job = self._stop if after is None else self._stop - after.ranges[0].first
        estimator.check(
            game, self._items, job if shard_of is None else _checks.count("shard_of", shard_of, least=samples)
        )
        self._after = after
        one_game = game.item_players is not None
        self._shared = estimator.shares_draws and one_game
        self._together = estimator.pooled and one_game

    @property
    def game(self) -> Game:
        return self._game

    @property
    def estimator(self) -> Estimator:
        return self._estimator

    @property
    def roster(self) -> Roster:
        """Whose labels the stream makes."""
        return Roster.of(self._game).take(self._items)

    @property
    def role(self) -> str:
        return self._role

    @property
    def span(self) -> SampleRange:
        """The samples that the stream makes of each item."""
        return self._range(self._first, self._stop)

    @property
    def total(self) -> int:
        """Samples of single items that the stream will make: items x samples."""
        return self._items.size * (self._stop - self._first)

    @property
    def items(self) -> NDArray[np.int64]:
        """Positions, among the game's items, of those that the stream labels."""
        return self._items

    def part(self, first: int, samples: int) -> LabelStream:
        """The stream of `samples` of these samples alone, the first of them being this stream's `first`-th (from 0).

        Parts that do not overlap have labels of independent noise. Raises ValueError for samples that this stream has not.

        >>> import fastsa
        >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * c[:, 1], 2)
        >>> stream = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=8)
        >>> parts = [stream.part(first, 4).collect().mean for first in (0, 4)]
        >>> bool(abs(sum(parts) / 2 - stream.collect().mean).max() < 1e-12)
        True
        """
        first, samples = _checks.count("first", first, least=0), _checks.count("samples", samples)
        if first + samples > self.span.samples:
            raise ValueError(
                f"first is {first} and samples {samples}; expected samples among the stream's {self.span.samples}."
            )
        return LabelStream(
            self._game,
            self._estimator,
            samples=samples,
            first_sample=self._first + first,
            role=self._role,
            items=self._items,
            seed=self._seed,
            batch=self._batch,
            max_bytes=self._max_bytes,
            n_threads=self._n_threads,
        )

    def item_blocks(self, size: int) -> list[NDArray[np.int64]]:
        """The stream's items in blocks of about `size` positions that never part items of one draw."""
        return _blocks(self._items, self._game.ids, self._estimator.item_block, size)

    def __iter__(self) -> Iterator[LabelBatch]:
        return self._run(_State(self))

    def collect(
        self, progress: Callable[[int], Any] | None = None, *, until: StopRule | None = None, every: int | None = None
    ) -> Labels:
        """Run to the end. `progress(n)` is called after each batch with the samples of single items that it added.

        With `until`, a rule of `fastsa.labels.stop`, run until the rule has enough, and to the end at most. It is asked at 8
        samples and whenever they have doubled, or after every `every` samples; no sooner than the estimator has labels. The
        labels are the bytes of a stream of so many samples; their `stops` say where it stopped, and their `unbiased` is
        False where the rule looked at them.

        Raises TypeError for what is no rule, and ValueError for a budget that does not hold the first sample, a pilot of other
        labels, and `every` without `until`.
        """
        if until is not None:
            return collect_until(self, until, every, progress)
        if every is not None:
            raise ValueError("every says when a rule is asked; give the rule as until.")
        state, cancel = _State(self), _threads.Cancel()
        for part in self._parts():
            self._add(state, part, cancel)
            if progress is not None:
                progress(part.items.size * part.span.samples)
        new = self._range(self._first, self._stop)
        ranges, spent, stops = (new,), state.evaluations, ()
        if self._after is not None:
            (done,) = self._after.ranges
            ranges = (SampleRange(done.seed, done.role, done.first, new.stop),)
            spent += self._after.evaluations
            stops = self._after.stops
        return Labels(state.statistics, state.roster, self._estimator, ranges, spent, self._game.fingerprint, stops)

    def cost(self) -> Cost:
        """Evaluations that the whole stream will take, and the seconds they will, from timing a few of its walks.

        The walks timed are thrown away, and taken again by the stream itself.
        """
        items = self._items
        if not self._shared:
            items = items[: 64 * self._estimator.item_block]
        self._draw_values(
            Part(items, self._range(self._first, self._first + 1)), _threads.Cancel()
        )  # warms caches and pools
        samples = 1 if items.size < self._items.size else min(self._n_threads, self._stop - self._first)
        per_sample = self._estimator.evaluations(self._game, items)
        share = min(_EVALUATIONS_PER_BATCH / per_sample, self._max_bytes / self._estimator.n_bytes(self._game, items))
        most = min(self._stop - self._first, max(samples, int(share)))
        while True:
            start = time.perf_counter()
            self._draw_values(
                Part(items, self._range(self._first, self._first + samples), opening=False), _threads.Cancel()
            )
            seconds = time.perf_counter() - start
            if seconds >= _SECONDS_TIMED or samples == most:
                break
            samples = min(4 * samples, most)  # too short to tell the work from what surrounds it
        timed = samples * per_sample
        evaluations = (self._stop - self._first) * self._estimator.evaluations(self._game, self._items)
        return Cost(
            self._items.size, self._stop - self._first, int(evaluations), seconds * evaluations / timed, self._n_threads
        )

    def _range(self, first: int, stop: int) -> SampleRange:
        return SampleRange(self._seed, self._role, first, stop)

    def _run(self, state: _State) -> Iterator[LabelBatch]:
        """Batches, made one ahead of the consumer on a thread of their own."""
        made: queue.Queue[LabelBatch | BaseException | None] = queue.Queue(maxsize=1)
        cancel = _threads.Cancel()

        def make() -> None:
            try:
                for part in self._parts():
                    self._add(state, part, cancel)
                    made.put(state.batch(part.items, part.items.size * part.span.samples))
                made.put(None)
            except BaseException as error:
                made.put(error)

        maker = threading.Thread(target=make, name="fastsa-stream", daemon=True)
        maker.start()
        try:
            while (batch := made.get()) is not None:
                if isinstance(batch, BaseException):
                    raise batch
                yield batch
        finally:
            cancel.set()
            while maker.is_alive():
                try:
                    made.get(timeout=0.01)
                except queue.Empty:
                    pass

    def _parts(self) -> Iterator[Part]:
        """Samples in order, items within them, as many at a time as a batch holds; or all samples of some items at a time."""
        estimator, items = self._estimator, self._items
        per_sample = max(1.0, estimator.evaluations(self._game, items))
        wanted = self._batch or max(
            _EVALUATIONS_PER_BATCH, _WALKS_PER_THREAD * self._n_threads * per_sample / items.size
        )
        if self._shared and self._batch is None:
            wanted = max(wanted, _WALKS_PER_THREAD * self._n_threads * per_sample)
        share = min(wanted / per_sample, self._max_bytes / estimator.n_bytes(self._game, items))
        total = self._stop - self._first
        if estimator.pooled and not self._together:
            chunks = self.item_blocks(max(1, int(share / total * items.size)))
            samples = max(1, min(total, int(share * items.size)))
            for chunk in chunks:
                yield from (self._part(chunk, first, samples) for first in range(self._first, self._stop, samples))
            return
        samples = max(1, int(share))
        chunks = [items]
        if share < 1 and not self._shared:
            chunks = self.item_blocks(max(1, int(share * items.size)))
        for first in range(self._first, self._stop, samples):
            yield from (self._part(chunk, first, samples) for chunk in chunks)

    def _part(self, items: NDArray[np.int64], first: int, samples: int) -> Part:
        opening = first == self._first and self._after is None
        return Part(items, self._range(first, min(first + samples, self._stop)), opening)

    def _draw_values(self, part: Part, cancel: _threads.Cancel) -> tuple[Any, NDArray[np.float64]]:
        draw = self._estimator.draw(self._game, part, n_threads=self._n_threads)
        values = self._game.walk(draw.walks, max_bytes=self._max_bytes, n_threads=self._n_threads, cancel=cancel)
        return draw, values

    def _add(self, state: _State, part: Part, cancel: _threads.Cancel) -> None:
        draw, values = self._draw_values(part, cancel)
        self._estimator.add(state.statistics, state.row_of, draw, values)
        state.evaluations += draw.evaluations


class _State:
    """Running totals of one run over a stream."""

    def __init__(self, stream: LabelStream) -> None:
        self._estimator = stream._estimator
        self._together = stream._together
        self.roster = stream.roster
        self.row_of = np.full(stream._game.ids.size, -1, dtype=np.int64)
        self.row_of[stream._items] = np.arange(stream._items.size)
        after = None if stream._after is None else stream._after.statistics
        self.statistics = stream._estimator.statistics(self.roster, stream._range(stream._first, stream._stop), after)
        self.evaluations = 0

    def batch(self, items: NDArray[np.int64], samples: int) -> LabelBatch:
        """The totals so far of these items; of all, where they follow from all together."""
        rows = self.row_of[items]
        roster = self.roster.take(rows)
        totals = self.statistics.take(np.zeros(1, np.int64) if self._together else rows)
        labels = self._estimator.finalize(totals, roster)
        return LabelBatch(items, labels.mean, labels.count, samples, self._estimator, roster, totals)


def _positions(items: Any, n_items: int) -> NDArray[np.int64]:
    if items is None:
        return np.arange(n_items, dtype=np.int64)
    positions = np.asarray(items)
    if positions.ndim != 1 or positions.size == 0:
        raise ValueError(f"items have shape {positions.shape}; expected positions [m], at least one.")
    if positions.dtype.kind not in "iu":
        raise TypeError(
            f"items have dtype {positions.dtype}; expected integer positions, such as numpy.flatnonzero(mask)."
        )
    if positions.min() < 0 or positions.max() >= n_items:
        raise ValueError(f"items reach from {positions.min()} to {positions.max()}; expected 0 to {n_items - 1}.")
    if np.unique(positions).size != positions.size:
        raise ValueError("items repeat; name every item once.")
    return positions.astype(np.int64)


def _blocks(items: NDArray[np.int64], ids: NDArray[np.uint64], block: int, size: int) -> list[NDArray[np.int64]]:
    """Items in parts of about `size`, never parting ids of one block."""
    ordered = items[np.argsort(ids[items] // np.uint64(block), kind="stable")]
    blocks = ids[ordered] // np.uint64(block)
    starts = np.flatnonzero(np.append(True, blocks[1:] != blocks[:-1]))
    cuts = [0]
    for start in starts:
        if start - cuts[-1] >= size:
            cuts.append(int(start))
    return [ordered[a:b] for a, b in zip(cuts, [*cuts[1:], items.size], strict=True)]
