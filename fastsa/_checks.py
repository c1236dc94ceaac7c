"""Input checks: what was given, what was expected, what to do. They run before any work starts."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROLES = {"train": 0, "select": 1, "certify": 2, "truth": 3}
MOST_SAMPLES = 2**32
MOST_IDS = 2**48
MOST_PLAYERS = 2**31 - 1


class BackendUnavailable(RuntimeError):
    """A device or an optional library that was asked for is not there; the message says how to get it.

    >>> import fastsa
    >>> try:
    ...     raise fastsa.BackendUnavailable("to_dataframe needs pandas: pip install pandas.")
    ... except RuntimeError as error:
    ...     print(error)
    to_dataframe needs pandas: pip install pandas.
    """


def integer(name: str, value: Any) -> int:
    """`value` as an int; TypeError for anything that is not an integer, booleans included."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, a {type(value).__name__}; expected an integer.") from None


def count(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """`value` as an int within [least, most]."""
    value = integer(name, value)
    if value < least:
        raise ValueError(f"{name} is {value}; expected at least {least}.")
    if most is not None and value > most:
        raise ValueError(f"{name} is {value}; expected at most {most}.")
    return value


def number(name: str, value: Any, *, above: float | None = None) -> float:
    """`value` as a finite float, above a bound where one is given."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name} is {value!r}, a {type(value).__name__}; expected a number.")
    value = float(value)
    if not np.isfinite(value) or (above is not None and value <= above):
        bound = "" if above is None else f" above {above:g}"
        raise ValueError(f"{name} is {value}; expected a finite number{bound}.")
    return value


def flag(name: str, value: Any) -> bool:
    """`value` as a bool; TypeError for anything else."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; expected True or False.")
    return bool(value)


def choice(name: str, value: Any, choices: Any) -> Any:
    """`value`, one of `choices`, which are names."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(c) for c in choices)
        wrong = ValueError if isinstance(value, str) else TypeError
        raise wrong(f"{name} is {value!r}; expected one of {listed}.")
    return value


def seed(value: Any) -> int:
    """A seed of 64 bits."""
    value = integer("seed", value)
    if not 0 <= value < 2**64:
        raise ValueError(f"seed is {value}; expected 0 <= seed < 2**64.")
    return value


def role(value: Any) -> int:
    """The random lane of a role's name."""
    return ROLES[choice("role", value, ROLES)]


def sample_range(first: Any, n: Any, *, what: str = "samples") -> tuple[int, int]:
    """(first, stop) of a range of samples, within the 32 bits that a sample's counter has."""
    first = count(f"first_{what.rstrip('s')}", first, least=0)
    stop = first + count(what, n)
    if stop > MOST_SAMPLES:
        raise ValueError(f"{what} {first} to {stop} pass the {MOST_SAMPLES} that one seed holds; use another seed.")
    return first, stop


def ids(values: Any, n: int) -> NDArray[np.uint64]:
    """Item ids [n], distinct, within the 48 bits that an id's counter has; None is 0 .. n - 1."""
    if values is None:
        return np.arange(n, dtype=np.uint64)
    values = np.asarray(values)
    if values.dtype.kind not in "iu":
        raise TypeError(f"ids have dtype {values.dtype}; expected integers.")
    if values.shape != (n,):
        raise ValueError(f"ids have shape {values.shape}; expected ({n},), one per item.")
    if n and (values.min() < 0 or int(values.max()) >= MOST_IDS):
        raise ValueError(f"ids reach from {values.min()} to {values.max()}; expected 0 <= id < 2**48.")
    if np.unique(values).size != n:
        raise ValueError("ids repeat; expected one of its own for every item.")
    return np.ascontiguousarray(values, dtype=np.uint64)


