"""What a finished fit shows of itself: unbiased errors, item by item, and what became of the labels' noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize.correction.error_sizes import Cells, label_noise
from fastsa.amortize.ridge import leave_one_out_ridge
from fastsa.labels import Labels
from fastsa.metrics.certify import like_labels
from fastsa.metrics.independence import as_labels, refuse_overlap, shares_all_draws, units

_FOLDS = 5
_BUMPS = 100
_HINGES = (0.1, 0.3, 0.5, 0.7, 0.9)
_MOST_HINGED = 60
_MOST_COLUMNS = 8


@dataclass(frozen=True)
class Fit:
    """A finished fit, for `diagnose`: predictions, the labels that they were trained on, and features of the items.

    predictions : one array, or two of networks trained on one half of the labels each, in the shape of the labels' mean
    labels : one Labels or two, as many as predictions: what each was trained on, of the same items
    features : float [items, d], what the predictions were made from
    held_out : unbiased Labels that no prediction has seen; needed with one prediction, two are judged by each other's
    """

    predictions: Any
    labels: Any
    features: Any
    held_out: Labels | None = None


@dataclass(frozen=True)
class Shown:
    """What a fit shows, per item float64 [items], each unbiased; sizes are means over players and outputs.

    error : of the prediction, squared
    taken : the label's noise times the prediction's error: what it took over of its own label's noise
    spread : variance of the prediction that is due to its labels' noise (with one network: at most `taken`)
    noise : variance of the label; signal : variance of the truth over items
    residual : float64 [items, columns], truth less prediction plus noise that the prediction has not seen
    """

    error: NDArray[np.float64]
    taken: NDArray[np.float64]
    spread: NDArray[np.float64]
    noise: float
    signal: float
    signal_stderr: float
    residual: NDArray[np.float64]
    unit: NDArray[np.int64]

    def mean(self, values: NDArray[np.float64]) -> tuple[float, float]:
        """(mean, its standard error over independent units)."""
        centred = np.bincount(self.unit, weights=values - values.mean())
        n_units = centred.size
        return float(values.mean()), float(np.sqrt(np.sum(centred**2) * n_units / max(n_units - 1, 1))) / values.size


def read(fit: Fit) -> tuple[Shown, list[NDArray[np.float64]], list[Labels], NDArray[np.float64]]:
    """(what is shown, predictions [items, ...], labels, features), checked.

    Raises ValueError for shapes and numbers of arrays that do not fit, labels that overlap, and one prediction without
    held-out labels; TypeError for anything but Labels.
    """
    labels = as_labels("labels", fit.labels)
    several = isinstance(fit.predictions, (tuple, list)) and len(labels) == 2
    given = list(fit.predictions) if several else [fit.predictions]
    if len(given) != len(labels) or len(labels) > 2:
        raise ValueError(f"{len(given)} predictions and {len(labels)} labels were given; expected one or two of each.")
    predictions = [like_labels("predictions", p, labels[0]) for p in given]
    features = _checks.features("features", fit.features)
    if features.shape[0] != labels[0].ids.size:
        raise ValueError(f"features have {features.shape[0]} rows; expected {labels[0].ids.size}, one per item.")
    if len(labels) == 1 and fit.held_out is None:
        raise ValueError(
            "one prediction was given without held_out labels; nothing that it has not seen can judge it. Draw some."
        )
    held_out = [] if fit.held_out is None else as_labels("held_out", fit.held_out)
    refuse_overlap([*labels, *held_out])
    return shown(predictions, labels, fit.held_out), predictions, labels, features


def shown(predictions: Sequence[NDArray[np.float64]], labels: Sequence[Labels], held_out: Labels | None) -> Shown:
    """What predictions show against labels that they have not seen."""
    whole = labels[0] if len(labels) == 1 else labels[0].merge(labels[1])
    if len(labels) == 2:
        error, taken, spread, residual = _of_two(predictions, labels, _variance(whole))
        judge = whole
    else:
        judge = held_out
        error, taken, spread, residual = _of_one(predictions[0], labels[0], judge)
    n = whole.ids.size
    unit = np.arange(n) if shares_all_draws(judge) else units(judge)
    noise = float(np.mean(_variance(whole) / whole.count[..., None]))
    # The truth's variance over items, from labels that are unbiased.
    about = (judge.mean - judge.mean.mean(axis=0)) ** 2 * n / (n - 1)
    squared = (about - _variance(judge) / judge.count[..., None]).reshape(n, -1)
    per_item = [cells.reshape(n, -1).mean(axis=1) for cells in (error, taken, spread)]
    one = Shown(*per_item, noise, 0.0, 0.0, residual.reshape(n, -1), unit)
    signal, stderr = one.mean(squared.mean(axis=1))
    return Shown(*per_item, noise, signal, stderr, residual.reshape(n, -1), unit)


def simple(labels: Sequence[Labels], features: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Ridge regression on the features, one for each of the labels: what a small amortizer makes of the same labels."""
    centred = _standardised(features)
    return [_ridge(centred, label.mean.reshape(centred.shape[0], -1)).reshape(label.mean.shape) for label in labels]


