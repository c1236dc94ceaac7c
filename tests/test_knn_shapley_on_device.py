"""knn_shapley with device="cuda", all of it but the device: kernels emulated on the host, numpy in place of CuPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from test_knn_shapley_oracle import INDICES, TOLERANCE, computed, enumerated, problems

import fastsa
from fastsa._checks import BackendUnavailable
from fastsa.ops import device_neighbors, neighbors
from fastsa.ops import knn_shapley as closed_forms

FORWARD, REVERSE, SHUFFLED = 0, 1, 2
# Threads per block, blocks of a grid over rows, order: one thread, fewer than stretches of ranks, more than there are.
GRIDS = [(1, 1, FORWARD), (4, 3, REVERSE), (32, 5, SHUFFLED), (200, 2, SHUFFLED)]
ON_DEVICE = ("hard", "soft", "regression", "threshold")


def launch_by(emulated_cuda, grid):
    emulated_cuda.kernels.set_order(n_threads=grid[0], n_blocks=grid[1], order=grid[2], seed=17)


@pytest.fixture(params=GRIDS, ids=lambda grid: "x".join(map(str, grid)))
def device(request, emulated_cuda):
    launch_by(emulated_cuda, request.param)
    return emulated_cuda


def data(n, m, d, *, levels=None, dtype=np.float32, seed=3):
    """Training and validation points, many in one place where there are few levels, with classes and targets."""
    rng = np.random.default_rng(seed)
    X, X_val = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    if levels is not None:
        X, X_val = rng.integers(0, levels, (n, d)), rng.integers(0, levels, (m, d))
    classes, targets = rng.integers(0, 3, n + m), rng.normal(size=n + m)
    return X.astype(dtype), X_val.astype(dtype), classes, targets


def arguments(variant, n, m, d, **more):
    X, X_val, classes, targets = data(n, m, d, **more)
    y = targets if variant == "regression" else classes
    radius = {"radius": 0.8 * d**0.5} if variant == "threshold" else {}
    return (X, y[:n], X_val, y[n:]), {"variant": variant, "k": 4, **radius}


@pytest.mark.parametrize("grid", GRIDS[1:], ids=str)
def test_every_utility_and_index_equals_enumeration(emulated_cuda, grid):
    seen = {"values": 0, "refusals": 0}

    @settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
    @given(problems())
    def check(case):
        launch_by(emulated_cuda, grid)
        if case["variant"] == "weighted":
            with pytest.raises(BackendUnavailable, match="'weighted' is counted rank by rank"):
                computed(case, device="cuda")
            seen["refusals"] += 1
            return
        expected = enumerated(case)
        values = computed(case, device="cuda", max_bytes=1)  # a tile per validation point
        np.testing.assert_allclose(values, expected.mean(axis=0), rtol=0, atol=TOLERANCE)
        blocks = np.concatenate(list(computed(case, device="cuda", reduce=False)))
        np.testing.assert_allclose(blocks, expected, rtol=0, atol=TOLERANCE)
        seen["values"] += 1

    check()
    assert seen["values"] > 200 and seen["refusals"] > 20


@pytest.mark.parametrize("variant", ON_DEVICE)
@pytest.mark.parametrize("levels", [None, 2], ids=["distinct", "ties"])
def test_values_are_those_of_the_cpu_where_stretches_hold_several_ranks(device, variant, levels):
    for index in INDICES:
        given, options = arguments(variant, 300, 5, 3, levels=levels)
        expected = fastsa.knn_shapley(*given, index=index, **options)
        values = fastsa.knn_shapley(*given, index=index, device="cuda", **options)
        np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "inner"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_threshold_values_are_the_bytes_of_the_cpu_which_takes_the_same_distances(emulated_cuda, metric, dtype):
    (X, y, X_val, y_val), _ = arguments("hard", 150, 20, 37, dtype=dtype)
    radius = {"euclidean": 8.0, "cosine": 0.9, "inner": -1}[metric]
    options = {"variant": "threshold", "metric": metric, "radius": radius}
    values = fastsa.knn_shapley(X, y, X_val, y_val, device="cuda", **options)
    expected = fastsa.knn_shapley(X, y, X_val, y_val, **options)
    assert values.tobytes() == expected.tobytes() and np.unique(values).size > 50


@pytest.mark.parametrize("variant", ON_DEVICE)
def test_the_bytes_depend_neither_on_the_launch_nor_on_the_memory(emulated_cuda, variant):
    given, options = arguments(variant, 300, 37, 5)
    found = set()
    for grid in GRIDS:
        launch_by(emulated_cuda, grid)
        for max_bytes in (1, 1_000_000, None):
            values = fastsa.knn_shapley(*given, device="cuda", max_bytes=max_bytes, **options)
            blocks = list(fastsa.knn_shapley(*given, device="cuda", max_bytes=max_bytes, reduce=False, **options))
            assert len(blocks) == {1: 37, None: 1}.get(max_bytes, len(blocks))
            found.add((values.tobytes(), np.concatenate(blocks).tobytes()))
    assert len(found) == 1


def distances_of(cuda, X, X_val, metric, first, rows):
    """The tile of distances that kernels take; X_val None: the points' own."""
    hood = neighbors.Neighborhood(X, X_val, None, None, metric)
    out = cuda.cupy.empty((rows, hood.n))
    val = X if X_val is None else X_val
    scale, val_scale = hood.scales(np)
    held = [a if a is None else cuda.cupy.asarray(a) for a in (X, val, scale, val_scale)]
    address = [0 if a is None else a.data.ptr for a in held]
    train = address[0], *X.shape, X.dtype.itemsize, address[2]
    of_val = address[1], len(val), val.dtype.itemsize, address[3]
    kind = neighbors.METRICS[metric]
    cuda.kernels.neighbor_distances(out.data.ptr, rows, first, *train, *of_val, kind, X_val is None, 0)
    return out, scale, val_scale


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "inner"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_distance_is_the_sum_over_features_in_their_order(device, metric, dtype):
    X, X_val, _, _ = data(67, 40, 33, dtype=dtype)
    X[0] *= dtype(1e-6)  # subnormal in half precision
    out, scale, val_scale = distances_of(device, X, X_val, metric, 3, 35)
    a, b = X.astype(np.float64), X_val[3:38].astype(np.float64)
    if metric == "cosine":
        a, b = a * scale[:, None], b * val_scale[3:38, None]
    expected = np.zeros((35, 67))
    for j in range(33):
        if metric == "inner":
            expected -= a[None, :, j] * b[:, j, None]
        else:
            expected += (a[None, :, j] - b[:, j, None]) ** 2
    assert np.asarray(out).tobytes() == expected.tobytes()


