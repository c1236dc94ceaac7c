"""How large the errors of predictions and labels are: pooled over groups of cells, because an item's own would bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.labels import Labels
from fastsa.metrics.independence import shares_all_draws, units

_CELLS_PER_GROUP = 250
_MOST_GROUPS = 10
_LEAST_SIZE = 1e-3  # of all errors together, so that no cell counts for all
_LEAST_SHARE, _MOST_SHARE = 5e-3, 20.0  # of (l - p)^2: sizes of errors that are thought possible
_STEP = 0.1  # of log sizes
_UNDERFLOW = 1e-300  # the likelihood of what a group rules out
_POWERS, _SPREADS = (0.0, 1.0), (0.0, 1.0)


@dataclass(frozen=True)
class Cells:
    """Where every cell and output stands: pool int [*shape], groups of each output apart; unit int [*shape], independent."""

    pool: NDArray[np.int64]
    unit: NDArray[np.int64]

    @staticmethod
    def of(labels: Labels, groups: Any) -> Cells:
        """Raises ValueError or TypeError for groups that are no integers of a shape that fits the labels."""
        groups = np.asarray(groups)
        shape = labels.mean.shape
        if groups.dtype.kind not in "iu":
            raise TypeError(f"groups have dtype {groups.dtype}; expected integers.")
        try:
            full = np.broadcast_to(groups if groups.ndim == len(shape) else groups[..., None], shape)
        except ValueError:
            raise ValueError(
                f"groups have shape {groups.shape}; expected one that broadcasts to {shape[:-1]}."
            ) from None
        compact = np.unique(full, return_inverse=True)[1].reshape(shape)
        pool = np.unique(compact * shape[-1] + np.arange(shape[-1]), return_inverse=True)[1].reshape(shape)
        of_item = np.arange(labels.ids.size) if shares_all_draws(labels) else units(labels)
        return Cells(pool, np.broadcast_to(of_item.reshape(-1, *[1] * (len(shape) - 1)), shape))

    @property
    def output(self) -> NDArray[np.int64]:
        """The output [pools] that every pool is of."""
        of_pool = np.zeros(int(self.pool.max()) + 1, np.int64)
        of_pool[self.pool] = np.arange(self.pool.shape[-1])
        return of_pool

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums [pools] of the cells of each pool."""
        return np.bincount(self.pool.ravel(), weights=values.ravel())


