"""KNN-Shapley at sizes that enumeration cannot reach: order, threads, memory, efficiency, truncation, given lists."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import fastsa
from fastsa import _core
from fastsa.ops import knn_shapley as closed_forms

ROUNDING = 1e-13


def problem(n, m, d=4, classes=3, seed=0, dtype=np.float32, decimals=None):
    rng = np.random.default_rng(seed)
    X, X_val = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    if decimals is not None:
        X, X_val = X.round(decimals), X_val.round(decimals)
    return X.astype(dtype), rng.integers(0, classes, n), X_val.astype(dtype), rng.integers(0, classes, m)


def squared_distances(X, point):
    """Summed over features in their order, in float64."""
    total = np.zeros(len(X))
    for j in range(X.shape[1]):
        total += (X[:, j].astype(np.float64) - np.float64(point[j])) ** 2
    return total


def by_recursion(X, y, X_val, y_val, k):
    """Theorem 1 of Jia et al. (2019), one validation point at a time, ranked by (distance, index)."""
    values = np.zeros((len(y_val), len(y)))
    steps = 1.0 / np.maximum(np.arange(1, len(y) + 1), k)
    for v in range(len(y_val)):
        order = np.argsort(squared_distances(X, X_val[v]), kind="stable")
        match = (y[order] == y_val[v]).astype(float)
        falls = steps * (match - np.append(match[1:], 0.0))
        values[v, order] = np.cumsum(falls[::-1])[::-1]
    return values


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 1000, 32768, 32769, 70000])
def test_hard_values_equal_the_recursion_whatever_the_size_and_the_number_of_ties(n, decimals):
    X, y, X_val, y_val = problem(n, 5, decimals=decimals)
    y[: min(n, 3)] = np.arange(3)[: min(n, 3)]
    y_val %= len(np.unique(y))
    found = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, k=5, reduce=False)))
    np.testing.assert_allclose(found, by_recursion(X, y, X_val, y_val, 5), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("far", [1e3, 1e9, 1e30])
def test_hard_values_stay_right_beside_points_that_are_far_away(far):
    X, y, X_val, y_val = problem(5000, 3)
    X[::97] *= np.float32(far / 10)
    found = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, reduce=False)))
    np.testing.assert_allclose(found, by_recursion(X, y, X_val, y_val, 5), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("n", [3000, 40000])
@pytest.mark.parametrize("shape", ["tight clusters", "heavy tails", "skewed", "one far point", "few distances"])
def test_hard_values_are_right_however_the_distances_are_distributed(shape, n):
    """Keys are spread by a bell-shaped density or cell by cell; some of these fit neither, and crowd their buckets."""
    X, y, X_val, y_val = problem(n, 3, seed=6)
    if shape == "tight clusters":
        X = (X * 1e-3 + np.random.default_rng(7).integers(0, 3, X.shape)).astype(np.float32)
    elif shape == "heavy tails":
        X = np.random.default_rng(7).standard_cauchy(X.shape).astype(np.float32)
    elif shape == "skewed":
        X = np.exp(3 * X)
    elif shape == "one far point":
        X[n // 2] = 1e12
    else:
        X, X_val = (X > 0).astype(np.float32), (X_val > 0).astype(np.float32)
    found = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, reduce=False)))
    np.testing.assert_allclose(found, by_recursion(X, y, X_val, y_val, 5), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("n", [50, 2000, 40000])
def test_points_that_are_all_alike_rank_by_their_index(n):
    rng = np.random.default_rng(3)
    X, y = np.full((n, 3), 0.1), rng.integers(0, 2, n)
    found = fastsa.knn_shapley(X, y, X[:1], y[:1], k=3)
    np.testing.assert_allclose(found, by_recursion(X, y, X[:1], y[:1], 3)[0], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("options", [{}, {"variant": "soft"}, {"variant": "weighted"}, {"epsilon": 0.01}])
def test_a_shift_of_all_data_by_a_million_changes_no_byte(options):
    X, y, X_val, y_val = problem(3000, 20, dtype=np.float64)
    X, X_val = (np.round(x * 1024) / 1024 for x in (X, X_val))  # so that the shifted coordinates are exact
    here = fastsa.knn_shapley(X, y, X_val, y_val, **options)
    there = fastsa.knn_shapley(X + 1e6, y, X_val + 1e6, y_val, **options)
    assert here.tobytes() == there.tobytes()


@pytest.mark.parametrize("scale", [2.0**-20, 2.0**20])
def test_the_scale_of_the_data_changes_no_byte(scale):
    X, y, X_val, y_val = problem(3000, 20)
    here = fastsa.knn_shapley(X, y, X_val, y_val)
    assert fastsa.knn_shapley(X * np.float32(scale), y, X_val * np.float32(scale), y_val).tobytes() == here.tobytes()


def all_options():
    return [
        {},
        {"variant": "soft"},
        {"variant": "regression"},
        {"variant": "weighted"},
        {"variant": "threshold", "radius": 1.5},
        {"index": "banzhaf"},
        {"metric": "cosine"},
        {"metric": "inner"},
        {"epsilon": 0.02},
    ]


@pytest.mark.parametrize("options", all_options(), ids=str)
@pytest.mark.parametrize("n", [900, 34000])
def test_threads_and_memory_change_no_byte(n, options):
    if options.get("variant") == "weighted" and n > 900:
        n = 3000
    X, y, X_val, y_val = problem(n, 41, decimals=1)
    one = fastsa.knn_shapley(X, y, X_val, y_val, n_threads=1, **options)
    for threads, max_bytes in ((2, None), (7, None), (2, 1)):
        again = fastsa.knn_shapley(X, y, X_val, y_val, n_threads=threads, max_bytes=max_bytes, **options)
        assert again.tobytes() == one.tobytes()


def test_both_builds_give_the_same_bytes():
    X, y, X_val, y_val = problem(40000, 8, d=7, decimals=1)
    y, y_val = y.astype(np.int32), y_val.astype(np.int32)
    native = _core.NeighborProblem(X, X_val, None, None, 0, y, y_val, False)
    cut = _core.NeighborCut(8, 64, 512)
    terms = closed_forms.match_steps("hard", "shapley", len(y), 5, 3).native()
    answers = []
    for portable in (False, True):
        out = np.zeros((8, len(y)))
        scratch = np.empty(_core.neighbor_workspace(native, cut) + 64, np.int8)
        aligned = scratch[-scratch.ctypes.data % 64 :]
        _core.match_values(native, cut, terms, out, 0, 1, 0, 8, aligned, np.zeros(1, np.int32), portable)
        answers.append(out.tobytes())
    assert answers[0] == answers[1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, bool])
def test_the_precision_of_the_features_is_only_a_way_to_store_them(dtype):
    X, y, X_val, y_val = problem(800, 9, decimals=0)
    X, X_val = X.astype(dtype), X_val.astype(dtype)
    wide = fastsa.knn_shapley(X.astype(np.float64), y, X_val.astype(np.float64), y_val)
    assert fastsa.knn_shapley(X, y, X_val, y_val).tobytes() == wide.tobytes()
    assert fastsa.knn_shapley(np.asfortranarray(X), y, X_val.tolist(), y_val).tobytes() == wide.tobytes()


def test_half_precision_is_read_exactly():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    X = every[np.isfinite(every)].reshape(-1, 1)
    y = np.arange(len(X)) % 2
    narrow = fastsa.knn_shapley(X, y, X[:2], y[:2])
    assert narrow.tobytes() == fastsa.knn_shapley(X.astype(np.float64), y, X[:2].astype(np.float64), y[:2]).tobytes()


def test_a_memory_mapped_array_is_valued_where_it_lies(tmp_path):
    X, y, X_val, y_val = problem(60000, 4, d=32)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    tracemalloc.start()
    found = fastsa.knn_shapley(mapped, y, X_val, y_val, max_bytes=1 << 22, n_threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * len(y) * 20, "more than twenty rows of values: the points were copied"
    assert found.tobytes() == fastsa.knn_shapley(X, y, X_val, y_val).tobytes()


def test_classes_of_any_kind_are_only_names():
    X, y, X_val, y_val = problem(300, 7)
    numbered = fastsa.knn_shapley(X, y, X_val, y_val)
    names = np.array(["cat", "dog", "owl"])
    assert fastsa.knn_shapley(X, names[y], X_val, names[y_val]).tobytes() == numbered.tobytes()
    assert fastsa.knn_shapley(X, y * 2.0 + 1, X_val, y_val * 2.0 + 1).tobytes() == numbered.tobytes()
    for dtype, step, least in ((np.int8, 127, -127), (np.uint8, 100, 55), (np.int64, 2**40, -(2**62))):
        some, some_val = ((classes * step + least).astype(dtype) for classes in (y, y_val))
        assert fastsa.knn_shapley(X, some, X_val, some_val).tobytes() == numbered.tobytes()


def full_and_empty(variant, index_order, y, own, k, n_classes):
    nearest = y[index_order[:k]]
    if variant == "regression":
        return -((nearest.sum() / k - own) ** 2), -(own**2)
    share = (nearest == own).sum() / k
    return share, 0.0 if variant == "hard" else 1 / n_classes


@pytest.mark.parametrize("variant", ["hard", "soft", "regression"])
def test_values_of_a_hundred_thousand_points_sum_to_what_all_of_them_earn(variant):
    X, y, X_val, y_val = problem(100_000, 3, d=8)
    if variant == "regression":
        y, y_val = np.sin(np.arange(len(y))), np.array([0.3, -2.0, 1.0])
    blocks = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, k=7, variant=variant, reduce=False)))
    for v in range(3):
        order = np.argsort(squared_distances(X, X_val[v]), kind="stable")
        full, empty = full_and_empty(variant, order, y, y_val[v], 7, 3)
        assert blocks[v].sum() == pytest.approx(full - empty, abs=1e-10)


def test_threshold_values_of_many_points_sum_to_what_they_earn_where_binomials_overflow():
    for n in (3000, 300_000):
        X, y, X_val, y_val = problem(n, 2, d=2)
        X_val *= np.float32(0.1)
        blocks = np.concatenate(
            list(fastsa.knn_shapley(X, y, X_val, y_val, variant="threshold", radius=1.0, reduce=False))
        )
        for v in range(2):
            within = squared_distances(X, X_val[v]) <= 1.0
            share = (y[within] == y_val[v]).mean()
            assert within.sum() > 500
            assert blocks[v].sum() == pytest.approx(share - 1 / 3, abs=1e-10)
            assert not blocks[v][~within].any()


def test_a_threshold_that_no_point_meets_makes_every_value_zero():
    X, y, X_val, y_val = problem(100, 3)
    assert not fastsa.knn_shapley(X, y, X_val + 1000, y_val, variant="threshold", radius=1.0).any()


def test_weighted_values_of_many_points_sum_to_what_all_of_them_earn():
    X, y, X_val, y_val = problem(20_000, 4, d=3, classes=2)
    blocks = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, variant="weighted", reduce=False)))
    for v in range(4):
        distances = np.sqrt(squared_distances(X, X_val[v]))
        nearest = np.argsort(distances, kind="stable")[:5]
        steps = np.round(distances[nearest[0]] / distances[nearest] * 8)
        right = (steps * np.where(y[nearest] == y_val[v], 1, -1)).sum() >= 0
        assert blocks[v].sum() == pytest.approx(float(right), abs=1e-10)


@pytest.mark.parametrize("k", [9, 28])
def test_equal_weights_make_the_weighted_vote_a_majority_with_equal_values_for_equal_ranks_of_a_kind(k):
    X, y, X_val, y_val = problem(400, 3, classes=2)
    weights = np.ones((3, 400))
    blocks = np.concatenate(
        list(fastsa.knn_shapley(X, y, X_val, y_val, k=k, variant="weighted", weights=weights, reduce=False))
    )
    for v in range(3):
        order = np.argsort(squared_distances(X, X_val[v]), kind="stable")
        match = y[order] == y_val[v]
        same = match[1:] == match[:-1]
        assert np.abs(np.diff(blocks[v, order]))[same].max() < 1e-12
        assert blocks[v].sum() == pytest.approx(float(2 * match[:k].sum() >= k), abs=1e-10)


@pytest.mark.parametrize("epsilon", [0.15, 0.05, 0.01])
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "inner"])
@pytest.mark.parametrize("decimals", [None, 1])
def test_epsilon_ranks_the_nearest_exactly_and_keeps_its_promise(epsilon, metric, decimals):
    X, y, X_val, y_val = problem(3000, 12, decimals=decimals)
    options = {"metric": metric, "reduce": False}
    exact = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, **options)))
    near = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, epsilon=epsilon, **options)))
    assert 0 < np.abs(near - exact).max() <= epsilon
    kept = max(5, int(np.ceil(1 / epsilon)))
    for v in range(len(y_val)):
        if metric == "euclidean":
            order = np.argsort(squared_distances(X, X_val[v]), kind="stable")
            assert not near[v, order[kept - 1 :]].any()
            same_offset = (near[v] - exact[v])[order[: kept - 1]]
            assert np.ptp(same_offset) < ROUNDING


def test_epsilon_of_the_weighted_vote_keeps_its_promise():
    X, y, X_val, y_val = problem(500, 6, classes=2)
    exact = fastsa.knn_shapley(X, y, X_val, y_val, variant="weighted")
    for epsilon in (0.5, 0.1, 0.02):
        near = fastsa.knn_shapley(X, y, X_val, y_val, variant="weighted", epsilon=epsilon)
        assert np.abs(near - exact).max() <= epsilon
    assert np.abs(near - exact).max() > 0


def test_self_valuation_equals_leaving_each_point_out_by_hand():
    X, y, _, _ = problem(40, 1, decimals=0)
    X += 10  # away from zero, which has no direction
    for options in all_options():
        found = np.concatenate(list(fastsa.knn_shapley(X, y, None, None, reduce=False, **options)))
        for v in range(40):
            others = np.arange(40) != v
            if y[v] not in y[others]:
                continue  # its class would be unknown to the others
            alone = fastsa.knn_shapley(X[others], y[others], X[v : v + 1], y[v : v + 1], **options)
            np.testing.assert_allclose(found[v, others], alone, rtol=0, atol=ROUNDING)
            assert found[v, v] == 0


def ranked_lists(X, X_val, rng):
    distances = np.stack([squared_distances(X, p) for p in X_val])
    shuffled = np.stack([rng.permutation(len(X)) for _ in X_val])
    return shuffled, np.take_along_axis(distances, shuffled, axis=1)


@pytest.mark.parametrize("variant", ["hard", "soft", "regression"])
def test_ranked_neighbours_in_any_order_are_worth_what_their_features_are(variant):
    X, y, X_val, y_val = problem(500, 6, decimals=0)
    lists = ranked_lists(X, X_val, np.random.default_rng(1))
    by_features = fastsa.knn_shapley(X, y, X_val, y_val, variant=variant)
    by_lists = fastsa.knn_shapley(None, y, None, y_val, variant=variant, neighbors=lists)
    np.testing.assert_allclose(by_lists, by_features, rtol=0, atol=ROUNDING)


def test_a_sparse_graph_is_worth_what_the_truncated_features_are():
    sparse = pytest.importorskip("scipy.sparse")
    X, y, X_val, y_val = problem(500, 6)
    distances = np.stack([squared_distances(X, p) for p in X_val])
    nearest = np.sort(np.argsort(distances, axis=1)[:, :50], axis=1)
    data = np.take_along_axis(distances, nearest, axis=1).ravel()
    graph = sparse.csr_matrix((data, nearest.ravel(), np.arange(7) * 50), shape=(6, 500))
    by_graph = fastsa.knn_shapley(None, y, None, y_val, neighbors=graph, epsilon=0.02)
    by_features = fastsa.knn_shapley(X, y, X_val, y_val, epsilon=0.02)
    np.testing.assert_allclose(by_graph, by_features, rtol=0, atol=ROUNDING)


def test_leave_one_out_needs_no_more_than_one_neighbour_beyond_k():
    X, y, X_val, y_val = problem(200, 5)
    distances = np.stack([squared_distances(X, p) for p in X_val])
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :6]
    lists = (nearest, np.take_along_axis(distances, nearest, axis=1))
    by_lists = fastsa.knn_shapley(None, y, None, y_val, k=5, index="leave-one-out", neighbors=lists)
    by_features = fastsa.knn_shapley(X, y, X_val, y_val, k=5, index="leave-one-out")
    np.testing.assert_allclose(by_lists, by_features, rtol=0, atol=ROUNDING)


def test_a_banzhaf_value_with_a_large_k_is_what_the_binomial_says():
    stats = pytest.importorskip("scipy.stats")
    for n, k in ((3000, 1), (3000, 40), (3000, 1200)):
        steps = closed_forms.match_steps("hard", "banzhaf", n, k, 2).step
        expected = stats.binom.cdf(k - 1, np.arange(n), 0.5) / k
        np.testing.assert_allclose(steps, expected, rtol=0, atol=1e-12)


def by_regression_recursion(y_ranked, own, k):
    """Theorem 6 of Jia et al. (2019) with sums in extended precision, farthest first: values by rank."""
    n = len(y_ranked)
    y = y_ranked.astype(np.longdouble)
    rank = np.arange(1, n + 1, dtype=np.longdouble)
    few = np.minimum(rank, k)
    nearer_chance = np.where(rank > 1, few * (few - 1) / (2 * rank * np.maximum(rank - 1, 1)), 0)
    kept = np.minimum(k - 1, rank - 2)
    farther_chance = np.where(rank > 2, kept * (kept + 1) / (2 * np.maximum((rank - 1) * (rank - 2), 1)), 0)
    before = np.concatenate([[0], np.cumsum(y)[:-1]])
    beyond = np.concatenate([np.cumsum((farther_chance * y)[::-1])[::-1], [0, 0]])[2:]  # of ranks from i + 2 on
    following = np.append(y[1:], 0)
    pair = ((y + following) / k - 2 * own) * few / rank
    falls = (following - y) / k * (pair + 2 / np.longdouble(k) * (before * nearer_chance + beyond))
    return np.cumsum(falls[::-1])[::-1].astype(np.float64)


@pytest.mark.parametrize("n", [1000, 32769, 60000])
def test_regression_values_of_rows_in_several_parts_equal_the_recursion(n):
    X, _, X_val, _ = problem(n, 3, decimals=1)
    y, y_val = np.random.default_rng(4).normal(5, 2, n), np.array([4.0, -1.0, 7.5])
    found = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, k=7, variant="regression", reduce=False)))
    for v in range(3):
        order = np.argsort(squared_distances(X, X_val[v]), kind="stable")
        expected = by_regression_recursion(y[order], y_val[v], 7)
        np.testing.assert_allclose(found[v, order], expected, rtol=0, atol=1e-12)


def test_self_valuation_of_rows_in_several_parts_leaves_each_point_out():
    X, y, _, _ = problem(34000, 1, decimals=1)
    first_block = next(iter(fastsa.knn_shapley(X, y, None, None, reduce=False, max_bytes=1 << 22)))
    assert len(first_block) < 100, "more than was asked for"
    others = np.arange(34000)
    for v in range(3):
        rest = others != v
        expected = by_recursion(X[rest], y[rest], X[v : v + 1], y[v : v + 1], 5)[0]
        np.testing.assert_allclose(first_block[v, rest], expected, rtol=0, atol=ROUNDING)
        assert first_block[v, v] == 0
