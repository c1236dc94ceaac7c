"""Removal and addition curves: what a retrained model scores as points leave or join in the order of their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.curation import inputs
from fastsa.curation.retraining import Retraining, random_order
from fastsa.display import Table, lines, new_figure
from fastsa.metrics import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RANDOM = "random"
_REMOVED = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
_ADDED = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
_RESAMPLES = 1000
_FIRST = ("lowest", "highest")


@dataclass(frozen=True)
class CurveTable(Table):
    """A row per method, a column per step; `steps` and `curves` [steps] are what `figure` draws."""

    steps: tuple[float, ...] = ()
    axis_label: str = ""
    curves: dict[str, NDArray[np.float64]] = field(default_factory=dict, compare=False)

    def figure(self, names: Sequence[str] | None = None) -> Figure:
        """Test accuracy over the steps, a line for each row in `names`, by default all.

        Raises ValueError for names that are no rows, and BackendUnavailable without matplotlib.
        """
        shown = inputs.rows_named(names, self.curves)
        figure, (axis,) = new_figure(1, (7.6, 4.2))
        lines(axis, {name: (self.steps, curve) for name, curve in shown.items()}, plain=[_RANDOM])
        axis.set(xlabel=self.axis_label, ylabel="test accuracy", title=self.title)
        return figure


def removal_curves(
    methods: Any,
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    first: str = "lowest",
    fractions: Any = _REMOVED,
    model: Any = None,
    repeats: int = 5,
    resamples: int = _RESAMPLES,
    seed: int = 0,
    title: str = "",
) -> CurveTable:
    """Remove points in the order of their values, retrain, and score on a test set (Ghorbani and Zou, ICML 2019).

    Parameters
    ----------
    methods : dict from names to values [n] of the points (X [n, d], y [n]).
    X_test, y_test : test points [m, d] and their classes. Not the validation points that the values have seen.
    first : "lowest" (default): the points of least value go first, and good values keep the score up longest.
        "highest": the best go first, and good values make it fall fastest.
    fractions : ascending shares of the points that are removed; default 0 to a half.
    model : any scikit-learn classifier; default LogisticRegression on standardised features.
    repeats : orders of chance that the row "random", which is added, is the mean of; default 5.
    resamples, seed : of the intervals; the seed is also that of the chance orders and of the model.

    Columns: test accuracy at every step; "area", the mean accuracy over the range of steps (trapezoids); "over random",
    the area less that of random orders, with its 95 % bootstrap interval over test points. The interval holds the
    values and the chance orders fixed.

    Raises ValueError or TypeError where these do not fit, and BackendUnavailable without scikit-learn.

    >>> import numpy as np
    >>> from fastsa.curation import removal_curves
    >>> X = np.linspace(-1, 1, 40)[:, None]; y = X[:, 0] > 0
    >>> given = y.copy(); given[:8] = True
    >>> values = np.where(given == y, 1.0, -1.0)
    >>> table = removal_curves({"values": values}, X, given, X, y, fractions=[0.0, 0.2], repeats=2)
    >>> table["values", "20 %"] > table["random", "20 %"]
    True
    """
    _checks.choice("first", first, _FIRST)
    steps = inputs.shares("fractions", fractions)
    task = Retraining(X, y, X_test, y_test, model, seed)
    if inputs.nearest_count(steps[-1], task.n) >= task.n:
        raise ValueError(f"fractions reach {steps[-1]:g}, which leaves none of {task.n} points; expected some to stay.")

    def kept(order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return [order[inputs.nearest_count(share, task.n) :] for share in steps]

    better = "a larger area is better" if first == "lowest" else "a smaller area is better"
    told = f"points of {first} value are removed first: {better}."
    labels = (f"points removed, {first} value first, %", told, title)
    return _table(methods, task, kept, first == "lowest", 100 * steps, labels, repeats, resamples)


def addition_curves(
    methods: Any,
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    first: str = "highest",
    fractions: Any = _ADDED,
    model: Any = None,
    repeats: int = 5,
    resamples: int = _RESAMPLES,
    seed: int = 0,
    title: str = "",
) -> CurveTable:
    """Add points in the order of their values to none, retrain, and score on a test set (Ghorbani and Zou, ICML 2019).

    As `removal_curves`, whose parameters these are, but `fractions` are the shares of the points that have joined,
    above 0. first="highest" (default): the best join first, and good values make the score rise fastest; "lowest" the
    reverse.

    >>> import numpy as np
    >>> from fastsa.curation import addition_curves
    >>> X = np.linspace(-1, 1, 40)[:, None]; y = X[:, 0] > 0
    >>> given = y.copy(); given[:8] = True
    >>> values = np.where(given == y, 1.0, -1.0)
    >>> table = addition_curves({"values": values}, X, given, X, y, fractions=[0.8, 1.0], repeats=2)
    >>> table["values", "80 %"] > table["values", "100 %"]
    True
    """
    _checks.choice("first", first, _FIRST)
    steps = inputs.shares("fractions", fractions)
    task = Retraining(X, y, X_test, y_test, model, seed)
    if inputs.nearest_count(steps[0], task.n) == 0:
        raise ValueError(f"fractions start at {steps[0]:g}, which is none of {task.n} points; expected one or more.")

    def joined(order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return [order[: inputs.nearest_count(share, task.n)] for share in steps]

    better = "a larger area is better" if first == "highest" else "a smaller area is better"
    told = f"points of {first} value are added first: {better}."
    labels = (f"points added, {first} value first, %", told, title)
    return _table(methods, task, joined, first == "lowest", 100 * steps, labels, repeats, resamples)


def _table(
    methods: Any,
    task: Retraining,
    subsets: Callable[[NDArray[np.int64]], list[NDArray[np.int64]]],
    ascending: bool,
    percents: NDArray[np.float64],
    labels: tuple[str, str, str],
    repeats: int,
    resamples: int,
) -> CurveTable:
    """Every method's order cut into subsets, and chance beside them."""
    named = inputs.named_values(methods, task.n, taken=(_RANDOM,))
    repeats = _checks.count("repeats", repeats)
    chosen = {name: [subsets(inputs.lowest_first(values if ascending else -values))] for name, values in named.items()}
    chosen[_RANDOM] = [subsets(random_order(task.n, repeat, task.seed)) for repeat in range(repeats)]
    return curve_table(task, chosen, percents, [f"{percent:g} %" for percent in percents], labels, resamples)


