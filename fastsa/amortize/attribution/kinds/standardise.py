"""Inputs brought to mean 0 and spread 1 inside a network."""

from __future__ import annotations

import torch


class Standardise(torch.nn.Module):
    """(x - mean) / deviation along one axis, of all rows that a network was made for; constant features become 0."""

    def __init__(self, x: torch.Tensor | None, shape: tuple[int, ...], axis: int) -> None:
        """`shape` is that of one input; `axis` counts in x, so that 1 is the first axis of an input."""
        super().__init__()
        aligned = [1] * (len(shape) + 1)
        aligned[axis] = shape[axis - 1]
        self.register_buffer("center", torch.zeros(aligned))
        self.register_buffer("scale", torch.ones(aligned))
        if x is not None:
            others = [a for a in range(x.ndim) if a != axis]
            x = x.double()
            deviation = x.std(dim=others, correction=0, keepdim=True)
            self.center.copy_(x.mean(dim=others, keepdim=True))
            self.scale.copy_(torch.where(deviation > 1e-12, deviation, 1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.center) / self.scale
