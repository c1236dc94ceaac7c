"""What an attribution net is to predict, from what: the shapes that its kind follows from."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks

KINDS = ("mlp", "tokens", "conv", "nodes", "steps")


@dataclass(frozen=True)
class Task:
    """Shapes of one input (several where the model takes several), players and outputs.

    vocabulary : 1 + the largest token of integer inputs; 0 where inputs are real numbers
    grid : rows and columns of the players of an image; None where they are in no grid
    """

    shapes: tuple[tuple[int, ...], ...]
    vocabulary: int
    n_players: int
    n_outputs: int
    grid: tuple[int, int] | None

    @staticmethod
    def of(inputs: tuple[NDArray[Any], ...], n_players: int, n_outputs: int, grid: tuple[int, int] | None) -> Task:
        """Raises ValueError for a grid of another number of players."""
        shapes = tuple(x.shape[1:] for x in inputs)
        vocabulary = int(inputs[0].max()) + 1 if inputs[0].dtype.kind in "iu" else 0
        if grid is not None and grid[0] * grid[1] != n_players:
            raise ValueError(f"grid is {grid}, of {grid[0] * grid[1]} players; the labels have {n_players}.")
        if grid is None and len(shapes[0]) == 3:
            grid = _square(shapes[0], n_players)
        return Task(shapes, vocabulary, n_players, n_outputs, grid)

    @property
    def kind(self) -> str:
        """The kind of network that "auto" takes: see AttributionNet."""
        first = self.shapes[0]
        if len(self.shapes) == 2:
            return "nodes"
        if len(first) == 3 and self.grid is not None:
            return "conv"
        if self.vocabulary and first == (self.n_players,):
            return "tokens"
        if len(first) == 2 and first[0] == self.n_players:
            return "steps"
        return "mlp"

    def check(self, kind: str, with_backbone: bool) -> None:
        """Raise ValueError where a network of this kind cannot be made for these shapes."""
        first, n = self.shapes[0], self.n_players
        fits, expected = {
            "mlp": (len(self.shapes) == 1 and not self.vocabulary, "one array of real numbers"),
            "tokens": (
                with_backbone or (len(first) == 3 and self.grid is not None) or (len(first) < 3 and first[0] == n),
                f"{n} tokens, images whose players are a grid (give grid), or a backbone",
            ),
            "conv": (len(first) == 3 and self.grid is not None, "images whose players are a grid (give grid)"),
            "nodes": (len(self.shapes) == 2 and first[0] == n, f"features of {n} nodes and their adjacency"),
            "steps": (len(first) == 2 and first[0] == n, f"sequences of {n} steps, [items, {n}, channels]"),
        }[kind]
        if not fits:
            raise ValueError(f"net is {kind!r} and inputs have shapes {list(self.shapes)}; expected {expected}.")
        if self.grid is not None and kind in ("conv", "tokens") and not with_backbone:
            _, height, width = first
            if height % self.grid[0] or width % self.grid[1]:
                raise ValueError(
                    f"images are {height} x {width}; a grid of {self.grid[0]} x {self.grid[1]} does not divide them."
                )

    def config(self) -> dict[str, Any]:
        """As plain data; `of_config` makes it again."""
        return asdict(self)

    @staticmethod
    def of_config(config: dict[str, Any]) -> Task:
        shapes = tuple(tuple(shape) for shape in config["shapes"])
        grid = None if config["grid"] is None else tuple(config["grid"])
        return Task(shapes, config["vocabulary"], config["n_players"], config["n_outputs"], grid)


def numbers_of(name: str, X: Any, task: Task | None = None) -> tuple[NDArray[Any], ...]:
    """The inputs of a network, checked: integers [items, length] are tokens and become int64, all else float32.

    Raises TypeError for what are no numbers, ValueError for no items, numbers that are not finite, or shapes other than
    the task's.
    """
    given = X if isinstance(X, tuple) else (X,)
    arrays = tuple(_numbers(name, x) for x in given)
    items = {x.shape[0] for x in arrays}
    if len(items) != 1 or 0 in items:
        raise ValueError(f"{name} has shapes {[x.shape for x in arrays]}; expected at least one item, the same in all.")
    if task is not None and tuple(x.shape[1:] for x in arrays) != task.shapes:
        raise ValueError(f"{name} has inputs of shapes {[x.shape[1:] for x in arrays]}; expected {list(task.shapes)}.")
    if task is not None and bool(task.vocabulary) != (arrays[0].dtype.kind == "i"):
        raise TypeError(
            f"{name} has dtype {np.asarray(given[0]).dtype}; expected {'integers' if task.vocabulary else 'floats'}, as in training."
        )
    return arrays


def _numbers(name: str, x: Any) -> NDArray[Any]:
    array = x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)
    if array.ndim < 2:
        raise ValueError(f"{name} has shape {array.shape}; expected [items, ...], with at least one axis of features.")
    if array.dtype.kind in "iu" and array.ndim == 2:
        if array.min(initial=0) < 0:
            raise ValueError(f"{name} holds {array.min()}; expected tokens from 0. Convert real numbers to floats.")
        return array.astype(np.int64)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected numbers. Encode other columns first.")
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name}{list(place)} is {array[place]}; expected finite numbers.")
    return array


def checked_grid(grid: Any) -> tuple[int, int] | None:
    """(rows, columns) or None."""
    if grid is None:
        return None
    if not isinstance(grid, (tuple, list)) or len(grid) != 2:
        raise TypeError(f"grid is {grid!r}; expected (rows, columns) of the players.")
    return _checks.count("grid", grid[0]), _checks.count("grid", grid[1])


def _square(shape: tuple[int, ...], n_players: int) -> tuple[int, int] | None:
    """The square grid of so many players, where there is one that divides the image."""
    side = math.isqrt(n_players)
    return (side, side) if side * side == n_players and not (shape[1] % side or shape[2] % side) else None
