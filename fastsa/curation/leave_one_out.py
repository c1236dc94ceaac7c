"""Leave-one-out values of a data game: what the score of all points loses when one is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastsa.games import DataGame
from fastsa.ops import Walks

_PLAYERS_PER_CALL = 2**20


def leave_one_out(game: DataGame, *, n_threads: int | None = None) -> NDArray[np.float64]:
    """v(all players) - v(all but one), exactly, for every player of a `DataGame`: float64 [n_players, n_outputs].

    It takes n_players + 1 evaluations of nearly all the points: where that is a model fit, think of
    fastsa.knn_shapley(..., index="leave-one-out"), which needs none. A validation score of m points moves in steps of
    1 / m, so that most leave-one-out values of an accuracy are 0. The bytes do not depend on `n_threads` (default every
    processor).

    Raises TypeError for anything but a DataGame.

    >>> import fastsa
    >>> from fastsa.curation import leave_one_out
    >>> X, y = [[0.0], [1.0], [2.0]], ["a", "b", "b"]
    >>> game = fastsa.games.DataGame(fastsa.utilities.KNN(1), X, y, [[0.1], [1.9]], ["a", "b"])
    >>> leave_one_out(game)[:, 0].tolist()
    [0.5, 0.0, 0.0]
    """
    if not isinstance(game, DataGame):
        raise TypeError(f"game is a {type(game).__name__}; expected a fastsa.games.DataGame.")
    n = game.n_players
    everyone = np.arange(n, dtype=np.int32)
    whole = game.walk(Walks.to_ends(everyone, np.array([0, n], np.int64)), n_threads=n_threads)
    values = np.empty((n, game.n_outputs))
    rows_per_call = max(1, _PLAYERS_PER_CALL // n)
    for begin in range(0, n, rows_per_call):
        missing = np.arange(begin, min(begin + rows_per_call, n))
        others = np.broadcast_to(everyone, (missing.size, n))[everyone != missing[:, None]]
        offsets = np.arange(missing.size + 1, dtype=np.int64) * (n - 1)
        values[missing] = whole - game.walk(Walks.to_ends(others, offsets), n_threads=n_threads)
    return values
