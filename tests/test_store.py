"""The label store: what a run leaves on disk when it is killed, shared, extended or damaged."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from fastsa import LabelStore, LabelStream
from fastsa.estimators import Distributional, PermutationShapley
from fastsa.games import DataGame, FunctionGame
from fastsa.labels import DamagedChunk
from fastsa.utilities import KNN


@pytest.fixture(scope="module")
def game():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(140, 3))
    y = (X[:, 0] + rng.normal(size=140) > 0).astype(int)
    return DataGame(KNN(3), X[:100], y[:100], X[100:], y[100:])


def make(path, game, **settings):
    return LabelStore.create(
        path,
        game,
        Distributional(min_size=5, max_size=20, shared=4),
        samples_per_chunk=2,
        items_per_chunk=30,
        **settings,
    )


def same(a, b):
    return a.statistics.table().tobytes() == b.statistics.table().tobytes()


def test_stored_labels_are_the_streams(game, tmp_path):
    store = make(tmp_path / "a", game).run(game, samples=10)
    stream = LabelStream(game, store.estimator, samples=10).collect()
    stored = store.labels()
    assert np.array_equal(stored.ids, stream.ids) and np.array_equal(stored.count, stream.count)
    np.testing.assert_allclose(stored.mean, stream.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(stored.stderr, stream.stderr, rtol=0, atol=1e-12)
    assert stored.ranges == stream.ranges and stored.evaluations == stream.evaluations


def test_a_store_is_opened_again_as_it_was(game, tmp_path):
    first = make(tmp_path / "a", game, role="certify", seed=2**64 - 1).run(game, samples=4).labels()
    again = LabelStore(tmp_path / "a")
    assert same(first, again.labels())
    assert (again.role, again.seed, again.estimator) == ("certify", 2**64 - 1, Distributional(5, 20, 4))


def test_two_runs_end_with_the_bytes_of_one(game, tmp_path):
    one = make(tmp_path / "a", game).run(game, samples=8)
    two = make(tmp_path / "b", game).run(game, samples=2)
    LabelStore(tmp_path / "b").run(game, samples=8, n_threads=1)
    assert same(one.labels(), two.labels())


def test_writers_of_different_blocks_share_a_folder(game, tmp_path):
    one = make(tmp_path / "a", game).run(game, samples=4)
    make(tmp_path / "b", game).run(game, samples=4, blocks=[0, 2])
    LabelStore(tmp_path / "b").run(game, samples=4, blocks=range(1, one.n_blocks))
    assert same(one.labels(), LabelStore(tmp_path / "b").labels())


def test_blocks_never_part_items_of_one_draw(game, tmp_path):
    store = make(tmp_path / "a", game)
    blocks = [set((store.ids_of(b) // 4).tolist()) for b in range(store.n_blocks)]
    assert store.n_blocks > 2
    assert all(not a & b for i, a in enumerate(blocks) for b in blocks[:i])


def test_an_estimator_that_shares_its_draws_has_one_block(game, tmp_path):
    store = LabelStore.create(tmp_path / "a", game, PermutationShapley(), items_per_chunk=10)
    assert store.n_blocks == 1
    assert store.run(game, samples=3).labels().count.tolist() == [3] * 100


def test_samples_are_readable_while_others_are_missing(game, tmp_path):
    store = make(tmp_path / "a", game).run(game, samples=4)
    store.run(game, first_sample=4, samples=2, blocks=[0])
    assert store.labels().ranges[0].stop == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fifty_kills_lose_nothing(game, tmp_path):
    """A child writes, is killed at a random moment, and the next goes on; the end has the bytes of an unbroken run."""
    samples = 60
    unbroken = make(tmp_path / "whole", game).run(game, samples=samples).labels()
    store = make(tmp_path / "killed", game)
    rng = np.random.default_rng(0)
    # A busy machine lets no child get anywhere in so few seconds: they live longer until one does.
    grown, longest = [0], 0.03
    for _ in range(50):
        child = os.fork()
        if child == 0:
            try:
                LabelStore(tmp_path / "killed").run(game, samples=samples, n_threads=1)
            finally:
                os._exit(0)
        time.sleep(rng.uniform(0.0, longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        grown.append(len(store.chunks()))
        longest = 0.03 if grown[-1] > grown[-2] else 1.1 * longest
    assert grown == sorted(grown) and grown[-1] > 0
    assert not store.damaged()
    assert same(unbroken, store.run(game, samples=samples).labels())


@pytest.mark.parametrize("damage", ["cut", "edited"])
def test_a_damaged_chunk_is_named_and_made_again(game, tmp_path, damage):
    store = make(tmp_path / "a", game).run(game, samples=4)
    before = store.labels()
    victim = sorted(store.chunks().values(), key=lambda c: c.file)[1]
    content = bytearray((tmp_path / "a" / victim.file).read_bytes())
    if damage == "cut":
        del content[-9:]
    else:
        content[-9] ^= 1
    (tmp_path / "a" / victim.file).write_bytes(content)
    assert [c.file for c in store.damaged()] == [victim.file]
    with pytest.raises(DamagedChunk, match=victim.file):
        store.labels()
    assert same(before, store.run(game, samples=4).labels())


def test_a_chunk_made_again_may_have_other_bytes(tmp_path):
    """As those of a model that rounds otherwise on another machine: whichever journal is read first, the new chunk counts."""
    answer = [1.0]
    game = FunctionGame(lambda c: answer[0] * c.sum(axis=1), 5)
    store = LabelStore.create(tmp_path / "a", game, PermutationShapley()).run(game, samples=2)
    for _ in range(8):
        answer[0] += 1.0
        victim = tmp_path / "a" / store.chunks()[0, 1].file
        victim.write_bytes(victim.read_bytes()[:-9])
        LabelStore(tmp_path / "a").run(game, samples=2)
        assert not store.damaged() and len(store.chunks()) == 2
        assert store.labels().mean[0, 0] == (1.0 + answer[0]) / 2
    assert len(list((tmp_path / "a").glob("block*.npy"))) == 2


def test_a_torn_last_line_of_a_journal_is_a_chunk_in_flight(game, tmp_path):
    store = make(tmp_path / "a", game).run(game, samples=4)
    n = len(store.chunks())
    (journal,) = (tmp_path / "a").glob("journal-*.jsonl")
    journal.write_bytes(journal.read_bytes()[:-20])
    assert len(store.chunks()) == n - 1
    assert len(LabelStore(tmp_path / "a").run(game, samples=4).chunks()) == n


def test_refusals(game, tmp_path):
    store = make(tmp_path / "a", game)
    with pytest.raises(ValueError, match="no sample of all its items"):
        store.labels()
    with pytest.raises(ValueError, match="is not empty"):
        make(tmp_path / "a", game)
    with pytest.raises(ValueError, match="holds no label store"):
        LabelStore(tmp_path / "nothing")
    with pytest.raises(ValueError, match="do not fit the store's chunks of 2"):
        store.run(game, samples=3)
    with pytest.raises(ValueError, match="another game"):
        store.run(FunctionGame(lambda c: c.sum(axis=1) * 1.0, 100), samples=2)
    with pytest.raises(ValueError, match="blocks is 99"):
        store.run(game, samples=2, blocks=[99])
