"""The two loops of a valuation net: as a classifier, then on labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastsa.amortize.networks import apply, linear
from fastsa.amortize.training import Course, Schedule
from fastsa.amortize.valuation.labels import TrainingLabels


def pretrain(
    body: torch.nn.Module,
    width: int,
    X: torch.Tensor,
    y: torch.Tensor,
    n_classes: int,
    schedule: Schedule,
    generator: torch.Generator,
    finish: Callable[[], Any],
) -> None:
    """Train `body` under a head of its own to tell the classes apart; the head is thrown away."""
    head = linear(width, n_classes, generator)
    body.train()
    parameters = [*body.parameters(), *head.parameters()]
    for batch, optimizer in schedule.batches(torch.arange(y.numel()), parameters, generator, finish):
        torch.nn.functional.cross_entropy(head(body(X[batch])), y[batch]).backward()
        optimizer.step()


def learn(
    module: torch.nn.Sequential,
    X: NDArray[np.float64],
    y: NDArray[np.int32],
    start: NDArray[np.float64],
    scale: float,
    train: TrainingLabels,
    select: TrainingLabels | None,
    doubt: float,
    schedule: Schedule,
    generator: torch.Generator,
    finish: Callable[[], Any],
) -> Course:
    """Fit start + scale * module(X)[:, y] to the labels, and leave `module` in its best state.

    That is the one of least loss on `select` among those that beat the start by `doubt` standard errors, the start if
    there is none; without select, the last.
    """
    labeled = np.flatnonzero(train.weight > 0)
    rows = torch.from_numpy(X).to(torch.float32)
    classes = torch.from_numpy(y).long()
    target = torch.from_numpy((train.mean - start) / scale).to(torch.float32)
    weight = torch.from_numpy(train.weight / train.weight[labeled].mean()).to(torch.float32)
    course = Course(module)

    def judge() -> None:
        values = start + scale * apply(module, X)[np.arange(y.size), y]
        if select is None:
            course.record(train.loss(values))
        else:
            course.record(train.loss(values), select.loss(values), lambda: select.beats(values, start, doubt))
        module.train()
        finish()

    judge()
    parameters = list(module.parameters())
    for batch, optimizer in schedule.batches(torch.from_numpy(labeled), parameters, generator, judge):
        predicted = module(rows[batch]).gather(1, classes[batch, None])[:, 0]
        (weight[batch] * (predicted - target[batch]) ** 2).mean().backward()
        optimizer.step()
    course.settle()
    return course
