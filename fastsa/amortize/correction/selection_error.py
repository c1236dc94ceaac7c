"""The error of predictions from the labels that chose them, certified without labels of a role of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.correction.refine import certificate_of_cells
from fastsa.estimators import Estimator, KernelSHAP, UnbiasedKernelSHAP
from fastsa.labels import Labels
from fastsa.metrics import Certificate
from fastsa.metrics.certify import like_labels


def unbiased_view(labels: Labels) -> Labels | None:
    """The labels, or those that an unbiased estimator makes of their coalitions; None where there is no such estimator."""
    if labels.estimator.unbiased:
        return labels
    if isinstance(labels.estimator, KernelSHAP):
        return labels.under(UnbiasedKernelSHAP(paired=labels.estimator.paired))
    return None


def same_estimand(a: Estimator, b: Estimator, n_players: int) -> bool:
    """Whether both tend to the same values: the same law of coalition sizes, or the same sentence."""
    if hasattr(a, "size_law") and hasattr(b, "size_law"):
        return bool(np.allclose(a.size_law(n_players), b.size_law(n_players), rtol=0, atol=1e-12))
    return a.estimand == b.estimand


def selection_certificate(
    predictions: Any, select: Labels, train: Labels, *, level: float = 0.95
) -> Certificate | None:
    """Certify `predictions` trained on `train` and chosen by `select`: mean of (p - l)^2 - s^2 over the labels l of select.

    s^2 is the variance of l, from the samples of select and train together where labels are means: an estimate of a
    variance stays unbiased in the mean of a difference, whatever the predictions have seen. So one sample to select by is
    enough. The choice itself flatters the error by about its spread over the epochs compared, which is small where
    neighbours agree; labels of role "certify" have no such flaw. KernelSHAP's coalitions are read with the matrix in closed
    form (UnbiasedKernelSHAP). None where no unbiased estimator takes the same coalitions (LIME, say), or where fewer than two
    items have determined labels.
    """
    chosen, learned = unbiased_view(select), unbiased_view(train)
    if chosen is None or learned is None:
        return None
    p = like_labels("predictions", predictions, chosen)
    noise = _noise(chosen, learned)
    known = (np.isfinite(noise) & np.isfinite(chosen.mean)).reshape(p.shape[0], -1).all(axis=1)
    if known.sum() < 2:
        return None
    kept = np.flatnonzero(known)
    some = chosen.take(kept)
    squared = (some.mean - p[kept]) ** 2 - noise[kept]
    found = certificate_of_cells(squared, some, some.mean, noise[kept], level)
    return replace(found, basis=f"{found.basis}, by the labels that chose the epoch")


def selection_gain(new: NDArray[np.float64], old: NDArray[np.float64], select: Labels) -> tuple[float, float]:
    """How much lower the certified error of `new` is than that of `old`, and the standard error of that over items.

    A mean squared error to labels, weighted by count, is the certified error plus the noise of the labels, which is the same
    for both: their difference needs no estimate of the noise, nor an unbiased estimator of it. Over items whose every player
    has a label.
    """
    items = ((select.count > 0) & np.isfinite(select.mean).all(axis=-1)).all(axis=1)
    label, weight = select.mean[items], select.count[items][..., None]
    weight = np.broadcast_to(weight / weight.mean(), label.shape)
    less = (weight * ((old[items] - label) ** 2 - (new[items] - label) ** 2)).mean(axis=(1, 2))
    return float(less.mean()), float(less.std(ddof=1) / np.sqrt(less.size)) if less.size > 1 else np.inf


def _noise(select: Labels, train: Labels) -> NDArray[np.float64]:
    """The variance of the labels of `select`; of pools, whose errors are no means of single samples, by themselves."""
    if select.estimator.pooled:
        return select.stderr**2
    both = select.merge(train)
    with np.errstate(divide="ignore", invalid="ignore"):
        return both.variance / select.count[..., None]
