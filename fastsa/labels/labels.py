"""Labels of the items of one game: sufficient statistics, and where they came from."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators import Estimator, Finalized, SampleRange, Statistics, from_config
from fastsa.games import Game, Roster

if TYPE_CHECKING:
    import pandas

_FORMAT = 3
_READ = (2, _FORMAT)  # 2 knew no stops


@dataclass(frozen=True)
class Stop:
    """How a stream was ended by a rule of `fastsa.labels.stop`.

    rule : the rule, written out. seen : the samples whose values it looked at. met : whether it had enough, or ran out of
    samples first. samples : how many of every item it stopped at.
    """

    rule: str
    seen: tuple[SampleRange, ...]
    met: bool
    samples: int

    def saw(self, ranges: tuple[SampleRange, ...]) -> bool:
        """Whether it looked at any of these samples."""
        return any(seen.overlaps(r) for seen in self.seen for r in ranges)


@dataclass(frozen=True)
class Labels:
    """Noisy labels, unbiased for the estimand of their estimator, with what is needed to extend, merge and trust them.

    Attributes
    ----------
    mean, stderr, variance : float64 [items, outputs], or [items, players, outputs] where every item is a game of its own: the
        label, its standard error, and the variance of one sample (count * stderr^2). NaN where there are too few samples:
        none for the mean, one for the others.
    pooled_stderr : the same, from a variance pooled over all labels of an output: for few samples
    count : int64 [items] or [items, players], samples that a label has
    evaluations : utility evaluations spent on all items together, the empty coalition of a game that knows it not counted
    ids : uint64 [items]
    estimator, ranges, fingerprint : what made them: estimator, sample ranges (seed, role, first, stop), and game
    statistics, roster : the sums that the labels follow from, and whose they are
    stops : where a rule ended the stream (see `fastsa.labels.stop`), of each stream that was merged
    unbiased : whether the expectation of a label is its estimand: the estimator's, and no rule that looked at any of these
        samples decided how many there are; `why_biased` says why not, as a sentence

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c.sum(axis=1) ** 2.0, 4)
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=10).collect()
    >>> labels.count.tolist(), labels.evaluations
    ([10, 10, 10, 10], 50)
    """

    statistics: Statistics
    roster: Roster
    estimator: Estimator
    ranges: tuple[SampleRange, ...]
    evaluations: int
    fingerprint: str
    stops: tuple[Stop, ...] = ()

    @property
    def unbiased(self) -> bool:
        return not self.why_biased

    @property
    def why_biased(self) -> str:
        """A sentence, empty where the labels are unbiased."""
        if not self.estimator.unbiased:
            return f"{self.estimator} is biased"
        return self.why_biased_beside(self)

    def why_biased_beside(self, other: Labels) -> str:
        """Why the number of these samples depends on the values of another's, as a sentence; empty where it does not."""
        for stop in self.stops:
            if stop.saw(other.ranges):
                return f"{stop.rule} looked at these samples when it stopped after {stop.samples} of every item, so that their mean is biased"
        return ""

    @property
    def ids(self) -> NDArray[np.uint64]:
        return self.roster.ids

    @property
    def mean(self) -> NDArray[np.float64]:
        return self._finalized.mean

    @cached_property
    def stderr(self) -> NDArray[np.float64]:
        return self.estimator.stderr(self.statistics, self.roster, self.mean)

    @property
    def count(self) -> NDArray[np.int64]:
        return self._finalized.count

    @property
    def variance(self) -> NDArray[np.float64]:
        return self.count[..., None] * self.stderr**2

    @property
    def pooled_stderr(self) -> NDArray[np.float64]:
        """Standard errors [as the mean] from the variance of one sample pooled over all labels of an output, over the count.

        `stderr` is told by a label's own samples: 1.96 of it cover a third less than they should at two samples, where
        these cover 95 % of the labels of an output taken together. Infinite without samples, NaN where no label of the
        output has two.
        """
        freedom = np.where(np.isfinite(self.variance), np.maximum(self.count[..., None] - 1.0, 0.0), 0.0)
        squares = np.where(freedom > 0, freedom * self.variance, 0.0)
        labels = tuple(range(self.mean.ndim - 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(squares.sum(axis=labels) / freedom.sum(axis=labels) / self.count[..., None])

    @cached_property
    def _finalized(self) -> Finalized:
        return self.estimator.finalize(self.statistics, self.roster)

    @property
    def roles(self) -> frozenset[str]:
        """The roles whose samples are in these labels."""
        return frozenset(r.role for r in self.ranges)

    def extend(
        self,
        game: Game,
        samples: int,
        *,
        batch: int | None = None,
        max_bytes: int | None = None,
        n_threads: int | None = None,
    ) -> Labels:
        """These labels with `samples` more of the same lane: the same bytes as one longer run.

        Raises ValueError for another game than theirs, or for merged labels, which have no single next sample.
        """
        from fastsa.labels.stream import LabelStream

        self._check_game(game.fingerprint)
        if len(self.ranges) != 1:
            raise ValueError(f"these labels hold {len(self.ranges)} sample ranges; extend their parts, then merge.")
        (done,) = self.ranges
        place = {int(i): p for p, i in enumerate(game.ids)}
        stream = LabelStream(
            game,
            self.estimator,
            samples=samples,
            first_sample=done.stop,
            role=done.role,
            items=np.array([place[int(i)] for i in self.ids], dtype=np.int64),
            seed=done.seed,
            batch=batch,
            max_bytes=max_bytes,
            n_threads=n_threads,
            after=self,
        )
        return stream.collect()

    def merge(self, other: Labels) -> Labels:
        """Both sets of labels together: more samples of the same items, or the same samples of more items.

        Equal to one run within 1e-12. Raises ValueError for labels of another game or estimator, for sample ranges that
        overlap, and for item sets that are neither equal nor disjoint.
        """
        self._check_game(other.fingerprint)
        if self.estimator != other.estimator:
            raise ValueError(
                f"labels of {self.estimator} and of {other.estimator} have different estimands; not merged."
            )
        if self.roster.n_outputs != other.roster.n_outputs or self.roster.n_players != other.roster.n_players:
            raise ValueError("the labels have different outputs or players; not merged.")
        evaluations = self.evaluations + other.evaluations
        stops = tuple(dict.fromkeys(self.stops + other.stops))
        if self.ids.size == other.ids.size and np.array_equal(np.sort(self.ids), np.sort(other.ids)):
            for mine in self.ranges:
                for theirs in other.ranges:
                    if mine.overlaps(theirs):
                        raise ValueError(
                            f"both labels hold samples of {mine} and {theirs}; merging would count some twice."
                        )
            if not np.array_equal(self.ids, other.ids):
                other = other.take(np.argsort(other.ids)[np.argsort(np.argsort(self.ids))])
            merged = self.statistics.merge(other.statistics)
            ranges = _joined(self.ranges + other.ranges)
            return replace(self, statistics=merged, ranges=ranges, evaluations=evaluations, stops=stops)
        if np.intersect1d(self.ids, other.ids).size:
            raise ValueError("the labels share some items but not all; merge labels of equal or of disjoint items.")
        if self.ranges != other.ranges:
            raise ValueError(f"labels of different items hold different samples, {self.ranges} and {other.ranges}.")
        roster = replace(self.roster, ids=np.concatenate([self.ids, other.ids]))
        beside = self.statistics.beside(other.statistics)
        return replace(self, statistics=beside, roster=roster, evaluations=evaluations, stops=stops)

    def take(self, items: Any) -> Labels:
        """The labels of the items at these positions. Their evaluations stay those of the whole run.

        Raises ValueError for labels that follow from all players of one game together.
        """
        if self.roster.one_game and self.estimator.pooled:
            name = type(self.estimator).__name__
            raise ValueError(f"{name} labels follow from all players together; take rows of .mean and .stderr instead.")
        items = np.asarray(items)
        return replace(self, statistics=self.statistics.take(items), roster=self.roster.take(items))

    def under(self, estimator: Estimator) -> Labels:
        """The labels that another estimator makes of the same evaluated coalitions, at no further evaluation.

        Raises ValueError for estimators that do not keep a pool of coalitions, would draw others, or need more.
        """
        if not (self.estimator.pooled and self.estimator.same_draws(estimator, self.roster.n_players)):
            raise ValueError(f"{estimator} does not draw the coalitions of {self.estimator}; make labels of its own.")
        there, least = int(self.count.min()), estimator.least_samples(self.roster.n_players)
        if there < least:
            raise ValueError(
                f"these labels hold {there} samples; {estimator} needs at least {least}. Extend them first."
            )
        return replace(self, estimator=estimator)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz archive without pickle; `Labels.load` gives the same bytes back.

        A file that is there is replaced once the new one is whole, so that an interruption loses neither.
        """
        about = {
            "format": _FORMAT,
            "estimator": self.estimator.config(),
            "ranges": [asdict(r) for r in self.ranges],
            "evaluations": self.evaluations,
            "fingerprint": self.fingerprint,
            "n_players": self.roster.n_players,
            "n_outputs": self.roster.n_outputs,
            "one_game": self.roster.one_game,
            "draws_background": self.roster.draws_background,
            "stops": [asdict(stop) for stop in self.stops],
        }
        arrays = {"ids": self.ids, **{f.name: getattr(self.statistics, f.name) for f in fields(self.statistics)}}
        unfinished = f"{os.fspath(path)}.{os.getpid()}.part"
        try:
            with open(unfinished, "wb") as file:
                np.savez(file, about=np.array(json.dumps(about)), **arrays)
            os.replace(unfinished, path)
        except BaseException:
            if os.path.exists(unfinished):
                os.remove(unfinished)
            raise

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Labels:
        """Read what `save` wrote. Raises ValueError for a file of another format."""
        stored = _read(os.fspath(path))
        about = json.loads(str(stored["about"]))
        if about.get("format") not in _READ:
            read = " and ".join(map(str, _READ))
            raise ValueError(f"{os.fspath(path)} has format {about.get('format')}; this version reads {read}.")
        estimator = from_config(about["estimator"])
        roster = Roster(
            stored["ids"], about["n_players"], about["n_outputs"], about["one_game"], about["draws_background"]
        )
        kind = estimator.statistics_type
        return Labels(
            kind(**{f.name: stored[f.name] for f in fields(kind)}),
            roster,
            estimator,
            tuple(SampleRange(**r) for r in about["ranges"]),
            about["evaluations"],
            about["fingerprint"],
            tuple(_stop(**stop) for stop in about.get("stops", ())),
        )

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per item (player, where every item is a game) and output: id, output, mean, stderr, count. Needs pandas."""
        try:
            import pandas
        except ImportError:
            raise _checks.BackendUnavailable("to_dataframe needs pandas: pip install pandas.") from None
        cells, outputs = self.mean.shape[:-1], self.roster.n_outputs
        n_cells = int(np.prod(cells))
        columns = {"id": np.repeat(self.ids, outputs * n_cells // self.ids.size)}
        if not self.roster.one_game:
            columns["player"] = np.tile(np.repeat(np.arange(self.roster.n_players), outputs), self.ids.size)
        columns |= {
            "output": np.tile(np.arange(outputs), n_cells),
            "mean": self.mean.ravel(),
            "stderr": self.stderr.ravel(),
            "count": np.repeat(self.count.ravel(), outputs),
        }
        return pandas.DataFrame(columns)

    def _check_game(self, fingerprint: str) -> None:
        if fingerprint != self.fingerprint:
            raise ValueError(
                "these are labels of another game (other data, or another utility); make new ones for this."
            )


def _read(path: str) -> dict[str, NDArray[Any]]:
    """The arrays of a labels file; ValueError for any other file."""
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                stored = {name: archive[name] for name in archive}
            stored["about"], stored["ids"]
        except (AttributeError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
            raise ValueError(f"{path} does not hold labels; expected a file written by Labels.save.") from None
    return stored


def _stop(seen: list[dict[str, Any]], **stored: Any) -> Stop:
    return Stop(seen=tuple(SampleRange(**r) for r in seen), **stored)


def _joined(ranges: tuple[SampleRange, ...]) -> tuple[SampleRange, ...]:
    """Sorted, with neighbours of one lane made one."""
    joined: list[SampleRange] = []
    for r in sorted(ranges, key=lambda r: (r.seed, r.role, r.first)):
        last = joined[-1] if joined else None
        if last is not None and (last.seed, last.role, last.stop) == (r.seed, r.role, r.first):
            joined[-1] = replace(last, stop=r.stop)
        else:
            joined.append(r)
    return tuple(joined)
