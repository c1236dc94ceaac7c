"""Graphs: messages between neighbours."""

from __future__ import annotations

import torch

from fastsa.amortize.attribution.kinds.standardise import Standardise
from fastsa.amortize.attribution.task import Task


class NodesBody(torch.nn.Module):
    """(features [rows, nodes, d], adjacency [rows, nodes, nodes]) to [rows, nodes, width], in `depth` + 1 rounds.

    In each a node adds what a layer makes of itself, the sum and the mean over its neighbours, and the mean over the
    graph.
    """

    def __init__(self, task: Task, width: int, depth: int, inputs: tuple[torch.Tensor, ...] | None) -> None:
        super().__init__()
        self.width = width
        self.standardise = Standardise(None if inputs is None else inputs[0], task.shapes[0], 2)
        self.embed = torch.nn.Linear(task.shapes[0][1] + 1, width)
        self.rounds = torch.nn.ModuleList(
            torch.nn.Sequential(
                torch.nn.LayerNorm(4 * width),
                torch.nn.Linear(4 * width, width),
                torch.nn.GELU(),
                torch.nn.Linear(width, width),
            )
            for _ in range(depth + 1)
        )

    def forward(self, features: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        degree = adjacency.sum(dim=2, keepdim=True)
        hidden = self.embed(torch.cat([self.standardise(features), degree], dim=2))
        for layer in self.rounds:
            total = adjacency @ hidden
            mean = total / degree.abs().clamp(min=1.0)
            everyone = hidden.mean(dim=1, keepdim=True).expand_as(hidden)
            hidden = hidden + layer(torch.cat([hidden, total, mean, everyone], dim=2))
        return hidden
