"""Labels that are means over drawn coalitions: each weighs its value by its size and by who is inside it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators.pool import Pool, PoolEstimator
from fastsa.estimators.size_laws import beta_binomial, binomial, inner_sizes, shapley_kernel
from fastsa.games import Roster

INDICES = ("shapley", "banzhaf", "beta")


@dataclass(frozen=True)
class LinearPool(PoolEstimator):
    """Base: a sample pays player i the mean over its coalitions S of weight(|S|, i in S) * (v(S) - baseline), plus a constant.

    The sum of all weights is zero over the law of S and the two ends, so that any baseline leaves labels unbiased.
    """

    @abstractmethod
    def weights(self, n_players: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """By size 0 .. n: the weights of a coalition's value for its members and for the others."""

    @abstractmethod
    def ends(self, n_players: int) -> tuple[float, float]:
        """The weights of v(N) and of v(empty), which are evaluated once."""

    @abstractmethod
    def baseline(self, empty: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is subtracted from every value, the ends included."""

    def labels_of(self, pool: Pool, roster: Roster) -> NDArray[np.float64]:
        return self._mean_payment(pool, roster, power=1)

    def squared_errors(self, pool: Pool, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        k = pool.samples
        if k < 2:
            return np.full_like(mean, np.nan)
        return np.maximum(self._mean_payment(pool, roster, power=2) - mean**2, 0.0) / (k - 1)

    def _mean_payment(self, pool: Pool, roster: Roster, *, power: int) -> NDArray[np.float64]:
        """Mean over samples of a power of what each player is paid: [games, players, outputs]."""
        total = np.zeros((roster.game_ids.size, roster.n_players, roster.n_outputs))
        for block in self.blocks(pool, roster):
            payments = self._payments(pool, block.games, block.samples, block.members, roster.n_players)
            total[block.games] += paid(block.members, *payments, power=power)
        return total / pool.samples

    def _payments(
        self, pool: Pool, games: slice, samples: slice, members: NDArray[np.bool_], n: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What a sample pays the members of its first coalition, and the others: [games, samples, outputs] each."""
        whole = pool.whole[games][:, None]
        empty = pool.empty_of(games, samples)
        base = self.baseline(empty, whole)
        values = pool.values[games, samples] - base[:, :, None]
        sizes = members.sum(axis=2)
        for_members, for_others = self.weights(n)
        inside, outside = (w[sizes][..., None] * values[:, :, 0] for w in (for_members, for_others))
        if self.paired:
            inside = (inside + for_others[n - sizes][..., None] * values[:, :, 1]) / 2
            outside = (outside + for_members[n - sizes][..., None] * values[:, :, 1]) / 2
        of_whole, of_empty = self.ends(n)
        constant = of_whole * (whole - base) + of_empty * (empty - base)
        return inside + constant, outside + constant


@dataclass(frozen=True)
class UnbiasedKernelSHAP(LinearPool):
    """Shapley values by KernelSHAP with the regression's matrix in closed form (Covert and Lee, AISTATS 2021).

    Coalitions S of size 1 .. n - 1 are drawn by the Shapley kernel, P(|S| = s) proportional to 1 / (s (n - s)). With
    A = E[1_S 1_S'] known, of diagonal 1 / 2 and a constant a elsewhere, and b = mean of 1_S (v(S) - v(empty)),

        phi_i = (b_i - mean of b) / (1 / 2 - a) + (v(N) - v(empty)) / n.

    Unbiased, at a higher variance than KernelSHAP. `paired` (default) draws a coalition with its complement.

    Raises ValueError for a game of one player.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c.sum(axis=1) * 2.0, 3)
    >>> float(fastsa.LabelStream(game, fastsa.estimators.UnbiasedKernelSHAP(), samples=500).collect().mean.sum().round(9))
    6.0
    """

    paired: bool = True

    def __post_init__(self) -> None:
        self._settle_flag("paired")

    @property
    def estimand(self) -> str:
        return "the Shapley value: mean over sizes t = 0 .. n - 1 and subsets T of the other players with |T| = t of v(T + i) - v(T)"

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        return np.full(n_players, 1.0 / n_players)

    def law(self, n_players: int) -> dict[str, Any]:
        return {"sizes": shapley_kernel(n_players)}

    def weights(self, n_players: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        share = np.arange(n_players + 1) / n_players
        scale = kernel_eigenvalue(n_players)
        return (1 - share) / scale, -share / scale

    def ends(self, n_players: int) -> tuple[float, float]:
        return 1.0 / n_players, 0.0

    def baseline(self, empty: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        return empty


@dataclass(frozen=True)
class Semivalue(LinearPool):
    """Any semivalue from one pool of coalitions by importance weights (maximum sample reuse for every index).

    A coalition S of size s, drawn with P(|S| = s) = `sampled` (uniform on 1 .. n - 1), is worth

        p(s - 1) n / (s P(s)) * v(S) to its members, and -p(s) n / ((n - s) P(s)) * v(S) to the others,

    p the law of sizes that defines the index; the empty coalition and the whole are evaluated once and weighed exactly.
    Unbiased. `index` is "shapley", "banzhaf" (each other player joins with probability q) or "beta" (alpha, beta).
    Labels of one index turn into those of another without further evaluations: `labels.under(Semivalue("banzhaf"))`.

    Raises ValueError for an unknown index, alpha or beta not above 0, q outside (0, 1), or a game of one player.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * 2.0, 3)
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.Semivalue("shapley"), samples=2000).collect()
    >>> banzhaf = labels.under(fastsa.estimators.Semivalue("banzhaf"))
    >>> banzhaf.evaluations == labels.evaluations
    True
    """

    index: str = "shapley"
    q: float = 0.5
    alpha: float = 16.0
    beta: float = 1.0
    paired: bool = True

    def __post_init__(self) -> None:
        _checks.choice("index", self.index, INDICES)
        self._settle_flag("paired")
        self._settle_number("q", above=0.0, below=1.0)
        self._settle_number("alpha", above=0.0)
        self._settle_number("beta", above=0.0)

    @property
    def estimand(self) -> str:
        law = {
            "shapley": "the Shapley value: P(t) = 1 / n",
            "banzhaf": f"the weighted Banzhaf value: P(t) binomial(n - 1, {self.q:g})",
            "beta": f"the Beta({self.alpha:g}, {self.beta:g}) Shapley value: P(t) beta-binomial",
        }[self.index]
        return f"{law}, in the sum over sizes t of P(t) * mean over subsets T of the other players with |T| = t of v(T + i) - v(T)"

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        if self.index == "banzhaf":
            return binomial(n_players - 1, self.q)
        if self.index == "beta":
            return beta_binomial(n_players - 1, self.alpha, self.beta)
        return np.full(n_players, 1.0 / n_players)

    def law(self, n_players: int) -> dict[str, Any]:
        return {"sizes": inner_sizes(n_players)}

    def weights(self, n_players: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        p, drawn, n = self.size_law(n_players), inner_sizes(n_players), n_players
        s = np.arange(1, n)
        members, others = np.zeros(n + 1), np.zeros(n + 1)
        members[1:n] = p[s - 1] * n / (s * drawn[s])
        others[1:n] = -p[s] * n / ((n - s) * drawn[s])
        return members, others

    def ends(self, n_players: int) -> tuple[float, float]:
        p = self.size_law(n_players)
        return float(p[-1]), -float(p[0])

    def baseline(self, empty: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        return (empty + whole) / 2


@dataclass(frozen=True)
class BanzhafMSR(PoolEstimator):
    """Banzhaf values by maximum sample reuse (Wang and Jia, AISTATS 2023): mean value with a player minus mean without.

    Every player joins a coalition with probability `q` (default 1/2: the Banzhaf value; else the weighted one), and every
    coalition counts for every player. With one output per validation point these are the datamodels of Bernoulli-q subsets
    (Covert et al., NeurIPS 2024, Proposition 1). Unbiased given that both sides were drawn; NaN for a player of whom one
    side never was.

    Raises ValueError for q outside (0, 1), or a game of one player.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * 2.0, 3)
    >>> fastsa.LabelStream(game, fastsa.estimators.BanzhafMSR(), samples=500).collect().mean[0].tolist()
    [2.0]
    """

    q: float = 0.5
    paired: ClassVar[bool] = False
    needs_ends: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._settle_number("q", above=0.0, below=1.0)

    @property
    def estimand(self) -> str:
        return f"the weighted Banzhaf value: mean of v(T + i) - v(T) over T that each other player joins with probability {self.q:g}"

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        return binomial(n_players - 1, self.q)

    def law(self, n_players: int) -> dict[str, Any]:
        return {"q": self.q}

    def labels_of(self, pool: Pool, roster: Roster) -> NDArray[np.float64]:
        (means,), _ = self._sides(pool, roster, powers=1)
        return means[0] - means[1]

    def squared_errors(self, pool: Pool, roster: Roster, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        (means, squares), counts = self._sides(pool, roster, powers=2)
        with np.errstate(invalid="ignore", divide="ignore"):
            squared_error = np.maximum((squares - means**2) / (counts - 1), 0.0).sum(axis=0)
        squared_error[~np.isfinite(squared_error) | (counts.min(axis=0) < 2)] = np.nan
        return squared_error

    def _sides(self, pool: Pool, roster: Roster, *, powers: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """With and without each player: mean powers of values [powers, 2, games, n, outputs], and coalitions [2, games, n, 1]."""
        games, n, outputs = roster.game_ids.size, roster.n_players, roster.n_outputs
        center = pool.values[:, :1, 0]  # keeps squares small where values share an offset
        inside, total = np.zeros((games, n, powers * outputs + 1)), np.zeros((games, 1, powers * outputs + 1))
        for block in self.blocks(pool, roster):
            values = pool.values[block.games, block.samples, 0] - center[block.games]
            counted = [*(values ** (power + 1) for power in range(powers)), np.ones((*values.shape[:2], 1))]
            columns = np.concatenate(counted, axis=2)
            inside[block.games] += block.members.transpose(0, 2, 1).astype(np.float64) @ columns
            total[block.games] += columns.sum(axis=1)[:, None]
        sides = np.stack([inside, total - inside])
        counts = sides[..., -1:]
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (sides[..., :-1] / counts).reshape(2, games, n, powers, outputs)
        return np.moveaxis(means, 3, 0), counts


def kernel_eigenvalue(n_players: int) -> float:
    """The eigenvalue 1 / 2 - a of A = E[1_S 1_S'] under the Shapley kernel's law, on vectors that sum to zero."""
    n = n_players
    law = shapley_kernel(n)
    s = np.arange(n + 1)
    return float(0.5 - (law * s * (s - 1)).sum() / (n * (n - 1)))


def paid(
    members: NDArray[np.bool_], inside: NDArray[np.float64], outside: NDArray[np.float64], *, power: int
) -> NDArray[np.float64]:
    """Sum over samples of a power of what each player is paid, `inside` as a member or `outside`: [games, players, outputs]."""
    inside, outside = inside**power, outside**power
    return members.transpose(0, 2, 1).astype(np.float64) @ (inside - outside) + outside.sum(axis=1)[:, None]
