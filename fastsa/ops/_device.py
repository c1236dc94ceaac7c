"""Where an operation runs: on the host's threads, or on a CUDA device, whose arrays are CuPy's."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks

DEVICES = ("cpu", "cuda")


def cuda(device: Any, n_threads: int | None) -> Cuda | None:
    """The way to the current CUDA device for "cuda", None for "cpu".

    Raises BackendUnavailable when something that "cuda" needs is missing, ValueError for another device or for threads,
    which a device does not have.
    """
    if _checks.choice("device", device, DEVICES) == "cpu":
        return None
    if n_threads is not None:
        raise ValueError(f"n_threads is {n_threads!r}; expected None with device='cuda', which has no such threads.")
    return Cuda(_kernels(), _cupy())


def _kernels() -> ModuleType:
    try:
        kernels = importlib.import_module("fastsa._cuda")
    except ModuleNotFoundError:
        raise _checks.BackendUnavailable(
            "device='cuda' needs the module fastsa._cuda, which this installation was built without; install fastsa "
            "from source on a machine with the CUDA toolkit (nvcc)."
        ) from None
    if kernels.device_count() == 0:
        raise _checks.BackendUnavailable(
            "device='cuda' needs a CUDA device, and there is none or no driver for it; check nvidia-smi, or use "
            "device='cpu'."
        )
    return kernels


def _cupy() -> ModuleType:
    try:
        return importlib.import_module("cupy")
    except ImportError as missing:
        raise _checks.BackendUnavailable(
            f"device='cuda' needs CuPy, which cannot be imported ({missing}); run pip install 'fastsa[cuda]'."
        ) from missing


def on_a_device(array: Any) -> bool:
    """Whether an array says that it is in a CUDA device's memory."""
    return hasattr(array, "__cuda_array_interface__")


class Cuda:
    """Launches checked operations on CuPy's current device and stream; nothing here waits for them."""

    def __init__(self, kernels: ModuleType, cupy: ModuleType) -> None:
        self._kernels = kernels
        self._cupy = cupy

    @property
    def xp(self) -> ModuleType:
        """CuPy."""
        return self._cupy

    def holds(self, array: Any) -> bool:
        """Whether an array is in device memory: CuPy's, or anything with `__cuda_array_interface__`."""
        return isinstance(array, self._cupy.ndarray) or on_a_device(array)

    def on_host(self, array: Any) -> NDArray[Any]:
        """A copy in host memory; waits for the device."""
        return self._cupy.asnumpy(self._cupy.asarray(array))

    def launch(self, kernel: str, *arguments: Any) -> None:
        """Enqueue a kernel in the current stream. Arrays, which are checked by then, go as addresses, None as 0."""
        getattr(self._kernels, kernel)(*map(self._address, arguments), self._stream)

    def exact(self, name: str, array: Any, dtype: Any, ndim: int) -> Any:
        """As `_checks.exact`, for an array on the current device."""
        if not isinstance(array, self._cupy.ndarray):
            raise TypeError(f"{name} is a {type(array).__name__}; expected a CuPy array of {np.dtype(dtype)}.")
        if array.dtype != np.dtype(dtype):
            raise TypeError(f"{name} has dtype {array.dtype}; expected {np.dtype(dtype)}. Convert it with astype.")
        if array.ndim != ndim:
            raise ValueError(f"{name} has shape {array.shape}; expected {ndim} axes.")
        if not array.flags.c_contiguous:
            raise ValueError(f"{name} is not C-contiguous; pass cupy.ascontiguousarray({name}).")
        current = self._cupy.cuda.Device().id
        if array.device.id != current:
            raise ValueError(f"{name} is on device {array.device.id}; expected {current}, the current one.")
        return array

    def permutations(self, out: Any, n_players: int, rows: int, lanes: tuple[int, ...]) -> Any:
        out = self._output(out, (rows, n_players), np.int32)
        self._kernels.permutations(out.data.ptr, n_players, *lanes, rows, self._stream)
        return out

    def are_permutations(self, orders: Any) -> bool:
        """Whether every row of `orders` [rows, n] holds each of 0 .. n - 1 once; waits for the device."""
        players = self._cupy.arange(orders.shape[1], dtype=np.int32)
        return bool((self._cupy.sort(orders, axis=1) == players).all())

    def prefix_coalitions(self, out: Any, orders: Any, n_words: int) -> Any:
        rows, n = orders.shape
        out = self._output(out, (rows, n + 1, n_words), np.uint64)
        self._kernels.prefix_coalitions(out.data.ptr, orders.data.ptr, n, rows, self._stream)
        return out

    def subsets(
        self,
        out: Any,
        n_players: int,
        shape: tuple[int, int],
        cumulative: NDArray[np.float64] | None,
        coin: int,
        lanes: tuple[int, ...],
    ) -> Any:
        out = self._output(out, shape, np.uint64)
        law = None if cumulative is None else self._cupy.asarray(cumulative)
        address = 0 if law is None else law.data.ptr
        self._kernels.subsets(out.data.ptr, n_players, address, coin, *lanes, shape[0], self._stream)
        return out

    def draws_with_replacement(
        self, n_players: int, ids: Any, samples: Any, min_size: int, max_size: int, seed: int, lane: int
    ) -> tuple[Any, Any]:
        """Waits for the device once, for the number of players to allocate."""
        rows = ids.size
        sizes = self._cupy.empty(rows, dtype=np.int64)
        of_rows = ids.data.ptr, samples.data.ptr
        self._kernels.draw_sizes(sizes.data.ptr, *of_rows, min_size, max_size, seed, lane, rows, self._stream)
        offsets = self._cupy.zeros(rows + 1, dtype=np.int64)
        self._cupy.cumsum(sizes, out=offsets[1:])
        players = self._cupy.empty(int(offsets[-1]), dtype=np.int32)
        self._kernels.draw_players(
            players.data.ptr, offsets.data.ptr, *of_rows, n_players, min_size, max_size, seed, lane, rows, self._stream
        )
        return players, offsets

    def background_rows(self, out: Any, n_background: int, ids: Any, samples: Any, seed: int, lane: int) -> Any:
        out = self._output(out, ids.shape, np.int64)
        of_rows = ids.data.ptr, samples.data.ptr
        self._kernels.background_rows(out.data.ptr, n_background, *of_rows, seed, lane, ids.size, self._stream)
        return out

    def _address(self, argument: Any) -> Any:
        if argument is None:
            return 0
        return argument.data.ptr if isinstance(argument, self._cupy.ndarray) else argument

    @property
    def _stream(self) -> int:
        return self._cupy.cuda.get_current_stream().ptr

    def _output(self, out: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        if out is None:
            return self._cupy.empty(shape, dtype=dtype)
        self.exact("out", out, dtype, len(shape))
        if out.shape != shape:
            raise ValueError(f"out has shape {out.shape}; expected {shape}.")
        return out
