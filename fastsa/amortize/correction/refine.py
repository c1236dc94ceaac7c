"""The best of a prediction and an item's own label, from the sizes of their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.correction.error_sizes import Cells, error_size, label_noise, prediction_groups
from fastsa.labels import Labels
from fastsa.metrics.certificate import Certificate, over_units
from fastsa.metrics.certify import like_labels
from fastsa.metrics.independence import as_labels, refuse_biased, refuse_seen, shares_all_draws, units


@dataclass(frozen=True)
class Refined:
    """Values corrected by labels; arrays have the shape of the labels' mean.

    values            weight * label + (1 - weight) * prediction
    stderr            of the values; values +- 1.96 stderr covers 95 % of the truths, taken over all items, and more where the
                      labels hardly tell how wrong predictions are (`prediction_certificate.error` reaches far towards 0)
    weight            of the item's own label: near 0 where labels are noisy, 1 where they are exact
    predictions       what was corrected
    certificate       of `values`; the weights were chosen on the same labels, which flatters it by about 1 / items
    prediction_certificate  of `predictions`
    """

    values: NDArray[np.float64]
    stderr: NDArray[np.float64]
    weight: NDArray[np.float64]
    predictions: NDArray[np.float64]
    certificate: Certificate
    prediction_certificate: Certificate


def refine(
    predictions: Any, labels: Labels, *, seen: Any = None, folds: Any = None, groups: Any = None, level: float = 0.95
) -> Refined:
    """Combine `predictions` (the shape of `labels.mean`) with labels that they have not seen.

    Empirical Bayes (Efron and Morris 1973): with s^2 the variance of an item's label l and tau^2 the mean squared error of
    the prediction p, the value w l + (1 - w) p with w = tau^2 / (tau^2 + s^2) has the least error of all weights,
    1 / (1 / tau^2 + 1 / s^2): below both. As samples grow s^2 falls, w tends to 1 and the value to the label, so that the
    error that no amount of training removes from a network disappears.

    Both sizes are pooled over items, never an item's own (which goes with its mean, and would bias): s^2 is the variance of
    one sample, pooled over a group, divided by the item's count. tau^2 is known from the group's mean of (l - p)^2 - s^2,
    and from what the groups of an output have in common, errors of one size or of one ratio to their noise, as far as the
    labels bear it out (`error_sizes.error_size`). What stays unknown of it makes weights smaller: w has the least expected
    ratio of the error to the least error of all weights (`error_sizes.ErrorSize.weight`), so that a prediction is left
    alone until labels show that it is wrong.

    seen, folds : as `fastsa.metrics.certify` takes them; labels that predictions have seen are refused.
    groups : int, of a shape that broadcasts to `labels.count`: cells whose errors are of one size. Default: quantiles of the
        predictions, one group per 250 cells, at most 10. Outputs are always apart.

    Labels of few items, or of which few hold most of the error, show it roughly: then values can be worse than the better
    of both, and more often where labels are tens of times noisier than the prediction is wrong.

    A label without samples gets weight 0. Where all items share every sample the certificates have no interval.

    Raises ValueError and TypeError as certify does, and ValueError where no cell has two samples.

    >>> import fastsa, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=1) ** 2, rng.normal(size=(200, 4)), fastsa.games.Baseline(np.zeros(4)))
    >>> truth = fastsa.exact(game)
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=4, role="certify").collect()
    >>> rough = truth + rng.normal(size=truth.shape)
    >>> refined = fastsa.amortize.refine(rough, labels)
    >>> refined.certificate.error.value < min(refined.prediction_certificate.error.value, refined.certificate.noise.value)
    True
    """
    (labels,) = as_labels("labels", labels)
    refuse_biased([labels])
    refuse_seen([labels], seen, folds)
    p = like_labels("predictions", predictions, labels)
    cells = Cells.of(labels, prediction_groups(p, labels) if groups is None else groups)
    noise = label_noise(labels, cells)
    labeled = noise < np.inf
    mean, known = np.where(labeled, labels.mean, p), np.where(labeled, noise, 0.0)
    own = np.where(np.isfinite(labels.stderr), labels.stderr**2, known)
    squared = (mean - p) ** 2 - own
    size = error_size(squared, noise, cells)
    weight = size.weight(noise)
    stderr = np.sqrt(weight**2 * known + (1 - weight) ** 2 * size.likely)
    refined = weight**2 * own + (1 - weight) ** 2 * squared
    spread = spread_of_error(weight, known, size.likely)
    return Refined(
        weight * mean + (1 - weight) * p,
        stderr,
        weight,
        p,
        certificate_of_cells(refined, labels, mean, own, level, spread),
        certificate_of_cells(squared, labels, mean, own, level),
    )


def spread_of_error(
    weight: NDArray[np.float64], noise: NDArray[np.float64], error: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The variance of (w e + (1 - w) d)^2 about its expectation, where the label's error e is normal and the prediction's d fixed.

    The estimates of it do not hold that: a label that is believed shows nothing of its own error.
    """
    return 2 * weight**4 * noise**2 + 4 * weight**2 * (1 - weight) ** 2 * noise * error


def certificate_of_cells(
    squared: NDArray[np.float64],
    labels: Labels,
    mean: NDArray[np.float64],
    noise: NDArray[np.float64],
    level: float,
    variance: NDArray[np.float64] | None = None,
) -> Certificate:
    """A certificate from unbiased squared errors in the shape of the labels' mean, over the items whose labels have samples."""
    n = labels.ids.size
    labeled = (labels.count > 0).reshape(n, -1).all(axis=1)
    unit = None if shares_all_draws(labels) else units(labels)[labeled]
    flat = (cells.reshape(n, -1)[labeled] for cells in (squared, mean, noise))
    beside = None if variance is None else variance.reshape(n, -1)[labeled]
    return over_units(*flat, unit, labels.estimator.item_block, level=level, variance=beside)
