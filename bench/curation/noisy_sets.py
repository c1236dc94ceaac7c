"""Data sets with a share of wrong classes: a pool to value, clean validation points, test points kept from values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

RARE = 0.01
# The mean norm of the stored features; divided by it, a logistic regression of C = 1 does not interpolate.
CIFAR_NORM = 23.5467
LODGEPOLE_PINE = 2


@dataclass(frozen=True)
class NoisySet:
    """X [points, d], y with wrong classes, y_true; validation and test points have their true classes.

    rows : of the pool's points, in the set that they were drawn from; of a set that `load` made.
    """

    X: np.ndarray
    y: np.ndarray
    y_true: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    rows: np.ndarray | None = None

    @property
    def is_mislabeled(self) -> np.ndarray:
        return self.y != self.y_true


def load(name: str, folder: Path, *, points: int, val: int, test: int, flipped: float, seed: int) -> NoisySet:
    """Points drawn by `seed`; a share `flipped` of the pool gets one of the other classes, all alike likely."""
    X, label = _whole(name, folder)
    classes, y = np.unique(label, return_inverse=True)
    rng = np.random.default_rng([seed, 2024])
    order = rng.permutation(y.size)[: points + val + test]
    if order.size < points + val + test:
        raise SystemExit(f"{name} has {y.size} points; {points + val + test} are asked for.")
    pool, val_rows, test_rows = np.split(order, [points, points + val])
    given = y[pool].copy()
    wrong = rng.choice(points, round(flipped * points), replace=False)
    given[wrong] = (given[wrong] + rng.integers(1, classes.size, wrong.size)) % classes.size
    return NoisySet(
        X[pool].astype(np.float64),
        given,
        y[pool],
        X[val_rows].astype(np.float64),
        y[val_rows],
        X[test_rows].astype(np.float64),
        y[test_rows],
        pool,
    )


@lru_cache(maxsize=1)
def _whole(name: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """All points of a set and their classes, read once for all seeds."""
    return {"adult": _adult, "covertype": _covertype, "fars": _fars, "cifar10": _cifar10}[name](folder)


def _adult(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    return _tabular(folder / "adult.npz")


def _covertype(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The commonest class, lodgepole pine, against the others; ten numeric columns standardised, 44 indicators as they are."""
    with np.load(folder / "covertype.npz", allow_pickle=False) as file:
        X, label = file["features"].copy(), file["label"]
    X[:, :10] = (X[:, :10] - X[:, :10].mean(axis=0)) / X[:, :10].std(axis=0)
    return X, (label == LODGEPOLE_PINE).astype(np.int64)


def _fars(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Without the classes that hold less than 1 % of the rows: a pool of 2,000 would have none or a few of them."""
    X, label = _tabular(folder / "fars.npz")
    frequent = (np.bincount(label) >= RARE * label.size)[label]
    return X[frequent], label[frequent]


def _cifar10(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """MobileNetV2 features, and the classes of the same images in the same order."""
    with np.load(folder / "cifar10_mobilenetv2.npz") as features, np.load(folder / "cifar10_train.npz") as images:
        return features["train"].astype(np.float32) / CIFAR_NORM, images["label"].astype(np.int64)


def _tabular(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Numeric columns standardised, categorical ones one-hot."""
    with np.load(path, allow_pickle=False) as file:
        numeric, categorical, label = file["numeric"], file["categorical"], file["label"].astype(np.int64)
    columns = [(numeric - numeric.mean(axis=0)) / numeric.std(axis=0)]
    for codes in categorical.T:
        columns.append((codes[:, None] == np.unique(codes)).astype(np.float32))
    return np.concatenate(columns, axis=1).astype(np.float32), label
