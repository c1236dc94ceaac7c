"""What every feature-attribution experiment measures: methods against a truth of known noise, on the same inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastsa.display import Table
from fastsa.metrics.agreement import average_ranks


@dataclass(frozen=True)
class Truth:
    """Values of inputs [items, players, outputs] with the squares of their standard errors."""

    values: np.ndarray
    variance: np.ndarray

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


def shrunk(estimate: np.ndarray, center: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Estimates drawn toward a center by the one factor that their own noise and spread suggest."""
    deviation = estimate - center
    total = (deviation**2).mean()
    return center + max(0.0, 1.0 - variance.mean() / total) * deviation


def ridge(X: np.ndarray, labels: np.ndarray, X_new: np.ndarray, select: np.ndarray) -> np.ndarray:
    """Linear in the features; the penalty of least error on select labels."""
    flat = labels.reshape(labels.shape[0], -1)
    center, scale = X.mean(axis=0), X.std(axis=0) + 1e-9
    A = np.column_stack([np.ones(len(X)), (X - center) / scale])
    B = np.column_stack([np.ones(len(X_new)), (X_new - center) / scale])
    gram, moment = A.T @ A, A.T @ flat
    best = None
    for penalty in 10.0 ** np.arange(-2, 6):
        weights = np.linalg.solve(gram + penalty * np.diag([0.0] + [1.0] * X.shape[1]), moment)
        loss = ((A @ weights - select.reshape(select.shape[0], -1)) ** 2).mean()
        if best is None or loss < best[0]:
            best = loss, weights
    return (B @ best[1]).reshape(len(X_new), *labels.shape[1:])


def plain_samples_worth(error: float, noise_of_one: float, spread: float) -> float:
    """How many plain samples of the label's estimator have this normalised error."""
    return noise_of_one / (error * spread)
