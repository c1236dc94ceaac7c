"""Mislabel detection: do low values point at the points whose class is wrong?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.metrics.agreement import average_ranks


@dataclass(frozen=True)
class Detection:
    """How well low values find mislabeled points.

    auroc      the chance that a mislabeled point has a lower value than a clean one, ties counting half
    auprc      average precision: precision summed over the steps of recall; equal values are one step
    inspected  float64 [steps + 1], share of all points looked at, lowest values first, from 0 to 1
    found      float64 [steps + 1], share of the mislabeled points found so far

    `inspected` and `found` have one step per distinct value. Between steps the expected share found, over random orders
    of equal values, is the straight line.
    """

    auroc: float
    auprc: float
    inspected: NDArray[np.float64]
    found: NDArray[np.float64]


def mislabel_detection(values: Any, is_mislabeled: Any) -> Detection:
    """Rank points by the score -value and compare with the truth: `values` [n], `is_mislabeled` bool [n].

    The metrics of Covert et al. 2024, appendix G.3; auroc and auprc agree with scikit-learn's roc_auc_score and
    average_precision_score of -values.

    Raises TypeError when `is_mislabeled` is not boolean, ValueError for other shapes, values that are not finite, or
    points that are all mislabeled or all clean.

    >>> from fastsa.metrics import mislabel_detection
    >>> result = mislabel_detection([-1.0, 0.2, 0.5, 0.9], [True, False, True, False])
    >>> result.auroc, result.found.tolist()
    (0.75, [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    values = _checks.vector("values", values)
    wrong = _flags(is_mislabeled, values.size)
    n, n_wrong = values.size, int(wrong.sum())
    _, step, sizes = np.unique(values, return_inverse=True, return_counts=True)
    inspected = np.cumsum(sizes)
    caught = np.bincount(step, weights=wrong, minlength=sizes.size)
    found = np.cumsum(caught)
    # Mann and Whitney: the clean points' rank sum, less the least it can be, counts the pairs in the right order.
    pairs = average_ranks(values)[~wrong].sum() - (n - n_wrong) * (n - n_wrong + 1) / 2.0
    return Detection(
        auroc=float(pairs / (n_wrong * (n - n_wrong))),
        auprc=float(np.sum(caught / n_wrong * found / inspected)),
        inspected=np.concatenate([[0.0], inspected / n]),
        found=np.concatenate([[0.0], found / n_wrong]),
    )


def _flags(is_mislabeled: Any, n: int) -> NDArray[np.bool_]:
    flags = np.asarray(is_mislabeled)
    if flags.dtype != np.bool_:
        raise TypeError(f"is_mislabeled has dtype {flags.dtype}; expected bool. Compare the classes: y != y_true.")
    if flags.shape != (n,):
        raise ValueError(f"is_mislabeled has shape {flags.shape}; expected ({n},), as in values.")
    if flags.all() or not flags.any():
        raise ValueError(f"{int(flags.sum())} of {n} points are mislabeled; expected some of each kind.")
    return flags
