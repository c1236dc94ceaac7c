"""Class-wise Shapley values: what a point adds for its own class, beside random points of the other classes."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastsa.estimators.contributions import Draw, MeanEstimator
from fastsa.estimators.estimator import Part
from fastsa.games import ClasswiseGame, ClasswiseWalks, Game
from fastsa.ops import members, permutations, subsets


@dataclass(frozen=True)
class ClasswiseShapley(MeanEstimator):
    """Class-wise Shapley values of a ClasswiseGame (CS-Shapley; Schoch, Xu and Ji, NeurIPS 2022).

    One sample draws, for each class c, a subset of the points of other classes, each with probability 1/2, and a uniform random
    permutation of the points of c; it pays each of these what it adds to v_c when it joins the subset and those before it. The
    values of a class sum to the mean over subsets S of v_c(all of c and S) - v_c(S). What some implementations do besides,
    and this does not: leave out subsets that lack a class, truncate permutations, and scale the values of each class to sum to
    its accuracy.

    All points of a class share a sample, so that their errors are correlated: split by sample, not by item, to cross-fit.
    Draws depend on (seed, role, position of the class in sorted order, sample).

    Raises ValueError for a game of another kind.

    >>> import fastsa
    >>> X, y, X_val, y_val = [[0.0], [1.0], [2.0]], ["a", "b", "b"], [[0.1], [1.9]], ["a", "b"]
    >>> game = fastsa.games.ClasswiseGame(fastsa.utilities.KNN(1, "correct"), X, y, X_val, y_val)
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.ClasswiseShapley(), samples=2000).collect()
    >>> bool(abs(labels.mean - fastsa.exact(game, fastsa.estimators.ClasswiseShapley())).max() < 0.05)
    True
    """

    unit: ClassVar[str] = "for each class a subset of the other points, and a permutation of its own"
    shares_draws: ClassVar[bool] = True

    @property
    def estimand(self) -> str:
        return (
            "the class-wise Shapley value of a point i of class c: mean over subsets S of the points of other classes, sizes t = 0 "
            ".. n_c - 1 and subsets T of the other points of c with |T| = t of v_c(S + T + i) - v_c(S + T)"
        )

    def size_law(self, n_players: int) -> NDArray[np.float64]:
        raise ValueError(
            "sizes of coalitions do not define class-wise values, which tell a point's class from the others."
        )

    def check(self, game: Game, items: NDArray[np.int64], samples: int) -> None:
        if not isinstance(game, ClasswiseGame):
            name = type(game).__name__
            raise ValueError(
                f"ClasswiseShapley values the points of a fastsa.games.ClasswiseGame; this game is a {name}."
            )

    def evaluations(self, game: ClasswiseGame, items: NDArray[np.int64]) -> float:
        return sum(own.size + 1 for _, own, _ in _classes(game, items))

    def n_bytes(self, game: ClasswiseGame, items: NDArray[np.int64]) -> float:
        return sum(8 * (own.size + others.size / 2) + 64 * own.size for _, own, others in _classes(game, items))

    def draw(self, game: ClasswiseGame, part: Part, *, n_threads: int | None) -> Draw:
        rows = [self._rows(c, own, others, part, n_threads) for c, own, others in _classes(game, part.items)]
        players, sizes, scored, n_scored, joining = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        classes = [c for c, _, _ in _classes(game, part.items)]
        walks = ClasswiseWalks(
            players,
            _offsets(sizes),
            scored,
            _offsets(n_scored),
            np.empty(0, np.int32),
            np.zeros(sizes.size + 1, np.int64),
            classes=np.repeat(classes, part.span.samples),
        )
        first_of_row = np.zeros(scored.size, dtype=np.bool_)
        first_of_row[walks.scored_offsets[:-1]] = True
        after = np.flatnonzero(~first_of_row)
        item_of = np.full(game.n_players, -1, dtype=np.int64)
        item_of[game.item_players[part.items]] = part.items
        items = item_of[joining]
        return Draw(walks, items[items >= 0], after[items >= 0], after[items >= 0] - 1)

    @staticmethod
    def _rows(
        c: int, own: NDArray[np.int32], others: NDArray[np.int32], part: Part, n_threads: int | None
    ) -> tuple[NDArray, ...]:
        """A class's walks, one per sample: players, sizes, scored positions, how many of those, and who joins at them."""
        span = part.span
        lane = {
            "ids": np.full(span.samples, c, np.uint64),
            "samples": np.arange(span.first, span.stop).astype(np.uint32),
            "seed": span.seed,
            "role": span.role,
            "n_threads": n_threads,
        }
        beside, offsets = members(subsets(others.size, span.samples, q=0.5, **lane), n_threads=n_threads)
        joining = own[permutations(own.size, span.samples, **lane)].reshape(-1)
        n_beside = np.diff(offsets)
        sizes = n_beside + own.size
        place = np.arange(sizes.sum()) - np.repeat(_offsets(sizes)[:-1], sizes)
        is_beside = place < np.repeat(n_beside, sizes)
        players = np.empty(place.size, dtype=np.int32)
        players[is_beside], players[~is_beside] = others[beside], joining
        scored = (n_beside[:, None] + np.arange(own.size + 1)).astype(np.int32).reshape(-1)
        return players, sizes, scored, np.full(span.samples, own.size + 1), joining

    def exact_values(self, game: ClasswiseGame) -> NDArray[np.float64]:
        """The estimand of all points of a small game, by enumeration: float64 [items, 1]."""
        self.check(game, np.arange(game.n_players), 1)
        n, codes = game.n_players, np.arange(2**game.n_players)
        joined = (codes[:, None] >> np.arange(n)) & 1 == 1
        values = np.empty((n, 1))
        for c, own, others in _classes(game, np.arange(n)):
            earned = game.evaluate(np.full(codes.size, game.classes[c]), joined)
            weight_of_size = (
                np.array([1.0 / (own.size * comb(own.size - 1, t)) for t in range(own.size)]) / 2.0**others.size
            )
            for player in own.tolist():
                without = codes[~joined[:, player]]
                weight = weight_of_size[joined[np.ix_(without, own)].sum(axis=1)]
                values[player] = weight @ (earned[without | (1 << player)] - earned[without])
        return values


def _classes(game: ClasswiseGame, items: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int32], NDArray[np.int32]]]:
    """The classes of these items: position, players of the class, and the others."""
    return [
        (
            int(c),
            np.flatnonzero(game.class_of == c).astype(np.int32),
            np.flatnonzero(game.class_of != c).astype(np.int32),
        )
        for c in np.unique(game.class_of[items])
    ]


def _offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)])
