r"""KNN-Shapley beside its peers: the same arrays, the same number of threads, one table of times, ratios and agreement.

    python bench/peers/knn_shapley.py --peer pydvl=VENV/bin/python --peer shapiq=... --peer dattri=... \
        --peer opendataval=...

Each peer runs in its own environment (see the first lines of bench/peers/knn_<peer>.py), in a process of its own; only
its call is timed, and fastsa's is timed in turn with it. Beside the time that passed is the ratio of processor time,
of all threads and processes, which other work on the machine hardly moves.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fastsa

HERE = Path(__file__).parent
K = 5
REPEATS = 5

# peer, variant, training points, validation points, classes
RUNS = (
    ("pydvl", "hard", 10_000, 500, 10),
    ("opendataval", "hard", 10_000, 500, 10),
    ("dattri", "hard", 1_000, 50, 10),
    ("shapiq", "hard", 10_000, 50, 2),
    ("shapiq", "weighted", 100, 4, 2),
    ("shapiq", "weighted", 200, 2, 2),
    ("shapiq", "weighted", 1_000, 1, 2),
    ("shapiq", "threshold", 500, 20, 2),
    ("shapiq", "threshold", 3_000, 20, 2),
)


def arrays(n: int, m: int, classes: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "X": rng.normal(size=(n, 32)).astype(np.float32),
        "y": rng.integers(0, classes, n),
        "X_val": rng.normal(size=(m, 32)).astype(np.float32),
        "y_val": rng.integers(0, classes, m),
    }


def radius_of(data: dict[str, np.ndarray]) -> float:
    """Half of the points are nearer than it to the first validation point."""
    apart = data["X"].astype(np.float64) - data["X_val"][0].astype(np.float64)
    return float(np.sqrt(np.median((apart**2).sum(axis=1))))


def ours(data: dict[str, np.ndarray], variant: str, threads: int) -> tuple[float, float, np.ndarray]:
    options = {"radius": radius_of(data)} if variant == "threshold" else {}

    def call() -> np.ndarray:
        return fastsa.knn_shapley(*data.values(), k=K, variant=variant, n_threads=threads, **options)

    return *median_seconds(call), call()


def median_seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds that passed, and of processor time."""
    call()
    seconds, processor = [], []
    for _ in range(REPEATS):
        start, used = time.perf_counter(), time.process_time()
        call()
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return statistics.median(seconds), statistics.median(processor)


def theirs(
    peer: str, python: str, data: dict[str, np.ndarray], variant: str, threads: int
) -> tuple[float, float, np.ndarray]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    environment.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder, "given.npz"), Path(folder, "answer.npz")
        np.savez(given, variant=variant, k=K, radius=radius_of(data), threads=threads, **data)
        script = HERE / f"knn_{peer}.py"
        run = subprocess.run(
            [python, "-W", "ignore", str(script), str(given), str(answer)],
            env=environment,
            stderr=subprocess.PIPE,  # progress bars and warnings
            text=True,
        )
        if run.returncode:
            raise SystemExit(f"{script.name} failed in {python}:\n{run.stderr}")
        with np.load(answer) as result:
            return float(result["seconds"]), float(result["processor"]), result["values"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    pythons = dict(entry.split("=", 1) for entry in arguments.peer)
    print(f"k = {K}, 32 features, float32, {arguments.threads} threads on both sides; ns per (train, validation) pair")
    print("| peer | variant | train x validation | peer ns | fastsa ns | ratio | of processor time | largest | apart |")
    print("|---|---|---|---|---|---|---|---|---|")
    for peer, variant, n, m, classes in RUNS:
        if peer not in pythons:
            continue
        data = arrays(n, m, classes)
        peer_seconds, peer_processor, peer_values = theirs(peer, pythons[peer], data, variant, arguments.threads)
        seconds, processor, values = ours(data, variant, arguments.threads)
        per_pair = 1e9 / (n * m)
        apart = np.abs(values - peer_values).max()
        print(
            f"| {peer} | {variant} | {n:,} x {m} | {peer_seconds * per_pair:,.0f} | {seconds * per_pair:,.1f} "
            f"| {peer_seconds / seconds:,.0f} | {peer_processor / processor:,.0f} "
            f"| {np.abs(values).max():.2e} | {apart:.1e} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
