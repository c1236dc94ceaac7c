"""The front door of explaining predictions: what goes in, what comes out, what is kept and paid."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

import fastsa
from fastsa import AmortizedExplainer, estimators, games
from fastsa.amortize import AttributionNet

X = np.random.default_rng(0).normal(size=(400, 4))


def model(x):
    return np.stack([x[:, 0] * x[:, 1] + x[:, 2], np.tanh(x[:, 3])], axis=1)


def longer(seed=3):
    return AttributionNet(epochs=50, efficiency=True, seed=seed)


def quick():
    return AttributionNet(epochs=2, width=8, efficiency=True)


@pytest.fixture(scope="module")
def fitted():
    return AmortizedExplainer(model, games.Baseline(), samples=5, seed=3, net=longer()).fit(X, progress=False)


def test_attributions_of_new_inputs_are_near_the_exact_ones(fitted):
    new = np.random.default_rng(1).normal(size=(100, 4))
    truth = fastsa.exact(games.ModelGame(model, new, games.Baseline()))
    found = fitted.explain(new)
    assert np.sum((found - truth) ** 2) < 0.15 * np.sum(truth**2)
    np.testing.assert_allclose(found.sum(axis=1), model(new) - model(np.zeros((1, 4))), atol=1e-12)


def test_all_samples_are_counted_and_kept_apart_by_role(fitted):
    assert (fitted.labels_.count == 5).all() and fitted.labels_.mean.shape == (400, 4, 2)
    assert sorted((r.role, r.stop) for r in fitted.labels_.ranges) == [("select", 1), ("train", 4)]
    assert set(fitted.seconds_) == {"labels", "training"}


@pytest.mark.parametrize("masker", [games.Baseline(), games.Marginal(X[:20])], ids=["baseline", "marginal"])
@pytest.mark.parametrize("samples", [5, 40])
def test_every_evaluation_of_the_model_is_counted(masker, samples):
    rows = []

    def counted(x):
        rows.append(len(x))
        return model(x)

    explainer = AmortizedExplainer(counted, masker, samples=samples, net=quick()).fit(X[:50], progress=False)
    shown = 1  # the first, which asks for the outputs
    background = 20 if isinstance(masker, games.Marginal) else 1
    by_additive = 50 + background
    assert rows[0] == shown and background in rows and rows[-1] == by_additive
    assert explainer.evaluations_ == sum(rows) - shown - background


def test_auto_takes_a_regression_where_the_samples_allow_it():
    few, many = (
        AmortizedExplainer(model, games.Baseline(), samples=n, net=quick())
        .fit(X[:50], progress=False)
        .labels_.estimator
        for n in (39, 40)
    )
    assert few == estimators.PermutationShapley(antithetic=True) and many == estimators.KernelSHAP(paired=True)


def test_values_that_are_not_efficient_are_learned_as_direction_and_norm():
    explainer = AmortizedExplainer(model, games.Baseline(), estimator=estimators.BanzhafMSR(), samples=40)
    explainer.fit(X[:150], progress=False)
    assert explainer.net_.scale == "unit" and not explainer.net_.efficiency
    truth = fastsa.exact(games.ModelGame(model, X[:150], games.Baseline()), index="banzhaf")
    assert np.sum((explainer.explain(X[:150]) - truth) ** 2) < 0.4 * np.sum(truth**2)


def test_a_model_of_one_output_has_no_axis_of_outputs():
    explainer = AmortizedExplainer(lambda x: model(x)[:, 0], games.Baseline(), samples=2, net=quick()).fit(
        X[:60], progress=False
    )
    assert explainer.explain(X[:7]).shape == (7, 4) and explainer.labels_.mean.shape == (60, 4, 1)


@pytest.mark.parametrize(
    ("inputs", "masker", "fn", "kind"),
    [
        (
            np.ones((30, 1, 4, 4)) * X[:30, :1, None, None],
            games.Patches((2, 2)),
            lambda x: x.sum(axis=(1, 2, 3)),
            "conv",
        ),
        (np.arange(90).reshape(30, 3) % 7, games.Tokens(), lambda t, m: (t * m).sum(axis=1), "tokens"),
        (np.arange(90).reshape(30, 3) % 7, games.Baseline(), lambda x: x.sum(axis=1), "mlp"),
        ((X[:30, :, None], np.ones((30, 4, 4))), games.Nodes(), lambda f, a: (a @ f).sum(axis=(1, 2)), "nodes"),
        (X[:30, :, None], games.Baseline(), lambda x: x.sum(axis=(1, 2)), "steps"),
    ],
    ids=["patches", "tokens", "integers in a table", "nodes", "steps"],
)
def test_every_masker_is_explained_by_the_kind_that_fits(inputs, masker, fn, kind):
    explainer = AmortizedExplainer(fn, masker, samples=2, net=quick()).fit(inputs, progress=False)
    values = explainer.explain(inputs)
    assert explainer.net_.kind_ == kind and values.shape == explainer.labels_.mean.shape[:2]


def test_frames_and_predictors_are_taken():
    pandas = pytest.importorskip("pandas")
    from sklearn.linear_model import LinearRegression

    frame = pandas.DataFrame(X, columns=list("abcd"))
    predictor = LinearRegression().fit(frame, X[:, 0] - 2 * X[:, 1])
    explainer = AmortizedExplainer(predictor, games.Baseline(), samples=2).fit(frame, progress=False)
    np.testing.assert_allclose(explainer.explain(frame[:50])[:, 1], -2 * X[:50, 1], atol=0.5)


def test_the_same_seed_gives_the_same_bytes(fitted):
    again = AmortizedExplainer(model, games.Baseline(), samples=5, seed=3, net=longer()).fit(X, progress=False)
    other = AmortizedExplainer(model, games.Baseline(), samples=5, seed=4, net=longer(4)).fit(X, progress=False)
    assert again.explain(X).tobytes() == fitted.explain(X).tobytes() != other.explain(X).tobytes()


def test_a_saved_explainer_is_read_as_it_was(fitted, tmp_path):
    fitted.save(tmp_path / "saved")
    again = AmortizedExplainer.load(tmp_path / "saved", model, games.Baseline())
    assert again.explain(X).tobytes() == fitted.explain(X).tobytes()
    assert again.labels_.mean.tobytes() == fitted.labels_.mean.tobytes()
    assert (again.evaluations_, again.samples, again.seed) == (fitted.evaluations_, 5, 3)
    assert not list((tmp_path / "saved").glob("*.pkl"))
    with pytest.raises(ValueError, match="was made with the masker Baseline; given was Marginal"):
        AmortizedExplainer.load(tmp_path / "saved", model, games.Marginal(X))


def test_attribute_answers_as_captum_does(fitted):
    inputs = torch.from_numpy(X[:6].astype(np.float32))
    values = fitted.explain(X[:6].astype(np.float32))
    found = fitted.attribute(inputs, target=1)
    assert found.shape == inputs.shape and found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), values[:, :, 1], rtol=1e-6)
    target = torch.tensor([0, 1, 1, 0, 0, 1])
    np.testing.assert_allclose(fitted.attribute(inputs, target).numpy(), values[np.arange(6), :, target], rtol=1e-6)
    for wrong, message in ((None, "target is None"), (2, "reaches from 2"), ([0, 1], "one for each of 6")):
        with pytest.raises(ValueError, match=message):
            fitted.attribute(inputs, wrong)
    with pytest.raises(TypeError, match="expected a torch.Tensor"):
        fitted.attribute(X[:6], 0)
    grouped = AmortizedExplainer(model, games.Groups(np.array([0, 0, 1, 1])), samples=2, net=quick()).fit(
        X[:40], progress=False
    )
    with pytest.raises(ValueError, match="Groups has no player per entry"):
        grouped.attribute(inputs, 0)


def test_without_shap_a_sentence_says_what_to_do(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(fastsa.BackendUnavailable, match="pip install shap"):
        fitted(X[:5])


@pytest.mark.filterwarnings("default")
def test_shap_takes_the_explanation_and_plots_it(fitted):
    shap = pytest.importorskip("shap")
    import matplotlib

    matplotlib.use("Agg")
    explanation = fitted(X[:30])
    assert isinstance(explanation, shap.Explanation)
    np.testing.assert_array_equal(explanation.values, fitted.explain(X[:30]))
    np.testing.assert_allclose(explanation.base_values + explanation.values.sum(axis=1), model(X[:30]), atol=1e-12)
    np.testing.assert_array_equal(explanation.data, X[:30])
    shap.plots.beeswarm(explanation[:, :, 0], show=False)
    shap.plots.waterfall(explanation[0, :, 0], show=False)
    shap.plots.bar(explanation[:, :, 1], show=False)


def test_refusals():
    with pytest.raises(ValueError, match="samples is 1; expected at least 2"):
        AmortizedExplainer(model, games.Baseline(), samples=1)
    with pytest.raises(ValueError, match="estimator is 'lime'"):
        AmortizedExplainer(model, games.Baseline(), estimator="lime")
    with pytest.raises(TypeError, match="expected 'auto' or one of fastsa.estimators"):
        AmortizedExplainer(model, games.Baseline(), estimator=3)
    with pytest.raises(TypeError, match="expected one of fastsa.games"):
        AmortizedExplainer(model, "baseline")
    with pytest.raises(ValueError, match="net is 'forest'"):
        AmortizedExplainer(model, games.Baseline(), net="forest")
    with pytest.raises(ValueError, match="objective 'coalitions', which takes no labels"):
        AmortizedExplainer(model, games.Baseline(), net=AttributionNet(objective="coalitions"))
    with pytest.raises(AttributeError, match="call fit first"):
        AmortizedExplainer(model, games.Baseline()).explain(X)
    with pytest.raises(TypeError, match="expected a torch module"):
        AmortizedExplainer(3, games.Baseline()).fit(X)
