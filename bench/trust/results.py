"""What an experiment of the theory hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastsa.display import Table


@dataclass(frozen=True)
class Result:
    """A table, what it says of the claim, and numbers to draw."""

    table: Table
    verdicts: list[str]
    drawn: dict[str, Any]
