"""Ridge regression whose penalty is the best by leave-one-out error, in memory that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

PENALTIES = 10.0 ** np.arange(-6.0, 3.0, 0.5)
_ROWS_PER_CHUNK = 4096


def leave_one_out_ridge(
    columns: Callable[[slice], NDArray[np.float64]], target: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Minimise  sum of weight * (intercept + columns @ w - target)^2 + penalty * total weight * mean square * |w|^2.

    `columns(rows)` gives the rows of a slice, float64 [m, p]; `mean square` is that of the centred columns, summed over
    them; the penalty is the best of PENALTIES by the exact leave-one-out error (Allen's PRESS). Rows of weight 0 take
    no part. Returns (w [p], intercept).
    """
    n, total = target.size, weight.sum()
    chunks = [slice(begin, min(begin + _ROWS_PER_CHUNK, n)) for begin in range(0, n, _ROWS_PER_CHUNK)]
    centre = sum(weight[rows] @ columns(rows) for rows in chunks) / total
    offset = weight @ target / total
    gram, moment = 0.0, 0.0
    for rows in chunks:
        scaled = np.sqrt(weight[rows, None]) * (columns(rows) - centre)
        gram = gram + scaled.T @ scaled
        moment = moment + scaled.T @ (np.sqrt(weight[rows]) * (target[rows] - offset))
    energy, axes = np.linalg.eigh(gram)
    energy = np.maximum(energy, 0.0)
    if energy.sum() == 0:
        return np.zeros(energy.size), float(offset)
    inverse = 1.0 / (energy[:, None] + PENALTIES * energy.sum())
    solutions = inverse * (axes.T @ moment)[:, None]
    press = np.zeros(PENALTIES.size)
    for rows in chunks:
        turned = (columns(rows) - centre) @ axes
        leverage = weight[rows, None] * (turned**2 @ inverse + 1.0 / total)
        left_out = (target[rows, None] - offset - turned @ solutions) / np.maximum(1.0 - leverage, 1e-9)
        press += weight[rows] @ left_out**2
    weights = axes @ solutions[:, np.argmin(press)]
    return weights, float(offset - centre @ weights)
