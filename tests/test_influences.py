"""Influences are what refits move a score by, to first order, and a valuation net that starts from them is the better one."""

from __future__ import annotations

import doctest
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize

import fastsa
from fastsa import games, utilities
from fastsa.amortize import Influences, ValuationNet
from fastsa.amortize.valuation import influences as module
from fastsa.amortize.valuation.influence_start import InfluenceStart
from fastsa.amortize.valuation.informed_start import InformedStart


def blobs(seed, n, n_classes, d=3, spread=1.5):
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(7).normal(size=(n_classes, d)) * spread
    y = rng.integers(0, n_classes, n).astype(np.int32)
    return centers[y] + rng.normal(size=(n, d)), y


def fitted(X, y, weights, n_classes, C):
    """Softmax weights [k + 1, n_classes] of the penalised fit with a weight for every row, by scipy; two classes share one vector."""
    z = np.concatenate([X, np.ones((len(X), 1))], axis=1)
    halves = n_classes == 2

    def softmax_weights(flat):
        W = flat.reshape(z.shape[1], -1)
        return np.concatenate([-W, W], axis=1) / 2 if halves else W

    def loss(flat):
        W = softmax_weights(flat)
        logits = z @ W
        top = logits.max(axis=1)
        log_loss = top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - logits[np.arange(len(y)), y]
        penalty = (W[:-1] ** 2).sum() * (2.0 if halves else 1.0)
        return C * weights @ log_loss + penalty / 2

    start = np.zeros(z.shape[1] * (1 if halves else n_classes))
    return softmax_weights(minimize(loss, start, method="BFGS", options={"gtol": 1e-9}).x)


def log_likelihood(W, X, y):
    logits = np.concatenate([X, np.ones((len(X), 1))], axis=1) @ W
    top = logits.max(axis=1, keepdims=True)
    logits = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    return logits[np.arange(len(y)), y].mean()


@pytest.mark.filterwarnings("ignore:.*precision loss:RuntimeWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
def test_influence_is_the_derivative_of_a_refitted_score_in_the_weight_of_a_new_row(n_classes, monkeypatch):
    """All coalitions are the whole pool here, so that there is one fit; a row of weight 1e-3 joins."""
    monkeypatch.setattr(module, "_TOLERANCE", 1e-7)
    X, y = blobs(0, 60, n_classes)
    X_val, y_val = blobs(1, 40, n_classes)
    X_new, _ = blobs(2, 4, n_classes)
    law = np.eye(61)[60]
    influences, probabilities = Influences.fit(X, y, X_val, y_val, n_classes=n_classes, size_law=law, C=0.7).of(X_new)
    before = log_likelihood(fitted(X, y, np.ones(60), n_classes, 0.7), X_val, y_val)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(4))
    for row in range(4):
        for c in range(n_classes):
            more = np.concatenate([X, X_new[row : row + 1]]), np.append(y, c).astype(np.int32)
            W = fitted(*more, np.append(np.ones(60), 1e-3), n_classes, 0.7)
            expected = (log_likelihood(W, X_val, y_val) - before) / 1e-3
            for stratum in range(4):
                assert influences[row, c, 4 * stratum] == pytest.approx(expected, rel=0.02, abs=2e-5)


def test_a_class_that_some_coalitions_lack_has_influences_of_the_size_of_the_others():
    """Without the class a gradient asked for all intercepts to rise, which costs next to nothing: 10,000 times the others."""
    X, y = blobs(4, 300, 3)
    rare = np.flatnonzero(y == 2)
    X, y = np.delete(X, rare[6:], axis=0), np.delete(y, rare[6:])
    law = np.zeros(21)
    law[16:] = 0.2
    influences = Influences.fit(X, y, *blobs(5, 90, 3), n_classes=3, size_law=law)
    assert (~influences.present).any()
    sizes = np.abs(influences.of(X)[0]).max(axis=(0, 2))
    assert sizes[2] < 10 * sizes[:2].max()


def test_the_same_data_give_the_same_bytes_and_rows_do_not_depend_on_others():
    X, y = blobs(0, 200, 3)
    law = np.full(200, 1 / 200)
    one, other = (Influences.fit(X, y, X[:50], y[:50], n_classes=3, size_law=law, seed=4) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one.arrays().values(), other.arrays().values(), strict=True))
    whole, part = one.of(X)[0], one.of(X[7:9])[0]
    np.testing.assert_allclose(part, whole[7:9], rtol=1e-12, atol=1e-15)


def test_coalitions_have_the_sizes_of_the_law():
    law = np.zeros(100)
    law[[20, 60]] = 0.5
    assert np.unique(module._quantiles(law, 1, 100), return_counts=True)[1].tolist() == [32, 32]
    assert module._quantiles(np.eye(100)[0], 15, 100).tolist() == [15] * 64
    assert module._quantiles(np.eye(10_000)[9_999], 15, 400).tolist() == [400] * 64


@pytest.fixture(scope="module")
def valued():
    """A pool of 40 features with wrong classes, its labels of 4 samples, and values by 1,500."""
    X, y = blobs(3, 400, 3, d=40, spread=0.25)
    y[:40] = (y[:40] + 1) % 3
    X_val, y_val = blobs(4, 200, 3, d=40, spread=0.25)
    game = games.DataGame(utilities.Logistic(), X, y, X_val, y_val)
    estimator = fastsa.estimators.Distributional(20, 100, shared=20)

    def labels(role, samples):
        return fastsa.LabelStream(game, estimator, samples=samples, role=role).collect()

    influences = Influences.fit(X, y, X_val, y_val, n_classes=3, size_law=estimator.size_law(400), C=1.0)
    return X, y, labels("train", 4), labels("select", 1), labels("truth", 500), influences


