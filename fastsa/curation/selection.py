"""Selection: a subset of a size, and how well a model trained on it does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.curation import inputs
from fastsa.curation.removal import CurveTable, curve_table
from fastsa.curation.retraining import Retraining, random_order


def select(values: Any, size: int, *, y: Any = None) -> NDArray[np.int64]:
    """The `size` points of highest value, in ascending order of their index: int64 [size].

    `values` [n]; equal values by index. With classes `y` [n], every class keeps its share of the points (the largest
    remainders get the points that rounding leaves): without it, the values of some classes may crowd out the others.

    Raises ValueError for a size outside 1 .. n.

    >>> from fastsa.curation import select
    >>> select([0.1, 0.9, 0.8, 0.7], 2).tolist(), select([0.1, 0.9, 0.8, 0.7], 2, y=["a", "b", "b", "a"]).tolist()
    ([1, 2], [1, 3])
    """
    values = _checks.vector("values", values)
    size = _checks.count("size", size, most=values.size)
    classes = np.zeros(values.size, np.int64) if y is None else _checks.targets("y", y, values.size)
    best_first = inputs.lowest_first(-values)
    _, code, frequency = np.unique(classes, return_inverse=True, return_counts=True)
    quota = _apportioned(frequency, size)
    chosen = [best_first[code[best_first] == c][: quota[c]] for c in range(frequency.size)]
    return np.sort(np.concatenate(chosen))


def selection_curves(
    methods: Any,
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    sizes: Any,
    balanced: bool = True,
    model: Any = None,
    repeats: int = 5,
    resamples: int = 1000,
    seed: int = 0,
    title: str = "",
) -> CurveTable:
    """Train on the subsets that `select` takes by the values of each method, against random subsets of the same sizes.

    `sizes` are two or more ascending numbers of points; `balanced` keeps the share of every class, in random subsets
    too. Otherwise parameters, columns and errors are those of fastsa.curation.removal_curves.

    >>> import numpy as np
    >>> from fastsa.curation import selection_curves
    >>> X = np.linspace(-1, 1, 40)[:, None]; y = X[:, 0] > 0
    >>> given = y.copy(); given[:8] = True
    >>> values = np.where(given == y, 1.0, -1.0)
    >>> table = selection_curves({"values": values}, X, given, X, y, sizes=[10, 20], repeats=2)
    >>> table["values", "20"] > table["random", "20"]
    True
    """
    task = Retraining(X, y, X_test, y_test, model, seed)
    steps = _sizes(sizes, task.n)
    if not isinstance(balanced, (bool, np.bool_)):
        raise TypeError(f"balanced is {balanced!r}; expected True or False.")
    named = inputs.named_values(methods, task.n, taken=("random",))
    classes = task.y if balanced else None

    def subsets(values: NDArray[np.float64]) -> list[NDArray[np.int64]]:
        return [select(values, size, y=classes) for size in steps]

    chosen = {name: [subsets(values)] for name, values in named.items()}
    orders = [random_order(task.n, repeat, task.seed) for repeat in range(_checks.count("repeats", repeats))]
    chosen["random"] = [subsets(order.astype(np.float64)) for order in orders]
    share = "every class keeping its share" if balanced else "whatever their classes"
    labels = ("points selected", f"points of highest value, {share}: a larger area is better.", title)
    return curve_table(task, chosen, np.asarray(steps, np.float64), [f"{size:,}" for size in steps], labels, resamples)


def _sizes(sizes: Any, n: int) -> list[int]:
    checked = [_checks.count("sizes", size, most=n) for size in sizes]
    if len(checked) < 2 or (np.diff(checked) <= 0).any():
        raise ValueError(f"sizes are {checked}; expected two or more ascending numbers of points.")
    return checked


def _apportioned(frequency: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """`size` points shared among classes by their frequency: whole parts, then the largest remainders."""
    exact = frequency * size
    quota = exact // frequency.sum()
    remainder = exact % frequency.sum()
    left = size - quota.sum()
    quota[np.argsort(-remainder, kind="stable")[:left]] += 1
    return quota
