"""Probabilities of coalition sizes: those that define values, and those that coalitions are drawn by."""

from __future__ import annotations

from math import lgamma

import numpy as np
from numpy.typing import NDArray


def shapley_kernel(n_players: int) -> NDArray[np.float64]:
    """P(size = s) proportional to 1 / (s (n - s)) for s = 1 .. n - 1: the Shapley kernel's mass of each size [n + 1]."""
    law = np.zeros(n_players + 1)
    s = np.arange(1, n_players)
    law[1:n_players] = 1.0 / (s * (n_players - s))
    return law / law.sum()


def inner_sizes(n_players: int) -> NDArray[np.float64]:
    """Uniform on s = 1 .. n - 1 [n + 1]."""
    law = np.zeros(n_players + 1)
    law[1:n_players] = 1.0 / (n_players - 1)
    return law


def kernel_over_inner_sizes(n_players: int) -> NDArray[np.float64]:
    """By size, what a coalition drawn by `inner_sizes` weighs for the Shapley kernel: 1 / (s (n - s)), the middle 1 [n + 1]."""
    weight = np.zeros(n_players + 1)
    s = np.arange(1, n_players)
    weight[1:n_players] = (n_players / 2) ** 2 / (s * (n_players - s))
    return weight


def binomial(n: int, q: float) -> NDArray[np.float64]:
    """P(s of n join) when each does with probability q [n + 1]."""
    return np.exp([_log_choose(n, s) + s * np.log(q) + (n - s) * np.log1p(-q) for s in range(n + 1)])


def beta_binomial(n: int, alpha: float, beta: float) -> NDArray[np.float64]:
    """P(t of n join) when each does with a probability drawn from Beta(beta, alpha) [n + 1]."""
    logs = [_log_choose(n, t) + _log_beta(t + beta, n - t + alpha) - _log_beta(alpha, beta) for t in range(n + 1)]
    law = np.exp(logs)
    return law / law.sum()


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
