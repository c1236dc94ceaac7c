"""On a device: the same bytes as on the host, in any stream; of values of neighbours, all but their rounding."""

from __future__ import annotations

import ctypes.util
import importlib
import shutil
import sys

import numpy as np
import pytest

import fastsa
import fastsa.ops as ops

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module")
def cupy(build_module):
    """CuPy, with a device and fastsa._cuda, which is built here where the installation has none."""
    if ctypes.util.find_library("cuda") is None:
        pytest.skip("no CUDA driver")
    cupy = pytest.importorskip("cupy")
    try:
        kernels = importlib.import_module("fastsa._cuda")
    except ModuleNotFoundError:
        if shutil.which("nvcc") is None:
            pytest.skip("fastsa._cuda is not built, and nvcc is not installed")
        kernels, _ = build_module("_cuda", "-DFASTSA_CUDA=ON")
    if kernels.device_count() == 0:
        pytest.skip("no CUDA device")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "fastsa._cuda", kernels)
        yield cupy


def same_bytes(on_device, on_host):
    return on_device.dtype == on_host.dtype and on_device.get().tobytes() == on_host.tobytes()


@pytest.mark.parametrize(("n_players", "rows"), [(1, 3), (2, 1000), (65, 100_003), (1000, 257)])
def test_permutations(cupy, n_players, rows):
    given = {"seed": 2**63 + 5, "first_row": 2**32 - rows, "role": "truth"}
    drawn = ops.permutations(n_players, rows, device="cuda", **given)
    assert same_bytes(drawn, ops.permutations(n_players, rows, **given))


@pytest.mark.parametrize(("n_players", "rows"), [(1, 3), (64, 1000), (65, 1001), (300, 100)])
def test_prefix_coalitions(cupy, n_players, rows):
    orders = ops.permutations(n_players, rows, seed=3)
    assert same_bytes(ops.prefix_coalitions(cupy.asarray(orders), device="cuda"), ops.prefix_coalitions(orders))


@pytest.mark.parametrize("n_players", [1, 64, 100, 129])
def test_subsets(cupy, n_players):
    sizes = np.random.default_rng(8).dirichlet(np.ones(n_players + 1))
    for law in ({"sizes": sizes}, {"q": 0.3}):
        given = {"seed": 11, "first_row": 4, "role": "certify", **law}
        drawn = ops.subsets(n_players, 50_001, device="cuda", **given)
        assert same_bytes(drawn, ops.subsets(n_players, 50_001, **given))


@pytest.mark.parametrize("n_players", [1, 100])
def test_rows_of_items_of_their_own(cupy, n_players):
    ids = np.random.default_rng(2).integers(0, 2**48, 20_011, dtype=np.uint64)
    samples = np.random.default_rng(3).integers(0, 2**32, ids.size, dtype=np.uint32)
    on_device = {"ids": cupy.asarray(ids), "samples": cupy.asarray(samples), "device": "cuda"}
    law = {"sizes": np.full(n_players + 1, 1 / (n_players + 1))}
    for op, given in ((ops.permutations, {}), (ops.subsets, law), (ops.subsets, {"q": 0.6})):
        drawn = op(n_players, ids.size, seed=5, **given, **on_device)
        assert same_bytes(drawn, op(n_players, ids.size, seed=5, ids=ids, samples=samples, **given))


def test_draws_with_replacement(cupy):
    ids = np.random.default_rng(1).integers(0, 2**48, 20_011, dtype=np.uint64)
    samples = np.arange(ids.size, dtype=np.uint32)
    given = {"min_size": 0, "max_size": 90, "seed": 6, "role": "select"}
    drawn = ops.draws_with_replacement(77, cupy.asarray(ids), cupy.asarray(samples), device="cuda", **given)
    assert all(map(same_bytes, drawn, ops.draws_with_replacement(77, ids, samples, **given)))


def test_background_rows(cupy):
    ids = np.random.default_rng(4).integers(0, 2**48, 20_011, dtype=np.uint64)
    samples = np.arange(ids.size, dtype=np.uint32)
    for n_background in (1, 100, 3 * 2**30):
        drawn = ops.background_rows(n_background, cupy.asarray(ids), cupy.asarray(samples), seed=6, device="cuda")
        assert same_bytes(drawn, ops.background_rows(n_background, ids, samples, seed=6))


