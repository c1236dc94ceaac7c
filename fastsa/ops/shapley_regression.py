"""Additive values that fit the values of drawn coalitions best and sum to a total: the regression of KernelSHAP."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _core, _threads

_MULTIPLICATIONS_PER_CHUNK = 1 << 22


def shapley_regression(
    n_players: int,
    members: NDArray[np.uint64],
    values: NDArray[np.float64],
    totals: NDArray[np.float64],
    *,
    weight_of_size: NDArray[np.float64] | None = None,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """Constrained weighted least squares, game by game: float64 [games, n_players, outputs].

    With A the sum of w_S 1_S 1_S' over a game's coalitions S, b that of w_S 1_S v(S), and 1 the vector of ones,

        phi = inv(A) (b - 1 (1' inv(A) b - total) / (1' inv(A) 1))     (Covert and Lee, AISTATS 2021, equation 7).

    members         uint64 [games, samples, words]: the first coalition of each sample, as bits
    values          float64 [games, samples, 1 or 2, outputs], above the empty coalition's: of that coalition, and of its
                    complement where there are two, which weighs the same
    totals          float64 [games, outputs], what phi sums to
    weight_of_size  float64 [n_players + 1], w by the size of the first coalition; None: all weigh alike

    phi is NaN for a game whose coalitions do not determine it (A singular to working precision). A Cholesky factor in
    float64, of a Gram matrix counted exactly where all weigh alike; the same bytes on any number of threads and any machine.

    Raises TypeError or ValueError for arrays of other dtypes or shapes, and fewer than two players.

    >>> import fastsa, numpy as np
    >>> coalitions = np.array([[[1, 0, 0], [0, 1, 0], [0, 1, 1]]], dtype=bool)
    >>> values = (coalitions @ np.array([3.0, 2.0, 1.0]))[:, :, None, None]
    >>> fastsa.ops.shapley_regression(3, fastsa.ops.pack(coalitions), values, np.array([[6.0]])).ravel().round(9).tolist()
    [3.0, 2.0, 1.0]
    """
    n_players = _checks.count("n_players", n_players, least=2, most=_checks.MOST_PLAYERS)
    _checks.exact("members", members, np.uint64, 3)
    _checks.exact("values", values, np.float64, 4)
    _checks.exact("totals", totals, np.float64, 2)
    games, samples, words = members.shape
    outputs = totals.shape[1]
    if words != (n_players + 63) // 64:
        raise ValueError(f"members have {words} words; expected {(n_players + 63) // 64} for {n_players} players.")
    if values.shape[:2] != (games, samples) or values.shape[2] not in (1, 2) or values.shape[3] != outputs:
        raise ValueError(f"values have shape {values.shape}; expected [{games}, {samples}, 1 or 2, {outputs}].")
    if totals.shape[0] != games:
        raise ValueError(f"totals have shape {totals.shape}; expected [{games}, outputs].")
    if (
        weight_of_size is not None
        and _checks.exact("weight_of_size", weight_of_size, np.float64, 1).size != n_players + 1
    ):
        raise ValueError(
            f"weight_of_size has {weight_of_size.size} entries; expected {n_players + 1}, sizes 0 to {n_players}."
        )
    phi = np.empty((games, n_players, outputs))
    n_bytes = _core.shapley_regression_workspace(samples, n_players, outputs)

    def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
        workspace = _threads.scratch(n_bytes)
        _core.shapley_regression(phi, members, values, weight_of_size, totals, begin, end, workspace, flag)

    per_game = n_players**2 * (n_players // 6 + samples // 64 + outputs + 1)
    _threads.run(kernel, games, chunk=max(1, _MULTIPLICATIONS_PER_CHUNK // per_game), n_threads=n_threads)
    return phi
