"""One block of a transformer."""

from __future__ import annotations

import torch

_EXPANSION = 4
_HEAD_WIDTH = 32


class AttentionBlock(torch.nn.Module):
    """Self-attention and a GELU layer, each behind a LayerNorm, beside a residual: [rows, tokens, width] to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // _HEAD_WIDTH)
        while width % self.heads:
            self.heads -= 1
        self.before_attention = torch.nn.LayerNorm(width)
        self.projections = torch.nn.Linear(width, 3 * width)
        self.joined = torch.nn.Linear(width, width)
        self.mixed = torch.nn.Sequential(
            torch.nn.LayerNorm(width),
            torch.nn.Linear(width, _EXPANSION * width),
            torch.nn.GELU(),
            torch.nn.Linear(_EXPANSION * width, width),
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        rows, length, width = tokens.shape
        parts = self.projections(self.before_attention(tokens)).view(rows, length, 3, self.heads, -1)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        attended = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
        tokens = tokens + self.joined(attended.transpose(1, 2).reshape(rows, length, width))
        return tokens + self.mixed(tokens)
