"""The only place with threads: runs serial, GIL-free kernels over fixed chunks of rows on a pool."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

import numpy as np

from fastsa import _checks

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}
_local = threading.local()
_ALIGNMENT = 64


class Cancelled(Exception):
    """Work was stopped because its cancel flag was set."""


class Cancel:
    """A flag that native loops poll; once set, running kernels return early and `run` raises `Cancelled`."""

    def __init__(self) -> None:
        self.flag = np.zeros(1, dtype=np.int32)

    def set(self) -> None:
        self.flag[0] = 1

    def is_set(self) -> bool:
        return bool(self.flag[0])


def available() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve(n_threads: int | None) -> int:
    """The number of threads meant by `n_threads`: None is every available processor."""
    return available() if n_threads is None else _checks.count("n_threads", n_threads)


def run(
    kernel: Callable[[int, int, np.ndarray], None],
    n_rows: int,
    *,
    chunk: int,
    n_threads: int | None = None,
    cancel: Cancel | None = None,
    brief: bool = False,
) -> None:
    """Call `kernel(begin, end, flag)` for every chunk of rows; the chunks depend on the problem, never on the threads.

    The caller's thread only waits, so that Ctrl-C reaches it: it then sets the flag, waits for the kernels to return
    and raises. An exception in a kernel stops the others and is raised. `brief` says that a chunk takes a millisecond or
    so: one that is alone then runs on the caller's thread, since handing it over would cost more than Ctrl-C can wait.
    """
    cancel = Cancel() if cancel is None else cancel
    if cancel.is_set():
        raise Cancelled
    n_threads = resolve(n_threads)
    if brief and n_rows <= chunk:
        _guarded(kernel, 0, n_rows, cancel)
        if cancel.is_set():
            raise Cancelled
        return
    pool = _pool(n_threads)
    tasks: list[Future[None]] = []
    try:
        for start in range(0, n_rows, chunk):
            tasks.append(pool.submit(_guarded, kernel, start, min(start + chunk, n_rows), cancel))
        done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
        for task in done:
            task.result()
    except BaseException:
        cancel.set()
        wait(tasks)
        raise
    if cancel.is_set():
        raise Cancelled


def scratch(n_bytes: int) -> np.ndarray:
    """The calling thread's own buffer of at least `n_bytes`, kept between calls because fresh pages cost more than use."""
    held = getattr(_local, "scratch", None)
    if held is None or held.size < n_bytes + _ALIGNMENT:
        held = _local.scratch = np.empty(n_bytes + _ALIGNMENT, dtype=np.int8)
    return held[-held.ctypes.data % _ALIGNMENT :]


def _guarded(kernel: Callable[[int, int, np.ndarray], None], begin: int, end: int, cancel: Cancel) -> None:
    if not cancel.is_set():
        kernel(begin, end, cancel.flag)


def _pool(n_threads: int) -> ThreadPoolExecutor:
    """Threads do not survive a fork, so every process has pools of its own."""
    key = (os.getpid(), n_threads)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(n_threads, thread_name_prefix="fastsa")
    return _pools[key]
