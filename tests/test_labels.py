"""Labels and streams: the same bytes however they are made, honest statistics, files, merges, and threads that end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import significance
import small_games
import tolerance
from scipy import stats

from fastsa import Labels, LabelStream, exact, games, utilities
from fastsa.estimators import Distributional, Part, PermutationShapley, SampleRange

ROLES = ["train", "select", "certify", "truth"]
CASES = {
    "permutations of a function": (lambda: small_games.table(7), PermutationShapley()),
    "permutations, knn": (lambda: small_games.knn(8), PermutationShapley(min_size=1)),
    "permutations, logistic": (lambda: small_games.logistic(8, n_classes=3), PermutationShapley()),
    "distributional, knn": (lambda: small_games.knn(8, outside=3), Distributional(1, 9)),
    "distributional, logistic": (lambda: small_games.logistic(8, outside=3, n_classes=3), Distributional(0, 12)),
    "shared, logistic": (lambda: small_games.logistic(8, outside=6, n_classes=3), Distributional(2, 12, shared=4)),
}
every_case = pytest.mark.parametrize(("make", "estimator"), CASES.values(), ids=CASES.keys())


def same_bytes(a, b):
    return a.statistics.table().tobytes() == b.statistics.table().tobytes() and (a.ids == b.ids).all()


def labels_of(game, estimator, samples=20, **options):
    return LabelStream(game, estimator, samples=samples, **{"seed": 3, **options}).collect()


@every_case
def test_threads_batches_and_byte_budgets_change_no_byte(make, estimator):
    whole = labels_of(make(), estimator, n_threads=1)
    for options in (
        {"n_threads": 2},
        {"n_threads": 7},
        {"batch": 1},
        {"batch": 13},
        {"batch": 10**6},
        {"max_bytes": 1},
        {"max_bytes": 3000},
        {"batch": 5, "max_bytes": 2000, "n_threads": 2},
    ):
        again = labels_of(make(), estimator, **options)
        assert same_bytes(again, whole), options
        assert again.evaluations == whole.evaluations


@every_case
def test_one_run_of_twenty_is_eight_extended_by_twelve(make, estimator):
    game = make()
    whole = labels_of(game, estimator)
    extended = labels_of(game, estimator, 8).extend(game, 12, batch=3)
    assert same_bytes(extended, whole)
    assert (extended.ranges, extended.evaluations, extended.estimator) == (
        whole.ranges,
        whole.evaluations,
        whole.estimator,
    )


@every_case
def test_an_item_alone_has_the_bytes_it_has_among_others(make, estimator):
    game = make()
    whole = labels_of(game, estimator)
    for item in range(game.ids.size):
        assert same_bytes(labels_of(game, estimator, items=[item]), whole.take([item]))
    order = np.random.default_rng(1).permutation(game.ids.size)
    assert same_bytes(labels_of(game, estimator, items=order), whole.take(order))


@pytest.mark.parametrize("utility", [utilities.KNN(2, "vote"), utilities.Logistic(score="log_loss")])
def test_a_point_outside_depends_on_its_id_not_on_its_place(utility):
    X, y, X_val, y_val = small_games.points(14, 9, 2, seed=4)
    estimator = Distributional(1, 12, shared=3)
    beside = {"X_items": X[8:], "y_items": y[8:], "ids": np.array([90, 7, 91, 2**48 - 1, 6, 0])}
    among = labels_of(games.DataGame(utility, X[:8], y[:8], X_val, y_val, **beside), estimator)
    for place, name in enumerate(beside["ids"]):
        alone = games.DataGame(
            utility,
            X[:8],
            y[:8],
            X_val,
            y_val,
            X_items=X[8 + place : 9 + place],
            y_items=y[8 + place : 9 + place],
            ids=[name],
        )
        assert same_bytes(labels_of(alone, estimator), among.take([place]))


@every_case
def test_shards_of_samples_merge_to_one_run(make, estimator):
    game = make()
    whole = labels_of(game, estimator, 21)
    parts = [labels_of(game, estimator, n, first_sample=first) for first, n in ((5, 9), (0, 5), (14, 7))]
    merged = parts[0].merge(parts[1]).merge(parts[2])
    assert (
        (merged.count == whole.count).all()
        and merged.ranges == whole.ranges
        and merged.evaluations == whole.evaluations
    )
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=0, atol=tolerance.REORDERED)
    np.testing.assert_allclose(merged.stderr, whole.stderr, rtol=0, atol=tolerance.REORDERED)
    assert same_bytes(merged.extend(game, 4).take([0]), merged.extend(game, 4, batch=1).take([0]))


@every_case
def test_shards_of_items_merge_to_one_run(make, estimator):
    game = make()
    items = np.arange(game.ids.size)
    merged = labels_of(game, estimator, items=items[:3]).merge(labels_of(game, estimator, items=items[3:]))
    assert same_bytes(merged, labels_of(game, estimator))


def test_labels_of_the_same_items_merge_by_id_in_any_order():
    game = small_games.knn(6)
    first, second = labels_of(game, Distributional(1, 4), 6), labels_of(game, Distributional(1, 4), 6, first_sample=6)
    turned = second.take([3, 1, 5, 0, 2, 4])
    assert same_bytes(first.merge(turned), first.merge(second))
    assert same_bytes(turned.merge(first).take([3, 1, 4, 0, 5, 2]), second.merge(first))


def test_what_does_not_belong_together_is_not_merged():
    game, est = small_games.knn(6), Distributional(1, 4)
    labels = labels_of(game, est, 10)
    cases = [
        (labels_of(game, est, 5, first_sample=9), "counting|count some twice"),
        (labels, "count some twice"),
        (labels_of(small_games.knn(6, seed=9), est), "another game"),
        (labels_of(small_games.knn(6, kind="vote"), est), "another game"),
        (labels_of(game, Distributional(1, 5), first_sample=10), "different estimands"),
        (labels_of(game, PermutationShapley(), first_sample=10), "different estimands"),
        (labels_of(game, est, first_sample=10, items=[0, 1]), "some items but not all"),
    ]
    for other, words in cases:
        with pytest.raises(ValueError, match=words):
            labels.merge(other)
    part = labels_of(game, est, 10, items=[0, 1])
    with pytest.raises(ValueError, match="different samples"):
        part.merge(labels_of(game, est, 12, items=[2, 3]))
    mixed = labels.merge(labels_of(game, est, 5, role="truth"))
    assert mixed.roles == {"train", "truth"} and (mixed.count == 15).all()
    with pytest.raises(ValueError, match="2 sample ranges"):
        mixed.extend(game, 5)
    with pytest.raises(ValueError, match="another game"):
        labels.extend(small_games.knn(6, seed=9), 5)


def test_games_of_the_same_data_under_other_ids_are_other_games():
    X, y, X_val, y_val = small_games.points(6, 5, 2, seed=5)
    one, two = (
        games.DataGame(utilities.KNN(1), X, y, X_val, y_val, ids=ids) for ids in (np.arange(6), np.arange(6)[::-1])
    )
    with pytest.raises(ValueError, match="another game"):
        labels_of(one, Distributional(1, 3)).merge(labels_of(two, Distributional(1, 3), first_sample=20))


def test_seeds_are_lanes_of_their_own_and_merge():
    game = small_games.table(5)
    both = labels_of(game, PermutationShapley(), 10).merge(labels_of(game, PermutationShapley(), 10, seed=4))
    assert len(both.ranges) == 2 and (both.count == 20).all()


@pytest.mark.parametrize("estimator", [PermutationShapley(), Distributional(1, 5)])
def test_roles_are_uncorrelated(estimator):
    """Correlation of single contributions between every pair of roles; false alarm 1e-6 each, finds 0.06 for sure."""
    game = small_games.table(6, outputs=1)
    runs = {}
    for role in ROLES:
        draw = estimator.draw(game, Part(np.arange(6), SampleRange(3, role, 0, 20_000)), n_threads=2)
        values = game.walk(draw.walks)
        runs[role] = (values[draw.after] - values[draw.before])[draw.items == 0, 0]
        stream = labels_of(game, estimator, 20_000, role=role).mean[0, 0]
        assert abs(runs[role].mean() - stream) < tolerance.REORDERED
    for i, one in enumerate(ROLES):
        for other in ROLES[i + 1 :]:
            assert not np.array_equal(runs[one], runs[other])
            assert not significance.contradicts_independence(runs[one], runs[other])


def contributions(game, estimator, samples):
    """Single contributions [samples, items, outputs], a stream for each."""
    return np.array([labels_of(game, estimator, 1, first_sample=s).mean for s in range(samples)])


@pytest.mark.parametrize("estimator", [PermutationShapley(), Distributional(1, 4)])
def test_statistics_are_those_of_the_contributions(estimator):
    game = small_games.table(5)
    single = contributions(game, estimator, 12)
    labels = labels_of(game, estimator, 12)
    for found, expected in (
        (labels.mean, single.mean(axis=0)),
        (labels.variance, single.var(axis=0, ddof=1)),
        (labels.stderr, single.std(axis=0, ddof=1) / np.sqrt(12)),
        (labels.variance, labels.count[:, None] * labels.stderr**2),
    ):
        np.testing.assert_allclose(found, expected, rtol=tolerance.REORDERED, atol=tolerance.REORDERED)


def test_one_contribution_has_no_variance_and_none_has_no_mean():
    one = labels_of(small_games.table(5), PermutationShapley(), 1)
    assert np.isfinite(one.mean).all() and np.isnan(one.variance).all() and np.isnan(one.stderr).all()
    some = labels_of(small_games.table(5), PermutationShapley(min_size=4), 1)
    assert sorted(some.count) == [0, 0, 0, 0, 1]
    assert (np.isnan(some.mean[:, 0]) == (some.count == 0)).all()


def test_intervals_cover_the_truth_as_often_as_they_say():
    """95 % t-intervals of 40 samples, 400 seeds x 5 items: coverage 0.95 within 0.03 (six standard errors)."""
    game, estimator = small_games.table(5, outputs=1), Distributional(1, 4)
    truth, reach = exact(game, estimator), stats.t.ppf(0.975, 39)
    covered = []
    for seed in range(400):
        labels = labels_of(game, estimator, 40, seed=seed, n_threads=1)
        covered.append(np.abs(labels.mean - truth) <= reach * labels.stderr)
    assert abs(np.mean(covered) - 0.95) < 0.03


def test_saved_labels_are_the_same_bytes_and_hold_no_pickle(tmp_path):
    game = small_games.logistic(6)
    labels = labels_of(game, Distributional(np.int64(1), np.int64(4)), role="certify", seed=2**64 - 1)
    path = tmp_path / "labels.npz"
    labels.save(path)
    again = Labels.load(path)
    assert same_bytes(labels, again)
    assert (again.ranges, again.estimator, again.evaluations, again.fingerprint) == (
        labels.ranges,
        labels.estimator,
        labels.evaluations,
        labels.fingerprint,
    )
    assert same_bytes(again.extend(game, 5), labels.extend(game, 5))
    again.save(tmp_path / "twice")
    assert (tmp_path / "twice").read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert b"pickle" not in archive.read(name) and b"|O" not in archive.read(name)[:128]


def test_an_interrupted_save_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    labels = labels_of(small_games.knn(6), Distributional(1, 4))
    path = tmp_path / "labels.npz"
    labels.save(path)
    before = path.read_bytes()

    def interrupted(file, **arrays):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        labels.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["labels.npz"]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01.", b"PK\x03\x04 broken"])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="other.npz does not hold labels"):
        Labels.load(path)


def test_arrays_of_another_kind_and_formats_to_come_are_refused(tmp_path):
    import json

    np.save(tmp_path / "one.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for name in ("one.npy", "other.npz"):
        with pytest.raises(ValueError, match="does not hold labels"):
            Labels.load(tmp_path / name)
    labels = labels_of(small_games.knn(6), Distributional(1, 4))
    labels.save(tmp_path / "labels.npz")
    stored = dict(np.load(tmp_path / "labels.npz"))
    about = json.loads(str(stored["about"]))
    np.savez(tmp_path / "later.npz", **{**stored, "about": np.array(json.dumps({**about, "format": 99}))})
    with pytest.raises(ValueError, match="has format 99"):
        Labels.load(tmp_path / "later.npz")
    with pytest.raises(FileNotFoundError):
        Labels.load(tmp_path / "none.npz")


@every_case
def test_batches_hold_running_totals_and_the_last_are_the_labels(make, estimator):
    game = make()
    stream = LabelStream(game, estimator, samples=20, seed=3, batch=17)
    last, added, means = {}, 0, {}
    for batch in stream:
        added += batch.samples
        assert (batch.ids == game.ids[batch.items]).all()
        for item, count, mean, stderr in zip(batch.items, batch.count, batch.mean, batch.stderr, strict=True):
            assert count >= last.get(item, 0)
            last[item], means[item] = count, (mean, stderr)
    labels = labels_of(game, estimator)
    assert added == stream.total == 20 * game.ids.size
    assert [last[i] for i in range(game.ids.size)] == labels.count.tolist()
    for item, (mean, stderr) in means.items():
        assert mean.tobytes() == labels.mean[item].tobytes()
        np.testing.assert_array_equal(stderr, labels.stderr[item])


def test_progress_adds_up_to_the_total():
    seen = []
    stream = LabelStream(small_games.table(6), PermutationShapley(), samples=30, batch=50)
    stream.collect(progress=seen.append)
    assert sum(seen) == stream.total and len(seen) > 3


def fastsa_streams():
    return [t for t in threading.enumerate() if t.name == "fastsa-stream"]


def test_a_consumer_that_stops_early_leaves_no_thread_behind():
    for batch in LabelStream(small_games.table(6), PermutationShapley(), samples=10_000, batch=7):
        assert batch.samples
        break
    assert not fastsa_streams()
    stream = iter(LabelStream(small_games.logistic(8), Distributional(1, 20), samples=3000, batch=20))
    next(stream)
    stream.close()
    assert not fastsa_streams()


def test_an_exception_in_a_users_function_surfaces_and_ends_the_stream():
    def fails(coalitions):
        if coalitions.all(axis=1).any():
            raise ZeroDivisionError("in the user's function")
        return coalitions[:, 0]

    with pytest.raises(ZeroDivisionError, match="in the user's function"):
        LabelStream(games.FunctionGame(fails, 4), PermutationShapley(), samples=5).collect()
    assert not fastsa_streams()


def test_an_exception_of_the_consumer_ends_the_stream():
    def refuses(samples):
        raise LookupError

    try:
        LabelStream(small_games.table(6), PermutationShapley(), samples=500, batch=7).collect(progress=refuses)
    except LookupError as error:
        error.__traceback__ = None
    assert not fastsa_streams()


def test_labels_are_made_while_the_consumer_works():
    """Maker and consumer take 20 ms a batch each; in turn 12 batches take 480 ms, side by side about 260."""

    def slow(coalitions):
        time.sleep(0.02)
        return coalitions[:, 0]

    stream = LabelStream(games.FunctionGame(slow, 4), PermutationShapley(), samples=12, batch=1)
    start = time.perf_counter()
    for _ in stream:
        time.sleep(0.02)
    assert time.perf_counter() - start < 0.42


@every_case
def test_the_cost_foreseen_is_the_cost_paid(make, estimator):
    game = make()
    stream = LabelStream(game, estimator, samples=20, seed=3, batch=10**6)
    cost = stream.cost()
    assert (cost.items, cost.samples) == (game.ids.size, 20)
    assert cost.evaluations == stream.collect().evaluations
    assert 0 < cost.seconds < 10


def test_the_seconds_foreseen_are_about_those_taken():
    """A function that takes 1 ms per batch of evaluations, or 20 s in all: foreseen within a factor of three."""

    def slow(coalitions):
        time.sleep(2e-5 * len(coalitions))
        return coalitions[:, 0]

    stream = LabelStream(games.FunctionGame(slow, 9), PermutationShapley(), samples=100_000, n_threads=1)
    assert 7 < stream.cost().seconds < 60
    assert "1,000,000 evaluations" in str(stream.cost())


FORKED = """
import os, sys, time
import numpy as np
import small_games
from fastsa import LabelStream
from fastsa.estimators import Distributional, Part, PermutationShapley, SampleRange

