"""Exact values under nearest-neighbour utilities in closed form: the strict operations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads
from fastsa.ops.neighbors import Neighborhood, run_validation, sum_over_validation

INDICES = ("shapley", "banzhaf", "leave-one-out")


@dataclass(frozen=True)
class MatchSteps:
    """How values follow from the matches m_1 .. m_n of the ranked neighbours, by suffix sums.

    value_n = offset + slope * sum(m) + step[n - 1] * m_n,   value_i = value_(i+1) + step[i - 1] * (m_i - m_(i+1)).
    """

    step: NDArray[np.float64]
    offset: float = 0.0
    slope: float = 0.0


def match_steps(variant: str, index: str, n: int, k: int, n_classes: int) -> MatchSteps:
    """Steps of a utility and an index for n ranked neighbours.

    Swapping the neighbours of ranks i and i + 1 in a coalition changes its utility only while fewer than k members are
    nearer, by (m_i - m_(i+1)) / k for "hard" and by (m_i - m_(i+1)) / min(k, |S| + 1) for "soft". With p_s the chance
    that the index draws a coalition of s among the other n - 1, q_s that of s among n - 2 others, and
    Q_i = P(fewer than k of the i - 1 nearer ones are drawn),

        hard  step_i = Q_i / k
        soft  step_i = (Q_i - sum_(s<k) q_s) / k + sum_(s<k) q_s / (s + 1)      for i < n
              value_n = p_0 (m_n - 1 / C) + sum_(1<=s<k) p_s (m_n - mean of the others' m) / (s + 1)

    For the Shapley value Q_i = min(k, i) / i, p_s = 1 / n: Theorem 1 of Jia et al. (PVLDB 2019), and Wang and Jia
    (2023) with v(empty) = 1 / C. For Banzhaf Q_i is a binomial tail at one half; for leave-one-out Q_i = (i <= k).
    """
    below_k = _chance_below_k(index, n, k)
    if variant == "hard" or n == 0:
        return MatchSteps(below_k / k)
    sizes = np.arange(min(k, n))
    drawn = _size_chances(index, n - 1, sizes)
    alone, others = drawn[0], (drawn[1:] / (sizes[1:] + 1)).sum()
    if n == 1:
        return MatchSteps(np.ones(1), -alone / n_classes)
    pair_sizes = np.arange(min(k, n - 1))
    pairs = _size_chances(index, n - 2, pair_sizes)
    step = (below_k - pairs.sum()) / k + (pairs / (pair_sizes + 1)).sum()
    step[-1] = alone + others * n / (n - 1)
    return MatchSteps(step, -alone / n_classes, -others / (n - 1))


def match_values(
    hood: Neighborhood,
    steps: MatchSteps,
    *,
    max_bytes: int | None = None,
    n_threads: int | None = None,
    cancel: _threads.Cancel | None = None,
) -> NDArray[np.float64]:
    """Values averaged over validation points: float64 [n]."""
    total = sum_over_validation(
        hood, _match_launch(steps), max_bytes=max_bytes, n_threads=n_threads, cancel=cancel
    )
    total /= hood.n_val
    return total


def _match_launch(steps: MatchSteps) -> Any:
    def launch(problem: Any, cut: Any, out: Any, first: int, per_row: int, *range_and_scratch: Any) -> None:
        _core.match_values(
            problem, cut, steps.step, steps.offset, steps.slope, out, first, per_row, *range_and_scratch
        )

    return launch


def _chance_below_k(index: str, n: int, k: int) -> NDArray[np.float64]:
    """Q_i for i = 1 .. n."""
    ranks = np.arange(1, n + 1, dtype=np.float64)
    if index == "shapley":
        return np.minimum(ranks, k) / ranks
    if index == "leave-one-out":
        return (ranks <= k).astype(np.float64)
    # P(Binomial(t, 1/2) < k) falls with t by half the chance of exactly k - 1; log chances, as 2^-k may underflow.
    tail = np.ones(n)
    nearer = np.arange(k - 1, n - 1, dtype=np.float64)
    if nearer.size:
        growth = np.log((nearer[1:]) / (2.0 * (nearer[1:] - (k - 1))))
        log_chance = np.concatenate([[0.0], np.cumsum(growth)]) - (k - 1) * np.log(2.0)
        tail[k:] = 1.0 - 0.5 * np.cumsum(np.exp(log_chance))
    return np.maximum(tail, 0.0)


def _size_chances(index: str, others: int, sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Chances that a coalition among `others` players has each of `sizes` members."""
    if index == "shapley":
        return np.full(sizes.size, 1.0 / (others + 1))
    if index == "leave-one-out":
        return (sizes == others).astype(np.float64)
    growth = np.log((others - sizes[1:] + 1.0) / sizes[1:])
    return np.exp(np.concatenate([[0.0], np.cumsum(growth)]) - others * np.log(2.0))
