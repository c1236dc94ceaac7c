"""The options that experiments of several seeds have in common."""

from __future__ import annotations

import argparse
from pathlib import Path


def parser_of(doc: str | None, *, minutes: float) -> argparse.ArgumentParser:
    """--data-dir, --out, --small, --seeds, --minutes (default `minutes`), under an experiment's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, help="folder of a JSON record per cell; what is there is not made again")
    parser.add_argument("--small", action="store_true", help="a form that takes seconds")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=minutes, help="no cell is begun after so many")
    return parser
