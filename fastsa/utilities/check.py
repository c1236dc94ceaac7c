"""Checks of a user's open utility, before it runs where exceptions and bounds do not exist."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _threads
from fastsa.ops import Walks, permutations
from fastsa.utilities.data import SupervisedData, count_outputs
from fastsa.utilities.open import Data, OpenUtility, PreparedOpen

_GARBAGE = 1e300


class UtilityError(AssertionError):
    """An open utility does not keep to the protocol."""


def check(
    utility: OpenUtility,
    *,
    points: int = 24,
    features: int = 3,
    classes: int = 3,
    seed: int = 0,
    tolerance: float = 1e-9,
) -> None:
    """Run `utility` on small random data, interpreted and compiled, and raise UtilityError where it breaks a rule.

    The rules: no index out of bounds and no write to the data (the Python bodies run on guarded arrays); reset leaves
    nothing of the state that was there; error codes are 0; scores are finite; interpreted and compiled scores agree; a
    walk's scores equal those of its prefixes walked alone; a branch equals its coalition walked alone; the order in which
    players join matters at most by `tolerance`, relative to the larger of 1 and the score.

    >>> import fastsa
    >>> fastsa.utilities.check(fastsa.utilities.NearestCentroid())
    """
    if not isinstance(utility, OpenUtility):
        raise TypeError(f"utility is {utility!r}; expected an instance of a subclass of OpenUtility.")
    points, features = _checks.count("points", points, least=4), _checks.count("features", features)
    random_data = _random_targets if utility.takes == "targets" else _random_classes
    data = random_data(points, features, _checks.count("classes", classes, least=2), seed)
    name = type(utility).__name__
    order, other_order = permutations(points, 2, seed=_checks.seed(seed))
    prepared = utility.prepare(data)
    interpreted = _interpreted_walk(utility, prepared, order)
    compiled = _walk(prepared, _prefixes(order, every=True))
    _agree(interpreted, compiled[1:], tolerance, f"{name}: interpreted and compiled scores differ")
    alone = np.concatenate([_walk(prepared, _prefixes(order[:t])) for t in range(1, points + 1)])
    _agree(compiled[1:], alone, tolerance, f"{name}: a walk's score differs from its prefix walked alone")
    half = points // 2
    branches = _walk(prepared, _with_branches(order[:half], order[half:]))
    fresh = np.concatenate([_walk(prepared, _prefixes(np.append(order[:half], p))) for p in order[half:]])
    _agree(branches, fresh, tolerance, f"{name}: a branch differs from its coalition walked alone")
    reordered = _walk(prepared, _prefixes(other_order))
    _agree(compiled[-1:], reordered, tolerance, f"{name}: the order in which players join changes the score")


def _random_classes(points: int, features: int, classes: int, seed: int) -> SupervisedData:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(points + 10) % classes).astype(np.int32)
    X = rng.normal(size=(points + 10, features)) + y[:, None]
    y_val = y[points:].copy()
    return SupervisedData(X[:points].copy(), y[:points].copy(), points, X[points:].copy(), y_val, classes)


def _random_targets(points: int, features: int, classes: int, seed: int) -> SupervisedData:
    data, rng = _random_classes(points, features, classes, seed), np.random.default_rng(seed)
    y, y_val = (X.sum(axis=1) + rng.normal(size=X.shape[0]) for X in (data.X, data.X_val))
    return SupervisedData(data.X, y, points, data.X_val, y_val, 0)


def _interpreted_walk(utility: OpenUtility, prepared: PreparedOpen, order: NDArray[np.int32]) -> NDArray[np.float64]:
    """Scores of every non-empty prefix, by the Python bodies on guarded arrays."""
    functions, name = type(utility), type(utility).__name__
    state = np.full(prepared.state_size, _GARBAGE)
    data = Data(*(_Guarded(name, f, a) for f, a in zip(Data._fields[:5], prepared.data[:5])), prepared.data.n_classes)
    guarded_state = _Guarded(name, "state", state, writable=True)
    functions.reset(data, guarded_state)
    n_outputs = count_outputs(utility, prepared.data.y_val.size)
    scores = np.empty((order.size, n_outputs))
    for t, player in enumerate(order):
        out = np.full(n_outputs, np.nan)
        for what, code in (
            (f"add of player {player}", functions.add(data, guarded_state, int(player))),
            ("score", functions.score(data, guarded_state, _Guarded(name, "out", out, writable=True))),
        ):
            if code != 0:
                raise UtilityError(f"{name}: {what} answered {code!r}; expected 0 for success.")
        scores[t] = out
    if not np.isfinite(scores).all():
        raise UtilityError(f"{name}: a score is not finite; expected every output to be written with a finite number.")
    return scores


def _walk(prepared: PreparedOpen, walks: Walks) -> NDArray[np.float64]:
    return prepared.walk(walks, max_bytes=1 << 20, n_threads=1, cancel=_threads.Cancel())


def _prefixes(order: NDArray[np.int32], every: bool = False) -> Walks:
    players = np.ascontiguousarray(order, dtype=np.int32)
    if every:
        return Walks.of_permutations(players[None, :])
    return Walks.to_ends(players, np.array([0, players.size]))


def _with_branches(trunk: NDArray[np.int32], branches: NDArray[np.int32]) -> Walks:
    none = np.zeros(2, dtype=np.int64)
    return Walks(
        np.ascontiguousarray(trunk),
        np.array([0, trunk.size]),
        np.empty(0, np.int32),
        none,
        np.ascontiguousarray(branches),
        np.array([0, branches.size]),
    )


def _agree(a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float, complaint: str) -> None:
    gap = np.abs(a - b) / np.maximum(1.0, np.abs(a))
    if not (gap <= tolerance).all():
        place = np.unravel_index(np.argmax(np.where(np.isnan(gap), np.inf, gap)), gap.shape)
        raise UtilityError(f"{complaint}: {a[place]!r} and {b[place]!r}.")


class _Guarded:
    """An array whose integer indices must lie in its bounds, and that may refuse writes."""

    def __init__(self, owner: str, name: str, array: NDArray[Any], *, writable: bool = False) -> None:
        self._owner, self._name, self._writable = owner, name, writable
        self._array = array if writable else array.view()
        self._array.flags.writeable = writable
        self.shape, self.size = array.shape, array.size

    def __getattr__(self, name: str) -> Any:
        """Whatever else an array offers, sum() and the like."""
        return getattr(self._array, name)

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Any:
        return iter(self._array.copy())

    def __getitem__(self, index: Any) -> Any:
        self._check(index)
        return self._array[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if not self._writable:
            raise UtilityError(f"{self._owner}: wrote to data.{self._name}; data is shared by all threads and const.")
        self._check(index)
        self._array[index] = value

    def _check(self, index: Any) -> None:
        for axis, i in enumerate(index if isinstance(index, tuple) else (index,)):
            if isinstance(i, (int, np.integer)) and not 0 <= i < self.shape[axis]:
                raise UtilityError(
                    f"{self._owner}: index {i} of {self._name} is out of bounds 0 .. {self.shape[axis] - 1} on axis {axis}."
                )
