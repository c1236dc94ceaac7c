"""What is told of a pair of points before anything is learned: how alike they are in features, classes and residuals."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.classifiers import Classifiers, classifiers_of_random_parts
from fastsa.amortize.principal_axes import principal_axes
from fastsa.ops import permutations

_MOST_AXES = 64
_LANDMARKS = 1000
_WIDTHS = (0.01, 0.05, 0.2)


class PointInputs(NamedTuple):
    """Of one side: z [n, k], y int32 [n], residual [n, n_classes], widths [n, 3], and their row for a tower [n, ...]."""

    z: NDArray[np.float64]
    y: NDArray[np.int32]
    residual: NDArray[np.float64]
    widths: NDArray[np.float64]

    @property
    def row(self) -> NDArray[np.float64]:
        """Features, class and residual side by side, for a tower."""
        classes = np.eye(self.residual.shape[1])[self.y]
        return np.concatenate([self.z, classes, self.residual], axis=1)

    def take(self, rows: slice) -> PointInputs:
        return PointInputs(*(part[rows] for part in self))


@dataclass(frozen=True)
class PairInputs:
    """Inputs of a pair (training point, validation point), from the points alone.

    center, axes : the leading principal axes of the features, at most 64, all centred features having mean squared norm 1
    coefficients, present : logistic classifiers on random parts of the pool (see `InfluenceStart`)
    landmarks : up to 1,000 points of the pool, by whose distances a validation point knows what is near

    With residuals e_y - p(x), a step of softmax regression on the training point changes the log-likelihood of the
    validation point by their product times that of the features, to first order (influence functions: Koh and Liang, ICML
    2017; TracIn: Pruthi et al., NeurIPS 2020). With s = 1 for equal classes, r the product of residuals, g the Gaussian
    kernels of the distance under three widths, quantiles of the validation point's own distances to the landmarks, the
    inputs are 1, z.z', and each g, times 1, s and r.
    """

    center: NDArray[np.float64]
    axes: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    present: NDArray[np.bool_]
    landmarks: NDArray[np.float64]

    @staticmethod
    def fit(X: NDArray[np.float64], y: NDArray[np.int32], *, n_classes: int, seed: int) -> PairInputs:
        center, axes = principal_axes(X, _MOST_AXES)
        z = (X - center) @ axes
        classifiers = classifiers_of_random_parts(z, y, n_classes, seed)
        chosen = np.sort(permutations(y.size, 1, seed=seed)[0][:_LANDMARKS])
        return PairInputs(center, axes, classifiers.coefficients, classifiers.present, np.ascontiguousarray(z[chosen]))

    @property
    def n_columns(self) -> int:
        return 3 * (2 + len(_WIDTHS))

    def points(self, X: NDArray[np.float64], y: NDArray[np.int32]) -> PointInputs:
        z = (X - self.center) @ self.axes
        residual = -Classifiers(self.coefficients, self.present).probabilities(z)
        residual[np.arange(y.size), y] += 1.0
        near = np.quantile(squared_distances(z, self.landmarks), _WIDTHS, axis=1).T
        return PointInputs(z, y, residual, np.maximum(near, 1e-12))

    def pairs(self, of: PointInputs, on: PointInputs) -> NDArray[np.float64]:
        """float64 [n, m, columns], for training points `of` and validation points `on`."""
        distance = squared_distances(of.z, on.z)
        near = [np.ones_like(distance), of.z @ on.z.T]
        near += [np.exp(-distance / on.widths[:, width]) for width in range(len(_WIDTHS))]
        same = (of.y[:, None] == on.y).astype(np.float64)
        residual = of.residual @ on.residual.T
        return np.stack([weight * one for weight in (1.0, same, residual) for one in near], axis=2)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that `of_arrays` needs."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def of_arrays(arrays: dict[str, NDArray[np.generic]]) -> PairInputs:
        return PairInputs(**arrays)


def squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, m]; of centred points, so that products lose little."""
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * (a @ b.T), 0.0)
