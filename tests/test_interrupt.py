"""Ctrl-C ends long work within a second, and ten thousand players fit into the memory that is promised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

SETUP = """
import signal
import sys
import numpy as np
import fastsa
from fastsa import estimators, games, utilities

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start its background jobs deaf to it

def data(n, n_val, d, n_classes):
    rng = np.random.default_rng(0)
    y, y_val = rng.integers(0, n_classes, n), rng.integers(0, n_classes, n_val)
    centers = rng.normal(size=(n_classes, d))
    return centers[y] + rng.normal(size=(n, d)), y, centers[y_val] + rng.normal(size=(n_val, d)), y_val
"""

LONG = {
    "logistic permutations": "games.DataGame(utilities.Logistic(), *data(2000, 200, 20, 3)), estimators.PermutationShapley()",
    "logistic draws": "games.DataGame(utilities.Logistic(), *data(2000, 200, 40, 5)), estimators.Distributional(100, 1900, shared=8)",
    "knn permutations": "games.DataGame(utilities.KNN(5), *data(4000, 1000, 4, 3)), estimators.PermutationShapley()",
    "a function": "games.FunctionGame(lambda c: c @ np.arange(500.0), 500), estimators.PermutationShapley()",
}
STREAM = (
    SETUP
    + """
game, estimator = {job}
stream = fastsa.LabelStream(game, estimator, samples=10**6, n_threads=2, batch={batch})
print("ready", flush=True)
{use}
print("finished")
"""
)
USES = {"collected": "stream.collect()", "iterated": "for batch in stream: pass"}


def interrupted(script) -> tuple[int, str, float]:
    """Exit code, error text and the seconds from SIGINT to the end of a process that printed 'ready'."""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline().strip() == "ready", process.stderr.read()
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        start = time.perf_counter()
        _, error = process.communicate(timeout=30)
        return process.returncode, error, time.perf_counter() - start
    finally:
        process.kill()


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize(
    ("job", "use"),
    [
        ("logistic permutations", "collected"),
        ("logistic draws", "iterated"),
        ("knn permutations", "collected"),
        ("a function", "collected"),
    ],
)
def test_ctrl_c_ends_a_stream_with_keyboard_interrupt(job, use):
    """About a second is promised; three allow for a busy machine. A call of a user's function is never broken off."""
    code, error, seconds = interrupted(
        STREAM.format(job=LONG[job], use=USES[use], batch=10**4 if job == "a function" else 10**7)
    )
    assert code == -signal.SIGINT and error.strip().endswith("KeyboardInterrupt"), error
    assert seconds < 3


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_ends_a_plain_operation():
    script = (
        SETUP
        + """
from fastsa import ops
out = np.empty((2000, 50_000), dtype=np.int32)
print("ready", flush=True)
while True:
    ops.permutations(50_000, 2000, seed=0, out=out, n_threads=2)
"""
    )
    code, error, seconds = interrupted(script)
    assert code == -signal.SIGINT and error.strip().endswith("KeyboardInterrupt"), error
    assert seconds < 3


WALK = (
    SETUP
    + """
import resource
X, y, X_val, y_val = data(10_000, 1000, {d}, 2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
game = games.DataGame(utilities.{utility}, X, y, X_val, y_val)
labels = fastsa.LabelStream(game, estimators.PermutationShapley(), samples={samples}, n_threads=2).collect()
assert (labels.count == {samples}).all() and np.isfinite(labels.mean).all()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((peak - before) / 1024)
"""
)


def megabytes_above_inputs(**job) -> float:
    done = subprocess.run([sys.executable, "-c", WALK.format(**job)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_walking_ten_thousand_players_of_knn_takes_less_than_300_megabytes():
    assert megabytes_above_inputs(utility="KNN(5)", d=16, samples=6) < 300


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_walking_ten_thousand_players_of_logistic_takes_less_than_300_megabytes():
    assert megabytes_above_inputs(utility="Logistic()", d=4, samples=2) < 300
