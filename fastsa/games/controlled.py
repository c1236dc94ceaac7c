"""A game beside a cheaper one whose values are known: the same values, of which labels say the same with less noise."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel
from fastsa.games.game import Game, check_coalitions, check_game
from fastsa.ops import Lanes, Walks


class Controlled:
    """The game v(S) - scale * (w(S) - sum of the values of S), of the same values as v: a control variate.

    w is the game `surrogate`, and `values` its values by the estimator's index, such as its Shapley values. An additive game
    whose players are worth the values of w has the same values, by any index, so that what is subtracted is worth zero to
    every player: labels of the controlled game, by any estimator of that index, have the expectation of labels of v, whatever
    the surrogate and the scale. Their variance is that of v - scale * w, which is small where w is close to v. An additive
    surrogate changes nothing: take AdjustedMSR, which fits one.

    Unbiased where surrogate and scale are known before the samples that they are subtracted from: of a network or another
    learner trained on labels, inputs or samples of another role.

    Parameters
    ----------
    game : any game, v.
    surrogate : a game of the same players, items and outputs, w: ModelGame of a cheap model under the same masker, which then
        meets the same background rows; DataGame of a cheap utility on the same points (KNN, whose values are
        fastsa.knn_shapley).
    values : [items, outputs], or [items, players, outputs] where every item is a game of its own: the values of w, exact
        (fastsa.exact, fastsa.knn_shapley), or an unbiased estimate from independent samples, which the surrogate makes cheap.
    scale : real number, or one for each output [outputs], default 1: the share of w that is subtracted.
        fastsa.labels.fitted_scale estimates it from samples of another role.
    values_stderr : the standard errors of `values`, in their shape; default None, for values that are exact.

    Labels' own standard errors do not hold the error of estimated values; `stderr(labels)` adds it. Evaluations count those
    of v.

    Raises TypeError for what is not a game; ValueError for games of other players, items or outputs, or values of another shape.

    >>> import fastsa
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * c[:, 1] + 0.01 * c[:, 2], 3)
    >>> cheap = fastsa.games.FunctionGame(lambda c: c[:, 0] * c[:, 1], 3)
    >>> controlled = fastsa.games.Controlled(game, cheap, fastsa.exact(cheap))
    >>> labels = fastsa.LabelStream(controlled, fastsa.estimators.PermutationShapley(), samples=2).collect()
    >>> labels.mean.round(6).ravel().tolist(), labels.stderr.max().round(6).item()
    ([0.5, 0.5, 0.01], 0.0)
    """

    def __init__(
        self, game: Game, surrogate: Game, values: Any, *, scale: Any = 1.0, values_stderr: Any = None
    ) -> None:
        for name, one in (("game", game), ("surrogate", surrogate)):
            check_game(name, one)
        _check_alike(game, surrogate)
        self._game, self._surrogate = game, surrogate
        self.scale = _scale(scale, game.n_outputs)
        self.n_players, self.n_outputs, self.ids, self.item_players = (
            game.n_players,
            game.n_outputs,
            game.ids,
            game.item_players,
        )
        self.draws_background = game.draws_background or surrogate.draws_background
        self.knows_empty = game.knows_empty
        self._values = _of_players(game, values)
        self._values_stderr = None if values_stderr is None else _of_cells("values_stderr", game, values_stderr)
        if self._values_stderr is not None and self._values_stderr.min() < 0:
            raise ValueError(
                f"values_stderr holds {self._values_stderr.min()}; expected standard errors, none negative."
            )
        scales = self.scale if isinstance(self.scale, float) else self.scale.tolist()
        digest = hashlib.sha256(repr((game.fingerprint, surrogate.fingerprint, scales, self._values.shape)).encode())
        digest.update(self._values.data)
        self.fingerprint = digest.hexdigest()

    def walk(
        self,
        walks: Walks,
        *,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float64]:
        """Values of the walks' scored positions and branches: float64 [walks.n_values, n_outputs]."""
        values = self._game.walk(walks, max_bytes=max_bytes, n_threads=n_threads, cancel=cancel)
        values -= self.control(walks, max_bytes=max_bytes, n_threads=n_threads, cancel=cancel)
        return values

    def control(
        self,
        walks: Walks,
        *,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float64]:
        """What is subtracted from the game's values of the same walks: float64 [walks.n_values, n_outputs]."""
        control = self._surrogate.walk(walks, max_bytes=max_bytes, n_threads=n_threads, cancel=cancel)
        control -= self._worth(walks)
        control *= self.scale
        return control

    def evaluate(self, *coalitions: Any) -> NDArray[np.float64]:
        """Values of booleans [rows, n_players], after the items [rows] that they are of where there are many games."""
        *items, members = coalitions
        lanes = Lanes(np.asarray(items[0], dtype=np.int64)) if items else None
        return self.walk(Walks.of_coalitions(check_coalitions(np.asarray(members), self.n_players), lanes))

    def stderr(self, labels: Any) -> NDArray[np.float64]:
        """Standard errors of this game's labels [as labels.mean] that hold the error of the surrogate's values too.

        The root of labels.stderr^2 + (scale x values_stderr)^2: the values came from samples of their own.

        Raises ValueError for labels of another game, or without values_stderr.
        """
        if labels.fingerprint != self.fingerprint:
            raise ValueError("these are labels of another game; expected labels that a stream made of this one.")
        if self._values_stderr is None:
            raise ValueError("the standard errors of the values are not known; give them as values_stderr.")
        place = {int(i): p for p, i in enumerate(self.ids)}
        own = self._values_stderr[[place[int(i)] for i in labels.ids]]
        return np.hypot(labels.stderr, np.abs(self.scale) * own)

    def _worth(self, walks: Walks) -> NDArray[np.float64]:
        """The sum of the surrogate's values of those who have joined, at every scored position and branch."""
        flat = self._values.reshape(-1, self.n_outputs)
        of_row = np.zeros(walks.rows, np.int64)
        if self.item_players is None:
            of_row = walks.lanes.items * self.n_players
        so_far, begin = _sums_of_rows(walks, flat, of_row)
        worth = np.empty((walks.n_values, self.n_outputs))
        row = np.repeat(np.arange(walks.rows), np.diff(walks.scored_offsets))
        worth[walks.scored_values] = so_far[begin[row] + walks.scored]
        row = np.repeat(np.arange(walks.rows), np.diff(walks.branch_offsets))
        worth[walks.branch_values] = so_far[begin[row] + walks.sizes[row]] + flat[of_row[row] + walks.branches]
        return worth