def error(values, truth):
    return fastsa.metrics.agreement(values, truth.mean[:, 0], truth_variance=truth.stderr[:, 0] ** 2).normalized_error


def test_a_net_that_starts_from_influences_has_less_than_half_the_error(valued):
    X, y, train, select, truth, influences = valued
    plain = ValuationNet().fit(X, y, train, select=select, n_classes=3)
    informed = ValuationNet().fit(X, y, train, select=select, n_classes=3, influences=influences)
    assert isinstance(informed.start_, InformedStart)
    assert error(informed.predict(X, y), truth) < 0.5 * error(plain.predict(X, y), truth)


def test_the_start_of_less_select_loss_is_taken(valued):
    """Values that are linear in the features of other classifiers' steps: there influences of these validation points lose."""
    X, y, train, select, _, influences = valued
    plain = ValuationNet(epochs=0).fit(X, y, train, select=select, n_classes=3)
    values = plain.start_.predict_all(X)[np.arange(400), y]
    noise = np.random.default_rng(0).normal(size=(2, 400)) * values.std() / 20
    made = [
        SimpleNamespace(mean=(values + e)[:, None], count=np.full(400, 4), stderr=np.zeros((400, 1))) for e in noise
    ]
    net = ValuationNet(epochs=0).fit(X, y, made[0], select=made[1], n_classes=3, influences=influences)
    assert isinstance(net.start_, InfluenceStart)
    unselected = ValuationNet(epochs=0).fit(X, y, made[0], n_classes=3, influences=influences)
    assert isinstance(unselected.start_, InformedStart)


def test_influences_of_the_points_are_computed_once_in_a_fit_and_the_start_is_that_of_its_own_prediction(
    valued, monkeypatch
):
    X, y, train, select, _, influences = valued
    asked, of = [], Influences.of

    def counted(self, points):
        asked.append(len(points))
        return of(self, points)

    monkeypatch.setattr(Influences, "of", counted)
    net = ValuationNet(epochs=0).fit(X, y, train, select=select, n_classes=3, influences=influences)
    assert asked == [400] and isinstance(net.start_, InformedStart)
    loss = np.average((net.start_.predict_all(X)[np.arange(400), y] - train.mean[:, 0]) ** 2, weights=train.count)
    assert net.history_["train"][0] == loss  # before any step the net is its start
    assert asked == [400, 400]


def test_an_informed_net_is_saved_and_predicts_the_same_bytes(valued, tmp_path):
    X, y, train, select, _, influences = valued
    net = ValuationNet(epochs=1, pretrain_epochs=1).fit(X, y, train, select=select, n_classes=3, influences=influences)
    net.save(tmp_path / "net.safetensors")
    assert ValuationNet.load(tmp_path / "net.safetensors").predict_all(X).tobytes() == net.predict_all(X).tobytes()


def test_the_valuator_is_informed_unless_it_is_told_not_to_be():
    X, y = blobs(5, 200, 2)
    starts = []
    for informed in (True, False):
        valuator = fastsa.DataValuator(samples=2, informed=informed)
        valuator.fit(X[:120], y[:120], X[120:], y[120:], progress=False)
        starts.append({type(net.start_).__name__ for net in valuator.nets_})
    assert starts == [{"InformedStart"}, {"InfluenceStart"}]
    with pytest.raises(TypeError, match="informed"):
        fastsa.DataValuator(informed="yes")


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        ({"size_law": np.zeros(4)}, ValueError, "size_law is no law of sizes"),
        ({"size_law": np.array([0.5, np.nan])}, ValueError, "size_law is no law of sizes"),
        ({"y": np.zeros(3, np.int32)}, ValueError, "y has shape"),
        ({"y_val": np.full(50, 3, np.int32)}, ValueError, "y_val reaches from 3 to 3"),
        ({"X_val": np.full((50, 3), np.nan)}, ValueError, "X_val"),
    ],
)
def test_bad_input_is_refused(change, error, complaint):
    X, y = blobs(0, 50, 3)
    given = {"X": X, "y": y, "X_val": X, "y_val": y, "size_law": np.full(50, 0.02)} | change
    with pytest.raises(error, match=complaint):
        Influences.fit(**given, n_classes=3)


def test_a_net_refuses_influences_that_do_not_fit_it(valued):
    X, y, train, _, _, influences = valued
    with pytest.raises(ValueError, match="influences are another start"):
        ValuationNet(start="constant").fit(X, y, train, n_classes=3, influences=influences)
    with pytest.raises(ValueError, match="influences are of 40 features and 3 classes"):
        ValuationNet().fit(X[:, :2], y, train, n_classes=3, influences=influences)
    with pytest.raises(TypeError, match="expected fastsa.amortize.Influences"):
        ValuationNet().fit(X, y, train, n_classes=3, influences=np.zeros(3))


def test_the_example_runs():
    assert doctest.testmod(module, extraglobs={"Influences": Influences}).failed == 0
