"""A torch Dataset over a label store: memory-mapped, checked as it is read, and growing while others write."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.labels.chunk_files import Chunk
from fastsa.labels.store import LabelStore

try:
    import torch
    from torch.utils.data import Dataset
except ImportError:
    raise _checks.BackendUnavailable("LabelDataset needs torch: pip install 'fastsa[torch]'.") from None

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class LabelRow(NamedTuple):
    """The label of one item, or of a batch of them along a first axis.

    id int64: the item, by default its position in the game; mean, stderr [outputs], or [players, outputs] where every item
    is a game of its own: the label and its standard error, NaN where there are too few samples to tell it; count int64 []
    or [players]: the samples behind it.
    """

    id: torch.Tensor
    mean: torch.Tensor
    stderr: torch.Tensor
    count: torch.Tensor


class LabelDataset(Dataset[Any]):
    """The labels of a store as a map-style dataset, one row per item that has any: for torch.utils.data.DataLoader.

    Parameters
    ----------
    store : a LabelStore, or its folder; it may be written to at the same time, by this or other processes.
    X : what a network is to read, indexed by item ids: an array, a numpy.memmap, a tensor. Without it (the default) an entry
        is a `LabelRow`; with it, the pair (X[id], LabelRow).
    dtype : of mean and stderr, "float32" (default), as networks have it, or "float64", as the store has it.

    `dataset[i]` is a row, `dataset[[3, 1]]` a batch of rows with a first axis, `len(dataset)` the items that have a label
    now; `ids` uint64 [len] are theirs, in the order of rows. Values stay on disk until they are asked for. A chunk is hashed
    before its first value is used; worker processes, forked or spawned, know what was checked before them and map the files
    themselves, so that `verify()` ahead of training spares every worker of every epoch the hashing. A file that changed
    since is hashed again.

    `refresh()` takes in what was written since; a DataLoader's workers see it from its next epoch on (those of
    persistent_workers=True never do). Items may then have more samples, and more items a row.

    Labels that follow from all players of one game together (pools of coalitions) are made in memory when first read.

    Raises DamagedChunk, by file, for a chunk that is cut or edited; TypeError for a store that is none, IndexError for a row
    beyond the last, and BackendUnavailable where torch is missing.

    >>> import fastsa, tempfile
    >>> from torch.utils.data import DataLoader
    >>> from fastsa.labels import LabelDataset
    >>> game = fastsa.games.FunctionGame(lambda c: c[:, 0] * 3.0 + c[:, 1], 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = fastsa.LabelStore.create(folder + "/labels", game, fastsa.estimators.PermutationShapley())
    ...     dataset = LabelDataset(store.run(game, samples=4))
    ...     for batch in DataLoader(dataset, batch_size=2):
    ...         print(batch.id.tolist(), batch.mean.tolist(), batch.count.tolist())
    [0, 1] [[3.0], [1.0]] [4, 4]
    """

    def __init__(self, store: LabelStore | str | os.PathLike[str], X: Any = None, *, dtype: str = "float32") -> None:
        if isinstance(store, (str, os.PathLike)):
            store = LabelStore(store)
        if not isinstance(store, LabelStore):
            raise TypeError(f"store is a {type(store).__name__}; expected a fastsa.LabelStore or its folder.")
        self.store = store
        self.dtype = _checks.choice("dtype", dtype, _DTYPES)
        self._X = X
        self._together = store.one_game and store.estimator.pooled
        self.refresh()

    def refresh(self) -> LabelDataset:
        """Take in the chunks that were finished since; returns self."""
        store = self.store
        self._chunks: list[list[Chunk]] = [[] for _ in range(store.n_blocks)]
        for (block, _), chunk in sorted(store.chunks().items()):
            self._chunks[block].append(chunk)
        samples = store.samples_per_chunk * np.array([len(chunks) for chunks in self._chunks])
        self._blocks = np.flatnonzero(samples >= max(1, store.estimator.least_samples(store.n_players)))
        self._starts = np.concatenate([[0], np.cumsum(np.diff(store.block_offsets)[self._blocks])])
        whole = self._blocks.size == store.n_blocks
        self._own_ids = None if whole else np.concatenate([store.ids[:0], *map(store.ids_of, self._blocks.tolist())])
        self._labels: tuple[NDArray[Any], ...] | None = None
        return self

    @property
    def ids(self) -> NDArray[np.uint64]:
        return self.store.ids if self._own_ids is None else self._own_ids

    def verify(self) -> LabelDataset:
        """Hash every chunk not yet checked, now; returns self. Raises DamagedChunk for the first that is not whole."""
        for chunks in self._chunks:
            for chunk in chunks:
                self.store.files.table(chunk)
        return self

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, row: Any) -> Any:
        if np.ndim(row) == 0:
            return self._entry(self._read(np.array([_checks.integer("row", row)])), 0)
        return self._entry(self._read(np.asarray(row)), slice(None))

    def __getitems__(self, rows: list[int]) -> list[Any]:
        """The entries of a batch, read together: what a DataLoader asks for."""
        read = self._read(np.asarray(rows))
        return [self._entry(read, place) for place in range(len(rows))]

    def _entry(self, read: LabelRow, place: Any) -> Any:
        row = LabelRow(*(part[place] for part in read))
        return row if self._X is None else (self._X[row.id.item() if row.id.ndim == 0 else row.id.numpy()], row)

    def _read(self, rows: NDArray[Any]) -> LabelRow:
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise TypeError(f"rows are {rows.dtype} {rows.shape}; expected integers, one or a list of them.")
        if rows.size and not (-len(self) <= rows.min() and rows.max() < len(self)):
            raise IndexError(f"rows reach from {rows.min()} to {rows.max()}; the dataset has {len(self)}.")
        rows = np.where(rows < 0, rows + len(self), rows).astype(np.int64)
        mean, stderr, count = self._of_pool(rows) if self._together else self._of_blocks(rows)
        kind = _DTYPES[self.dtype]
        ids = torch.from_numpy(self.ids[rows].astype(np.int64))
        return LabelRow(
            ids, torch.from_numpy(mean).to(kind), torch.from_numpy(stderr).to(kind), torch.from_numpy(count)
        )

    def _of_pool(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        if self._labels is None:
            labels = self.store.labels()
            self._labels = labels.mean, labels.stderr, labels.count
        return tuple(part[rows] for part in self._labels)

    def _of_blocks(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        """mean, stderr and count of these rows, block by block."""
        store, estimator = self.store, self.store.estimator
        cells = () if store.one_game else (store.n_players,)
        mean, stderr = (np.empty((rows.size, *cells, store.n_outputs)) for _ in range(2))
        count = np.empty((rows.size, *cells), np.int64)
        owner = np.searchsorted(self._starts, rows, side="right") - 1
        for place in np.unique(owner):
            mine = np.flatnonzero(owner == place)
            roster = store.roster(self.ids[rows[mine]])
            inside = rows[mine] - self._starts[place]
            statistics = store.statistics(roster, self._chunks[self._blocks[place]], inside)
            mean[mine], count[mine] = estimator.finalize(statistics, roster)
            stderr[mine] = estimator.stderr(statistics, roster, mean[mine])
        return mean, stderr, count
