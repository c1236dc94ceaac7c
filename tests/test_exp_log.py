"""Our own exponential and logarithm: close to numpy's, clamped, and the same bytes from every build."""

from __future__ import annotations

import numpy as np
import pytest

MOST_UNITS = {np.float64: 2, np.float32: 3}
LARGEST = {np.float64: 708.0, np.float32: 87.0}


def native(function, x, portable_build):
    out = x.copy()
    function(out, portable_build=portable_build)
    return out


def units_apart(ours, exact, dtype):
    """Distance in units in the last place of the exact value, which has more digits than ours."""
    return np.abs(ours.astype(np.longdouble) - exact) / np.spacing(np.abs(exact).astype(dtype)).astype(np.longdouble)


@pytest.fixture(params=[False, True], ids=["this machine", "portable"])
def portable_build(request):
    return request.param


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("reach", [1e-6, 1.0, 30.0, None])
def test_exp_is_within_units_of_numpy(native_testing, portable_build, dtype, reach):
    reach = LARGEST[dtype] if reach is None else reach
    x = np.random.default_rng(3).uniform(-reach, reach, 200_003).astype(dtype)
    ours = native(native_testing.exp, x, portable_build)
    assert units_apart(ours, np.exp(x.astype(np.longdouble)), dtype).max() <= MOST_UNITS[dtype]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_exp_of_zero_is_one_and_arguments_are_clamped(native_testing, portable_build, dtype):
    large = LARGEST[dtype]
    x = np.array([0.0, -0.0, large, 1.5 * large, np.inf, -large, -1.5 * large, -np.inf], dtype)
    ours = native(native_testing.exp, x, portable_build)
    assert ours[0] == ours[1] == 1
    assert np.isfinite(ours).all() and (ours >= np.finfo(dtype).tiny).all()
    assert ours[2] == ours[3] == ours[4] and ours[5] == ours[6] == ours[7]
    assert units_apart(ours[[2, 5]], np.exp(x[[2, 5]].astype(np.longdouble)), dtype).max() <= MOST_UNITS[dtype]


def test_log_is_within_units_of_numpy(native_testing, portable_build):
    rng = np.random.default_rng(4)
    far, near, one = np.exp(rng.uniform(-700, 700, 100_000)), rng.uniform(0.5, 2.0, 100_000), rng.normal(1, 1e-8, 1000)
    x = np.concatenate([far, near, one])
    ours = native(native_testing.log, x, portable_build)
    assert units_apart(ours, np.log(x.astype(np.longdouble)), np.float64).max() <= MOST_UNITS[np.float64]
    assert native(native_testing.log, np.ones(1), portable_build).tolist() == [0.0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_build_gives_the_same_bytes(native_testing, dtype):
    if native_testing.instruction_set() == "portable":
        pytest.skip("this machine runs the portable build only")
    x = np.random.default_rng(5).uniform(-LARGEST[dtype] * 1.1, LARGEST[dtype] * 1.1, 100_003).astype(dtype)
    assert native(native_testing.exp, x, False).tobytes() == native(native_testing.exp, x, True).tobytes()
    positive = np.exp(x.astype(np.float64) / 2)
    assert native(native_testing.log, positive, False).tobytes() == native(native_testing.log, positive, True).tobytes()
