"""Logistic classifiers fitted on parts of the data, read as logits and probabilities of every class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa.ops import Walks, permutations
from fastsa.utilities import Logistic
from fastsa.utilities.data import SupervisedData

_CLASSIFIERS = 8
_PART = 500


@dataclass(frozen=True)
class Classifiers:
    """coefficients float64 [classifiers, n_classes, d + 1], intercept last; present bool [classifiers, n_classes]."""

    coefficients: NDArray[np.float64]
    present: NDArray[np.bool_]

    @staticmethod
    def fit(
        X: NDArray[np.float64], y: NDArray[np.int32], parts: Sequence[NDArray[np.int32]], n_classes: int, C: float = 1.0
    ) -> Classifiers:
        """One classifier per part (positions in X [n, d]), with the objective of `utilities.Logistic(C)`."""
        offsets = np.cumsum([0] + [part.size for part in parts]).astype(np.int64)
        walks = Walks.to_ends(np.concatenate(parts).astype(np.int32), offsets)
        prepared = Logistic(C=C).prepare(SupervisedData(X, y, y.size, X[:1], y[:1], n_classes))
        present = np.stack([np.bincount(y[part], minlength=n_classes) > 0 for part in parts])
        return Classifiers(prepared.coefficients(walks), present)

    def logits(self, which: int, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits [m, n_classes] of one classifier; -inf for the classes that its part lacks."""
        coefficients, present = self.coefficients[which], np.flatnonzero(self.present[which])
        products = X @ coefficients[:, :-1].T + coefficients[:, -1]
        logits = np.full(products.shape, -np.inf)
        if present.size == 2:
            logits[:, present] = products[:, :1] * [-0.5, 0.5]  # the binomial's single logit is in row 0
        else:
            logits[:, present] = products[:, present] if present.size > 2 else 0.0
        return logits

    def probabilities(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities [m, n_classes], averaged over the classifiers."""
        total = np.zeros((X.shape[0], self.present.shape[1]))
        for which in range(self.present.shape[0]):
            logits = self.logits(which, X)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            total += odds / odds.sum(axis=1, keepdims=True)
        return total / self.present.shape[0]


def classifiers_of_random_parts(z: NDArray[np.float64], y: NDArray[np.int32], n_classes: int, seed: int) -> Classifiers:
    """Logistic classifiers, each fitted on min(n / 2, 500) random points."""
    n = y.size
    size = max(1, min(_PART, n // 2))
    parts = [order[:size] for order in permutations(n, _CLASSIFIERS, seed=seed)]
    members, places = np.unique(np.concatenate(parts), return_inverse=True)
    parts = np.split(places.astype(np.int32), _CLASSIFIERS)
    return Classifiers.fit(np.ascontiguousarray(z[members]), y[members], parts, n_classes)
