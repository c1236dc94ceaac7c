"""The front door of data valuation: labels, a network that learns from them, values."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize import ValuationNet
from fastsa.amortize.progress import progress_bar
from fastsa.estimators import Distributional, Estimator
from fastsa.games import DataGame
from fastsa.labels import Labels, LabelStream
from fastsa.utilities import KNN, Logistic
from fastsa.utilities.data import Utility, takes

_UTILITIES = {"logistic": Logistic, "knn": KNN}
_FORMAT = 1


class DataValuator:
    """Values of training points, by a network trained on a few noisy labels of each.

    Parameters
    ----------
    utility : "logistic" (default), "knn", or one of fastsa.utilities: how a training subset is scored.
    estimator : "auto" (default) or one of fastsa.estimators. Auto is Distributional with sizes from a tenth of the pool
        (at most 100) to the whole pool (at most 999) and one coalition for 32 points.
    samples : what is paid per point in all; default 10. A fifth, at least one, goes to selecting the network's best
        state, the rest to training it.
    net : "mlp" (default), or a torch module as fastsa.amortize.ValuationNet takes.
    seed : of the labels and the network; default 0.
    n_threads : default all available processors.
    max_bytes : bound on the memory of a batch; default 256 MiB.

    After `fit`: `values_` [n], the network's prediction for every training point; `labels_`, the Monte Carlo labels with
    all samples; `classes_`; `net_`; `seconds_`, what "labels" and "training" took.

    Raises ValueError or TypeError for bad settings, and BackendUnavailable where torch is missing.

    >>> import fastsa, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 3)); y = np.where(X[:, 0] > 0, "yes", "no")
    >>> valuator = fastsa.DataValuator(samples=4).fit(X[:200], y[:200], X[200:], y[200:], progress=False)
    >>> valuator.values_.shape, valuator.predict_all(X[200:]).shape
    ((200,), (100, 2))
    """

    def __init__(
        self,
        utility: str | Utility = "logistic",
        *,
        estimator: str | Estimator = "auto",
        samples: int = 10,
        net: Any = "mlp",
        seed: int = 0,
        n_threads: int | None = None,
        max_bytes: int | None = None,
    ) -> None:
        if isinstance(utility, str):
            utility = _UTILITIES[_checks.choice("utility", utility, _UTILITIES)]()
        if isinstance(estimator, str):
            _checks.choice("estimator", estimator, ("auto",))
        elif not isinstance(estimator, Estimator):
            raise TypeError(f"estimator is {estimator!r}; expected 'auto' or one of fastsa.estimators.")
        self.utility = utility
        self.estimator = estimator
        self.samples = _checks.count("samples", samples, least=2)
        self.net = net
        self.seed = _checks.seed(seed)
        self.n_threads = n_threads
        self.max_bytes = max_bytes

    def fit(self, X: Any, y: Any, X_val: Any, y_val: Any, progress: bool = True) -> DataValuator:
        """Label the points of (X, y) by their effect on the score of (X_val, y_val), and train the network.

        X [n, d] and X_val [m, d] are real features (arrays or frames), y [n] and y_val [m] classes of any dtype that
        sorts. `progress` shows bars with rates. Returns self. Raises as fastsa.games.DataGame does.
        """
        if takes(self.utility) != "classes":
            raise TypeError(f"utility is {self.utility!r}, which takes targets; the networks learn from classes. Use a LabelStream.")
        game = DataGame(self.utility, X, y, X_val, y_val)
        X, y = _checks.features("X", X), np.searchsorted(game.classes, np.asarray(y)).astype(np.int32)
        n_select = max(1, self.samples // 5)
        start = time.perf_counter()
        train = self._labels(game, self.samples - n_select, "train", progress)
        select = self._labels(game, n_select, "select", progress)
        labeled = time.perf_counter()
        net = ValuationNet(self.net, seed=self.seed, n_threads=self.n_threads)
        net.fit(X, y, train, select=select, n_classes=game.classes.size, progress=progress)
        self.seconds_ = {"labels": labeled - start, "training": time.perf_counter() - labeled}
        self.net_ = net
        self.classes_ = game.classes
        self.labels_ = train.merge(select)
        self.values_ = net.predict(X, y)
        return self

    def predict(self, X: Any, y: Any) -> NDArray[np.float64]:
        """Values float64 [m] of any points with their classes, whether in the pool or not."""
        X = self._points(X)
        codes = _checks.encode("y", _checks.targets("y", y, X.shape[0]), self.classes_)
        return self.net_.predict(X, codes)

    def predict_all(self, X: Any) -> NDArray[np.float64]:
        """Values float64 [m, n_classes] of any points under every class, in the order of `classes_`."""
        X = self._points(X)
        return self.net_.predict_all(X)

    def save(self, path: str | Path) -> None:
        """Write a folder: net.safetensors, labels.npz, classes.npz, about.json. No pickle."""
        self._check_fitted()
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        self.net_.save(folder / "net.safetensors")
        self.labels_.save(folder / "labels.npz")
        np.savez(folder / "classes.npz", classes=_plain(self.classes_), values=self.values_)
        about = {"format": _FORMAT, "utility": repr(self.utility), "samples": self.samples, "seed": self.seed}
        (folder / "about.json").write_text(json.dumps(about, indent=2))

    @staticmethod
    def load(path: str | Path) -> DataValuator:
        """Read what `save` wrote: values, labels and predictions as they were. `utility` is then its description only."""
        folder = Path(path)
        about = json.loads((folder / "about.json").read_text())
        if about.get("format") != _FORMAT:
            raise ValueError(f"{folder} has format {about.get('format')}; this version reads {_FORMAT}.")
        labels = Labels.load(folder / "labels.npz")
        valuator = DataValuator(estimator=labels.estimator, samples=about["samples"], seed=about["seed"])
        valuator.utility = about["utility"]
        valuator.labels_ = labels
        valuator.net_ = ValuationNet.load(folder / "net.safetensors")
        with np.load(folder / "classes.npz", allow_pickle=False) as archive:
            valuator.classes_, valuator.values_ = archive["classes"], archive["values"]
        return valuator

    def _labels(self, game: DataGame, samples: int, role: str, progress: bool) -> Labels:
        estimator = _automatic(game.n_players) if isinstance(self.estimator, str) else self.estimator
        stream = LabelStream(
            game,
            estimator,
            samples=samples,
            role=role,
            seed=self.seed,
            max_bytes=self.max_bytes,
            n_threads=self.n_threads,
        )
        with progress_bar(stream.total, f"labels to {role}", progress) as update:
            return stream.collect(update)

    def _points(self, X: Any) -> NDArray[np.float64]:
        self._check_fitted()
        return _checks.features("X", X, width=self.net_.n_features_)

    def _check_fitted(self) -> None:
        if not hasattr(self, "net_"):
            raise AttributeError("this DataValuator has no values yet; call fit first.")


def _automatic(n: int) -> Distributional:
    largest = min(999, n)
    return Distributional(min_size=min(100, max(1, largest // 10)), max_size=largest, shared=32)


def _plain(classes: NDArray[Any]) -> NDArray[Any]:
    """Classes in a dtype that is saved without pickle: strings for Python objects that are strings."""
    if classes.dtype.kind != "O":
        return classes
    if all(isinstance(c, str) for c in classes):
        return classes.astype(str)
    raise TypeError("y holds Python objects other than strings; convert it to numbers or strings to save.")
