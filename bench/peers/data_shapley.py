r"""Permutation Data Shapley with a logistic utility beside its peers, on the same coalitions: seconds per contribution.

    python bench/peers/data_shapley.py --peer pydvl=VENV/bin/python --peer opendataval=VENV/bin/python

Each peer runs in its own environment (see the first lines of bench/peers/data_shapley_<peer>.py), in a process of its own,
on the prefixes of one random permutation, evenly spaced in size; only its utility is timed, on one thread. fastsa walks
all prefixes of the same permutation and makes labels of them, on one thread, in turn with it. The last columns tell
whether both score the same: the share of equal accuracies, and the largest difference.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import fastsa

HERE = Path(__file__).parent
REPEATS = 3
BAR = 80
N_VAL = 100
# training points, features
RUNS = ((1_000, 14), (1_000, 50), (3_000, 14))
PREFIXES = 100


def arrays(n: int, d: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + N_VAL, d))
    y = (X @ rng.normal(size=d) + rng.normal(size=n + N_VAL) > 0).astype(np.int64)
    return {"X": X[:n], "y": y[:n], "X_val": X[n:], "y_val": y[n:]}


def prefixes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """One permutation, and the sizes of the prefixes that peers refit."""
    order = fastsa.ops.permutations(n, 1, seed=0)[0]
    return order, np.linspace(n / PREFIXES, n, PREFIXES).astype(int)


def ours(game: fastsa.games.DataGame, samples: int = 2) -> float:
    """Seconds per contribution of a label stream; its first sample is the permutation of `prefixes`."""
    stream = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=samples, n_threads=1)
    start = time.perf_counter()
    stream.collect()
    return (time.perf_counter() - start) / (samples * game.n_players)


def theirs(
    peer: str, python: str, data: dict[str, np.ndarray], order: np.ndarray, sizes: np.ndarray
) -> tuple[float, np.ndarray]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, "1")}
    environment.pop("PYTHONPATH", None)
    players = np.concatenate([order[:size] for size in sizes])
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder, "given.npz"), Path(folder, "answer.npz")
        np.savez(given, players=players, ends=np.cumsum(sizes), threads=1, **data)
        script = HERE / f"data_shapley_{peer}.py"
        command = [python, "-W", "ignore", str(script), str(given), str(answer)]
        run = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
        if run.returncode:
            raise SystemExit(f"{script.name} failed in {python}:\n{run.stderr}")
        with np.load(answer) as result:
            return float(result["seconds"]) / sizes.size, result["values"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    pythons = dict(entry.split("=", 1) for entry in parser.parse_args().peer)
    print(f"one thread on both sides; median ratio of {REPEATS} runs in turn; bar {BAR} per marginal contribution")
    print("| peer | points x features | peer us | fastsa us | ratio | equal scores | largest difference |")
    print("|---|---|---|---|---|---|---|")
    for n, d in RUNS:
        data = arrays(n, d)
        game = fastsa.games.DataGame(fastsa.utilities.Logistic(), *data.values())
        order, sizes = prefixes(n)
        walks = fastsa.ops.Walks.of_permutations(order[None, :])
        values = game.walk(walks)[sizes, 0]
        ours(game)
        for peer, python in pythons.items():
            pairs = []
            for _ in range(REPEATS):
                seconds, scores = theirs(peer, python, data, order, sizes)
                pairs.append((seconds, ours(game)))
            peer_seconds, seconds = (statistics.median(side) for side in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            apart = np.abs(scores - values)
            print(
                f"| {peer} | {n:,} x {d} | {1e6 * peer_seconds:,.0f} | {1e6 * seconds:,.1f} | {ratio:,.0f} "
                f"| {np.mean(apart < 1e-6):.0%} | {apart.max():.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
