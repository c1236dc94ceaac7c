"""What the Shapley value, the Banzhaf value and leave-one-out draw: coalitions of a point's others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INDICES = ("shapley", "banzhaf", "leave-one-out")


def below_k(index: str, n: int, k: int) -> NDArray[np.float64]:
    """P(fewer than k of the i - 1 nearer ones are drawn) for ranks i = 1 .. n.

    Shapley: min(k, i) / i.  Banzhaf: a binomial tail at one half.  Leave-one-out draws all: (i <= k).
    """
    ranks = np.arange(1, n + 1, dtype=np.float64)
    if k < 1:
        return np.zeros(n)
    if index == "shapley":
        return np.minimum(ranks, k) / ranks
    if index == "leave-one-out":
        return (ranks <= k).astype(np.float64)
    # P(Binomial(t, 1/2) < k) falls with t by half the chance of exactly k - 1; log chances, as 2^-k may underflow.
    tail = np.ones(n)
    nearer = np.arange(k - 1, n - 1, dtype=np.float64)
    if nearer.size:
        growth = np.log(nearer[1:] / (2.0 * (nearer[1:] - (k - 1))))
        log_chance = np.concatenate([[0.0], np.cumsum(growth)]) - (k - 1) * np.log(2.0)
        tail[k:] = 1.0 - 0.5 * np.cumsum(np.exp(log_chance))
    return np.maximum(tail, 0.0)


def sizes(index: str, others: int, at_most: int) -> NDArray[np.float64]:
    """P(a coalition among `others` points has s members) for s = 0 .. min(at_most, others)."""
    size = np.arange(min(at_most, others) + 1)
    if index == "shapley":
        return np.full(size.size, 1.0 / (others + 1))
    if index == "leave-one-out":
        return (size == others).astype(np.float64)
    growth = np.log((others - size[1:] + 1.0) / size[1:])
    return np.exp(np.concatenate([[0.0], np.cumsum(growth)]) - others * np.log(2.0))


def nearer_and_below_k(index: str, n: int, k: int) -> NDArray[np.float64]:
    """P(a given nearer one is drawn, and fewer than k nearer ones in all) for ranks i = 1 .. n; 0 at the first."""
    ranks = np.arange(1, n + 1, dtype=np.float64)
    if index == "shapley":
        few = np.minimum(ranks, k)
        return np.divide(few * (few - 1), 2 * ranks * (ranks - 1), out=np.zeros(n), where=ranks > 1)
    if index == "leave-one-out":
        return ((ranks > 1) & (ranks <= k)).astype(np.float64)
    return np.concatenate([[0.0], 0.5 * below_k(index, n, k - 1)])[:n]


def farther_and_kept(index: str, n: int, k: int) -> NDArray[np.float64]:
    """P(the one of rank l is drawn, and at most k - 2 of the l - 3 nearer ones beside the pair); 0 for l < 3."""
    ranks = np.arange(1, n + 1, dtype=np.float64)
    if index == "shapley":
        few = np.minimum(k - 1, ranks - 2)
        return np.divide(few * (few + 1), 2 * (ranks - 1) * (ranks - 2), out=np.zeros(n), where=ranks > 2)
    if index == "leave-one-out":
        return ((ranks > 2) & (ranks <= k + 1) & (k > 1)).astype(np.float64)
    return np.concatenate([[0.0, 0.0], 0.5 * below_k(index, n, k - 1)])[:n]


def per_coalition(index: str, others: int, at_most: int) -> NDArray[np.float64]:
    """The chance of each single coalition of s = 0 .. min(at_most, others) members."""
    size = np.arange(min(at_most, others) + 1, dtype=np.float64)
    if index == "shapley":
        return 1.0 / ((others + 1) * _binomials(others, size.size))
    if index == "leave-one-out":
        return (size == others).astype(np.float64)
    return np.full(size.size, np.exp2(-float(others)))


def per_first_k(index: str, n: int, k: int) -> NDArray[np.float64]:
    """The chance, summed over whoever is farther, of a coalition with given first k members, the last of them of rank
    m = 1 .. n among the point's n - 1 others and itself; 0 for m <= k."""
    ranks = np.arange(1, n + 1, dtype=np.float64)
    beyond = ranks > k
    if index == "leave-one-out":
        return (ranks == k + 1).astype(np.float64)
    if index == "banzhaf":
        return np.where(beyond, np.exp2(1.0 - ranks), 0.0)
    choices = np.ones(n)
    for j in range(k):
        choices *= (ranks - 1 - j) / (j + 1)
    return np.divide(1.0, ranks * choices, out=np.zeros(n), where=beyond)


def _binomials(n: int, how_many: int) -> NDArray[np.float64]:
    """n choose 0, 1, .. how_many - 1."""
    j = np.arange(1, how_many, dtype=np.float64)
    return np.concatenate([[1.0], np.cumprod((n - j + 1) / j)])
