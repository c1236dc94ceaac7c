"""How large the errors of predictions and labels are: pooled over groups of cells, because an item's own would bias."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.labels import Labels
from fastsa.metrics.independence import shares_all_draws, units

_CELLS_PER_GROUP = 250
_MOST_GROUPS = 10
_CAUTION = (3.0, 12.0)
_SMALL_GAIN = 0.05
_LEAST_SIZE = 1e-3  # of all errors together, so that no cell counts for all
_AS_STUDENT = (1 + 1.96**2) / 4  # t^2 / 1.96^2 = 1 + this * variance of a variance / its square, at the 95 % level


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
    """The mean squared error of predictions, per cell: `cautious`, for weights, and `likely`, for standard errors."""

    cautious: NDArray[np.float64]
    likely: NDArray[np.float64]

    def weight(self, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """cautious / (cautious + noise): 1 for exact labels, 0 for infinite noise or where nothing shows an error."""
        total = self.cautious + noise
        share = np.divide(self.cautious, total, out=np.zeros(total.shape), where=np.isfinite(total) & (total > 0))
        return np.where(noise == 0, 1.0, share)


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

    Cells count by the inverse of their estimate's variance, (error + noise)^2. The group's mean is drawn to that of its
    output by the share of its variance that is chance. `cautious` is that mean m less c stderr^2 / m, at least 0: nothing
    below sqrt(c) standard errors. c is 3, and up to 12 where that gives up only labels that could take less than 5 % off
    the error. `likely` is the expectation of m given that it is not negative (a normal cut off at 0), widened as Student's
    t widens an interval whose variance is estimated.
    """
    labeled = np.isfinite(noise)
    noise = np.where(labeled, noise, 0.0)
    unit = float(np.mean(noise) + np.mean(np.abs(squared)))
    if unit == 0:
        return ErrorSize(np.zeros(squared.shape), np.zeros(squared.shape))
    squared, noise = squared / unit, noise / unit
    size = np.ones(squared.shape)
    for _ in range(2):
        weights = np.where(labeled, (size + noise) ** -2.0, 0.0)
        mean, variance = _means(squared, weights, cells)
        size = np.maximum(mean, _LEAST_SIZE)[cells.pool]
    mean, variance = _drawn_together(mean, variance, cells.output)
    total = cells.sums(weights)
    small = _SMALL_GAIN * np.divide(cells.sums(weights * noise), total, out=np.zeros(mean.size), where=total > 0)
    caution = np.clip(np.divide(small**2, variance, out=np.zeros(mean.size), where=variance > 0), *_CAUTION)
    cautious = np.maximum(mean - caution * np.divide(variance, mean, out=np.zeros(mean.size), where=mean > 0), 0.0)
    likely = _cut_off(mean, np.sqrt(variance))
    likely += _AS_STUDENT * np.divide(variance, likely, out=np.zeros(mean.size), where=likely > 0)
    return ErrorSize(unit * cautious[cells.pool], unit * likely[cells.pool])


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


def _drawn_together(
    mean: NDArray[np.float64], variance: NDArray[np.float64], output: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The means of the groups of an output, drawn to their common mean as far as chance explains how they differ.

    Only what passes the differences that chance makes by two standard errors of a chi-square counts as their own.
    """
    drawn, spread = mean.copy(), variance.copy()
    for o in np.unique(output):
        own = output == o
        if own.sum() < 2:
            continue
        common, of_common = mean[own].mean(), variance[own].mean() / own.sum()
        chance = variance[own].mean() * (1 + 2 * np.sqrt(2 / (own.sum() - 1)))
        between = max(0.0, float(mean[own].var(ddof=1) - chance))
        share = between / (between + variance[own]) if between > 0 else np.zeros(own.sum())
        drawn[own] = common + share * (mean[own] - common)
        spread[own] = share * variance[own] + (1 - share) * of_common
    return drawn, spread


def _cut_off(mean: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """The expectation of a normal number given that it is above 0."""
    cut = np.maximum(mean, 0.0)
    for i in np.flatnonzero(spread > 0):
        a = max(mean[i] / spread[i], -30.0)
        density, above = np.exp(-(a**2) / 2) / np.sqrt(2 * np.pi), erfc(-a / np.sqrt(2)) / 2
        cut[i] = spread[i] * (a + density / above)
    return cut
