"""Open utilities: four small functions, compiled by Numba and walked by the native engine with the GIL released."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa import _core, _threads
from fastsa.ops import Walks
from fastsa.utilities.data import SupervisedData, count_outputs

_ROWS_PER_CHUNK = 1
_RAISED = -(2**31)
_compiled: dict[type, tuple[Any, Any, Any]] = {}
_callable_in_bodies: set[FunctionType] = set()


class Data(NamedTuple):
    """What a utility's functions read and must not write.

    X float64 [points, d], y int32 [points], X_val float64 [m, d], y_val int32 [m], parameters float64 [any], and the number
    of classes. For a utility that takes targets, y and y_val are float64 and n_classes is 0.
    """

    X: NDArray[np.float64]
    y: NDArray[np.int32] | NDArray[np.float64]
    X_val: NDArray[np.float64]
    y_val: NDArray[np.int32] | NDArray[np.float64]
    parameters: NDArray[np.float64]
    n_classes: int


class OpenUtility:
    """Base of utilities written in Python and compiled by Numba: define four static functions and use it as any other.

        state_size(data) -> int              how many doubles the state holds; plain Python, called once
        reset(data, state)                   the empty coalition; the state comes with whatever was in it
        add(data, state, player) -> int      a player joins
        score(data, state, out) -> int       write n_outputs numbers into out

    `state` is one flat float64 array, the whole memory of a walk: it is copied at a branch. `data` is const. Answer 0
    for success and an error code above 0 otherwise, which arrives as an exception that names the player. An index out
    of bounds is silent in compiled code, and division by zero gives infinity or NaN: run `fastsa.utilities.check` once.
    Only coalitions with a member are scored.

    The four may call plain functions of their modules, which are compiled with them; their modules' numbers are
    constants. Views such as state[: n * d].reshape(n, d) index faster than computed offsets, whose sign is looked at every time.

    Override `empty_score` where 1 / classes is not the value of the empty coalition. `parameters`, a tuple of numbers,
    reaches the functions as data.parameters. `n_outputs` is 1 unless set; None is one output per validation point. With
    takes = "targets", y holds real numbers in place of classes, and `empty_values(data)` takes the place of `empty_score`.

    >>> import fastsa, numpy as np
    >>> class Share(fastsa.utilities.OpenUtility):
    ...     "The share of validation points whose class the coalition has seen."
    ...     def state_size(data): return data.n_classes
    ...     def reset(data, state): state[:] = 0.0
    ...     def add(data, state, player):
    ...         state[data.y[player]] = 1.0
    ...         return 0
    ...     def score(data, state, out):
    ...         out[0] = 0.0
    ...         for c in data.y_val: out[0] += state[c] / data.y_val.size
    ...         return 0
    >>> X = np.arange(3.0)[:, None]
    >>> game = fastsa.games.DataGame(Share(), X, [0, 0, 1], X, [0, 0, 1])
    >>> game.evaluate(np.array([[True, False, False]])).round(3).tolist()
    [[0.667]]
    """

    n_outputs: int | None = 1
    takes: ClassVar[str] = "classes"
    parameters: tuple[float, ...] = ()

    state_size: ClassVar[Callable[..., int]]
    reset: ClassVar[Callable[..., None]]
    add: ClassVar[Callable[..., int]]
    score: ClassVar[Callable[..., int]]

    def __init_subclass__(cls) -> None:
        for name in ("state_size", "reset", "add", "score"):
            function = cls.__dict__.get(name)
            if function is not None and not isinstance(function, staticmethod):
                setattr(cls, name, staticmethod(function))

    def empty_score(self, n_classes: int) -> float:
        return 1.0 / n_classes

    def prepare(self, data: SupervisedData) -> PreparedOpen:
        missing = [name for name in ("state_size", "reset", "add", "score") if not hasattr(self, name)]
        if missing:
            raise TypeError(f"{type(self).__name__} does not define {', '.join(missing)}; see OpenUtility.")
        return PreparedOpen(self, data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.parameters}"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((type(self), self.parameters))


class PreparedOpen:
    """A user's utility on its data: function pointers and the arrays they read."""

    def __init__(self, utility: OpenUtility, data: SupervisedData) -> None:
        self._utility = utility
        self.data = Data(
            data.X, data.y, data.X_val, data.y_val, np.array(utility.parameters, dtype=np.float64), data.n_classes
        )
        self.state_size = int(type(utility).state_size(self.data))
        functions = compiled(type(utility))
        self.n_outputs = count_outputs(utility, data.y_val.size)
        counts = (data.y_val.size, data.n_classes, len(utility.parameters), self.state_size, self.n_outputs)
        sizes = (*data.X.shape, *counts)
        self._native = _core.OpenUtility(
            *self.data[:5], np.array(sizes, dtype=np.int64), *(f.address for f in functions), self.state_size
        )

    def walk(
        self, walks: Walks, *, max_bytes: int, n_threads: int | None, cancel: _threads.Cancel
    ) -> NDArray[np.float64]:
        """Values [walks.n_values, n_outputs]."""
        name = type(self._utility).__name__
        values = np.empty((walks.n_values, self.n_outputs), dtype=np.float64)
        view = _core.Walks(*walks.arrays, self.n_outputs)
        n_bytes = 2 * 8 * max(1, self.state_size)

        def kernel(begin: int, end: int, flag: NDArray[np.int32]) -> None:
            status, code, player = _core.walk_open(
                self._native, view, begin, end, values, _threads.scratch(n_bytes), flag
            )
            if status == _core.FAILED:
                where = "while scoring" if player < 0 else f"when player {player} joined"
                if code == _RAISED:
                    raise RuntimeError(f"{name} raised an exception {where}; fastsa.utilities.check may show which.")
                raise RuntimeError(f"{name} answered error code {code} {where}.")

        _threads.run(kernel, walks.rows, chunk=_ROWS_PER_CHUNK, n_threads=n_threads, cancel=cancel)
        return values


