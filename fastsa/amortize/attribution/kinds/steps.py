"""Sequences: convolutions over neighbouring steps, then a recurrent layer both ways."""

from __future__ import annotations

import torch

from fastsa.amortize.attribution.kinds.standardise import Standardise
from fastsa.amortize.attribution.task import Task

_KERNEL = 5


class StepsBody(torch.nn.Module):
    """[rows, steps, channels] to [rows, steps, width]: `depth` residual convolutions, and a GRU both ways."""

    def __init__(self, task: Task, width: int, depth: int, inputs: tuple[torch.Tensor, ...] | None) -> None:
        super().__init__()
        self.width = 2 * width
        self.standardise = Standardise(None if inputs is None else inputs[0], task.shapes[0], 2)
        self.embed = torch.nn.Linear(task.shapes[0][1], width)
        self.near = torch.nn.ModuleList(
            torch.nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2) for _ in range(depth)
        )
        self.far = torch.nn.GRU(width, width, batch_first=True, bidirectional=True)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        x = self.embed(self.standardise(steps)).transpose(1, 2)
        for layer in self.near:
            x = x + torch.nn.functional.gelu(layer(x))
        return self.far(x.transpose(1, 2))[0]
