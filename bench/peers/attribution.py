r"""Attribution beside its peers, where the model costs nothing: KernelSHAP per input, tabular masking per mask.

    python bench/peers/attribution.py --shapiq VENV/bin/python --shap VENV/bin/python --torch VENV/bin/python

Each peer runs in its own environment (see the first lines of attribution_shapiq.py, attribution_shap.py and
attribution_torch.py), in a process of its own, in turn with ours; ratios are medians over the turns. shapiq is given one BLAS
thread and as many as ours, and the faster of both counts. --torch has captum and shap explain a network on one thread, and
--shapiq shapiq (one of the same size in numpy where its environment has no torch): each side's processor time is a multiple of
the forward passes of the model rows that it took, timed in turn with them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import bench_attribution as ours  # noqa: E402

TURNS = 5
THREADS = 2


def seconds(run: Callable[[], object], work: int, repeats: int = 7) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) / work


def theirs(python: str, script: str, *arguments: int | str, threads: int = 1) -> dict[str, float]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [python, "-W", "ignore", str(HERE / script), *map(str, arguments)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{script} failed in {python}:\n{run.stderr}")
    return {name: float(value) for name, value in map(str.split, run.stdout.splitlines())}


def line(what: str, unit: float, turns: list[tuple[float, float]]) -> str:
    ratio = statistics.median(peer / mine for peer, mine in turns)
    peer, mine = (statistics.median(side) / unit for side in zip(*turns, strict=True))
    return f"| {what} | {peer:,.2f} | {mine:,.2f} | {ratio:,.1f} |"


def kernel_shap(python: str) -> str:
    run = ours.kernel_shap(n_threads=THREADS)
    run()
    turns = []
    for _ in range(TURNS):
        arguments = ours.PLAYERS, 2 * ours.PAIRS
        peers = [theirs(python, "attribution_shapiq.py", *arguments, threads=t)["KernelSHAP"] for t in (1, THREADS)]
        turns.append((min(peers), seconds(run, ours.INPUTS)))
    return line(f"KernelSHAP, {ours.PLAYERS} players, {2 * ours.PAIRS} coalitions: ms per input, shapiq", 1e-3, turns)


def masking(python: str) -> list[str]:
    runs = {features: ours.masking(features) for features in (20, 100)}
    turns: dict[int, list[tuple[float, float]]] = {features: [] for features in runs}
    for _ in range(TURNS):
        peer = theirs(python, "attribution_shap.py", *runs)
        for features, run in runs.items():
            turns[features].append((peer[str(features)], seconds(run, ours.MASKS)))
    return [line(f"masking {f} features over {ours.ROWS} rows: us per mask, shap", 1e-6, t) for f, t in turns.items()]


def network(python: str | None, shapiq: str | None) -> list[str]:
    """Processor time as a multiple of forward passes alone: ours called and summed, and the peers', in turn."""
    from network import processor_seconds

    pairs = {first_layer: ours.permutations_of_a_network(first_layer) for first_layer in ("called", "summed")}
    peers = {name: (python, "attribution_torch.py", name) for name in ("captum", "shap") if python}
    if shapiq:
        peers["shapiq"] = (shapiq, "attribution_shapiq.py", "network")
    turns: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(TURNS):
        mine = {}
        for first_layer, (run, forward) in pairs.items():
            run()
            mine[first_layer] = statistics.median(processor_seconds(run) / forward() for _ in range(3))
        for name, command in peers.items():
            (peer,) = (value for key, value in theirs(*command).items() if key.startswith("of_forward"))
            for first_layer, ratio in mine.items():
                turns.setdefault((name, first_layer), []).append((peer, ratio))
    what = "orders of a network: multiple of its forward passes, {}; ours {}"
    return [line(what.format(*of), 1.0, t) for of, t in turns.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapiq", metavar="PYTHON")
    parser.add_argument("--shap", metavar="PYTHON")
    parser.add_argument("--torch", metavar="PYTHON")
    given = parser.parse_args()
    print("| what, and the peer | peer | fastsa | ratio |")
    print("|---|---|---|---|")
    if given.shapiq:
        print(kernel_shap(given.shapiq))
    if given.shap:
        print(*masking(given.shap), sep="\n")
    if given.torch or given.shapiq:
        print(*network(given.torch, given.shapiq), sep="\n")


if __name__ == "__main__":
    main()
