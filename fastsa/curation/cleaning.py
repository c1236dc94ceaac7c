"""Cleaning: points of low value are dropped, or get the class under which their value is highest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.curation import inputs
from fastsa.curation.retraining import Retraining, random_order
from fastsa.display import Table
from fastsa.metrics import interval

_AS_GIVEN, _AT_RANDOM, _PERFECT, _TRUE = "as given", "random filter", "perfect filter", "true classes"


@dataclass(frozen=True)
class Cleaned:
    """y [n], the classes after cleaning, of the dtype they had; changed bool [n], which of them are new."""

    y: NDArray[Any]
    changed: NDArray[np.bool_]


def clean(values_all: Any, y: Any, *, share: float, values: Any = None, classes: Any = None) -> Cleaned:
    """Relabel the points of lowest value to the class under which their value is highest.

    This is the amortized cleaning of Covert et al. 2024, appendix G.3. `values_all` [n, classes] are values under every
    class, in sorted order, as `DataValuator.predict_all` gives; `y` [n]; `share` of the points, above 0 and below 1,
    are looked at, those of lowest `values` [n] first (default: the value under the class they have), equal ones by
    index. A point whose own class is the best stays as it is. `classes` is needed where y lacks some.

    What is best need not be told by values: with `values` given, `values_all` may be any scores of the classes, such as
    fastsa.amortize.baselines.held_out_logits, a classifier that has not seen the point. Then all values can clean, not
    only those that are known under every class, and a point whose class the classifier agrees with stays as it is.

    Raises ValueError or TypeError where these do not fit.

    >>> from fastsa.curation import clean
    >>> cleaned = clean([[0.1, 0.4], [0.5, 0.2], [0.3, 0.0]], ["cat", "cat", "dog"], share=0.67)
    >>> cleaned.y.tolist(), cleaned.changed.tolist()
    (['dog', 'cat', 'cat'], [True, False, True])
    """
    values_all = inputs.all_values("values_all", values_all)
    n, n_classes = values_all.shape
    y = _checks.targets("y", y, n)
    code, classes = inputs.encoded(y, n, n_classes, classes)
    share = inputs.share("share", share)
    own = values_all[np.arange(n), code]
    values = own if values is None else _checks.vector("values", values, n, why=", as in y")
    lowest = inputs.lowest_first(values)[: inputs.nearest_count(share, n)]
    best = values_all.argmax(axis=1)
    changed = np.zeros(n, bool)
    changed[lowest] = values_all[lowest, best[lowest]] > own[lowest]
    return Cleaned(np.where(changed, classes[best], y).astype(np.result_type(classes, y)), changed)


def cleaning_table(
    methods: Any,
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    share: float,
    relabel: Any = None,
    y_true: Any = None,
    model: Any = None,
    repeats: int = 5,
    resamples: int = 1000,
    seed: int = 0,
    title: str = "",
) -> Table:
    """Retrain on cleaned points and compare (the dataset improvement of Covert et al. 2024, appendix G.3).

    Parameters
    ----------
    methods : dict from names to values [n]. Each is an arm "<name>, filter": the `share` of lowest value is dropped.
    relabel : dict from names to values under every class [n, classes], or to pairs of these and of values [n] that say
        which points are looked at first. Each is an arm "<name>, relabel", see `clean`. For values that know the class a
        point has and no other, give what proposes a class in the first place of the pair, such as held-out logits.
    y_true : the true classes [n] where they are known; adds the arms "perfect filter", which drops all wrong classes
        and nothing else, and "true classes", which puts them right.
    X, y, X_test, y_test, model, repeats, resamples, seed : as in fastsa.curation.removal_curves. The arms "as given"
        and "random filter", the mean of `repeats` draws, are always there.

    Columns: points trained on; wrong classes among them, where they are known; "changed", the points with another class
    than given; "put right", the share of these that have the true one, where it is known; test accuracy; "gain" over as
    given, with its 95 % bootstrap interval over test points; log-loss in nats, every prediction mixed with 1 % of a
    uniform one.

    Raises ValueError or TypeError where these do not fit, and BackendUnavailable without scikit-learn.

    >>> import numpy as np
    >>> from fastsa.curation import cleaning_table
    >>> X = np.linspace(-1, 1, 40)[:, None]; y = X[:, 0] > 0
    >>> given = y.copy(); given[:8] = True
    >>> both = np.where(y[:, None] == [False, True], 1.0, -1.0)
    >>> table = cleaning_table({}, X, given, X, y, share=0.2, relabel={"ideal": both}, y_true=y, repeats=2)
    >>> table["ideal, relabel", "wrong classes"], table["as given", "wrong classes"]
    (0.0, 8.0)
    """
    task = Retraining(X, y, X_test, y_test, model, seed)
    share = inputs.share("share", share)
    truth = None
    if y_true is not None:
        truth = _checks.encode("y_true", _checks.targets("y_true", y_true, task.n), task.classes)
    repeats, resamples = _checks.count("repeats", repeats), _checks.count("resamples", resamples)
    arms = _arms(methods, relabel, task, share, truth, repeats)
    start = task.right(np.arange(task.n))
    rows = [_row(name, draws, task, truth, start, resamples) for name, draws in arms.items()]
    return Table(
        ("", "points", "wrong classes", "changed", "put right", "accuracy", "gain", "95 % gain", "log-loss"),
        tuple(rows),
        (
            f"{task.n:,} points, {task.y_test.size:,} test points; a filter drops the lowest {100 * share:g} % of the "
            "points, relabel gives as many the class of their highest value.",
            f"random is the mean of {repeats} draws; gain: accuracy over as given, intervals over test points.",
        ),
        title,
    )


_Arm = tuple[NDArray[np.int64], NDArray[np.int32]]
"""The points that are trained on, and classes [n]."""


def _arms(
    methods: Any, relabel: Any, task: Retraining, share: float, truth: NDArray[np.int32] | None, repeats: int
) -> dict[str, list[_Arm]]:
    """Every arm's draws: one, but for chance."""
    dropped, everyone = inputs.nearest_count(share, task.n), np.arange(task.n)
    if not 0 < dropped < task.n:
        raise ValueError(
            f"share is {share}, which is {dropped} of {task.n} points; expected some to go and some to stay."
        )
    named = inputs.named_values(methods, task.n) if relabel is None or methods else {}
    chance = [random_order(task.n, repeat, task.seed)[dropped:] for repeat in range(repeats)]
    arms = {_AS_GIVEN: [(everyone, task.y)], _AT_RANDOM: [(rows, task.y) for rows in chance]}
    for name, values in named.items():
        arms[f"{name}, filter"] = [(inputs.lowest_first(values)[dropped:], task.y)]
    classes = np.arange(task.classes.size)
    for name, proposed in _relabelled(relabel).items():
        values_all, values = proposed if isinstance(proposed, tuple) and len(proposed) == 2 else (proposed, None)
        table = inputs.all_values(f"relabel[{name!r}]", values_all, task.n)
        cleaned = clean(table, task.y, share=share, values=values, classes=classes)
        arms[f"{name}, relabel"] = [(everyone, cleaned.y.astype(np.int32))]
    if truth is not None:
        arms[_PERFECT] = [(np.flatnonzero(task.y == truth), task.y)]
        arms[_TRUE] = [(everyone, truth)]
    return arms


