"""The games of a model's inputs: in each the players are an input's features, and a coalition earns the model's outputs."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel, Cancelled
from fastsa.games.arrays import Batch
from fastsa.games.game import check_coalitions, check_max_bytes
from fastsa.games.maskers import Behind, Masker
from fastsa.games.models import model_of
from fastsa.ops import Lanes, Walks, background_rows
from fastsa.ops.memberships import write_memberships

_COPIES = 4  # of an input while its masked form is made


class ModelGame:
    """One game per input: v(S) is what `model` says of the input with the players outside S masked.

    Parameters
    ----------
    model : a torch module in evaluation mode (run without gradients on its own device, in its own dtype; inputs are
        brought there once, here), a scikit-learn predictor (predict_proba, else decision_function, else predict), or any
        callable on numpy batches. It answers [rows] or [rows, outputs] finite numbers; all outputs are attributed.
    X : inputs [items, ...], numpy, torch, or a frame; a tuple of arrays where the model takes several.
    masker : Baseline, Marginal, Patches, Groups, Tokens or Nodes of fastsa.games.
    ids : uint64 [items], distinct and below 2**48; default positions. An input's random draws depend on its id only.

    Attributes
    ----------
    n_players, n_outputs : int
    ids : uint64 [items]
    draws_background : whether each sample of a stream takes a background row of its own
    fingerprint : str, a hash of inputs, masking and ids, and of the model as far as it can be known: a module's weights, a
        predictor's settings, a callable's name.

    The model is called once here, for its outputs. Batches hold rows of many inputs; one that runs out of memory is halved
    and tried again. A model may overwrite the batch it is given, but must not keep it: the next one is made in its memory.

    Raises TypeError for a model that does not predict; ValueError for a module in training mode, inputs that do not fit the
    masker, and outputs that are not finite or of another shape.

    >>> import fastsa, numpy as np
    >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> game = fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 1], X, fastsa.games.Baseline(1.0))
    >>> game.evaluate([0, 1], [[True, False], [True, True]]).ravel().tolist()
    [1.0, 12.0]
    """

    item_players = None

    def __init__(self, model: Any, X: Any, masker: Masker, *, ids: Any = None) -> None:
        if not hasattr(masker, "bind") or isinstance(masker, type):
            raise TypeError(f"masker is {masker!r}; expected one of fastsa.games, such as Baseline() or Marginal(background).")
        self.masker = masker
        self._model = model_of(model, X)
        inputs = tuple(self._model.arrays.of("X", x) for x in (X if isinstance(X, tuple) else (X,)))
        items = {int(x.shape[0]) if x.ndim else 0 for x in inputs}
        if len(items) != 1 or 0 in items:
            raise ValueError(f"X has shapes {[tuple(x.shape) for x in inputs]}; expected at least one item, the same in all.")
        self._bound = masker.bind(inputs, self._model.arrays)
        self._entries = sum(int(np.prod(x.shape[1:])) for x in inputs)
        self.n_players = self._bound.n_players
        self.ids = _checks.ids(ids, items.pop())
        self.draws_background = masker.draws_background and self._bound.n_background > 1
        self.n_outputs = 0
        everyone = np.ones((1, self.n_players), dtype=np.bool_)
        self.n_outputs = self._outputs(np.zeros(1, np.int64), everyone, np.zeros(1, np.int64), Batch()).shape[1]
        self.fingerprint = self._hash()

    def walk(
        self,
        walks: Walks,
        *,
        max_bytes: int | None = None,
        n_threads: int | None = None,
        cancel: Cancel | None = None,
    ) -> NDArray[np.float64]:
        """Values of the walks' scored positions and branches: float64 [walks.n_values, n_outputs].

        `walks.lanes` says which input each row is of, and, with samples, which background row stands behind it. Coalitions
        are made on `n_threads`; the model runs on the calling thread, on batches of at most `max_bytes` of inputs.
        """
        walks.check(self.n_players)
        if walks.lanes is None:
            raise ValueError("walks name no items; give each row its input with Walks(..., lanes=Lanes(items)).")
        lanes = walks.lanes
        if lanes.items.size and not (0 <= lanes.items.min() and lanes.items.max() < self.ids.size):
            raise ValueError(f"lanes name items {lanes.items.min()} to {lanes.items.max()}; expected 0 to {self.ids.size - 1}.")
        repeats = np.diff(walks.value_offsets)
        items = np.repeat(lanes.items, repeats)
        drawn = None if lanes.samples is None or not self.draws_background else np.repeat(self._drawn(lanes, n_threads), repeats)
        values = np.empty((walks.n_values, self.n_outputs))
        rows = self._rows_per_batch(check_max_bytes(max_bytes))
        batch = Batch(n_threads)
        members = np.empty((min(rows, walks.n_values), self.n_players), dtype=np.bool_)
        for first in range(0, walks.n_values, rows):
            if cancel is not None and cancel.is_set():
                raise Cancelled
            stop = min(first + rows, walks.n_values)
            part = members[: stop - first]
            write_memberships(walks, part, first, n_threads=n_threads, cancel=cancel)
            own = None if drawn is None else drawn[first:stop]
            values[first:stop] = self._values(items[first:stop], part, own, rows, batch)
        return values

    def evaluate(self, items: Any, coalitions: Any) -> NDArray[np.float64]:
        """Values of booleans [rows, n_players] of the inputs at `items` [rows]: float64 [rows, n_outputs].

        Under Marginal masking the mean over the whole background.
        """
        coalitions = check_coalitions(np.asarray(coalitions), self.n_players)
        items = np.asarray(items)
        if items.dtype.kind not in "iu" or items.shape != (coalitions.shape[0],):
            raise ValueError(f"items have shape {items.shape} and dtype {items.dtype}; expected a position for each of {coalitions.shape[0]} rows.")
        return self.walk(Walks.of_coalitions(coalitions, Lanes(items.astype(np.int64))))

    def _drawn(self, lanes: Lanes, n_threads: int | None) -> NDArray[np.int64]:
        return background_rows(
            self._bound.n_background,
            self.ids[lanes.items],
            lanes.samples,
            seed=lanes.seed,
            role=lanes.role,
            n_threads=n_threads,
        )

    def _rows_per_batch(self, max_bytes: int) -> int:
        within = max_bytes // (8 * _COPIES * self._entries + self.n_players)
        return max(1, min(within, self._model.arrays.entries_per_batch // self._entries))

    def _values(
        self, items: NDArray[np.int64], members: NDArray[np.bool_], drawn: NDArray[np.int64] | None, rows: int, batch: Batch
    ) -> NDArray[np.float64]:
        """One value per coalition: under its own background row, or the mean over all of them."""
        n_background = self._bound.n_background
        if n_background == 1:
            drawn = np.zeros(items.size, np.int64)
        if drawn is not None:
            return self._outputs(items, members, drawn, batch)
        total = np.zeros((items.size, self.n_outputs))
        together = max(1, rows // n_background)
        for first in range(0, items.size, together):
            own = slice(first, min(first + together, items.size))
            for begin in range(0, n_background, rows):
                behind = slice(begin, min(begin + rows, n_background))
                outputs = self._outputs(items[own], members[own], behind, batch)
                total[own] += outputs.reshape(own.stop - own.start, behind.stop - begin, -1).sum(axis=1)
        return total / n_background

    def _outputs(
        self, items: NDArray[np.int64], members: NDArray[np.bool_], behind: Behind, batch: Batch
    ) -> NDArray[np.float64]:
        """The model's outputs [rows, outputs], checked; in halves where a batch does not fit into memory."""
        answer = None
        try:
            answer = self._bound.outputs(self._model, items, members, behind, batch)
        except (MemoryError, RuntimeError) as error:
            halves = _halves(items, members, behind)
            if len(halves) < 2 or not _is_out_of_memory(error):
                raise
        if answer is None:  # only here has the error let go of the batch that did not fit
            return np.concatenate([self._outputs(*half, batch).copy() for half in halves])
        rows_each = behind.stop - behind.start if isinstance(behind, slice) else 1
        rows = items.size * rows_each
        if answer.dtype.kind not in "fiub":
            raise TypeError(f"model answered dtype {answer.dtype}; expected real numbers.")
        values = answer[:, None] if answer.ndim == 1 else answer
        outputs = self.n_outputs or (values.shape[1] if values.ndim == 2 else 0)
        if values.ndim != 2 or values.shape != (rows, outputs) or outputs == 0:
            expected = f"[{rows}, {self.n_outputs}]" if self.n_outputs else f"[{rows}] or [{rows}, outputs]"
            raise ValueError(f"model answered shape {answer.shape} for {rows} rows; expected {expected}.")
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0]) // rows_each
            size = int(members[row].sum())
            raise ValueError(f"model answered a value that is not finite for item {items[row]} with {size} of {self.n_players} players.")
        return values.astype(np.float64, copy=False)

    def _hash(self) -> str:
        digest = hashlib.sha256(self._model.identity())
        digest.update(repr((type(self.masker).__name__, self.draws_background, self.n_outputs)).encode())
        for array in (*self._bound.digest(), self.ids):
            digest.update(repr((array.shape, array.dtype)).encode())
            digest.update(np.ascontiguousarray(array).data if array.dtype.kind != "O" else repr(array.tolist()).encode())
        return digest.hexdigest()


def _halves(
    items: NDArray[np.int64], members: NDArray[np.bool_], behind: Behind
) -> list[tuple[NDArray[np.int64], NDArray[np.bool_], Behind]]:
    """Two batches that make one; a single coalition's background is halved, and a single row is not."""
    if items.size > 1:
        parts = (slice(0, items.size // 2), slice(items.size // 2, None))
        return [(items[p], members[p], behind if isinstance(behind, slice) else behind[p]) for p in parts]
    if not isinstance(behind, slice) or behind.stop - behind.start < 2:
        return [(items, members, behind)]
    middle = (behind.start + behind.stop) // 2
    return [(items, members, slice(*ends)) for ends in ((behind.start, middle), (middle, behind.stop))]


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()
