"""Intervals for predictions on items without labels, from labels of other items that the predictions have not seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize.correction.error_sizes import Cells, error_size, label_noise
from fastsa.labels import Labels
from fastsa.metrics.certify import like_labels
from fastsa.metrics.distributions import normal_quantile
from fastsa.metrics.independence import as_labels, refuse_biased, refuse_seen

TARGETS = ("truth", "labels")


class Interval(NamedTuple):
    """Arrays in the shape of the new predictions."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def conformal_interval(
    predictions: Any,
    labels: Labels,
    new: Any,
    *,
    of: str = "truth",
    level: float = 0.95,
    spread: Any = None,
    new_spread: Any = None,
    seen: Any = None,
) -> Interval:
    """Intervals around `new` predictions, calibrated on `predictions` of other items and their independent labels.

    Split conformal prediction (Papadopoulos et al. 2002) takes the ceil((n + 1) level)-th least |prediction - label| / spread
    of n items as the half-width, per output (and player): whatever the errors look like, `of="labels"` covers a share
    `level` of new labels of as many samples, where new items are drawn as the others. A label is the truth with noise on
    top, so these intervals are too wide for the truth, far too wide where noise is above the error. `of="truth"` (default)
    takes the noise out: the half-width is the normal quantile times the root of the mean of (prediction - label)^2 - s^2,
    pooled as `refine` pools errors and widened for what these items leave open, and never above that of the labels. It
    supposes that errors over their spread are about normal. Coverage is over items taken together, not for each.

    predictions : the shape of `labels.mean`. labels : of role "certify" or "truth", from an unbiased estimator, two samples
        of some items. new : [m, ...], as predictions.
    spread, new_spread : how unsure each prediction is, up to one factor, above 0 and in the same shapes, such as
        Ensemble.spread; default the same for all.
    seen : as `fastsa.metrics.certify` takes it.

    Raises ValueError for labels that the predictions have seen, of biased estimators or without two samples of anything, too
    few items for the level (of="labels"), and shapes that do not fit; TypeError for anything but Labels.

    >>> import fastsa, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=1) ** 2, rng.normal(size=(400, 3)), fastsa.games.Baseline())
    >>> truth = fastsa.exact(game)
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=3, role="certify").collect()
    >>> rough = truth + rng.normal(size=truth.shape)
    >>> low, high = fastsa.amortize.conformal_interval(rough[:200], labels.take(np.arange(200)), rough[200:])
    >>> bool(np.mean((low < truth[200:]) & (truth[200:] < high)) > 0.93)
    True
    """
    _checks.choice("of", of, TARGETS)
    level = _checks.number("level", level, above=0.0)
    if level >= 1.0:
        raise ValueError(f"level is {level}; expected a share below 1, such as 0.95.")
    (labels,) = as_labels("labels", labels)
    refuse_biased([labels])
    refuse_seen([labels], seen, None)
    p = like_labels("predictions", predictions, labels)
    squeezed = labels.mean.shape[-1] == 1 and np.ndim(new) == labels.mean.ndim - 1
    new = _fitting("new", new, p.shape[1:])
    if (spread is None) != (new_spread is None):
        raise ValueError("spread and new_spread go together; give both or neither.")
    own = np.ones_like(p) if spread is None else _positive("spread", spread, p.shape)
    other = np.ones_like(new) if new_spread is None else _positive("new_spread", new_spread, new.shape)
    half = _label_half(p, labels, own, level)
    if of == "truth":
        half = np.minimum(half, _truth_half(p, labels, own, level))
    elif not np.isfinite(half).all():
        least = int(np.ceil(level / (1 - level) - 1e-9))
        raise ValueError(f"{p.shape[0]} items are too few for level {level:g}; expected at least {least}.")
    low, high = new - half * other, new + half * other
    return Interval(low[..., 0], high[..., 0]) if squeezed else Interval(low, high)


def _label_half(
    p: NDArray[np.float64], labels: Labels, spread: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    """The conformal half-width of labels in units of the spread, per column; infinite where items are too few."""
    scores = np.sort(np.where(np.isfinite(labels.mean), np.abs(p - labels.mean) / spread, np.inf), axis=0)
    labeled = np.isfinite(scores).sum(axis=0)
    place = np.ceil((labeled + 1) * level - 1e-9).astype(np.int64)
    taken = np.take_along_axis(scores, np.minimum(place, scores.shape[0])[None] - 1, axis=0)[0]
    return np.where(place <= labeled, taken, np.inf)


def _truth_half(
    p: NDArray[np.float64], labels: Labels, spread: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    """The normal half-width of the truth in units of the spread, per column."""
    players = np.arange(p.shape[1])[None] if p.ndim == 3 else np.zeros((1,), np.int64)
    cells = Cells.of(labels, players)
    noise = label_noise(labels, cells)
    labeled = noise < np.inf
    # Each by its own variance where it has one: a pooled one is not unbiased where noise goes with the spread.
    own = np.where(np.isfinite(labels.stderr), labels.stderr**2, np.where(labeled, noise, 0.0))
    squared = np.where(labeled, (np.where(labeled, labels.mean, p) - p) ** 2 - own, 0.0)
    size = error_size(squared / spread**2, noise / spread**2, cells)
    return normal_quantile((1 + level) / 2) * np.sqrt(size.widest[0])


def _fitting(name: str, values: Any, columns: tuple[int, ...]) -> NDArray[np.float64]:
    """Finite numbers [m, *columns]; a single output may be left out."""
    array = np.asarray(values)
    if array.ndim == len(columns) and columns[-1] == 1 and array.shape[1:] == columns[:-1]:
        array = array[..., None]
    if array.ndim != len(columns) + 1 or array.shape[1:] != columns:
        expected = ", ".join(map(str, columns))
        raise ValueError(f"{name} has shape {np.shape(values)}; expected [m, {expected}], as predictions.")
    if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise ValueError(f"{name} holds what is no finite number; expected finite numbers.")
    return array.astype(np.float64)


def _positive(name: str, values: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = _fitting(name, values, shape[1:])
    if array.shape != shape:
        raise ValueError(f"{name} has shape {np.shape(values)}; expected {shape}, as the predictions it is of.")
    if array.min() <= 0:
        raise ValueError(f"{name} holds {array.min()}; expected numbers above 0.")
    return array
