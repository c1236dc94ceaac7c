"""Cases that a peer is known to have wrong, each with the peer's name and the right answer by other means."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import fastsa


@pytest.mark.parametrize("n", [3000, 300_000])
def test_threshold_values_of_thousands_of_points_where_shapiq_adds_an_array_in_place_of_its_sum(n):
    """shapiq 1.8.0 leaves its formula once N choose c overflows; N = 3000 is off by as much as its largest value.

    Beyond the radius points are null players, so the values are those of the c points within it alone: for each, the
    mean over its place among them of what it adds to the share of matches. Shares are exact fractions; the sum over
    places is rounded once, its terms once each.
    """
    rng = np.random.default_rng(9)
    X, y = rng.normal(size=(n, 2)), rng.integers(0, 2, n)
    point, own = np.zeros((1, 2)), np.array([1])
    found = fastsa.knn_shapley(X, y, point, own, variant="threshold", radius=1.0)
    within = (X**2).sum(axis=1) <= 1.0
    c, matches = int(within.sum()), int((y[within] == 1).sum())
    for match in (0, 1):
        mean_of_others = Fraction(matches - match, c - 1)
        places = Fraction(math.fsum(1 / (s + 1) for s in range(1, c)))
        expected = float((Fraction(match) - Fraction(1, 2) + (match - mean_of_others) * places) / c)
        of_kind = found[within & (y == match)]
        assert of_kind.size and np.abs(of_kind - expected).max() < 2e-13 * abs(expected)
    assert not found[~within].any()


@pytest.mark.parametrize("m", [1, 5, 40])
def test_the_farthest_point_keeps_its_share_where_opendataval_starts_at_the_number_of_validation_points(m):
    """OpenDataVal starts its recursion at rank m in place of n: values lack 1/n where the farthest point matches."""
    X = np.arange(20.0)[:, None]
    y = np.ones(20, dtype=int)
    y[:5] = 0
    found = fastsa.knn_shapley(X, y, np.zeros((m, 1)), np.ones(m, dtype=int), k=3)
    assert found[-1] == pytest.approx(1 / 20, abs=1e-15)
    assert found.sum() == pytest.approx(0.0, abs=1e-15)


def test_validation_points_do_not_touch_each_other_where_pydvl_and_dattri_mixed_them():
    """pyDVL before 0.10 (issue 613) coupled test points; dattri (PR 126) misaligned their labels between batches."""
    rng = np.random.default_rng(2)
    X, y, X_val, y_val = rng.normal(size=(300, 3)), rng.integers(0, 3, 300), rng.normal(size=(70, 3)), np.arange(70) % 3
    together = np.concatenate(list(fastsa.knn_shapley(X, y, X_val, y_val, reduce=False)))
    for v in range(70):
        alone = fastsa.knn_shapley(X, y, X_val[v : v + 1], y_val[v : v + 1])
        assert alone.tobytes() == together[v].tobytes()


def test_two_votes_agree_where_shapiq_counts_points_at_a_tiny_distance_as_at_none():
    """shapiq 1.8.0 takes distances below 1e-8 for zero (numpy.isclose), and all other weights then for none."""
    X, y = np.array([[1e-9], [3e-9], [3e-9]]), [1, 0, 0]
    tiny = fastsa.knn_shapley(X, y, [[0.0]], [1], k=3, variant="weighted", bits=3)
    usual = fastsa.knn_shapley(X * 1e9, y, [[0.0]], [1], k=3, variant="weighted", bits=3)
    assert tiny.tobytes() == usual.tobytes()
