"""Running moments: count, mean and sum of squared deviations per cell, taken one contribution at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core


@dataclass
class Moments:
    """Sufficient statistics of a mean and its variance (Welford 1962; merged by Chan, Golub and LeVeque 1979).

    count      int64 [*cells]: one axis of items, or axes of items and players
    mean       float64 [*cells, outputs]
    deviation  float64 [*cells, outputs], the sum of squared deviations from the mean

    >>> import fastsa, numpy as np
    >>> moments = fastsa.ops.Moments.zeros((1,), 1)
    >>> values = np.array([[0.0], [3.0], [5.0]])
    >>> zero = np.zeros(2, np.int64)
    >>> moments.add(values, cells=zero, after=np.array([1, 2]), before=zero)
    >>> moments.mean.item(), moments.deviation.item()
    (4.0, 2.0)
    """

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @staticmethod
    def zeros(cells: tuple[int, ...], outputs: int) -> Moments:
        return Moments(np.zeros(cells, np.int64), np.zeros((*cells, outputs)), np.zeros((*cells, outputs)))

    def copy(self) -> Moments:
        return Moments(self.count.copy(), self.mean.copy(), self.deviation.copy())

    def add(
        self,
        values: NDArray[np.float64],
        *,
        cells: NDArray[np.int64],
        after: NDArray[np.int64],
        before: NDArray[np.int64],
    ) -> None:
        """Add the contributions values[after[c]] - values[before[c]] of cell cells[c], in their order, in place.

        A cell is named by its place in the flattened count.
        """
        _checks.exact("values", values, np.float64, 2)
        for name, index, bound in (
            ("cells", cells, self.count.size),
            ("after", after, values.shape[0]),
            ("before", before, values.shape[0]),
        ):
            _checks.exact(name, index, np.int64, 1)
            if index.shape != cells.shape:
                raise ValueError(f"{name} has shape {index.shape}; expected {cells.shape}, one per contribution.")
            if index.size and not (index.min() >= 0 and index.max() < bound):
                raise ValueError(f"{name} reach from {index.min()} to {index.max()}; expected 0 to {bound - 1}.")
        outputs = self.mean.shape[-1]
        if values.shape[1] != outputs:
            raise ValueError(f"values have {values.shape[1]} outputs; expected {outputs}.")
        flat = self.count.reshape(-1), self.mean.reshape(-1, outputs), self.deviation.reshape(-1, outputs)
        _core.add_contributions(*flat, values, cells, after, before, np.zeros(1, np.int32))

    def take(self, items: Any) -> Moments:
        """A copy of the moments of these items: places on the first axis."""
        return Moments(self.count[items], self.mean[items], self.deviation[items])

    def put(self, items: Any, part: Moments) -> None:
        """Overwrite the moments of these items."""
        self.count[items], self.mean[items], self.deviation[items] = part.count, part.mean, part.deviation

    def beside(self, *others: Moments) -> Moments:
        """The items of all, these first."""
        return Moments(*(np.concatenate([a, *(vars(o)[name] for o in others)]) for name, a in vars(self).items()))

    def table(self) -> NDArray[np.float64]:
        """[items, columns]: counts, means, sums of squared deviations."""
        items = self.count.shape[0]
        return np.concatenate([a.reshape(items, -1) for a in (self.count, self.mean, self.deviation)], axis=1)

    def fill(self, table: NDArray[np.float64]) -> None:
        """Overwrite with what `table` gave."""
        cells, numbers = self.count[0].size, self.mean[0].size
        count, mean, deviation = np.split(table, [cells, cells + numbers], axis=1)
        self.count = count.astype(np.int64).reshape(self.count.shape)
        self.mean, self.deviation = mean.reshape(self.mean.shape).copy(), deviation.reshape(self.mean.shape).copy()

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of contributions together; equal to adding them in turn within 1e-12."""
        total = self.count + other.count
        share = np.divide(other.count, total, out=np.zeros(total.shape), where=total > 0)[..., None]
        shift = other.mean - self.mean
        return Moments(
            total,
            self.mean + share * shift,
            self.deviation + other.deviation + shift**2 * share * self.count[..., None],
        )

    def variance(self) -> NDArray[np.float64]:
        """The unbiased sample variance of one contribution [*cells, outputs]; NaN below two contributions."""
        freedom = self.count[..., None] - 1.0
        return np.divide(self.deviation, freedom, out=np.full(self.mean.shape, np.nan), where=freedom > 0)
