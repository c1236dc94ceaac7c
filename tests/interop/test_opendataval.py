"""fastsa's evaluator inside OpenDataVal's own experiments; run where OpenDataVal is installed, refusals everywhere."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import fastsa
from fastsa.interop.opendataval import data_evaluator

N = 200


def opendataval():
    return pytest.importorskip("opendataval.dataval", reason="OpenDataVal is not installed", exc_type=ImportError)


def arrays():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, size=400)
    return rng.normal(size=(400, 4)) + 3.0 * np.eye(3, 4)[y], y


def fetcher():
    from opendataval.dataloader import DataFetcher, mix_labels

    X, y = arrays()
    splits = (part for at in (slice(0, N), slice(N, 300), slice(300, 400)) for part in (X[at], np.eye(3)[y[at]]))
    return DataFetcher.from_data_splits(*splits, one_hot=True, random_state=np.random.RandomState(0)).noisify(
        mix_labels, noise_rate=0.2
    )


def test_the_values_are_those_of_the_valuator_on_the_same_data():
    opendataval()
    given = fetcher()
    evaluator = data_evaluator(fastsa.DataValuator("knn", samples=4, seed=3)).train(given)
    X, y = np.asarray(given.x_train, dtype=float), np.asarray(given.y_train).argmax(axis=1)
    X_val, y_val = np.asarray(given.x_valid, dtype=float), np.asarray(given.y_valid).argmax(axis=1)
    wanted = fastsa.DataValuator("knn", samples=4, seed=3).fit(X, y, X_val, y_val, progress=False).values_
    # torch's kernels may round by where in memory their arrays are.
    np.testing.assert_allclose(evaluator.data_values, wanted, rtol=0, atol=1e-6)
    assert evaluator.data_values.tolist() == evaluator.evaluate_data_values().tolist() and np.ptp(wanted) > 1e-3
    assert evaluator.valuator.stderr_.shape == (N,)


def test_knn_shapley_agrees_with_theirs():
    """To the precision of their float32 distances and scores."""
    theirs = opendataval().KNNShapley(k_neighbors=5).train(fetcher()).data_values
    ours = data_evaluator(fastsa.knn_shapley).train(fetcher()).data_values
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert np.ptp(ours) > 1e-3


@pytest.mark.filterwarnings("ignore")  # of their plots and models
def test_an_experiment_runs_it_beside_their_own():
    opendataval()
    from opendataval.experiment import ExperimentMediator
    from opendataval.experiment.exper_methods import noisy_detection
    from opendataval.model import ModelFactory

    given = fetcher()
    experiment = ExperimentMediator(given, ModelFactory("sklogreg", given), raises_error=True)
    ours = [data_evaluator(fastsa.DataValuator(samples=10)), data_evaluator(fastsa.knn_shapley)]
    table = experiment.compute_data_values([*ours, opendataval().RandomEvaluator(random_state=0)]).evaluate(
        noisy_detection
    )
    assert len(table) == 3 and table["kmeans_f1"].astype(float).between(0.0, 1.0).all()
    assert any("Logistic" in name for name in table.index) and any("knn_shapley" in name for name in table.index)
    flipped = np.isin(np.arange(N), given.noisy_train_indices)
    assert 30 <= flipped.sum() <= 40
    for evaluator in ours:
        # Values that knew nothing would pass once in 10,000: the standard deviation of their auroc is 0.05.
        assert fastsa.metrics.mislabel_detection(evaluator.data_values, flipped).auroc > 0.7


def test_training_again_replaces_the_values_and_a_seed_repeats_them():
    opendataval()
    evaluator = data_evaluator(random_state=1).train(fetcher())
    first = evaluator.data_values
    X, y = arrays()
    import torch

    one_hot = torch.from_numpy(np.eye(3)[y])
    evaluator.input_data(
        torch.from_numpy(X[:150]), one_hot[:150], torch.from_numpy(X[N:]), one_hot[N:]
    ).train_data_values()
    assert first.shape == (N,) and evaluator.data_values.shape == (150,)
    np.testing.assert_allclose(data_evaluator(random_state=1).train(fetcher()).data_values, first, rtol=0, atol=1e-6)
    assert np.abs(data_evaluator(random_state=2).train(fetcher()).data_values - first).max() > 1e-4


def test_embeddings_and_datasets_of_images_are_flattened():
    opendataval()
    import torch

    X, y = arrays()
    images = torch.utils.data.TensorDataset(torch.from_numpy(X).reshape(-1, 2, 2))
    images.__class__.__getitem__ = lambda self, place: self.tensors[0][place]
    seen = []

    def values(X, y, X_val, y_val):
        seen.append((X, y))
        return X[:, 0]

    one_hot = torch.from_numpy(np.eye(3)[y])
    evaluator = data_evaluator(values).input_data(images, one_hot, images, one_hot)
    assert evaluator.train_data_values().data_values.tolist() == X[:, 0].tolist()
    assert np.array_equal(seen[0][0], X) and np.array_equal(seen[0][1], y)

    class Halves:
        def predict(self, x):
            return torch.stack([x[i] for i in range(len(x))]).reshape(len(x), -1)[:, :2] / 2

    data_evaluator(values, embedding_model=Halves()).input_data(images, one_hot, images, one_hot).train_data_values()
    assert np.array_equal(seen[1][0], X[:, :2] / 2)


def test_refusals_in_training():
    opendataval()
    import torch

    X = torch.zeros(4, 2)
    with pytest.raises(ValueError, match="no values yet"):
        data_evaluator().evaluate_data_values()
    with pytest.raises(ValueError, match="learns from classes"):
        data_evaluator().input_data(X, torch.zeros(4, 1), X, torch.zeros(4, 1)).train_data_values()
    with pytest.raises(ValueError, match=r"shape \(4, 3\) and are not one-hot"):
        data_evaluator().input_data(X, torch.full((4, 3), 0.5), X, torch.full((4, 3), 0.5)).train_data_values()
    with pytest.raises(ValueError, match="values has 3 entries; expected 4"):
        data_evaluator(lambda *given: np.zeros(3)).input_data(
            X, torch.zeros(4, 1), X, torch.zeros(4, 1)
        ).train_data_values()


@pytest.mark.parametrize("valuator", [3, fastsa.DataValuator])
def test_what_is_no_valuator_is_refused(valuator):
    with pytest.raises(TypeError, match="expected a DataValuator or a function"):
        data_evaluator(valuator)


def test_without_opendataval_one_sentence_names_it():
    code = (
        "import sys; sys.modules['opendataval'] = None\nfrom fastsa.interop.opendataval import data_evaluator\n"
        "try:\n    data_evaluator()\nexcept RuntimeError as error:\n    print(type(error).__name__, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert said == "BackendUnavailable data_evaluator needs OpenDataVal: pip install opendataval.\n"
