"""Retraining: a model fitted on some of the points, judged on a test set that no value has seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks

# The probability of every prediction is mixed with this much of a uniform one, so that a log-loss is finite.
_MIXED_IN = 0.01


class Retraining:
    """One task for many subsets: points X [n, d], y [n]; test points; a classifier to be cloned.

    `model` is any scikit-learn classifier; default: a logistic regression on standardised features. Its random_state,
    where it has one, is `seed`. A subset of one class needs no model: it predicts that class.
    """

    def __init__(self, X: Any, y: Any, X_test: Any, y_test: Any, model: Any = None, seed: int = 0) -> None:
        self.X = _checks.features("X", X)
        given = _checks.targets("y", y, self.X.shape[0])
        self.classes = np.unique(given)
        if self.classes.size < 2:
            raise ValueError(f"y has the single class {self.classes.tolist()[0]!r}; expected at least two.")
        self.y = _checks.encode("y", given, self.classes)
        self.X_test = _checks.features("X_test", X_test, width=self.X.shape[1])
        test_classes = _checks.targets("y_test", y_test, self.X_test.shape[0])
        self.y_test = _checks.encode("y_test", test_classes, self.classes)
        self.seed = _checks.seed(seed)
        self._model = _classifier(model, self.seed)

    @property
    def n(self) -> int:
        return self.y.size

    def right(self, rows: NDArray[np.int64], y: NDArray[np.int32] | None = None) -> NDArray[np.float64]:
        """1 for every test point that a model of these rows gets right, else 0: float64 [test points]."""
        return self.judged(rows, y)[0]

    def judged(
        self, rows: NDArray[np.int64], y: NDArray[np.int32] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """(right, loss) per test point; loss in nats, None where the model knows no probabilities.

        `y` [n] are other classes to train on than the given ones.
        """
        from sklearn.base import clone

        rows = np.sort(rows)  # a model may depend on the order of its points; only the choice of them counts here
        classes = (self.y if y is None else y)[rows]
        present = np.unique(classes)
        if present.size == 1:
            certain = np.ones((self.y_test.size, 1))
            return (self.y_test == present[0]).astype(np.float64), self._loss(certain, present)
        fitted = clone(self._model).fit(self.X[rows], classes)
        right = (fitted.predict(self.X_test) == self.y_test).astype(np.float64)
        if not hasattr(fitted, "predict_proba"):
            return right, None
        return right, self._loss(fitted.predict_proba(self.X_test), present)

    def _loss(self, probabilities: NDArray[np.float64], present: NDArray[np.int32]) -> NDArray[np.float64]:
        everything = np.zeros((self.y_test.size, self.classes.size))
        everything[:, present] = probabilities
        own = everything[np.arange(self.y_test.size), self.y_test]
        return -np.log((1.0 - _MIXED_IN) * own + _MIXED_IN / self.classes.size)


def random_order(n: int, repeat: int, seed: int) -> NDArray[np.int64]:
    """All points in an order of chance, which depends on (seed, repeat) only."""
    return np.random.default_rng([seed, repeat]).permutation(n)


def _classifier(model: Any, seed: int) -> Any:
    """An unfitted classifier whose randomness is fixed."""
    try:
        from sklearn.base import clone
    except ImportError:
        raise _checks.BackendUnavailable("retraining needs scikit-learn: pip install 'fastsa[demo]'.") from None
    if model is None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    for need in ("fit", "predict", "get_params"):
        if isinstance(model, type) or not hasattr(model, need):
            raise TypeError(f"model is {model!r}; expected a scikit-learn classifier, such as LogisticRegression().")
    model = clone(model)
    random_states = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    return model.set_params(**{name: seed % 2**32 for name in random_states})
