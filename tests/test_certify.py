"""Certified errors: intervals that cover, labels that are refused, and the trap of items that share draws."""

from __future__ import annotations

import numpy as np
import pytest
from small_games import table
from synthetic_labels import labels_of

from fastsa import LabelStream, estimators, exact, games
from fastsa.metrics import certify

MEASURES = ("error", "noise", "signal", "explained_variance", "attainable_correlation")


def test_the_naive_error_counts_the_noise_and_the_certified_one_does_not():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=20_000)
    labels = labels_of((truth + 2.0 * rng.normal(size=(4, 20_000)))[..., None])
    p = truth + 0.5 * rng.normal(size=20_000)
    result = certify(p, labels)
    assert np.mean((p - labels.mean[:, 0]) ** 2) == pytest.approx(1.25, rel=0.05)
    assert result.error.low < 0.25 < result.error.high < 0.30


def test_two_labels_give_the_mean_product_of_their_residuals():
    rng = np.random.default_rng(4)
    a, b = (labels_of(rng.normal(size=(3, 50, 2)), first=3 * part) for part in range(2))
    p = rng.normal(size=(50, 2))
    assert certify(p, a, b).error.value == pytest.approx(np.mean((p - a.mean) * (p - b.mean)), rel=1e-12)


def test_one_labels_gives_the_mean_product_over_all_pairs_of_its_samples():
    rng = np.random.default_rng(5)
    samples, p = rng.normal(size=(4, 30, 1)), rng.normal(size=30)
    residual = p[None] - samples[..., 0]
    pairs = [np.mean(residual[i] * residual[j]) for i in range(4) for j in range(4) if i != j]
    assert certify(p, labels_of(samples)).error.value == pytest.approx(np.mean(pairs), rel=1e-12)


def test_players_of_one_input_are_one_unit_where_inputs_are_games():
    rng = np.random.default_rng(6)
    samples = rng.normal(size=(3, 40, 5, 2))
    labels = labels_of(samples, one_game=False, estimator=estimators.PermutationShapley())
    result = certify(np.zeros((40, 5, 2)), labels)
    assert result.basis == "40 items" and result.n_items == 40
    assert result.error.value == pytest.approx(np.mean(labels.mean**2 - labels.stderr**2), rel=1e-12)


def test_groups_have_certificates_of_their_own():
    rng = np.random.default_rng(7)
    truth, kind = rng.normal(size=4_000), np.repeat(["clean", "noisy"], 2_000)
    labels = labels_of((truth + rng.normal(size=(3, 4_000)))[..., None])
    p = truth + np.where(kind == "noisy", 1.0, 0.2) * rng.normal(size=4_000)
    result = certify(p, labels, groups=kind)
    assert result.groups["clean"].error.low < 0.04 < result.groups["clean"].error.high < 0.2
    assert result.groups["noisy"].error.low < 1.0 < result.groups["noisy"].error.high
    np.testing.assert_allclose(np.mean([g.error.value for g in result.groups.values()]), result.error.value)
    assert "error, group noisy" in str(result)


def test_an_exact_game_lies_inside_the_interval_of_its_certificate():
    game = table(6, outputs=1, seed=8)
    truth = exact(game)
    parts = [
        LabelStream(game, estimators.PermutationShapley(), samples=200, first_sample=200 * b, role="certify").collect()
        for b in range(20)
    ]
    p = truth + np.linspace(-1, 1, 6)[:, None]
    result = certify(p, *parts, level=0.999)
    assert result.error.low < np.mean((p - truth) ** 2) < result.error.high < 2 * np.mean((p - truth) ** 2)


def leaky(rng, by_sample, n=400, k=4):
    """(certified, true) error of a regression on the directions that the noise of all items takes, cross-fitted."""
    directions = rng.normal(size=(n, 6))
    samples = rng.normal(size=(2 * k, 6)) @ directions.T  # the truth is 0: all that can be learnt is the common noise

    def fitted(label, at):
        return np.linalg.lstsq(directions[at], label[at], rcond=None)[0]

    if by_sample:
        p, held = directions @ fitted(samples[:k].mean(axis=0), slice(None)), samples[k:]
    else:
        even, held = np.arange(n) % 2 == 0, samples
        of_odd, of_even = (directions @ fitted(held.mean(axis=0), fold) for fold in (~even, even))
        p = np.where(even, of_odd, of_even)
    return np.mean((p - held.mean(axis=0)) ** 2 - held.var(axis=0, ddof=1) / len(held)), np.mean(p**2)


def test_where_items_share_draws_folds_of_items_certify_noise_as_skill_and_folds_of_samples_do_not():
    rng = np.random.default_rng(9)
    certified, error = np.mean([leaky(rng, by_sample=False) for _ in range(300)], axis=0)
    assert error > 0.5 and certified < -0.9 * error  # a useless prediction, certified as better than perfect
    certified, error = np.mean([leaky(rng, by_sample=True) for _ in range(300)], axis=0)
    assert error > 0.5 and abs(certified / error - 1) < 0.15


