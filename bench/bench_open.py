"""Open utilities beside refitting and scoring scikit-learn, and beside the same written in C++; one thread each."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB as NaiveBayes
from sklearn.neighbors import NearestCentroid as Centroids
from threadpoolctl import threadpool_limits

from fastsa import ops
from fastsa.games import DataGame
from fastsa.ops import Walks
from fastsa.utilities import GaussianNB, LinearDiscriminant, NearestCentroid, Ridge
from fastsa.utilities import open as open_module

N = 1000
BODIES = ("reset", "add", "score")


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N + 100, 14))
    y = (X @ rng.normal(size=14) + rng.normal(size=N + 100) > 0).astype(int)
    return X[:N], y[:N], X[N:], y[N:]


def refit(make, data, coalitions):
    X, y, X_val, y_val = data
    with threadpool_limits(1):
        return [make().fit(X[members], y[members]).score(X_val, y_val) for members in coalitions]


@pytest.mark.parametrize(
    ("utility", "theirs"),
    [
        (NearestCentroid(), Centroids),
        (GaussianNB(), NaiveBayes),
        (Ridge(), RidgeClassifier),
        (LinearDiscriminant(), lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage=1e-3)),
    ],
    ids=lambda u: type(u).__name__,
)
def test_walk(benchmark, compare, binary, utility, theirs):
    """Every prefix of permutations of 1,000 points against refits of prefixes of all sizes."""
    game = DataGame(utility, *binary)
    walks = Walks.of_permutations(ops.permutations(N, 4, seed=0))
    sizes = range(25, N + 1, 25)
    prefixes = [walks.players[:size] for size in sizes]

    def ours():
        return game.walk(walks, n_threads=1)

    expected = refit(theirs, binary, prefixes)
    np.testing.assert_allclose(ours()[list(sizes), 0], expected, atol=1e-12)
    compare(
        f"{type(utility).__name__} walk, n=1,000, 14 features / refits",
        ours,
        lambda: refit(theirs, binary, prefixes),
        bar=200,
        our_work=4 * N,
        their_work=len(prefixes),
        of="step",
    )
    benchmark(ours)


@pytest.mark.parametrize("flags", [(), ("-march=native",)], ids=lambda f: " ".join(("-O3", *f)))
def test_numba_against_cpp(benchmark, compare, binary, flags, tmp_path, monkeypatch):
    """The same loops behind the same function pointers; the bar is a cost of at most 1.3 times C++."""

    class InCpp(NearestCentroid):
        pass

    monkeypatch.setitem(open_module._compiled, InCpp, compiled_cpp(tmp_path, flags))
    walks = Walks.of_permutations(ops.permutations(N, 2, seed=0))
    games = [DataGame(utility, *binary) for utility in (NearestCentroid(), InCpp())]
    numba, cpp = (lambda game=game: game.walk(walks, n_threads=1) for game in games)
    assert numba().tobytes() == cpp().tobytes()
    ratios = [processor_seconds(cpp) / processor_seconds(numba) for _ in range(10 * compare.rounds)]
    compare.record(
        f"nearest centroid, C++ with {' '.join(('-O3', *flags))} / Numba", np.median(ratios), bar=1 / 1.3, unit="x"
    )
    benchmark(numba)


def processor_seconds(run):
    """What others do on the machine meanwhile does not count, as it would where the bar is this near."""
    start = time.process_time()
    run()
    return time.process_time() - start


def compiled_cpp(folder, flags):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    source, library = Path(__file__).with_name("nearest_centroid.cpp"), folder / "nearest_centroid.so"
    command = [compiler, "-O3", "-ffp-contract=off", "-shared", "-fPIC", *flags, str(source), "-o", str(library)]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(library))
    addresses = [ctypes.cast(getattr(loaded, name), ctypes.c_void_p).value for name in BODIES]
    return tuple(SimpleNamespace(address=address, library=loaded) for address in addresses)
