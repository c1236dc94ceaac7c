"""The two training loops of a valuation net: as a classifier, then on the labels; loaded only when one is fitted."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastsa.amortize.networks import apply, linear
from fastsa.amortize.training_labels import TrainingLabels


@dataclass(frozen=True)
class Schedule:
    """Adam with cosine decay to 0 over `epochs` passes in batches of `batch_size`."""

    epochs: int
    learning_rate: float
    batch_size: int

    def batches(
        self,
        rows: torch.Tensor,
        parameters: list[torch.nn.Parameter],
        generator: torch.Generator,
        finish: Callable[[], Any],
    ) -> Iterator[tuple[torch.Tensor, torch.optim.Optimizer]]:
        """Shuffled batches of `rows`, each with an optimizer to step; `finish` is called after every epoch."""
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate, foreach=True)
        steps = self.epochs * -(-rows.numel() // self.batch_size)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
        for _ in range(self.epochs):
            for batch in rows[torch.randperm(rows.numel(), generator=generator)].split(self.batch_size):
                optimizer.zero_grad(set_to_none=True)
                yield batch, optimizer
                decay.step()
            finish()


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


@dataclass
class Course:
    """What training on labels left behind: losses per epoch, 0 being before any step, and the epoch that is kept."""

    train: list[float]
    select: list[float]
    best_epoch: int


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
    course, kept = Course([], [], 0), copy.deepcopy(module.state_dict())

    def judge() -> None:
        nonlocal kept
        values = start + scale * apply(module, X)[np.arange(y.size), y]
        course.train.append(train.loss(values))
        if select is not None:
            course.select.append(select.loss(values))
        if select is None or (
            course.select[-1] < course.select[course.best_epoch] and select.beats(values, start, doubt)
        ):
            course.best_epoch, kept = len(course.train) - 1, copy.deepcopy(module.state_dict())
        module.train()
        finish()

    judge()
    parameters = list(module.parameters())
    for batch, optimizer in schedule.batches(torch.from_numpy(labeled), parameters, generator, judge):
        predicted = module(rows[batch]).gather(1, classes[batch, None])[:, 0]
        (weight[batch] * (predicted - target[batch]) ** 2).mean().backward()
        optimizer.step()
    module.load_state_dict(kept)
    module.eval()
    return course
