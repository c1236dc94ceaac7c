"""The baselines that belong into every table of curation, from the data alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize import baselines
from fastsa.curation.data_oob import data_oob
from fastsa.knn import knn_shapley

KNN_GRID = (1, 5, 20)


def baseline_values(
    X: Any,
    y: Any,
    X_val: Any,
    y_val: Any,
    *,
    n_estimators: int = 200,
    seed: int = 0,
    n_threads: int | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Values [n] by the name of their method, low meaning suspicious, none of which needs labels or a network.

        KNN-Shapley, k=1, 5, 20    fastsa.knn_shapley: a fixed grid, because the best k is not known beforehand
        leave-one-out, k=5         the same utility's leave-one-out values
        Data-OOB                   fastsa.curation.data_oob with `n_estimators` trees
        classifier's margin        fastsa.amortize.baselines.classifier_margin

    X [n, d], y [n], X_val [m, d] and y_val [m] as DataValuator.fit takes them. Raises ValueError or TypeError as these
    do, and ValueError where there are so few trees that a point is in every bag.

    >>> import numpy as np
    >>> from fastsa.curation import baseline_values
    >>> X = np.random.default_rng(0).normal(size=(60, 2)); y = X[:, 0] > 0
    >>> list(baseline_values(X[:40], y[:40], X[40:], y[40:], n_estimators=50))[3:]
    ['leave-one-out, k=5', 'Data-OOB', "classifier's margin"]
    """
    X = _checks.features("X", X)
    given = _checks.targets("y", y, X.shape[0])
    classes = np.unique(given)
    code = _checks.encode("y", given, classes)
    named = {f"KNN-Shapley, k={k}": knn_shapley(X, given, X_val, y_val, k=k, n_threads=n_threads) for k in KNN_GRID}
    named["leave-one-out, k=5"] = knn_shapley(X, given, X_val, y_val, k=5, index="leave-one-out", n_threads=n_threads)
    named["Data-OOB"], count = data_oob(X, given, n_estimators=n_estimators, seed=seed, n_threads=n_threads)
    if not count.all():
        raise ValueError(
            f"{int((count == 0).sum())} points are in every bag of {n_estimators} trees; expected each to be left out "
            "once. Raise n_estimators, such as to 200."
        )
    named["classifier's margin"] = baselines.classifier_margin(X, code, n_classes=classes.size, seed=seed)
    return named
