"""The options that experiments have in common."""

from __future__ import annotations

import argparse
from pathlib import Path


def single_parser_of(doc: str | None, *, out: str) -> argparse.ArgumentParser:
    """--data-dir, --out (of which `out` says what it holds) and --small, under an experiment's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, help=out)
    parser.add_argument("--small", action="store_true", help="a form that takes seconds")
    return parser


def parser_of(doc: str | None, *, minutes: float) -> argparse.ArgumentParser:
    """Those, and --seeds and --minutes (default `minutes`)."""
    parser = single_parser_of(doc, out="folder of a JSON record per cell; what is there is not made again")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=minutes, help="no cell is begun after so many")
    return parser