def curve_table(
    task: Retraining,
    chosen: dict[str, list[list[NDArray[np.int64]]]],
    steps: NDArray[np.float64],
    columns: Sequence[str],
    labels: tuple[str, str, str],
    resamples: int,
) -> CurveTable:
    """Retrain on all subsets `chosen[method][repeat][step]` and tabulate; "random" must be among the methods.

    `labels` are the axis of the steps, a sentence on what is good, and the title.
    """
    resamples = _checks.count("resamples", resamples)
    known: dict[bytes, NDArray[np.float64]] = {}  # the whole pool is in every curve

    def right(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        key = np.sort(rows).tobytes()
        if key not in known:
            known[key] = task.right(rows)
        return known[key]

    # [steps, test points] of every method, the mean over its repeats
    scores = {
        name: np.mean([[right(rows) for rows in subsets] for subsets in repeats], axis=0)
        for name, repeats in chosen.items()
    }
    widths = np.diff(steps) / np.ptp(steps)
    areas = {name: widths @ (score[1:] + score[:-1]) / 2.0 for name, score in scores.items()}
    rows = []
    for name, score in scores.items():
        ahead: tuple[Any, Any] = (None, None)
        if name != _RANDOM:
            pair = areas[name], areas[_RANDOM]
            spread = interval(lambda a, b: np.mean(a - b), *pair, resamples=resamples, seed=task.seed)
            ahead = float(np.mean(pair[0] - pair[1])), spread
        rows.append((name, *map(float, score.mean(axis=1)), float(areas[name].mean()), *ahead))
    axis, told, title = labels
    notes = (
        f"test accuracy of retrained models, {task.n:,} points, {task.y_test.size:,} test points; {told}",
        f"random is the mean of {len(chosen[_RANDOM])} orders; intervals are over test points.",
    )
    curves = {name: score.mean(axis=1) for name, score in scores.items()}
    head = ("", *columns, "area", "over random", "95 % interval")
    return CurveTable(head, tuple(rows), notes, title, tuple(map(float, steps)), axis, curves)
