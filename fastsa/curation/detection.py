"""Mislabel detection: do low values point at the points whose class is wrong, and how much better than others do?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.curation import inputs
from fastsa.display import Table, lines, new_figure
from fastsa.metrics import Detection, interval, mislabel_detection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOOKED_AT = (0.05, 0.10, 0.20, 0.50)
_RANDOM = "random"


@dataclass(frozen=True)
class DetectionTable(Table):
    """A row per method, see `detection_table`; `detections` holds the curve of each, which `figure` draws."""

    detections: dict[str, Detection] = field(default_factory=dict, compare=False)

    def figure(self, names: Sequence[str] | None = None) -> Figure:
        """The share of wrong classes found against the share of points inspected, lowest value first.

        `names` are the rows to draw, by default all. Raises ValueError for others, and BackendUnavailable without
        matplotlib.
        """
        shown = inputs.rows_named(names, self.detections)
        figure, (axis,) = new_figure(1, (7.6, 4.2))
        curves = {name: (100 * d.inspected, 100 * d.found) for name, d in shown.items()}
        lines(axis, curves, plain=[_RANDOM])
        axis.set(xlim=(0, 100), ylim=(0, 101), title=self.title)
        axis.set(xlabel="points inspected, %", ylabel="wrong classes found, %")
        return figure


def detection_table(
    methods: Any, is_mislabeled: Any, *, resamples: int = 300, seed: int = 0, title: str = ""
) -> DetectionTable:
    """Compare values as detectors of wrong classes: points are looked at from the lowest value up.

    `methods` is a dict from names to values [n], low meaning suspicious; `is_mislabeled` bool [n]. A row "random" is
    added: a random order, in expectation. Columns:

        AUROC, AUPRC         as fastsa.metrics.mislabel_detection, each with an interval
        in 5 % .. in 50 %    share of all wrong classes found in that share of points, in expectation where values tie
        below 0              share of all points with a value below 0 (Covert et al. 2024, appendix G.3), then of the
        of wrong, of right   points with a wrong class, and of those with a right one

    The 95 % intervals are percentile bootstraps over points, wrong and right ones drawn apart, `resamples` times; they
    hold the values fixed, so that the luck of labels or networks is not in them.

    Raises ValueError or TypeError for values that are not finite vectors of one length, flags that are not boolean, or
    points that are all right or all wrong.

    >>> from fastsa.curation import detection_table
    >>> table = detection_table({"values": [-1.0, 0.2, 0.5, 0.9]}, [True, False, True, False], resamples=20)
    >>> table["values", "AUROC"], table["values", "in 50 %"], table["values", "of wrong"]
    (0.75, 0.5, 0.5)
    """
    methods = inputs.named_values(methods, None, taken=(_RANDOM,))
    n = next(iter(methods.values())).size
    wrong = inputs.flags("is_mislabeled", is_mislabeled, n)
    resamples, seed = _checks.count("resamples", resamples), _checks.seed(seed)
    detections = {name: mislabel_detection(values, wrong) for name, values in methods.items()}
    rows = [_row(name, values, wrong, detections[name], resamples, seed) for name, values in methods.items()]
    detections[_RANDOM] = mislabel_detection(np.zeros(n), wrong)
    rows.append(_found(_RANDOM, detections[_RANDOM], (None, None), (None, None, None)))
    percents = [f"in {100 * share:.0f} %" for share in _LOOKED_AT]
    return DetectionTable(
        ("", "AUROC", "95 % AUROC", "AUPRC", "95 % AUPRC", *percents, "below 0", "of wrong", "of right"),
        tuple(rows),
        (
            f"{n:,} points, {int(wrong.sum()):,} with a wrong class, looked at from the lowest value up; in 5 %: share "
            "of all wrong classes found by then.",
        ),
        title,
        detections,
    )


def value_margin(values_all: Any, y: Any, *, classes: Any = None) -> NDArray[np.float64]:
    """The value of a point under the class it has less its best value under another: float64 [n], low is suspicious.

    With the values of `DataValuator.predict_all`, it is minus what the score is expected to gain when the point is
    given its best other class: harm done by the class it has counts together with what another would bring.

    `values_all` [n, classes], a column per class in sorted order; `y` [n]; `classes` where y lacks some of them. Raises
    ValueError where these do not fit.

    >>> from fastsa.curation import value_margin
    >>> value_margin([[0.5, 0.25], [0.0, 1.0]], ["cat", "cat"], classes=["cat", "dog"]).tolist()
    [0.25, -1.0]
    """
    values_all = inputs.all_values("values_all", values_all)
    n, n_classes = values_all.shape
    y, _ = inputs.encoded(y, n, n_classes, classes)
    rows = np.arange(n)
    own = values_all[rows, y]
    values_all[rows, y] = -np.inf
    return own - values_all.max(axis=1)


def _row(
    name: str,
    values: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    detection: Detection,
    resamples: int,
    seed: int,
) -> tuple[Any, ...]:
    def spread(measure: str) -> tuple[float, float]:
        return interval(
            lambda v, w: getattr(mislabel_detection(v, w), measure),
            values,
            wrong,
            strata=wrong,
            resamples=resamples,
            seed=seed,
        )

    below = values < 0
    negative = (float(below.mean()), float(below[wrong].mean()), float(below[~wrong].mean()))
    return _found(name, detection, (spread("auroc"), spread("auprc")), negative)


def _found(
    name: str, detection: Detection, spreads: tuple[Any, Any], negative: tuple[Any, Any, Any]
) -> tuple[Any, ...]:
    found = (float(np.interp(share, detection.inspected, detection.found)) for share in _LOOKED_AT)
    return (name, detection.auroc, spreads[0], detection.auprc, spreads[1], *found, *negative)
