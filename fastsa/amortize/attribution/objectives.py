"""What attribution nets minimise: squared errors to labels, or the Shapley regression on fresh coalitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from fastsa.amortize.attribution.labels import AttributionLabels
from fastsa.amortize.attribution.readout import Readout, norms
from fastsa.estimators.size_laws import shapley_kernel
from fastsa.games import ModelGame
from fastsa.ops import Lanes, Walks, subsets, unpack

_ITEMS_SCALED = 256


class Objective(Protocol):
    readout: Readout

    def rows(self) -> torch.Tensor:
        """The items to train on in the epoch that begins."""
        ...

    def loss(self, raw: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """The mean loss of what a network gives for these items."""
        ...


class ToLabels:
    """Mean over items and outputs of the sum over players of squared errors, weighted by count (Covert et al. 2024).

    Under "unit" scaling the sum of two losses: of the direction, |raw - label / |label||^2; and of the log norm,
    exp(log norm) - <direction, label> log norm. That product is unbiased for the length that fits best along the
    direction, where the norm of a noisy label is too long; and the loss, a Bregman divergence, is least at its mean, as
    squared error would be, but does not leave the long tail of norms to rule (both up to constants; Banerjee et al.,
    JMLR 2005).
    """

    def __init__(
        self,
        labels: AttributionLabels,
        totals: NDArray[np.float64] | None,
        shape: Readout,
        epochs: int = 1,
        measured: bool = False,
    ) -> None:
        """Unless `measured`, the unit and centre of the readout are set here, from the labels of the first epoch."""
        self._labels, self._epochs, self._epoch = labels, max(epochs, 1), 0
        self._total_values = totals
        labels.advance(1.0 / self._epochs)
        self.readout = shape if measured else _measured(labels, shape)
        self._take()

    def rows(self) -> torch.Tensor:
        self._epoch += 1
        if self._labels.advance(self._epoch / self._epochs):
            self._take()
        return torch.from_numpy(np.flatnonzero(self._labels.ready))

    def loss(self, raw: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        target, weight = self._target[items].to(raw.device), self._weight[items].to(raw.device)[..., None]
        if self.readout.scale == "unit":
            raw = self.readout.shaped(raw)
            towards = (weight * (raw[:, :-1] - target / norms(target)) ** 2).sum(dim=1)
            direction, log_norm = self.readout.parts(raw)
            length = (direction.detach() * target).sum(dim=1)
            return (towards + weight.mean(dim=1) * (log_norm.exp() - length * log_norm)).mean()
        totals = None if self._totals is None else self._totals[items].to(raw.device)
        return (weight * (self.readout.attributions(raw, totals) - target) ** 2).sum(dim=1).mean()

    def _take(self) -> None:
        """The labels as they are now, in the readout's unit."""
        ready = self._labels.ready
        self._target = torch.from_numpy((self._labels.mean / self.readout.unit).astype(np.float32))
        weight = self._labels.count / self._labels.count[ready].mean()
        self._weight = torch.from_numpy(weight.astype(np.float32))
        self._totals = None
        if self._total_values is not None:
            self._totals = torch.from_numpy((self._total_values / self.readout.unit).astype(np.float32))


class ToCoalitions:
    """The least squares that the Shapley value solves, on fresh coalitions (FastSHAP; Jethani et al., ICLR 2022).

    For every item of a batch, `coalitions` of the Shapley kernel, each with its complement; the loss is the mean of
    (v(S) - v(empty) - sum over S of phi)^2 over them and over outputs, phi being efficient.
    """

    def __init__(
        self,
        game: ModelGame,
        ends: NDArray[np.float64],
        shape: Readout,
        coalitions: int,
        seed: int,
        role: str,
        fresh: bool,
    ) -> None:
        """With `fresh` every call draws new coalitions; without, the same again."""
        self._game, self._pairs, self._seed, self._role, self._fresh = game, coalitions // 2, seed, role, fresh
        self._empty, self._all = ends[:, 0], np.arange(game.ids.size)
        self._next, self.evaluations = 0, 0
        self._law = shapley_kernel(game.n_players)
        self.readout = shape
        if fresh:
            _, above = self._draw(self._all[:_ITEMS_SCALED])
            spread = float(np.sqrt(np.mean(above**2) / game.n_players))
            self.readout = replace(shape, unit=spread if spread > 0 else 1.0)
        self._totals = torch.from_numpy(((ends[:, 1] - ends[:, 0]) / self.readout.unit).astype(np.float32))

    def rows(self) -> torch.Tensor:
        return torch.from_numpy(self._all)

    def loss(self, raw: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        members, above = self._draw(items.numpy())
        phi = self.readout.attributions(raw, self._totals[items].to(raw.device))
        inside = torch.from_numpy(members).to(phi) @ phi
        return ((torch.from_numpy(above / self.readout.unit).to(phi) - inside) ** 2).mean()

    def _draw(self, items: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """(members [items, coalitions, players], v(S) - v(empty) [items, coalitions, outputs])."""
        n, pairs = self._game.n_players, self._pairs
        samples = np.tile(np.arange(self._next, self._next + pairs), items.size).astype(np.uint32)
        self._next += pairs if self._fresh else 0
        ids = np.repeat(self._game.ids[items], pairs)
        bits = subsets(n, ids.size, sizes=self._law, ids=ids, samples=samples, seed=self._seed, role=self._role)
        first = unpack(bits, n)
        members = np.stack([first, ~first], axis=1).reshape(-1, n)
        lanes = Lanes(np.repeat(items, 2 * pairs), np.repeat(samples, 2), self._seed, self._role)
        values = self._game.walk(Walks.of_coalitions(members, lanes)).reshape(items.size, 2 * pairs, -1)
        self.evaluations += members.shape[0]
        return members.reshape(items.size, 2 * pairs, n), values - self._empty[items][:, None]


def _measured(labels: AttributionLabels, shape: Readout) -> Readout:
    """The readout in the unit of the labels: their spread about the mean, or their mean norm under "unit"."""
    ready = labels.ready
    mean, count = labels.mean[ready], labels.count[ready]
    if shape.scale == "unit":
        unit, center = float(np.linalg.norm(mean, axis=1).mean()), np.zeros(mean.shape[1:])
    else:
        center = np.average(mean, axis=0, weights=np.broadcast_to(count[..., None], mean.shape))
        if shape.bounded:
            center = np.zeros_like(center)
        unit = float(np.sqrt(np.mean((mean - center) ** 2)))
    unit = unit if unit > 1e-12 * float(np.abs(mean).max(initial=0.0)) else 1.0
    return replace(shape, unit=unit, center=torch.from_numpy((center / unit).astype(np.float32)))
