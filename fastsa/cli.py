"""The command line: fastsa demo | info."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fastsa import __version__, _checks


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors of input and of missing extras become one sentence on standard error."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        return given.run(given)
    except (ValueError, TypeError, _checks.BackendUnavailable) as error:
        print(f"fastsa {given.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastsa", description="Fast stochastic amortization of attributions.")
    parser.add_argument("--version", action="version", version=f"fastsa {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="value 1,000 digits, find the mislabeled ones, write a page")
    demo.add_argument("--seconds", type=float, default=60.0, help="for all; what the labels leave goes to ground truth")
    demo.add_argument("--samples", type=int, default=10, help="labels per point, in all")
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument("--threads", type=int, default=None, help="default: all available processors")
    demo.add_argument("--page", default="fastsa_demo.html", help="where the page is written")
    demo.set_defaults(run=_demo)
    info = commands.add_parser("info", help="versions, processors and devices that fastsa sees")
    info.set_defaults(run=_info)
    return parser


def _demo(given: argparse.Namespace) -> int:
    from fastsa.report import run_demo, table, write_page

    result = run_demo(seconds=given.seconds, samples=given.samples, seed=given.seed, n_threads=given.threads)
    print()
    print(table(result))
    print(f"\nPage: {write_page(result, given.page).resolve()}")
    return 0


def _info(given: argparse.Namespace) -> int:
    from importlib.util import find_spec

    from fastsa import _core, _threads

    print(f"fastsa {__version__}, kernels for {_core.instruction_set()}, {_threads.available()} processors")
    for extra, module in (("torch", "torch"), ("demo", "matplotlib"), ("cuda", "cupy")):
        print(f"extra [{extra}]: {'installed' if find_spec(module) else f'missing (pip install fastsa[{extra}])'}")
    print(f"CUDA kernels: {'built' if find_spec('fastsa._cuda') else 'not built'}")
    return 0
