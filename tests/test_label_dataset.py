"""The torch Dataset over a store: the store's own labels, in any order, from workers, while it is written, never damaged."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from fastsa import LabelStore, LabelStream
from fastsa.estimators import BanzhafMSR, Distributional, KernelSHAP, PermutationShapley
from fastsa.games import Baseline, DataGame, FunctionGame, ModelGame
from fastsa.labels import DamagedChunk, LabelDataset, chunk_files
from fastsa.utilities import KNN

IDS = np.random.default_rng(1).permutation(1000)[:100]


@pytest.fixture(scope="module")
def game():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(140, 3))
    y = (X[:, 0] + rng.normal(size=140) > 0).astype(int)
    return DataGame(KNN(3, score="correct"), X[:100], y[:100], X[100:], y[100:], ids=IDS)


def make(path, game, **settings):
    return LabelStore.create(
        path,
        game,
        Distributional(min_size=5, max_size=20, shared=4),
        samples_per_chunk=2,
        items_per_chunk=30,
        **settings,
    )


def model(X):
    return np.stack([X[:, 0] * X[:, 1], X.sum(axis=1), X[:, 2] ** 2], axis=1)


def model_game():
    return ModelGame(
        model, np.random.default_rng(2).normal(size=(7, 4)), Baseline(np.zeros(4)), ids=np.arange(70, 0, -10)
    )


def assert_rows_are(dataset, labels):
    read = dataset[np.arange(len(dataset))]
    assert read.id.tolist() == labels.ids.tolist() == dataset.ids.tolist()
    for name in ("mean", "stderr", "count"):
        got = getattr(read, name).numpy()
        assert (
            got.tobytes() == np.ascontiguousarray(getattr(labels, name)).tobytes()
            and got.shape == getattr(labels, name).shape
        )


def test_rows_have_the_bytes_of_the_stores_labels(game, tmp_path):
    store = make(tmp_path / "a", game).run(game, samples=10)
    dataset = LabelDataset(tmp_path / "a", dtype="float64")
    assert len(dataset) == 100 and store.n_blocks > 2
    assert_rows_are(dataset, store.labels())
    order = np.random.default_rng(3).permutation(100)
    assert dataset[order].mean.numpy().tobytes() == store.labels().mean[order].tobytes()
    assert dataset[-1].id == dataset.ids[-1] and torch.equal(dataset[-1].mean, dataset[99].mean)
    assert torch.equal(LabelDataset(store)[7].mean, dataset[7].mean.float())


@pytest.mark.parametrize("estimator", [PermutationShapley(), KernelSHAP()], ids=repr)
def test_rows_of_many_games_have_players_and_outputs(tmp_path, estimator):
    game = model_game()
    store = LabelStore.create(tmp_path / "a", game, estimator, samples_per_chunk=4, items_per_chunk=3).run(
        game, samples=12
    )
    dataset = LabelDataset(store, dtype="float64")
    assert dataset[0].mean.shape == (4, 3) and dataset[0].count.shape == (4,) and store.n_blocks > 1
    assert_rows_are(dataset, store.labels())


def test_labels_of_all_players_together_are_rows_too(tmp_path):
    game = FunctionGame(lambda c: np.stack([c @ np.arange(6.0), c[:, 0] * c[:, 1]], axis=1), 6)
    store = LabelStore.create(tmp_path / "a", game, BanzhafMSR(), samples_per_chunk=20).run(game, samples=40)
    dataset = LabelDataset(store, dtype="float64")
    assert_rows_are(dataset, LabelStream(game, BanzhafMSR(), samples=40).collect())
    dataset.store.run(game, samples=80)
    assert dataset.refresh()[0].count == 80


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("start", [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()])
def test_workers_read_every_row_once_with_its_inputs(game, tmp_path, start):
    store = make(tmp_path / "a", game).run(game, samples=4)
    X = np.zeros((1000, 2))
    X[IDS] = np.arange(100)[:, None] + [0.0, 0.5]
    loader = DataLoader(
        LabelDataset(store, X, dtype="float64"),
        batch_size=16,
        shuffle=True,
        num_workers=1 if start == "spawn" else 2,
        multiprocessing_context=start,
        generator=torch.Generator().manual_seed(0),
    )
    batches = list(loader)
    ids = torch.cat([row.id for _, row in batches])
    assert sorted(ids.tolist()) == sorted(IDS.tolist()) and ids.tolist() != store.ids.tolist()
    assert np.array_equal(torch.cat([x for x, _ in batches]).numpy(), X[ids.numpy()])
    place = {int(i): p for p, i in enumerate(store.ids)}
    wanted = store.labels().mean[[place[i] for i in ids.tolist()]]
    assert torch.cat([row.mean for _, row in batches]).numpy().tobytes() == wanted.tobytes()


def test_a_batch_sampler_reads_whole_batches_at_once(game, tmp_path):
    dataset = LabelDataset(make(tmp_path / "a", game).run(game, samples=2))
    sampler = BatchSampler(SequentialSampler(dataset), 40, drop_last=False)
    assert [row.mean.shape for row in DataLoader(dataset, sampler=sampler, batch_size=None)] == [
        (40, 40),
        (40, 40),
        (20, 40),
    ]


def test_refresh_takes_in_new_samples_and_new_items(game, tmp_path):
    store = make(tmp_path / "a", game)
    dataset = LabelDataset(tmp_path / "a", dtype="float64")
    assert len(dataset) == 0 and dataset.ids.size == 0
    store.run(game, samples=2, blocks=[1, 2])
    assert len(dataset) == 0
    assert dataset.refresh().ids.tolist() == [*store.ids_of(1), *store.ids_of(2)]
    assert dataset[0].id == store.ids_of(1)[0] and set(dataset[range(len(dataset))].count.tolist()) == {2}
    store.run(game, samples=6, blocks=[1])
    counts = dataset.refresh()[range(len(dataset))].count
    assert counts.tolist() == [6] * store.ids_of(1).size + [2] * store.ids_of(2).size
    store.run(game, samples=6)
    assert_rows_are(dataset.refresh(), store.labels())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_next_epoch_of_a_loader_sees_what_was_refreshed(game, tmp_path):
    store = make(tmp_path / "a", game).run(game, samples=2)
    dataset = LabelDataset(tmp_path / "a")
    loader = DataLoader(dataset, batch_size=100, num_workers=1)
    assert next(iter(loader)).count.tolist() == [2] * 100
    store.run(game, samples=4)
    dataset.refresh()
    assert next(iter(loader)).count.tolist() == [4] * 100


def edited(content):
    content[-9] ^= 1


def cut(content):
    del content[-9:]


def emptied(content):
    content.clear()


@pytest.mark.parametrize("damage", [edited, cut, emptied])
def test_a_damaged_chunk_is_named_before_its_values_are_used(game, tmp_path, damage):
    store = make(tmp_path / "a", game).run(game, samples=4)
    victim = store.chunks()[1, 2]
    content = bytearray((tmp_path / "a" / victim.file).read_bytes())
    damage(content)
    (tmp_path / "a" / victim.file).write_bytes(content)
    dataset = LabelDataset(tmp_path / "a")  # opening reads no values
    assert dataset[0].count == 4  # of a chunk that is whole
    with pytest.raises(DamagedChunk, match=victim.file):
        dataset[np.arange(100)]
    with pytest.raises(DamagedChunk, match=victim.file):
        dataset.verify()
    with pytest.raises(DamagedChunk, match=victim.file):
        list(DataLoader(dataset, batch_size=50))
    LabelStore(tmp_path / "a").run(game, samples=4)
    assert_rows_are(LabelDataset(tmp_path / "a", dtype="float64"), store.labels())


def test_a_chunk_edited_after_it_was_checked_is_checked_again_by_workers(game, tmp_path):
    store = make(tmp_path / "a", game).run(game, samples=2)
    dataset = LabelDataset(tmp_path / "a").verify()
    victim = store.chunks()[0, 0]
    content = bytearray((tmp_path / "a" / victim.file).read_bytes())
    edited(content)
    (tmp_path / "a" / victim.file).write_bytes(content)
    with pytest.raises(DamagedChunk, match=victim.file):
        dataset[0]
    with pytest.raises(DamagedChunk, match=victim.file):
        pickle.loads(pickle.dumps(LabelDataset(tmp_path / "a")))[0]


def test_a_chunk_is_hashed_once_and_never_by_workers_that_know_it_is_whole(game, tmp_path, monkeypatch):
    make(tmp_path / "a", game).run(game, samples=4)
    hashed = []
    real = chunk_files.hashlib.sha256
    monkeypatch.setattr(chunk_files.hashlib, "sha256", lambda content: hashed.append(1) or real(content))
    dataset = LabelDataset(tmp_path / "a")
    assert not hashed
    dataset.verify()
    n_chunks = len(hashed)
    assert n_chunks == 2 * dataset.store.n_blocks
    dataset[np.arange(100)]
    pickle.loads(pickle.dumps(dataset))[np.arange(100)]
    assert len(hashed) == n_chunks


def test_more_chunks_than_maps_are_read_all_the_same(game, tmp_path, monkeypatch):
    store = make(tmp_path / "a", game).run(game, samples=12)
    monkeypatch.setattr(chunk_files, "_MOST_MAPS", 3)
    dataset = LabelDataset(tmp_path / "a", dtype="float64")
    assert_rows_are(dataset, store.labels())
    assert len(dataset.store.files._maps) == 3


def test_what_is_pickled_does_not_grow_with_the_labels(tmp_path):
    def size(n):
        game = FunctionGame(lambda c: c.sum(axis=1) * 1.0, n)
        store = LabelStore.create(tmp_path / str(n), game, PermutationShapley()).run(game, samples=1)
        return len(pickle.dumps(LabelDataset(store)))

    assert abs(size(1000) - size(10)) < 30


def test_refusals(game, tmp_path):
    store = make(tmp_path / "a", game).run(game, samples=2)
    with pytest.raises(TypeError, match="store is a list; expected a fastsa.LabelStore"):
        LabelDataset([])
    with pytest.raises(ValueError, match="holds no label store"):
        LabelDataset(tmp_path / "nothing")
    with pytest.raises(ValueError, match="dtype is 'float16'"):
        LabelDataset(store, dtype="float16")
    with pytest.raises(IndexError, match="reach from 100 to 100; the dataset has 100"):
        LabelDataset(store)[100]
    with pytest.raises(IndexError, match="reach from -101"):
        LabelDataset(store)[-101]
    with pytest.raises(TypeError, match="rows are float64"):
        LabelDataset(store)[[0.5]]
    with pytest.raises(AttributeError, match="'fastsa.labels' has no attribute 'Dataset'"):
        from fastsa import labels

        labels.Dataset


def test_without_torch_the_sentence_says_how_to_get_it():
    code = (
        "import sys; sys.modules['torch'] = None\nimport fastsa.labels\n"
        "try:\n    fastsa.labels.LabelDataset\nexcept RuntimeError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == "LabelDataset needs torch: pip install 'fastsa[torch]'.\n"
