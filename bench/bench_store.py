"""The label store: what writing adds to a label run, and how long a large store takes to open and to read from.

    pytest bench/bench_store.py

The large store takes 1.6 GB under the temporary folder while it is there (set TMPDIR to choose where); with
--benchmark-disable a thousandth of it, and 2,000 points instead of 50,000.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

from fastsa import LabelStore, LabelStream
from fastsa.estimators import Distributional
from fastsa.games import DataGame
from fastsa.labels import LabelDataset
from fastsa.utilities import Logistic


@pytest.fixture
def small(request):
    return bool(request.config.getoption("benchmark_disable"))


def a_game(n_points):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_points + 100, 14))
    y = (X @ rng.normal(size=14) + rng.normal(size=n_points + 100) > 0).astype(int)
    return DataGame(Logistic(), X[:n_points], y[:n_points], X[n_points:], y[n_points:])


def test_writing_costs_a_share_of_a_label_run(compare, tmp_path, small, monkeypatch):
    """As DataValuator makes labels: Distributional, sizes 100 to 999, one coalition for 32 points; 2 samples, 2 chunks.

    Writing is all that a run into a store does beside its streams, as a share of the seconds within them: one run, one clock.
    What a store might cost its streams that does not see: beside it is the processor time of a stored run over that of a
    plain stream, either first in turn.
    """
    n_points, samples = (2000 if small else 50_000), 2
    game = a_game(n_points)
    estimator = Distributional(min_size=100, max_size=999, shared=32)
    streams, collect = [], LabelStream.collect

    def timed(stream):
        labels = []
        streams.append(seconds(lambda: labels.append(collect(stream))))
        return labels[0]

    monkeypatch.setattr(LabelStream, "collect", timed)
    runs = []
    for turn in range(compare.rounds):
        store = LabelStore.create(tmp_path / str(turn), game, estimator)
        plain = LabelStream(game, estimator, samples=samples, n_threads=1)
        sides = {"plain": lambda: collect(plain), "stored": lambda: store.run(game, samples=samples, n_threads=1)}
        took, spent = {}, {}
        streams.clear()
        for side in sorted(sides, reverse=turn % 2 == 1):
            began = time.process_time()
            took[side] = seconds(sides[side])
            spent[side] = time.process_time() - began
        assert len(streams) == samples
        ratios = took["stored"] / sum(streams), spent["stored"] / spent["plain"]
        runs.append([100.0 * (ratio - 1.0) for ratio in ratios])
    writing, apart = (statistics.median(column) for column in zip(*runs, strict=True))
    of = f"of a label run of {n_points:,} points"
    compare.record(f"store: writing costs, {of}", writing, bar=0 if small else 5, unit="%")
    compare.record("store: processor time of a stored run above a stream's in turn", apart, bar=0, unit="%")


class ManyItems:
    """What a store asks of a game of so many items and outputs; it is never played."""

    draws_background = knows_empty = False
    fingerprint = "many"

    def __init__(self, n_items, n_outputs):
        self.n_players, self.n_outputs = n_items, n_outputs
        self.item_players = np.arange(n_items, dtype=np.int32)
        self.ids = np.arange(n_items, dtype=np.uint64)

    def walk(self, *args, **settings):
        raise NotImplementedError


def fill(store):
    """Chunks of any numbers: count, means, sums of squared deviations."""
    rng = np.random.default_rng(0)
    table = np.empty((0, 0))
    for block in range(store.n_blocks):
        shape = store.ids_of(block).size, 1 + 2 * store.n_outputs
        if table.shape != shape:
            table = rng.random(shape)
            table[:, 0] = 1.0
        store._write_chunk(block, 0, table, 0)


def test_opening(compare, tmp_path, small):
    """A million points and a hundred outputs: 100 million label values, and as many sums of squares."""
    n_items, n_outputs = (1000 if small else 1_000_000), 100
    store = LabelStore.create(tmp_path / "large", ManyItems(n_items, n_outputs), Distributional(shared=32))
    fill(store)
    values = f"{n_items * n_outputs / 1e6:,.4g} million label values"
    opened = []
    open_seconds = statistics.median(seconds(lambda: opened.append(LabelDataset(tmp_path / "large"))) for _ in range(3))
    assert len(opened[-1]) == n_items
    compare.record(f"store: {values} open", 1e3 * open_seconds, bar=0 if small else 1000, unit="ms")
    dataset, checked = opened[:2]
    compare.record("store: the first row, its chunk hashed", seconds(lambda: dataset[n_items // 2]), bar=0, unit="s")
    compare.record("store: every chunk hashed (verify)", seconds(checked.verify), bar=0, unit="s")
    rows = np.random.default_rng(1).integers(0, n_items, size=(50, 64))
    reading = seconds(lambda: [checked[batch] for batch in rows])
    compare.record("store: rows of random batches of 64, once checked", rows.size / reading / 1e3, bar=0, unit="k/s")


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
