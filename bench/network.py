"""The torch network that attribution is timed on: 100 features, two layers of 256, ten outputs."""

from __future__ import annotations

import time

import torch

FEATURES, ITEMS, ORDERS = 100, 64, 10
BATCH = (1 << 18) // FEATURES  # as ModelGame cuts them


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    return torch.nn.Sequential(linear(FEATURES, 256), relu(), linear(256, 256), relu(), linear(256, 10)).eval()


def inputs() -> torch.Tensor:
    return torch.randn(ITEMS, FEATURES, generator=torch.Generator().manual_seed(1))


def forward(model: torch.nn.Module, rows: int) -> None:
    """The forward passes alone, of so many rows in batches that are there already."""
    batch = torch.zeros(BATCH, FEATURES)
    with torch.inference_mode():
        for first in range(0, rows, BATCH):
            model(batch[: min(BATCH, rows - first)])


def forward_seconds_per_row(model: torch.nn.Module, rows: int = 20 * BATCH) -> float:
    forward(model, BATCH)
    start = time.perf_counter()
    forward(model, rows)
    return (time.perf_counter() - start) / rows
