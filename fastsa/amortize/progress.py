"""Bars that count labels, and the epochs of a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastsa import _checks


def epoch_bar(shown: bool, epochs: int, what: str = "amortizing") -> tuple[Callable[[], Any], Callable[[], Any]]:
    """(count one epoch, close the bar); both do nothing unless `shown`."""
    if not shown:
        return (lambda: None), (lambda: None)
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise _checks.BackendUnavailable("Progress bars need tqdm: pip install 'fastsa[torch]'.") from None
    bar = tqdm(total=epochs, desc=what, unit="epoch")
    return bar.update, bar.close


@contextmanager
def progress_bar(total: int, what: str, shown: bool) -> Iterator[Callable[[int], Any]]:
    """A bar of labels with a rate on standard error; yields its update function."""
    from tqdm import tqdm

    with tqdm(total=total, desc=what, unit=" labels", unit_scale=True, disable=not shown) as bar:
        yield bar.update
