"""Estimators whose labels are means: of what players add to coalitions, one contribution per sample."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa.estimators.estimator import Estimator, Finalized, Part, SampleRange
from fastsa.games import Game, Roster
from fastsa.ops import Moments, Walks


@dataclass(frozen=True)
class Draw:
    """Walks to take, and contributions to make of their values.

    Contribution c belongs to the item at position items[c] of one game, or to players[c] of the game of items[c]; it is
    values[after[c]] - values[before[c]], times weights[c] where there are weights. With `fold` f it is the mean of f
    such differences, which stand next to each other in `after` and `before`. The contributions of one cell stand in the
    order of its samples. `known` values are of empty coalitions that cost no evaluation.
    """

    walks: Walks
    items: NDArray[np.int64]
    after: NDArray[np.int64]
    before: NDArray[np.int64]
    players: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    fold: int = 1
    known: int = 0

    @property
    def evaluations(self) -> int:
        return self.walks.n_values - self.known


@dataclass(frozen=True)
class MeanEstimator(Estimator):
    """Base of estimators that keep running moments of contributions."""

    statistics_type: ClassVar[type] = Moments

    @abstractmethod
    def size_law(self, n_players: int) -> NDArray[np.float64]:
        """P(size = t) of the coalition that an item joins, t = 0, 1, ..."""

    @abstractmethod
    def draw(self, game: Game, part: Part, *, n_threads: int | None) -> Draw: ...

    def statistics(self, roster: Roster, span: SampleRange, after: Moments | None = None) -> Moments:
        return Moments.zeros(roster.cells, roster.n_outputs) if after is None else after.copy()

    def add(self, statistics: Moments, rows: NDArray[np.int64], draw: Draw, values: NDArray[np.float64]) -> None:
        cells = rows[draw.items]
        if draw.players is not None:
            cells = cells * statistics.count.shape[1] + draw.players
        after, before = draw.after, draw.before
        if draw.fold > 1 or draw.weights is not None:
            differences = values[after] - values[before]
            contributions = differences.reshape(-1, draw.fold, values.shape[1]).mean(axis=1)
            if draw.weights is not None:
                contributions *= draw.weights[:, None]
            values = np.concatenate([np.zeros((1, values.shape[1])), contributions])
            after, before = np.arange(1, cells.size + 1), np.zeros(cells.size, np.int64)
        statistics.add(values, cells=cells, after=after, before=before)

    def finalize(self, statistics: Moments, roster: Roster) -> Finalized:
        return Finalized(np.where(statistics.count[..., None] > 0, statistics.mean, np.nan), statistics.count)

    def stderr(self, statistics: Moments, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sqrt(statistics.variance() / np.maximum(statistics.count, 1)[..., None])