@dataclass(frozen=True)
class ErrorSize:
    """What is known of tau^2, the mean squared error of predictions, per cell: expectations given the labels.

    mean : of tau^2; inverse : of 1 / tau^2; likely : for standard errors of corrected values, of tau^2 where all sizes, and not
    all orders of size, are as probable beforehand; widest : for intervals that stand on tau^2 alone, E tau^4 / E tau^2 then, a
    mean and its variance over it. What is not known must widen an interval, as Student's t does.
    """

    mean: NDArray[np.float64]
    inverse: NDArray[np.float64]
    likely: NDArray[np.float64]
    widest: NDArray[np.float64]

    def weight(self, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weight w of labels of variance s^2 whose error is expected to exceed the least by the smallest factor.

        E (w^2 s^2 + (1 - w)^2 tau^2) (1 / tau^2 + 1 / s^2) is least at w = A / (A + B) with A = s^2 + E tau^2 and
        B = s^2 (1 + s^2 E 1 / tau^2): tau^2 / (tau^2 + s^2) where tau^2 is known, and near 0 where it may be next to
        nothing. 1 for exact labels, 0 for infinite noise.
        """
        known = np.where(np.isfinite(noise), noise, 0.0)
        for_label, against = known + self.mean, known * (1 + known * self.inverse)
        total = for_label + against
        share = np.divide(for_label, total, out=np.ones(total.shape), where=total > 0)
        return np.where(noise == 0, 1.0, np.where(np.isfinite(noise), share, 0.0))


def prediction_groups(predictions: NDArray[np.float64], labels: Labels) -> NDArray[np.int64]:
    """Quantile groups of the predictions of each output, about 250 cells each and at most 10: known without the labels."""
    flat = predictions.reshape(-1, predictions.shape[-1])
    wanted = int(np.clip(flat.shape[0] // _CELLS_PER_GROUP, 1, _MOST_GROUPS))
    inner = np.arange(1, wanted) / wanted
    columns = [np.searchsorted(np.quantile(column, inner), column, side="right") for column in flat.T]
    return np.stack(columns, axis=-1).reshape(predictions.shape)


def label_noise(labels: Labels, cells: Cells) -> NDArray[np.float64]:
    """The variance of every label: that of one sample, pooled over its group, over its count; infinite without samples.

    Raises ValueError where no cell has two samples, so that nothing shows the noise.
    """
    count = np.broadcast_to(labels.count[..., None], labels.mean.shape).astype(np.float64)
    freedom = np.where(np.isfinite(labels.variance), np.maximum(count - 1, 0), 0.0)
    squares = np.where(freedom > 0, freedom * labels.variance, 0.0)
    if not freedom.any():
        raise ValueError(
            "no label has two samples, so that their noise is unknown; draw at least 2 samples of some items."
        )
    own_freedom, own_squares = cells.sums(freedom), cells.sums(squares)
    pooled = np.full(own_freedom.size, squares.sum() / freedom.sum())  # of all, where a group has single samples only
    one = np.divide(own_squares, own_freedom, out=pooled, where=own_freedom > 0)[cells.pool]
    return np.divide(one, count, out=np.full(count.shape, np.inf), where=count > 0)


def error_size(squared: NDArray[np.float64], noise: NDArray[np.float64], cells: Cells) -> ErrorSize:
    """The size of the error that `squared` [*shape] estimates cell by cell without bias, pooled.

    Cells count by the inverse of their estimate's variance, (error + noise)^2. With m the mean of a group g, s^2 its noise
    and V the variance of m over independent units, D = m + s^2 is taken for a multiple of a chi-square of 2 D^2 / V degrees
    of freedom (Satterthwaite 1946), at most one per cell, and of mean tau_g^2 + s^2. The groups of an output are bound
    together by log tau_g^2 = log t + b log s^2 + omega z, z normal: with b = 0 they have errors of one size, with b = 1 of
    one ratio to the noise, with omega = 0 exactly and with 1 up to their order. Nothing is known of t, b and omega
    beforehand (log t is uniform); expectations are over all that they may be, weighted by how well they explain the labels,
    with tau_g^2 between 0.005 and 20 of D (the lower end decides how readily weights leave 0). Groups without noise keep m.
    """
    labeled = np.isfinite(noise)
    noise = np.where(labeled, noise, 0.0)
    unit = float(np.mean(noise) + np.mean(np.abs(squared)))
    if unit == 0:
        nothing = np.zeros(squared.shape)
        return ErrorSize(nothing, nothing, nothing, nothing)
    squared, noise = squared / unit, noise / unit
    size = np.ones(squared.shape)
    for _ in range(2):
        weights = np.where(labeled, (size + noise) ** -2.0, 0.0)
        mean, variance = _means(squared, weights, cells)
        size = np.maximum(mean, _LEAST_SIZE)[cells.pool]
    total = cells.sums(weights)
    noises = np.divide(cells.sums(weights * noise), total, out=np.zeros(mean.size), where=total > 0)
    whole = np.maximum(mean + noises, noises / 2)
    most = cells.sums(labeled.astype(np.float64)) / 2
    shape = np.minimum(most, np.divide(whole**2, variance, out=most.copy(), where=variance > 0))
    own_mean = np.maximum(mean, 0.0)
    found = np.stack([own_mean, np.zeros(mean.size), own_mean, own_mean])
    for output in range(squared.shape[-1]):
        own = (cells.output == output) & (noises > 0)
        if own.any():
            found[:, own] = _expected(whole[own], noises[own], shape[own])
    of_cells = found[:, cells.pool]
    return ErrorSize(unit * of_cells[0], of_cells[1] / unit, unit * of_cells[2], unit * of_cells[3])


def _expected(
    whole: NDArray[np.float64], noise: NDArray[np.float64], shape: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The fields of ErrorSize [4, groups] for the groups of an output; `whole` is D, `shape` half its degrees of freedom."""
    evidence, levels, moments = [], [], []
    for power in _POWERS:
        unit = (noise / noise.max()) ** power
        logs = np.log(whole / unit)
        grid = np.arange(logs.min() + np.log(_LEAST_SHARE), logs.max() + np.log(_MOST_SHARE), _STEP)
        size = np.clip(unit[:, None] * np.exp(grid), _LEAST_SHARE * whole[:, None], _MOST_SHARE * whole[:, None])
        ratio = whole[:, None] / (size + noise[:, None])
        density = shape[:, None] * (np.log(ratio) - ratio)
        density = np.exp(density - density.max(axis=1, keepdims=True))
        for spread in _SPREADS:
            prior = np.exp(-0.5 * ((grid[:, None] - grid) / max(spread, _STEP / 10)) ** 2)
            prior /= prior.sum(axis=0)
            likelihood = density @ prior + _UNDERFLOW
            evidence.append(np.log(likelihood).sum(axis=0))
            levels.append(grid)
            moments.append(np.stack([(density * size) @ prior, (density / size) @ prior]) / likelihood)
    by_order, all_moments = np.concatenate(evidence), np.concatenate(moments, axis=2)
    level = np.concatenate(levels)
    mean, inverse = all_moments @ _shares(by_order)
    likely, widest = (all_moments[0] @ _shares(by_order + power * level) for power in (1, 2))
    return np.stack([mean, inverse, likely, widest])


def _shares(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(logs - logs.max())
    return shares / shares.sum()


def _means(
    squared: NDArray[np.float64], weights: NDArray[np.float64], cells: Cells
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean of every pool, and its variance over independent units."""
    total = cells.sums(weights)
    total = np.where(total > 0, total, np.nan)
    mean = np.nan_to_num(cells.sums(weights * squared) / total)
    residual = weights * (squared - mean[cells.pool])
    n_units = int(cells.unit.max()) + 1
    by_unit = np.bincount(
        (cells.pool * n_units + cells.unit).ravel(), weights=residual.ravel(), minlength=mean.size * n_units
    )
    variance = (by_unit.reshape(mean.size, n_units) ** 2).sum(axis=1) / total**2
    return mean, np.nan_to_num(variance)
