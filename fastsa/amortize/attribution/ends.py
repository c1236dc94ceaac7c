"""What the empty coalition and that of all players earn: what efficient attributions share out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.estimators.pool import Pool
from fastsa.games import ModelGame
from fastsa.labels import Labels
from fastsa.ops import Lanes, Walks


def ends(game: ModelGame) -> NDArray[np.float64]:
    """v(empty) and v(N) of every input: float64 [items, 2, outputs].

    One evaluation per input under Baseline, Marginal, Groups and Patches, where v(empty) is of the background alone (see
    `ModelGame.knows_empty`): of a Marginal one the mean over all its rows. Under other maskers two.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=1), np.array([[1.0, 2.0]]), fastsa.games.Baseline(1.0))
    >>> fastsa.amortize.ends(game)[0, :, 0].tolist()
    [2.0, 3.0]
    """
    n = game.ids.size
    both = np.empty((n, 2, game.n_outputs))
    # With everyone there no background shows: any single row stands behind.
    lanes = Lanes(np.arange(n), np.zeros(n, np.uint32))
    both[:, 1] = game.walk(Walks.of_coalitions(np.ones((n, game.n_players), np.bool_), lanes))
    items = np.zeros(1, np.int64) if game.knows_empty else np.arange(n)
    both[:, 0] = game.evaluate(items, np.zeros((items.size, game.n_players), np.bool_))
    return both


def ends_cost(game: ModelGame) -> int:
    """Evaluations that `ends` takes."""
    return game.ids.size * (1 if game.knows_empty else 2)


def ends_of_labels(labels: Any) -> NDArray[np.float64] | None:
    """The ends that the labels' own estimator evaluated, or None where it did not, or only under drawn backgrounds."""
    if not isinstance(labels, Labels) or not isinstance(labels.statistics, Pool) or labels.statistics.own_backgrounds:
        return None
    both = np.stack([labels.statistics.empty, labels.statistics.whole], axis=1)
    return both if np.isfinite(both).all() else None


def summing_to(
    total: NDArray[np.float64], values: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values [items, players, outputs] moved to sum to `total` [items, outputs], each by its share of the variance.

    The mean of independent normal errors of these variances given their sum; players known exactly stay.
    """
    whole = variance.sum(axis=1, keepdims=True)
    share = np.divide(variance, whole, out=np.full(values.shape, 1.0 / values.shape[1]), where=whole > 0)
    return values + share * (total - values.sum(axis=1))[:, None]


def checked_ends(name: str, given: Any, n_items: int, n_outputs: int) -> NDArray[np.float64]:
    """[items, 2, outputs], finite."""
    both = np.asarray(given, dtype=np.float64)
    if both.shape != (n_items, 2, n_outputs):
        raise ValueError(
            f"{name} has shape {both.shape}; expected ({n_items}, 2, {n_outputs}), as amortize.ends(game) gives."
        )
    if not np.isfinite(both).all():
        raise ValueError(f"{name} holds a number that is not finite; expected v(empty) and v(N) of every input.")
    return both
