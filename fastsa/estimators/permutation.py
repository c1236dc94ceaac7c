"""Shapley values by random permutations of the players."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators.estimator import Draw, Estimator
from fastsa.games import Game
from fastsa.ops import Walks, permutations


@dataclass(frozen=True)
class PermutationShapley(Estimator):
    """Shapley values: the mean contribution of a player to those before it in a uniform random permutation.

    One sample is one permutation, shared by all players: its n + 1 evaluations give every player a contribution. There is
    no truncation. `min_size` and `max_size`, off by default, keep only contributions to coalitions of these sizes; the
    labels are then unbiased for another value, which `estimand` states (Castro, Gomez and Tejada 2009 for the
    estimator; with min_size, the sampler of Ghorbani and Zou 2019 without its truncation).

    Because all items share each permutation, their errors are correlated: split by sample, not by item, to cross-fit.

    Raises ValueError for sizes that are negative or empty together.

    >>> import fastsa
    >>> fastsa.estimators.PermutationShapley(min_size=5).estimand
    'mean over sizes t = 5 .. n - 1 and subsets T of the other players with |T| = t of v(T + i) - v(T)'
    """

    min_size: int | None = None
    max_size: int | None = None
    unit: ClassVar[str] = "permutation"
    shares_draws: ClassVar[bool] = True

    def __post_init__(self) -> None:
        low = 0
        if self.min_size is not None:
            low = self._settle("min_size", least=0)
        if self.max_size is not None:
            self._settle("max_size", least=low)

    @property
    def estimand(self) -> str:
        if self.min_size is None and self.max_size is None:
            return "the Shapley value: mean over sizes t = 0 .. n - 1 and subsets T of the other players with |T| = t of v(T + i) - v(T)"
        low = self.min_size or 0
        high = "n - 1" if self.max_size is None else f"{self.max_size}"
        return f"mean over sizes t = {low} .. {high} and subsets T of the other players with |T| = t of v(T + i) - v(T)"

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        low, high = self._sizes(n_players)
        law = np.zeros(n_players)
        law[low : high + 1] = 1.0 / (high + 1 - low)
        return law

    def check(self, game: Game, items: NDArray[np.int64]) -> None:
        if game.item_players[items].max(initial=-1) >= game.n_players:
            raise ValueError("PermutationShapley values the pool's own points; use Distributional for points outside it.")
        self._sizes(game.n_players)

    def evaluations(self, game: Game, items: NDArray[np.int64]) -> float:
        low, high = self._sizes(game.n_players)
        return high + 2 - low

    def n_bytes(self, game: Game, items: NDArray[np.int64]) -> float:
        return game.n_players * (4 + 4 + 3 * 8 + 8 * game.n_outputs)

    def draw(
        self, game: Game, items: NDArray[np.int64], first: int, stop: int, *, seed: int, role: str, n_threads: int | None
    ) -> Draw:
        n, rows = game.n_players, stop - first
        orders = permutations(n, rows, seed=seed, first_row=first, role=role, n_threads=n_threads)
        low, high = self._sizes(n)
        joins = high + 1 - low
        walks = Walks(
            orders.reshape(-1),
            np.arange(rows + 1, dtype=np.int64) * n,
            np.tile(np.arange(low, high + 2, dtype=np.int32), rows),
            np.arange(rows + 1, dtype=np.int64) * (joins + 1),
            np.empty(0, np.int32),
            np.zeros(rows + 1, np.int64),
        )
        item_of = np.full(n, -1, dtype=np.int64)
        item_of[game.item_players[items]] = items
        joined = item_of[orders[:, low : high + 1]].reshape(-1)
        before = (np.arange(rows)[:, None] * (joins + 1) + np.arange(joins)).reshape(-1)
        kept = slice(None) if items.size == n else joined >= 0
        return Draw(walks, joined[kept], before[kept] + 1, before[kept])

    def _sizes(self, n_players: int) -> tuple[int, int]:
        """Smallest and largest coalition that a contribution is made to."""
        low = 0 if self.min_size is None else self.min_size
        high = n_players - 1 if self.max_size is None else min(self.max_size, n_players - 1)
        if low > high:
            raise ValueError(f"min_size is {low}; expected at most {high}, the largest coalition that a player can join.")
        return low, high
