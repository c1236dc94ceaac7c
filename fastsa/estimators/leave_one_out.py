"""Leave-one-out values: what the whole loses without a player."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa.estimators.contributions import Draw, MeanEstimator
from fastsa.estimators.estimator import Part
from fastsa.games import Game
from fastsa.ops import Lanes, Walks


@dataclass(frozen=True)
class LeaveOneOut(MeanEstimator):
    """v(N) - v(N without i), exactly: nothing is drawn, and the one sample there is has no standard error.

    In a game with random backgrounds (Marginal masking) samples differ, are unbiased, and have one.

    Raises ValueError for more than one sample of a game that draws nothing, and for items outside the pool.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c.sum(axis=1) ** 2.0, 3)
    >>> fastsa.LabelStream(game, fastsa.estimators.LeaveOneOut(), samples=1).collect().mean.ravel().tolist()
    [5.0, 5.0, 5.0]
    """

    unit: ClassVar[str] = "evaluation without each player, and one with all"
    shares_draws: ClassVar[bool] = False

    @property
    def estimand(self) -> str:
        return "the leave-one-out value: v(N) - v(N without i)"

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        return np.eye(n_players)[n_players - 1]

    def check(self, game: Game, items: NDArray[np.int64], samples: int) -> None:
        if game.item_players is not None and game.item_players[items].max(initial=-1) >= game.n_players:
            raise ValueError(
                "LeaveOneOut values the pool's own points; a point outside it is in no whole to be left out of."
            )
        if samples > 1 and not game.draws_background:
            raise ValueError(f"samples is {samples}; expected 1: leave-one-out values of this game are exact.")

    def evaluations(self, game: Game, items: NDArray[np.int64]) -> float:
        return items.size + 1 if game.item_players is not None else items.size * (game.n_players + 1)

    def n_bytes(self, game: Game, items: NDArray[np.int64]) -> float:
        return self.evaluations(game, items) * (4 * game.n_players + 3 * 8 + 8 * game.n_outputs)

    def draw(self, game: Game, part: Part, *, n_threads: int | None) -> Draw:
        n = game.n_players
        one_game = game.item_players is not None
        left_out = game.item_players[part.items] if one_game else np.arange(n)
        without = np.tile(np.arange(n - 1, dtype=np.int32), (left_out.size, 1))
        without += without >= left_out[:, None]
        of_game = np.concatenate([np.arange(n, dtype=np.int32), without.reshape(-1)])
        sizes = np.concatenate([[n], np.full(left_out.size, n - 1)])
        games = part.span.samples * (1 if one_game else part.items.size)
        offsets = np.concatenate([[0], np.cumsum(np.tile(sizes, games))])
        samples = np.arange(part.span.first, part.span.stop).astype(np.uint32)
        lanes = Lanes(
            np.repeat(np.tile([0] if one_game else part.items, part.span.samples), sizes.size).astype(np.int64),
            np.repeat(samples, games // part.span.samples * sizes.size),
            part.span.seed,
            part.span.role,
        )
        walks = Walks.to_ends(np.tile(of_game, games), offsets, lanes=lanes)
        whole = np.repeat(np.arange(games) * sizes.size, left_out.size)
        less = whole + np.tile(np.arange(1, sizes.size), games)
        items = (
            np.tile(part.items, part.span.samples) if one_game else np.repeat(np.tile(part.items, part.span.samples), n)
        )
        return Draw(walks, items, whole, less, None if one_game else np.tile(np.arange(n), games))
