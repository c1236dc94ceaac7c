"""The random lane of every row of a draw: an item and a sample of its own, or one of consecutive samples of item 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastsa import _checks
from fastsa.ops import _device


@dataclass(frozen=True)
class RowLanes:
    """Checked lanes: row r has item ids[r] and sample samples[r]; item 0 and sample first + r where both are None."""

    seed: int
    role: int
    ids: Any
    samples: Any
    first: int

    @property
    def arguments(self) -> tuple[Any, ...]:
        """In the order that the native side takes."""
        return self.seed, self.role, self.ids, self.samples, self.first

    @property
    def addresses(self) -> tuple[int, ...]:
        """As `arguments`, with the addresses of a device's arrays, 0 for none."""
        ids, samples = (0 if array is None else array.data.ptr for array in (self.ids, self.samples))
        return self.seed, self.role, ids, samples, self.first


def row_lanes(
    rows: int, *, seed: Any, role: Any, first_row: Any, ids: Any, samples: Any, cuda: _device.Cuda | None
) -> RowLanes:
    """The lanes of `rows` rows, from a first row or from an id and a sample each.

    Raises ValueError when ids come without samples or the other way round, beside a first row, or not one per row.
    """
    seed, lane = _checks.seed(seed), _checks.role(role)
    if ids is None and samples is None:
        first, _ = _checks.sample_range(first_row, max(rows, 1), what="rows")
        return RowLanes(seed, lane, None, None, first)
    if ids is None or samples is None:
        given, missing = ("samples", "ids") if ids is None else ("ids", "samples")
        raise ValueError(f"{given} are given without {missing}; expected both, one of each per row, or neither.")
    if _checks.integer("first_row", first_row) != 0:
        raise ValueError(f"first_row is {first_row} beside ids and samples, which say every row's lane; leave it out.")
    check_ids(ids, samples, cuda)
    if ids.size != rows:
        raise ValueError(f"ids and samples have {ids.size} entries for {rows} rows; expected one of each per row.")
    return RowLanes(seed, lane, ids, samples, 0)


def check_ids(ids: Any, samples: Any, cuda: _device.Cuda | None) -> None:
    """Raise unless `ids` are uint64 [rows] below 2**48 and `samples` uint32 [rows]; waits for a device's largest id."""
    exact = _checks.exact if cuda is None else cuda.exact
    exact("ids", ids, np.uint64, 1)
    exact("samples", samples, np.uint32, 1)
    if ids.shape != samples.shape:
        raise ValueError(f"ids have shape {ids.shape} and samples {samples.shape}; expected one of each per row.")
    if ids.size and int(ids.max()) >= _checks.MOST_IDS:
        raise ValueError(f"ids reach {ids.max()}; expected ids below 2**48.")
