"""From features of every player to its attributions: the same head for all kinds of body."""

from __future__ import annotations

import torch

from fastsa.amortize.networks import zero_head

_EXPANSION = 4


class PlayerNet(torch.nn.Module):
    """A body that gives features [rows, players, width], and a head for each player.

    The head is that of Covert et al. 2024 (their code): LayerNorm and three layers with GELU, four times as wide as the
    features; its last layer is zero at first. With norms, one more "player" is read off the mean over players.
    """

    def __init__(self, body: torch.nn.Module, width: int, n_outputs: int, with_norm: bool) -> None:
        super().__init__()
        self.body = body
        wide = _EXPANSION * width
        self.head = torch.nn.Sequential(
            torch.nn.LayerNorm(width),
            torch.nn.Linear(width, wide),
            torch.nn.GELU(),
            torch.nn.Linear(wide, wide),
            torch.nn.GELU(),
            zero_head(wide, n_outputs),
        )
        self.norms = None
        if with_norm:
            self.norms = torch.nn.Sequential(
                torch.nn.LayerNorm(width), torch.nn.Linear(width, wide), torch.nn.GELU(), zero_head(wide, n_outputs)
            )

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        features = self.body(*inputs)
        values = self.head(features)
        if self.norms is None:
            return values
        return torch.cat([values, self.norms(features.mean(dim=1, keepdim=True))], dim=1)