def make():
    parts = []
    for game in (small_games.knn(8), small_games.logistic(8, n_classes=3)):
        for estimator in (PermutationShapley(), Distributional(1, 9, shared=4)):
            labels = LabelStream(game, estimator, samples=20, n_threads=2).collect()
            parts.append(labels.statistics.table().tobytes())
    return b"".join(parts)

before = make()
child = os.fork()
if child == 0:
    os._exit(0 if make() == before else 3)
deadline = time.monotonic() + 20
while (done := os.waitpid(child, os.WNOHANG))[0] == 0:
    if time.monotonic() > deadline:
        os.kill(child, 9)
        sys.exit("the child hangs")
    time.sleep(0.01)
sys.exit(os.waitstatus_to_exitcode(done[1]) or (0 if make() == before else 4))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_forked_after_use_makes_the_same_bytes():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
    done = subprocess.run([sys.executable, "-c", FORKED], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_pooled_standard_errors_cover_at_two_samples_where_a_labels_own_do_not():
    """2,000 labels of one normal-like contribution: 95 % intervals cover 93.5 to 96.5 %, three binomial standard errors."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 12))
    game = games.ModelGame(lambda x: np.tanh(x.sum(axis=1) / 4), X, games.Marginal(rng.normal(size=(200, 12))))
    labels = labels_of(game, PermutationShapley(), samples=2)
    far = labels_of(game, PermutationShapley(), samples=200, role="truth")
    gap = np.abs(labels.mean - far.mean)
    covered = [np.mean(gap <= 1.96 * np.sqrt(s**2 + far.stderr**2)) for s in (labels.pooled_stderr, labels.stderr)]
    assert 0.935 <= covered[0] <= 0.965 and covered[1] < 0.8
    assert np.isnan(labels_of(game, PermutationShapley(), samples=1).pooled_stderr).all()
    unseen = labels.take(np.arange(5))
    assert unseen.pooled_stderr.shape == unseen.mean.shape
