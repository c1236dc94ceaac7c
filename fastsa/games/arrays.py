"""The few array operations that masking takes, on numpy's arrays and on torch's tensors, on the device they are on."""

from __future__ import annotations

import math
import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Arrays(Protocol):
    """Arrays of one library on one device.

    entries_per_batch : of inputs, in a batch of good speed: activations that stay in a cache, or that fill a device.
    """

    entries_per_batch: int

    def of(self, name: str, values: Any) -> Any:
        """The user's array in this library, dtype kept where it can be."""
        ...

    def like(self, name: str, values: NDArray[Any], model: Any) -> Any:
        """Values in the dtype and on the device of an array. TypeError where that dtype cannot hold them: 0.5 among integers."""
        ...

    def booleans(self, values: NDArray[np.bool_]) -> Any: ...

    def index(self, values: NDArray[np.int64]) -> Any: ...

    def take(self, array: Any, rows: Any) -> Any:
        """array[rows], a new array."""
        ...

    def where(self, keep: Any, inside: Any, outside: Any) -> Any:
        """A new array: `inside` where `keep`, `outside` elsewhere."""
        ...

    def natively(self, array: Any) -> NDArray[np.floating] | None:
        """The same memory as float32 or float64 [rows, entries] of numpy, for native kernels; None where there is no such view."""
        ...

    def of_native(self, array: NDArray[np.floating]) -> Any:
        """The same memory, in this library."""
        ...


_kept = threading.local()
_MOST_BYTES_KEPT = 16 * 2**20


class Batch:
    """Where batches are made: memory that a thread keeps between them, because fresh pages cost more than use, and threads."""

    def __init__(self, n_threads: int | None = 1) -> None:
        self.n_threads = n_threads
        self._own: dict[str, NDArray[np.uint8]] = {}

    def array(self, shape: tuple[int, ...], dtype: Any, name: str = "rows") -> NDArray[Any]:
        """An array whose numbers are anything; it holds until the next of its name is asked for on this thread."""
        n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        held = self._own if n_bytes > _MOST_BYTES_KEPT else vars(_kept)
        if name not in held or held[name].size < n_bytes:
            held[name] = np.empty(n_bytes, dtype=np.uint8)
        return held[name][:n_bytes].view(dtype).reshape(shape)


_ENTRIES_IN_CACHE = 1 << 18
_ENTRIES_ON_DEVICE = 1 << 24


class NumpyArrays:
    entries_per_batch = _ENTRIES_IN_CACHE

    def of(self, name: str, values: Any) -> Any:
        array = as_numpy(values)
        if array.dtype.kind not in "fiubOUS":
            raise TypeError(f"{name} has dtype {array.dtype}; expected numbers or strings.")
        return array

    def like(self, name: str, values: NDArray[Any], model: Any) -> Any:
        if values.dtype.kind not in "fiubOUS":
            raise TypeError(f"{name} has dtype {values.dtype}; expected numbers or strings.")
        _check_held(name, values, model.dtype, model.dtype.kind in "fO")
        return values.astype(model.dtype)

    def booleans(self, values: NDArray[np.bool_]) -> Any:
        return values

    def index(self, values: NDArray[np.int64]) -> Any:
        return values

    def take(self, array: Any, rows: Any) -> Any:
        return array[rows]

    def where(self, keep: Any, inside: Any, outside: Any) -> Any:
        return np.where(keep, inside, outside)

    def natively(self, array: Any) -> NDArray[np.floating] | None:
        return _in_rows(array) if array.dtype in (np.float32, np.float64) else None

    def of_native(self, array: NDArray[np.floating]) -> Any:
        return array


class TorchArrays:
    def __init__(self, device: Any, dtype: Any) -> None:
        import torch

        self._torch = torch
        self._device = device
        self._dtype = dtype
        self.entries_per_batch = _ENTRIES_IN_CACHE if device.type == "cpu" else _ENTRIES_ON_DEVICE

    def of(self, name: str, values: Any) -> Any:
        tensor = values if isinstance(values, self._torch.Tensor) else self._torch.as_tensor(np.asarray(values))
        floating = tensor.is_floating_point()
        return tensor.detach().to(device=self._device, dtype=self._dtype if floating else tensor.dtype)

    def like(self, name: str, values: NDArray[Any], model: Any) -> Any:
        held = np.float64 if model.is_floating_point() else np.dtype(str(model.dtype).removeprefix("torch."))
        _check_held(name, values, held, model.is_floating_point())
        return self._torch.as_tensor(values).to(device=model.device, dtype=model.dtype)

    def booleans(self, values: NDArray[np.bool_]) -> Any:
        return self._torch.from_numpy(values).to(self._device)

    def index(self, values: NDArray[np.int64]) -> Any:
        return self._torch.from_numpy(values).to(self._device)

    def take(self, array: Any, rows: Any) -> Any:
        return array.index_select(0, rows)

    def where(self, keep: Any, inside: Any, outside: Any) -> Any:
        return self._torch.where(keep, inside, outside)

    def natively(self, array: Any) -> NDArray[np.floating] | None:
        held = array.dtype in (self._torch.float32, self._torch.float64) and self._device.type == "cpu"
        return _in_rows(array.numpy()) if held else None

    def of_native(self, array: NDArray[np.floating]) -> Any:
        return self._torch.from_numpy(array)


def _in_rows(array: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.ascontiguousarray(array).reshape(array.shape[0], -1)


def as_numpy(values: Any) -> NDArray[Any]:
    """A numpy array of numpy's, torch's or anyone's numbers; bfloat16, which numpy lacks, as float32."""
    if not hasattr(values, "detach"):
        return np.asarray(values)
    tensor = values.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def _check_held(name: str, values: NDArray[Any], dtype: Any, rounds: bool) -> None:
    """Raise TypeError where the values are others in this dtype; floats may round."""
    if (values.dtype.kind in "US") != (np.dtype(dtype).kind in "US") and np.dtype(dtype) != object:
        raise TypeError(f"{name} has dtype {values.dtype}, the inputs have {dtype}; expected values of one kind.")
    if rounds:
        return
    with np.errstate(invalid="ignore"):
        same = values.astype(dtype) == values
    if not same.all():
        raise TypeError(
            f"{name} holds {values[~same].tolist()[0]!r}, which inputs of {dtype} cannot; convert the inputs with astype."
        )
