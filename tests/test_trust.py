"""The experiments on trust: their formulas against simulations, and their small forms."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("scipy")
sys.path.append(str(Path(__file__).parents[1]))  # behind the installed package

from bench.paper import vit  # noqa: E402
from bench.trust import (  # noqa: E402
    bounds,
    certificates,
    control_variates,
    coverage,
    known_errors,
    linear,
    noise,
    refreshing,
    shortened,
    surrogates,
    theory,
)
from fastsa import estimators  # noqa: E402


def noisy(truth, stderr, rng, samples=4):
    return coverage.labels_of(
        truth + stderr * np.sqrt(samples) * rng.normal(size=(samples, truth.size)), estimators.Distributional()
    )


def test_the_bound_of_equation_4_is_attained_by_a_shift_along_the_bias():
    """Without noise L~ of truth + 2 x bias is B and L is 4 B: (sqrt(B) + sqrt(B))^2. Four standard errors."""
    gap, low, error, high, inside, _ = bounds.one_bound(
        "truth + 2 x the bias", 0.25, 0.0, 20, 20_000, np.random.default_rng(0)
    )
    assert error == pytest.approx(1.0) and inside and low < 0.01
    assert high == pytest.approx(1.0, rel=0.04) and gap == pytest.approx(0.25, rel=0.04)


def test_an_error_outside_both_sides_is_called_outside(monkeypatch):
    monkeypatch.setattr(linear.Linear, "error", lambda self, weights: 1.2)
    assert not bounds.one_bound("truth + 2 x the bias", 0.25, 0.0, 20, 20_000, np.random.default_rng(0))[4]


def test_theorem_1_has_the_second_moment_of_contexts_weighted_by_their_squared_norm():
    """The largest eigenvalue of Sigma_q of normal contexts, from 400,000 of them; 2 % are over five standard errors."""
    variances, D, N = np.array([0.5, 1.0, 2.0]), 3.0, 0.7
    b = np.random.default_rng(0).normal(size=(400_000, 3)) * np.sqrt(variances)
    squares = (b**2).sum(axis=1)
    largest = np.linalg.eigvalsh((b * squares[:, None]).T @ b / squares.sum())[-1]
    expected = 4 * 3.5 * (N + 4 * largest * D**2) / (0.5 * 101)
    assert linear.theorem_1(variances, np.array([N]), D, np.array([100])).item() == pytest.approx(expected, rel=0.02)


def test_projected_sgd_takes_the_first_two_steps_of_theorem_1():
    theta, variances = np.array([[1.0, -2.0]]), np.array([1.0, 0.5])
    found = linear.projected_sgd(theta, variances, np.array([0.0]), 10.0, [1, 2], np.random.default_rng(3))
    b = np.random.default_rng(3).normal(size=2) * np.sqrt(variances)  # the first step, of size 2 / (1 (1 + 1)), from 0
    after = 2 * (theta[0] @ b) * b
    after *= min(1.0, 10 / np.linalg.norm(after))
    expected = [((w - theta[0]) ** 2) @ variances for w in (np.zeros(2), (0 * after + 2 * after) / 3)]
    assert found[0].tolist() == pytest.approx(expected)


def test_least_squares_errs_by_bias_plus_noise_times_d_over_n_minus_d_minus_1():
    found = linear.least_squares_errors(200, 60, 20, 5, N=1.0, B=0.1)
    expected, stderr = 0.1 + 20 / 39, np.std(found) / np.sqrt(200)
    assert abs(np.mean(found) - expected) < 4 * stderr and stderr < 0.03 * expected


def test_measured_noise_thresholds_are_where_the_formulas_say():
    low, high, beyond = noise.crossings(400, 40, 0.2, 40, np.random.default_rng(0))
    r = 40 / 359
    assert low == pytest.approx(0.2 * (1 + r) / (1 - r), rel=0.05) and high == pytest.approx(0.8 / r - 0.2, rel=0.15)
    assert 0.2 < beyond < 1


def test_errors_against_a_noisy_truth_are_those_against_the_truth_itself():
    """Four standard errors of 20,000 squares, which the truth's own noise would pass by far."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000)
    measured = noisy(truth, 0.5, rng)
    squared = known_errors.per_item((truth + 0.3)[:, None], measured)
    assert abs(squared.mean() - 0.09) < 4 * squared.std() / np.sqrt(20_000) < 0.02
    assert known_errors.signal(measured) == pytest.approx(1.0, abs=0.05)


