"""The directions in which features spread most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS_PER_CHUNK = 4096


def principal_axes(features: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean, and the leading axes [d, k], scaled so that all centred features have mean squared norm 1."""
    center = features.mean(axis=0)
    covariance = np.zeros((center.size, center.size))
    for begin in range(0, features.shape[0], _ROWS_PER_CHUNK):
        centred = features[begin : begin + _ROWS_PER_CHUNK] - center
        covariance += centred.T @ centred
    variance, axes = np.linalg.eigh(covariance / features.shape[0])
    norm = np.sqrt(max(float(variance.sum()), 0.0))
    return center, np.ascontiguousarray(axes[:, ::-1][:, :most]) / (norm if norm > 0 else 1.0)
