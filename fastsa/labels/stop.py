"""Rules that end a stream early: a budget of evaluations, small standard errors, ranks that hold still, and both or either.

A rule that looks at the values of the samples it stops biases them: where a stop comes early for a small standard error, the
large contributions that would have come next are missing. Labels of such a stop say `unbiased` False. A budget looks at
nothing, and a standard error forecast from a pilot looks at other samples: labels stay unbiased, until they are merged with
the pilot.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators import Estimator, SampleRange
from fastsa.labels.labels import Labels


@dataclass(frozen=True)
class Look:
    """What a rule sees between blocks of samples.

    labels : all samples so far. means : those of this and the last looks, as many as the rule asks for, this one last.
    per_sample : evaluations that one more sample of every item takes.
    """

    labels: Labels
    means: tuple[NDArray[np.float64], ...]
    per_sample: int


class StopRule(ABC):
    """When a stream has enough samples; rules combine: `a | b` stops once either does, `a & b` once both do.

    remembers : how many earlier looks' means it needs.
    """

    remembers: int = 0

    @abstractmethod
    def met(self, look: Look) -> bool:
        """Whether no more samples are wanted."""

    def seen(self, own: SampleRange) -> tuple[SampleRange, ...]:
        """The samples whose values it looks at, where it stops a stream at the samples `own`."""
        return ()

    def room(self, spent: int, per_sample: int) -> float:
        """Samples of every item that may still be made after `spent` evaluations; infinity where nothing says."""
        return math.inf

    def check(self, fingerprint: str, ids: NDArray[np.uint64], estimator: Estimator, span: SampleRange) -> None:
        """Raise ValueError where the rule does not fit the stream."""
        return

    def __or__(self, other: StopRule) -> StopRule:
        return Either(self, as_rule(other))

    def __and__(self, other: StopRule) -> StopRule:
        return Both(self, as_rule(other))


@dataclass(frozen=True)
class Budget(StopRule):
    """At most so many utility evaluations of all items together: the last block is cut to fit, none is exceeded.

    Under `&` it is the least that is spent, as the other rule may want more. Raises TypeError or ValueError for a number
    that is no integer or below 1; the stream raises ValueError where not even its first sample fits.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c.sum(axis=1) ** 2.0, 4)
    >>> stream = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=1000)
    >>> labels = stream.collect(until=fastsa.labels.stop.Budget(102))
    >>> labels.evaluations, int(labels.count[0]), labels.unbiased
    (100, 20, True)
    """

    evaluations: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "evaluations", _checks.count("evaluations", self.evaluations))

    def met(self, look: Look) -> bool:
        return self.room(look.labels.evaluations, look.per_sample) < 1

    def room(self, spent: int, per_sample: int) -> float:
        return max(0, (self.evaluations - spent) // per_sample)


@dataclass(frozen=True)
class StandardError(StopRule):
    """A share `fraction` of the labels (default 1.0: all) has a standard error of at most `at_most`.

    It looks at the samples that it stops, so that labels are biased. With `pilot`, Labels of other samples (another role or
    seed) of the same items by the same estimator, the error is forecast instead, sqrt(pilot.variance / count), and labels
    stay unbiased: as long as they are not merged with the pilot. Certify them by samples that are neither's.

    Raises ValueError for at_most that is not above 0, a fraction outside (0, 1], and pilots of other games, items or
    estimators, of samples that the stream makes too, or of too few samples to know a variance.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c.sum(axis=1) ** 2.0, 4)
    >>> stream = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=1000)
    >>> labels = stream.collect(until=fastsa.labels.stop.StandardError(0.2))
    >>> bool(labels.stderr.max() <= 0.2), labels.unbiased
    (True, False)
    """

    at_most: float
    fraction: float = 1.0
    pilot: Labels | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at_most", _checks.number("at_most", self.at_most, above=0.0))
        object.__setattr__(self, "fraction", _fraction(self.fraction))
        if self.pilot is not None and not isinstance(self.pilot, Labels):
            raise TypeError(f"pilot is a {type(self.pilot).__name__}; expected fastsa.Labels of other samples.")

    def seen(self, own: SampleRange) -> tuple[SampleRange, ...]:
        return (own,) if self.pilot is None else self.pilot.ranges

    def met(self, look: Look) -> bool:
        if self.pilot is None:
            stderr = look.labels.stderr
        else:
            stderr = np.sqrt(self.pilot.variance / look.labels.count[..., None])
        return bool(np.mean(stderr <= self.at_most) >= self.fraction)

    def check(self, fingerprint: str, ids: NDArray[np.uint64], estimator: Estimator, span: SampleRange) -> None:
        pilot = self.pilot
        if pilot is None:
            return
        if pilot.fingerprint != fingerprint or pilot.estimator != estimator or not np.array_equal(pilot.ids, ids):
            raise ValueError(
                "the pilot has labels of another game, estimator or order of items; expected those of the stream."
            )
        for theirs in pilot.ranges:
            if theirs.overlaps(span):
                raise ValueError(
                    f"the pilot and the stream share samples, {theirs} and {span}; draw the pilot with another role or seed."
                )
        if not np.isfinite(pilot.variance).all():
            raise ValueError("the pilot has labels of fewer than 2 samples, whose variance is unknown; draw more.")


@dataclass(frozen=True)
class RankStability(StopRule):
    """Spearman's rank correlation of successive looks has been at least `correlation` (default 0.99), `over` times running.

    The items of one game are ranked among each other, per output; where every item is a game of its own its players are,
    and a share `fraction` of items and outputs (default 1.0: all) must hold still. Ties share their average rank. Successive
    looks share their first samples, so that ranks that hold still may yet be wrong: the closer the looks, the less it means.

    It looks at the samples that it stops, so that labels are biased. Raises ValueError for a correlation or fraction outside
    (0, 1], or over < 1.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda c: c @ np.arange(5.0), 5)
    >>> stream = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=1000)
    >>> labels = stream.collect(until=fastsa.labels.stop.RankStability(over=2))
    >>> int(labels.count[0]), labels.unbiased
    (32, False)
    """

    correlation: float = 0.99
    over: int = 2
    fraction: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "correlation", _fraction(self.correlation, "correlation"))
        object.__setattr__(self, "over", _checks.count("over", self.over))
        object.__setattr__(self, "fraction", _fraction(self.fraction))

    @property
    def remembers(self) -> int:  # type: ignore[override]
        return self.over

    def seen(self, own: SampleRange) -> tuple[SampleRange, ...]:
        return (own,)

    def met(self, look: Look) -> bool:
        if len(look.means) <= self.over or not all(np.isfinite(mean).all() for mean in look.means):
            return False
        ranks = [_centered_ranks(mean) for mean in look.means[-self.over - 1 :]]
        pairs = zip(ranks, ranks[1:], strict=False)
        return all(np.mean(_correlations(a, b) >= self.correlation) >= self.fraction for a, b in pairs)


@dataclass(frozen=True)
class Pair(StopRule):
    """Base of two rules as one."""

    first: StopRule
    second: StopRule

    @property
    def remembers(self) -> int:  # type: ignore[override]
        return max(self.first.remembers, self.second.remembers)

    def seen(self, own: SampleRange) -> tuple[SampleRange, ...]:
        return tuple(dict.fromkeys(self.first.seen(own) + self.second.seen(own)))

    def check(self, fingerprint: str, ids: NDArray[np.uint64], estimator: Estimator, span: SampleRange) -> None:
        for rule in (self.first, self.second):
            rule.check(fingerprint, ids, estimator, span)


@dataclass(frozen=True, repr=False)
class Either(Pair):
    """Stops once one of two rules does; written `first | second`."""

    def met(self, look: Look) -> bool:
        return self.first.met(look) or self.second.met(look)

    def room(self, spent: int, per_sample: int) -> float:
        return min(self.first.room(spent, per_sample), self.second.room(spent, per_sample))

    def __repr__(self) -> str:
        return f"({self.first} | {self.second})"


@dataclass(frozen=True, repr=False)
class Both(Pair):
    """Stops once both of two rules do; written `first & second`."""

    def met(self, look: Look) -> bool:
        return self.first.met(look) and self.second.met(look)

    def room(self, spent: int, per_sample: int) -> float:
        return max(self.first.room(spent, per_sample), self.second.room(spent, per_sample))

    def __repr__(self) -> str:
        return f"({self.first} & {self.second})"


def as_rule(rule: object) -> StopRule:
    """The rule; TypeError for anything else."""
    if not isinstance(rule, StopRule):
        raise TypeError(
            f"{rule!r} is no rule; expected one of fastsa.labels.stop, such as Budget(9000) | StandardError(0.1)."
        )
    return rule


def _fraction(value: float, name: str = "fraction") -> float:
    value = _checks.number(name, value, above=0.0)
    if value > 1.0:
        raise ValueError(f"{name} is {value}; expected at most 1.")
    return value


def _centered_ranks(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks less their mean, along the axis before outputs, ties sharing their average: [..., outputs, ranked]."""
    values = np.moveaxis(mean, -1, -2)
    n = values.shape[-1]
    order = np.argsort(values, axis=-1, kind="stable")
    ascending = np.take_along_axis(values, order, axis=-1)
    steps = ascending[..., 1:] != ascending[..., :-1]
    edge = np.ones((*values.shape[:-1], 1), dtype=np.bool_)
    place = np.arange(n)
    start = np.maximum.accumulate(np.where(np.concatenate([edge, steps], axis=-1), place, 0), axis=-1)
    ends = np.where(np.concatenate([steps, edge], axis=-1), place, n)
    end = np.minimum.accumulate(ends[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (start + end) / 2.0 - (n - 1) / 2.0, axis=-1)
    return ranks


def _correlations(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along the last axis; 1 where the ranks are the same, of ties throughout as well, and 0 where one alone is all ties."""
    size = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    correlations = np.divide((a * b).sum(axis=-1), size, out=np.zeros(size.shape), where=size > 0)
    return np.where((a == b).all(axis=-1), 1.0, correlations)


__all__ = ["Both", "Budget", "Either", "Look", "RankStability", "StandardError", "StopRule"]
