"""An explainer's own certificate, and its attributions refined by an input's own labels."""

from __future__ import annotations

import numpy as np
import pytest

import fastsa
from fastsa import AmortizedExplainer, estimators, games
from fastsa.amortize import AttributionNet
from fastsa.amortize.correction.selection_error import selection_certificate

X = np.random.default_rng(0).normal(size=(300, 4))
NEW = np.random.default_rng(1).normal(size=(250, 4))
MASKER = games.Baseline()


def model(x):
    return np.stack([x[:, 0] * x[:, 1] * (1 + x[:, 2]), np.tanh(x[:, 3] + x[:, 0])], axis=1)


def quick(**options):
    return AttributionNet(**{"epochs": 4, "width": 8, "efficiency": True} | options)


def own_labels(samples, role="certify", estimator=None, inputs=NEW, seed=5):
    estimator = estimators.PermutationShapley() if estimator is None else estimator
    game = games.ModelGame(model, inputs, MASKER)
    return fastsa.LabelStream(game, estimator, samples=samples, role=role, seed=seed, n_threads=1).collect()


def squared(estimate, truth):
    return float(np.mean((estimate - truth) ** 2))


@pytest.fixture(scope="module")
def fitted():
    return AmortizedExplainer(model, MASKER, samples=5, net=quick()).fit(X, progress=False)


@pytest.fixture(scope="module")
def truth():
    return fastsa.exact(games.ModelGame(model, NEW, MASKER))


def test_refined_values_are_nearer_than_prediction_and_labels_and_sum_to_the_ends(fitted, truth):
    labels = own_labels(4)
    values = fitted.explain(NEW, labels=labels)
    assert squared(values, truth) < 0.6 * min(squared(fitted.explain(NEW), truth), squared(labels.mean, truth))
    np.testing.assert_allclose(values.sum(axis=1), model(NEW) - model(np.zeros((1, 4))), atol=1e-12)
    np.testing.assert_array_equal(values, fitted.refine(NEW, labels).values)


def test_with_more_samples_refined_values_tend_to_the_truth(fitted, truth):
    errors = [squared(fitted.explain(NEW, labels=own_labels(k)), truth) for k in (4, 40, 400)]
    assert errors[2] < errors[1] / 5 < errors[0] / 10


def test_players_whose_labels_are_exact_keep_them_though_others_are_moved(fitted, truth):
    """The second output has two null players, whose labels are exact; moving all players alike would spoil them."""
    labels = own_labels(6)
    refined = fitted.refine(NEW, labels)
    np.testing.assert_allclose(refined.values[:, 1:3, 1], 0.0, atol=1e-12)
    pooled = fastsa.amortize.refine(fitted.explain(NEW), labels)
    assert squared(refined.values, truth) < 0.9 * squared(pooled.values, truth)


def test_standard_errors_of_refined_values_cover_the_truth(fitted, truth):
    """2,000 cells at 95 %, 250 inputs: between 92 and 99 %, which chance leaves less than once in a thousand."""
    refined = fitted.refine(NEW, own_labels(6))
    inside = np.abs(refined.values - truth) <= 1.96 * refined.stderr
    assert 0.92 < inside.mean() < 0.99
    assert refined.certificate.error.low < squared(refined.values, truth) * 1.1


def test_labels_that_bring_the_ends_along_cost_no_evaluation_but_the_first():
    rows = []

    def counted(x):
        rows.append(len(x))
        return model(x)

    explainer = AmortizedExplainer(counted, MASKER, samples=5, net=quick()).fit(X[:60], progress=False)
    game = games.ModelGame(counted, NEW, MASKER)
    labels = fastsa.LabelStream(game, estimators.UnbiasedKernelSHAP(), samples=10, role="certify").collect()
    rows.clear()
    explainer.explain(NEW, labels=labels)
    assert sum(rows) == 1  # the game asks the model for its outputs


def test_the_coalitions_of_kernel_shap_refine_once_they_are_read_without_bias(fitted, truth):
    labels = own_labels(12, estimator=estimators.KernelSHAP())
    with pytest.raises(ValueError, match="KernelSHAP.* is biased"):
        fitted.explain(NEW, labels=labels)
    refined = fitted.explain(NEW, labels=labels.under(estimators.UnbiasedKernelSHAP()))
    assert squared(refined, truth) < squared(fitted.explain(NEW), truth)


