"""The demo: which of 1,000 handwritten digits carry a wrong class, and what is each worth?"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize import baselines
from fastsa.amortize.progress import progress_bar
from fastsa.curation.baseline_values import KNN_GRID
from fastsa.estimators import Distributional
from fastsa.games import DataGame
from fastsa.knn import knn_shapley
from fastsa.labels import Labels, LabelStream
from fastsa.metrics import Agreement, Detection, agreement, interval, mislabel_detection
from fastsa.utilities import Logistic
from fastsa.valuator import DataValuator

N_POOL, N_VAL, N_TRUTH = 1000, 300, 100
FLIPPED = 0.1
_FEWEST_TRUTH_SAMPLES, _MOST_TRUTH_SAMPLES = 50, 4000
_PAGE_SECONDS = 4.0


@dataclass(frozen=True)
class Digits:
    """The pool with its given and true classes, and clean validation points."""

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    y_true: NDArray[np.int64]
    X_val: NDArray[np.float64]
    y_val: NDArray[np.int64]

    @property
    def is_mislabeled(self) -> NDArray[np.bool_]:
        return self.y != self.y_true


@dataclass(frozen=True)
class Row:
    """One method: its values [pool], against the truth and as a detector of wrong classes."""

    name: str
    values: NDArray[np.float64]
    agreement: Agreement
    error_interval: tuple[float, float]
    detection: Detection


@dataclass(frozen=True)
class DemoResult:
    """Everything that the table and the page show."""

    digits: Digits
    rows: list[Row]
    truth_items: NDArray[np.int64]
    truth: Labels
    samples: int
    label_seconds: float
    train_seconds: float
    truth_seconds: float
    suggested: NDArray[np.int64]
    """[pool] the class that a classifier which has not seen the digit finds likeliest."""

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)


REFINED, AMORTIZED, MONTE_CARLO = "refined", "amortized", "Monte Carlo, whole budget"


def run_demo(
    *, seconds: float = 60.0, samples: int = 10, seed: int = 0, n_threads: int | None = None, progress: bool = True
) -> DemoResult:
    """Value 1,000 digits, a tenth of them with a wrong class, and compare with ground truth on 100 of them.

    `samples` labels per point are paid by every method; what is left of `seconds` goes to the ground truth. Needs the
    extra [demo]. Raises ValueError for bad settings.
    """
    start = time.perf_counter()
    seconds = _checks.number("seconds", seconds, above=0.0)
    digits = load_digits(seed)
    valuator = DataValuator(samples=samples, seed=seed, n_threads=n_threads)
    valuator.fit(digits.X, digits.y, digits.X_val, digits.y_val, progress=progress)
    left = seconds - (time.perf_counter() - start) - _PAGE_SECONDS
    truth_start = time.perf_counter()
    truth = _truth(digits, left, seed, n_threads, progress)
    truth_seconds = time.perf_counter() - truth_start
    truth_items = np.arange(N_TRUTH)
    rows = [_row(name, values, digits, truth, truth_items, seed) for name, values in _methods(digits, valuator).items()]
    return DemoResult(
        digits,
        rows,
        truth_items,
        truth,
        samples,
        valuator.seconds_["labels"],
        valuator.seconds_["training"],
        truth_seconds,
        baselines.held_out_logits(digits.X, digits.y, n_classes=10).argmax(axis=1),
    )


def load_digits(seed: int) -> Digits:
    """scikit-learn's digits in random order, features in [0, 1]; a tenth of the pool gets another class at random."""
    try:
        from sklearn import datasets
    except ImportError:
        raise _checks.BackendUnavailable("the demo needs scikit-learn: pip install 'fastsa[demo]'.") from None
    X, y = datasets.load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(y.size)
    X, y = X[order] / 16.0, y[order]
    given = y[:N_POOL].copy()
    flipped = rng.choice(N_POOL, round(FLIPPED * N_POOL), replace=False)
    given[flipped] = (given[flipped] + rng.integers(1, 10, flipped.size)) % 10
    val = slice(N_POOL, N_POOL + N_VAL)
    return Digits(X[:N_POOL], given, y[:N_POOL], X[val], y[val])


def _truth(digits: Digits, seconds: float, seed: int, n_threads: int | None, progress: bool) -> Labels:
    """Labels of the first points, as many samples as fit in the seconds."""
    game = DataGame(Logistic(), digits.X, digits.y, digits.X_val, digits.y_val)

    def stream(samples: int) -> LabelStream:
        return LabelStream(
            game,
            Distributional(shared=32),
            samples=samples,
            role="truth",
            items=np.arange(N_TRUTH),
            seed=seed,
            n_threads=n_threads,
        )

    pilot = stream(16).cost()
    affordable = int(16 * seconds / pilot.seconds)
    run = stream(min(max(affordable, _FEWEST_TRUTH_SAMPLES), _MOST_TRUTH_SAMPLES))
    with progress_bar(run.total, "ground truth", progress) as update:
        return run.collect(update)


def _methods(digits: Digits, valuator: DataValuator) -> dict[str, NDArray[np.float64]]:
    """Values of every method in the table, all from the same labels; scores without a unit are calibrated on them."""
    labels = valuator.labels_
    mean, count, variance = labels.mean[:, 0], labels.count, labels.variance[:, 0]
    y = digits.y.astype(np.int32)

    def in_unit(score: NDArray[np.float64]) -> NDArray[np.float64]:
        return baselines.calibrated(score, mean, count)

    methods = {
        REFINED: valuator.values_,
        AMORTIZED: valuator.predict(digits.X, digits.y),
        MONTE_CARLO: mean,
        "Monte Carlo, shrunk": baselines.shrunk(mean, count, variance),
        "ridge on features, per class": baselines.ridge(digits.X, y, mean, count, n_classes=10, per_class=True),
        "ridge on features": baselines.ridge(digits.X, y, mean, count, n_classes=10),
        "class mean": baselines.class_mean(mean, count, y),
        "constant": baselines.constant(mean, count),
        "classifier's margin": in_unit(baselines.classifier_margin(digits.X, y, n_classes=10)),
    }
    for k in KNN_GRID:
        methods[f"KNN-Shapley, k={k}"] = in_unit(knn_shapley(digits.X, y, digits.X_val, digits.y_val, k=k))
    return methods


def _row(
    name: str, values: NDArray[np.float64], digits: Digits, truth: Labels, items: NDArray[np.int64], seed: int
) -> Row:
    noise = truth.stderr[:, 0] ** 2
    return Row(
        name,
        values,
        agreement(values[items], truth.mean[:, 0], truth_variance=noise),
        interval("normalized_error", values[items], truth.mean[:, 0], truth_variance=noise, resamples=300, seed=seed),
        mislabel_detection(values, digits.is_mislabeled),
    )
