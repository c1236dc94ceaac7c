"""How much of a control variate to subtract: the share that leaves labels the least variance, told by other samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel
from fastsa.estimators import Estimator
from fastsa.games import Controlled, Game
from fastsa.labels.stream import LabelStream
from fastsa.ops import Walks


def fitted_scale(
    game: Game,
    surrogate: Game,
    values: Any,
    estimator: Estimator,
    *,
    samples: int,
    items: Any = None,
    role: str = "select",
    seed: int = 0,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """The scale [outputs] of fastsa.games.Controlled that leaves labels of these samples the least variance in all.

    For each output  sum Cov(v, w) / sum Var(w),  over the items (and players), of labels of v = game and w = surrogate less
    the sum of its values: the coefficient of a control variate (Owen, Monte Carlo theory, methods and examples, equation
    8.31), with the covariance from three variances, Cov(v, w) = (Var(v) + Var(w) - Var(v - w)) / 2: exact where labels are
    linear in the values, nearly so for AdjustedMSR. An output of which the surrogate says nothing has scale 0.

    Parameters
    ----------
    game, surrogate, values : as of Controlled.
    estimator : of the labels that are to be controlled.
    samples : of every item, at least 2; they cost evaluations of the game as labels do.
    items : positions of items, default all. Some of many are enough: a scale is shared by all.
    role : of the samples, default "select". Labels controlled with this scale are unbiased where theirs is another role,
        or where they are of other items.
    seed, n_threads : as of LabelStream.

    Raises ValueError for fewer than two samples, and what Controlled and LabelStream raise.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * c[:, 1] + 0.01 * c[:, 2], 3)
    >>> twice = fastsa.games.FunctionGame(lambda c: 2.0 * c[:, 0] * c[:, 1], 3)
    >>> permutations = fastsa.estimators.PermutationShapley()
    >>> fastsa.labels.fitted_scale(game, twice, fastsa.exact(twice), permutations, samples=9).round(6).tolist()
    [0.5]
    """
    _checks.count("samples", samples, least=2)  # one shows no variance
    three = _SideBySide(game, Controlled(game, surrogate, values))
    labels = LabelStream(
        three, estimator, samples=samples, items=items, role=role, seed=seed, n_threads=n_threads
    ).collect()
    variances = (labels.stderr**2).reshape(-1, 3 * game.n_outputs).sum(axis=0)
    of_game, of_surrogate, of_both = variances.reshape(3, game.n_outputs)
    covariance = (of_game + of_surrogate - of_both) / 2
    return np.divide(covariance, of_surrogate, out=np.zeros_like(covariance), where=of_surrogate > 0)


class _SideBySide:
    """A game of three times the outputs: v, what a control subtracts, and the controlled game."""

    def __init__(self, game: Game, controlled: Controlled) -> None:
        self._game, self._controlled = game, controlled
        self.n_players, self.ids, self.item_players = game.n_players, game.ids, game.item_players
        self.n_outputs = 3 * game.n_outputs
        self.draws_background, self.knows_empty = controlled.draws_background, controlled.knows_empty
        self.fingerprint = f"side by side {controlled.fingerprint}"

    def walk(
        self,
        walks: Walks,
        *,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float64]:
        values = self._game.walk(walks, max_bytes=max_bytes, n_threads=n_threads, cancel=cancel)
        control = self._controlled.control(walks, max_bytes=max_bytes, n_threads=n_threads, cancel=cancel)
        return np.concatenate([values, control, values - control], axis=1)

    def evaluate(self, *coalitions: Any) -> NDArray[np.float64]:
        values, controlled = self._game.evaluate(*coalitions), self._controlled.evaluate(*coalitions)
        return np.concatenate([values, values - controlled, controlled], axis=1)
