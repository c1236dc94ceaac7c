"""Tables, and whatever has no players of its own in the input: a multilayer perceptron for all players at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fastsa.amortize.attribution.kinds.standardise import Standardise
from fastsa.amortize.attribution.task import Task
from fastsa.amortize.networks import Mlp, zero_head


class Flat(torch.nn.Module):
    """Every feature standardised, ReLU layers, one linear layer to all players and outputs that is zero at first."""

    def __init__(
        self,
        task: Task,
        hidden: Sequence[int],
        with_norm: bool,
        inputs: tuple[torch.Tensor, ...] | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        d = int(torch.Size(task.shapes[0]).numel())
        self.standardise = Standardise(None if inputs is None else inputs[0].flatten(1), (d,), 1)
        self.layers = Mlp(d, hidden, generator)
        self.head = zero_head(hidden[-1], (task.n_players + with_norm) * task.n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.standardise(x.flatten(1))))
