"""Enumeration: the exact values of small games, and the oracle of every estimator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations_with_replacement
from math import comb, factorial, prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.games import Game
from fastsa.ops import Walks

_MOST_PLAYERS = 16
_MOST_MULTISETS = 200_000


class SizeLaw(Protocol):
    """What defines a value: the probabilities of the size of the coalition that an item joins.

    An estimator is one; so are the names that `exact` takes.
    """

    replacement: bool
    """Whether coalitions are drawn from all players with replacement, or are subsets of the others."""

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        """P(size = t) for t = 0, 1, ..., summing to 1."""
        ...


def exact(game: Game, index: str | SizeLaw = "shapley") -> NDArray[np.float64]:
    """Exact values of all items of a small game, by enumeration: float64 [items, outputs].

    Where every item is a game of its own (ModelGame), of all players of each: float64 [items, players, outputs].

    value_i = sum over sizes t of P(t) * mean over coalitions T of size t of [v(T + i) - v(T)]

    `index` gives P: "shapley" (uniform on 0 .. n - 1; Shapley 1953), "banzhaf" (binomial(n - 1, 1/2); Banzhaf 1965),
    "leave_one_out" (n - 1), or any estimator, whose estimand is enumerated. T ranges over the subsets of the other
    players, or, where the estimator draws with replacement, over all multisets of players with their probabilities.

    Raises TypeError for an index of another type; ValueError for an unknown name, more than 16 players, more than 200,000
    multisets, sizes that the game's coalitions do not have, or items outside the pool where the value is one of the
    pool's own players.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.FunctionGame(lambda c: c.all(axis=1) * 1.0, 3)
    >>> fastsa.exact(game).ravel().round(3).tolist()
    [0.333, 0.333, 0.333]
    """
    n = game.n_players
    if n > _MOST_PLAYERS:
        raise ValueError(f"the game has {n} players; enumeration takes at most {_MOST_PLAYERS}. Use a LabelStream.")
    if isinstance(index, str):
        law, replacement = _named_law(index, n), False
    elif hasattr(index, "exact_values"):
        return index.exact_values(game)
    elif hasattr(index, "enumerated"):
        _check_items_in_pool(game)
        members = _all_coalitions(n)
        return _of_every_game(game, lambda values: index.enumerated(members, values))
    elif not hasattr(index, "size_law"):
        raise TypeError(f"index is {index!r}; expected 'shapley', 'banzhaf', 'leave_one_out' or an estimator.")
    else:
        law, replacement = np.asarray(index.size_law(n), dtype=np.float64), index.replacement
    return _over_multisets(game, law) if replacement else _over_subsets(game, law)


def _named_law(index: str, n: int) -> NDArray[np.float64]:
    _checks.choice("index", index, ("shapley", "banzhaf", "leave_one_out"))
    if index == "shapley":
        return np.full(n, 1.0 / n)
    if index == "banzhaf":
        return np.array([comb(n - 1, t) for t in range(n)]) / 2.0 ** (n - 1)
    return np.eye(n)[n - 1]


def _over_subsets(game: Game, law: NDArray[np.float64]) -> NDArray[np.float64]:
    n = game.n_players
    _check_items_in_pool(game)
    codes, members = np.arange(2**n), _all_coalitions(n)
    weight_of_size = np.array([p / comb(n - 1, t) for t, p in enumerate(law)])

    def of_players(values: NDArray[np.float64]) -> NDArray[np.float64]:
        exact_values = np.empty((n, game.n_outputs))
        for player in range(n):
            without = codes[~members[:, player]]
            weight = weight_of_size[members[without].sum(axis=1)]
            exact_values[player] = weight @ (values[without | (1 << player)] - values[without])
        return exact_values

    exact_values = _of_every_game(game, of_players)
    return exact_values if game.item_players is None else exact_values[game.item_players]


def _check_items_in_pool(game: Game) -> None:
    if game.item_players is not None and game.item_players.max(initial=-1) >= game.n_players:
        raise ValueError("the game has items outside its pool; this value is defined for the pool's own players only.")


def _all_coalitions(n: int) -> NDArray[np.bool_]:
    return (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1


def _of_every_game(game: Game, of_values: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
    """`of_values` of the values of all coalitions [2^n, outputs], for the one game or for every item's."""
    members = _all_coalitions(game.n_players)
    if game.item_players is not None:
        return of_values(game.evaluate(members))
    return np.stack(
        [of_values(game.evaluate(np.full(members.shape[0], item), members)) for item in range(game.ids.size)]
    )


def _over_multisets(game: Game, law: NDArray[np.float64]) -> NDArray[np.float64]:
    if game.item_players is None:
        raise ValueError("this value draws points with replacement; it is defined for the points of one data set.")
    n, sizes = game.n_players, np.flatnonzero(law)
    total = sum(comb(n + int(t) - 1, int(t)) for t in sizes)
    if total > _MOST_MULTISETS:
        raise ValueError(f"there are {total} multisets to enumerate; at most {_MOST_MULTISETS} are. Draw smaller ones.")
    exact_values = np.zeros((game.item_players.size, game.n_outputs))
    for t in map(int, sizes):
        multisets = list(combinations_with_replacement(range(n), t))
        chance = np.array([factorial(t) / prod(map(factorial, Counter(m).values())) / n**t for m in multisets])
        values = game.walk(_trunks(multisets, t, game.item_players))
        values = values.reshape(len(multisets), 1 + game.item_players.size, game.n_outputs)
        exact_values += law[t] * np.tensordot(chance, values[:, 1:] - values[:, :1], axes=1)
    return exact_values


def _trunks(multisets: list[tuple[int, ...]], size: int, items: NDArray[np.int32]) -> Walks:
    """One walk per multiset, scored at its end, with every item as a branch."""
    rows = np.arange(len(multisets) + 1, dtype=np.int64)
    return Walks(
        np.array(multisets, dtype=np.int32).reshape(-1),
        rows * size,
        np.full(len(multisets), size, dtype=np.int32),
        rows,
        np.tile(items, len(multisets)),
        rows * items.size,
        many_branches=True,
    )


__all__ = ["SizeLaw", "exact"]
