"""Labels as a network trains on them: checked, one value and one weight per point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.sample_weights import checked_weights


@dataclass(frozen=True)
class TrainingLabels:
    """mean float64 [n], 0 where there is no sample, and weight float64 [n], the count."""

    mean: NDArray[np.float64]
    weight: NDArray[np.float64]

    @staticmethod
    def of(name: str, labels: Any, n: int) -> TrainingLabels:
        """Read `labels.mean` [n, 1], `.count` [n] and `.stderr` [n, 1]; ValueError or TypeError for anything else."""
        missing = [attribute for attribute in ("mean", "count", "stderr") if not hasattr(labels, attribute)]
        if missing:
            raise TypeError(f"{name} is a {type(labels).__name__} without .{missing[0]}; expected fastsa.Labels.")
        mean, count = np.asarray(labels.mean), np.asarray(labels.count)
        for what, array in (("mean", mean), ("stderr", np.asarray(labels.stderr))):
            if array.shape != (n, 1):
                raise ValueError(f"{name}.{what} has shape {array.shape}; expected ({n}, 1), one value per point of X.")
        if count.dtype.kind not in "iu":
            raise TypeError(f"{name}.count has dtype {count.dtype}; expected integers.")
        if count.shape != (n,) or count.min() < 0:
            raise ValueError(f"{name}.count has shape {count.shape}; expected ({n},), samples per point, none below 0.")
        labeled = count > 0
        if labeled.sum() < 2:
            raise ValueError(f"{name} has samples for {labeled.sum()} points; expected at least 2 to learn from.")
        mean = np.where(labeled, mean[:, 0], 0.0)
        if not np.isfinite(mean).all():
            place = int(np.flatnonzero(~np.isfinite(mean))[0])
            raise ValueError(f"{name}.mean[{place}] is {mean[place]}; expected finite numbers where count is above 0.")
        return TrainingLabels(mean, count.astype(np.float64))

    def weighted(self, weights: Any) -> TrainingLabels:
        """The same with other weights than counts, [n]; None leaves counts."""
        given = checked_weights(weights, self.weight.shape)
        return self if given is None else TrainingLabels(self.mean, np.where(self.weight > 0, given, 0.0))

    @property
    def center(self) -> float:
        return float(np.average(self.mean, weights=self.weight))

    @property
    def spread(self) -> float:
        """The standard deviation of the means, weighted by count; 0 when they are constant up to rounding."""
        deviation = float(np.sqrt(np.average((self.mean - self.center) ** 2, weights=self.weight)))
        return deviation if deviation > 1e-12 * abs(self.center) else 0.0

    def loss(self, values: NDArray[np.float64]) -> float:
        """Mean squared error of `values` [n], weighted by count."""
        return float(np.average((values - self.mean) ** 2, weights=self.weight))

    def beats(self, new: NDArray[np.float64], old: NDArray[np.float64], doubt: float) -> bool:
        """Whether the loss of `new` is below that of `old` by more than `doubt` standard errors of the difference."""
        share = self.weight / self.weight.sum()
        less = (old - self.mean) ** 2 - (new - self.mean) ** 2
        gain = float(share @ less)
        return gain > doubt * float(np.sqrt(share**2 @ (less - gain) ** 2))