def _relabelled(relabel: Any) -> Mapping[str, Any]:
    if relabel is not None and not isinstance(relabel, Mapping):
        given = type(relabel).__name__
        raise TypeError(f"relabel is a {given}; expected a dict from names to values [n, classes].")
    return relabel or {}


def _row(
    name: str,
    draws: list[_Arm],
    task: Retraining,
    truth: NDArray[np.int32] | None,
    start: NDArray[np.float64],
    resamples: int,
) -> tuple[Any, ...]:
    judged = [task.judged(rows, classes) for rows, classes in draws]
    right = np.mean([right for right, _ in judged], axis=0)
    losses = [loss.mean() for _, loss in judged if loss is not None]
    wrong = None if truth is None else float(np.mean([np.sum(c[rows] != truth[rows]) for rows, c in draws]))
    changed = draws[0][1] != task.y
    put_right = None if truth is None or not changed.any() else float(np.mean((draws[0][1] == truth)[changed]))
    gain: tuple[Any, Any] = (None, None)
    if name != _AS_GIVEN:
        spread = interval(lambda a, b: np.mean(a - b), right, start, resamples=resamples, seed=task.seed)
        gain = float(np.mean(right - start)), spread
    return (
        name,
        draws[0][0].size,
        wrong,
        int(changed.sum()),
        put_right,
        float(right.mean()),
        *gain,
        float(np.mean(losses)) if losses else None,
    )
