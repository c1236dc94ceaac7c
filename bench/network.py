"""The torch network that attribution is timed on: 100 features, two layers of 256, ten outputs."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

FEATURES, ITEMS, ORDERS = 100, 64, 10
BATCH, BATCHES = 512, (256, 512, 1024)  # 512 as ModelGame cuts them


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    linear, relu = torch.nn.Linear, torch.nn.ReLU
    return torch.nn.Sequential(linear(FEATURES, 256), relu(), linear(256, 256), relu(), linear(256, 10)).eval()


def inputs() -> torch.Tensor:
    return torch.randn(ITEMS, FEATURES, generator=torch.Generator().manual_seed(1))


def forward(model: torch.nn.Module, rows: int | torch.Tensor, batch: int = BATCH) -> None:
    """The forward passes alone, of rows that are there already; or of so many rows, a batch of zeros again and again."""
    with torch.inference_mode():
        if isinstance(rows, torch.Tensor):
            for first in range(0, len(rows), batch):
                model(rows[first : first + batch])
            return
        same = torch.zeros(batch, FEATURES)
        for first in range(0, rows, batch):
            model(same[: min(batch, rows - first)])


def forward_seconds(model: torch.nn.Module, rows: torch.Tensor) -> float:
    """Processor seconds in batches of the best size, which is found anew each time: the C library may return the memory of a
    batch's activations or keep it, and fresh pages double the time."""
    return min(processor_seconds(lambda batch=batch: forward(model, rows, batch)) for batch in BATCHES)


def processor_seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def forward_seconds_per_row(model: torch.nn.Module, rows: int = 20 * BATCH) -> float:
    same = torch.zeros(rows, FEATURES)
    forward(model, same[:BATCH])
    return forward_seconds(model, same) / rows
