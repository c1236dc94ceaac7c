"""How networks are trained: batches under a schedule, and the best epoch kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

DECAYS = ("cosine", "linear")


@dataclass(frozen=True)
class Schedule:
    """Adam over `epochs` passes in batches of `batch_size`, its rate decaying to 0; AdamW with a weight decay."""

    epochs: int
    learning_rate: float
    batch_size: int
    decay: str = "cosine"
    weight_decay: float | None = None

    def batches(
        self,
        rows: torch.Tensor | Callable[[], torch.Tensor],
        parameters: list[torch.nn.Parameter],
        generator: torch.Generator,
        finish: Callable[[], Any],
    ) -> Iterator[tuple[torch.Tensor, torch.optim.Optimizer]]:
        """Shuffled batches of `rows`, each with an optimizer to step; `finish` is called after every epoch.

        Rows given as a function are asked for anew at the start of each epoch.
        """
        if self.weight_decay is None:
            optimizer: torch.optim.Optimizer = torch.optim.Adam(parameters, lr=self.learning_rate, foreach=True)
        else:
            optimizer = torch.optim.AdamW(
                parameters, lr=self.learning_rate, weight_decay=self.weight_decay, foreach=True
            )
        for epoch in range(self.epochs):
            now = rows() if callable(rows) else rows
            parts = now[torch.randperm(now.numel(), generator=generator)].split(self.batch_size)
            for step, batch in enumerate(parts):
                for group in optimizer.param_groups:
                    group["lr"] = self.learning_rate * self._left((epoch + step / len(parts)) / self.epochs)
                optimizer.zero_grad(set_to_none=True)
                yield batch, optimizer
            finish()

    def _left(self, done: float) -> float:
        """The share of the learning rate that is left when a share of the steps is done."""
        return 1.0 - done if self.decay == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))


class Course:
    """Losses of `module` per epoch, 0 being before any step, and its best state.

    That is the one of least select loss, or the last where there is none.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self.train: list[float] = []
        self.select: list[float] = []
        self.best_epoch = 0
        self._module = module
        self._kept = copy.deepcopy(module.state_dict())

    def record(self, train: float, select: float | None = None, convincing: Callable[[], bool] = lambda: True) -> None:
        """An epoch has ended with these losses; a lower select loss counts only where it is `convincing`."""
        self.train.append(train)
        if select is not None:
            self.select.append(select)
        if select is None or (select < self.select[self.best_epoch] and convincing()):
            self.best_epoch = len(self.train) - 1
            self._kept = copy.deepcopy(self._module.state_dict())

    def settle(self) -> None:
        """Leave the module in its best state, for evaluation."""
        self._module.load_state_dict(self._kept)
        self._module.eval()

    @property
    def history(self) -> dict[str, NDArray[np.float64]]:
        return {"train": np.array(self.train), "select": np.array(self.select)}
