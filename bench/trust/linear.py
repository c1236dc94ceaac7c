"""Linear problems of known truth, bias and noise: contexts b ~ N(0, diag(variances)), truth theta b, labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Linear:
    """Truth theta [outputs, d] @ b; labels theta b + bias [outputs, d] @ b + noise, of summed variance `noise`.

    B and N are those of Covert et al. 2024, section 3: E |bias b|^2, and E |noise|^2.
    """

    theta: np.ndarray
    bias: np.ndarray
    noise: float
    variances: np.ndarray

    @staticmethod
    def of(
        rng: np.random.Generator, d: int, outputs: int, *, B: float, N: float, variances: np.ndarray | None = None
    ) -> Linear:
        """Directions of truth and bias are random; the variance of the truth is 1 and that of the bias B."""
        variances = np.ones(d) if variances is None else variances
        theta, bias = (rng.normal(size=(outputs, d)) for _ in range(2))
        theta, bias = (m / np.sqrt((m**2 @ variances).sum()) for m in (theta, bias))
        return Linear(theta, np.sqrt(B) * bias, N, variances)

    def contexts(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.normal(size=(n, self.variances.size)) * np.sqrt(self.variances)

    def labels(self, rng: np.random.Generator, b: np.ndarray) -> np.ndarray:
        outputs = len(self.theta)
        return b @ (self.theta + self.bias).T + rng.normal(size=(len(b), outputs)) * np.sqrt(self.noise / outputs)

    def error(self, weights: np.ndarray) -> float:
        """L_reg of the amortizer weights @ b: exactly."""
        return float(((weights - self.theta) ** 2 @ self.variances).sum())


def ridge(b: np.ndarray, labels: np.ndarray, penalty: float = 0.0) -> np.ndarray:
    """Weights [outputs, d] of least squares."""
    return np.linalg.solve(b.T @ b + penalty * np.eye(b.shape[1]), b.T @ labels).T


def least_squares_errors(seeds: int, n: int, d: int, outputs: int, *, N: float, B: float = 0.0) -> list[float]:
    """Per seed the error of least squares on n labels of one problem."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, n, round(100 * N), round(1e4 * B)])
        problem = Linear.of(rng, d, outputs, B=B, N=N)
        b = problem.contexts(rng, n)
        found.append(problem.error(ridge(b, problem.labels(rng, b))))
    return found


def projected_sgd(
    theta: np.ndarray,
    variances: np.ndarray,
    noises: np.ndarray,
    radius: float,
    checkpoints: list[int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Excess losses [noises, checkpoints] of the averaged iterate of Theorem 1's algorithm, one run per noise.

    Steps 2 / (alpha (t + 1)) with alpha = 2 lambda_min along g = 2 (theta_t b - label) b^T from 0, projected to the
    ball of `radius`; averaged with weights 2 t / (T (T + 1)). Runs of different noise see the same contexts.
    """
    outputs, d = theta.shape
    weights, summed = np.zeros((noises.size, outputs, d)), np.zeros((noises.size, outputs, d))
    scale, alpha = np.sqrt(noises / outputs)[:, None], 2 * variances.min()
    found = []
    for t in range(1, checkpoints[-1] + 1):
        summed += t * weights
        if t in checkpoints:
            average = summed * 2 / (t * (t + 1))
            found.append((((average - theta) ** 2) @ variances).sum(axis=1))
        b = rng.normal(size=d) * np.sqrt(variances)
        residual = (weights - theta) @ b - scale * rng.normal(size=outputs)
        weights = weights - 2 / (alpha * (t + 1)) * 2 * residual[:, :, None] * b
        norm = np.sqrt((weights**2).sum(axis=(1, 2), keepdims=True))
        weights *= np.minimum(1.0, radius / norm)
    return np.array(found).T


def theorem_1(variances: np.ndarray, noises: np.ndarray, radius: float, steps: np.ndarray) -> np.ndarray:
    """The bound [noises, steps]: 4 Tr(Sigma_p) (N_q + 4 lambda_max(Sigma_q) D^2) / (lambda_min(Sigma_p) (T + 1)).

    For normal contexts Sigma_q = E |b|^2 b b^T / E |b|^2 = (Tr(Sigma_p) Sigma_p + 2 Sigma_p^2) / Tr(Sigma_p).
    """
    total = variances.sum()
    largest = float((variances + 2 * variances**2 / total).max())
    return 4 * total * (noises[:, None] + 4 * largest * radius**2) / (variances.min() * (steps + 1))
