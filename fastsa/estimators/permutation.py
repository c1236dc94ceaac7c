"""Shapley values and their relatives by random permutations of the players."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa.estimators.contributions import Draw, MeanEstimator
from fastsa.estimators.estimator import Part
from fastsa.estimators.size_laws import beta_binomial
from fastsa.games import Game
from fastsa.ops import Lanes, Walks, permutations


@dataclass(frozen=True)
class Permutations(MeanEstimator):
    """Base: one sample is a uniform random permutation (or one and its reverse), which every player of the game shares."""

    shares_draws: ClassVar[bool] = True

    @abstractmethod
    def sizes(self, n_players: int) -> tuple[int, int]:
        """Smallest and largest coalition that a contribution is made to; ValueError where there is none."""

    def weight_of_size(self, n_players: int) -> NDArray[np.float64] | None:
        """What a contribution to a coalition of each size counts; None where all count one."""
        return None

    @property
    def reverses(self) -> bool:
        """Whether a sample also takes its permutation backwards and averages the two."""
        return False

    def check(self, game: Game, items: NDArray[np.int64], samples: int) -> None:
        if game.item_players is not None and game.item_players[items].max(initial=-1) >= game.n_players:
            name = type(self).__name__
            raise ValueError(f"{name} values the pool's own points; use Distributional for points outside it.")
        self.sizes(game.n_players)

    def evaluations(self, game: Game, items: NDArray[np.int64]) -> float:
        low, high = self.sizes(game.n_players)
        return (high + 2 - low - _knows_first(game, low)) * (1 + self.reverses) * self._games(game, items)

    def n_bytes(self, game: Game, items: NDArray[np.int64]) -> float:
        walk = game.n_players * (4 + 4 + 5 * 8 + 3 * 8 * game.n_outputs)
        return walk * (1 + self.reverses) * self._games(game, items)

    def draw(self, game: Game, part: Part, *, n_threads: int | None) -> Draw:
        n = game.n_players
        lanes = _lanes(game, part)
        ids = np.zeros(lanes.items.size, np.uint64) if game.item_players is not None else game.ids[lanes.items]
        orders = permutations(
            n, ids.size, ids=ids, samples=lanes.samples, seed=part.span.seed, role=part.span.role, n_threads=n_threads
        )
        if self.reverses:
            orders = np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, n)
            turns = np.tile(np.arange(2), lanes.items.size)
            lanes = Lanes(np.repeat(lanes.items, 2), np.repeat(lanes.samples, 2), part.span.seed, part.span.role, turns)
        low, high = self.sizes(n)
        walks = _scored_between(orders, low, high + 1, lanes)
        place = np.arange(low, high + 1)
        before = np.arange(orders.shape[0])[:, None] * (place.size + 1) + (place - low)
        joined = orders[:, low : high + 1].astype(np.int64)
        if self.reverses:  # the contributions of one player to both orders, side by side
            forward = np.argsort(joined[0::2], axis=1)
            backward = np.argsort(joined[1::2], axis=1)
            both = np.stack(
                [np.take_along_axis(before[0::2], forward, 1), np.take_along_axis(before[1::2], backward, 1)], axis=-1
            )
            before = both.reshape(-1, 2 * n)
            joined = np.broadcast_to(np.arange(n), (orders.shape[0] // 2, n))
        weights = self.weight_of_size(n)
        if weights is not None:
            weights = np.tile(weights[low : high + 1], joined.shape[0])
        draw = self._paid(game, part, walks, joined, before, weights)
        return replace(draw, known=_knows_first(game, low) * walks.rows)

    def _paid(
        self,
        game: Game,
        part: Part,
        walks: Walks,
        joined: NDArray[np.int64],
        before: NDArray[np.int64],
        weights: NDArray[np.float64] | None,
    ) -> Draw:
        """The draw whose contributions [samples of games, places] go to these players, each `fold` differences."""
        fold = 1 + self.reverses
        players, before = joined.reshape(-1), before.reshape(-1, fold)
        if game.item_players is None:
            items = np.repeat(np.tile(part.items, part.span.samples), joined.shape[1])
            return Draw(walks, items, before.reshape(-1) + 1, before.reshape(-1), players, weights, fold)
        item_of = np.full(game.n_players, -1, dtype=np.int64)
        item_of[game.item_players[part.items]] = part.items
        items = item_of[players]
        if part.items.size < game.n_players:
            kept = items >= 0
            items, before, weights = items[kept], before[kept], None if weights is None else weights[kept]
        return Draw(walks, items, before.reshape(-1) + 1, before.reshape(-1), None, weights, fold)

    @staticmethod
    def _games(game: Game, items: NDArray[np.int64]) -> int:
        return items.size if game.item_players is None else 1


@dataclass(frozen=True)
class PermutationShapley(Permutations):
    """Shapley values: the mean contribution of a player to those before it in a uniform random permutation.

    One sample is one permutation, shared by all players of a game: its n + 1 evaluations, n where the game knows v(empty),
    give every player a contribution.
    There is no truncation. With `antithetic` a sample is a permutation and its reverse, at twice the evaluations, and a
    contribution the mean of both (Mitchell, Cooper, Frank and Holmes, JMLR 2022); of games that draw a background row, the
    reverse has another row behind it, half the background further on. `min_size` and `max_size`, off by default, keep only
    contributions to coalitions of these sizes; the labels are then unbiased for another value, which `estimand` states
    (Castro, Gomez and Tejada 2009 for the estimator; with min_size, the sampler of Ghorbani and Zou 2019 without its
    truncation).

    Because all players share each permutation, their errors are correlated: where the items are players of one game, split
    by sample, not by item, to cross-fit.

    Raises ValueError for sizes that are negative or empty together, or that are given beside `antithetic`.

    >>> import fastsa
    >>> fastsa.estimators.PermutationShapley(min_size=5).estimand
    'mean over sizes t = 5 .. n - 1 and subsets T of the other players with |T| = t of v(T + i) - v(T)'
    """

    min_size: int | None = None
    max_size: int | None = None
    antithetic: bool = False
    unit: ClassVar[str] = "permutation (antithetic: one and its reverse)"

    def __post_init__(self) -> None:
        low = 0
        if self.min_size is not None:
            low = self._settle("min_size", least=0)
        if self.max_size is not None:
            self._settle("max_size", least=low)
        self._settle_flag("antithetic")
        if self.antithetic and not self._every_size:
            raise ValueError(
                "antithetic permutations count every size; give min_size or max_size, or antithetic, not both."
            )

    @property
    def reverses(self) -> bool:
        return self.antithetic

    @property
    def _every_size(self) -> bool:
        return self.min_size is None and self.max_size is None

    @property
    def estimand(self) -> str:
        if self._every_size:
            return "the Shapley value: mean over sizes t = 0 .. n - 1 and subsets T of the other players with |T| = t of v(T + i) - v(T)"
        low = self.min_size or 0
        high = "n - 1" if self.max_size is None else f"{self.max_size}"
        return f"mean over sizes t = {low} .. {high} and subsets T of the other players with |T| = t of v(T + i) - v(T)"

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        low, high = self.sizes(n_players)
        law = np.zeros(n_players)
        law[low : high + 1] = 1.0 / (high + 1 - low)
        return law

    def sizes(self, n_players: int) -> tuple[int, int]:
        low = 0 if self.min_size is None else self.min_size
        high = n_players - 1 if self.max_size is None else min(self.max_size, n_players - 1)
        if low > high:
            raise ValueError(
                f"min_size is {low}; expected at most {high}, the largest coalition that a player can join."
            )
        return low, high


@dataclass(frozen=True)
class BetaShapley(Permutations):
    """Beta Shapley values (Kwon and Zou, AISTATS 2022), by permutations whose contributions are weighted by size.

    With a Beta(alpha, beta) law for the chance that another player has joined, P(size = t) is beta-binomial:
    C(n - 1, t) B(t + beta, n - 1 - t + alpha) / B(alpha, beta). alpha = beta = 1 is the Shapley value, (16, 1) the paper's
    choice for noisy data, which looks at small coalitions. A contribution to size t counts n P(t) times, so that labels are
    unbiased; their variance grows as the law leaves the uniform one.

    Raises ValueError for alpha or beta that are not above 0.

    >>> import fastsa
    >>> fastsa.estimators.BetaShapley(16, 1).size_law(3).round(3).tolist()
    [0.889, 0.105, 0.007]
    """

    alpha: float = 16.0
    beta: float = 1.0
    unit: ClassVar[str] = "permutation"

    def __post_init__(self) -> None:
        self._settle_number("alpha", above=0.0)
        self._settle_number("beta", above=0.0)

    @property
    def estimand(self) -> str:
        return (
            f"the Beta({self.alpha:g}, {self.beta:g}) Shapley value: mean over sizes t with P(t) = C(n - 1, t) "
            f"B(t + {self.beta:g}, n - 1 - t + {self.alpha:g}) / B({self.alpha:g}, {self.beta:g}) and subsets T of the "
            "other players with |T| = t of v(T + i) - v(T)"
        )

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        return beta_binomial(n_players - 1, self.alpha, self.beta)

    def sizes(self, n_players: int) -> tuple[int, int]:
        return 0, n_players - 1

    def weight_of_size(self, n_players: int) -> NDArray[np.float64]:
        return n_players * self.size_law(n_players)


def _knows_first(game: Game, smallest: int) -> bool:
    """Whether walks begin with an empty coalition whose value costs nothing."""
    return game.knows_empty and smallest == 0


def _lanes(game: Game, part: Part) -> Lanes:
    """Rows by sample, then by game: every item is a game, or there is one."""
    items = part.items if game.item_players is None else np.zeros(1, np.int64)
    samples = np.repeat(np.arange(part.span.first, part.span.stop).astype(np.uint32), items.size)
    return Lanes(np.tile(items, part.span.samples), samples, part.span.seed, part.span.role)


def _scored_between(orders: NDArray[np.int32], low: int, high: int, lanes: Lanes) -> Walks:
    """Every row of `orders` [rows, n], scored at its positions low .. high."""
    rows, n = orders.shape
    return Walks(
        np.ascontiguousarray(orders[:, :high]).reshape(-1),
        np.arange(rows + 1, dtype=np.int64) * min(high, n),
        np.tile(np.arange(low, high + 1, dtype=np.int32), rows),
        np.arange(rows + 1, dtype=np.int64) * (high + 1 - low),
        np.empty(0, np.int32),
        np.zeros(rows + 1, np.int64),
        lanes=lanes,
    )