def test_a_model_of_one_output_is_refined_without_an_axis_of_outputs():
    def one(x):
        return model(x)[:, 0]

    explainer = AmortizedExplainer(one, MASKER, samples=4, net=quick()).fit(X[:80], progress=False)
    game = games.ModelGame(one, NEW, MASKER)
    labels = fastsa.LabelStream(game, estimators.PermutationShapley(), samples=3, role="certify").collect()
    assert explainer.explain(NEW, labels=labels).shape == (250, 4)
    assert explainer.refine(NEW, labels).values.shape == (250, 4, 1)


@pytest.mark.parametrize("samples", [2, 5, 20], ids=["one each", "one to select by", "four to select by"])
def test_the_explainers_own_certificate_is_the_error_on_its_inputs(samples):
    """z of the mean over 12 seeds below 3.5 (false alarm 1 in 200 with t of 11 degrees): no flattery that shows."""
    inputs = X[:150]
    exact = fastsa.exact(games.ModelGame(model, inputs, MASKER))
    gaps, errors = [], []
    for seed in range(12):
        explainer = AmortizedExplainer(model, MASKER, samples=samples, net=quick(seed=seed), seed=seed)
        explainer.fit(inputs, progress=False)
        error = squared(explainer.explain(inputs), exact)
        gaps.append(explainer.error_.error.value - error)
        errors.append(error)
        assert explainer.error_.basis.endswith("by the labels that chose the epoch")
    assert abs(np.mean(gaps)) < 3.5 * np.std(gaps, ddof=1) / np.sqrt(12)
    assert np.std(gaps, ddof=1) < 0.5 * np.mean(errors)


def test_a_certificate_by_the_labels_trained_on_would_flatter_and_is_told_apart():
    """The biased twin: a memorising prediction, the label itself, has no error by its own labels."""
    train, select = own_labels(3, "train"), own_labels(2, "select")
    exact = fastsa.exact(games.ModelGame(model, NEW, MASKER))
    honest = selection_certificate(train.mean, select, train)
    assert honest.error.low < squared(train.mean, exact) < honest.error.high
    assert selection_certificate(train.mean, train, select).error.high < 0.0


def test_a_regressions_coalitions_certify_by_the_matrix_in_closed_form_and_lime_by_nothing():
    inputs = X[:150]
    exact = fastsa.exact(games.ModelGame(model, inputs, MASKER))
    explainer = AmortizedExplainer(model, MASKER, samples=80, net=quick()).fit(inputs, progress=False)
    assert isinstance(explainer.labels_.estimator, estimators.KernelSHAP)
    assert explainer.error_.error.low < squared(explainer.explain(inputs), exact) < explainer.error_.error.high
    lime = AmortizedExplainer(model, MASKER, estimator=estimators.LIME(), samples=50, net=quick(efficiency=False))
    assert lime.fit(inputs, progress=False).error_ is None


def test_a_saved_explainer_keeps_its_certificate(fitted, tmp_path):
    fitted.save(tmp_path / "saved")
    again = AmortizedExplainer.load(tmp_path / "saved", model, MASKER)
    assert again.error_ == fitted.error_
    labels = own_labels(3)
    assert again.explain(NEW, labels=labels).tobytes() == fitted.explain(NEW, labels=labels).tobytes()


def test_labels_that_do_not_fit_are_refused(fitted):
    for wrong, message in (
        (own_labels(3, "train"), "the role train, whose samples networks are trained"),
        (own_labels(3, "select"), "the role select"),
        (own_labels(3, inputs=NEW[::-1]), "labels are of other inputs"),
        (own_labels(3, inputs=NEW[:40]), "labels are of 40 inputs and X has 250"),
        (own_labels(60, estimator=estimators.BanzhafMSR()), "estimate other values than PermutationShapley"),
        (own_labels(1), "no label has two samples"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.explain(NEW, labels=wrong)
    with pytest.raises(TypeError, match="expected fastsa.Labels of these inputs"):
        fitted.explain(NEW, labels=np.zeros((250, 4, 2)))
    with pytest.raises(AttributeError, match="call fit first"):
        AmortizedExplainer(model, MASKER).explain(NEW, labels=own_labels(2))
