"""The whole rows behind a game, its inputs and its background: as numbers, and what the model says of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.games.arrays import Batch, as_numpy
from fastsa.games.game import DEFAULT_MAX_BYTES
from fastsa.games.maskers import Replaced
from fastsa.games.model_game import ModelGame
from fastsa.games.requests import Coalitions


class WholeRows(NamedTuple):
    """inputs float64 [items, entries], background float64 [b, entries], player_of int64 [entries], 0 .. players - 1."""

    inputs: NDArray[np.float64]
    background: NDArray[np.float64]
    player_of: NDArray[np.int64]


def whole_rows(game: ModelGame) -> WholeRows:
    """Inputs and background of a game whose absent entries are replaced. No evaluation.

    Raises TypeError for Tokens and Nodes, which replace nothing, and for inputs that are no numbers; ValueError for numbers
    that are not finite.

    >>> import fastsa, numpy as np
    >>> masker = fastsa.games.Marginal(np.zeros((5, 2)))
    >>> rows = whole_rows(fastsa.games.ModelGame(lambda x: x.sum(axis=1), np.ones((3, 2)), masker))
    >>> rows.inputs.shape, rows.background.shape, rows.player_of.tolist()
    ((3, 2), (5, 2), [0, 1])
    """
    bound = game.bound
    if not isinstance(bound, Replaced):
        name = type(game.masker).__name__
        raise TypeError(f"masker is {name}, which has no background; expected Baseline, Marginal, Groups or Patches.")
    inputs, background = _flat("inputs", bound.inputs), _flat("background", bound.outside)
    players = np.broadcast_to(bound.players, tuple(bound.inputs.shape[1:])).reshape(-1)
    return WholeRows(inputs, background, players.astype(np.int64))


def is_table(game: ModelGame) -> bool:
    """Whether inputs are rows [items, entries] of finite numbers whose absent entries are replaced by such. No evaluation.

    >>> import fastsa, numpy as np
    >>> is_table(fastsa.games.ModelGame(lambda x: x.sum(axis=(1, 2)), np.ones((3, 2, 2)), fastsa.games.Baseline()))
    False
    """
    bound = game.bound
    if not isinstance(bound, Replaced):
        return False
    both = [as_numpy(rows) for rows in (bound.inputs, bound.outside)]
    return both[0].ndim == 2 and all(rows.dtype.kind in "fiub" and np.isfinite(rows).all() for rows in both)


def answers(game: ModelGame, items: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """What the model says of inputs (positions; default all), then of every background row: float64 [items + b, outputs].

    One evaluation each.

    >>> import fastsa, numpy as np
    >>> masker = fastsa.games.Marginal(np.array([[0.0, 0.0], [4.0, 5.0]]))
    >>> answers(fastsa.games.ModelGame(lambda x: x.sum(axis=1), np.ones((3, 2)), masker)).ravel().tolist()
    [2.0, 2.0, 2.0, 0.0, 9.0]
    """
    inputs = np.arange(game.ids.size) if items is None else items
    n, b = inputs.size, game.bound.n_background
    # With everyone there no background shows, with nobody no input: any single row stands for either.
    of_row = np.concatenate([inputs, np.zeros(b, np.int64)])
    behind = np.concatenate([np.zeros(n, np.int64), np.arange(b)])
    found, batch, at_once = np.empty((n + b, game.n_outputs)), Batch(), game.rows_per_batch(DEFAULT_MAX_BYTES)
    for first in range(0, n + b, at_once):
        own = slice(first, min(first + at_once, n + b))
        members = np.repeat(np.arange(own.start, own.stop)[:, None] < n, game.n_players, axis=1)
        found[own] = game.outputs_of(Coalitions(of_row[own], members, behind[own]), batch)
    return found


def _flat(name: str, rows: object) -> NDArray[np.float64]:
    array = as_numpy(rows)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} have dtype {array.dtype}; expected numbers. Encode other columns first.")
    flat = array.reshape(array.shape[0], -1).astype(np.float64)
    if not np.isfinite(flat).all():
        row, entry = (int(i) for i in np.argwhere(~np.isfinite(flat))[0])
        raise ValueError(f"{name}[{row}, {entry}] is {flat[row, entry]}; expected finite numbers.")
    return flat