def test_the_interval_of_a_difference_is_jackknifed_over_blocks_that_share_draws():
    rng = np.random.default_rng(0)
    repeated = np.repeat(rng.normal(size=100), 4)
    alone, blocks = (
        coverage.labels_of(rng.normal(size=(2, 400)), estimators.Distributional(shared=shared)) for shared in (1, 4)
    )
    widths = [
        known_errors.half_width(known_errors.of_means(lambda x: x, repeated, labels=some)) for some in (alone, blocks)
    ]
    assert widths[1] / widths[0] == pytest.approx(2.0, rel=0.05)


def test_certified_values_that_are_wrong_by_a_bias_are_called_outside():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=2000)
    p, measured = (truth + 0.5 * rng.normal(size=2000))[:, None], noisy(truth, 0.1, rng)
    right = certificates.certified(p, noisy(truth, 0.2, rng), measured)
    wrong = certificates.certified(p, noisy(truth + 0.4, 0.2, rng), measured)
    assert right["inside"] and right["half_width"] < 0.1 and not wrong["inside"]
    assert right["known"][0] == pytest.approx(0.25, rel=0.15)


def test_refined_errors_of_known_sources_are_at_the_bound():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=5000)
    found = certificates.budget(
        (truth + 0.5 * rng.normal(size=5000))[:, None], noisy(truth, 0.5, rng), noisy(truth, 0.05, rng)
    )
    assert found["to_bound"][0] == pytest.approx(1.0, abs=0.03) and found["to_better"][0] == pytest.approx(
        0.5, abs=0.03
    )
    assert all(abs(found["covered"][which] - 0.95) < 0.015 for which in ("own, t", "pooled", "refined"))
    assert found["covered"]["own, 1.96"] < 0.92


def test_blocks_taken_as_independent_cover_too_seldom():
    """60 repetitions: below 48 of 60 at 95 % happens once in 100,000."""
    setting = coverage.BLOCKS[0]
    hits = np.array([coverage.blocks(setting, np.random.default_rng(i)) for i in range(60)])
    right, wrong = hits.sum(axis=0)
    assert right >= 48 and wrong < right


def test_certificates_of_two_tasks_are_printed_drawn_and_kept(tmp_path, capsys):
    tasks = ["digits, KNN", "digits, MLP"]
    certificates.main(["--small", "--seeds", "2", "--out", str(tmp_path), "--tasks", *tasks])
    printed = capsys.readouterr().out
    assert "of 4 task-seeds" in printed and "half-width at most 10 % of the error: FAILS on" in printed
    found = json.loads((tmp_path / "certificates.json").read_text())
    assert list(found) == tasks and (tmp_path / "certificates.png").stat().st_size > 10_000
    for some in found.values():
        assert [s["seed"] for s in some] == [0, 1] and some[0]["certified"] != some[1]["certified"]


