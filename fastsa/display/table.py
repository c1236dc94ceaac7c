"""A table that reads well when printed, and gives its numbers to programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastsa import _checks


@dataclass(frozen=True)
class Table:
    """Rows under named columns; printing it shows the text.

    columns  names; the first column holds the names of the rows, and has none itself
    rows     one tuple per row, its name first; then numbers, (low, high) intervals, or None for what is not there
    notes    sentences that the reader needs, printed underneath
    title    printed above, where there is one

    `table[row, column]` is one cell, `column(name)` a list from top to bottom, `names` those of the rows.

    >>> from fastsa.display import Table
    >>> table = Table(("", "score", "interval"), (("ours", 0.5, (0.25, 0.75)), ("theirs", 0.125, None)))
    >>> print(table)
            score        interval
    ours    0.500  0.250 .. 0.750
    theirs  0.125               -
    >>> table["ours", "score"]
    0.5
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()
    title: str = ""

    @property
    def names(self) -> list[str]:
        return [row[0] for row in self.rows]

    def __getitem__(self, place: tuple[str, str]) -> Any:
        row, column = place
        for what, name, names in (("row", row, self.names), ("column", column, self.columns)):
            if name not in names:
                raise KeyError(f"the table has no {what} {name!r}; it has {', '.join(map(repr, names))}.")
        return self.rows[self.names.index(row)][self.columns.index(column)]

    def column(self, name: str) -> list[Any]:
        return [self[row, name] for row in self.names]

    def __str__(self) -> str:
        head = [self.title, ""] if self.title else []
        body = columns_of_text(self.columns, [(row[0], *map(shown, row[1:])) for row in self.rows])
        return "\n".join([*head, *body, *(["", *self.notes] if self.notes else [])])

    def to_dataframe(self) -> Any:
        """A pandas frame indexed by the rows' names; an interval becomes two columns, "... low" and "... high".

        Raises BackendUnavailable where pandas is missing.
        """
        try:
            import pandas
        except ImportError:
            raise _checks.BackendUnavailable("to_dataframe needs pandas: pip install pandas.") from None
        named: dict[str, list[Any]] = {}
        for place, name in enumerate(self.columns[1:], start=1):
            cells = [row[place] for row in self.rows]
            if any(isinstance(cell, tuple) for cell in cells):
                ends = [cell if isinstance(cell, tuple) else (None, None) for cell in cells]
                named[f"{name} low"], named[f"{name} high"] = ([end[i] for end in ends] for i in (0, 1))
            else:
                named[name] = cells
        return pandas.DataFrame(named, index=self.names)


def shown(cell: Any) -> str:
    """A cell as text: three decimals, "low .. high" for an interval, a dash for what is not there or not defined."""
    if cell is None or cell != cell:
        return "-"
    if isinstance(cell, tuple):
        return f"{shown(cell[0])} .. {shown(cell[1])}"
    return f"{cell:.3f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)


def columns_of_text(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of aligned text, the head first: the first column to the left, the others to the right.

    >>> from fastsa.display import columns_of_text
    >>> columns_of_text(["", "n"], [["few", "3"], ["many", "300"]])
    ['        n', 'few     3', 'many  300']
    """
    lines = [columns, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
