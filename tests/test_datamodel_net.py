"""DatamodelNet: it beats the noisy labels that it learns from, on points it has seen and on others, and comes back from disk."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fastsa import LabelStream
from fastsa.amortize import DatamodelNet, member_regression, weights_file
from fastsa.amortize.datamodels.pair_inputs import PairInputs
from fastsa.estimators import BanzhafMSR
from fastsa.games import FunctionGame
from fastsa.metrics import agreement, datamodeling_score

N, M = 240, 60


def points(rng, n):
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(np.int32)


def smooth(X, y, X_val, y_val):
    """Effects that the pair inputs do not hold: they turn with the second feature, and with how large the third is."""
    turn = np.cos(2.0 * X[:, 1])[:, None] * np.cos(2.0 * X_val[:, 1])
    same = np.where(y[:, None] == y_val, 1.0, -1.0)
    return 0.1 * same * np.exp(-((X[:, None, 0] - X_val[:, 0]) ** 2)) + 0.1 * turn + 0.05 * np.abs(X[:, None, 2])


class World:
    """A game that is additive in known effects, with interactions that datamodels cannot hold."""

    def __init__(self, effects_of):
        rng = np.random.default_rng(0)
        self.X, self.y = points(rng, N)
        self.X_val, self.y_val = points(rng, 2 * M)
        self.all_effects = effects_of(self.X, self.y, self.X_val, self.y_val)
        self.effects = self.all_effects[:, :M]
        self.pairs = rng.integers(0, N, size=(2, 40))
        self.game = FunctionGame(self.outputs, N)
        self.seen = self.X_val[:M], self.y_val[:M]

    def outputs(self, coalitions):
        together = (coalitions[:, self.pairs[0]] != coalitions[:, self.pairs[1]]).sum(axis=1)
        return coalitions @ self.effects + 0.1 * together[:, None]

    def labels(self, samples, role="train"):
        return LabelStream(self.game, BanzhafMSR(), samples=samples, role=role, seed=1).collect()


@pytest.fixture(scope="module")
def world():
    return World(smooth)


@pytest.fixture(scope="module")
def labels(world):
    return world.labels(400), world.labels(200, "select")


@pytest.fixture(scope="module")
def net(world, labels):
    return DatamodelNet().fit(world.X, world.y, *world.seen, labels[0], select=labels[1], n_classes=2)


def test_it_beats_the_labels_of_the_whole_budget_on_held_out_subsets(world, labels, net):
    """On nearly every validation point; the score of the true effects tells what is left for interactions."""
    truth = np.random.default_rng(7).random((200, N)) < 0.5
    outputs = world.outputs(truth)
    both = labels[0].merge(labels[1]).mean
    noisy = datamodeling_score(both, truth, outputs)
    ours = datamodeling_score(net.predict(world.X, world.y, *world.seen), truth, outputs)
    best = datamodeling_score(world.effects, truth, outputs)
    assert noisy.score + 0.04 < ours.score < best.score
    assert (ours.by_point > noisy.by_point).mean() > 0.8


def test_regression_on_members_corrects_it_and_beats_both(world, labels, net):
    truth = np.random.default_rng(8).random((200, N)) < 0.5
    outputs, both = world.outputs(truth), labels[0].merge(labels[1])

    def score(effects):
        return datamodeling_score(effects, truth, outputs).score

    predicted = net.predict(world.X, world.y, *world.seen)
    corrected = score(member_regression(both, predicted))
    assert corrected > score(predicted) + 0.01 and corrected > score(member_regression(both)) + 0.01
    assert score(member_regression(both)) > score(both.mean)


def test_it_is_nearer_to_the_true_effects_than_its_labels_and_its_start(world, labels, net):
    def error(effects):
        return agreement(effects.ravel(), world.effects.ravel()).normalized_error

    start = DatamodelNet(epochs=0).fit(world.X, world.y, *world.seen, labels[0], n_classes=2)
    predicted = net.predict(world.X, world.y, *world.seen)
    assert net.best_epoch_ > 0
    assert error(predicted) < 0.6 * min(error(start.predict(world.X, world.y, *world.seen)), error(labels[0].mean))


def test_it_predicts_validation_points_and_training_points_that_had_no_label(world, net):
    unseen = world.X_val[M:], world.y_val[M:]
    made = agreement(net.predict(world.X, world.y, *unseen).ravel(), world.all_effects[:, M:].ravel())
    assert made.normalized_error < 0.6
    X, y = points(np.random.default_rng(9), 200)
    new = agreement(net.predict(X, y, *unseen).ravel(), smooth(X, y, *unseen).ravel())
    assert new.normalized_error < 0.6


def test_select_labels_keep_the_start_where_there_is_nothing_to_learn():
    nothing = World(lambda X, y, X_val, y_val: 0.1 * np.where(y[:, None] == y_val, 1.0, -1.0))
    net = DatamodelNet(epochs=5).fit(
        nothing.X, nothing.y, *nothing.seen, nothing.labels(300), select=nothing.labels(100, "select"), n_classes=2
    )
    assert net.best_epoch_ == 0 and net.history_["train"].size == net.history_["select"].size == 6
    predicted = net.predict(nothing.X, nothing.y, *nothing.seen)
    assert agreement(predicted.ravel(), nothing.effects.ravel()).normalized_error < 0.05


def test_the_towers_alone_learn_it_too(world, labels):
    net = DatamodelNet(start="constant", epochs=20).fit(world.X, world.y, *world.seen, labels[0], n_classes=2)
    assert net.best_epoch_ == 20 and not net.weights_.any() and net.history_["select"].size == 0
    made = agreement(net.predict(world.X, world.y, *world.seen).ravel(), world.effects.ravel())
    assert made.normalized_error < agreement(labels[0].mean.ravel(), world.effects.ravel()).normalized_error / 2


def test_points_without_samples_take_no_part(world):
    rng = np.random.default_rng(3)
    mean = world.effects + 0.01 * rng.normal(size=world.effects.shape)
    count = np.full(N, 4)
    count[::2] = 0

    def fitted(garbage):
        given = mean.copy()
        given[::2] = garbage
        labels = SimpleNamespace(mean=given, count=count)
        return (
            DatamodelNet(epochs=2)
            .fit(world.X, world.y, *world.seen, labels, n_classes=2)
            .predict(world.X, world.y, *world.seen)
        )

    assert fitted(np.nan).tobytes() == fitted(1e6).tobytes()


def test_saved_and_loaded_it_predicts_the_same_bytes(world, net, tmp_path):
    net.save(tmp_path / "net.safetensors")
    again = DatamodelNet.load(tmp_path / "net.safetensors")
    given = world.X, world.y, world.X_val, world.y_val
    assert again.predict(*given).tobytes() == net.predict(*given).tobytes()
    assert again.best_epoch_ == net.best_epoch_ and np.array_equal(again.history_["select"], net.history_["select"])
    assert (again.hidden, again.rank, again.epochs) == (net.hidden, net.rank, net.epochs)
    weights_file.write(tmp_path / "other.safetensors", "ValuationNet", {"format": 1}, {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match="holds no DatamodelNet of format 1"):
        DatamodelNet.load(tmp_path / "other.safetensors")


def test_a_fit_repeats_and_leaves_torchs_generator_alone(world, labels):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    made = [
        DatamodelNet(epochs=2, seed=seed)
        .fit(world.X, world.y, *world.seen, labels[0], n_classes=2)
        .predict(world.X, world.y, *world.seen)
        for seed in (4, 4, 5)
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.abs(made[0] - made[1]).max() < 1e-6 < np.abs(made[0] - made[2]).max()


def test_more_validation_points_than_a_step_takes_are_all_learned(world, monkeypatch):
    from fastsa.amortize.datamodels import net

    monkeypatch.setattr(net, "_VALIDATION_POINTS_PER_STEP", 7)
    monkeypatch.setattr(net, "_BYTES_PER_CHUNK", 1000)
    labels = SimpleNamespace(mean=world.effects, count=np.full(N, 1))

    def error_by_point(epochs):
        net = DatamodelNet(epochs=epochs).fit(world.X, world.y, *world.seen, labels, n_classes=2)
        predicted = net.predict(world.X, world.y, *world.seen)
        return ((predicted - world.effects) ** 2).mean(axis=0) / world.effects.var(axis=0)

    assert (error_by_point(20) < 0.7 * error_by_point(0)).mean() > 0.9


def test_pair_inputs_are_what_they_say():
    rng = np.random.default_rng(0)
    X, y = points(rng, 50)
    X_val, y_val = points(rng, 7)
    inputs = PairInputs.fit(X, y, n_classes=2, seed=0)
    of, on = inputs.points(X, y), inputs.points(X_val, y_val)
    pairs = inputs.pairs(of, on)
    assert pairs.shape == (50, 7, inputs.n_columns)
    np.testing.assert_allclose(((of.z - of.z.mean(axis=0)) ** 2).sum(axis=1).mean(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(of.residual.sum(axis=1), 0.0, atol=1e-12)
    i, v = 3, 5
    distance = ((of.z[i] - on.z[v]) ** 2).sum()
    others = np.sort(((of.z - on.z[v]) ** 2).sum(axis=1))
    kernels = [np.exp(-distance / np.quantile(others, share)) for share in (0.01, 0.05, 0.2)]
    near = np.array([1.0, of.z[i] @ on.z[v], *kernels])
    same, residual = float(y[i] == y_val[v]), of.residual[i] @ on.residual[v]
    np.testing.assert_allclose(pairs[i, v], np.concatenate([near, same * near, residual * near]), rtol=1e-9)


def test_labels_that_are_all_alike_are_learned_in_silence(world):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = SimpleNamespace(mean=np.full((N, M), 0.25), count=np.full(N, 2))
        net = DatamodelNet().fit(world.X, world.y, *world.seen, labels, n_classes=2)
    np.testing.assert_allclose(net.predict(world.X[:5], world.y[:5], *world.seen), 0.25, rtol=0, atol=1e-9)


def test_refusals(world, labels):
    X, y, X_val, y_val = world.X, world.y, *world.seen
    net = DatamodelNet(epochs=1)
    with pytest.raises(ValueError, match="has not been fitted"):
        net.predict(X, y, X_val, y_val)
    with pytest.raises(ValueError, match=r"train.mean has shape \(240, 60\); expected \(240, 59\)"):
        net.fit(X, y, X_val[:-1], y_val[:-1], labels[0], n_classes=2)
    with pytest.raises(ValueError, match="X_val has 2 features; expected 3"):
        net.fit(X, y, X_val[:, :2], y_val, labels[0], n_classes=2)
    with pytest.raises(ValueError, match="y_val reaches from 0 to 2; expected 0 to 1"):
        net.fit(X, y, X_val, np.append(y_val[1:], 2), labels[0], n_classes=2)
    with pytest.raises(TypeError, match="train is a ndarray without .count"):
        net.fit(X, y, X_val, y_val, labels[0].mean, n_classes=2)
    few = world.labels(2)
    with pytest.raises(ValueError, match=r"train.mean\[\d+, 0\] is nan; draw more samples"):
        net.fit(X, y, X_val, y_val, few, n_classes=2)
    with pytest.raises(ValueError, match="start is 'zero'"):
        DatamodelNet(start="zero")
    with pytest.raises(ValueError, match="rank is 0"):
        DatamodelNet(rank=0)
