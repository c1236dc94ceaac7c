"""The builds of the logistic walk for this machine and for every machine give the same bytes."""

from __future__ import annotations

import numpy as np
import pytest

from fastsa import _core, _threads, ops
from fastsa.utilities import Logistic
from fastsa.utilities.data import SupervisedData

pytestmark = pytest.mark.skipif(
    _core.instruction_set() == "portable", reason="this machine runs the portable build only"
)


def prepared(n_features, n_classes, score, scale):
    rng = np.random.default_rng([n_features, n_classes])
    X = rng.normal(size=(60, n_features)) * scale
    y = rng.integers(0, n_classes, 60).astype(np.int32)
    y[:40] = np.where(rng.random(40) < 0.7, X[:40].argmax(axis=1) % n_classes, y[:40])
    data = SupervisedData(X[:45], y[:45], 40, X[45:], y[45:], n_classes)
    return Logistic(score=score).prepare(data)


def walks():
    """All prefixes of permutations, then multisets that players join alone, some of them outside the pool."""
    rng = np.random.default_rng(5)
    orders = ops.permutations(40, 3, seed=4)
    drawn, sizes = rng.integers(0, 40, 60).astype(np.int32), np.array([20, 0, 39, 1], np.int64)
    branches = np.concatenate([np.arange(45), np.arange(45)]).astype(np.int32)
    permuted = ops.Walks.of_permutations(orders)
    ends = [np.cumsum(sizes), np.arange(1, 5), np.array([45, 45, 90, 90])]
    return ops.Walks(
        np.concatenate([permuted.players, drawn]),
        np.concatenate([permuted.offsets, permuted.offsets[-1] + ends[0]]),
        np.concatenate([permuted.scored, sizes.astype(np.int32)]),
        np.concatenate([permuted.scored_offsets, permuted.scored_offsets[-1] + ends[1]]),
        branches,
        np.concatenate([permuted.branch_offsets, ends[2]]),
    )


def walk(problem, requested, portable_build):
    values = np.zeros((requested.n_values, 1))
    members = int(requested.sizes.max()) + 1
    workspace = _threads.scratch(_core.logistic_workspace(problem, members))
    workspace[:] = 0  # values of empty coalitions are the game's to fill, and depend on what is found here
    status = _core.walk_logistic(
        problem,
        _core.Walks(*requested.arrays, 1),
        0,
        requested.rows,
        values,
        workspace,
        members,
        np.zeros(1, np.int32),
        portable_build=portable_build,
    )
    assert status == 0
    return values


@pytest.mark.parametrize("score", ["accuracy", "log_loss"])
@pytest.mark.parametrize(("n_features", "n_classes"), [(1, 2), (3, 2), (7, 3), (20, 5), (33, 10)])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_both_builds_of_a_logistic_walk_give_the_same_bytes(n_features, n_classes, score, scale):
    game, requested = prepared(n_features, n_classes, score, scale), walks()
    wide = walk(game._problem, requested, portable_build=False)
    assert wide.tobytes() == walk(game._problem, requested, portable_build=True).tobytes()
    assert np.isfinite(wide).all() and np.unique(wide).size > 3
