"""The front door of data valuation: labels, networks that learn from them, values and how wrong they are."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize import Influences, ValuationNet, cross_refine
from fastsa.amortize.progress import progress_bar
from fastsa.estimators import Distributional, Estimator
from fastsa.games import DataGame
from fastsa.labels import Labels, LabelStream
from fastsa.metrics import Certificate
from fastsa.metrics.independence import shares_all_draws, units
from fastsa.planning import ItemLabels, extended, finish, plan, refine_where
from fastsa.utilities import KNN, Logistic
from fastsa.utilities.data import Utility, takes

_UTILITIES = {"logistic": Logistic, "knn": KNN}
_FORMAT = 2
_NETS = 2
_SELECT_EVERY = 5


class ValuationErrors(NamedTuple):
    """Certificates, without ground truth, of `DataValuator.values_` and of its predictions for the points of the pool."""

    values: Certificate
    predict: Certificate


class DataValuator:
    """Values of training points, by networks trained on a few noisy labels of each, and corrected by these labels.

    The samples are drawn in two halves, and one network is trained on each. A prediction is the mean of both. The value of
    a point of the pool is more: the prediction and the point's own labels, weighted by their errors, which are told by
    each network against the labels that it has not seen (fastsa.amortize.cross_refine). With more samples it tends to the
    label, and to the truth.

    Parameters
    ----------
    utility : "logistic" (default), "knn", or one of fastsa.utilities: how a training subset is scored.
    estimator : "auto" (default) or one of fastsa.estimators. Auto is Distributional with sizes from a tenth of the pool
        (at most 100) to the whole pool (at most 999) and one coalition for 32 points.
    samples : what is paid per point in all, two halves; default 10. Of a half, a fifth, at least one, goes to selecting
        the best state of its network, the rest to training it; a half of one sample (samples = 2 or 3) selects nothing.
        `fit(budget=...)` chooses in its place.
    net : "mlp" (default), or a torch module as fastsa.amortize.ValuationNet takes.
    informed : whether the networks may start from influences of the points on the validation score, to first order, through
        logistic regressions of 64 coalitions (fastsa.amortize.Influences; seconds, no labels). Default True: labels of role
        select decide between these and a start without.
    seed : of the labels and the network; default 0.
    n_threads : default all available processors.
    max_bytes : bound on the memory of a batch; default 256 MiB.

    After `fit`: `values_` [n], the best estimate for every training point, and `stderr_` [n], its standard error;
    `error_`, certificates of the mean squared error of `.values` and of `.predict` on these points; `labels_`, the Monte
    Carlo labels with all samples; `halves_`, the same by the network that saw them; `plan_`, how a budget was spent (None
    without one); `classes_`; `nets_`, both networks; `seconds_`, what "labels" and "training" took.

    Raises ValueError or TypeError for bad settings and biased estimators, and BackendUnavailable where torch is missing.

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
        informed: bool = True,
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
        elif not estimator.unbiased:
            raise ValueError(
                f"estimator is {estimator}, which is biased; its bias would pass for value. Give an unbiased one."
            )
        self.utility = utility
        self.estimator = estimator
        self.samples = _checks.count("samples", samples, least=2)
        self.net = net
        self.informed = _checks.flag("informed", informed)
        self.seed = _checks.seed(seed)
        self.n_threads = n_threads
        self.max_bytes = max_bytes

    def fit(
        self, X: Any, y: Any, X_val: Any, y_val: Any, progress: bool = True, *, budget: int | None = None
    ) -> DataValuator:
        """Label the points of (X, y) by their effect on the score of (X_val, y_val), and train both networks.

        X [n, d] and X_val [m, d] are real features (arrays or frames), y [n] and y_val [m] classes of any dtype that
        sorts. `progress` shows bars with rates. Returns self. Raises as fastsa.games.DataGame does.

        budget : utility evaluations in all, in place of `samples`. A pilot is labelled, what the budget can give is forecast
            (fastsa.plan; see `plan_`), and the best split drawn; the pilot's labels stay in use. What is left below one more
            sample for all goes to the points whose values gain most. A fifth of the points, not of the samples, selects a
            network's best state. Points that get no label have predictions for values, and the forecast error for an error.
            Raises ValueError for a budget that buys no pilot.
        """
        if takes(self.utility) != "classes":
            raise TypeError(
                f"utility is {self.utility!r}, which takes targets; the networks learn from classes. Use a LabelStream."
            )
        game = DataGame(self.utility, X, y, X_val, y_val)
        X, y = _checks.features("X", X), np.searchsorted(game.classes, np.asarray(y)).astype(np.int32)
        self.classes_, self.plan_ = game.classes, None
        started = time.perf_counter()
        self._influences = self._influences_of(game, X, y, X_val, y_val) if self.informed else None
        self._informing = time.perf_counter() - started
        if budget is not None:
            return self._fit_budget(game, X, y, budget, progress)
        start = time.perf_counter()
        halves = self._halves(game, progress)
        labeled = time.perf_counter()
        self.nets_ = tuple(
            ValuationNet(self.net, seed=self.seed, n_threads=self.n_threads).fit(
                X, y, train, select=select, n_classes=game.classes.size, influences=self._influences, progress=progress
            )
            for train, select in halves
        )
        self.seconds_ = {"labels": labeled - start, "training": self._informing + time.perf_counter() - labeled}
        self.halves_ = tuple(train if select is None else train.merge(select) for train, select in halves)
        self._settle(X, y, np.arange(y.size))
        return self

    def _fit_budget(
        self, game: DataGame, X: NDArray[np.float64], y: NDArray[np.int32], budget: int, progress: bool
    ) -> DataValuator:
        estimator = self._estimator(game)
        settings = {"max_bytes": self.max_bytes, "n_threads": self.n_threads}
        unit = game.ids // np.uint64(estimator.item_block)

        def learn(labels: ItemLabels) -> NDArray[np.float64]:
            return self._net_on(labels, X, y, unit).predict(X, y)

        start = time.perf_counter()
        self.plan_ = plan(game, estimator, learn, budget=budget, seed=self.seed, **settings)
        planned = time.perf_counter()
        self.halves_ = finish(self.plan_, game, **settings)
        labeled = time.perf_counter()
        places = self.plan_.labeled
        self.nets_ = tuple(self._net_on(ItemLabels.of(half, places, y.size), X, y, unit) for half in self.halves_)
        trained = time.perf_counter()
        self._spend_rest(game, budget, np.mean([net.predict(X, y)[places] for net in self.nets_], axis=0), settings)
        more = time.perf_counter() - trained
        training = self._informing + trained - labeled
        self.seconds_ = {"plan": planned - start, "labels": labeled - planned + more, "training": training}
        self._settle(X, y, places)
        return self

    def _net_on(
        self, labels: ItemLabels, X: NDArray[np.float64], y: NDArray[np.int32], unit: NDArray[np.uint64]
    ) -> ValuationNet:
        """A network trained on four fifths of the labelled points, by units that share draws, and selected on the others."""
        drawn = np.unique(unit[labels.count > 0])
        select = (
            np.isin(unit, drawn[::_SELECT_EVERY]) if drawn.size >= 2 * _SELECT_EVERY else np.zeros(y.size, np.bool_)
        )
        net = ValuationNet(self.net, seed=self.seed, n_threads=self.n_threads)
        chosen = labels.only(select) if select.any() else None
        return net.fit(
            X, y, labels.only(~select), select=chosen, n_classes=self.classes_.size, influences=self._influences
        )

    def _influences_of(
        self, game: DataGame, X: NDArray[np.float64], y: NDArray[np.int32], X_val: Any, y_val: Any
    ) -> Influences:
        """By the utility's own objective where that is a logistic regression."""
        return Influences.fit(
            X,
            y,
            X_val,
            np.searchsorted(game.classes, np.asarray(y_val)).astype(np.int32),
            n_classes=game.classes.size,
            size_law=self._estimator(game).size_law(game.n_players),
            C=self.utility.C if isinstance(self.utility, Logistic) else None,
            seed=self.seed,
        )

    def _spend_rest(
        self, game: DataGame, budget: int, predictions: NDArray[np.float64], settings: dict[str, Any]
    ) -> None:
        """Further samples, for what is left of the budget, where they take most off the error."""
        labels = self.halves_[0].merge(self.halves_[1])
        if shares_all_draws(labels):
            return
        block = np.bincount(units(labels)).max()
        samples = int((budget - labels.evaluations) / self.plan_.costs.per_sample / block) * int(block)
        if samples:
            more = refine_where(predictions, labels, samples)
            self.halves_ = extended(game, self.halves_, more, **settings)

    def _settle(self, X: NDArray[np.float64], y: NDArray[np.int32], places: NDArray[np.int64]) -> None:
        """Values, their errors and certificates from the networks and their halves of the labels of the points at `places`."""
        self.labels_ = self.halves_[0].merge(self.halves_[1])
        both = [net.predict(X, y) for net in self.nets_]
        refined = cross_refine([p[places] for p in both], self.halves_)
        self.values_, self.stderr_ = np.mean(both, axis=0), np.full(y.size, np.nan)
        if places.size < y.size:
            self.stderr_[:] = np.sqrt(self.plan_.outlook.new.value)
        self.values_[places], self.stderr_[places] = refined.values[:, 0], refined.stderr[:, 0]
        self.error_ = ValuationErrors(refined.certificate, refined.prediction_certificate)

    def predict(self, X: Any, y: Any) -> NDArray[np.float64]:
        """Values float64 [m] of any points with their classes, whether in the pool or not: the mean of both networks."""
        X = self._points(X)
        codes = _checks.encode("y", _checks.targets("y", y, X.shape[0]), self.classes_)
        return np.mean([net.predict(X, codes) for net in self.nets_], axis=0)

    def predict_all(self, X: Any) -> NDArray[np.float64]:
        """Values float64 [m, n_classes] of any points under every class, in the order of `classes_`."""
        X = self._points(X)
        return np.mean([net.predict_all(X) for net in self.nets_], axis=0)

    def save(self, path: str | Path) -> None:
        """Write a folder: net-0.safetensors, net-1.safetensors, labels.npz, values.npz, about.json. No pickle."""
        self._check_fitted()
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for place, net in enumerate(self.nets_):
            net.save(folder / f"net-{place}.safetensors")
        self.labels_.save(folder / "labels.npz")
        np.savez(folder / "values.npz", classes=_plain(self.classes_), values=self.values_, stderr=self.stderr_)
        about = {
            "format": _FORMAT,
            "utility": repr(self.utility),
            "samples": self.samples,
            "informed": self.informed,
            "seed": self.seed,
            "error": {name: asdict(one) for name, one in self.error_._asdict().items()},
        }
        (folder / "about.json").write_text(json.dumps(about, indent=2))

    @staticmethod
    def load(path: str | Path) -> DataValuator:
        """Read what `save` wrote: values, labels and predictions as they were. `utility` is then its description only."""
        folder = Path(path)
        about = json.loads((folder / "about.json").read_text())
        if about.get("format") != _FORMAT:
            raise ValueError(f"{folder} has format {about.get('format')}; this version reads {_FORMAT}.")
        labels = Labels.load(folder / "labels.npz")
        valuator = DataValuator(
            estimator=labels.estimator,
            samples=about["samples"],
            informed=about.get("informed", True),  # files of before it was stored were of the default
            seed=about["seed"],
        )
        valuator.utility = about["utility"]
        valuator.labels_, valuator.plan_ = labels, None
        valuator.nets_ = tuple(ValuationNet.load(folder / f"net-{place}.safetensors") for place in range(_NETS))
        with np.load(folder / "values.npz", allow_pickle=False) as archive:
            valuator.classes_, valuator.values_, valuator.stderr_ = (
                archive[name] for name in ("classes", "values", "stderr")
            )
        valuator.error_ = ValuationErrors(**{name: Certificate.of_stored(one) for name, one in about["error"].items()})
        return valuator

    def _halves(self, game: DataGame, progress: bool) -> list[tuple[Labels, Labels | None]]:
        """(train, select) labels of each half of the samples; select is None in a half of one sample."""
        halves, first_train, first_select = [], 0, 0
        for samples in (self.samples - self.samples // _NETS, self.samples // _NETS):
            n_select = max(1, samples // 5) if samples > 1 else 0
            train = self._labels(game, samples - n_select, first_train, "train", progress)
            select = self._labels(game, n_select, first_select, "select", progress) if n_select else None
            halves.append((train, select))
            first_train, first_select = first_train + samples - n_select, first_select + n_select
        return halves

    def _labels(self, game: DataGame, samples: int, first_sample: int, role: str, progress: bool) -> Labels:
        stream = LabelStream(
            game,
            self._estimator(game),
            samples=samples,
            first_sample=first_sample,
            role=role,
            seed=self.seed,
            max_bytes=self.max_bytes,
            n_threads=self.n_threads,
        )
        with progress_bar(stream.total, f"labels to {role}", progress) as update:
            return stream.collect(update)

    def _estimator(self, game: DataGame) -> Estimator:
        return _automatic(game.n_players) if isinstance(self.estimator, str) else self.estimator

    def _points(self, X: Any) -> NDArray[np.float64]:
        self._check_fitted()
        return _checks.features("X", X, width=self.nets_[0].n_features_)

    def _check_fitted(self) -> None:
        if not hasattr(self, "nets_"):
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
