"""Insertion and deletion curves: what a model says while players join, or leave, in the order of their attributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.games import ModelGame
from fastsa.ops import Lanes, Walks


@dataclass(frozen=True)
class Curve:
    """Outputs along a curve.

    share   float64 [points], the share of players that have joined (insertion) or left (deletion), from 0 to 1
    values  float64 [items, points, outputs], or [items, points] of a single output asked for
    """

    share: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def area(self) -> NDArray[np.float64]:
        """The area under each curve by the trapezoidal rule: [items, outputs] or [items]."""
        width = np.diff(self.share)
        middle = (self.values[:, 1:] + self.values[:, :-1]) / 2.0
        return np.tensordot(width, middle, axes=(0, 1))

    @property
    def mean_area(self) -> NDArray[np.float64]:
        """The area averaged over items: [outputs], or a number."""
        return self.area.mean(axis=0)


def insertion_curve(game: ModelGame, attributions: Any, *, output: Any = None, points: int | None = None) -> Curve:
    """Outputs as players join the empty coalition, the largest attribution first (Petsiuk, Das and Saenko, BMVC 2018).

    Good attributions make a high curve. `attributions` are [items, players, outputs] of the game's items, as labels and
    explainers give; [items, players] where the game has one output. Every output has an order of its own, by its own
    attributions; equal ones join by position. `output` takes one output: a position, or one per item [items], such as
    the predicted class. `points` scores so many coalitions of evenly spaced sizes, both ends included; default all
    players + 1.

    Cost: points evaluations per item and output taken; under Marginal masking each is a mean over the background.

    Raises ValueError for other shapes, NaN, an output that is not there, fewer than 2 points or more than players + 1.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=1), np.array([[1.0, 3.0]]), fastsa.games.Baseline())
    >>> curve = fastsa.metrics.insertion_curve(game, np.array([[1.0, 3.0]]))
    >>> curve.values[0, :, 0].tolist(), curve.area.item()
    ([0.0, 3.0, 4.0], 2.5)
    """
    chosen, taken, sizes = _checked(game, attributions, output, points)
    order = np.argsort(-chosen, axis=-1, kind="stable")
    return Curve(sizes / game.n_players, _values(game, order, taken, sizes))


def deletion_curve(game: ModelGame, attributions: Any, *, output: Any = None, points: int | None = None) -> Curve:
    """Outputs as players leave the whole coalition, the largest attribution first; good attributions make a low curve.

    As `insertion_curve` in all else.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=1), np.array([[1.0, 3.0]]), fastsa.games.Baseline())
    >>> fastsa.metrics.deletion_curve(game, np.array([[1.0, 3.0]])).values[0, :, 0].tolist()
    [4.0, 1.0, 0.0]
    """
    chosen, taken, sizes = _checked(game, attributions, output, points)
    leaving = np.argsort(-chosen, axis=-1, kind="stable")
    n = game.n_players
    # Who leaves last joins first: the same coalitions, met from the other end.
    values = _values(game, leaving[..., ::-1], taken, (n - sizes)[::-1])
    return Curve(sizes / n, values[:, ::-1])


def _values(
    game: ModelGame, order: NDArray[np.int64], taken: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Outputs after the first `sizes` players of each order: [items, points, outputs], or [items, points]."""
    n_orders, n = order.shape[0] * (order.shape[1] if order.ndim == 3 else 1), order.shape[-1]
    items = np.repeat(np.arange(order.shape[0]), n_orders // order.shape[0])
    walks = Walks(
        np.ascontiguousarray(order, dtype=np.int32).reshape(-1),
        np.arange(n_orders + 1, dtype=np.int64) * n,
        np.tile(sizes.astype(np.int32), n_orders),
        np.arange(n_orders + 1, dtype=np.int64) * sizes.size,
        np.empty(0, np.int32),
        np.zeros(n_orders + 1, np.int64),
        lanes=Lanes(items),
    )
    values = game.walk(walks).reshape(n_orders, sizes.size, game.n_outputs)
    own = np.take_along_axis(values, taken.reshape(-1, 1, 1), axis=2)[..., 0]
    if order.ndim == 2:
        return own
    return own.reshape(order.shape[0], order.shape[1], sizes.size).transpose(0, 2, 1)


def _checked(
    game: Any, attributions: Any, output: Any, points: Any
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """(attributions [items, outputs, players], or [items, players] of one; the output of each; the sizes to score)."""
    if not isinstance(game, ModelGame):
        raise TypeError(f"game is a {type(game).__name__}; expected a fastsa.games.ModelGame.")
    items, n, outputs = game.ids.size, game.n_players, game.n_outputs
    given = np.asarray(attributions, dtype=np.float64)
    if given.ndim == 2 and outputs == 1:
        given = given[:, :, None]
    if given.shape != (items, n, outputs):
        raise ValueError(f"attributions have shape {given.shape}; expected ({items}, {n}, {outputs}).")
    if not np.isfinite(given).all():
        raise ValueError(
            "attributions hold a number that is not finite; expected an order of the players of every item."
        )
    points = n + 1 if points is None else _checks.count("points", points, least=2, most=n + 1)
    sizes = np.round(np.linspace(0, n, points)).astype(np.int64)
    by_output = given.transpose(0, 2, 1)
    if output is None:
        return by_output, np.broadcast_to(np.arange(outputs), (items, outputs)), sizes
    taken = np.asarray(output)
    if taken.dtype.kind not in "iu" or taken.shape not in ((), (items,)):
        raise ValueError(
            f"output has shape {taken.shape} and dtype {taken.dtype}; expected a position, or one for each of {items} items."
        )
    if taken.min() < 0 or taken.max() >= outputs:
        raise ValueError(f"output reaches from {taken.min()} to {taken.max()}; expected 0 to {outputs - 1}.")
    taken = np.broadcast_to(taken, (items,)).astype(np.int64)
    return by_output[np.arange(items), taken], taken, sizes
