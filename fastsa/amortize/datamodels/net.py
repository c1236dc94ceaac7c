"""DatamodelNet: learns the effect of any training point on any validation point from noisy datamodel labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _threads
from fastsa.amortize import weights_file
from fastsa.amortize.datamodels import saved
from fastsa.amortize.datamodels.pair_inputs import PairInputs, PointInputs
from fastsa.amortize.encoded import encoded
from fastsa.amortize.progress import epoch_bar
from fastsa.amortize.ridge import leave_one_out_ridge

if TYPE_CHECKING:
    pass

_BYTES_PER_CHUNK = 32 * 2**20
_VALIDATION_POINTS_PER_STEP = 512
_DOUBT = 2.0
STARTS = ("pairs", "constant")


class DatamodelNet:
    """Effects of training points on validation points, learned from one noisy label per pair.

    effect(z, z') = start(z, z') + scale * (<u(z), w(z')> + a(z) + b(z')), with z = (x, y) a training point and z' = (x', y') a
    validation point. The start is a ridge regression of the labels on what a pair shows at once (see `PairInputs`: equal
    classes, product of residuals, kernels of the distance); u and w are ReLU towers over features, class and residual, and
    learn what the start got wrong, by Adam with cosine decay on squared errors. The epoch of least loss on `select` is
    kept, or the start itself where no epoch beats it by two standard errors; without `select`, the last epoch.

    Labels are datamodels: BanzhafMSR(q) labels of a DataGame under a score with one output per validation point, whose
    estimand for Bernoulli-q subsets is the least-squares datamodel (Covert et al., NeurIPS 2024, Proposition 1; Ilyas et al.,
    ICML 2022), or any other labels [points, validation points].

    Parameters
    ----------
    start : "pairs" (default), or "constant", the mean of the labels.
    hidden : widths of both towers. Default (128, 128).
    rank : length of u and w. Default 32.
    seed : 64 bits; of weights, batches and the start. torch's global generator is left as it was.
    epochs, learning_rate, batch_size : training; a step takes `batch_size` training points and up to 512 validation points.
        Default 30, 2e-3, 8.
    n_threads : torch's threads. Default 1.

    X is [n, d], y int32 [n] of classes 0 .. n_classes - 1. After `fit`: `history_`, the losses "train" and "select" per epoch,
    float64 [epochs + 1], the first being the start's; `best_epoch_`, `inputs_`, `weights_`, `intercept_` and `module_`.

    Raises BackendUnavailable when torch is not installed, TypeError or ValueError for arguments out of range.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from fastsa.amortize import DatamodelNet
    >>> X, y = np.linspace(-1, 1, 40)[:, None], np.arange(40, dtype=np.int32) % 2
    >>> labels = SimpleNamespace(mean=np.where(y[:, None] == y[:6], 0.1, -0.1), count=np.full(40, 5))
    >>> net = DatamodelNet(epochs=1).fit(X, y, X[:6], y[:6], labels, n_classes=2)
    >>> net.predict(X[:2], y[:2], X[:3], y[:3]).round(3).tolist()
    [[0.1, -0.1, 0.1], [-0.1, 0.1, -0.1]]
    """

    def __init__(
        self,
        *,
        start: str = "pairs",
        hidden: Sequence[int] = (128, 128),
        rank: int = 32,
        seed: int = 0,
        epochs: int = 30,
        learning_rate: float = 2e-3,
        batch_size: int = 8,
        n_threads: int | None = 1,
    ) -> None:
        self.start = _checks.choice("start", start, STARTS)
        self.hidden = tuple(_checks.count("hidden", width) for width in hidden)
        if not self.hidden:
            raise ValueError("hidden is empty; expected at least one width.")
        self.rank = _checks.count("rank", rank)
        self.seed = _checks.seed(seed)
        self.epochs = _checks.count("epochs", epochs, least=0)
        self.learning_rate = _checks.number("learning_rate", learning_rate, above=0.0)
        self.batch_size = _checks.count("batch_size", batch_size)
        self.n_threads = _threads.resolve(n_threads)

    def fit(
        self,
        X: Any,
        y: Any,
        X_val: Any,
        y_val: Any,
        train: Any,
        *,
        select: Any = None,
        n_classes: int,
        progress: bool = False,
    ) -> DatamodelNet:
        """Learn from `train` labels of all points (X, y) on all validation points (X_val, y_val); returns self.

        `train` and `select` are fastsa.Labels with independent noise (roles train and select): `.mean` [n, m], `.count` [n].
        A point of count 0 takes no part.
        """
        X = _checks.features("X", X)
        X_val = _checks.features("X_val", X_val, width=X.shape[1])
        n_classes = _checks.count("n_classes", n_classes, least=2)
        y, y_val = encoded("y", y, X.shape[0], n_classes), encoded("y_val", y_val, X_val.shape[0], n_classes)
        shape = y.size, y_val.size
        target, weight = _labels("train", train, shape)
        chosen = None if select is None else _labels("select", select, shape)
        weights_file.require_torch()
        from fastsa.amortize.networks import own_state

        self.n_features_, self.n_classes_ = X.shape[1], n_classes
        finish, close = epoch_bar(progress, self.epochs + 1)
        try:
            with own_state(self.seed, self.n_threads):
                self.inputs_ = PairInputs.fit(X, y, n_classes=n_classes, seed=self.seed)
                of, on = self.inputs_.points(X, y), self.inputs_.points(X_val, y_val)
                self._fit_start(of, on, target, weight)
                self._fit_towers(of, on, target, weight, chosen, finish)
        finally:
            close()
        return self

    def predict(self, X: Any, y: Any, X_val: Any, y_val: Any) -> NDArray[np.float64]:
        """Effects float64 [n, m] of points (X, y) on validation points (X_val, y_val), seen or not."""
        self._fitted()
        X, X_val = (_checks.features(name, x, width=self.n_features_) for name, x in (("X", X), ("X_val", X_val)))
        of = self.inputs_.points(X, encoded("y", y, X.shape[0], self.n_classes_))
        on = self.inputs_.points(X_val, encoded("y_val", y_val, X_val.shape[0], self.n_classes_))
        from fastsa.amortize.networks import own_state

        with own_state(self.seed, self.n_threads):
            return self._start_of(of, on) + self.scale_ * self._towers_of(of, on)

    def save(self, path: str | Path) -> None:
        """Write the net to `path` as safetensors with JSON metadata (no pickle)."""
        self._fitted()
        saved.save(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> DatamodelNet:
        """Read what `save` wrote; it predicts the same bytes."""
        return saved.load(DatamodelNet, Path(path))

    def _fit_start(
        self, of: PointInputs, on: PointInputs, target: NDArray[np.float64], weight: NDArray[np.float64]
    ) -> None:
        n, m = target.shape

        def columns(pairs: slice) -> NDArray[np.float64]:
            first = pairs.start // m
            points = of.take(slice(first, -(-pairs.stop // m)))
            return self.inputs_.pairs(points, on).reshape(-1, self.inputs_.n_columns)[
                pairs.start - first * m : pairs.stop - first * m
            ]

        if self.start == "constant":
            self.weights_ = np.zeros(self.inputs_.n_columns)
            self.intercept_ = float(np.average(target.mean(axis=1), weights=weight))
        else:
            self.weights_, self.intercept_ = leave_one_out_ridge(columns, target.reshape(-1), np.repeat(weight, m))

    def _fit_towers(
        self,
        of: PointInputs,
        on: PointInputs,
        target: NDArray[np.float64],
        weight: NDArray[np.float64],
        select: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
        finish: Callable[[], Any],
    ) -> None:
        import torch

        from fastsa.amortize.datamodels import training
        from fastsa.amortize.datamodels.towers import Towers
        from fastsa.amortize.training import Schedule

        generator = torch.Generator().manual_seed(self.seed)
        self.module_ = Towers(of.row.shape[1], self.hidden, self.rank, generator)
        self.module_.standardise(of.row, on.row)
        start = self._start_of(of, on)
        left = np.sqrt(np.average(((target - start) ** 2).mean(axis=1), weights=weight))
        # Labels that the start fits up to rounding leave nothing to learn, and Adam would blow the rounding up.
        told = left > 1e-9 * max(float(np.abs(target).max()), 1e-300)
        self.scale_ = float(left) if told else 1.0
        schedule = Schedule(self.epochs if told else 0, self.learning_rate, self.batch_size)
        course = training.learn(
            self.module_,
            of.row,
            on.row,
            start,
            self.scale_,
            (target, weight),
            select,
            _DOUBT,
            schedule,
            _VALIDATION_POINTS_PER_STEP,
            generator,
            finish,
        )
        self.history_, self.best_epoch_ = course.history, course.best_epoch

    def _start_of(self, of: PointInputs, on: PointInputs) -> NDArray[np.float64]:
        values = np.full((of.y.size, on.y.size), self.intercept_)
        if self.weights_.any():
            step = max(1, _BYTES_PER_CHUNK // (8 * self.inputs_.n_columns * on.y.size))
            for begin in range(0, of.y.size, step):
                rows = slice(begin, begin + step)
                values[rows] += self.inputs_.pairs(of.take(rows), on) @ self.weights_
        return values

    def _towers_of(self, of: PointInputs, on: PointInputs) -> NDArray[np.float64]:
        from fastsa.amortize.datamodels.training import outputs

        return outputs(self.module_, of.row, on.row)

    def _fitted(self) -> None:
        if not hasattr(self, "module_"):
            raise ValueError("this DatamodelNet has not been fitted; call fit or load first.")


def _labels(name: str, labels: Any, shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(mean [n, m], 0 where there is no sample; weight [n], the count); TypeError or ValueError for anything else."""
    missing = [attribute for attribute in ("mean", "count") if not hasattr(labels, attribute)]
    if missing:
        raise TypeError(f"{name} is a {type(labels).__name__} without .{missing[0]}; expected fastsa.Labels.")
    mean, count = np.asarray(labels.mean), np.asarray(labels.count)
    if mean.shape != shape:
        raise ValueError(f"{name}.mean has shape {mean.shape}; expected {shape}, points of X by points of X_val.")
    if count.shape != shape[:1] or count.dtype.kind not in "iu" or count.min() < 0:
        raise ValueError(
            f"{name}.count is {count.dtype} {count.shape}; expected integers ({shape[0]},), samples per point."
        )
    if (count > 0).sum() < 2:
        raise ValueError(f"{name} has samples for {(count > 0).sum()} points; expected at least 2 to learn from.")
    mean = np.where(count[:, None] > 0, mean, 0.0)
    if not np.isfinite(mean).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(mean))[0])
        raise ValueError(
            f"{name}.mean[{row}, {column}] is {mean[row, column]}; draw more samples, so that every pair has a label."
        )
    return mean, count.astype(np.float64)
