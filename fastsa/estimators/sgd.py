"""SGD-Shapley: the Shapley regression by projected stochastic gradient steps, as published and with its bias removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.estimators.linear_pool import kernel_eigenvalue
from fastsa.estimators.pool import Pool, PoolEstimator
from fastsa.estimators.size_laws import shapley_kernel
from fastsa.games import Game, Roster


class _Step(NamedTuple):
    """One step of some games: phi [games, players, outputs] before and after it, and the projected gradient between."""

    games: slice
    sample: int
    before: NDArray[np.float64]
    gradient: NDArray[np.float64]
    after: NDArray[np.float64]


@dataclass(frozen=True)
class SGDShapley(PoolEstimator):
    """Shapley values by projected SGD on the Shapley regression (Simon and Vincent 2020; as run by Covert et al. 2024).

    Each sample, a coalition and its complement, is one step of size `step` (default 5e-4): phi moves against the gradient
    of (sum of phi over S - v(S) + v(empty))^2 / 2 and is projected onto sum phi = v(N) - v(empty); the label is the mean of
    all iterates, from phi = (v(N) - v(empty)) / n =: u. Its expectation is u + c (phi* - u) with

        c = 1 - mean over steps t = 1 .. T of (1 - step * lambda)^t,   lambda = 1/2 - E[1 both i and j in S],

    which is far from the Shapley value phi* while step * lambda * T is small (c = 0.1 at the paper's 196 players). With
    `debiased=True` (default) the label is u + (mean - u) / c, which is unbiased at any number of samples; with False it is
    the published one.

    Raises ValueError for a step that is not above 0 or diverges (step * lambda >= 1), or a game of one player.

    >>> import fastsa
    >>> fastsa.estimators.SGDShapley(debiased=False).unbiased
    False
    """

    step: float = 5e-4
    debiased: bool = True
    paired: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._settle_number("step", above=0.0)
        self._settle_flag("debiased")

    @property
    def unbiased(self) -> bool:
        return self.debiased

    @property
    def estimand(self) -> str:
        shapley = "mean over sizes t = 0 .. n - 1 and subsets T of the other players with |T| = t of v(T + i) - v(T)"
        if self.debiased:
            return f"the Shapley value: {shapley}"
        return f"the Shapley value, which the mean iterate tends to as steps go on: {shapley}"

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        return np.full(n_players, 1.0 / n_players)

    def law(self, n_players: int) -> dict[str, Any]:
        return {"sizes": shapley_kernel(n_players)}

    def shrinkage(self, n_players: int, steps: int) -> float:
        """c: how far the mean of `steps` iterates has come from u to the Shapley value."""
        rate = self.step * kernel_eigenvalue(n_players)
        return 1.0 - float(np.mean((1.0 - rate) ** np.arange(1, steps + 1)))

    def check(self, game: Game, items: NDArray[np.int64], samples: int) -> None:
        super().check(game, items, samples)
        if self.step * kernel_eigenvalue(game.n_players) >= 1:
            raise ValueError(
                f"step is {self.step}; expected below {1 / kernel_eigenvalue(game.n_players):.3g}, where steps diverge."
            )

    def labels_of(self, pool: Pool, roster: Roster) -> NDArray[np.float64]:
        start = pool.total[:, None] / roster.n_players
        mean_iterate = np.zeros((roster.game_ids.size, roster.n_players, roster.n_outputs))
        for step in self._steps(pool, roster, start):
            mean_iterate[step.games] += step.after / pool.samples
        return start + (mean_iterate - start) / self._scale(pool, roster)

    def _steps(self, pool: Pool, roster: Roster, start: NDArray[np.float64]) -> Iterator[_Step]:
        """One sample after the other, for as many games at a time as a block holds."""
        phi = np.broadcast_to(start, (roster.game_ids.size, roster.n_players, roster.n_outputs)).copy()
        for block in self.blocks(pool, roster):
            games, values = block.games, pool.above_empty(block.games, block.samples)
            for place in range(block.members.shape[1]):
                near = block.members[:, place, :, None].astype(np.float64)
                inside = (near * phi[games]).sum(axis=1, keepdims=True)
                total = phi[games].sum(axis=1, keepdims=True)
                of_members = inside - values[:, place, 0][:, None]
                of_others = total - inside - values[:, place, 1][:, None]
                gradient = (near * of_members + (1 - near) * of_others) / 2
                gradient -= gradient.mean(axis=1, keepdims=True)
                before = phi[games].copy()
                phi[games] -= self.step * gradient
                yield _Step(games, block.samples.start + place, before, gradient, phi[games])

    def squared_errors(self, pool: Pool, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """The noise of step t moves the mean iterate by step * sum over later steps of (1 - step * lambda)^j / T.

        Where samples have backgrounds of their own, each moves the start u as well.
        """
        start, scale = pool.total[:, None] / roster.n_players, self._scale(pool, roster)
        center = start + (mean - start) * (scale / self.shrinkage(roster.n_players, pool.samples))
        n, k = roster.n_players, pool.samples
        eigenvalue = kernel_eigenvalue(n)
        weight = (1.0 - (1.0 - self.step * eigenvalue) ** np.arange(k, 0, -1)) / (eigenvalue * k * scale)
        squared_error = np.zeros((roster.game_ids.size, n, roster.n_outputs))
        for step in self._steps(pool, roster, start):
            noise = step.gradient - eigenvalue * (step.before - center[step.games])
            of_start = pool.shifts_of_total(step.games, slice(step.sample, step.sample + 1)) / n
            squared_error[step.games] += (of_start - weight[step.sample] * noise) ** 2
        return squared_error

    def _scale(self, pool: Pool, roster: Roster) -> float:
        """What the way of the mean iterate from its start is divided by."""
        return self.shrinkage(roster.n_players, pool.samples) if self.debiased else 1.0
