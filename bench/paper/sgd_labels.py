"""SGD-Shapley as the paper ran it: so few and short steps that its labels are shrunk to a tenth."""

from __future__ import annotations

from fastsa.estimators import SGDShapley
from fastsa.estimators.linear_pool import kernel_eigenvalue

PAPER_SHRINKAGE = 0.0995  # of the way from equal shares to the values, with the paper's 196 players and steps


def as_shrunk_as_the_papers(n_players: int, steps: int, *, debiased: bool = False) -> SGDShapley:
    """Of the step that goes as far in so many `steps`."""
    low, high = 1e-6, 0.9 / kernel_eigenvalue(n_players)
    for _ in range(60):
        middle = (low + high) / 2
        far = SGDShapley(step=middle).shrinkage(n_players, steps) > PAPER_SHRINKAGE
        low, high = (low, middle) if far else (middle, high)
    return SGDShapley(step=low, debiased=debiased)