def compiled(utility: type[OpenUtility]) -> tuple[Any, Any, Any]:
    """C functions of reset, add and score; compiled once per class."""
    if utility not in _compiled:
        _compiled[utility] = _compile(utility)
    return _compiled[utility]


def _compile(utility: type[OpenUtility]) -> tuple[Any, Any, Any]:
    from numba import carray, cfunc, njit, types

    gathered = _gathered()
    bodies = (utility.reset, utility.add, utility.score)
    for body in bodies:
        _register_callees(body)
    # Inlined, views of the state cost few reference counts. Division by zero is no exception: see OpenUtility.
    reset_body, add_body, score_body = (njit(f, nogil=True, error_model="numpy", forceinline=True) for f in bodies)
    doubles, longs = types.CPointer(types.float64), types.CPointer(types.int64)
    targets = doubles if utility.takes == "targets" else types.CPointer(types.int32)
    data = (doubles, targets, doubles, targets, doubles, longs)

    @cfunc(types.int32(*data, doubles))
    def reset(X, y, X_val, y_val, parameters, size, state):
        try:
            reset_body(gathered(X, y, X_val, y_val, parameters, size), carray(state, (size[5],)))
        except Exception:
            return _RAISED
        return 0

    @cfunc(types.int32(*data, doubles, types.int32))
    def add(X, y, X_val, y_val, parameters, size, state, player):
        try:
            return add_body(gathered(X, y, X_val, y_val, parameters, size), carray(state, (size[5],)), player)
        except Exception:
            return _RAISED

    @cfunc(types.int32(*data, doubles, doubles))
    def score(X, y, X_val, y_val, parameters, size, state, out):
        try:
            return score_body(
                gathered(X, y, X_val, y_val, parameters, size), carray(state, (size[5],)), carray(out, (size[6],))
            )
        except Exception:
            return _RAISED

    return reset, add, score


@cache
def _gathered() -> Any:
    """The compiled function from a call's pointers to Data."""
    from numba import carray, njit

    @njit(nogil=True, forceinline=True)
    def gathered(X, y, X_val, y_val, parameters, size):
        return Data(
            carray(X, (size[0], size[1])),
            carray(y, (size[0],)),
            carray(X_val, (size[2], size[1])),
            carray(y_val, (size[2],)),
            carray(parameters, (size[4],)),
            size[3],
        )

    return gathered


def _register_callees(body: FunctionType) -> None:
    """Let compiled code call the plain functions that `body` names in its module, and those that these name."""
    from numba.extending import register_jitable

    for name in body.__code__.co_names:
        callee = body.__globals__.get(name)
        if not isinstance(callee, FunctionType) or callee.__module__.startswith("numpy"):
            continue
        if callee not in _callable_in_bodies:
            _callable_in_bodies.add(callee)
            register_jitable(callee)
            _register_callees(callee)
