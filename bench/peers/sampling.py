r"""Coalition sampling beside shapiq's: nanoseconds per coalition of 196 players as booleans, one thread, in one run.

    python bench/peers/sampling.py --shapiq VENV/bin/python

The peer runs in its own environment (see the first lines of sampling_shapiq.py), in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import bench_sampling  # noqa: E402

REPEATS = 9
OURS = {"permutations": bench_sampling.prefixes_as_booleans, "pairs": lambda: bench_sampling.paired_subsets(True)}


def ours(what: str) -> float:
    """Seconds per coalition."""
    run, coalitions = OURS[what]()
    run()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) / coalitions


def theirs(python: str) -> dict[str, float]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [python, "-W", "ignore", str(HERE / "sampling_shapiq.py"), str(bench_sampling.PLAYERS)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"sampling_shapiq.py failed in {python}:\n{run.stderr}")
    return {name: float(seconds) for name, seconds in map(str.split, run.stdout.splitlines())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapiq", required=True, metavar="PYTHON")
    peer = theirs(parser.parse_args().shapiq)
    print("| what | shapiq ns | fastsa ns | ratio |")
    print("|---|---|---|---|")
    for what, seconds in peer.items():
        mine = ours(what)
        print(f"| {what} | {1e9 * seconds:,.0f} | {1e9 * mine:,.0f} | {seconds / mine:,.0f} |")


if __name__ == "__main__":
    main()
