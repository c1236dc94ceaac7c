"""Weights of labels in a loss, as a user gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def checked_weights(weights: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """Finite weights of the shape of the count, none below 0; those of items [n] serve all their players."""
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float64)
    if array.shape == shape[:1]:
        array = np.broadcast_to(array.reshape(-1, *[1] * (len(shape) - 1)), shape)
    if array.shape != shape:
        raise ValueError(f"weights have shape {array.shape}; expected {shape}, as the labels' count, or one per item.")
    if not np.isfinite(array).all() or array.min() < 0:
        raise ValueError("weights hold what is no weight; expected finite numbers, at least 0.")
    return array