def exact(name: str, array: Any, dtype: Any, ndim: int) -> NDArray[Any]:
    """An array that is already what an op takes: numpy, this dtype, this many axes, C-contiguous."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}; expected a numpy array of {np.dtype(dtype)}.")
    if array.dtype != np.dtype(dtype) or not array.dtype.isnative:
        raise TypeError(f"{name} has dtype {array.dtype}; expected {np.dtype(dtype)}. Convert it with astype.")
    if array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}; expected {ndim} axes.")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not C-contiguous; pass numpy.ascontiguousarray({name}).")
    return array


def output(out: Any, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """`out` checked to be writable and of this shape and dtype, or a new array where none was given."""
    if out is None:
        return np.empty(shape, dtype=dtype)
    exact("out", out, dtype, len(shape))
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}; expected {shape}.")
    if not out.flags.writeable:
        raise ValueError("out is read-only; pass a writable array.")
    return out


def feature_table(name: str, x: Any, *, width: int | None = None) -> NDArray[Any]:
    """A feature matrix [n, d] of real numbers as it is, unread: its shape and dtype are checked, its numbers are not."""
    return table(name, np.asarray(x), width=width)


def table(name: str, values: Any, *, width: int | None = None) -> Any:
    """As `feature_table`, for what is an array already, wherever its memory is."""
    if values.ndim != 2:
        raise ValueError(f"{name} has shape {values.shape}; expected two axes, [points, features].")
    if 0 in values.shape:
        raise ValueError(f"{name} has shape {values.shape}; expected at least one point and one feature.")
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {values.dtype}; expected real numbers. Encode other columns first.")
    if width is not None and values.shape[1] != width:
        raise ValueError(f"{name} has {values.shape[1]} features; expected {width}, as in X.")
    return values


def features(name: str, x: Any, *, width: int | None = None) -> NDArray[np.float64]:
    """A feature matrix [n, d] copied as float64; frames and any real dtype or layout are taken, NaN and infinity refused."""
    # A copy, because a game must not change with the arrays of its caller.
    values = np.array(feature_table(name, x, width=width), dtype=np.float64, order="C")
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(f"{name}[{row}, {column}] is {values[row, column]}; expected finite numbers.")
    return values


def vector(name: str, values: Any, n: int | None = None, *, why: str = "") -> NDArray[np.float64]:
    """Finite real numbers [n] as float64; `why` ends the sentence that refuses another length."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; expected one axis. Pass one column, as in {name}[:, 0].")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers.")
    if n is not None and array.size != n:
        raise ValueError(f"{name} has {array.size} entries; expected {n}{why}.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"{name}[{place}] is {array[place]}; expected finite numbers.")
    return array


def targets(name: str, y: Any, n: int) -> NDArray[Any]:
    """One class per point [n], of any dtype that sorts; NaN and None refused."""
    values = np.asarray(y)
    if values.ndim != 1 or values.shape[0] != n:
        raise ValueError(f"{name} has shape {values.shape}; expected ({n},), one class per point.")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name} contains NaN or infinity; expected a class for every point.")
    if values.dtype.kind == "O" and any(v is None or v != v for v in values):
        raise ValueError(f"{name} contains a missing value; expected a class for every point.")
    if values.dtype.kind == "O":
        _refuse_mixed_kinds(name, values)
    return values


def _refuse_mixed_kinds(name: str, values: NDArray[Any]) -> None:
    try:
        np.sort(values)
    except TypeError:
        kinds = " and ".join(sorted({type(v).__name__ for v in values}))
        raise TypeError(f"{name} mixes classes of type {kinds}, which do not sort; convert them to one type.") from None


def encode(name: str, y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int32]:
    """Positions of `y` in the sorted `classes`; a class that is not there is refused by name."""
    if (classes.dtype.kind in "US") != (y.dtype.kind in "US") and "O" not in (classes.dtype.kind, y.dtype.kind):
        raise TypeError(f"{name} has dtype {y.dtype} and y has {classes.dtype}; expected classes of one kind.")
    try:
        places = np.searchsorted(classes, y)
    except TypeError:
        raise TypeError(f"{name} has classes such as {y[0]!r}, y such as {classes[0]!r}; expected one type.") from None
    places[places == classes.size] = 0
    unseen = np.flatnonzero(classes[places] != y)
    if unseen.size:
        raise ValueError(f"{name} has the class {y[unseen[0]]!r}, which y does not; expected classes of y only.")
    return places.astype(np.int32)
