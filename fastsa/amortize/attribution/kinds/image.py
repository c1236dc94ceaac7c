"""Images whose players are a grid: convolutions, pooled to the grid."""

from __future__ import annotations

import torch

from fastsa.amortize.attribution.kinds.standardise import Standardise
from fastsa.amortize.attribution.task import Task


class ImageBody(torch.nn.Module):
    """Convolutions that halve the image while it is twice the grid or more; over the grid, `depth` residual blocks.

    Each block sees its neighbours in the grid and the mean over all of it; places are learned.
    """

    def __init__(self, task: Task, width: int, depth: int, inputs: tuple[torch.Tensor, ...] | None) -> None:
        super().__init__()
        self.width, self.grid = width, task.grid
        channels, height, wide = task.shapes[0]
        self.standardise = Standardise(None if inputs is None else inputs[0], task.shapes[0], 1)
        layers: list[torch.nn.Module] = [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.GELU()]
        while min(height // self.grid[0], wide // self.grid[1]) >= 2:
            layers += [torch.nn.Conv2d(width, width, 3, stride=2, padding=1), torch.nn.GELU()]
            height, wide = -(-height // 2), -(-wide // 2)
        self.stem = torch.nn.Sequential(*layers)
        self.places = torch.nn.Parameter(torch.zeros(width, *self.grid))
        self.blocks = torch.nn.ModuleList(_GridBlock(width) for _ in range(depth))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.adaptive_avg_pool2d(self.stem(self.standardise(image)), self.grid) + self.places
        for block in self.blocks:
            x = x + block(x)
        return x.flatten(2).transpose(1, 2)


class _GridBlock(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = torch.nn.GroupNorm(1, width)
        self.near = torch.nn.Conv2d(width, width, 3, padding=1)
        self.everywhere = torch.nn.Linear(width, width)
        self.mixed = torch.nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x)
        context = self.everywhere(x.mean(dim=(2, 3)))
        return self.mixed(torch.nn.functional.gelu(self.near(x) + context[:, :, None, None]))
