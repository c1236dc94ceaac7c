"""Running moments: count, mean and sum of squared deviations per item, taken one contribution at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core


@dataclass
class Moments:
    """Sufficient statistics of a mean and its variance (Welford 1962; merged by Chan, Golub and LeVeque 1979).

    count      int64 [items]
    mean       float64 [items, outputs]
    deviation  float64 [items, outputs], the sum of squared deviations from the mean

    >>> import fastsa, numpy as np
    >>> moments = fastsa.ops.Moments.zeros(1, 1)
    >>> values = np.array([[0.0], [3.0], [5.0]])
    >>> zero = np.zeros(2, np.int64)
    >>> moments.add(values, items=zero, after=np.array([1, 2]), before=zero)
    >>> moments.mean.item(), moments.deviation.item()
    (4.0, 2.0)
    """

    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @staticmethod
    def zeros(items: int, outputs: int) -> Moments:
        return Moments(
            np.zeros(items, np.int64), np.zeros((items, outputs), np.float64), np.zeros((items, outputs), np.float64)
        )

    def copy(self) -> Moments:
        return Moments(self.count.copy(), self.mean.copy(), self.deviation.copy())

    def add(
        self,
        values: NDArray[np.float64],
        *,
        items: NDArray[np.int64],
        after: NDArray[np.int64],
        before: NDArray[np.int64],
    ) -> None:
        """Add the contributions values[after[c]] - values[before[c]] of items[c], in their order, in place."""
        _checks.exact("values", values, np.float64, 2)
        for name, index, bound in (
            ("items", items, self.count.size),
            ("after", after, values.shape[0]),
            ("before", before, values.shape[0]),
        ):
            _checks.exact(name, index, np.int64, 1)
            if index.shape != items.shape:
                raise ValueError(f"{name} has shape {index.shape}; expected {items.shape}, one per contribution.")
            if index.size and not (index.min() >= 0 and index.max() < bound):
                raise ValueError(f"{name} reach from {index.min()} to {index.max()}; expected 0 to {bound - 1}.")
        if values.shape[1] != self.mean.shape[1]:
            raise ValueError(f"values have {values.shape[1]} outputs; expected {self.mean.shape[1]}.")
        _core.add_contributions(
            self.count, self.mean, self.deviation, values, items, after, before, np.zeros(1, np.int32)
        )

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of contributions together; equal to adding them in turn within 1e-12."""
        total = self.count + other.count
        share = np.divide(other.count, total, out=np.zeros(total.shape), where=total > 0)[:, None]
        shift = other.mean - self.mean
        return Moments(
            total,
            self.mean + share * shift,
            self.deviation + other.deviation + shift**2 * share * self.count[:, None],
        )

    def variance(self) -> NDArray[np.float64]:
        """The unbiased sample variance of one contribution [items, outputs]; NaN below two contributions."""
        freedom = self.count[:, None] - 1.0
        return np.divide(self.deviation, freedom, out=np.full(self.mean.shape, np.nan), where=freedom > 0)
