"""The chunks of a store, memory-mapped, and checked against their hashes before their first value is read."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A map holds a file descriptor, of which a process has about a thousand.
_MOST_MAPS = 256
_HEADER_BYTES = 4096


class DamagedChunk(ValueError):
    """A stored chunk is not the bytes that were written; `LabelStore.run` makes it again."""


@dataclass(frozen=True)
class Chunk:
    """Samples first .. stop - 1 of one block of items: where they are stored, and the hash of their bytes."""

    block: int
    first: int
    stop: int
    file: str
    sha256: str
    evaluations: int


class ChunkFiles:
    """Read-only tables of the chunks in a folder.

    A file is hashed when it is first asked for, and again when its size, time or place on the disk is no longer what it
    was then. Copies, such as those of worker processes, know what was checked and map the files anew. (A file that is cut
    in place while its values are being read ends the process, as with any memory map; stores replace files whole.)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: dict[str, tuple[Any, ...]] = {}
        self._maps: OrderedDict[str, tuple[tuple[Any, ...], NDArray[np.float64]]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self._folder, "checked": self._checked}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["folder"])  # type: ignore[misc]
        self._checked = state["checked"]

    def table(self, chunk: Chunk) -> NDArray[np.float64]:
        """The numbers of a chunk [items or games, columns], on disk until they are read. Raises DamagedChunk by name."""
        mark = self._mark(chunk)
        held = self._maps.get(chunk.file)
        if held is None or held[0] != mark:
            held = self._maps[chunk.file] = mark, self._mapped(chunk, mark)
        self._maps.move_to_end(chunk.file)
        while len(self._maps) > _MOST_MAPS:
            self._maps.popitem(last=False)
        return held[1]

    def is_whole(self, chunk: Chunk) -> bool:
        """Whether the file is the bytes that were written, hashed now."""
        try:
            content = (self._folder / chunk.file).read_bytes()
        except FileNotFoundError:
            return False
        return hashlib.sha256(content).hexdigest() == chunk.sha256

    def _mark(self, chunk: Chunk) -> tuple[Any, ...]:
        """What tells that a file is still the one that was checked."""
        try:
            found = os.stat(self._folder / chunk.file)
        except FileNotFoundError:
            raise self._damage(chunk) from None
        return chunk.sha256, found.st_ino, found.st_size, found.st_mtime_ns

    def _mapped(self, chunk: Chunk, mark: tuple[Any, ...]) -> NDArray[np.float64]:
        with open(self._folder / chunk.file, "rb") as file:
            try:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:  # an empty file
                raise self._damage(chunk) from None
        if self._checked.get(chunk.file) != mark:
            # The mapping itself is hashed, so that what is read later is what was checked.
            if hashlib.sha256(content).hexdigest() != chunk.sha256:
                raise self._damage(chunk)
            self._checked[chunk.file] = mark
        header = io.BytesIO(content[:_HEADER_BYTES])
        np.lib.format.read_magic(header)
        shape, _, dtype = np.lib.format.read_array_header_1_0(header)
        return np.frombuffer(content, dtype=dtype, count=int(np.prod(shape)), offset=header.tell()).reshape(shape)

    def _damage(self, chunk: Chunk) -> DamagedChunk:
        return DamagedChunk(f"{self._folder / chunk.file} is damaged; run the store again to make it anew.")
