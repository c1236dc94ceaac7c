"""Arrays in memory that processes share."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNMENT = 64
_TMPFS = Path("/dev/shm")


@dataclass(frozen=True)
class Layout:
    """Where the arrays stand in a block of shared memory: (key, dtype, shape, first byte) of each."""

    memory: str
    arrays: tuple[tuple[str, str, tuple[int, ...], int], ...]


def share(arrays: dict[str, NDArray[Any]]) -> tuple[SharedMemory, Layout]:
    """Copies of the arrays in a new block, which the caller closes and unlinks. Raises MemoryError where it is too large."""
    placed, end = [], 0
    for key, array in arrays.items():
        placed.append((key, array.dtype.str, array.shape, end))
        end += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    # Written beyond the size of its file system, shared memory ends the process without a word.
    if _TMPFS.is_dir() and end > shutil.disk_usage(_TMPFS).free:
        free = shutil.disk_usage(_TMPFS).free
        raise MemoryError(f"worker processes share {end:,} bytes, and {_TMPFS} has {free:,} left; use n_workers=1.")
    memory = SharedMemory(create=True, size=max(1, end))
    layout = Layout(memory.name, tuple(placed))
    for key, view in views(memory, layout).items():
        view[...] = arrays[key]
    return memory, layout


def views(memory: SharedMemory, layout: Layout) -> dict[str, NDArray[Any]]:
    """The arrays as views of the block, which must outlive them."""
    return {
        key: np.ndarray(shape, dtype=dtype, buffer=memory.buf, offset=first)
        for key, dtype, shape, first in layout.arrays
    }