def test_work_waits_in_the_current_stream_and_out_is_written(cupy):
    expected = ops.permutations(50, 10_000, seed=9)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        out = cupy.empty((10_000, 50), np.int32)
        assert ops.permutations(50, 10_000, seed=9, out=out, device="cuda") is out
        stream.synchronize()
        assert same_bytes(out, expected)


def test_host_arrays_are_refused(cupy):
    with pytest.raises(TypeError, match="orders is a ndarray; expected a CuPy array"):
        ops.prefix_coalitions(np.zeros((1, 1), np.int32), device="cuda")


def neighbours(variant, n, m, d, dtype, levels=None):
    """Arguments of knn_shapley; with few levels many points are in one place."""
    rng = np.random.default_rng(12)
    X, X_val = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    if levels is not None:
        X, X_val = rng.integers(0, levels, (n, d)), rng.integers(0, levels, (m, d))
    y = rng.normal(size=n + m) if variant == "regression" else rng.integers(0, 4, n + m)
    radius = {"radius": 0.9 * d**0.5} if variant == "threshold" else {}
    return (X.astype(dtype), y[:n], X_val.astype(dtype), y[n:]), {"variant": variant, **radius}


@pytest.mark.parametrize("variant", ["hard", "soft", "regression", "threshold"])
@pytest.mark.parametrize(("n", "m", "d", "levels"), [(1, 1, 1, None), (5000, 70, 33, None), (20_011, 37, 4, 3)])
def test_knn_shapley(cupy, variant, n, m, d, levels):
    for index in ("shapley", "banzhaf", "leave-one-out"):
        for dtype in (np.float16, np.float32, np.float64):
            given, options = neighbours(variant, n, m, d, dtype, levels)
            expected = fastsa.knn_shapley(*given, index=index, **options)
            values = fastsa.knn_shapley(*given, index=index, device="cuda", **options)
            assert type(values) is np.ndarray
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "inner"])
def test_knn_shapley_ranks_by_the_bytes_of_the_host(cupy, metric):
    (X, y, X_val, y_val), _ = neighbours("hard", 3000, 50, 129, np.float32)
    radius = {"euclidean": 15.0, "cosine": 0.95, "inner": 0.0}[metric]
    options = {"variant": "threshold", "metric": metric, "radius": radius}
    values = fastsa.knn_shapley(cupy.asarray(X), y, cupy.asarray(X_val), y_val, device="cuda", **options)
    assert same_bytes(values, fastsa.knn_shapley(X, y, X_val, y_val, **options))


def test_knn_shapley_by_tiles_blocks_and_points_that_value_each_other(cupy):
    (X, y, X_val, y_val), options = neighbours("soft", 4000, 300, 8, np.float32, levels=3)
    on_device = cupy.asarray(X), y, cupy.asarray(X_val), y_val
    values = fastsa.knn_shapley(*on_device, device="cuda", **options)
    few_bytes = fastsa.knn_shapley(*on_device, device="cuda", max_bytes=1, **options)
    assert values.get().tobytes() == few_bytes.get().tobytes()
    blocks = list(fastsa.knn_shapley(*on_device, device="cuda", reduce=False, **options))
    expected = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, reduce=False, **options)))
    np.testing.assert_allclose(cupy.concatenate(blocks).get(), expected, rtol=0, atol=1e-12)
    own = fastsa.knn_shapley(X, y, None, None, device="cuda", **options)
    np.testing.assert_allclose(own, fastsa.knn_shapley(X, y, None, None, **options), rtol=0, atol=1e-12)


def test_knn_shapley_refuses_broken_points_on_the_device(cupy):
    (X, y, X_val, y_val), _ = neighbours("hard", 100, 5, 3, np.float32)
    X[7, 2] = np.nan
    with pytest.raises(ValueError, match=r"X\[7, 2\] is nan; expected finite numbers"):
        fastsa.knn_shapley(cupy.asarray(X), y, X_val, y_val, device="cuda")
    with pytest.raises(TypeError, match="X is on a CUDA device; expected an array of the host"):
        fastsa.knn_shapley(cupy.asarray(X), y, X_val, y_val)
