"""The torch modules of a valuation net; loaded only when one is built."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_ROWS_PER_CHUNK = 8192


class Mlp(torch.nn.Module):
    """ReLU layers over features centred and divided by one number (buffers): [rows, d] to [rows, hidden[-1]]."""

    def __init__(self, d: int, hidden: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(d))
        self.register_buffer("scale", torch.ones(()))
        widths = [d, *hidden]
        self.layers = torch.nn.ModuleList(linear(a, b, generator) for a, b in zip(widths, widths[1:]))

    def standardise(self, X: NDArray[np.float64]) -> None:
        center = X.mean(axis=0)
        scale = float(np.sqrt(np.mean(X.var(axis=0))))
        self.center.copy_(torch.from_numpy(center))
        self.scale.fill_(scale if scale > 0 else 1.0)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = (rows - self.center) / self.scale
        for layer in self.layers:
            hidden = torch.relu(layer(hidden))
        return hidden


def linear(d: int, width: int, generator: torch.Generator) -> torch.nn.Linear:
    """A layer with torch's own law, uniform within 1 / sqrt(d), drawn from `generator`."""
    layer = torch.nn.utils.skip_init(torch.nn.Linear, d, width)
    bound = 1.0 / math.sqrt(d)
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-bound, bound, generator=generator)
    return layer


def zero_head(width: int, n_classes: int) -> torch.nn.Linear:
    head = torch.nn.utils.skip_init(torch.nn.Linear, width, n_classes)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    return head


def feature_width(body: torch.nn.Module, X: NDArray[np.float64]) -> int:
    """Features that `body` gives for rows of X; ValueError when they are not [rows, features]."""
    given = tuple(apply(body, X[:2]).shape)
    if len(given) != 2 or given[0] != X[:2].shape[0]:
        raise ValueError(f"net maps {X[:2].shape} to {given}; expected [rows, features].")
    return given[1]


def apply(
    module: Callable[..., torch.Tensor],
    X: NDArray[np.float64] | tuple[torch.Tensor, ...],
    rows_per_chunk: int = _ROWS_PER_CHUNK,
) -> NDArray[np.float64]:
    """`module` in evaluation mode on rows of X, one array or a module's several inputs, chunk by chunk, as float64."""
    inputs = X if isinstance(X, tuple) else (torch.from_numpy(X),)
    device = torch.device("cpu")
    if isinstance(module, torch.nn.Module):
        module.eval()
        device = device_of(module)
    with torch.no_grad():
        parts = [
            module(*batch_of(inputs, slice(begin, begin + rows_per_chunk), device)).double().cpu().numpy()
            for begin in range(0, max(inputs[0].shape[0], 1), rows_per_chunk)
        ]
    return np.concatenate(parts)


def batch_of(inputs: tuple[torch.Tensor, ...], rows: Any, device: torch.device) -> tuple[torch.Tensor, ...]:
    """These rows of all inputs, real numbers as float32, on a device."""
    return tuple(x[rows].to(device, torch.float32 if x.is_floating_point() else x.dtype) for x in inputs)


def device_of(module: torch.nn.Module) -> torch.device:
    return next((tensor.device for tensor in module.parameters()), torch.device("cpu"))


@contextlib.contextmanager
def own_state(seed: int, n_threads: int | None) -> Iterator[None]:
    """Seeds what a user's module draws (dropout, initial weights) and sets threads; restores torch's own afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        try:
            if n_threads is not None:
                torch.set_num_threads(n_threads)
            yield
        finally:
            torch.set_num_threads(threads)
