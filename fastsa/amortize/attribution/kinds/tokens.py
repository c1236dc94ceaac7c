"""Transformers: a backbone of the user's with one block on top, or a small one of our own."""

from __future__ import annotations

from typing import Any

import torch

from fastsa.amortize.attribution.kinds.attention import AttentionBlock
from fastsa.amortize.attribution.kinds.standardise import Standardise
from fastsa.amortize.attribution.task import Task
from fastsa.amortize.networks import apply

_ROWS_PROBED = 2


class BackboneBody(torch.nn.Module):
    """Token features of a backbone, then one attention block (Covert et al. 2024); a class token is dropped."""

    def __init__(self, backbone: torch.nn.Module, task: Task, inputs: tuple[torch.Tensor, ...] | None) -> None:
        super().__init__()
        self.backbone = backbone
        self.n_players = task.n_players
        probe = inputs or tuple(
            torch.zeros((_ROWS_PROBED, *shape), dtype=torch.int64 if task.vocabulary else torch.float32)
            for shape in task.shapes
        )
        given = apply(self._features, tuple(x[:_ROWS_PROBED].to(_device(backbone)) for x in probe)).shape
        if len(given) != 3 or given[1] - task.n_players not in (0, 1):
            n = task.n_players
            raise ValueError(
                f"backbone gives features of shape {given}; expected [rows, {n} or {n + 1}, width], a token per player."
            )
        self.width = int(given[2])
        self.block = AttentionBlock(self.width).to(_device(backbone))

    def _features(self, *inputs: torch.Tensor) -> torch.Tensor:
        answer: Any = self.backbone(*inputs)
        return getattr(answer, "last_hidden_state", answer)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.block(self._features(*inputs))[:, -self.n_players :]


class TokensBody(torch.nn.Module):
    """Embedded tokens, patches of an image or steps of a sequence, with places, through `depth` + 1 attention blocks.

    Tokens that training did not see share one embedding.
    """

    def __init__(self, task: Task, width: int, depth: int, inputs: tuple[torch.Tensor, ...] | None) -> None:
        super().__init__()
        self.width, self.task = width, task
        shape = task.shapes[0]
        x = None if inputs is None else inputs[0]
        if task.vocabulary:
            self.embed: torch.nn.Module = torch.nn.Embedding(task.vocabulary + 1, width)
        else:
            axis = 1 if len(shape) == 3 else len(shape)
            self.standardise = Standardise(x, shape, axis)
            entries = int(torch.Size(shape).numel())
            self.embed = torch.nn.Linear(entries // task.n_players, width)
        self.places = torch.nn.Parameter(0.02 * torch.randn(task.n_players, width))
        self.blocks = torch.nn.Sequential(*(AttentionBlock(width) for _ in range(depth + 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.task.vocabulary:
            tokens = self.embed(x.clamp(max=self.task.vocabulary))
        else:
            tokens = self.embed(self._parts(self.standardise(x)))
        return self.blocks(tokens + self.places)

    def _parts(self, x: torch.Tensor) -> torch.Tensor:
        """The entries of each player: [rows, players, entries]."""
        if self.task.grid is None or x.ndim < 4:
            return x.reshape(x.shape[0], self.task.n_players, -1)
        rows, columns = self.task.grid
        n, channels, height, width = x.shape
        x = x.view(n, channels, rows, height // rows, columns, width // columns)
        return x.permute(0, 2, 4, 1, 3, 5).reshape(n, rows * columns, -1)


def _device(module: torch.nn.Module) -> torch.device:
    return next((p.device for p in module.parameters()), torch.device("cpu"))
