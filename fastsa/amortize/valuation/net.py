"""ValuationNet: learns the value of a point under every possible class from noisy labels of the classes it has."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _threads
from fastsa.amortize import weights_file
from fastsa.amortize.encoded import encoded
from fastsa.amortize.progress import epoch_bar
from fastsa.amortize.valuation import saved
from fastsa.amortize.valuation.influence_start import InfluenceStart
from fastsa.amortize.valuation.influences import Influences
from fastsa.amortize.valuation.informed_start import InformedStart, informed_columns
from fastsa.amortize.valuation.labels import TrainingLabels

if TYPE_CHECKING:
    import torch

_PRETRAIN_LEARNING_RATE = 1e-3
# Select labels are noisy: the least loss of ten epochs is below that of a good start by chance.
_DOUBT = 2.0


class ValuationNet:
    """The value of a point under every class, trained on the label of the class it has.

    value(x, y) = start(x, y) + scale * net(x)[y]: a closed-form start (see `InfluenceStart`), and a network under a
    head that is zero at first and learns what the start got wrong. The network is pretrained as a classifier of (X, y),
    then trained with Adam and cosine decay on squared errors weighted by count (Covert et al. 2024, section 5.2
    and appendix F, whose recipe is start="constant"). The epoch of least loss on `select` is kept, or the closed-form
    start itself where no epoch beats it by two standard errors; without `select`, the last epoch.

    Parameters
    ----------
    net : "mlp", ReLU layers of the widths `hidden`, which standardises features inside (centred, divided by one
        number); or a torch.nn.Module that maps float32 [rows, d] to [rows, features]; or a function without arguments
        that makes one. A module is copied, and trained from the weights it has; its inputs are X as given. The start
        then reads the module's features after pretraining, in place of X.
    start : "influence" (default), or "constant": the mean of the labels.
    hidden : widths of the mlp. Default (128, 128).
    seed : 64 bits. It fixes initial weights, batches and the start; the same bytes come out on one machine with one
        number of threads. torch's global generator is left as it was.
    epochs, learning_rate, batch_size : training on labels. Default 10, 2e-4, 64.
    pretrain_epochs : passes as a classifier, at learning rate 1e-3 and the same batch size. Default 10.
    n_threads : torch's threads during fit and predict. Default: 1 for the mlp, whose batches are too small to share,
        and as torch is set for a module of one's own.

    X is [n, d], y int32 [n] of classes 0 .. n_classes - 1. After `fit`: `history_`, a dict of the losses "train" and
    "select" per epoch, float64 [epochs + 1] ("select" is empty without select), `best_epoch_`, `start_` and `module_`.

    Raises BackendUnavailable when torch is not installed, TypeError or ValueError for arguments out of range.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from fastsa.amortize import ValuationNet
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = np.arange(60, dtype=np.int32) % 2
    >>> labels = SimpleNamespace(mean=np.where(y[:, None] == 1, X, -X), count=np.full(60, 4), stderr=np.zeros((60, 1)))
    >>> net = ValuationNet(epochs=2, pretrain_epochs=1).fit(X, y, labels, n_classes=2)
    >>> net.predict_all(X).shape
    (60, 2)
    """

    def __init__(
        self,
        net: str | torch.nn.Module | Callable[[], torch.nn.Module] = "mlp",
        *,
        start: str = "influence",
        hidden: Sequence[int] = (128, 128),
        seed: int = 0,
        epochs: int = 10,
        learning_rate: float = 2e-4,
        batch_size: int = 64,
        pretrain_epochs: int = 10,
        n_threads: int | None = None,
    ) -> None:
        if isinstance(net, str):
            _checks.choice("net", net, ("mlp",))
        elif not callable(net):
            given = type(net).__name__
            raise TypeError(f"net is a {given}; expected 'mlp', a torch.nn.Module or a function that makes one.")
        self.net = net
        self.start = _checks.choice("start", start, ("influence", "constant"))
        self.hidden = tuple(_checks.count("hidden", width) for width in hidden)
        if not self.hidden:
            raise ValueError("hidden is empty; expected at least one width.")
        self.seed = _checks.seed(seed)
        self.epochs = _checks.count("epochs", epochs, least=0)
        self.learning_rate = _checks.number("learning_rate", learning_rate, above=0.0)
        self.batch_size = _checks.count("batch_size", batch_size)
        self.pretrain_epochs = _checks.count("pretrain_epochs", pretrain_epochs, least=0)
        unset = 1 if net == "mlp" else None
        self.n_threads = unset if n_threads is None else _threads.resolve(n_threads)

    def fit(
        self,
        X: Any,
        y: Any,
        train: Any,
        *,
        select: Any = None,
        n_classes: int,
        weights: Any = None,
        influences: Influences | None = None,
        progress: bool = False,
    ) -> ValuationNet:
        """Learn from `train` labels of all points of (X, y), and choose the epoch on `select` labels; returns self.

        `train` and `select` are fastsa.Labels of the same points with independent noise (roles train and select):
        `.mean` [n, 1], `.count` [n], `.stderr` [n, 1]. A point of count 0 is pretrained on, and predicted like any
        other. `weights` [n] take the place of the counts of `train`, such as
        `fastsa.amortize.noise_weights` gives. The least loss on `select` is the least certified error: labels of fixed
        samples add their noise to both sides of any comparison.

        With `influences`, what the validation points tell about every point before any label (see
        `fastsa.amortize.Influences`), a second start is fitted on those, and taken where its loss on `select` is the lower;
        without select it is taken. ValueError for influences beside start="constant", or of other features or classes.
        """
        X = _checks.features("X", X)
        n_classes = _checks.count("n_classes", n_classes, least=2)
        y = encoded("y", y, X.shape[0], n_classes)
        if influences is not None:
            self._check_influences(influences, X.shape[1], n_classes)
        labels = TrainingLabels.of("train", train, y.size).weighted(weights)
        chosen = None if select is None else TrainingLabels.of("select", select, y.size)
        weights_file.require_torch()
        from fastsa.amortize.networks import own_state

        finish, close = epoch_bar(progress, self.pretrain_epochs + self.epochs + 1)
        try:
            with own_state(self.seed, self.n_threads):
                self._fit(X, y, labels, chosen, n_classes, influences, finish)
        finally:
            close()
        return self

    def predict_all(self, X: Any) -> NDArray[np.float64]:
        """Values float64 [m, n_classes] of points `X` [m, d], seen or not, under every class."""
        self._fitted()
        X = _checks.features("X", X, width=self.n_features_)
        from fastsa.amortize.networks import apply, own_state

        with own_state(self.seed, self.n_threads):
            return self._start_values(X) + self.scale_ * apply(self.module_, X)

    def predict(self, X: Any, y: Any) -> NDArray[np.float64]:
        """Values float64 [m] of points `X` [m, d] with classes `y` [m]."""
        self._fitted()
        X = _checks.features("X", X, width=self.n_features_)
        y = encoded("y", y, X.shape[0], self.n_classes_)
        return self.predict_all(X)[np.arange(y.size), y]

    def save(self, path: str | Path) -> None:
        """Write the net to `path` as safetensors with JSON metadata (no pickle)."""
        self._fitted()
        saved.save(self, Path(path))

    @staticmethod
    def load(path: str | Path, net: torch.nn.Module | Callable[[], torch.nn.Module] | None = None) -> ValuationNet:
        """Read what `save` wrote; it predicts the same bytes. A user's own module is given again as `net`."""
        return saved.load(ValuationNet, Path(path), net)

    def _fit(
        self,
        X: NDArray[np.float64],
        y: NDArray[np.int32],
        train: TrainingLabels,
        select: TrainingLabels | None,
        n_classes: int,
        influences: Influences | None,
        finish: Callable[[], Any],
    ) -> None:
        import torch

        from fastsa.amortize.networks import apply, feature_width, zero_head
        from fastsa.amortize.training import Schedule
        from fastsa.amortize.valuation import training

        generator = torch.Generator().manual_seed(self.seed)
        body = self._new_body(X.shape[1], generator)
        if self.net == "mlp":
            body.standardise(X)
        width = feature_width(body, X)
        if self.pretrain_epochs:
            schedule = Schedule(self.pretrain_epochs, _PRETRAIN_LEARNING_RATE, self.batch_size)
            rows, classes = torch.from_numpy(X).to(torch.float32), torch.from_numpy(y).long()
            training.pretrain(body, width, rows, classes, n_classes, schedule, generator, finish)
        self.n_features_, self.n_classes_ = X.shape[1], n_classes
        self.scale_, self.center_ = train.spread or 1.0, train.center
        self.start_, self.frozen_ = None, None
        if self.start == "influence":
            self.frozen_ = None if self.net == "mlp" else copy.deepcopy(body).eval()
            features = X if self.frozen_ is None else apply(self.frozen_, X)
            self.start_ = InfluenceStart.fit(features, y, train.mean, train.weight, n_classes=n_classes, seed=self.seed)
        start = self._start_values(X)[np.arange(y.size), y]
        if influences is not None:
            inputs = informed_columns(influences, X)
            informed = InformedStart.fit(influences, inputs, y, train.mean, train.weight)
            values = informed.values_of(inputs)[np.arange(y.size), y]
            del inputs
            if select is None or select.loss(values) < select.loss(start):
                self.start_, start = informed, values
        self.module_ = torch.nn.Sequential(body, zero_head(width, n_classes))
        # Constant labels leave nothing to learn, and Adam would blow their rounding errors up.
        epochs = self.epochs if train.spread > 0 else 0
        schedule = Schedule(epochs, self.learning_rate, self.batch_size)
        doubt = _DOUBT if self.start == "influence" else 0.0
        course = training.learn(
            self.module_, X, y, start, self.scale_, train, select, doubt, schedule, generator, finish
        )
        self.history_, self.best_epoch_ = course.history, course.best_epoch

    def _new_body(self, d: int, generator: torch.Generator) -> torch.nn.Module:
        import torch

        if self.net == "mlp":
            from fastsa.amortize.networks import Mlp

            return Mlp(d, self.hidden, generator)
        body = copy.deepcopy(self.net) if isinstance(self.net, torch.nn.Module) else self.net()
        if not isinstance(body, torch.nn.Module):
            raise TypeError(f"net made a {type(body).__name__}; expected a torch.nn.Module.")
        return body

    def _check_influences(self, influences: Influences, d: int, n_classes: int) -> None:
        if not isinstance(influences, Influences):
            raise TypeError(f"influences is a {type(influences).__name__}; expected fastsa.amortize.Influences.")
        if self.start == "constant":
            raise ValueError('influences are another start; give them, or start="constant", not both.')
        if (influences.center.size, influences.present.shape[1]) != (d, n_classes):
            raise ValueError(
                f"influences are of {influences.center.size} features and {influences.present.shape[1]} classes; expected "
                f"{d} and {n_classes}, as of X and y."
            )

    def _start_values(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.start_ is None:
            return np.full((X.shape[0], self.n_classes_), self.center_)
        from fastsa.amortize.networks import apply

        reads_module = self.frozen_ is not None and isinstance(self.start_, InfluenceStart)
        return self.start_.predict_all(apply(self.frozen_, X) if reads_module else X)

    def _fitted(self) -> None:
        if not hasattr(self, "module_"):
            raise ValueError("this ValuationNet has not been fitted; call fit or load first.")
