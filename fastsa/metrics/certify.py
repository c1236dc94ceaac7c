"""The error of any predictions against the unknown truth, from independent unbiased labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.labels import Labels
from fastsa.metrics.certificate import Certificate, Moments, certificate, over_units
from fastsa.metrics.independence import (
    as_labels,
    refuse_biased,
    refuse_overlap,
    refuse_seen,
    shares_all_draws,
    units,
)

FEWEST_BLOCKS = 4


def certify(
    predictions: Any, *labels: Labels, seen: Any = None, folds: Any = None, groups: Any = None, level: float = 0.95
) -> Certificate:
    """Certify `predictions` (the shape of `labels.mean`; [items] for one output) without ground truth.

    With one Labels of mean l and stderr s, or several of disjoint samples, whose mean is l and whose disagreement tells
    s^2, for every item (player, output) and prediction p:

        error   mean of (p - l)^2 - s^2, which for two Labels is the mean of (p - l1)(p - l2)
        noise   mean of s^2, the variance of l
        signal  mean over players and outputs of the variance over items (dividing by n - 1) of l, less its noise
        explained variance 1 - error / signal, attainable correlation sqrt(signal / (signal + noise))

    E (p - l1)(p - l2) = (p - truth)^2 because both labels are unbiased and independent, of each other and of p (Covert
    et al. 2024, equation 4 with no bias). The error may come out negative where it is small beside the noise. stderr^2 is
    unbiased for labels that are means; labels of KernelSHAP's kind have estimates of it: give two Labels of those.

    What an interval covers depends on how draws are shared; `basis` says which it is:

    - Draws per item, or per block of ids (Distributional(shared=k)): items or blocks are independent. The interval covers
      the mean error over the population the items were taken from, by a t interval over them, corrected for shape.
    - Players of one game that share every sample (PermutationShapley and all pools on a DataGame): no two items are
      independent. Give 4 or more Labels of disjoint samples, of equal size: the interval is a jackknife over them, for the
      error on these very items. Where noise is far above error it covers more often than `level`.

    seen : the Labels that the predictions were trained or selected on; () where there were none. By default they are not
        known, and labels of the roles train and select are refused.
    folds : int [items], for predictions that have seen only labels of other folds; refused where a draw is in two folds.
    groups : [items], the name of every item's group; each gets a certificate of its own.

    Raises ValueError for labels that predictions have seen, biased or overlapping labels, fewer than 2 samples of an item
    (1 where several Labels are given), and too few independent units; TypeError for anything but Labels.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda c: c.sum(axis=1) ** 2.0, 6)
    >>> def part(block):
    ...     return fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=50, first_sample=50 * block,
    ...                               role="certify").collect()
    >>> result = fastsa.metrics.certify(np.full(6, 5.0), *map(part, range(6)))      # the truth is 6 everywhere
    >>> result.error.low < 1.0 < result.error.high
    True
    """
    parts, predictions = _checked(predictions, labels, level)
    refuse_seen(parts, seen, folds)
    n = parts[0].ids.size
    flat = [part.mean.reshape(n, -1) for part in parts]
    stderr = parts[0].stderr.reshape(n, -1) if len(parts) == 1 else None
    unit = None if shares_all_draws(parts[0]) else units(parts[0])
    predictions = predictions.reshape(n, -1)

    def of(items: NDArray[np.int64], name: str) -> Certificate:
        some = [part[items] for part in flat]
        if unit is None:
            return _over_blocks(predictions[items], np.stack(some), level)
        noise = None if stderr is None else stderr[items] ** 2
        label, noise = _pooled(some, noise)
        squared = (predictions[items] - label) ** 2 - noise
        return over_units(squared, label, noise, unit[items], parts[0].estimator.item_block, level=level, name=name)

    whole = of(np.arange(n), "")
    if groups is None:
        return whole
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups have shape {groups.shape}; expected ({n},), one name per item.")
    return replace(
        whole, groups={g.item(): of(np.flatnonzero(groups == g), f" of group {g}") for g in np.unique(groups)}
    )


def _checked(predictions: Any, labels: Sequence[Labels], level: float) -> tuple[list[Labels], NDArray[np.float64]]:
    level = _checks.number("level", level, above=0.0)
    if level >= 1.0:
        raise ValueError(f"level is {level}; expected a share below 1, such as 0.95.")
    parts = as_labels("labels", labels)
    if not parts:
        raise ValueError("no labels were given; expected at least one fastsa.Labels.")
    refuse_biased(parts)
    refuse_overlap(parts)
    for part in parts:
        short = ~np.isfinite(part.mean if len(parts) > 1 else part.stderr)
        if short.any():
            items = int(short.reshape(part.ids.size, -1).any(axis=1).sum())
            needed = "1 sample" if len(parts) > 1 else "2 samples (or give two Labels)"
            raise ValueError(
                f"labels of {items} items have too few samples; expected at least {needed}. Draw more, or take others."
            )
    if shares_all_draws(parts[0]) and len(parts) < FEWEST_BLOCKS:
        raise ValueError(
            f"{type(parts[0].estimator).__name__} shares every sample among all items, so that only samples tell the spread; "
            f"give at least {FEWEST_BLOCKS} Labels of disjoint samples, not {len(parts)}."
        )
    return parts, like_labels("predictions", predictions, parts[0])


def like_labels(name: str, values: Any, labels: Labels) -> NDArray[np.float64]:
    """Finite numbers in the shape of the labels' mean; a single output may be left out."""
    array, shape = np.asarray(values), labels.mean.shape
    if array.shape == shape[:-1] and shape[-1] == 1:
        array = array[..., None]
    if array.shape != shape:
        raise ValueError(f"{name} have shape {np.shape(values)}; expected {shape}, as the labels.")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} have dtype {array.dtype}; expected real numbers.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} hold NaN or infinity; expected finite numbers.")
    return array.astype(np.float64)


def _pooled(
    parts: Sequence[NDArray[np.float64]], noise: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean of the parts, and its variance by their disagreement unless it is given."""
    if noise is not None:
        return parts[0], noise
    stacked = np.stack(parts)
    return stacked.mean(axis=0), stacked.var(axis=0, ddof=1) / len(parts)


def _over_blocks(p: NDArray[np.float64], parts: NDArray[np.float64], level: float) -> Certificate:
    """Certificate of these very items from `parts` [blocks, items, columns] of independent samples."""
    blocks, n = parts.shape[:2]

    def measure(some: NDArray[np.float64]) -> tuple[float, float, float]:
        label, noise = _pooled(list(some), None)
        total, of_total = _pooled(list(some.sum(axis=1)), None)
        second = label**2 - noise
        signal = (second.sum() - (total**2 - of_total).sum() / n) / max((n - 1) * p.shape[1], 1)
        return float(np.mean((p - label) ** 2 - noise)), float(noise.mean()) * len(some) / blocks, float(signal)

    left_out = np.array([measure(np.delete(parts, b, axis=0)) for b in range(blocks)])
    return certificate(
        Moments(*measure(parts), *left_out.T), n, f"{blocks} blocks of samples, which all items share", level
    )
