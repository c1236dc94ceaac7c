"""What a stream asks of an estimator: which walks to take, and which differences of values are contributions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.games import Game
from fastsa.ops import Walks

_registered: dict[str, type[Estimator]] = {}


@dataclass(frozen=True)
class Draw:
    """Walks to take, and contributions to make of their values.

    Contribution c belongs to the item at position items[c] and is values[after[c]] - values[before[c]]; the
    contributions of one item stand in the order of its samples.
    """

    walks: Walks
    items: NDArray[np.int64]
    after: NDArray[np.int64]
    before: NDArray[np.int64]


@dataclass(frozen=True)
class Estimator(ABC):
    """Base of all estimators: frozen settings, comparable, with a readable repr.

    unit : what one sample is.
    shares_draws : whether all items share each sample, so that their errors are correlated (cross-fit by sample).
    replacement : whether coalitions are drawn with replacement (see fastsa.exact).
    """

    unit: ClassVar[str]
    shares_draws: ClassVar[bool]
    replacement: ClassVar[bool] = False
    unbiased: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        _registered[cls.__name__] = cls

    @property
    @abstractmethod
    def estimand(self) -> str:
        """What the labels are unbiased for: a sentence and a formula."""

    @property
    def item_block(self) -> int:
        """Items whose ids agree up to this block share a draw; a batch should not part them."""
        return 1

    @abstractmethod
    def size_law(self, n_players: int) -> NDArray[np.float64]:
        """P(size = t) of the coalition that an item joins, t = 0, 1, ..."""

    @abstractmethod
    def check(self, game: Game, items: NDArray[np.int64]) -> None:
        """Raise ValueError when the game cannot be valued by this estimator."""

    @abstractmethod
    def evaluations(self, game: Game, items: NDArray[np.int64]) -> float:
        """Utility evaluations of one sample of these items."""

    @abstractmethod
    def n_bytes(self, game: Game, items: NDArray[np.int64]) -> float:
        """Memory of one sample of these items: its walks, values and contributions."""

    @abstractmethod
    def draw(
        self, game: Game, items: NDArray[np.int64], first: int, stop: int, *, seed: int, role: str, n_threads: int | None
    ) -> Draw:
        """The walks of samples first .. stop - 1 for the items at these positions."""

    def _settle(self, name: str, *, least: int) -> int:
        """A setting checked and held as int, so that equal settings compare, print and are stored alike."""
        settled = _checks.count(name, getattr(self, name), least=least)
        object.__setattr__(self, name, settled)
        return settled

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
