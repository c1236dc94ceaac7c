"""The linear datamodeling score: how well sums of effects rank what random training subsets earn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.metrics.bootstrap import resamples_of


@dataclass(frozen=True)
class DatamodelingScore:
    """Mean rank correlation, the interval it lies in, and the correlation of every validation point.

    score, low, high : the mean over the validation points that have one, and its bootstrap interval
    by_point : float64 [m], Spearman's correlation; NaN where the outputs of a point are all alike
    subsets : how many subsets were compared

    >>> import numpy as np
    >>> from fastsa.metrics import datamodeling_score
    >>> subsets = np.random.default_rng(0).random((200, 8)) < 0.5
    >>> print(datamodeling_score(np.eye(8)[:, :3], subsets, subsets[:, :3]))
    1.000 [1.000, 1.000] over 3 validation points and 200 subsets
    """

    score: float
    low: float
    high: float
    subsets: int
    by_point: NDArray[np.float64] = field(repr=False)

    def __str__(self) -> str:
        points = int(np.isfinite(self.by_point).sum())
        return f"{self.score:.3f} [{self.low:.3f}, {self.high:.3f}] over {points} validation points and {self.subsets} subsets"


def datamodeling_score(
    effects: Any, coalitions: Any, outputs: Any, *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> DatamodelingScore:
    """Score `effects` [n, m] of training points on validation points by subsets that they were not made from.

    coalitions bool [subsets, n] are random training subsets, outputs [subsets, m] what each earns on every validation point:
    DataGame.evaluate(coalitions) under a score that has one output per validation point. For each of these, Spearman's
    correlation over the subsets is taken between the output and the sum of the members' effects; the score is their mean
    (the LDS of Park et al., ICML 2023, definition 4.1). A validation point whose outputs are all alike has no correlation
    and takes no part; one whose sums are all alike has correlation 0, since they rank nothing.

    The interval is a percentile bootstrap over subsets and over validation points, drawn independently (Owen 2007), so
    that it covers both choices; it is a little wide, as it counts what belongs to neither alone more than once. Ranks
    are those among all subsets.

    Raises TypeError or ValueError for shapes that do not fit, fewer than three subsets, numbers that are not finite, a level
    outside (0, 1), or when no validation point has outputs that differ.

    >>> import numpy as np
    >>> from fastsa.metrics import datamodeling_score
    >>> subsets = np.random.default_rng(0).random((300, 4)) < 0.5
    >>> truth = np.array([[1.0, 0.0], [0.0, 2.0], [1.5, 0.0], [0.0, 4.0]])
    >>> datamodeling_score(truth, subsets, subsets @ truth).score
    1.0
    """
    level = _checks.number("level", level, above=0.0)
    if level >= 1.0:
        raise ValueError(f"level is {level}; expected a share below 1, such as 0.95.")
    rows = _checks.count("resamples", resamples)
    effects, coalitions, outputs = _fitting(effects, coalitions, outputs)
    differ = np.ptp(outputs, axis=0) > 0
    if not differ.any():
        raise ValueError(
            "every validation point has the same output under all subsets; score them by log_likelihood, or take larger changes."
        )
    predicted = ranks_of_columns(coalitions.astype(np.float64) @ effects[:, differ])
    earned = ranks_of_columns(outputs[:, differ])
    subsets, points = earned.shape
    by_point = np.full(differ.size, np.nan)
    by_point[differ] = _correlations(np.ones((1, subsets)), predicted, earned)[0]
    drawn = np.array(list(resamples_of([np.arange(subsets), subsets + np.arange(points)], rows, _checks.seed(seed))))
    times = np.stack([np.bincount(draw, minlength=subsets + points) for draw in drawn]).astype(np.float64)
    correlations = _correlations(times[:, :subsets], predicted, earned)
    scores = (times[:, subsets:] * correlations).sum(axis=1) / points
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return DatamodelingScore(float(by_point[differ].mean()), float(low), float(high), subsets, by_point)


def ranks_of_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks within every column, centred; equal values share the average of theirs. Sums are equal up to 1e-12 of their size."""
    # Sums of the same effects in another order differ in their last bits, and must tie all the same.
    values = np.round(values / np.maximum(np.abs(values).max(axis=0), 1e-300), 12)
    ranks = np.empty(values.shape)
    for column in range(values.shape[1]):
        _, group, sizes = np.unique(values[:, column], return_inverse=True, return_counts=True)
        ranks[:, column] = (np.cumsum(sizes) - (sizes - 1) / 2.0)[group]
    return ranks - (values.shape[0] + 1) / 2.0


def _correlations(times: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's correlation of every column of a and b [subsets, m], each subset counted `times` [rows, subsets]; [rows, m]."""
    n = times.sum(axis=1, keepdims=True)
    mean_a, mean_b = times @ a / n, times @ b / n
    covariance = times @ (a * b) / n - mean_a * mean_b
    spread = (times @ a**2 / n - mean_a**2) * (times @ b**2 / n - mean_b**2)
    told = spread > 1e-12
    return np.clip(
        np.divide(covariance, np.sqrt(np.where(told, spread, 1.0)), where=told, out=np.zeros(told.shape)), -1, 1
    )


def _fitting(
    effects: Any, coalitions: Any, outputs: Any
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    coalitions = np.asarray(coalitions)
    if coalitions.dtype != np.bool_ or coalitions.ndim != 2:
        raise TypeError(f"coalitions are {coalitions.dtype} {coalitions.shape}; expected bool [subsets, n].")
    effects, outputs = _checks.features("effects", effects), _checks.features("outputs", outputs)
    subsets, n = coalitions.shape
    if effects.shape[0] != n:
        raise ValueError(
            f"effects have shape {effects.shape}; expected ({n}, m), a row for each of the coalitions' {n} players."
        )
    if outputs.shape != (subsets, effects.shape[1]):
        raise ValueError(
            f"outputs have shape {outputs.shape}; expected {(subsets, effects.shape[1])}, subsets and validation points."
        )
    if subsets < 3:
        raise ValueError(f"coalitions hold {subsets} subsets; expected at least 3 to rank.")
    return effects, coalitions, outputs
