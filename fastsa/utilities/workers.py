"""A pool of worker processes that survives the death of any of them."""

from __future__ import annotations

import os
import signal
import threading
import warnings
import weakref
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa._threads import Cancel, Cancelled
from fastsa.utilities.coalitions import Coalitions
from fastsa.utilities.data import SupervisedData
from fastsa.utilities.refits import RefitError
from fastsa.utilities.shared_arrays import share, views
from fastsa.utilities.worker import Answer, Setup, Task, serve

_POLL_SECONDS = 0.05
_TASKS_PER_WORKER = 8
_LARGEST_TASK = 64
_MOST_DEATHS = 3


class Worker:
    """One process and its end of a pipe."""

    def __init__(self, setup: Setup) -> None:
        context = get_context("spawn")  # a fork would take threads' locks along, and other workers' pipes
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, setup), daemon=True, name="fastsa-worker")
        with _deaf_to_interrupts():
            self.process.start()
        theirs.close()  # so that the pipe ends when the process does
        self.ready = False
        self.task: Task | None = None

    @property
    def idle(self) -> bool:
        return self.ready and self.task is None and self.process.is_alive()

    def give(self, task: Task) -> None:
        self.task = task
        try:
            self.pipe.send(task)
        except (BrokenPipeError, ConnectionError):
            pass  # its death is noticed where its answer is awaited

    def take(self) -> Answer | None:
        """Its answer, or None for its first message. Raises EOFError where the process ended."""
        try:
            answer = self.pipe.recv()
        except (ConnectionError, OSError):
            raise EOFError from None
        self.ready, self.task = True, None
        return answer


class WorkerPool:
    """`n_workers` processes that fit `estimator` on `data` in shared memory; they start with the first run.

    They end with the pool, and with this process. One run at a time.
    """

    def __init__(self, n_workers: int, estimator: Any, score: Any, takes: str, data: SupervisedData) -> None:
        self._n_workers = n_workers
        self._arguments = estimator, score, takes, data
        self._lock = threading.Lock()
        self._workers: list[Worker] = []
        self._owner = 0
        self._job = 0

    @property
    def pids(self) -> list[int | None]:
        """Process ids of the workers that run."""
        return [worker.process.pid for worker in self._workers]

    def run(self, coalitions: Coalitions, n_outputs: int, cancel: Cancel) -> NDArray[np.float64]:
        """Values [coalitions, outputs], the same bytes for any number of workers. Raises Cancelled and RefitError."""
        with self._lock:
            self._open()
            self._job += 1
            self._shared["wanted"][0] = self._job
            try:
                return self._run(coalitions, n_outputs, cancel)
            except KeyboardInterrupt:  # it may have cut a message in two
                self._end()
                raise
            finally:
                self._shared["wanted"][0] = 0  # what is under way is abandoned between two fits

    def _run(self, coalitions: Coalitions, n_outputs: int, cancel: Cancel) -> NDArray[np.float64]:
        values = np.empty((len(coalitions), n_outputs))
        size = min(_LARGEST_TASK, -(-len(coalitions) // (_TASKS_PER_WORKER * self._n_workers)))
        waiting = deque(range(0, len(coalitions), size))
        missing = set(waiting)
        deaths: Counter[int] = Counter()
        while missing:
            if cancel.is_set():
                raise Cancelled
            for worker in self._workers:
                if worker.idle and waiting:
                    worker.give(_task(self._job, coalitions, waiting.popleft(), size))
            for worker in self._heard():
                try:
                    answer = worker.take()
                except EOFError:
                    lost = self._replace(worker)
                    if lost is not None:
                        deaths[lost.first] += 1
                        waiting.appendleft(lost.first)
                    _report(worker, lost, deaths)
                    continue
                if answer is None or answer.job != self._job:
                    continue
                if answer.complaint is not None:
                    raise RefitError(answer.complaint)
                values[answer.first : answer.first + len(answer.values)] = answer.values
                missing.discard(answer.first)
        return values

    def _end(self) -> None:
        """End all workers; the next run starts others."""
        for worker in self._workers:
            worker.process.terminate()
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()

    def _heard(self) -> list[Worker]:
        """Workers whose pipe holds a message or has ended, after waiting for one a little."""
        by_pipe: dict[Connection, Worker] = {worker.pipe: worker for worker in self._workers}
        return [by_pipe[pipe] for pipe in wait(list(by_pipe), timeout=_POLL_SECONDS)]

    def _replace(self, dead: Worker) -> Task | None:
        """A new worker in place of a dead one; the task of this job that was lost, if there was one."""
        dead.process.join()
        dead.pipe.close()
        place = self._workers.index(dead)
        if not dead.ready:
            del self._workers[place]
            raise RuntimeError(
                f"worker process {dead.process.pid} ended with exit code {dead.process.exitcode} before it was ready; what "
                "it printed says why. A script that uses n_workers above 1 keeps its work under "
                "if __name__ == '__main__':, and its classes in modules that can be imported."
            )
        self._workers[place] = Worker(self._setup)
        return dead.task if dead.task is not None and dead.task.job == self._job else None

    def _open(self) -> None:
        """Shared memory and workers of this process; those of a parent that forked are the parent's."""
        if self._owner != os.getpid():
            estimator, score, takes, data = self._arguments
            wanted = np.zeros(1, dtype=np.int64)
            arrays = {"X": data.X, "y": data.y, "X_val": data.X_val, "y_val": data.y_val, "wanted": wanted}
            memory, layout = share(arrays)
            self._setup = Setup(estimator, score, takes, data.n_pool, data.n_classes, layout)
            self._shared = views(memory, layout)
            self._workers = []
            self._owner = os.getpid()
            weakref.finalize(self, _close, self._owner, self._workers, self._shared, memory)
        while len(self._workers) < self._n_workers:
            self._workers.append(Worker(self._setup))


def _task(job: int, coalitions: Coalitions, first: int, size: int) -> Task:
    offsets = coalitions.offsets[first : first + size + 1]
    return Task(job, first, coalitions.players[offsets[0] : offsets[-1]], offsets - offsets[0])


def _report(worker: Worker, lost: Task | None, deaths: Counter[int]) -> None:
    ended = f"worker process {worker.process.pid} ended with exit code {worker.process.exitcode}"
    if lost is None:
        warnings.warn(f"{ended} while it had nothing to score; another takes its place.", RuntimeWarning, stacklevel=2)
        return
    rows = f"while it scored coalitions {lost.first} to {lost.first + lost.offsets.size - 2} of a batch"
    if deaths[lost.first] >= _MOST_DEATHS:
        sizes = np.diff(lost.offsets)
        raise RuntimeError(
            f"{ended} {rows}, of {sizes.min()} to {sizes.max()} players, as {deaths[lost.first] - 1} before it did; what "
            "kills them may be too little memory, or the estimator."
        )
    warnings.warn(f"{ended} {rows}; they are scored again.", RuntimeWarning, stacklevel=2)


def _close(owner: int, workers: list[Worker], shared: dict[str, NDArray[Any]], memory: SharedMemory) -> None:
    shared.clear()  # memory cannot be closed under its views
    memory.close()
    if owner != os.getpid():
        return
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join()
        worker.pipe.close()
    memory.unlink()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """What starts here ignores Ctrl-C from its first instruction on; a terminal sends it to all processes."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