def test_the_small_theory_prints_four_tables_and_draws(tmp_path, capsys):
    theory.main(["--small", "--seeds", "3", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert all(title in printed for title in ("Eq. 4:", "Theorem 1:", "Bias and noise", "Noise tolerance"))
    assert "Theorem 1 holds in 60 of 60 checkpoints" in printed and (tmp_path / "theory.png").exists()
    with pytest.raises(SystemExit):
        theory.main(["--seeds", "1"])


@pytest.mark.parametrize("setting", [coverage.Setting(1000, 3, 0.4, 2.0), coverage.Setting(500, 2, 0.7, 1.0)])
def test_doubt_is_the_spread_of_certified_errors_over_the_error(setting):
    """The spread of 400 certificates is known to 3.5 %."""
    rng, errors = np.random.default_rng(0), []
    for _ in range(400):
        truth = rng.normal(size=setting.items)
        samples = truth + setting.sigma * rng.normal(size=(setting.samples, setting.items))
        labels = coverage.labels_of(samples, estimators.Distributional())
        predictions = (truth + setting.tau * rng.normal(size=setting.items))[:, None]
        errors.append(known_errors.per_item(predictions, labels).mean())
    assert np.mean(errors) == pytest.approx(setting.tau**2, abs=4 * setting.doubt * setting.tau**2 / 20)
    assert np.std(errors) / setting.tau**2 == pytest.approx(setting.doubt, rel=0.14)


def test_coverage_outside_94_to_96_percent_is_called_a_failure():
    rows = [("a", 95.0, None, 2000), ("b", 96.1, None, 2000), ("c, taken as independent", 80.0, None, 2000)]
    rows.append(("d, size not told by labels", 99.0, None, 2000))
    assert coverage.verdict(rows) == ["94 to 96 %: kept by 1 of 2", "FAILS: b (96.1)"]
    assert "too few to tell" in coverage.verdict([("a", 95.0, None, 50)])[0]


def test_a_shortened_network_of_all_blocks_is_the_classifier():
    torch.manual_seed(0)
    whole = vit.Classifier(depth=2).eval()
    images = torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        same, other = (shortened.Shortened(whole, kept).eval()(images) for kept in ((0, 1), (0,)))
        torch.testing.assert_close(same, whole(images).softmax(dim=1), rtol=1e-5, atol=1e-6)
    assert (other - same).abs().max() > 1e-3


def test_one_patch_joins_coalitions_of_all_sizes_alike(monkeypatch):
    """Chi-square of 9 sizes at 2,000 pairs; an unbiased draw exceeds 30 with probability 2e-4."""
    monkeypatch.setattr(shortened, "PART", 1000)
    images = torch.rand(7, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    first = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 2)).eval()
    pairs = shortened.asked(first, images, 9, 2000, seed=0)
    before, after = pairs.keep[:, 0], pairs.keep[:, 1]
    assert ((after.int() - before.int()).sum(dim=1) == 1).all() and (after >= before).all()
    counts = torch.bincount(before.sum(dim=1), minlength=9).double()
    assert counts.numel() == 9 and ((counts - 2000 / 9) ** 2 / (2000 / 9)).sum() < 30
    joined = (after ^ before).int().argmax(dim=1)
    assert torch.bincount(joined, minlength=9).min() > 150
    shown = images[pairs.image[5]].reshape(36).clone()
    for pixel in range(36):
        row, column = divmod(pixel, 6)
        shown[pixel] *= after[5, 3 * (row // 2) + column // 2]
    torch.testing.assert_close(pairs.answers[5, 1], first(shown[None])[0].detach())


def test_plain_permutations_take_so_many_times_the_seconds_of_controlled_ones():
    """The least product of time and variance over a grid of how many permutations are of the cheap game alone."""
    fewer, time = 4.0, 0.05
    alone = np.geomspace(0.01, 100, 100_001)
    products = (1 / fewer + 1 / alone) * (1 + time + alone * time)
    learning = control_variates.Learning(80_000, time)
    assert learning.fewer_seconds(fewer) == pytest.approx(1 / products.min(), rel=1e-6)
    assert learning.broken_even(500, fewer) == pytest.approx(80_000 / 1500)
    assert learning.broken_even(500, 0.9) == np.inf


def test_the_z_test_knows_that_its_variances_are_of_few_samples(monkeypatch):
    """20,000 unbiased labels of 2 x 4 samples: the largest ratio is that of t, far beyond the normal's; a bias is still seen."""
    shift, rng = np.zeros((1, 20_000, 1)), np.random.default_rng(0)

    def collect(game, estimator, samples, items, seed, role="certify"):
        drawn = shift + np.random.default_rng(seed).normal(size=(samples, 1, 20_000, 1))
        return SimpleNamespace(mean=drawn.mean(axis=0), stderr=drawn.std(axis=0, ddof=1) / np.sqrt(samples))

    monkeypatch.setattr(control_variates, "collect", collect)
    nothing = np.zeros((1, 20_000, 1))
    truth = 0.01 * rng.normal(size=nothing.shape)
    case = control_variates.Case("", None, None, None, np.arange(1), truth, nothing + 1e-4, nothing, 50, np.inf)
    runs = [collect(None, None, 4, None, 1000 + run) for run in range(2)]
    ratios = np.mean([r.mean for r in runs], axis=0) / np.sqrt(np.mean([r.stderr**2 for r in runs], axis=0) / 2)
    z, limit = control_variates.largest_z(case, None, 4, 2, 0)
    assert z < limit < 0.7 * np.abs(ratios).max()
    shift[0, 7] = 12.0
    assert control_variates.largest_z(case, None, 4, 2, 0)[0] > limit


def test_labels_that_stay_are_refined_or_refreshed_cost_the_same_and_differ_only_on_their_way(tmp_path, capsys):
    """With all samples in, refined labels are the fixed ones; the networks of all three are others, seed by seed."""
    refreshing.main(["--small", "--seeds", "2", "--tasks", "synthetic", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert all(f"synthetic, {kept}: networks on labels of equal evaluations" in printed for kept in refreshing.KEPT)
    (found,) = json.loads((tmp_path / "refreshing.json").read_text()).values()
    assert len(found) == 2 * 3 * 2
    errors = [r["errors"]["held out"] for r in found if r["kept"] == "last epoch"]
    assert len(set(errors)) == 6 and 0.3 < min(errors) and max(errors) < 2
    evaluated = []

    def counted(x):
        evaluated.append(len(x))
        return x.prod(axis=1)

    X = np.random.default_rng(0).normal(size=(30, 4))
    game = refreshing.Case(counted, refreshing.games.Baseline(), X).game(slice(0, 30))
    spent = []
    for mode in refreshing.MODES:
        evaluated.clear()
        refreshing.fitted(mode, X, refreshing.stream(game, 4, "train", 0), None, 8, 0)
        spent.append(sum(evaluated))
    the_empty = 1  # of the game, asked by the first
    assert spent[0] - the_empty == spent[1] == spent[2] > 0
    with pytest.raises(SystemExit):
        refreshing.main(["--seeds", "1"])


def test_informed_explainers_of_every_choice_spend_the_same(monkeypatch):
    """Within 2 %, on a stand-in for Adult of 4 variables."""
    rng = np.random.default_rng(0)

    def model(x):
        return np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + x[:, 3]

    masker = surrogates.games.Marginal(rng.normal(size=(surrogates.BACKGROUND, 4)))
    monkeypatch.setattr(
        surrogates.tasks, "boosted_trees", lambda items, fitted, folder: (model, masker, rng.normal(size=(items, 4)))
    )
    found = surrogates.measured(300, 50, 3, 40, 2, None)
    spent = [r["evaluations"] for records in found.values() for r in records]
    assert len(found) == 5 and len(spent) == 10 and min(spent) > 0.98 * max(spent)
    assert found["linear"][0]["each"] == 1 and found["occlusion and alone"][0]["each"] == 10
    assert [r["error"] for r in found["none"]] != [r["error"] for r in found["additive"]]
    row = {r[0]: r for r in surrogates.table(found).rows}["additive"]
    assert row[7] == pytest.approx(
        np.mean([a["error"] / b["error"] for a, b in zip(found["additive"], found["none"], strict=True)])
    )
