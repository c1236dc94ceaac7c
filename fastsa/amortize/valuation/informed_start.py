"""The informed start of a valuation net: labels regressed on influences that were computed without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.ridge import leave_one_out_ridge
from fastsa.amortize.valuation.influences import Influences


@dataclass(frozen=True)
class InformedStart:
    """Values of a point under every class, linear in its influences, its mean probability p of the class, p^2 and the class.

    weights float64 [influences + 2], of_class float64 [n_classes], intercept [1]: ridge on the labels, weighted by count, of
    columns in units of their standard deviations, the penalty chosen by leave-one-out error.
    """

    influences: Influences
    weights: NDArray[np.float64]
    of_class: NDArray[np.float64]
    intercept: NDArray[np.float64]

    @staticmethod
    def fit(
        influences: Influences,
        inputs: NDArray[np.float64],
        y: NDArray[np.int32],
        mean: NDArray[np.float64],
        count: NDArray[np.float64],
    ) -> InformedStart:
        """`inputs` of n points (see `informed_columns`), y [n], labels `mean` and `count` [n]."""
        n_classes, rows = influences.present.shape[1], np.arange(y.size)
        columns = np.concatenate([inputs[rows, y], np.eye(n_classes)[y]], axis=1)
        spread = columns.std(axis=0)
        columns /= np.where(spread > 0, spread, 1.0)
        weights, intercept = leave_one_out_ridge(lambda part: columns[part], mean, count)
        weights = np.divide(weights, spread, out=np.zeros(weights.size), where=spread > 0)
        return InformedStart(influences, weights[:-n_classes], weights[-n_classes:], np.array([intercept]))

    def predict_all(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values [m, n_classes] of points X [m, d] under every class."""
        return self.values_of(informed_columns(self.influences, X))

    def values_of(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same of points whose inputs are at hand."""
        return self.intercept[0] + inputs @ self.weights + self.of_class

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that `of_arrays` needs."""
        own = {"weights": self.weights, "of_class": self.of_class, "intercept": self.intercept}
        return self.influences.arrays() | own

    @staticmethod
    def of_arrays(arrays: dict[str, NDArray[np.generic]]) -> InformedStart:
        own = {name: arrays.pop(name) for name in ("weights", "of_class", "intercept")}
        return InformedStart(Influences(**arrays), **own)


def informed_columns(influences: Influences, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """What an informed start reads of points X [m, d], whatever their labels: [m, n_classes, influences + 2]."""
    of_points, p = influences.of(X)
    return np.concatenate([of_points, p[:, :, None], p[:, :, None] ** 2], axis=2)
