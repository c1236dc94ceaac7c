"""What every task of curation is given: values by the name of their method, and shares of the points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks


def named_values(methods: Any, n: int | None, taken: tuple[str, ...] = ()) -> dict[str, NDArray[np.float64]]:
    """Values [n] of every method, at least one; names in `taken` are the table's own. n None: as the first has."""
    if not isinstance(methods, Mapping):
        given = type(methods).__name__
        raise TypeError(f'methods is a {given}; expected a dict from names to values, such as {{"amortized": values}}.')
    if not methods:
        raise ValueError("methods is empty; expected at least one name with its values.")
    checked: dict[str, NDArray[np.float64]] = {}
    for name, values in methods.items():
        if not isinstance(name, str):
            raise TypeError(f"methods has the name {name!r}, a {type(name).__name__}; expected text.")
        if name in taken:
            raise ValueError(f"methods has the name {name!r}, which the table adds itself; name yours otherwise.")
        why = ", one per point" if n is None or not checked else ", as the others"
        checked[name] = _checks.vector(f"methods[{name!r}]", values, n, why=why)
        n = checked[name].size
    return checked


def rows_named(names: Sequence[str] | None, rows: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of a table that a figure shows, in the order asked for; None is all."""
    names = list(rows) if names is None else [names] if isinstance(names, str) else list(names)
    missing = [name for name in names if name not in rows]
    if missing:
        raise ValueError(f"the table has no row {missing[0]!r}; it has {', '.join(map(repr, rows))}.")
    return {name: rows[name] for name in names}


def all_values(name: str, values: Any, n: int | None = None) -> NDArray[np.float64]:
    """Values under every class, [n, classes]."""
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] < 2 or (n is not None and array.shape[0] != n):
        rows = "points" if n is None else n
        raise ValueError(f"{name} has shape {array.shape}; expected [{rows}, classes], a value under each class.")
    return _checks.features(name, array)


def encoded(y: Any, n: int, n_classes: int, classes: Any) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """(positions of `y` in the sorted classes, the classes), for tables with a column per class; None: those of y."""
    y = _checks.targets("y", y, n)
    classes = np.unique(y) if classes is None else np.asarray(classes)
    if classes.shape != (n_classes,):
        raise ValueError(
            f"there are {classes.size} classes and {n_classes} columns of values; expected one column per class, in "
            "sorted order. Pass classes= where y lacks some."
        )
    if not np.array_equal(classes, np.unique(classes)):
        raise ValueError(
            f"classes are {classes.tolist()}; expected them sorted and distinct, as DataValuator.classes_."
        )
    return _checks.encode("y", y, classes), classes


def shares(name: str, values: Any) -> NDArray[np.float64]:
    """Ascending shares of the points, at least two, within [0, 1]."""
    array = _checks.vector(name, values)
    if array.size < 2 or (np.diff(array) <= 0).any() or array[0] < 0 or array[-1] > 1:
        raise ValueError(f"{name} are {array.tolist()}; expected two or more ascending shares from 0 to 1.")
    return array


def share(name: str, value: Any) -> float:
    """One share of the points, above 0 and below 1."""
    value = _checks.number(name, value, above=0.0)
    if value >= 1.0:
        raise ValueError(f"{name} is {value}; expected a share above 0 and below 1, such as 0.1.")
    return value


def flags(name: str, values: Any, n: int) -> NDArray[np.bool_]:
    """Booleans [n]."""
    array = np.asarray(values)
    if array.dtype != np.bool_:
        raise TypeError(f"{name} has dtype {array.dtype}; expected bool. Compare the classes: y != y_true.")
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}; expected ({n},), one per point.")
    return array


def lowest_first(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Points by value, the lowest first; equal values by their index."""
    return np.argsort(values, kind="stable")


def nearest_count(share: float, n: int) -> int:
    """The number of points in a share of n, halves rounded up."""
    return int(np.floor(share * n + 0.5))
