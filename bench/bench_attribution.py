"""Attribution of a model's inputs: what it adds to a model that costs nothing, and to a network's forward passes."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fastsa
from fastsa import ops

PLAYERS, PAIRS, INPUTS = 196, 256, 64
ROWS, MASKS = 100, 256


def kernel_shap(
    n_threads: int | None = None, estimator: fastsa.estimators.Estimator | None = None
) -> Callable[[], object]:
    """Labels of a linear model's inputs, from the draw to the regression."""
    rng = np.random.default_rng(0)
    inputs, weights = rng.normal(size=(INPUTS, PLAYERS)).astype(np.float32), rng.normal(size=PLAYERS).astype(np.float32)
    game = fastsa.games.ModelGame(lambda x: x @ weights, inputs, fastsa.games.Baseline(0.0))
    estimator = estimator or fastsa.estimators.KernelSHAP()
    return lambda: fastsa.LabelStream(game, estimator, samples=PAIRS, n_threads=n_threads).collect().mean


def masking(features: int) -> Callable[[], object]:
    """From coalitions to a model's rows over a whole background, one thread; the model answers without reading them."""
    rng = np.random.default_rng(0)
    background, inputs = (rng.normal(size=(rows, features)).astype(np.float32) for rows in (ROWS, 8))
    answers = np.zeros(1 << 18, np.float32)
    game = fastsa.games.ModelGame(lambda x: answers[: len(x)], inputs, fastsa.games.Marginal(background, whole=True))
    walks = ops.Walks.of_coalitions(rng.random((MASKS, features)) < 0.5, ops.Lanes(rng.integers(0, 8, MASKS)))
    return lambda: game.walk(walks, n_threads=1)


@pytest.mark.parametrize("estimator", [fastsa.estimators.KernelSHAP(), fastsa.estimators.LeverageSHAP()])
def test_kernel_shap_of_a_free_model(benchmark, compare, estimator):
    run = kernel_shap(estimator=estimator)
    name = type(estimator).__name__
    compare.rate(f"{name}, {PLAYERS} players, {PAIRS} pairs: inputs", run, amount=INPUTS, unit="/s", bar=0)
    benchmark(run)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_regression_alone(benchmark, compare, weighted):
    rng = np.random.default_rng(0)
    members = ops.pack(rng.random((INPUTS, PAIRS, PLAYERS)) < rng.random((INPUTS, PAIRS, 1)))
    values, totals = rng.normal(size=(INPUTS, PAIRS, 2, 1)), rng.normal(size=(INPUTS, 1))
    weight = np.linspace(1.0, 2.0, PLAYERS + 1) if weighted else None

    def run() -> None:
        ops.shapley_regression(PLAYERS, members, values, totals, weight_of_size=weight)

    kind = "weighted" if weighted else "unweighted"
    compare.rate(f"regression alone, {kind}: inputs", run, amount=INPUTS, unit="/s", bar=0)
    benchmark(run)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("features", [20, 100])
def test_masking_beside_a_copy_of_as_many_bytes(benchmark, compare, features, dtype):
    rng = np.random.default_rng(0)
    coalitions = (1 << 18) // (ROWS * features)
    background, inputs = (rng.normal(size=(rows, features)).astype(dtype) for rows in (ROWS, 8))
    items, members = rng.integers(0, 8, coalitions), rng.random((coalitions, features)) < 0.5
    out = np.empty((coalitions, ROWS, features), dtype)
    copied = np.zeros_like(out)

    def run() -> None:
        ops.masked(inputs, items, members, background, out=out, n_threads=1)

    what = f"masking {features} features over {ROWS} rows, {np.dtype(dtype)}, of a copy's speed"
    compare(what, run, lambda: np.copyto(out, copied), bar=0, our_work=coalitions, their_work=coalitions, of="mask")
    benchmark(run)


def permutations_of_a_network(first_layer: str) -> tuple[Callable[[], object], Callable[[], float]]:
    """Labels of all inputs, and processor seconds of the forward passes of the very rows that they take; one thread."""
    torch = pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parent))
    import network

    torch.set_num_threads(1)
    model, rows = network.network(), []
    masker, estimator = fastsa.games.Baseline(0.0), fastsa.estimators.PermutationShapley()

    def game(f: object, first_layer: str) -> fastsa.games.ModelGame:
        return fastsa.games.ModelGame(f, network.inputs(), masker, first_layer=first_layer)

    def stream(of: fastsa.games.ModelGame) -> fastsa.LabelStream:
        return fastsa.LabelStream(of, estimator, samples=network.ORDERS, n_threads=1)

    def keeps(x: np.ndarray) -> np.ndarray:
        rows.append(x.copy())
        return x[:, 0]

    keeper = stream(game(keeps, "called"))
    rows.clear()
    keeper.collect()
    same = torch.from_numpy(np.concatenate(rows)).float()
    ours = stream(game(model, first_layer))
    return lambda: ours.collect().mean, lambda: network.forward_seconds(model, same)


@pytest.mark.parametrize("first_layer, bar", [("called", 1.10), ("summed", 1.0)])
def test_permutations_of_a_network_beside_its_forward_passes_alone(benchmark, compare, first_layer, bar):
    """Processor time of both in turn: the machine may be shared. At most 1.10 where the model is called, else below 1."""
    run, forward = permutations_of_a_network(first_layer)
    from network import processor_seconds

    run(), forward()
    ratio = statistics.median(processor_seconds(run) / forward() for _ in range(compare.rounds))
    what = (
        f"torch network, 100 features, 64 inputs x 10 orders, first layer {first_layer}: of its forward passes, at most"
    )
    compare.record(what, ratio, bar=bar, unit="x")
    benchmark(run)


def test_permutations_of_a_transformer_beside_its_forward_passes_alone(benchmark, compare, monkeypatch):
    """Fifty tokens a row: the batch that a cache holds is smaller than a network's of one vector, and has to be found."""
    torch = pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from bench.network import processor_seconds
    from bench.paper import vit

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, images = vit.Classifier().eval(), torch.rand(8, 1, 28, 28)
    game = fastsa.games.ModelGame(model, images, fastsa.games.Patches((7, 7)))
    labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=4, n_threads=1)
    same = images.repeat(labels.collect().evaluations // len(images), 1, 1, 1)

    def forward(batch: int) -> None:
        with torch.inference_mode():
            for rows in same.split(batch):
                model(rows)

    def forward_seconds() -> float:
        return min(processor_seconds(lambda batch=batch: forward(batch)) for batch in (16, 64, 256, 1024))

    def run() -> None:
        labels.collect()

    def run_in_batches(rows: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(game, "rows_per_batch", lambda max_bytes: rows)
            run()

    ratio = statistics.median(processor_seconds(run) / forward_seconds() for _ in range(compare.rounds))
    larger = statistics.median(
        processor_seconds(lambda: run_in_batches(334)) / processor_seconds(run) for _ in range(compare.rounds)
    )
    what = "vision transformer, 49 patches"
    compare.record(f"{what}: of its forward passes at the best batch, at most", ratio, bar=1.10, unit="x")
    compare.record(f"{what}: batches of as many numbers as other models', of ours", larger, bar=1.0, unit="x")
    benchmark(run)
