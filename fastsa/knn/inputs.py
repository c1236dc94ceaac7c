"""What the KNN-Shapley door takes, as the native code needs it: points in their own precision, classes as codes.

With `cuda`, the way to a device, everything ends up there: arrays of the host are copied, those of the device are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.ops import _device

_LARGEST = 1e150
_ROWS_PER_CHECK = 1 << 14
_SMALL_SPAN = 1 << 16


def both_points(
    X: Any, X_val: Any, y_val: Any, cuda: _device.Cuda | None = None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Training and validation points, the latter None where y_val is."""
    if (X_val is None) != (y_val is None):
        raise ValueError("one of X_val and y_val is None; give both, or None for both to value X by its other points.")
    X = points("X", X, cuda=cuda)
    return X, None if X_val is None else points("X_val", X_val, width=X.shape[1], cuda=cuda)


def both_targets(
    y: Any, y_val: Any, n: int, n_val: int | None, variant: str, cuda: _device.Cuda | None = None
) -> tuple[NDArray[Any], NDArray[Any] | None, int]:
    """Classes as codes, or targets as float64 with 0 classes."""
    if cuda is None:
        return _host_targets(y, y_val, n, n_val, variant)
    y, y_val = (cuda.on_host(t) if cuda.holds(t) else t for t in (y, y_val))
    y, y_val, n_classes = _host_targets(y, y_val, n, n_val, variant)
    return cuda.xp.asarray(y), None if y_val is None else cuda.xp.asarray(y_val), n_classes


def _host_targets(
    y: Any, y_val: Any, n: int, n_val: int | None, variant: str
) -> tuple[NDArray[Any], NDArray[Any] | None, int]:
    if variant == "regression":
        return _numbers("y", y, n), None if y_val is None else _numbers("y_val", y_val, n_val), 0
    y = _classes("y", y, n)
    classes, codes = _encoded(y)
    if y_val is None:
        return codes, None, classes.size
    return codes, _checks.encode("y_val", _classes("y_val", y_val, n_val), classes), classes.size


def _encoded(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """The sorted classes of y, and the position of each entry among them; small integers without a sort."""
    if y.dtype.kind in "iu":
        least = int(y.min())
        span = int(y.max()) - least + 1
        if span <= _SMALL_SPAN:
            offsets = y.astype(np.int64) - least if y.dtype.kind == "i" else (y - y.dtype.type(least)).astype(np.int64)
            places = np.cumsum(np.bincount(offsets, minlength=span) > 0, dtype=np.int32)
            codes = (places - 1).astype(np.int32)[offsets]
            classes = np.empty(places[-1], dtype=y.dtype)
            classes[codes] = y
            return classes, codes
    classes, codes = np.unique(y, return_inverse=True)
    return classes, np.ascontiguousarray(codes, dtype=np.int32)


def _classes(name: str, y: Any, n: int | None) -> NDArray[Any]:
    values = _checks.targets(name, y, n)
    if values.dtype.kind == "f" and (values != np.floor(values)).any():
        raise ValueError(f'{name} has numbers that are not whole; expected classes, or variant="regression".')
    return values


def _numbers(name: str, y: Any, n: int | None) -> NDArray[np.float64]:
    values = _checks.targets(name, y, n)
    if values.dtype.kind not in "fiu":
        raise TypeError(f'{name} has dtype {values.dtype}; the variant "regression" expects numbers.')
    values = np.ascontiguousarray(values, dtype=np.float64)
    if np.abs(values).max() > _LARGEST:
        raise ValueError(f"{name} reaches {np.abs(values).max():g}; expected numbers up to {_LARGEST:g}.")
    return values


def points(name: str, x: Any, *, width: int | None = None, cuda: _device.Cuda | None = None) -> NDArray[Any]:
    """A feature matrix [n, d], C-contiguous, in its own precision; integers become float32 where that is exact."""
    if cuda is not None and cuda.holds(x):
        values = _checks.table(name, cuda.xp.asarray(x), width=width)
        values = cuda.xp.ascontiguousarray(values, dtype=_kept_dtype(values.dtype))
    else:
        if _device.on_a_device(x):
            raise TypeError(f"{name} is on a CUDA device; expected an array of the host. Pass device='cuda' to use it.")
        values = _checks.feature_table(name, x, width=width)
        values = np.require(values, dtype=_kept_dtype(values.dtype), requirements=["C", "ALIGNED"])
    for first in range(0, values.shape[0], _ROWS_PER_CHECK):
        _check_finite(name, values[first : first + _ROWS_PER_CHECK], first)
    return values if cuda is None else cuda.xp.asarray(values)


def _kept_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "f":
        return dtype.newbyteorder("=") if dtype.itemsize <= 8 else np.dtype(np.float64)
    return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)


def _check_finite(name: str, block: NDArray[Any], first: int) -> None:
    if float(block.max()) <= _LARGEST and float(block.min()) >= -_LARGEST:
        return
    row, column = map(int, np.argwhere(~(np.abs(block.astype(np.float64)) <= _LARGEST))[0])
    raise ValueError(
        f"{name}[{first + row}, {column}] is {block[row, column]}; expected finite numbers up to {_LARGEST:g}, "
        "whose squares can be summed."
    )


def explicit_weights(weights: Any, n_val: int, n: int) -> NDArray[np.float64] | None:
    """Weights [n_val, n] as float64, none negative; None stays None."""
    if weights is None:
        return None
    values = np.asarray(weights)
    if values.shape != (n_val, n):
        raise ValueError(f"weights have shape {values.shape}; expected ({n_val}, {n}), or None for 1 / distance.")
    if values.dtype.kind not in "fiub":
        raise TypeError(f"weights have dtype {values.dtype}; expected real numbers.")
    values = np.ascontiguousarray(values, dtype=np.float64)
    if not (np.isfinite(values).all() and values.min() >= 0):
        row, column = np.argwhere(~(np.isfinite(values) & (values >= 0)))[0]
        raise ValueError(f"weights[{row}, {column}] is {values[row, column]}; expected finite numbers from 0 up.")
    return values
