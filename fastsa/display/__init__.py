"""How results are shown: tables of text and figures, alike everywhere."""

from fastsa.display.figures import lines, new_figure
from fastsa.display.table import Table, columns_of_text

__all__ = ["Table", "columns_of_text", "lines", "new_figure"]
