"""An additive stand-in for a model, whose Shapley values are known exactly: linear, or with steps in every entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.ridge import leave_one_out_ridge
from fastsa.games import ModelGame
from fastsa.games.whole_rows import WholeRows, answers, whole_rows

_MOST_STEPS = 15  # of an entry
_MOST_COLUMNS = 1024
_MOST_INPUTS = 10_000  # that it is taught by: ten for each column
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class AdditiveSurrogate:
    """g(x) = c + the sum over entries e of  slope_e x_e + the sum over its steps t of  height_t [x_e > at_t].

    Its Shapley values where absent entries take those of background rows b are

        phi_i(x) = the sum over the entries e of player i of  g_e(x_e) - the mean over b of g_e(b_e)

    for each output, for a linear g  w_e (x_e - mean b_e)  (Lundberg and Lee, NIPS 2017, corollary 1), whatever the
    dependence of the entries: an additive game pays every player what it adds, and any other value of players by what they
    add, such as Banzhaf's, is the same.

    entry int64 [steps], the entry of each step; at float64 [steps]; weights float64 [entries + steps, outputs], slopes first.

    >>> import fastsa, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> game = fastsa.games.ModelGame(lambda x: 3 * x[:, 0] - x[:, 2], X, fastsa.games.Marginal(X[:9]))
    >>> surrogate = AdditiveSurrogate.fit(game, steps=False)
    >>> bool(np.allclose(surrogate.values(game), fastsa.exact(game), atol=1e-3))
    True
    """

    entry: NDArray[np.int64]
    at: NDArray[np.float64]
    weights: NDArray[np.float64]

    @staticmethod
    def fit(game: ModelGame, *, steps: bool) -> AdditiveSurrogate:
        """Ridge on what the model says of inputs, 10,000 at most, and all background rows, one evaluation each (`cost`).

        Columns are in units of their standard deviations, and the penalty of each output is the best by leave-one-out error.
        Without `steps` it is linear; with them an entry of several values has up to 15, at quantiles, or between its
        values where it has no more; fewer where entries are so many that there would be more than 1,024 columns.

        Raises TypeError and ValueError as fastsa.games.whole_rows does: under Tokens or Nodes, and for what is no number.
        """
        (surrogate,) = AdditiveSurrogate.fit_several(game, [steps])
        return surrogate

    @staticmethod
    def fit_several(game: ModelGame, steps: Sequence[bool]) -> list[AdditiveSurrogate]:
        """As `fit`, of one set of answers: surrogates with and without steps at the evaluations of one."""
        rows = whole_rows(game)
        items = _teaching(rows)
        X, said = np.concatenate([rows.inputs[items], rows.background]), answers(game, items)
        return [AdditiveSurrogate._taught(X, said, each) for each in steps]

    @staticmethod
    def _taught(X: NDArray[np.float64], said: NDArray[np.float64], steps: bool) -> AdditiveSurrogate:
        surrogate = AdditiveSurrogate(*(_steps(X) if steps else _no_steps()), np.empty((0, 0)))
        columns = surrogate._columns(X)
        center, spread = columns.mean(axis=0), columns.std(axis=0)
        varies = spread > 1e-12 * np.abs(columns).max(axis=0, initial=0.0)
        scaled = (columns - center) / np.where(varies, spread, 1.0) * varies
        even = np.ones(X.shape[0])
        weights = [leave_one_out_ridge(lambda part: scaled[part], of_output, even)[0] for of_output in said.T]
        units = np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)
        return AdditiveSurrogate(surrogate.entry, surrogate.at, np.stack(weights, axis=1) * units[:, None])

    @staticmethod
    def cost(game: ModelGame) -> int:
        """Evaluations that `fit` takes: one for each input that it is taught by, and one for each background row."""
        rows = whole_rows(game)
        return _teaching(rows).size + rows.background.shape[0]

    def values(self, game: ModelGame) -> NDArray[np.float64]:
        """The surrogate's Shapley values of the game's inputs, float64 [items, players, outputs]. No evaluation of the model.

        Raises ValueError for a game of other entries or outputs than it was fitted to.
        """
        rows = whole_rows(game)
        entries = self.weights.shape[0] - self.at.size
        if (rows.inputs.shape[1], game.n_outputs) != (entries, self.weights.shape[1]):
            raise ValueError(
                f"game has {rows.inputs.shape[1]} entries and {game.n_outputs} outputs; expected {entries} and "
                f"{self.weights.shape[1]}, to which this surrogate was fitted."
            )
        return self._shared_out(rows, game.n_players)

    def config(self) -> dict[str, Any]:
        """As plain data; `of_config` makes it again."""
        return {"entry": self.entry.tolist(), "at": self.at.tolist(), "weights": self.weights.tolist()}

    @staticmethod
    def of_config(config: dict[str, Any]) -> AdditiveSurrogate:
        entry, at = np.array(config["entry"], np.int64), np.array(config["at"], np.float64)
        return AdditiveSurrogate(entry, at, np.array(config["weights"], np.float64))

    def _shared_out(self, rows: WholeRows, n_players: int) -> NDArray[np.float64]:
        player = np.concatenate([rows.player_of, rows.player_of[self.entry]])
        order = np.argsort(player, kind="stable")
        begins = np.searchsorted(player[order], np.arange(n_players))
        behind = self._columns(rows.background).mean(axis=0)
        found = np.empty((rows.inputs.shape[0], n_players, self.weights.shape[1]))
        for first in range(0, rows.inputs.shape[0], _ROWS_AT_ONCE):
            own = slice(first, first + _ROWS_AT_ONCE)
            apart = self._columns(rows.inputs[own]) - behind
            for k, weights in enumerate(self.weights.T):
                found[own, :, k] = np.add.reduceat((apart * weights)[:, order], begins, axis=1)
        return found

    def _columns(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([X, X[:, self.entry] > self.at], axis=1)


def _teaching(rows: WholeRows) -> NDArray[np.int64]:
    """The inputs that a surrogate is taught by: all, or where they are many some, evenly spaced."""
    n = rows.inputs.shape[0]
    return np.linspace(0, n - 1, min(n, _MOST_INPUTS)).astype(np.int64)


def _no_steps() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.empty(0, np.int64), np.empty(0)


def _steps(X: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(entries, places) of the steps; an entry of two values has none, being linear."""
    values = [np.unique(column) for column in X.T]
    several = [e for e, own in enumerate(values) if own.size > 2]
    most = min(_MOST_STEPS, (_MOST_COLUMNS - X.shape[1]) // max(1, len(several)))
    if most < 1:
        return _no_steps()
    places = []
    for e in several:
        own = values[e]
        if own.size > most + 1:
            at = np.unique(np.quantile(X[:, e], np.arange(1, most + 1) / (most + 1)))
            places.append(at[at < own[-1]])
        else:
            places.append((own[:-1] + own[1:]) / 2)
    return np.repeat(several, [at.size for at in places]).astype(np.int64), np.concatenate([*places, np.empty(0)])
