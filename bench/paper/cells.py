"""An experiment in cells, each a JSON record: it goes on where it was stopped."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Cells:
    """Gives a cell by its name: read from `given.out` if its record is there, else made, and kept if there is a folder.

    None, said once per cell, where `given.minutes` were over before it was begun.
    """

    def __init__(self, given: argparse.Namespace) -> None:
        self._folder, self._minutes = given.out, given.minutes
        self._end = time.perf_counter() + 60 * given.minutes

    def __call__(self, name: str, make: Callable[[], dict]) -> dict | None:
        path = None if self._folder is None else self._folder / f"{name}.json"
        if path is not None and path.exists():
            return read(path)
        if time.perf_counter() > self._end:
            print(f"{self._minutes:.0f} minutes are over; {name} was not begun")
            return None
        record = make()
        if path is not None:
            write(record, path)
        return record


def write(record: dict, path: Path) -> None:
    """As JSON, which has no NaN: null stands for it. The folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_replaced(record, _is_nan, None), indent=1, allow_nan=False) + "\n")


def read(path: Path) -> dict:
    """What `write` wrote, null as NaN."""
    return _replaced(json.loads(path.read_text()), lambda value: value is None, float("nan"))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


def _replaced(value: Any, is_old: Callable[[Any], bool], new: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(part, is_old, new) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(part, is_old, new) for part in value]
    return new if is_old(value) else value