def test_folds_of_items_are_refused_where_a_draw_lies_in_two_of_them():
    samples = np.random.default_rng(10).normal(size=(3, 64, 1))
    p, folds = np.zeros(64), np.arange(64) % 2
    shared = [
        labels_of(samples, first=3 * b, estimator=estimators.PermutationShapley(), role="train") for b in range(4)
    ]
    with pytest.raises(ValueError, match="shares every sample among all items.*cross-fit by sample"):
        certify(p, *shared, folds=folds)
    blocks = labels_of(samples, estimator=estimators.Distributional(shared=32), role="train")
    with pytest.raises(ValueError, match="shares draws among 32 neighbouring ids, and some lie in two folds"):
        certify(p, blocks, folds=folds)
    assert certify(p, blocks, folds=np.arange(64) // 32).basis == "2 blocks of 32 ids that share draws"
    assert certify(p, labels_of(samples, role="train"), folds=folds).n_items == 64


def test_labels_of_training_and_selection_are_refused_unless_other_samples_were_seen():
    rng = np.random.default_rng(11)
    samples, p = rng.normal(size=(3, 20, 1)), np.zeros(20)
    train, later = labels_of(samples, role="train"), labels_of(samples, role="train", first=3)
    with pytest.raises(ValueError, match="the labels have the role train, whose samples networks are trained"):
        certify(p, train)
    with pytest.raises(ValueError, match="role select"):
        certify(p, labels_of(samples, role="select"))
    with pytest.raises(ValueError, match="the predictions have seen the samples"):
        certify(p, train, seen=[later, train])
    held = labels_of(samples)
    with pytest.raises(ValueError, match="the predictions have seen the samples"):
        certify(p, held, seen=held)
    expected = certify(p, held).error
    assert certify(p, later, seen=train).error == expected
    assert certify(p, train, seen=()).error == expected
    elsewhere = labels_of(samples, role="train", ids=np.arange(100, 120))
    assert certify(p, train, seen=elsewhere).error == expected  # other items, whose draws are their own


def test_biased_overlapping_short_and_foreign_labels_are_refused():
    rng = np.random.default_rng(12)
    samples, p = rng.normal(size=(3, 20, 1)), np.zeros(20)
    labels = labels_of(samples)
    with pytest.raises(ValueError, match="is biased, and its bias would pass for truth"):
        certify(p, *(labels_of(samples, first=3 * b, estimator=estimators.KernelSHAP()) for b in range(4)))
    with pytest.raises(ValueError, match="two labels hold the same samples"):
        certify(p, labels, labels_of(samples, first=2))
    with pytest.raises(ValueError, match="labels of 20 items have too few samples; expected at least 2"):
        certify(p, labels_of(samples[:1]))
    with pytest.raises(ValueError, match="labels of different games"):
        certify(p, labels, labels_of(samples, first=3, fingerprint="another"))
    with pytest.raises(ValueError, match="different items or outputs"):
        certify(p, labels, labels_of(samples, first=3, ids=np.arange(20)[::-1]))
    with pytest.raises(ValueError, match="give at least 4 Labels of disjoint samples, not 1"):
        certify(p, labels_of(samples, estimator=estimators.PermutationShapley()))
    with pytest.raises(ValueError, match="make 1 independent unit; expected at least 2"):
        certify(p[:1], labels_of(samples[:, :1]))
    with pytest.raises(ValueError, match="of group b make 1 independent unit"):
        certify(p, labels, groups=np.array(["a"] * 19 + ["b"]))
    with pytest.raises(TypeError, match="labels holds a ndarray; expected fastsa.Labels"):
        certify(p, p)
    with pytest.raises(ValueError, match="no labels were given"):
        certify(p)
    with pytest.raises(ValueError, match=r"predictions have shape \(19,\); expected \(20, 1\)"):
        certify(p[:19], labels)
    with pytest.raises(ValueError, match="predictions hold NaN"):
        certify(np.full(20, np.nan), labels)
    with pytest.raises(ValueError, match="level is 1.0"):
        certify(p, labels, level=1.0)
    with pytest.raises(ValueError, match=r"groups have shape \(3,\)"):
        certify(p, labels, groups=[1, 2, 3])
    with pytest.raises(ValueError, match=r"folds have shape \(3,\)"):
        certify(p, labels, folds=[1, 2, 3])


def test_single_samples_certify_in_pairs():
    rng = np.random.default_rng(13)
    samples = rng.normal(size=(2, 30, 1))
    one = [labels_of(samples[b : b + 1], first=b) for b in range(2)]
    p = rng.normal(size=30)
    both, merged = certify(p, *one), certify(p, labels_of(samples))
    for name in MEASURES:
        np.testing.assert_allclose(getattr(both, name), getattr(merged, name), rtol=1e-9)


def test_games_of_inputs_from_a_stream_are_certified():
    game = games.ModelGame(
        lambda x: (x**2).sum(axis=1), np.random.default_rng(14).normal(size=(12, 3)), games.Baseline(np.zeros(3))
    )
    labels = LabelStream(game, estimators.PermutationShapley(), samples=3, role="certify").collect()
    result = certify(exact(game), labels)  # additive: every sample is the truth
    assert result.error.value == pytest.approx(0.0, abs=1e-24)
