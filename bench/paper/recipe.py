"""The paper's valuation network (section 5.2, appendix F): a classifier of the points first, then trained on their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import fastsa
from fastsa.amortize import ValuationNet
from fastsa.planning import ItemLabels


def pretrained(X: np.ndarray, y: np.ndarray, *, n_classes: int, **network: Any) -> Any:
    """The layers of a ValuationNet after it has learned to classify (X, y); `network` are its arguments."""
    n = y.size
    nothing = ItemLabels(np.zeros((n, 1)), np.zeros((n, 1)), np.ones(n, np.int64), None, None)
    return ValuationNet(start="constant", epochs=0, **network).fit(X, y, nothing, n_classes=n_classes).module_[0]


@dataclass(frozen=True)
class Recipe:
    """What the paper tries, and by what it chooses: the grid's network of least loss on labels of role select.

    grid : pairs of epochs and learning rate.
    net : of ValuationNet.
    """

    grid: tuple[tuple[int, float], ...]
    batch_size: int
    pretrain_epochs: int = 20
    net: Any = "mlp"

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        train: fastsa.Labels,
        select: fastsa.Labels | None,
        *,
        n_classes: int,
        seed: int,
    ) -> ValuationNet:
        """The chosen network; without select, the first of the grid, to its end."""
        shared = {"seed": seed, "batch_size": self.batch_size, "n_threads": 1 if self.net == "mlp" else None}
        body = pretrained(X, y, n_classes=n_classes, net=self.net, pretrain_epochs=self.pretrain_epochs, **shared)
        nets = [
            ValuationNet(
                body, start="constant", pretrain_epochs=0, epochs=epochs, learning_rate=learning_rate, **shared
            ).fit(X, y, train, select=select, n_classes=n_classes)
            for epochs, learning_rate in self.grid[: 1 if select is None else None]
        ]
        return nets[0] if select is None else min(nets, key=lambda net: net.history_["select"][net.best_epoch_])


TABULAR = Recipe(grid=((10, 5e-4), (30, 5e-4), (50, 5e-4)), batch_size=32)
# Of CIFAR-10; the paper's network is of the images.
CIFAR = Recipe(grid=((10, 1e-3), (10, 2e-4), (30, 1e-3), (30, 2e-4)), batch_size=256)