def _sums_of_rows(
    walks: Walks, flat: NDArray[np.float64], of_row: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sums of flat[of_row + player] over the first 0, 1, ... players of each row, one row after the other, and where each begins.

    Each row is summed by itself, so that its sums do not depend on the rows around it.
    """
    begin = walks.offsets[:-1] + np.arange(walks.rows)
    so_far = np.zeros((walks.players.size + walks.rows, flat.shape[1]))
    for size in np.unique(walks.sizes[walks.sizes > 0]):
        rows = np.flatnonzero(walks.sizes == size)
        place = np.arange(size)
        players = walks.players[walks.offsets[rows][:, None] + place]
        so_far[begin[rows][:, None] + 1 + place] = np.cumsum(flat[of_row[rows][:, None] + players], axis=1)
    return so_far, begin


def _check_alike(game: Game, surrogate: Game) -> None:
    def shape(one: Game) -> tuple[int, int, int, bool]:
        return one.n_players, one.ids.size, one.n_outputs, one.item_players is None

    if shape(game) != shape(surrogate):
        names = "players, items, outputs, whether every item is a game of its own"
        raise ValueError(f"surrogate has {shape(surrogate)} ({names}); expected those of game, {shape(game)}.")
    if not np.array_equal(game.ids, surrogate.ids):
        raise ValueError("surrogate has other ids than game; give both the same, so that their draws agree.")
    if game.item_players is not None and not np.array_equal(game.item_players, surrogate.item_players):
        raise ValueError("surrogate's items are other players than game's; make both of the same points.")


def _scale(given: Any, n_outputs: int) -> float | NDArray[np.float64]:
    """One finite number, or one for each output."""
    if np.ndim(given) == 0:
        return _checks.number("scale", given)
    scale = np.array(given, dtype=np.float64)
    scale.setflags(write=False)
    if scale.shape != (n_outputs,) or not np.isfinite(scale).all():
        raise ValueError(f"scale is {given}; expected a finite number, or one for each of {n_outputs} outputs.")
    return scale


def _of_players(game: Game, values: Any) -> NDArray[np.float64]:
    """Values by player: [items, players, outputs], or [1, players and points outside the pool, outputs] of one game."""
    given = _of_cells("values", game, values)
    if game.item_players is None:
        return np.ascontiguousarray(given)
    by_player = np.zeros((1, max(game.n_players, int(game.item_players.max()) + 1), game.n_outputs))
    by_player[0, game.item_players] = given
    return by_player


def _of_cells(name: str, game: Game, values: Any) -> NDArray[np.float64]:
    """Finite numbers [items, outputs], or [items, players, outputs]; one output may do without its axis."""
    given = np.asarray(values, dtype=np.float64)
    cells = (game.ids.size,) if game.item_players is not None else (game.ids.size, game.n_players)
    expected = (*cells, game.n_outputs)
    if given.shape == cells and game.n_outputs == 1:
        given = given[..., None]
    if given.shape != expected:
        raise ValueError(f"{name} have shape {given.shape}; expected the surrogate's values {list(expected)}.")
    if not np.isfinite(given).all():
        raise ValueError(f"{name} hold NaN or infinity; expected a finite value of every player.")
    return given
