"""The game of a data set: players are training points, a coalition earns a validation score."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel
from fastsa.games.game import check_coalitions, check_max_bytes
from fastsa.games.point_groups import PointGroups, point_groups
from fastsa.ops import Walks
from fastsa.utilities.coalitions import behind, described
from fastsa.utilities.data import SupervisedData, Utility, count_outputs, empty_values, takes


class DataGame:
    """One game whose players are the training points `X`, `y`, or groups of them, scored on `X_val`, `y_val` by `utility`.

    Parameters
    ----------
    utility : such as fastsa.utilities.Logistic() or KNN(5).
    X, y : the pool, [n, d] real features and [n] classes of any dtype that sorts (encoded in `.classes`), or real targets
        where the utility takes targets, as RidgeRegression does.
    X_val, y_val : validation points [m, d] and their classes, which must occur in `y`, or their targets.
    X_items, y_items : points to value that are outside the pool; they are never drawn, only added to coalitions. Default:
        the items are the pool itself.
    ids : uint64 [items], distinct and below 2**48; default positions. An item's random draws depend on its id, not on
        its place.
    groups : the players, where they are not single points: the group of each point, integers [n] from 0 to 2**48 - 1; or a
        sequence of arrays, the positions of each group's points, every point in one. All points of a group join together,
        in ascending order; the players are the groups, ordered by their integer, which is their id. Coalitions, sizes and
        draws count groups. Errors of a utility name points.

    Attributes
    ----------
    n_players, n_outputs : int
    ids : uint64 [items]
    groups : None, or the players as a PointGroups
    classes : the sorted classes of y; None for targets
    fingerprint : str, a hash of the data, the ids and the utility

    Raises ValueError or TypeError for features that are not finite real numbers, shapes that do not fit, fewer than two
    classes, validation or item classes that `y` lacks, classes where the utility takes targets and the other way round,
    unusable ids, ids beside groups that have their own, and points in no group, two groups, or one twice; `walk` and
    `evaluate` raise ValueError for a coalition whose value is not finite.

    >>> import fastsa, numpy as np
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array(["a", "b", "b"])
    >>> game = fastsa.games.DataGame(fastsa.utilities.KNN(1), X, y, [[0.1], [1.9]], ["a", "b"])
    >>> game.evaluate([[True, False, False], [True, False, True]]).ravel().tolist()
    [0.5, 1.0]
    >>> by_class = fastsa.games.DataGame(fastsa.utilities.KNN(1), X, y, [[0.1], [1.9]], ["a", "b"], groups=[4, 9, 9])
    >>> by_class.n_players, by_class.ids.tolist()
    (2, [4, 9])
    """

    n_outputs: int
    draws_background = knows_empty = False

    def __init__(
        self,
        utility: Utility,
        X: Any,
        y: Any,
        X_val: Any,
        y_val: Any,
        *,
        X_items: Any = None,
        y_items: Any = None,
        ids: Any = None,
        groups: Any = None,
    ) -> None:
        if not hasattr(utility, "prepare") or isinstance(utility, type):
            raise TypeError(f"utility is {utility!r}; expected one of fastsa.utilities, such as Logistic().")
        if (X_items is None) != (y_items is None):
            raise ValueError("X_items and y_items go together; give both or neither.")
        data, self.classes = _encoded(utility, X, y, X_val, y_val, X_items, y_items)
        self.utility = utility
        n_outside = data.y.size - data.n_pool
        players = None if groups is None else point_groups(groups, data.n_pool, n_outside)
        if players is not None and n_outside == 0:
            if ids is not None:
                raise ValueError(
                    "groups have ids of their own, the integers that name them; give groups or ids, not both."
                )
            ids = players.ids
        self.groups: PointGroups | None = None if players is None or players.are_the_points else players
        self.n_players = data.n_pool if players is None else players.n_groups
        self.n_outputs = count_outputs(utility, data.y_val.size)
        first_item = 0 if X_items is None else self.n_players
        self.item_players = np.arange(first_item, self.n_players + n_outside, dtype=np.int32)
        self.ids = _checks.ids(ids, self.item_players.size)
        self.fingerprint = _fingerprint(utility, data, self.ids, self.groups)
        self._n_outside = n_outside
        self._prepared = utility.prepare(data)
        self._empty_values = empty_values(utility, data)

    def walk(
        self,
        walks: Walks,
        *,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float64]:
        """Values of the walks' scored positions and branches: float64 [walks.n_values, n_outputs].

        Players up to n_players - 1 are the pool's, points or groups; the items outside it follow. Raises ValueError for
        walks that name other players or positions beyond their ends.
        """
        walks.check(self.n_players + self._n_outside)
        values = self._scored(walks, check_max_bytes(max_bytes), n_threads, Cancel() if cancel is None else cancel)
        values[walks.empty_values] = self._empty_values
        if not np.isfinite(values).all():
            raise ValueError(_not_finite(type(self.utility).__name__, walks, values))
        return values

    def _scored(self, walks: Walks, max_bytes: int, n_threads: int | None, cancel: Cancel) -> NDArray[np.float64]:
        """What the utility says of walks of players; those of groups reach it as walks of points, part by part."""
        if self.groups is None:
            return self._prepared.walk(walks, max_bytes=max_bytes, n_threads=n_threads, cancel=cancel)
        values = np.empty((walks.n_values, self.n_outputs))
        first = 0
        for part in self.groups.walks_of_points(walks, max_bytes):
            scored = self._prepared.walk(part, max_bytes=max_bytes, n_threads=n_threads, cancel=cancel)
            values[first : first + part.n_values] = scored
            first += part.n_values
        return values

    def evaluate(self, coalitions: Any) -> NDArray[np.float64]:
        """Values of coalitions of the pool, booleans [rows, n_players]: float64 [rows, n_outputs]."""
        return self.walk(Walks.of_coalitions(check_coalitions(coalitions, self.n_players)))


def _encoded(
    utility: Utility, X: Any, y: Any, X_val: Any, y_val: Any, X_items: Any, y_items: Any
) -> tuple[SupervisedData, NDArray[Any] | None]:
    points = _checks.features("X", X)
    n, d = points.shape
    name = type(utility).__name__
    classes = _classes(name, y, n) if takes(utility) == "classes" else None

    def read(what: str, values: Any, size: int) -> NDArray[Any]:
        if classes is None:
            return _targets(name, what, values, size)
        return _checks.encode(what, _checks.targets(what, values, size), classes)

    X_val = _checks.features("X_val", X_val, width=d)
    y_val = read("y_val", y_val, X_val.shape[0])
    given = read("y", y, n)
    if X_items is not None:
        outside = _checks.features("X_items", X_items, width=d)
        given = np.concatenate([given, read("y_items", y_items, outside.shape[0])])
        points = np.concatenate([points, outside])
    _checks.count("the number of points", points.shape[0], most=_checks.MOST_PLAYERS)
    return SupervisedData(points, given, n, X_val, y_val, 0 if classes is None else int(classes.size)), classes


def _classes(name: str, y: Any, n: int) -> NDArray[Any]:
    """The sorted classes of y; real numbers that rarely repeat are refused, they were hardly meant as classes."""
    given = _checks.targets("y", y, n)
    classes = np.unique(given)
    if classes.size < 2:
        raise ValueError(f"y has the single class {classes[0]!r}; expected at least two.")
    if given.dtype.kind == "f" and 2 * classes.size > n and (classes != np.round(classes)).any():
        raise ValueError(
            f"y has {classes.size} different real numbers for {n} points, and {name} takes classes; use a utility that "
            "takes targets, such as RidgeRegression, or turn y into classes."
        )
    return classes


def _targets(name: str, what: str, values: Any, n: int) -> NDArray[np.float64]:
    kind = np.asarray(values).dtype
    if kind.kind not in "fiu":
        raise TypeError(
            f"{what} has dtype {kind}; {name} takes targets, expected real numbers. Use a utility of classes."
        )
    return _checks.vector(what, values, n, why=", one target per point")


def _not_finite(name: str, walks: Walks, values: NDArray[np.float64]) -> str:
    value, output = np.argwhere(~np.isfinite(values))[0]
    members = described(behind(walks, int(value)))
    found = values[value, output]
    return f"{name} scored a coalition with a value that is not finite: {found} for {members}; expected finite numbers."


def _fingerprint(utility: Utility, data: SupervisedData, ids: NDArray[np.uint64], groups: PointGroups | None) -> str:
    digest = hashlib.sha256(repr((utility, data.n_pool, data.n_classes)).encode())
    of_groups = () if groups is None else (groups.points, groups.offsets)
    for array in (data.X, data.y, data.X_val, data.y_val, ids, *of_groups):
        digest.update(repr(array.shape).encode())
        digest.update(array.data)
    return digest.hexdigest()
