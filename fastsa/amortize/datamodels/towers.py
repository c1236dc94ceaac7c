"""The torch module of a datamodel net: a tower for training points, a tower for validation points, and their product."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fastsa.amortize.networks import Mlp, linear, zero_head


class Towers(torch.nn.Module):
    """value(z, z') = <u(z), w(z')> / sqrt(rank) + a(z) + b(z'), over standardised inputs; zero everywhere at first."""

    def __init__(self, width: int, hidden: Sequence[int], rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.rank = rank
        self.training_points, self.validation_points = (Mlp(width, hidden, generator) for _ in range(2))
        # One head is zero and one is not: their product is zero, and its gradient is not.
        self.head = zero_head(hidden[-1], rank + 1)
        self.validation_head = linear(hidden[-1], rank + 1, generator)
        with torch.no_grad():
            self.validation_head.weight[-1].zero_()
            self.validation_head.bias[-1].zero_()

    def standardise(self, rows: NDArray[np.float64], validation_rows: NDArray[np.float64]) -> None:
        self.training_points.standardise(rows)
        self.validation_points.standardise(validation_rows)

    def forward(self, rows: torch.Tensor, validation_rows: torch.Tensor) -> torch.Tensor:
        """float32 [n, m] of inputs [n, width] and [m, width]."""
        of = self.head(self.training_points(rows))
        on = self.validation_head(self.validation_points(validation_rows))
        product = of[:, :-1] @ on[:, :-1].T / self.rank**0.5
        return product + of[:, -1:] + on[:, -1]
