"""What every feature-attribution experiment measures: methods against a truth of known noise, on the same inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastsa.display import Table
from fastsa.metrics.agreement import average_ranks


@dataclass(frozen=True)
class Truth:
    """Values of inputs [items, players, outputs] with the squares of their standard errors.

    noise_of_one : the summed variance of one sample, over players, mean over outputs: where many were drawn, so that it is
    the limit of estimators whose first samples are worse.
    """

    values: np.ndarray
    variance: np.ndarray
    noise_of_one: float = float("nan")

    @property
    def spread(self) -> np.ndarray:
        """Per input, the sum over players of squared deviations from the mean attribution of all inputs, noise removed."""
        centered = self.values - self.values.mean(axis=0)
        n = self.values.shape[0]
        return (centered**2).sum(axis=1).mean(axis=1) * n / (n - 1) - self.variance.sum(axis=1).mean(axis=1)


@dataclass(frozen=True)
class Score:
    """error: squared error over the spread of the truth (the mean attribution scores 1), with its bootstrap interval."""

    error: float
    interval: tuple[float, float]
    pearson: float
    spearman: float
    sign: float


def score(estimate: np.ndarray, truth: Truth, *, seed: int = 0, resamples: int = 1000) -> Score:
    """The truth's own variance is subtracted; correlations are per input, over players and outputs, averaged."""
    squared = ((estimate - truth.values) ** 2 - truth.variance).sum(axis=1).mean(axis=1)
    spread, n = truth.spread, squared.size
    rows = np.random.default_rng(seed).integers(0, n, (resamples, n))
    draws = squared[rows].mean(axis=1) / spread[rows].mean(axis=1)
    flat, true = estimate.reshape(n, -1), truth.values.reshape(n, -1)
    ranks = np.stack([[average_ranks(a), average_ranks(b)] for a, b in zip(flat, true, strict=True)])
    return Score(
        float(squared.mean() / spread.mean()),
        (float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))),
        _mean_correlation(flat, true),
        _mean_correlation(ranks[:, 0], ranks[:, 1]),
        float((np.sign(flat) == np.sign(true)).mean()),
    )


def _mean_correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return float(np.nan_to_num(each).mean())


def table(methods: dict[str, np.ndarray], truth: Truth, title: str, notes: tuple[str, ...] = ()) -> Table:
    rows = []
    for name, estimate in methods.items():
        s = score(estimate, truth)
        rows.append((name, s.error, s.interval, s.pearson, s.spearman, s.sign))
    return Table(("", "error", "95 % interval", "Pearson", "Spearman", "sign"), tuple(rows), notes, title)


def shrunk(estimate: np.ndarray, center: np.ndarray, variance: float) -> np.ndarray:
    """Estimates drawn toward a center by the one factor that their mean `variance` and their spread suggest."""
    deviation = estimate - center
    total = (deviation**2).mean()
    return center + max(0.0, 1.0 - variance / total) * deviation


def ridge(X: np.ndarray, labels: np.ndarray, X_new: np.ndarray) -> np.ndarray:
    """Linear in the features; the penalty of least error on the labels of a fifth of the inputs that it has not seen."""
    flat = labels.reshape(labels.shape[0], -1)
    labeled = np.isfinite(flat).all(axis=1)
    X, flat = X[labeled], flat[labeled]
    center, scale = X.mean(axis=0), X.std(axis=0) + 1e-9
    A = np.column_stack([np.ones(len(X)), (X - center) / scale])
    B = np.column_stack([np.ones(len(X_new)), (X_new - center) / scale])
    kept = len(X) - len(X) // 5
    penalties = 10.0 ** np.arange(-2, 7)
    losses = [((A[kept:] @ _ridge_weights(A[:kept], flat[:kept], p) - flat[kept:]) ** 2).mean() for p in penalties]
    return (B @ _ridge_weights(A, flat, penalties[int(np.argmin(losses))])).reshape(len(X_new), *labels.shape[1:])


def _ridge_weights(A: np.ndarray, flat: np.ndarray, penalty: float) -> np.ndarray:
    """The first column is the free intercept."""
    return np.linalg.solve(A.T @ A + penalty * np.diag([0.0] + [1.0] * (A.shape[1] - 1)), A.T @ flat)


def plain_samples_worth(error: float, noise_of_one: float, spread: float) -> float:
    """How many plain samples of the label's estimator have this normalised error."""
    return noise_of_one / (error * spread)
