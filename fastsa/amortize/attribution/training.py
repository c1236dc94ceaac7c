"""The training loop of attribution nets; loaded only when one is fitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fastsa.amortize.attribution.objectives import Objective
from fastsa.amortize.networks import batch_of, device_of
from fastsa.amortize.training import Course, Schedule


def learn(
    module: torch.nn.Module,
    inputs: tuple[torch.Tensor, ...],
    objective: Objective,
    selection: tuple[tuple[torch.Tensor, ...], Objective] | None,
    schedule: Schedule,
    generator: torch.Generator,
    finish: Callable[[], Any],
) -> Course:
    """Minimise the objective, and leave `module` in its state of least loss on `selection`, the last without one.

    The train losses are means over the batches of an epoch, NaN before the first; select losses those at its end.
    """
    course, device, losses = Course(module), device_of(module), [np.nan]

    def judge() -> None:
        select = None if selection is None else mean_loss(module, *selection, schedule.batch_size)
        course.record(float(np.mean(losses)), select)
        losses.clear()
        module.train()
        finish()

    judge()
    parameters = [p for p in module.parameters() if p.requires_grad]
    for batch, optimizer in schedule.batches(objective.rows, parameters, generator, judge):
        loss = objective.loss(module(*batch_of(inputs, batch, device)), batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    course.settle()
    return course


def mean_loss(
    module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], objective: Objective, batch_size: int
) -> float:
    """The objective's loss over all its items, in evaluation mode."""
    module.eval()
    device, rows = device_of(module), objective.rows()
    with torch.no_grad():
        total = sum(
            float(objective.loss(module(*batch_of(inputs, part, device)), part)) * part.numel()
            for part in rows.split(batch_size)
        )
    return total / rows.numel()