def test_a_point_is_farthest_from_itself_and_equal_points_tie(device):
    X = np.concatenate([data(40, 1, 19)[0]] * 2) + np.float32(1e6)
    out, _, _ = distances_of(device, X, None, "euclidean", 30, 20)
    twin = (np.arange(30, 50) + 40) % 80
    assert (out[np.arange(20), np.arange(30, 50)] == np.inf).all()
    assert (out[np.arange(20), twin] == 0).all()
    assert np.isinf(out).sum() == 20
    for row in range(20):
        apart = np.delete(np.arange(40), (30 + row) % 40)
        assert (out[row, apart] == out[row, apart + 40]).all()


@pytest.mark.parametrize("variant", ON_DEVICE)
def test_points_that_value_each_other_have_the_values_of_the_cpu(device, variant):
    (X, y, _, _), options = arguments(variant, 140, 1, 3, levels=3)
    expected = fastsa.knn_shapley(X, y, None, None, **options)
    values = fastsa.knn_shapley(X, y, None, None, device="cuda", max_bytes=300_000, **options)  # several tiles
    np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE)
    alone = fastsa.knn_shapley(X[:1], y[:1], None, None, device="cuda", **options)
    assert alone.tolist() == [0.0]


def test_an_epsilon_leaves_far_points_without_value_as_on_the_cpu(device):
    given, options = arguments("hard", 300, 6, 4)
    expected = fastsa.knn_shapley(*given, epsilon=0.05, **options)
    values = fastsa.knn_shapley(*given, epsilon=0.05, device="cuda", **options)
    np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE)
    (block,) = fastsa.knn_shapley(*given, epsilon=0.05, device="cuda", reduce=False, **options)
    assert 0 < (block != 0).sum(axis=1).max() <= 20  # 1 / 20 is the first step within epsilon


def test_values_stay_where_X_is(emulated_cuda):
    (X, y, X_val, y_val), options = arguments("soft", 60, 9, 3)
    expected = fastsa.knn_shapley(X, y, X_val, y_val, **options)
    to = emulated_cuda.cupy.asarray
    for where in ((to(X), y, X_val, y_val), (to(X), to(y), to(X_val), to(y_val)), (X, to(y), to(X_val), y_val)):
        values = fastsa.knn_shapley(*where, device="cuda", **options)
        (block,) = fastsa.knn_shapley(*where, device="cuda", reduce=False, **options)
        kind = emulated_cuda.cupy.ndarray if isinstance(where[0], emulated_cuda.cupy.ndarray) else np.ndarray
        assert type(values) is kind and type(block) is kind
        np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE)


def test_device_arrays_of_other_layouts_and_dtypes_are_taken_as_host_arrays_are(emulated_cuda):
    (X, y, X_val, y_val), options = arguments("hard", 60, 9, 4, levels=5)
    changes = np.asfortranarray, lambda a: a.astype(np.int8), lambda a: a.astype(np.int64), lambda a: a[:, ::2]
    for change in changes:
        points, val = change(X), change(X_val)
        on_device = (a.view(emulated_cuda.cupy.ndarray) for a in (points, val))
        values = fastsa.knn_shapley(next(on_device), y, next(on_device), y_val, device="cuda", **options)
        expected = fastsa.knn_shapley(points, y, val, y_val, **options)
        np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE)


