"""A test whether one estimator is biased against another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.labels import Labels
from fastsa.metrics.distributions import chi_square_tail, normal_scores, student_t_two_sided
from fastsa.metrics.independence import as_labels, share_samples, shares_all_draws


@dataclass(frozen=True)
class BiasTest:
    """Whether two estimators have one expectation; see `bias_test`.

    z           float64, the shape of the labels: signed normal scores of the differences, 0 where both agree exactly
    bias        float64, the same shape: the differences of the labels, a less b
    p_largest   the chance of a z as large as the largest anywhere, were there no bias (Bonferroni)
    p_together  the chance of so large a sum of z^2 (chi-square); NaN where cells share draws, and are not independent
    """

    z: NDArray[np.float64]
    bias: NDArray[np.float64]
    p_largest: float
    p_together: float

    @property
    def p(self) -> float:
        """Twice the smaller of both chances, or p_largest where it stands alone."""
        return self.p_largest if np.isnan(self.p_together) else min(1.0, 2 * min(self.p_largest, self.p_together))

    def __str__(self) -> str:
        place = tuple(int(i) for i in np.unravel_index(np.argmax(np.abs(self.z)), self.z.shape))
        return f"p = {self.p:.2g}; largest |z| {abs(self.z[place]):.1f} at {place}, where the labels differ by {self.bias[place]:.4g}"


def bias_test(a: Labels, b: Labels) -> BiasTest:
    """Test labels `a` of one estimator against labels `b` of another, of the same items and independent samples.

    Every difference is divided by its standard error, with Welch's degrees of freedom, and turned into the normal score z
    of the same tail. p_largest multiplies the least tail by the number of cells: right under any correlation of the cells.
    p_together adds z^2 up as chi-square: it finds bias that is spread thinly, and is given only where every cell is an item
    of its own draws (one output, Distributional with shared=1). Both take the labels' noise as near normal: at few samples
    of very skewed contributions the tails are off. What is tested is the difference: against an unbiased `b` (see
    `.estimator.unbiased`) it is the bias of `a`, such as of SGDShapley(debiased=False), KernelSHAP at few samples, or a
    truncated permutation.

    Raises TypeError for anything but Labels, ValueError for other items, shared samples, or fewer than 2 samples of an item.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * c[:, 1] + c[:, 2] * 3.0, 3)
    >>> def labels(estimator, role):
    ...     return fastsa.LabelStream(game, estimator, samples=400, role=role).collect()
    >>> plain = labels(fastsa.estimators.PermutationShapley(), "certify")
    >>> cut = labels(fastsa.estimators.PermutationShapley(max_size=1), "truth")
    >>> fastsa.metrics.bias_test(cut, plain).p < 1e-3
    True
    """
    as_labels("labels", [a, b])
    if not np.array_equal(a.ids, b.ids) or a.mean.shape != b.mean.shape:
        raise ValueError("the labels have different items or outputs; expected the same, in the same order.")
    if share_samples(a, b):
        raise ValueError("both labels hold samples of one seed and role; draw one of them with another role or seed.")
    for name, labels in (("a", a), ("b", b)):
        if not np.isfinite(labels.stderr).all():
            raise ValueError(f"{name} has items with fewer than 2 samples, whose noise is unknown; draw more.")
    difference = a.mean - b.mean
    variance, freedom = _welch(a, b)
    certain = variance <= (1e-12 * np.maximum(np.abs(a.mean), np.abs(b.mean))) ** 2
    t = np.divide(difference, np.sqrt(variance), out=np.zeros(difference.shape), where=~certain)
    agree = np.abs(difference) <= 1e-9 * np.maximum(np.abs(a.mean), np.abs(b.mean))
    tails = np.where(certain, np.where(agree, 1.0, 0.0), student_t_two_sided(t, freedom))
    z = np.copysign(normal_scores(tails), difference)
    alone = a.mean[0].size == 1 and all(one.estimator.item_block == 1 and not shares_all_draws(one) for one in (a, b))
    together = chi_square_tail(float(np.sum(z**2)), float(z.size)) if alone else np.nan
    return BiasTest(z, difference, min(1.0, z.size * float(tails.min())), together)


def _welch(a: Labels, b: Labels) -> tuple[NDArray[np.float64], Any]:
    """The variance of the difference, and its degrees of freedom (Welch 1947)."""
    of_a, of_b = a.stderr**2, b.stderr**2
    parts = of_a**2 / (a.count[..., None] - 1.0) + of_b**2 / (b.count[..., None] - 1.0)
    together = (of_a + of_b) ** 2
    freedom = np.divide(together, parts, out=np.ones(parts.shape), where=parts > 0)
    return of_a + of_b, freedom
