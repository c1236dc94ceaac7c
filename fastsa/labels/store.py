"""Labels on disk: append-only chunks that many writers may add to and a killed run leaves whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.estimators import Estimator, SampleRange, Statistics, from_config
from fastsa.games import Game, Roster
from fastsa.labels.chunk_files import Chunk, ChunkFiles
from fastsa.labels.labels import Labels
from fastsa.labels.stream import LabelStream

_FORMAT = 2


class LabelStore:
    """A folder of labels of one game, estimator, role and seed, made of chunks on a fixed grid of items and samples.

    The grid is a function of the store, never of the runs: a run killed at any moment loses at most the chunks in flight,
    and the run that goes on ends with the same bytes as an unbroken one. Writers need not know of each other: chunks are
    deterministic, whole files that are renamed into place, and every writer keeps a journal of its own.

        about.json          what the labels are of, and the grid
        ids.npy             uint64 [items]
        journal-*.jsonl     one line per finished chunk: block, samples, file, sha256
        *.npy               float64 [block items, columns]: the estimator's statistics, such as counts, means, sums of squares

    Opening reads no values: chunks are memory-mapped, and each is hashed before its first value is used, so that one that is
    cut or edited is refused by name. `LabelDataset` reads rows of a store for training.

    >>> import fastsa, tempfile
    >>> game = fastsa.games.FunctionGame(lambda c: c.sum(axis=1) ** 2.0, 4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = fastsa.LabelStore.create(
    ...         folder + "/labels", game, fastsa.estimators.PermutationShapley(), samples_per_chunk=5)
    ...     store.run(game, samples=20).labels().count.tolist()
    [20, 20, 20, 20]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the store in the folder `path`. Raises ValueError when there is none, or of another format."""
        self.path = Path(path)
        try:
            about = json.loads((self.path / "about.json").read_text())
        except (FileNotFoundError, NotADirectoryError):
            raise ValueError(f"{self.path} holds no label store; make one with LabelStore.create.") from None
        if about.get("format") != _FORMAT:
            raise ValueError(f"{self.path} has format {about.get('format')}; this version reads {_FORMAT}.")
        self.estimator: Estimator = from_config(about["estimator"])
        self.fingerprint: str = about["fingerprint"]
        self.role: str = about["role"]
        self.seed: int = about["seed"]
        self.n_outputs: int = about["n_outputs"]
        self.n_players: int = about["n_players"]
        self.one_game: bool = about["one_game"]
        self.draws_background: bool = about["draws_background"]
        self.samples_per_chunk: int = about["samples_per_chunk"]
        self.block_offsets = np.array(about["block_offsets"], dtype=np.int64)
        self.files = ChunkFiles(self.path)
        self._open()

    def _open(self) -> None:
        self.ids: NDArray[np.uint64] = np.asarray(np.load(self.path / "ids.npy", mmap_mode="r", allow_pickle=False))
        self._journal = self.path / f"journal-{uuid.uuid4().hex}.jsonl"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("ids", "_journal")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    @staticmethod
    def create(
        path: str | os.PathLike[str],
        game: Game,
        estimator: Estimator,
        *,
        role: str = "train",
        seed: int = 0,
        items: Any = None,
        samples_per_chunk: int = 1,
        items_per_chunk: int = 65536,
    ) -> LabelStore:
        """Make an empty store in a new folder.

        `items` are positions among the game's items, default all. A chunk holds `samples_per_chunk` samples (default 1) of
        about `items_per_chunk` items (default 65536; all of them where the estimator shares its draws). Raises ValueError
        when the folder holds something.
        """
        path = Path(path)
        if path.exists() and any(path.iterdir()):
            raise ValueError(f"{path} is not empty; open it with LabelStore(path), or name a new folder.")
        job = estimator.least_samples(game.n_players) if isinstance(estimator, Estimator) else 1
        stream = LabelStream(game, estimator, samples=1, role=role, seed=seed, items=items, shard_of=job)
        wanted = _checks.count("items_per_chunk", items_per_chunk)
        shared = estimator.shares_draws and game.item_players is not None
        blocks = stream.item_blocks(game.ids.size if shared else wanted)
        about = {
            "format": _FORMAT,
            "estimator": estimator.config(),
            "fingerprint": game.fingerprint,
            "role": role,
            "seed": seed,
            "n_outputs": game.n_outputs,
            "n_players": game.n_players,
            "one_game": game.item_players is not None,
            "draws_background": game.draws_background,
            "samples_per_chunk": _checks.count("samples_per_chunk", samples_per_chunk),
            "block_offsets": [0, *np.cumsum([b.size for b in blocks]).tolist()],
        }
        path.mkdir(parents=True, exist_ok=True)
        _write(path / "ids.npy", _as_npy(game.ids[np.concatenate(blocks)]))
        _write(path / "about.json", json.dumps(about, indent=2).encode())
        return LabelStore(path)

    def chunks(self) -> dict[tuple[int, int], Chunk]:
        """Finished chunks by (block, first sample), of all writers; a journal's torn last line does not count."""
        found: dict[tuple[int, int], Chunk] = {}
        for journal in sorted(self.path.glob("journal-*.jsonl")):
            for line in journal.read_bytes().split(b"\n"):
                try:
                    chunk = Chunk(**json.loads(line))
                except (ValueError, TypeError):
                    continue
                if (self.path / chunk.file).exists():
                    found[chunk.block, chunk.first] = chunk
        return found

    def damaged(self) -> list[Chunk]:
        """Finished chunks whose files are not the bytes that were written."""
        return [chunk for chunk in self.chunks().values() if not self.files.is_whole(chunk)]

    def run(
        self,
        game: Game,
        *,
        samples: int,
        first_sample: int = 0,
        blocks: Any = None,
        n_threads: int | None = None,
        progress: Callable[[int], Any] | None = None,
    ) -> LabelStore:
        """Make the chunks that are missing or damaged among samples first_sample .. first_sample + samples - 1.

        `blocks` (default all) are the item blocks that this writer takes; shards of a job are ranges of either. `progress(n)`
        is called with the samples of single items in each chunk made. Returns self. Raises ValueError for another game than
        the store's, or samples that do not fit its grid.
        """
        if game.fingerprint != self.fingerprint:
            raise ValueError(f"{self.path} holds labels of another game (other data, or another utility).")
        first, stop = _checks.sample_range(first_sample, samples)
        if first % self.samples_per_chunk or stop % self.samples_per_chunk:
            raise ValueError(
                f"samples {first} to {stop} do not fit the store's chunks of {self.samples_per_chunk} samples."
            )
        by_id = np.argsort(game.ids)
        taken = (
            range(self.n_blocks)
            if blocks is None
            else [_checks.count("blocks", b, least=0, most=self.n_blocks - 1) for b in blocks]
        )
        there = self.chunks()
        for begin in range(first, stop, self.samples_per_chunk):
            for block in taken:
                old = there.get((block, begin))
                if old is not None and self.files.is_whole(old):
                    continue
                items = by_id[np.searchsorted(game.ids, self.ids_of(block), sorter=by_id)]
                self._make(game, block, items, begin, stop, n_threads)
                if old is not None and not self.files.is_whole(old):
                    (self.path / old.file).unlink(missing_ok=True)  # its line no longer counts
                if progress is not None:
                    progress(items.size * self.samples_per_chunk)
        return self

    def labels(self) -> Labels:
        """The labels of every sample that all items have. Raises ValueError when there is none, DamagedChunk by name."""
        chunks = self.chunks()
        firsts = sorted({first for _, first in chunks})
        whole = [f for f in firsts if all((block, f) in chunks for block in range(self.n_blocks))]
        if not whole:
            raise ValueError(f"{self.path} holds no sample of all its items yet; run it.")
        parts = [
            self.statistics(self.roster(self.ids_of(block)), [chunks[block, first] for first in whole])
            for block in range(self.n_blocks)
        ]
        statistics = parts[0].beside(*parts[1:])
        evaluations = sum(chunks[block, first].evaluations for block in range(self.n_blocks) for first in whole)
        ranges = _ranges(self.seed, self.role, [(f, f + self.samples_per_chunk) for f in whole])
        return Labels(statistics, self.roster(self.ids), self.estimator, ranges, evaluations, self.fingerprint)

    @property
    def n_blocks(self) -> int:
        return self.block_offsets.size - 1

    def roster(self, ids: NDArray[np.uint64]) -> Roster:
        """The roster of some of the store's items."""
        return Roster(ids, self.n_players, self.n_outputs, self.one_game, self.draws_background)

    def ids_of(self, block: int) -> NDArray[np.uint64]:
        """The ids of one block of items, in the order of its rows."""
        return self.ids[self.block_offsets[block] : self.block_offsets[block + 1]]

    def _make(
        self, game: Game, block: int, items: NDArray[np.int64], first: int, stop: int, n_threads: int | None
    ) -> None:
        labels = LabelStream(
            game,
            self.estimator,
            samples=self.samples_per_chunk,
            first_sample=first,
            role=self.role,
            items=items,
            seed=self.seed,
            n_threads=n_threads,
            shard_of=stop,
        ).collect()
        self._write_chunk(block, first, labels.statistics.table(), labels.evaluations)

    def _write_chunk(self, block: int, first: int, table: NDArray[np.float64], evaluations: int) -> None:
        """The chunk first: its line in the journal stands for a file that is there."""
        content = _as_npy(table)
        digest = hashlib.sha256(content).hexdigest()
        # Named by its content too: models may answer otherwise another time, and every line must stand for its own file.
        name = f"block{block:06d}-sample{first:010d}-{digest[:12]}.npy"
        _write(self.path / name, content)
        chunk = Chunk(block, first, first + self.samples_per_chunk, name, digest, evaluations)
        with open(self._journal, "ab") as journal:
            journal.write(json.dumps(vars(chunk)).encode() + b"\n")
            journal.flush()
            os.fsync(journal.fileno())

    def statistics(self, roster: Roster, chunks: list[Chunk], rows: Any = slice(None)) -> Statistics:
        """The statistics of these rows of one block over its chunks, whose roster is given. Raises DamagedChunk by name.

        Neighbours are merged, then neighbours of those, so that none is copied often.
        """
        parts = []
        for chunk in chunks:
            part: Statistics = self.estimator.statistics(
                roster, SampleRange(self.seed, self.role, chunk.first, chunk.stop)
            )
            part.fill(self.files.table(chunk)[rows])
            parts.append(part)
        while len(parts) > 1:
            parts = [a.merge(b) for a, b in zip(parts[0::2], parts[1::2])] + parts[len(parts) & ~1 :]
        return parts[0]


def _ranges(seed: int, role: str, pieces: list[tuple[int, int]]) -> tuple[SampleRange, ...]:
    """Sample ranges of sorted pieces, neighbours made one."""

    def joined() -> Iterator[tuple[int, int]]:
        first, stop = pieces[0]
        for begin, end in pieces[1:]:
            if begin == stop:
                stop = end
            else:
                yield first, stop
                first, stop = begin, end
        yield first, stop

    return tuple(SampleRange(seed, role, first, stop) for first, stop in joined())


def _as_npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write beside, make durable, rename into place: a reader sees all of it or nothing."""
    unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with open(unfinished, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
