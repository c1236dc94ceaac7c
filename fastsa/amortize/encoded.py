"""Classes as networks take them: integers from 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def encoded(name: str, y: Any, n: int, n_classes: int) -> NDArray[np.int32]:
    """`y` as int32 [n], each in 0 .. n_classes - 1; TypeError or ValueError for anything else."""
    y = np.asarray(y)
    if y.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {y.dtype}; expected classes encoded as integers from 0.")
    if y.shape != (n,):
        raise ValueError(f"{name} has shape {y.shape}; expected ({n},), one class per point.")
    if y.size and (y.min() < 0 or y.max() >= n_classes):
        raise ValueError(f"{name} reaches from {y.min()} to {y.max()}; expected 0 to {n_classes - 1}.")
    return y.astype(np.int32)
