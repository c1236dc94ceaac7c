"""Exact values under nearest-neighbour utilities in closed form: the terms of each utility, and one call for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _core
from fastsa.ops import _device, draw_chances

MOST_WEIGHTED_K = 28
MOST_BITS = 10


@dataclass(frozen=True)
class MatchSteps:
    """How values follow from the matches m_1 .. m_n of the ranked neighbours, farthest first.

    value_n = offset + slope * sum(m) + step[n - 1] * m_n,   value_i = value_(i+1) + step[i - 1] * (m_i - m_(i+1)).
    """

    step: NDArray[np.float64]
    offset: float = 0.0
    slope: float = 0.0

    launcher = _core.match_values
    listed_launcher = _core.listed_match_values
    device_kernel = "match_values"
    ranked = True

    def native(self) -> _core.MatchSteps:
        return _core.MatchSteps(self.step, self.offset, self.slope)

    def workspace(self, problem: Any, cut: Any, n: int) -> int:
        return int(_core.neighbor_workspace(problem, cut))

    def device_arguments(self, cuda: _device.Cuda, hood: Any) -> tuple[Any, ...]:
        return hood.y, hood.val_classes, self.step.size, cuda.xp.asarray(self.step), self.offset, self.slope


def match_steps(variant: str, index: str, n: int, k: int, n_classes: int) -> MatchSteps:
    """Steps of a utility and an index for n ranked neighbours.

    Swapping the neighbours of ranks i and i + 1 in a coalition changes its utility only while fewer than k members are
    nearer, by (m_i - m_(i+1)) / k for "hard" and by (m_i - m_(i+1)) / min(k, |S| + 1) for "soft". With p_s the chance
    that the index draws a coalition of s among the other n - 1, q_s that of s among n - 2 others, and
    Q_i = P(fewer than k of the i - 1 nearer ones are drawn),

        hard  step_i = Q_i / k
        soft  step_i = (Q_i - sum_(s<k) q_s) / k + sum_(s<k) q_s / (s + 1)      for i < n
              value_n = p_0 (m_n - 1 / C) + sum_(1<=s<k) p_s (m_n - mean of the others' m) / (s + 1)

    For the Shapley value these are Theorem 1 of Jia et al. (PVLDB 2019), step_i = 1 / max(i, k), and the soft-label
    values of Wang and Jia (2023), v(empty) = 1 / C.
    """
    few = draw_chances.below_k(index, n, k)
    if variant == "hard" or n == 0:
        return MatchSteps(few / k)
    drawn = draw_chances.sizes(index, n - 1, k - 1)
    alone, others = drawn[0], (drawn[1:] / np.arange(2, drawn.size + 1)).sum()
    if n == 1:
        return MatchSteps(np.ones(1), -alone / n_classes)
    pairs = draw_chances.sizes(index, n - 2, k - 1)
    step = (few - pairs.sum()) / k + (pairs / np.arange(1, pairs.size + 1)).sum()
    step[-1] = alone + others * n / (n - 1)
    return MatchSteps(step, -alone / n_classes, -others / (n - 1))


def ranks_for(steps: MatchSteps, epsilon: float) -> int:
    """How many of the nearest to rank for an error of at most epsilon, of "hard".

    There step_i falls with i and |value_i| <= step_i, so the values from rank r on, set to 0, and those before it,
    which all miss value_r, are off by at most step_r.
    """
    return int(min(np.searchsorted(-steps.step, -epsilon) + 1, steps.step.size))


def truncated(steps: MatchSteps, ranks: int) -> MatchSteps:
    """Steps of the nearest `ranks` alone, the last of them worth 0."""
    return MatchSteps(np.append(steps.step[: ranks - 1], 0.0))


@dataclass(frozen=True)
class NearestSteps:
    """Truncated steps for points that are not ranked yet: only as many as the steps have are."""

    step: NDArray[np.float64]

    launcher = _core.nearest_match_values
    device_kernel = "match_values"
    ranked = True

    def native(self) -> _core.NearestSteps:
        return _core.NearestSteps(self.step)

    def workspace(self, problem: Any, cut: Any, n: int) -> int:
        return int(_core.nearest_workspace(problem, cut, self.step.size))

    def device_arguments(self, cuda: _device.Cuda, hood: Any) -> tuple[Any, ...]:
        return hood.y, hood.val_classes, self.step.size, cuda.xp.asarray(self.step), 0.0, 0.0


@dataclass(frozen=True)
class RegressionTerms:
    """Targets, and by rank the chances of csrc/ops/knn_shapley.h: float64 each."""

    targets: NDArray[np.float64]
    val_targets: NDArray[np.float64]
    few: NDArray[np.float64]
    nearer: NDArray[np.float64]
    farther: NDArray[np.float64]
    k: int

    launcher = _core.regression_values
    listed_launcher = _core.listed_regression_values
    device_kernel = "regression_values"
    ranked = True

    def native(self) -> _core.RegressionTerms:
        return _core.RegressionTerms(self.targets, self.val_targets, self.few, self.nearer, self.farther, self.k)

    def workspace(self, problem: Any, cut: Any, n: int) -> int:
        return int(_core.neighbor_workspace(problem, cut) + _core.regression_workspace(n))

    def device_arguments(self, cuda: _device.Cuda, hood: Any) -> tuple[Any, ...]:
        targets = cuda.exact("targets", self.targets, np.float64, 1)
        val_targets = cuda.exact("val_targets", self.val_targets, np.float64, 1)
        few, nearer, farther = map(cuda.xp.asarray, (self.few, self.nearer, self.farther))
        return targets, val_targets, self.few.size, few, nearer, farther, self.k


def regression_terms(
    targets: NDArray[np.float64], val_targets: NDArray[np.float64], index: str, n: int, k: int
) -> RegressionTerms:
    """Of v(S) = -(sum of the targets of the min(k, |S|) nearest / k - t)^2, of Jia et al. (PVLDB 2019).

    For a pair of neighbouring ranks the utility differs by a square that is linear in the sum of the other k - 1 kept
    members; the chances that each of those is kept are all that an index changes.
    """
    return RegressionTerms(
        targets,
        val_targets,
        draw_chances.below_k(index, n, k),
        draw_chances.nearer_and_below_k(index, n, k),
        draw_chances.farther_and_kept(index, n, k),
        k,
    )


@dataclass(frozen=True)
class WeightedVote:
    """Chances of coalitions by size and by the rank of their k-th member; weights [m, n], or None for 1 / distance."""

    size: NDArray[np.float64]
    tail: NDArray[np.float64]
    weights: NDArray[np.float64] | None
    k: int
    most: int
    cutoff: int

    launcher = _core.weighted_values
    device_kernel = None  # its tables of counts grow rank by rank, and are as large as a device's shared memory is not

    def native(self) -> _core.WeightedVote:
        return _core.WeightedVote(self.size, self.tail, self.weights, self.k, self.most, self.cutoff)

    def workspace(self, problem: Any, cut: Any, n: int) -> int:
        return int(_core.neighbor_workspace(problem, cut) + _core.weighted_workspace(self.native(), n))


def weighted_vote(
    weights: NDArray[np.float64] | None, index: str, n: int, k: int, bits: int, epsilon: float
) -> WeightedVote:
    """Of v(S) = [the weights of the k nearest members that match sum to at least those of the others], v(empty) = 0.

    Weights are divided by the largest of the validation point and rounded to multiples of 2^-bits. With an epsilon
    above zero, members of rank beyond k / epsilon replace nobody: those terms sum to less than k / rank for the Shapley
    value (Wang, Mittal and Jia, AISTATS 2024).

    Raises ValueError for k above 28, where counts of coalitions would lose digits.
    """
    if k > MOST_WEIGHTED_K:
        raise ValueError(f"k is {k}; expected at most {MOST_WEIGHTED_K} for weighted votes, whose counts stay exact.")
    size = np.zeros(k)
    if n > 0:
        chances = draw_chances.per_coalition(index, n - 1, k - 1)
        size[: chances.size] = chances
    cutoff = n if epsilon == 0.0 else min(n, int(np.ceil(k / epsilon)))
    return WeightedVote(size, draw_chances.per_first_k(index, n, k), weights, k, 1 << bits, cutoff)


@dataclass(frozen=True)
class ThresholdTerms:
    """By how many neighbours are within the radius: a match's value, another's, and what each match there takes."""

    radius: float
    of_match: NDArray[np.float64]
    of_other: NDArray[np.float64]
    per_match: NDArray[np.float64]

    launcher = _core.threshold_values
    device_kernel = "threshold_values"
    ranked = False

    def native(self) -> _core.ThresholdTerms:
        return _core.ThresholdTerms(self.radius, self.of_match, self.of_other, self.per_match)

    def workspace(self, problem: Any, cut: Any, n: int) -> int:
        return int(_core.neighbor_workspace(problem, cut))

    def device_arguments(self, cuda: _device.Cuda, hood: Any) -> tuple[Any, ...]:
        tables = map(cuda.xp.asarray, (self.of_match, self.of_other, self.per_match))
        return hood.y, hood.val_classes, self.radius, *tables


def threshold_terms(index: str, n: int, radius: float, n_classes: int) -> ThresholdTerms:
    """Of v(S) = the share of matches among the members within the radius, 1 / C without any (Wang et al., 2023).

    Points beyond the radius are null players, and adding one of c within it to s others moves their mean by
    (m_i - mean of the others' m) / (s + 1): with p_s the chance of s of the c - 1 others,

        value_i = p_0 (m_i - 1 / C) + sum_(s>=1) p_s / (s + 1) * (m_i - mean of the others' m)

    where the sum is (H_c - 1) / c for the Shapley value, (2 - 2^(1-c)) / c - 2^(1-c) for Banzhaf, 1 / c for
    leave-one-out: a table over c, and no binomial that could overflow.
    """
    within = np.arange(n + 1, dtype=np.float64)
    own = np.maximum(within, 1.0)
    if index == "shapley":
        alone, others = 1.0 / own, (np.cumsum(1.0 / own) - 1.0 - 1.0) / own
        others[:2] = 0.0
    elif index == "banzhaf":
        alone = np.exp2(1.0 - own)
        others = (2.0 - alone) / own - alone
    else:
        alone, others = (own == 1.0).astype(np.float64), np.where(own > 1.0, 1.0 / own, 0.0)
    per_match = np.divide(others, own - 1.0, out=np.zeros(n + 1), where=own > 1.0)
    of_other = -alone / n_classes
    of_match = alone + others + per_match
    return ThresholdTerms(radius, of_match + of_other, of_other, per_match)