def hood_of(cupy, variant="hard", n=50, m=40):
    (X, y, X_val, y_val), options = arguments(variant, n, m, 3)
    y, y_val = y.astype(np.int32), y_val.astype(np.int32)
    return neighbors.Neighborhood(*(cupy.asarray(a) for a in (X, X_val, y, y_val)), "euclidean")


@pytest.mark.parametrize("max_bytes", [50_000, 200_000, 1_000_000])
def test_what_is_allocated_stays_within_max_bytes(emulated_cuda, monkeypatch, max_bytes):
    cupy = emulated_cuda.cupy
    hood, steps = hood_of(cupy, n=50, m=400), closed_forms.match_steps("hard", "shapley", 50, 5, 3)
    held = {}

    def counting(of, name):
        def made(*given, **more):
            array = of(*given, **more)
            held[name] = max(held.get(name, 0), array.nbytes)
            return array

        return made

    for name in ("empty", "zeros", "argsort"):
        monkeypatch.setattr(cupy, name, counting(getattr(cupy, name), name))
    cuda = device_neighbors._device.cuda("cuda", None)
    device_neighbors.mean_values(cuda, hood, steps, max_bytes=max_bytes)
    # The sums, the values and the distances, the order; and in the sort a copy, row numbers, and a buffer of all three.
    assert held["zeros"] + 2 * held["empty"] + 6 * held["argsort"] <= max_bytes
    assert held["argsort"] > 8 * 50  # more than a row


def test_operations_take_device_arrays_alone(emulated_cuda):
    cuda, hood = device_neighbors._device.cuda("cuda", None), hood_of(emulated_cuda.cupy)
    steps = closed_forms.match_steps("hard", "shapley", 50, 5, 3)
    fields = {name: getattr(hood, name) for name in ("X", "X_val", "y", "y_val", "metric")}
    for name, words in (("X", "X is ndarray; expected a CuPy"), ("y_val", "y_val is a ndarray; expected a CuPy")):
        on_host = neighbors.Neighborhood(**{**fields, name: np.array(fields[name], subok=False)})
        for work in (device_neighbors.mean_values, device_neighbors.value_blocks):
            with pytest.raises(TypeError, match=words):
                work(cuda, on_host, steps)
    targets = np.zeros(50), np.zeros(40)
    with pytest.raises(TypeError, match="targets is a ndarray; expected a CuPy array of float64"):
        device_neighbors.mean_values(cuda, hood, closed_forms.regression_terms(*targets, "shapley", 50, 5))
    with pytest.raises(BackendUnavailable, match="WeightedVote has no kernel for a CUDA device"):
        device_neighbors.mean_values(cuda, hood, closed_forms.weighted_vote(None, "shapley", 50, 5, 3, 0.0))


def test_what_a_device_cannot_do_is_refused_in_a_sentence(emulated_cuda):
    given, options = arguments("hard", 20, 3, 2)
    lists = np.zeros((3, 1), int), np.zeros((3, 1))
    with pytest.raises(BackendUnavailable, match="neighbors that are ranked already are valued on the host alone"):
        fastsa.knn_shapley(None, given[1], None, given[3], neighbors=lists, device="cuda")
    with pytest.raises(ValueError, match="n_threads is 2; expected None with device='cuda'"):
        fastsa.knn_shapley(*given, n_threads=2, device="cuda", **options)
    with pytest.raises(ValueError, match="device is 'gpu'; expected one of 'cpu', 'cuda'"):
        fastsa.knn_shapley(*given, device="gpu", **options)


BROKEN = {
    r"X has shape \(40,\); expected two axes": lambda X: X.ravel(),
    r"X\[3, 1\] is nan; expected finite numbers": lambda X: np.where(np.arange(40).reshape(20, 2) == 7, np.nan, X),
    "X_val has 2 features; expected 1, as in X": lambda X: X[:, :1],
}


@pytest.mark.parametrize("message", BROKEN, ids=str)
def test_device_arrays_are_checked_like_those_of_the_host(emulated_cuda, message):
    (X, y, X_val, y_val), options = arguments("hard", 20, 3, 2)
    broken = BROKEN[message](X)
    for array in (broken, emulated_cuda.cupy.asarray(broken)):
        with pytest.raises(ValueError, match=message):
            fastsa.knn_shapley(array, y, X_val, y_val, device="cuda", **options)


def test_a_device_array_is_refused_on_the_host():
    class OnDevice:
        __cuda_array_interface__ = {}

    with pytest.raises(TypeError, match="X is on a CUDA device; expected an array of the host"):
        fastsa.knn_shapley(OnDevice(), [0], [[0.0]], [0])


def test_a_point_without_direction_is_named_on_a_device_too(emulated_cuda):
    (X, y, X_val, y_val), options = arguments("hard", 20, 3, 2)
    X_val[1] = 0
    with pytest.raises(ValueError, match=r"X_val\[1\] has length zero, and so no direction"):
        fastsa.knn_shapley(X, y, X_val, y_val, metric="cosine", device="cuda", **options)
