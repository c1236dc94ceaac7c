"""Labels by weighted least squares on the drawn coalitions: KernelSHAP and its relatives, and LIME."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators.pool import Pool, PoolEstimator, game_slices
from fastsa.estimators.size_laws import inner_sizes, kernel_over_inner_sizes, shapley_kernel
from fastsa.games import Roster
from fastsa.ops import shapley_regression


@dataclass(frozen=True)
class ConstrainedRegression(PoolEstimator):
    """Base: additive values that sum to v(N) - v(empty) and fit v(S) - v(empty) best, each coalition weighted by its size.

    With A the weighted sum of 1_S 1_S' and b that of 1_S (v(S) - v(empty)),

        phi = inv(A) (b - 1 (1' inv(A) b - v(N) + v(empty)) / (1' inv(A) 1)).

    Standard errors are those of an M-estimator (the sandwich formula, one term per sample), scaled by k / (k - n + 1) for k
    samples and the n - 1 values that are free. NaN where the drawn coalitions do not determine the values.
    """

    @property
    def unbiased(self) -> bool:
        return False

    @property
    def estimand(self) -> str:
        return "the Shapley value, which the regression tends to: mean over sizes t = 0 .. n - 1 and subsets T of the other players with |T| = t of v(T + i) - v(T)"

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        return np.full(n_players, 1.0 / n_players)

    @abstractmethod
    def weight_of_size(self, n_players: int) -> NDArray[np.float64]:
        """By size 0 .. n, the Shapley kernel over the chance that a coalition of it is drawn; any constant factor."""

    def least_samples(self, n_players: int) -> int:
        """Players + 1; in pairs, of which both coalitions tell the same about differences of players, as many as players."""
        return n_players if self.paired else n_players + 1

    def labels_of(self, pool: Pool, roster: Roster) -> NDArray[np.float64]:
        n, weight = roster.n_players, self.weight_of_size(roster.n_players)
        phi = np.empty((roster.game_ids.size, n, roster.n_outputs))
        for games in game_slices(roster, pool.values[0].nbytes + pool.samples * n // 8):
            phi[games] = shapley_regression(
                n,
                self.bits(pool, roster, games, slice(None), n_threads=None),
                np.ascontiguousarray(pool.above_empty(games, slice(None))),
                pool.total[games],
                weight_of_size=None if (weight == 1.0).all() else weight,
            )
        return phi

    def squared_errors(self, pool: Pool, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        n, k, w, phi = roster.n_players, pool.samples, self.weight_of_size(roster.n_players), mean
        gram = np.zeros((phi.shape[0], n, n))
        for block in self.blocks(pool, roster):
            weight = w[block.members.sum(axis=2)][..., None]
            gram[block.games] += _gram(block.members.astype(np.float64), weight, self.paired)
        inverse, share = _projected_inverse(gram)
        squared_error = np.zeros_like(phi)
        for block in self.blocks(pool, roster):
            near = block.members.astype(np.float64)
            values = pool.above_empty(block.games, block.samples)
            weight = w[block.members.sum(axis=2)][..., None]
            residual = weight * (values[:, :, 0] - near @ phi[block.games])
            if self.paired:  # 1 - z is -z on vectors that sum to zero
                residual -= weight * (values[:, :, 1] - (1 - near) @ phi[block.games])
            leverage = inverse[block.games] @ near.transpose(0, 2, 1)
            squared_error[block.games] += leverage**2 @ residual**2
            if pool.own_backgrounds:
                shift = pool.shifts_of_total(block.games, block.samples)
                squared_error[block.games] += 2 * share[block.games][..., None] * (leverage @ (residual * shift))
                squared_error[block.games] += share[block.games][..., None] ** 2 * (shift**2).sum(axis=1)[:, None]
        return squared_error * k / (k - (n - 1))


@dataclass(frozen=True)
class KernelSHAP(ConstrainedRegression):
    """Shapley values by KernelSHAP (Lundberg and Lee, NeurIPS 2017): coalitions drawn by the Shapley kernel, unweighted.

    P(|S| = s) is proportional to 1 / (s (n - s)) for s = 1 .. n - 1, uniform within a size, with replacement. `paired`
    (default) draws a coalition with its complement (Covert and Lee, AISTATS 2021). A ratio of estimates: consistent, with a
    bias that falls as one over the samples, so `unbiased` is False; UnbiasedKernelSHAP has none.

    Raises ValueError for a game of one player, and for fewer coalitions than players + 1 or fewer pairs than players.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * 2.0 + c[:, 1], 3)
    >>> fastsa.LabelStream(game, fastsa.estimators.KernelSHAP(), samples=50).collect().mean[:2].ravel().round(9).tolist()
    [2.0, 1.0]
    """

    paired: bool = True

    def __post_init__(self) -> None:
        self._settle_flag("paired")

    def law(self, n_players: int) -> dict[str, Any]:
        return {"sizes": shapley_kernel(n_players)}

    def weight_of_size(self, n_players: int) -> NDArray[np.float64]:
        return np.ones(n_players + 1)


@dataclass(frozen=True)
class LeverageSHAP(ConstrainedRegression):
    """Shapley values by regression on coalitions drawn by leverage score (Musco and Witter, ICLR 2025).

    The leverage of a coalition in the Shapley regression is the same for all of one size and totals alike over the sizes
    1 .. n - 1, so a size is drawn uniformly, then a coalition of it; its weight is 1 / (s (n - s)). Drawn with replacement,
    with its complement where `paired` (default). Consistent, not unbiased.

    Raises ValueError for a game of one player, and for fewer coalitions than players + 1 or fewer pairs than players.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * 2.0 + c[:, 1], 3)
    >>> fastsa.LabelStream(game, fastsa.estimators.LeverageSHAP(), samples=50).collect().mean[:2].ravel().round(9).tolist()
    [2.0, 1.0]
    """

    paired: bool = True

    def __post_init__(self) -> None:
        self._settle_flag("paired")

    def law(self, n_players: int) -> dict[str, Any]:
        return {"sizes": inner_sizes(n_players)}

    def weight_of_size(self, n_players: int) -> NDArray[np.float64]:
        return kernel_over_inner_sizes(n_players)


LIME_KERNELS = ("image", "paper", "tabular")


@dataclass(frozen=True)
class LIME(PoolEstimator):
    """LIME's coefficients (Ribeiro, Singh and Guestrin, KDD 2016): least squares with an intercept, weighted by similarity.

    Coalitions join every player with probability 1/2; a coalition of s of n players weighs, by `kernel`,

        "image"     exp(-d^2 / 0.125), d = 1 - sqrt(s / n): the reference implementation for images, of width 0.25
        "paper"     exp(-d^2 / 0.25), as in the experiments of Covert et al., NeurIPS 2024
        "tabular"   exp(-(n - s) / (2 * 0.5625 n)): the reference implementation for tables, of width 0.75 sqrt(n)

    There is no penalty; the intercept is dropped. The estimand is the same regression over all coalitions; consistent, not
    unbiased. Standard errors by the sandwich formula.

    Raises ValueError for an unknown kernel, a game of one player, and for fewer coalitions than players + 2.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * 2.0 + 5.0, 3)
    >>> fastsa.LabelStream(game, fastsa.estimators.LIME(), samples=50).collect().mean[0].round(9).tolist()
    [2.0]
    """

    kernel: str = "image"
    paired: ClassVar[bool] = False
    needs_ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _checks.choice("kernel", self.kernel, LIME_KERNELS)

    @property
    def unbiased(self) -> bool:
        return False

    @property
    def estimand(self) -> str:
        return f"the coefficients of the least squares of v on membership over all coalitions, weighted by the {self.kernel} kernel"

    def law(self, n_players: int) -> dict[str, Any]:
        return {"q": 0.5}

    def weight_of_size(self, n_players: int) -> NDArray[np.float64]:
        n = n_players
        s = np.arange(n + 1)
        if self.kernel == "tabular":
            return np.exp(-(n - s) / (2 * 0.75**2 * n))
        distance = 1 - np.sqrt(s / n)
        return np.exp(-(distance**2) / (0.125 if self.kernel == "image" else 0.25))

    def least_samples(self, n_players: int) -> int:
        """One more than there are coefficients, of which the intercept is one."""
        return n_players + 2

    def labels_of(self, pool: Pool, roster: Roster) -> NDArray[np.float64]:
        _, coefficients = self._fit(pool, roster)
        return coefficients[:, :-1]

    def squared_errors(self, pool: Pool, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        n, k, w = roster.n_players, pool.samples, self.weight_of_size(roster.n_players)
        inverse, coefficients = self._fit(pool, roster)
        squared_error = np.zeros_like(coefficients)
        for block in self.blocks(pool, roster):
            design, weight = _with_intercept(block.members), w[block.members.sum(axis=2)][..., None]
            residual = weight * (pool.values[block.games, block.samples, 0] - design @ coefficients[block.games])
            squared_error[block.games] += (inverse[block.games] @ design.transpose(0, 2, 1)) ** 2 @ residual**2
        return squared_error[:, :n] * k / (k - n - 1)

    def _fit(self, pool: Pool, roster: Roster) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The inverse of the weighted sum of products [games, n + 1, n + 1], and coefficients, the intercept last."""
        n, w, games = roster.n_players, self.weight_of_size(roster.n_players), roster.game_ids.size
        gram, moment = np.zeros((games, n + 1, n + 1)), np.zeros((games, n + 1, roster.n_outputs))
        for block in self.blocks(pool, roster):
            design, weight = _with_intercept(block.members), w[block.members.sum(axis=2)][..., None]
            gram[block.games] += design.transpose(0, 2, 1) @ (weight * design)
            moment[block.games] += design.transpose(0, 2, 1) @ (weight * pool.values[block.games, block.samples, 0])
        inverse = _inverse(gram)
        return inverse, inverse @ moment

    def enumerated(self, members: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The estimand of a game whose every coalition is given: members [2^n, n], values [2^n, outputs]."""
        design = _with_intercept(members)
        weight = self.weight_of_size(members.shape[1])[members.sum(axis=1)][:, None]
        return np.linalg.solve(design.T @ (weight * design), design.T @ (weight * values))[:-1]


def _gram(members: NDArray[np.float64], weight: NDArray[np.float64], paired: bool) -> NDArray[np.float64]:
    """Weighted sum of 1_S 1_S' over coalitions, and over their complements where paired: (1 - z)(1 - z)' is 1 - z1' - 1z' + zz'."""
    gram = members.transpose(0, 2, 1) @ (weight * members)
    if not paired:
        return gram
    joined = (weight * members).sum(axis=1)
    return 2 * gram + weight.sum(axis=1)[..., None] - joined[:, :, None] - joined[:, None, :]


def _projected_inverse(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(H, c) with phi = H b + c total: H = inv(A) - inv(A) 1 1' inv(A) / (1' inv(A) 1), c = inv(A) 1 / (1' inv(A) 1)."""
    inverse = _inverse(gram)
    toward = inverse.sum(axis=2)
    share = toward / toward.sum(axis=1, keepdims=True)
    return inverse - share[:, :, None] * toward[:, None, :], share


def _inverse(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverses [games, n, n]; NaN where a matrix has none to working precision."""
    inverse = np.full_like(gram, np.nan)
    for game, matrix in enumerate(gram):
        try:
            candidate = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            continue
        if np.abs(matrix).sum(axis=0).max() * np.abs(candidate).sum(axis=0).max() * np.finfo(np.float64).eps < 1e-3:
            inverse[game] = candidate
    return inverse


def _with_intercept(members: NDArray[np.bool_]) -> NDArray[np.float64]:
    design = np.ones((*members.shape[:-1], members.shape[-1] + 1))
    design[..., :-1] = members
    return design
