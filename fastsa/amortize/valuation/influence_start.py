"""The closed-form start of a valuation net: labels regressed on first-order influence."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.classifiers import Classifiers, classifiers_of_random_parts
from fastsa.amortize.principal_axes import principal_axes
from fastsa.amortize.ridge import leave_one_out_ridge

_COLUMNS = 640
_CONSTANT = 0.25
_ROWS_PER_CHUNK = 4096


@dataclass(frozen=True)
class InfluenceStart:
    """Values of a point under every class, linear in what a training step on it would do.

    A step of softmax regression on (x, y) moves the weights by (e_y - p(x)) z(x)^T, p the classifier's probabilities
    and z the features with a constant. To first order the value of the point is the product of that step with a
    gradient G [n_classes, k + 1] of the score, which nobody knows and the labels teach:

        value(x, y) = intercept + sum over c of p_c(x) u_c(x) - u_y(x),    u(x) = G z(x)

    (influence functions: Koh and Liang, ICML 2017, with the learner's inverse curvature left to G.) G is the ridge
    solution on the labels, weighted by count, its penalty chosen by leave-one-out error. p is the mean of 8 logistic
    classifiers, each fitted on min(n / 2, 500) random points: soft, as those of small coalitions are, and not certain
    of the classes it was given. z are the leading principal axes of the features, as many as keep n_classes * k <=
    640, so that the cost grows linearly with n. Features count in the units given, divided by one number.
    """

    center: NDArray[np.float64]
    axes: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    present: NDArray[np.bool_]
    gradient: NDArray[np.float64]
    intercept: NDArray[np.float64]

    @staticmethod
    def fit(
        features: NDArray[np.float64],
        y: NDArray[np.int32],
        mean: NDArray[np.float64],
        count: NDArray[np.float64],
        *,
        n_classes: int,
        seed: int,
    ) -> InfluenceStart:
        """`features` [n, d], `y` [n], labels `mean` and `count` [n]; a point of count 0 takes part in p only."""
        center, axes = principal_axes(features, max(1, _COLUMNS // n_classes))
        classifiers = classifiers_of_random_parts((features - center) @ axes, y, n_classes, seed)
        start = InfluenceStart(
            center, axes, classifiers.coefficients, classifiers.present, np.empty((0, 0)), np.zeros(1)
        )

        def columns(rows: slice) -> NDArray[np.float64]:
            z, p = start._inputs(features[rows])
            p[np.arange(p.shape[0]), y[rows]] -= 1.0
            return (p[:, :, None] * z[:, None, :]).reshape(p.shape[0], -1)

        weights, intercept = leave_one_out_ridge(columns, mean, count)
        return replace(start, gradient=weights.reshape(n_classes, -1), intercept=np.array([intercept]))

    def predict_all(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values [m, n_classes] of points with `features` [m, d] under every class."""
        values = np.empty((features.shape[0], self.gradient.shape[0]))
        for begin in range(0, features.shape[0], _ROWS_PER_CHUNK):
            rows = slice(begin, begin + _ROWS_PER_CHUNK)
            z, p = self._inputs(features[rows])
            u = z @ self.gradient.T
            values[rows] = self.intercept[0] + (p * u).sum(axis=1, keepdims=True) - u
        return values

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that `of_arrays` needs."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def of_arrays(arrays: dict[str, NDArray[np.generic]]) -> InfluenceStart:
        return InfluenceStart(**arrays)

    def _inputs(self, features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """z [m, k + 1], the constant first, and p [m, n_classes]."""
        z = (features - self.center) @ self.axes
        probabilities = Classifiers(self.coefficients, self.present).probabilities(z)
        return np.concatenate([np.full((z.shape[0], 1), _CONSTANT), z], axis=1), probabilities
