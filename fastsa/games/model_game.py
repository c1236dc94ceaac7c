"""The games of a model's inputs: in each the players are an input's features, and a coalition earns the model's outputs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel, Cancelled
from fastsa.games.arrays import Batch
from fastsa.games.game import check_coalitions, check_max_bytes
from fastsa.games.maskers import Masker, Replaced
from fastsa.games.models import TorchModel, model_of
from fastsa.games.requests import Coalitions, Request, ValuesOfWalks
from fastsa.games.running_sums import RunningSums, first_layer_of, is_along
from fastsa.ops import Lanes, Walks, background_rows
from fastsa.ops.memberships import write_memberships
from fastsa.ops.running_sums import Rows

FIRST_LAYERS = ("called", "summed", "auto")
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
    first_layer : "called" (default) calls the model on masked inputs. "summed" is for torch modules whose first layer is
        linear: a torch.nn.Sequential that starts with torch.nn.Linear (after torch.nn.Flatten() or not), or a module with a
        method `first_layer()` that answers (its torch.nn.Linear, a callable for the rest), on the CPU, under Baseline,
        Marginal, Patches or Groups. Along a permutation the first layer then costs one addition per unit instead of a
        product with the whole input. Answers agree with "called" but for rounding: the sum starts again from the layer
        every 128 players, so that pre-activations are within 128 units in the last place of the sum of their terms'
        magnitudes. Other walks than permutations, and means over a whole background, call the model. "auto" sums where
        "summed" is allowed.

    Attributes
    ----------
    n_players, n_outputs : int
    ids : uint64 [items]
    draws_background : whether each sample of a stream takes a background row of its own
    knows_empty : whether v(empty) is of a background row alone: true of Baseline, Marginal, Groups and Patches. The
        model is then asked once about each row that is needed, and this is not counted among the evaluations of labels.
    model, bound : the model as it is called, and the inputs with what hides their players
    fingerprint : str, a hash of inputs, masking and ids, and of the model as far as it can be known: a module's weights, a
        predictor's settings, a callable's name.

    The model is called once here, for its outputs. Batches hold rows of many inputs; one that runs out of memory is halved
    and tried again. A model may overwrite the batch it is given, but must not keep it: the next one is made in its memory.

    Raises TypeError for a model that does not predict; ValueError for a module in training mode, inputs that do not fit the
    masker, outputs that are not finite or of another shape, and a first layer that cannot be summed.

    >>> import fastsa, numpy as np
    >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> game = fastsa.games.ModelGame(lambda x: x[:, 0] * x[:, 1], X, fastsa.games.Baseline(1.0))
    >>> game.evaluate([0, 1], [[True, False], [True, True]]).ravel().tolist()
    [1.0, 12.0]
    """

    item_players = None

    def __init__(self, model: Any, X: Any, masker: Masker, *, ids: Any = None, first_layer: str = "called") -> None:
        if not hasattr(masker, "bind") or isinstance(masker, type):
            raise TypeError(
                f"masker is {masker!r}; expected one of fastsa.games, such as Baseline() or Marginal(background)."
            )
        _checks.choice("first_layer", first_layer, FIRST_LAYERS)
        self.masker = masker
        self.model = model_of(model, X)
        inputs = tuple(self.model.arrays.of("X", x) for x in (X if isinstance(X, tuple) else (X,)))
        items = {int(x.shape[0]) if x.ndim else 0 for x in inputs}
        if len(items) != 1 or 0 in items:
            raise ValueError(
                f"X has shapes {[tuple(x.shape) for x in inputs]}; expected at least one item, the same in all."
            )
        self.bound = masker.bind(inputs, self.model.arrays)
        self._entries = sum(int(np.prod(x.shape[1:])) for x in inputs)
        self.n_players = self.bound.n_players
        self.ids = _checks.ids(ids, items.pop())
        self._native = isinstance(self.bound, Replaced) and self.bound.flat is not None
        self._rows_in_cache = sys.maxsize
        self.draws_background = masker.draws_background and self.bound.n_background > 1
        self.knows_empty = isinstance(self.bound, Replaced)
        self._sums = self._summed(first_layer)
        self.n_outputs = 0
        everyone = np.ones((1, self.n_players), dtype=np.bool_)
        self.n_outputs = self.outputs_of(
            Coalitions(np.zeros(1, np.int64), everyone, np.zeros(1, np.int64)), Batch()
        ).shape[1]
        self._rows_in_cache = self.model.rows_in_cache
        self._alone = np.full((self.bound.n_background, self.n_outputs), np.nan)
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
            raise ValueError(
                f"lanes name items {lanes.items.min()} to {lanes.items.max()}; expected 0 to {self.ids.size - 1}."
            )
        behind = self._behind(lanes, n_threads)
        rows, batch = self.rows_per_batch(check_max_bytes(max_bytes)), Batch(n_threads)
        values = np.empty((walks.n_values, self.n_outputs))
        if self._sums is not None and behind is not None and is_along(walks, self.n_players):
            self._walk_summed(values, walks, behind, rows, batch, cancel)  # sums begin at the empty coalition
            return values
        write = self._walk_masked if self._native and behind is not None else self._walk_called
        empty = walks.empty_values
        if empty.size == 0 or not self.knows_empty:
            write(values, walks, behind, rows, batch, cancel)
            return values
        rest, places = walks.without_empty()
        others = np.empty((rest.n_values, self.n_outputs))
        write(others, rest, behind, rows, batch, cancel)
        values[places] = others
        values[empty] = self._of_nobody(None if behind is None else behind[walks.rows_of_empty], rows, batch)
        return values

    def _of_nobody(self, behind: NDArray[np.int64] | None, rows: int, batch: Batch) -> NDArray[np.float64]:
        """What the model says of background rows alone, each asked once; the mean over all of them where `behind` is None."""
        wanted = np.arange(self.bound.n_background) if behind is None else behind
        unknown = np.unique(wanted[np.isnan(self._alone[wanted, 0])])
        for first in range(0, unknown.size, rows):
            some = unknown[first : first + rows]
            nobody = np.zeros((some.size, self.n_players), dtype=np.bool_)
            self._alone[some] = self.outputs_of(Coalitions(np.zeros(some.size, np.int64), nobody, some), batch)
        return self._alone.mean(axis=0) if behind is None else self._alone[behind]

    def _walk_masked(
        self,
        values: NDArray[np.float64],
        walks: Walks,
        behind: NDArray[np.int64],
        rows: int,
        batch: Batch,
        cancel: Cancel | None,
    ) -> None:
        masked = self.bound.along(walks, behind)
        for first in range(0, walks.n_values, rows):
            stop = min(first + rows, walks.n_values)
            part = ValuesOfWalks(walks, masked, first, stop, cancel)
            values[first:stop] = self.outputs_of(part, batch, all_finite=False)
        whole = ValuesOfWalks(walks, masked, 0, walks.n_values)
        self._check_finite(values, whole.place)  # of all at once: between two batches every call finds cold caches

    def _walk_called(
        self,
        values: NDArray[np.float64],
        walks: Walks,
        behind: NDArray[np.int64] | None,
        rows: int,
        batch: Batch,
        cancel: Cancel | None,
    ) -> None:
        repeats = np.diff(walks.value_offsets)
        items = np.repeat(walks.lanes.items, repeats)
        drawn = None if behind is None else np.repeat(behind, repeats)
        members = batch.array((min(rows, walks.n_values), self.n_players), np.bool_, "members")
        for first in range(0, walks.n_values, rows):
            if cancel is not None and cancel.is_set():
                raise Cancelled
            stop = min(first + rows, walks.n_values)
            part = members[: stop - first]
            write_memberships(walks, part, first, n_threads=batch.n_threads, cancel=cancel)
            own = None if drawn is None else drawn[first:stop]
            values[first:stop] = self._values(items[first:stop], part, own, rows, batch)

    def _walk_summed(
        self,
        values: NDArray[np.float64],
        walks: Walks,
        behind: NDArray[np.int64],
        rows: int,
        batch: Batch,
        cancel: Cancel | None,
    ) -> None:
        inputs, background = self.bound.flat
        of_walks = values.reshape(walks.rows, -1, self.n_outputs)
        all_rows = Rows(inputs, walks.lanes.items, background, behind)
        for stretch in self._sums.along(walks, all_rows, rows, batch):
            if cancel is not None and cancel.is_set():
                raise Cancelled
            own = of_walks[stretch.walks, stretch.positions]
            own[:] = self._shaped(self.model.answer(stretch.outputs), own.shape[0] * own.shape[1]).reshape(own.shape)

        def place(row: int) -> tuple[int, int]:
            walk, position = divmod(row, of_walks.shape[1])
            return int(walks.lanes.items[walk]), int(walks.scored[0]) + position

        self._check_finite(values, place)

    def evaluate(self, items: Any, coalitions: Any) -> NDArray[np.float64]:
        """Values of booleans [rows, n_players] of the inputs at `items` [rows]: float64 [rows, n_outputs].

        Under Marginal masking the mean over the whole background.
        """
        coalitions = check_coalitions(np.asarray(coalitions), self.n_players)
        items = np.asarray(items)
        if items.dtype.kind not in "iu" or items.shape != (coalitions.shape[0],):
            raise ValueError(
                f"items have shape {items.shape} and dtype {items.dtype}; expected a position for each of {coalitions.shape[0]} rows."
            )
        return self.walk(Walks.of_coalitions(coalitions, Lanes(items.astype(np.int64))))

    def _behind(self, lanes: Lanes, n_threads: int | None) -> NDArray[np.int64] | None:
        """The one background row behind each walk; None where all of several are."""
        if self.bound.n_background == 1:
            return np.zeros(lanes.items.size, np.int64)
        if lanes.samples is None or not self.draws_background:
            return None
        drawn = background_rows(
            self.bound.n_background,
            self.ids[lanes.items],
            lanes.samples,
            seed=lanes.seed,
            role=lanes.role,
            n_threads=n_threads,
        )
        if lanes.turns is None:
            return drawn
        return (drawn + lanes.turns * (self.bound.n_background // 2)) % self.bound.n_background

    def rows_per_batch(self, max_bytes: int) -> int:
        within = max_bytes // (8 * _COPIES * self._entries + self.n_players)
        return max(1, min(within, self.model.arrays.entries_per_batch // self._entries, self._rows_in_cache))

    def _values(
        self,
        items: NDArray[np.int64],
        members: NDArray[np.bool_],
        drawn: NDArray[np.int64] | None,
        rows: int,
        batch: Batch,
    ) -> NDArray[np.float64]:
        """One value per coalition: under its own background row, or the mean over all of them."""
        n_background = self.bound.n_background
        if drawn is not None:
            return self.outputs_of(Coalitions(items, members, drawn), batch)
        total = np.zeros((items.size, self.n_outputs))
        together = max(1, rows // n_background)
        for first in range(0, items.size, together):
            own = slice(first, min(first + together, items.size))
            for begin in range(0, n_background, rows):
                behind = slice(begin, min(begin + rows, n_background))
                outputs = self.outputs_of(Coalitions(items[own], members[own], behind), batch)
                total[own] += outputs.reshape(own.stop - own.start, behind.stop - begin, -1).sum(
                    axis=1, dtype=np.float64
                )
        return total / n_background

    def outputs_of(self, request: Request, batch: Batch, *, all_finite: bool = True) -> NDArray[Any]:
        """The model's outputs [rows, outputs], checked; in halves where a batch does not fit into memory.

        Whether they are `all_finite` may be left to the caller.
        """
        answer = None
        try:
            answer = request.outputs(self.bound, self.model, batch)
        except (MemoryError, RuntimeError) as error:
            halves = request.halves()
            if len(halves) < 2 or not _is_out_of_memory(error):
                raise
        if answer is None:  # only here has the error let go of the batch that did not fit
            return np.concatenate([self.outputs_of(half, batch, all_finite=all_finite).copy() for half in halves])
        values = self._shaped(answer, request.n_rows)
        if all_finite:
            self._check_finite(values, request.place)
        return values

    def _shaped(self, answer: NDArray[Any], rows: int) -> NDArray[Any]:
        """An answer as [rows, outputs]."""
        if answer.dtype.kind not in "fiub":
            raise TypeError(f"model answered dtype {answer.dtype}; expected real numbers.")
        values = answer[:, None] if answer.ndim == 1 else answer
        outputs = self.n_outputs or (values.shape[1] if values.ndim == 2 else 0)
        if values.ndim != 2 or values.shape != (rows, outputs) or outputs == 0:
            expected = f"[{rows}, {self.n_outputs}]" if self.n_outputs else f"[{rows}] or [{rows}, outputs]"
            raise ValueError(f"model answered shape {answer.shape} for {rows} rows; expected {expected}.")
        return values

    def _check_finite(self, values: NDArray[Any], place: Callable[[int], tuple[int, int]]) -> None:
        """Name item and size of the first row that is not finite, which `place` tells."""
        if not _all_finite(values):
            item, size = place(int(np.argmin(np.isfinite(values).all(axis=1))))
            raise ValueError(
                f"model answered a value that is not finite for item {item} with {size} of {self.n_players} players."
            )

    def _summed(self, first_layer: str) -> RunningSums | None:
        """The running sums that were asked for; under "auto" None where there are none."""
        if first_layer == "called":
            return None
        try:
            return self._sums_of_inputs()
        except ValueError:
            if first_layer == "summed":
                raise
            return None

    def _sums_of_inputs(self) -> RunningSums:
        if not isinstance(self.model, TorchModel):
            raise ValueError("the model is no torch module; expected one whose first layer is linear, to be summed.")
        parts = first_layer_of(self.model.module)
        if not self._native:
            raise ValueError(
                f"the first layer cannot be summed under {type(self.masker).__name__} on these inputs; "
                "expected Baseline, Marginal, Patches or Groups on float32 or float64 inputs on the CPU."
            )
        if not all(np.isfinite(rows).all() for rows in self.bound.flat):
            raise ValueError(
                "inputs or background are not all finite, and differences of infinities cannot be summed; clean them."
            )
        return RunningSums(parts, self.bound)

    def _hash(self) -> str:
        digest = hashlib.sha256(self.model.identity())
        digest.update(repr((type(self.masker).__name__, self.draws_background, self.n_outputs)).encode())
        for array in (*self.bound.digest(), self.ids):
            digest.update(repr((array.shape, array.dtype)).encode())
            digest.update(
                np.ascontiguousarray(array).data if array.dtype.kind != "O" else repr(array.tolist()).encode()
            )
        return digest.hexdigest()


def _all_finite(values: NDArray[Any]) -> bool:
    """As isfinite of all; a sum is cheaper, and finite only where all its terms are."""
    if values.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower()
