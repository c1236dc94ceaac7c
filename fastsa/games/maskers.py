"""Maskers: what the model sees of an input whose players have not all joined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.games.arrays import Arrays, Batch, as_numpy
from fastsa.ops import Walks
from fastsa.ops.masked import MaskedWalks, entries_of_players, write_masked

Behind = NDArray[np.int64] | slice
"""One background row for each coalition, or a range of rows that stand behind every coalition in turn."""


class Bound(Protocol):
    """A masker on its inputs."""

    n_players: int
    n_background: int
    """Rows that stand in for absent players, of which a coalition's value is the mean."""

    def outputs(
        self, model: Any, items: NDArray[np.int64], members: NDArray[np.bool_], behind: Behind, batch: Batch
    ) -> NDArray[Any]:
        """What the model says of these items, each with some members present, over the background `behind` them."""
        ...

    def digest(self) -> list[NDArray[Any]]:
        """Arrays that tell this masking from another."""
        ...


class Masker(Protocol):
    """Makes masked inputs; frozen settings with a readable repr."""

    @property
    def draws_background(self) -> bool:
        """Whether a sample of a stream takes one background row of its own."""
        ...

    def bind(self, X: tuple[Any, ...], arrays: Arrays) -> Bound:
        """The masker on inputs, each with a first axis of items. Raises ValueError where they do not fit."""
        ...


@dataclass(frozen=True, eq=False)
class Baseline:
    """Absent features take fixed values: a number for all (default 0) or an array of an input's shape.

    Every entry of an input is a player; `Groups` and `Patches` make players of several.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=1), np.array([[1.0, 2.0]]), fastsa.games.Baseline(10.0))
    >>> game.evaluate([0], [[True, False]]).item()
    11.0
    """

    values: Any = 0.0
    draws_background = False

    def bind(self, X: tuple[Any, ...], arrays: Arrays) -> Bound:
        inputs = _one(X, self)
        return Replaced(inputs, _baseline(inputs, self.values, arrays), _every_entry(inputs), arrays)


@dataclass(frozen=True, eq=False)
class Marginal:
    """Absent features take their values from rows of a background set: v(S) is the mean over its rows.

    background : [b, ...] rows shaped as an input.
    whole : whether every evaluation takes the mean over all rows, at b model rows each. By default a stream gives each
        sample one row, drawn uniformly from a lane of its own, which leaves labels unbiased for the same mean at a
        b-th of the cost; `evaluate` and `fastsa.exact` always take the whole.

    Raises ValueError for a background without rows or of another shape.

    >>> import fastsa, numpy as np
    >>> masker = fastsa.games.Marginal(np.array([[0.0, 0.0], [4.0, 4.0]]))
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=1), np.array([[1.0, 1.0]]), masker)
    >>> game.evaluate([0], [[True, False]]).item()
    3.0
    """

    background: Any
    whole: bool = False

    def __post_init__(self) -> None:
        _checks.flag("whole", self.whole)

    @property
    def draws_background(self) -> bool:
        return not self.whole

    def bind(self, X: tuple[Any, ...], arrays: Arrays) -> Bound:
        inputs = _one(X, self)
        return Replaced(inputs, _rows(inputs, self.background, arrays), _every_entry(inputs), arrays)


@dataclass(frozen=True, eq=False)
class Groups:
    """Players are groups of entries: one-hot columns of one variable, superpixels, time steps of all channels.

    players : int array that broadcasts to an input's shape; entry e belongs to player players[e], numbers 0 .. p - 1 all used.
    masker : what absent entries take: Baseline (default, zeros) or Marginal.

    Raises ValueError for numbers that leave a gap, or a shape that does not fit the inputs.

    >>> import fastsa, numpy as np
    >>> masker = fastsa.games.Groups(np.array([0, 0, 1]))
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=1), np.array([[1.0, 2.0, 4.0]]), masker)
    >>> game.evaluate([0], [[True, False]]).item()
    3.0
    """

    players: Any
    masker: Baseline | Marginal = field(default_factory=Baseline)

    def __post_init__(self) -> None:
        if not isinstance(self.masker, (Baseline, Marginal)):
            raise TypeError(
                f"masker is {self.masker!r}; expected Baseline or Marginal, which say what absent entries take."
            )

    @property
    def draws_background(self) -> bool:
        return self.masker.draws_background

    def bind(self, X: tuple[Any, ...], arrays: Arrays) -> Bound:
        inputs = _one(X, self)
        groups = np.asarray(self.players)
        if groups.dtype.kind not in "iu":
            raise TypeError(f"players have dtype {groups.dtype}; expected integers, the player of each entry.")
        shape = tuple(inputs.shape[1:])
        try:
            np.broadcast_to(groups, shape)
        except ValueError:
            raise ValueError(
                f"players have shape {groups.shape}; expected one that broadcasts to an input's, {shape}."
            ) from None
        used = np.unique(groups)
        if not np.array_equal(used, np.arange(used.size)):
            raise ValueError(
                f"players are numbered {used[:5].tolist()} ...; expected 0 to {used.size - 1}, every number used."
            )
        if isinstance(self.masker, Marginal):
            outside = _rows(inputs, self.masker.background, arrays)
        else:
            outside = _baseline(inputs, self.masker.values, arrays)
        return Replaced(inputs, outside, groups.astype(np.int64), arrays)


