"""The front door of the KNN-Shapley family: takes the data as users have it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.ops import knn_shapley as closed_forms
from fastsa.ops.neighbors import METRICS, Neighborhood

VARIANTS = ("hard", "soft")
_LARGEST = 1e150
_ROWS_PER_CHECK = 1 << 14


def knn_shapley(
    X: Any,
    y: Any,
    X_val: Any,
    y_val: Any,
    *,
    k: int = 5,
    variant: str = "hard",
    index: str = "shapley",
    metric: str = "euclidean",
    n_threads: int | None = None,
    max_bytes: int | None = None,
) -> NDArray[np.float64]:
    """Exact values of training points under a nearest-neighbour utility, averaged over validation points: float64 [n].

    Parameters
    ----------
    X, y : training points [n, d] and their classes [n]; frames, any real dtype and layout, classes of any dtype.
        float16, float32 and float64 arrays, memory-mapped ones too, are read where they are.
    X_val, y_val : validation points [m, d] and their classes, which y must have. Both None: every training point is
        valued by all the others, and left out of its own neighbours.
    k : neighbours, at least 1, default 5; beyond n all points are neighbours.
    variant : the utility of a coalition S at one validation point, of M(S) = how many of its min(k, |S|) nearest
        members share the validation point's class:
        "hard"  M(S) / k, and 0 for the empty coalition (Jia et al., PVLDB 2019, eq. 5; utilities.KNN(k, score="vote"))
        "soft"  M(S) / min(k, |S|), and 1 / classes for the empty one (Wang and Jia, 2023)
    index : "shapley" (default), "banzhaf" or "leave-one-out".
    metric : "euclidean" (default), "cosine" or "inner" (the largest inner product is nearest). Neighbours are ranked by
        (distance, index).
    n_threads : default every processor. The bytes of the result do not depend on it.
    max_bytes : bound of the working memory over all threads, default 256 MiB.

    Raises ValueError or TypeError where an argument is not as above, and for NaN, infinities or classes of y_val that y
    does not have.

    >>> import numpy as np
    >>> from fastsa.knn import knn_shapley
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), ["cat", "dog", "cat"]
    >>> knn_shapley(X, y, [[0.1]], ["cat"], k=1).round(6).tolist()
    [0.833333, -0.166667, 0.333333]
    """
    k = _checks.count("k", k, most=_checks.MOST_PLAYERS)
    _checks.choice("variant", variant, VARIANTS)
    _checks.choice("index", index, closed_forms.INDICES)
    _checks.choice("metric", metric, METRICS)
    if n_threads is not None:
        _checks.count("n_threads", n_threads)
    if max_bytes is not None:
        _checks.count("max_bytes", max_bytes)
    X, X_val = _both_points(X, X_val, y_val)
    y, y_val, n_classes = _both_classes(y, y_val, X.shape[0], None if X_val is None else X_val.shape[0])
    hood = Neighborhood(X, X_val, y, y_val, metric)
    hood.check()
    steps = closed_forms.match_steps(variant, index, hood.n_neighbors, k, n_classes)
    return closed_forms.match_values(hood, steps, max_bytes=max_bytes, n_threads=n_threads)


def _both_points(X: Any, X_val: Any, y_val: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
    if (X_val is None) != (y_val is None):
        raise ValueError("one of X_val and y_val is None; give both, or None for both to value X by its other points.")
    X = points("X", X)
    return X, None if X_val is None else points("X_val", X_val, width=X.shape[1])


def _both_classes(
    y: Any, y_val: Any, n: int, n_val: int | None
) -> tuple[NDArray[np.int32], NDArray[np.int32] | None, int]:
    y = _checks.targets("y", y, n)
    classes, codes = np.unique(y, return_inverse=True)
    codes = np.ascontiguousarray(codes, dtype=np.int32)
    if y_val is None:
        return codes, None, classes.size
    return codes, _checks.encode("y_val", _checks.targets("y_val", y_val, n_val), classes), classes.size


def points(name: str, x: Any, *, width: int | None = None) -> NDArray[Any]:
    """A feature matrix [n, d] in its own floating precision, C-contiguous; integers become float64 (float32 below 24 bits)."""
    values = np.asarray(x)
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; expected two axes, [points, features].")
    if 0 in values.shape:
        raise ValueError(f"{name} has shape {values.shape}; expected at least one point and one feature.")
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {values.dtype}; expected real numbers. Encode other columns first.")
    if width is not None and values.shape[1] != width:
        raise ValueError(f"{name} has {values.shape[1]} features; expected {width}, as in X.")
    if values.dtype.kind == "f":
        dtype = values.dtype.newbyteorder("=") if values.dtype.itemsize <= 8 else np.dtype(np.float64)
    else:
        dtype = np.dtype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    values = np.ascontiguousarray(values, dtype=dtype)
    for first in range(0, values.shape[0], _ROWS_PER_CHECK):
        _check_finite(name, values[first : first + _ROWS_PER_CHECK], first)
    return values


def _check_finite(name: str, block: NDArray[Any], first: int) -> None:
    if float(block.max()) <= _LARGEST and float(block.min()) >= -_LARGEST:
        return
    row, column = np.argwhere(~(np.abs(block.astype(np.float64)) <= _LARGEST))[0]
    raise ValueError(
        f"{name}[{first + row}, {column}] is {block[row, column]}; expected finite numbers up to {_LARGEST:g}, "
        "whose squares can be summed."
    )
