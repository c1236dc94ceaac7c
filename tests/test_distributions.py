"""Tails of Student's t and chi-square against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fastsa.metrics.distributions import chi_square_tail, normal_scores, student_t_quantile, student_t_two_sided


@pytest.mark.parametrize("freedom", [0.7, 1, 2, 4.3, 30, 1e3, 1e5])
def test_the_tails_of_t_are_scipys_far_out_too(freedom):
    t = np.array([0.0, 1e-3, 0.1, 1.0, 3.0, 10.0, 50.0, 1e3])
    expected = 2 * stats.t.sf(t, freedom)
    seen = expected > 1e-290
    np.testing.assert_allclose(student_t_two_sided(t, np.array(freedom))[seen], expected[seen], rtol=1e-9)


@pytest.mark.parametrize("freedom", [1, 3, 9.5, 299, 10_000])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_quantiles_of_t_are_scipys(level, freedom):
    assert student_t_quantile(level, freedom) == pytest.approx(stats.t.ppf((1 + level) / 2, freedom), rel=1e-9)


@pytest.mark.parametrize("freedom", [1, 3, 50, 1_000, 20_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 1.0, 1.1, 1.5])
def test_tails_of_chi_square_are_scipys(freedom, share):
    assert chi_square_tail(share * freedom, freedom) == pytest.approx(
        stats.chi2.sf(share * freedom, freedom), rel=1e-8, abs=1e-13
    )


def test_normal_scores_undo_the_two_sided_tail():
    z = np.array([0.0, 0.5, 1.96, 6.0, 30.0])
    np.testing.assert_allclose(normal_scores(2 * stats.norm.sf(z)), z, atol=1e-7)