def structure(one: Shown, features: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """What a regression of residuals on features takes off the squared error of items that it has not seen, [items].

    Ridge on the features, on their hinges at five quantiles (of the 60 features that vary most) and on 100 bumps, Gaussians
    about random items; in five folds of units, for the columns that vary most, its penalty chosen by leave-one-out error.
    Where residuals are all noise it takes off nothing, or a little less.
    """
    rng = np.random.Generator(np.random.Philox(seed))
    columns = _bent(features, rng)
    n = columns.shape[0]
    fold = rng.permutation(int(one.unit.max()) + 1)[one.unit] % _FOLDS
    chosen = np.argsort(-one.residual.var(axis=0))[:_MOST_COLUMNS]
    gain = np.zeros(n)
    for column in one.residual[:, chosen].T:
        for f in range(_FOLDS):
            inside = (fold != f).astype(np.float64)
            weights, intercept = leave_one_out_ridge(lambda rows: columns[rows], column, inside)
            told = columns @ weights + intercept
            gain += np.where(fold == f, column**2 - (column - told) ** 2, 0.0)
    return gain / one.residual.shape[1]


def _bent(features: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Columns that a straight line in them bends with: features, their hinges, bumps about random items."""
    x = _standardised(features)
    varied = x[:, np.argsort(-features.std(axis=0), kind="stable")[:_MOST_HINGED]]
    hinges = [np.maximum(varied - np.quantile(varied, q, axis=0), 0.0) for q in _HINGES]
    centres = x[rng.permutation(x.shape[0])[:_BUMPS]]
    distance = np.maximum((x**2).sum(axis=1)[:, None] - 2 * x @ centres.T + (centres**2).sum(axis=1), 0.0)
    scale = float(np.median(distance))
    return np.concatenate([x, *hinges, np.exp(-distance / (scale if scale > 0 else 1.0))], axis=1)


def _of_two(
    predictions: Sequence[NDArray[np.float64]], labels: Sequence[Labels], variance: NDArray[np.float64]
) -> tuple:
    """(error, taken, spread, residual) of the mean of two predictions: see amortize.cross_refine."""
    (p_a, p_b), (first, second) = predictions, labels
    noise_a, noise_b = (variance / part.count[..., None] for part in (first, second))
    error_a, error_b = (p_a - second.mean) ** 2 - noise_b, (p_b - first.mean) ** 2 - noise_a
    own_a = (error_a + noise_a - (p_a - first.mean) ** 2) / 2
    own_b = (error_b + noise_b - (p_b - second.mean) ** 2) / 2
    crossed = (p_a - second.mean) * (p_b - first.mean) + own_a + own_b
    share = (first.count / (first.count + second.count))[..., None]
    error = (error_a + error_b + 2 * crossed) / 4
    return (
        error,
        (share * own_a + (1 - share) * own_b) / 2,
        (p_a - p_b) ** 2 / 4,
        (second.mean - p_a + first.mean - p_b) / 2,
    )


def _of_one(p: NDArray[np.float64], label: Labels, judge: Labels) -> tuple:
    noise, apart = _variance(label) / label.count[..., None], _variance(judge) / judge.count[..., None]
    error = (p - judge.mean) ** 2 - apart
    # Exact where label and judge are unbiased for one truth; what a bias adds counts as noise not taken over.
    taken = (error + noise - (p - label.mean) ** 2) / 2
    return error, taken, taken, judge.mean - p


def _variance(labels: Labels) -> NDArray[np.float64]:
    """The variance of one sample, cell by cell: its own where it has two samples, else that of its output."""
    pooled = label_noise(labels, Cells.of(labels, np.zeros(labels.count.shape, np.int64))) * labels.count[..., None]
    return np.where(np.isfinite(labels.variance), labels.variance, pooled)


def _standardised(features: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _ridge(x: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    told = np.empty(targets.shape)
    for j, target in enumerate(targets.T):
        weights, intercept = leave_one_out_ridge(lambda rows: x[rows], target, np.ones(target.size))
        told[:, j] = x @ weights + intercept
    return told
