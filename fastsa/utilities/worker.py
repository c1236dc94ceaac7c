"""A worker process: fits what it is sent, on data that it shares, until nobody asks any more."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa.utilities import scores
from fastsa.utilities.data import SupervisedData
from fastsa.utilities.refits import Refit, RefitError, one_native_thread
from fastsa.utilities.shared_arrays import Layout, views


@dataclass(frozen=True)
class Setup:
    """What a worker needs once: a score by its name or function, and where the data are."""

    estimator: Any
    score: Any
    takes: str
    n_pool: int
    n_classes: int
    layout: Layout


@dataclass(frozen=True)
class Task:
    """Coalitions of one job: players of row r are players[offsets[r] : offsets[r + 1]]."""

    job: int
    first: int
    players: NDArray[np.int32]
    offsets: NDArray[np.int64]


@dataclass(frozen=True)
class Answer:
    """Values [rows, outputs] of a task; none where it was abandoned; the complaint where a fit failed."""

    job: int
    first: int
    values: NDArray[np.float64] | None
    complaint: str | None = None


def serve(asked: Connection, setup: Setup) -> None:
    """Answer tasks until the other end is closed; the first message says that the worker is ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    memory = SharedMemory(setup.layout.memory)
    try:
        with one_native_thread():
            _answer(asked, setup, views(memory, setup.layout))
    except (EOFError, ConnectionError):
        pass  # the parent is gone, or wants nothing more
    finally:
        memory.close()


def _answer(asked: Connection, setup: Setup, shared: dict[str, NDArray[Any]]) -> None:
    data = SupervisedData(shared["X"], shared["y"], setup.n_pool, shared["X_val"], shared["y_val"], setup.n_classes)
    refit = Refit(setup.estimator, scores.resolve(setup.score, setup.takes), data)
    asked.send(None)
    while True:
        task = asked.recv()
        asked.send(_done(task, refit, shared["wanted"]))


def _done(task: Task, refit: Refit, wanted: NDArray[np.int64]) -> Answer:
    values = []
    for begin, end in zip(task.offsets, task.offsets[1:]):
        if wanted[0] != task.job:
            return Answer(task.job, task.first, None)
        try:
            values.append(refit(task.players[begin:end]))
        except RefitError as error:
            return Answer(task.job, task.first, None, str(error))
    return Answer(task.job, task.first, np.stack(values))
