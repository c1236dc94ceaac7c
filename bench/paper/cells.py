"""An experiment in cells, each a JSON record: it goes on where it was stopped."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

UNTELLABLE = {None: float("nan"), "inf": float("inf"), "-inf": float("-inf")}  # as they stand in JSON


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
    """As JSON, which has neither NaN nor infinities: null stands for the one, "inf" and "-inf" for the others. Makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_each(record, _told), indent=1, allow_nan=False) + "\n")


def read(path: Path) -> dict:
    """What `write` wrote."""
    return _each(json.loads(path.read_text()), lambda value: UNTELLABLE.get(value, value))


def _told(value: Any) -> Any:
    if not isinstance(value, float) or np.isfinite(value):
        return value
    return None if np.isnan(value) else str(value)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _each(part, change) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_each(part, change) for part in value]
    return change(value)
