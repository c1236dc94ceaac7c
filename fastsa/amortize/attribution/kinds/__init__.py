"""The networks that attribution nets train: one module per shape of inputs."""

from __future__ import annotations

from typing import Any

import torch

from fastsa.amortize.attribution.kinds.flat import Flat
from fastsa.amortize.attribution.kinds.image import ImageBody
from fastsa.amortize.attribution.kinds.nodes import NodesBody
from fastsa.amortize.attribution.kinds.per_player import PlayerNet
from fastsa.amortize.attribution.kinds.steps import StepsBody
from fastsa.amortize.attribution.kinds.tokens import BackboneBody, TokensBody
from fastsa.amortize.attribution.task import Task


def build(
    kind: str,
    task: Task,
    *,
    width: int,
    depth: int,
    with_norm: bool,
    backbone: torch.nn.Module | None,
    inputs: tuple[torch.Tensor, ...] | None,
    generator: torch.Generator,
) -> torch.nn.Module:
    """A module that maps inputs to [rows, players (+ 1 with norms), outputs], or the same flattened.

    `inputs` are those whose spread it takes as unit; None where weights will be filled in from a file. What is not
    drawn from `generator` is drawn from torch's own.
    """
    if kind == "mlp":
        return Flat(task, (width,) * depth, with_norm, inputs, generator)
    if backbone is not None:
        body: Any = BackboneBody(backbone, task, inputs)
    elif kind == "tokens":
        body = TokensBody(task, width, depth, inputs)
    else:
        body = {"conv": ImageBody, "nodes": NodesBody, "steps": StepsBody}[kind](task, width, depth, inputs)
    return PlayerNet(body, body.width, task.n_outputs, with_norm)
