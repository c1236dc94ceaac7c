"""How the towers of a datamodel net are trained: some training points by some validation points at a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastsa.amortize.datamodels.towers import Towers
from fastsa.amortize.training import Course, Schedule

_ROWS_PER_CHUNK = 4096
Labelled = tuple[NDArray[np.float64], NDArray[np.float64]]


def outputs(module: Towers, rows: NDArray[np.float64], validation_rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the module says of all pairs, as float64 [n, m]."""
    module.eval()
    on = torch.from_numpy(validation_rows).to(torch.float32)
    said = np.empty((rows.shape[0], validation_rows.shape[0]))
    with torch.no_grad():
        for begin in range(0, rows.shape[0], _ROWS_PER_CHUNK):
            part = slice(begin, begin + _ROWS_PER_CHUNK)
            said[part] = module(torch.from_numpy(rows[part]).to(torch.float32), on).numpy()
    return said


def learn(
    module: Towers,
    rows: NDArray[np.float64],
    validation_rows: NDArray[np.float64],
    start: NDArray[np.float64],
    scale: float,
    train: Labelled,
    select: Labelled | None,
    doubt: float,
    schedule: Schedule,
    points_per_step: int,
    generator: torch.Generator,
    finish: Callable[[], Any],
) -> Course:
    """Fit start + scale * module to labels (mean [n, m], weight [n]), and leave the module in its best state.

    That is the one of least loss on `select` among those that beat the start by `doubt` standard errors, the start if
    there is none; without select, the last.
    """
    mean, weight = train
    of, on = (torch.from_numpy(x).to(torch.float32) for x in (rows, validation_rows))
    target = torch.from_numpy((mean - start) / scale).to(torch.float32)
    labelled = np.flatnonzero(weight > 0)
    share = torch.from_numpy(weight / weight[labelled].mean()).to(torch.float32)
    course = Course(module)

    def judge() -> None:
        values = start + scale * outputs(module, rows, validation_rows)
        if select is None:
            course.record(_loss(values, train))
        else:
            course.record(_loss(values, train), _loss(values, select), lambda: _beats(values, start, select, doubt))
        module.train()
        finish()

    judge()
    m = validation_rows.shape[0]
    for batch, optimizer in schedule.batches(torch.from_numpy(labelled), list(module.parameters()), generator, judge):
        columns = torch.randperm(m, generator=generator)[:points_per_step] if m > points_per_step else torch.arange(m)
        error = module(of[batch], on[columns]) - target[batch][:, columns]
        (share[batch, None] * error**2).mean().backward()
        optimizer.step()
    course.settle()
    return course


def _loss(values: NDArray[np.float64], labels: Labelled) -> float:
    """Mean squared error over all pairs, points weighted."""
    mean, weight = labels
    return float(np.average(((values - mean) ** 2).mean(axis=1), weights=weight))


def _beats(new: NDArray[np.float64], old: NDArray[np.float64], labels: Labelled, doubt: float) -> bool:
    """Whether the loss of `new` is below that of `old` by `doubt` standard errors, taken over training points."""
    mean, weight = labels
    share = weight / weight.sum()
    less = ((old - mean) ** 2 - (new - mean) ** 2).mean(axis=1)
    gain = float(share @ less)
    return gain > doubt * float(np.sqrt(share**2 @ (less - gain) ** 2))
