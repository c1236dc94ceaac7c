"""Comparisons over seeds in bench/curation are paired, signed in favour of what is better, and sure only where they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def over_seeds():
    path = Path(__file__).parents[1] / "bench" / "curation" / "over_seeds.py"
    spec = importlib.util.spec_from_file_location("over_seeds", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOSS = "filtered, log-loss"


@pytest.fixture(scope="module")
def seeds():
    """Seeds differ by far more than methods do: only a paired comparison can tell them apart."""
    rng = np.random.default_rng(31)
    made = []
    for _ in range(6):
        luck = rng.normal()
        near = luck + 0.01 * rng.normal(size=4)
        values = {"ours": near[0] + 0.1, "MC": near[1], "KNN-Shapley, k=1": near[2] - 0.1, "KNN-Shapley, k=5": near[3]}
        made.append({"AUPRC": values, LOSS: values})
    return made


def test_a_lead_is_the_mean_paired_difference_with_students_interval(over_seeds, seeds):
    lead, spread = over_seeds.ahead(seeds, "AUPRC", "ours", "MC")
    known = stats.ttest_rel(
        [seed["AUPRC"]["ours"] for seed in seeds], [seed["AUPRC"]["MC"] for seed in seeds]
    ).confidence_interval(0.95)
    assert spread == pytest.approx((known.low, known.high)) and 0.0 < spread[0] < lead < spread[1] < 0.2
    assert lead == pytest.approx(0.1, abs=0.02)


def test_a_lower_loss_is_ahead(over_seeds, seeds):
    lead, (low, high) = over_seeds.ahead(seeds, "AUPRC", "ours", "MC")
    assert over_seeds.ahead(seeds, LOSS, "ours", "MC") == (-lead, pytest.approx((-high, -low)))


def test_the_best_of_the_grid_is_the_one_with_the_best_mean(over_seeds, seeds):
    assert over_seeds.best_knn(seeds, "AUPRC") == "KNN-Shapley, k=5"
    assert over_seeds.best_knn(seeds, LOSS) == "KNN-Shapley, k=1"


def test_one_seed_decides_nothing(over_seeds, seeds):
    assert over_seeds.ahead(seeds[:1], "AUPRC", "ours", "MC")[1] is None
    assert "beats" not in over_seeds.verdict(seeds[:1], "ours", "MC")


def test_a_verdict_says_what_the_intervals_say(over_seeds, seeds):
    assert over_seeds.verdict(seeds, "ours", "MC").splitlines() == [
        "ours:",
        "  beats Monte Carlo in AUPRC.",
        f"  loses to Monte Carlo in {LOSS}.",
        "  beats the best KNN-Shapley in AUPRC.",
        f"  loses to the best KNN-Shapley in {LOSS}.",
    ]


def test_the_contest_has_a_row_for_each_way_of_relabelling(over_seeds, seeds):
    measure = "relabelled, accuracy"
    more = [
        seed | {measure: seed["AUPRC"] | {"ours" + over_seeds.BY_CLASSIFIER: seed["AUPRC"]["MC"]}} for seed in seeds
    ]
    table = over_seeds.contest(more, "ours", "MC", "")
    assert table.names == ["AUPRC", LOSS, measure, measure + over_seeds.BY_CLASSIFIER]
    assert table[measure, "ahead"] == table["AUPRC", "ahead"]
    assert table[measure + over_seeds.BY_CLASSIFIER, "ahead"] == 0.0
