"""Data-OOB: how often the trees of a bagged forest that have not seen a point get its class right."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _threads

_TREES_PER_CHUNK = 4


class OutOfBag(NamedTuple):
    """values float64 [n], NaN at count 0; count int64 [n], the estimators that had not seen the point."""

    values: NDArray[np.float64]
    count: NDArray[np.int64]


def data_oob(
    X: Any, y: Any, *, estimator: Any = None, n_estimators: int = 800, seed: int = 0, n_threads: int | None = None
) -> OutOfBag:
    """Data-OOB values (Kwon and Zou, ICML 2023, eq. 2, with the score 1 where the class is right, else 0).

        value_i = sum over b of [point i is not in bag b] [f_b(x_i) = y_i] / sum over b of [point i is not in bag b]

    Bag b is n points drawn with replacement, and f_b an `estimator` fitted on it: any scikit-learn classifier, by
    default a decision tree. Bag and random_state of f_b depend on (seed, b) only, so that the values do not depend on
    `n_threads` (default every processor). An estimator of one's own runs on one thread. No validation data is needed. A
    bag of one class predicts it.

    X [n, d] real features, y [n] classes. Returns (values, count). Raises ValueError or TypeError for unusable data,
    BackendUnavailable without scikit-learn.

    >>> import numpy as np
    >>> from fastsa.curation import data_oob
    >>> X = np.arange(20.0)[:, None]
    >>> y = np.where(X[:, 0] > 9, "high", "low"); y[3] = "high"
    >>> values, count = data_oob(X, y, n_estimators=50)
    >>> int(values.argmin()), bool(count.min() > 0)
    (3, True)
    """
    X = _checks.features("X", X)
    n = X.shape[0]
    given = _checks.targets("y", y, n)
    classes = np.unique(given)
    if classes.size < 2:
        raise ValueError(f"y has the single class {classes.tolist()[0]!r}; expected at least two.")
    y = _checks.encode("y", given, classes)
    n_estimators, seed = _checks.count("n_estimators", n_estimators), _checks.seed(seed)
    model = _classifier(estimator)
    if estimator is not None:
        # Parallel code within scikit-learn swaps the process's warning filters, which two threads must not do at once.
        if n_threads not in (None, 1):
            raise ValueError(
                f"n_threads is {n_threads}; an estimator of one's own runs on one thread. Leave n_threads out."
            )
        n_threads = 1
    right, count = np.zeros(n, np.int64), np.zeros(n, np.int64)
    adding = threading.Lock()

    def trees(begin: int, end: int, cancelled: NDArray[np.int32]) -> None:
        for tree in range(begin, end):
            if cancelled[0]:
                return
            unseen, hits = _one_bag(X, y, model, seed, tree)
            with adding:  # whole numbers: the order of threads leaves no trace
                right[unseen] += hits
                count[unseen] += 1

    _threads.run(trees, n_estimators, chunk=_TREES_PER_CHUNK, n_threads=n_threads)
    return OutOfBag(np.where(count > 0, right / np.maximum(count, 1), np.nan), count)


def _one_bag(
    X: NDArray[np.float64], y: NDArray[np.int32], model: Any, seed: int, tree: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(points that bag `tree` lacks, whether its estimator gets them right)."""
    from sklearn.base import clone

    rng = np.random.default_rng([seed, tree])
    bag = rng.integers(0, y.size, y.size)
    unseen = np.flatnonzero(np.bincount(bag, minlength=y.size) == 0)
    present = np.unique(y[bag])
    if present.size == 1 or unseen.size == 0:
        return unseen, y[unseen] == present[0]
    fitted = clone(model)
    random_states = [name for name in fitted.get_params() if name.split("__")[-1] == "random_state"]
    fitted.set_params(**{name: int(rng.integers(2**31)) for name in random_states})
    return unseen, fitted.fit(X[bag], y[bag]).predict(X[unseen]) == y[unseen]


def _classifier(estimator: Any) -> Any:
    try:
        from sklearn.tree import DecisionTreeClassifier
    except ImportError:
        raise _checks.BackendUnavailable("Data-OOB needs scikit-learn: pip install 'fastsa[demo]'.") from None
    if estimator is None:
        return DecisionTreeClassifier()
    for need in ("fit", "predict", "get_params"):
        if isinstance(estimator, type) or not hasattr(estimator, need):
            expected = "a scikit-learn classifier, such as DecisionTreeClassifier()"
            raise TypeError(f"estimator is {estimator!r}; expected {expected}.")
    return estimator