@dataclass(frozen=True)
class Patches:
    """Players are the patches of a grid on images [items, channels, height, width]; absent ones take `value` (default 0).

    grid : (rows, columns) of the grid; they must divide height and width. Player r * columns + c is the patch there.

    Raises ValueError for inputs of another shape, or that the grid does not divide.

    >>> import fastsa, numpy as np
    >>> game = fastsa.games.ModelGame(lambda x: x.sum(axis=(1, 2, 3)), np.ones((1, 3, 4, 4)), fastsa.games.Patches((2, 2)))
    >>> game.n_players, game.evaluate([0], [[True, False, False, False]]).item()
    (4, 12.0)
    """

    grid: tuple[int, int]
    value: float = 0.0
    draws_background = False

    def __post_init__(self) -> None:
        if not isinstance(self.grid, (tuple, list)) or len(self.grid) != 2:
            raise TypeError(f"grid is {self.grid!r}; expected (rows, columns), such as (14, 14).")
        object.__setattr__(self, "grid", tuple(_checks.count("grid", g) for g in self.grid))
        object.__setattr__(self, "value", _checks.number("value", self.value))

    def bind(self, X: tuple[Any, ...], arrays: Arrays) -> Bound:
        inputs = _one(X, self)
        rows, columns = self.grid
        if inputs.ndim != 4:
            raise ValueError(f"X has shape {tuple(inputs.shape)}; expected images [items, channels, height, width].")
        height, width = inputs.shape[2:]
        if height % rows or width % columns:
            raise ValueError(f"images are {height} x {width}; a grid of {rows} x {columns} does not divide them.")
        patch = (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width
        return Replaced(inputs, _baseline(inputs, self.value, arrays), patch[None], arrays)


@dataclass(frozen=True)
class Tokens:
    """Players are the positions of token sequences [items, length]; the model takes (tokens, mask), mask True where present.

    With `drop` (default False) absent tokens are taken out and never computed: the rest is closed up, padded with `pad` to
    the longest of a batch of like lengths. Without, they stay in place, are `pad` where that is given, and masked.

    >>> import fastsa, numpy as np
    >>> model = lambda tokens, mask: (tokens * mask).sum(axis=1)
    >>> game = fastsa.games.ModelGame(model, np.array([[5, 7, 9]]), fastsa.games.Tokens(drop=True))
    >>> game.evaluate([0], [[True, False, True]]).item()
    14.0
    """

    drop: bool = False
    pad: int | None = None
    draws_background = False

    def __post_init__(self) -> None:
        _checks.flag("drop", self.drop)
        if self.pad is not None:
            object.__setattr__(self, "pad", _checks.integer("pad", self.pad))

    def bind(self, X: tuple[Any, ...], arrays: Arrays) -> Bound:
        tokens = _one(X, self)
        if tokens.ndim != 2:
            raise ValueError(f"X has shape {tuple(tokens.shape)}; expected tokens [items, length].")
        return _Tokens(tokens, self.drop, self.pad, arrays)


@dataclass(frozen=True)
class Nodes:
    """Players are the nodes of graphs: X is (features [items, nodes, d], adjacency [items, nodes, nodes]), as the model's inputs.

    An absent node loses its features and its edges. Graphs of fewer nodes are padded with nodes of zeros, which then are null
    players of a model that ignores isolated zeros.

    >>> import fastsa, numpy as np
    >>> features, adjacency = np.ones((1, 3, 2)), np.ones((1, 3, 3))
    >>> game = fastsa.games.ModelGame(lambda f, a: a.sum(axis=(1, 2)), (features, adjacency), fastsa.games.Nodes())
    >>> game.evaluate([0], [[True, True, False]]).item()
    4.0
    """

    draws_background = False

    def bind(self, X: tuple[Any, ...], arrays: Arrays) -> Bound:
        if len(X) != 2 or X[0].ndim != 3 or tuple(X[1].shape) != (X[0].shape[0], X[0].shape[1], X[0].shape[1]):
            shapes = [tuple(x.shape) for x in X]
            raise ValueError(
                f"X has shapes {shapes}; expected (features [items, nodes, d], adjacency [items, nodes, nodes])."
            )
        return _Nodes(X[0], X[1], arrays)


class Replaced:
    """Entries of absent players are replaced by those of a background row.

    inputs, outside : [items, ...] and [background rows, ...], as the model takes them. players : of the entries, int64.
    flat : inputs and background as numpy's rows of floats, where there is such a view of them; else None.
    player_of : int32 [entries]; None where entry e is player e. entries_of: the same, by player (see EntriesOf).
    """

    def __init__(self, inputs: Any, outside: Any, players: NDArray[np.int64], arrays: Arrays) -> None:
        self.n_players = int(players.max()) + 1
        self.n_background = int(outside.shape[0])
        self.inputs, self.outside, self._arrays = inputs, outside, arrays
        self.players = players
        self._shape = tuple(inputs.shape[1:])
        everyone = np.broadcast_to(players, self._shape).reshape(-1)
        self.player_of = None if np.array_equal(everyone, np.arange(everyone.size)) else everyone.astype(np.int32)
        self.entries_of = None if self.player_of is None else entries_of_players(self.player_of, self.n_players)
        flat = arrays.natively(inputs), arrays.natively(outside)
        self.flat = None if flat[0] is None or flat[1] is None else flat

    def outputs(
        self, model: Any, items: NDArray[np.int64], members: NDArray[np.bool_], behind: Behind, batch: Batch
    ) -> NDArray[Any]:
        masked = self._masked if self.flat is None else self._masked_natively
        return model(masked(items, members, behind, batch))

    def along(self, walks: Walks, behind: NDArray[np.int64]) -> MaskedWalks:
        """What writes the masked inputs of walks over flat inputs, one background row behind each walk."""
        inputs, outside = self.flat
        return MaskedWalks(inputs, walks, outside, behind, self.entries_of)

    def of_flat(self, rows: NDArray[np.floating]) -> Any:
        """Flat rows as the model takes them."""
        return self._arrays.of_native(rows.reshape(-1, *self._shape))

    def _masked_natively(
        self, items: NDArray[np.int64], members: NDArray[np.bool_], behind: Behind, batch: Batch
    ) -> Any:
        inputs, outside = self.flat
        rows = None if isinstance(behind, slice) else behind
        outside = outside if rows is not None else outside[behind]
        n_rows = members.shape[0] * (1 if rows is not None else outside.shape[0])
        out = batch.array((n_rows, inputs.shape[1]), inputs.dtype)
        write_masked(inputs, items, members, outside, rows, self.player_of, out, n_threads=batch.n_threads)
        return self._arrays.of_native(out.reshape(n_rows, *self._shape))

    def _masked(self, items: NDArray[np.int64], members: NDArray[np.bool_], behind: Behind, batch: Batch) -> Any:
        arrays = self._arrays
        keep = members if self.player_of is None else members[:, self.players.reshape(-1)]
        keep = arrays.booleans(keep.reshape(-1, *self._aligned))
        inside = arrays.take(self.inputs, arrays.index(items))
        if isinstance(behind, slice):
            return arrays.where(keep[:, None], inside[:, None], self.outside[behind][None]).reshape(-1, *self._shape)
        outside = self.outside if self.n_background == 1 else arrays.take(self.outside, arrays.index(behind))
        return arrays.where(keep, inside, outside)

    @property
    def _aligned(self) -> tuple[int, ...]:
        return (1,) * (len(self._shape) - self.players.ndim) + self.players.shape

    def digest(self) -> list[NDArray[Any]]:
        return [as_numpy(self.inputs), as_numpy(self.outside), self.players]


class _Tokens:
    n_background = 1

    def __init__(self, tokens: Any, drop: bool, pad: int | None, arrays: Arrays) -> None:
        self.n_players = int(tokens.shape[1])
        self._tokens, self._drop, self._pad, self._arrays = tokens, drop, pad, arrays

    def outputs(
        self, model: Any, items: NDArray[np.int64], members: NDArray[np.bool_], behind: Behind, batch: Batch
    ) -> NDArray[Any]:
        if not self._drop:
            return model(*self._masked(items, members))
        sizes = members.sum(axis=1)
        by_size = np.argsort(sizes, kind="stable")
        parts = []
        for rows in np.array_split(by_size, max(1, min(16, by_size.size // 16))):
            parts.append(model(*self._closed_up(items[rows], members[rows])))
        joined = np.concatenate(parts)
        answer = np.empty_like(joined)
        answer[by_size] = joined
        return answer

    def _masked(self, items: NDArray[np.int64], members: NDArray[np.bool_]) -> tuple[Any, Any]:
        arrays = self._arrays
        present = arrays.booleans(members.copy())  # the model may overwrite what it is given
        tokens = arrays.take(self._tokens, arrays.index(items))
        if self._pad is not None:
            tokens = arrays.where(present, tokens, arrays.like("pad", np.full((1, 1), self._pad), self._tokens))
        return tokens, present

    def _closed_up(self, items: NDArray[np.int64], members: NDArray[np.bool_]) -> tuple[Any, Any]:
        """Present tokens first, in their order; as many columns as the longest row has."""
        arrays = self._arrays
        longest = max(1, int(members.sum(axis=1).max()))
        place = np.argsort(~members, axis=1, kind="stable")[:, :longest]
        present = np.take_along_axis(members, place, axis=1)
        flat = arrays.index((items[:, None] * self.n_players + place).reshape(-1))
        tokens = arrays.take(self._tokens.reshape(-1), flat).reshape(place.shape)
        mask = arrays.booleans(present)
        return arrays.where(mask, tokens, arrays.like("pad", np.full((1, 1), self._pad or 0), self._tokens)), mask

    def digest(self) -> list[NDArray[Any]]:
        return [as_numpy(self._tokens)]


class _Nodes:
    n_background = 1

    def __init__(self, features: Any, adjacency: Any, arrays: Arrays) -> None:
        self.n_players = int(features.shape[1])
        self._features, self._adjacency, self._arrays = features, adjacency, arrays

    def outputs(
        self, model: Any, items: NDArray[np.int64], members: NDArray[np.bool_], behind: Behind, batch: Batch
    ) -> NDArray[Any]:
        arrays = self._arrays
        rows, present = arrays.index(items), arrays.booleans(members)
        features = arrays.take(self._features, rows) * present[:, :, None]
        adjacency = arrays.take(self._adjacency, rows) * present[:, :, None] * present[:, None, :]
        return model(features, adjacency)

    def digest(self) -> list[NDArray[Any]]:
        return [as_numpy(self._features), as_numpy(self._adjacency)]


def _one(X: tuple[Any, ...], masker: Any) -> Any:
    if len(X) != 1:
        raise ValueError(f"X is {len(X)} arrays; {type(masker).__name__} masks one.")
    if X[0].ndim < 2:
        raise ValueError(f"X has shape {tuple(X[0].shape)}; expected [items, ...], with at least one axis of features.")
    return X[0]


def _every_entry(inputs: Any) -> NDArray[np.int64]:
    shape = tuple(inputs.shape[1:])
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


def _baseline(inputs: Any, values: Any, arrays: Arrays) -> Any:
    """One background row, of shape [1, ...]."""
    shape = tuple(inputs.shape[1:])
    given = as_numpy(values)
    try:
        row = np.broadcast_to(given, shape)
    except ValueError:
        raise ValueError(
            f"the baseline has shape {given.shape}; expected one number, or an input's shape {shape}."
        ) from None
    return arrays.like("the baseline", np.array(row)[None], inputs)


def _rows(inputs: Any, background: Any, arrays: Arrays) -> Any:
    rows = as_numpy(background)
    shape = tuple(inputs.shape[1:])
    if rows.ndim != inputs.ndim or rows.shape[1:] != shape:
        raise ValueError(
            f"background has shape {rows.shape}; expected [rows, {', '.join(map(str, shape))}], as the inputs."
        )
    if rows.shape[0] == 0:
        raise ValueError("background has no rows; expected at least one.")
    return arrays.like("background", rows, inputs)
