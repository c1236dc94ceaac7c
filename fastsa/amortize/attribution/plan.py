"""A fit of an attribution net, checked before any work starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa.amortize.attribution.ends import checked_ends, ends_of_labels
from fastsa.amortize.attribution.labels import AttributionLabels, check_independent
from fastsa.amortize.attribution.task import Task, numbers_of
from fastsa.games import ModelGame


class Given(NamedTuple):
    """What a user gave of one set of inputs."""

    X: Any
    labels: Any
    ends: Any
    start: Any = None
    weights: Any = None
    refresh: Any = None


@dataclass(frozen=True)
class Part:
    """Inputs, and what is known of them: labels, or the game to ask; ends [items, 2, outputs] where they are known.

    start : values [items, players, outputs] to begin with, which are taken off the labels; None for zeros.
    """

    inputs: tuple[NDArray[Any], ...]
    labels: AttributionLabels | ModelGame
    ends: NDArray[np.float64] | None
    start: NDArray[np.float64] | None = None

    @property
    def cells(self) -> tuple[int, int]:
        """Players and outputs."""
        if isinstance(self.labels, ModelGame):
            return self.labels.n_players, self.labels.n_outputs
        players, outputs = self.labels.mean.shape[1:]
        return players, outputs


@dataclass(frozen=True)
class Plan:
    task: Task
    kind: str
    train: Part
    select: Part | None


def planned(
    train: Given,
    select: Given,
    kind_of: Callable[[Task], str],
    grid: tuple[int, int] | None,
    objective: str,
    efficient: bool,
) -> Plan:
    """Raises TypeError or ValueError for what does not fit together."""
    from_coalitions = objective == "coalitions"
    if from_coalitions and not isinstance(train.labels, ModelGame):
        name = type(train.labels).__name__
        raise TypeError(f"objective is 'coalitions' and labels is a {name}; expected a fastsa.games.ModelGame.")
    if isinstance(train.labels, ModelGame) and not from_coalitions:
        raise TypeError(
            "labels is a ModelGame; expected fastsa.Labels or a LabelStream, unless objective is 'coalitions'."
        )
    if from_coalitions and train.start is not None:
        raise ValueError("start is for labels; objective 'coalitions' begins with nothing.")
    if from_coalitions and train.weights is not None:
        raise ValueError("weights are of labels; objective 'coalitions' has none.")
    if from_coalitions and train.refresh is not None:
        raise ValueError("refresh is for labels; objective 'coalitions' draws new coalitions at every step.")
    inputs = numbers_of("X", train.X)
    own = _part("labels", inputs, train, "ends", efficient)
    task = Task.of(inputs, *own.cells, grid)
    kind = kind_of(task)
    if select.labels is None:
        if select.X is not None:
            raise ValueError("X_select is given without select; expected labels of these inputs.")
        return Plan(task, kind, own, None)
    return Plan(task, kind, own, _selection(train, own, select, task, from_coalitions, efficient))


def _selection(train: Given, own: Part, select: Given, task: Task, from_coalitions: bool, efficient: bool) -> Part:
    if isinstance(select.labels, ModelGame) and not from_coalitions:
        raise TypeError("select is a ModelGame; expected fastsa.Labels, unless objective is 'coalitions'.")
    same = select.X is None
    if (select.start is None) != (train.start is None) and not same:
        raise ValueError("start and start_select go together; give both or neither.")
    if same and select.start is None:
        select = select._replace(start=train.start)
    inputs = own.inputs if same else numbers_of("X_select", select.X, task)
    # Ends are those of the inputs: the same inputs need no others.
    chosen = _part("select", inputs, select, "ends_select", efficient and not (same and select.ends is None))
    if chosen.cells != own.cells:
        have, want = chosen.cells, own.cells
        raise ValueError(f"select has {have[0]} players and {have[1]} outputs; expected {want[0]} and {want[1]}.")
    if not isinstance(train.labels, ModelGame):
        check_independent(train.labels, select.labels, same)
    return chosen


def _part(name: str, inputs: tuple[NDArray[Any], ...], given: Given, ends_name: str, with_ends: bool) -> Part:
    n_items = inputs[0].shape[0]
    if isinstance(given.labels, ModelGame):
        if given.labels.ids.size != n_items:
            raise ValueError(
                f"{name} is a game of {given.labels.ids.size} inputs and X has {n_items}; expected the same inputs."
            )
        found: Any = given.labels
        n_outputs = found.n_outputs
    else:
        found = AttributionLabels.of(name, given.labels, n_items, given.start, given.weights, given.refresh)
        n_outputs = found.mean.shape[2]
    start = None if given.start is None else np.asarray(given.start, np.float64)
    if not with_ends:
        return Part(inputs, found, None, start)
    if given.ends is not None:
        return Part(inputs, found, checked_ends(ends_name, given.ends, n_items, n_outputs), start)
    if isinstance(found, ModelGame):
        return Part(inputs, found, None)  # the game is asked when work begins
    known = ends_of_labels(given.labels)
    if known is None:
        raise ValueError(
            f"an efficient net needs {ends_name}, v(empty) and v(N) of each input; give what amortize.ends(game) gives."
        )
    return Part(inputs, found, known, start)
