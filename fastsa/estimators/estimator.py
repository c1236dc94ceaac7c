"""What a stream asks of an estimator: which walks to take, what to keep of their values, and the labels that follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.games import Game, Roster

_registered: dict[str, type[Estimator]] = {}
S = TypeVar("S", bound="Statistics")


class Statistics(Protocol):
    """What an estimator keeps of the values it has seen: mergeable, with a first axis of games or items."""

    def take(self: S, items: Any) -> S: ...

    def put(self: S, items: Any, part: S) -> None: ...

    def merge(self: S, other: S) -> S: ...

    def beside(self: S, *others: S) -> S: ...

    def table(self) -> NDArray[np.float64]:
        """The numbers as [items or games, columns], for storage."""
        ...

    def fill(self, table: NDArray[np.float64]) -> None:
        """Overwrite the numbers with those of a table."""
        ...


class Finalized(NamedTuple):
    """Labels: mean float64 [*cells, outputs], count int64 [*cells]."""

    mean: NDArray[np.float64]
    count: NDArray[np.int64]


@dataclass(frozen=True)
class SampleRange:
    """Samples first .. stop - 1 of one seed and role."""

    seed: int
    role: str
    first: int
    stop: int

    @property
    def samples(self) -> int:
        return self.stop - self.first

    def overlaps(self, other: SampleRange) -> bool:
        same_lane = (self.seed, self.role) == (other.seed, other.role)
        return same_lane and self.first < other.stop and other.first < self.stop


class Part(NamedTuple):
    """What a draw is for: a span of samples of the items at these positions of a game.

    opening : whether these are the first samples of the items in this run, so that what is evaluated once per game is due.
    """

    items: NDArray[np.int64]
    span: SampleRange
    opening: bool = True


@dataclass(frozen=True)
class Estimator(ABC):
    """Base of all estimators: frozen settings, comparable, with a readable repr.

    unit : what one sample is.
    shares_draws : whether all players of a game share each sample, so that their errors are correlated (where the items are
        players of one game, cross-fit by sample).
    replacement : whether coalitions are drawn with replacement (see fastsa.exact).
    pooled : whether labels need all samples at once; then a stream makes all samples of an item before the next.
    statistics_type : the class of its statistics, whose fields are arrays.
    """

    unit: ClassVar[str]
    shares_draws: ClassVar[bool]
    replacement: ClassVar[bool] = False
    pooled: ClassVar[bool] = False
    statistics_type: ClassVar[type]

    def __init_subclass__(cls) -> None:
        _registered[cls.__name__] = cls

    @property
    def unbiased(self) -> bool:
        """Whether the expectation of a label is its estimand, at any number of samples."""
        return True

    @property
    @abstractmethod
    def estimand(self) -> str:
        """What the labels are unbiased for: a sentence and a formula."""

    @property
    def item_block(self) -> int:
        """Items whose ids agree up to this block share a draw; a batch should not part them."""
        return 1

    @abstractmethod
    def check(self, game: Game, items: NDArray[np.int64], samples: int) -> None:
        """Raise ValueError when the game cannot be valued by this estimator, or not with so many samples."""

    def least_samples(self, n_players: int) -> int:
        """Samples below which there are no labels; a shard of a larger job may hold fewer."""
        return 1

    @abstractmethod
    def evaluations(self, game: Game, items: NDArray[np.int64]) -> float:
        """Utility evaluations of one sample of these items."""

    @abstractmethod
    def n_bytes(self, game: Game, items: NDArray[np.int64]) -> float:
        """Memory of one sample of these items: its walks, values and contributions."""

    @abstractmethod
    def statistics(self, roster: Roster, span: SampleRange, after: Any = None) -> Any:
        """Statistics for the samples of a span of these items, to be added to; `after` holds those of earlier ones."""

    @abstractmethod
    def draw(self, game: Game, part: Part, *, n_threads: int | None) -> Any:
        """A draw, whose `walks` are to be taken."""

    @abstractmethod
    def add(self, statistics: Any, rows: NDArray[np.int64], draw: Any, values: NDArray[np.float64]) -> None:
        """Add the values of a draw's walks, in place; rows[i] is the statistics' row of item i."""

    @abstractmethod
    def finalize(self, statistics: Any, roster: Roster) -> Finalized:
        """The labels that follow from the statistics."""

    @abstractmethod
    def stderr(self, statistics: Any, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard errors of the labels that `finalize` made, in their shape. Apart, because they may cost more than those."""

    def _settle(self, name: str, *, least: int) -> int:
        """A setting checked and held as int, so that equal settings compare, print and are stored alike."""
        settled = _checks.count(name, getattr(self, name), least=least)
        object.__setattr__(self, name, settled)
        return settled

    def _settle_number(self, name: str, *, above: float | None = None, below: float | None = None) -> float:
        settled = _checks.number(name, getattr(self, name), above=above)
        if below is not None and settled >= below:
            raise ValueError(f"{name} is {settled}; expected a number below {below:g}.")
        object.__setattr__(self, name, settled)
        return settled

    def _settle_flag(self, name: str) -> None:
        object.__setattr__(self, name, _checks.flag(name, getattr(self, name)))

    def config(self) -> dict[str, Any]:
        """The estimator as plain data; `from_config` makes it again."""
        return {"name": type(self).__name__, **asdict(self)}


def from_config(config: dict[str, Any]) -> Estimator:
    """The estimator that `Estimator.config` described. Raises ValueError for a name that is not known.

    >>> import fastsa
    >>> fastsa.estimators.from_config(fastsa.estimators.Distributional(shared=4).config()).shared
    4
    """
    settings = dict(config)
    name = _checks.choice("the estimator's name", settings.pop("name"), _registered)
    return _registered[name](**settings)
