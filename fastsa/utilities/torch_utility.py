"""Any torch module as a utility: many small models trained at once, one per coalition."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa._threads import Cancel, Cancelled
from fastsa.ops import Walks
from fastsa.utilities import scores
from fastsa.utilities.coalitions import Coalitions, expanded
from fastsa.utilities.data import TAKES, SupervisedData, count_outputs

if TYPE_CHECKING:
    import torch


class TorchUtility:
    """Validation score of a torch module after a few steps of gradient descent on the coalition.

    Every coalition starts from the same parameters: those of `make_module()`, called once with torch's generators seeded
    by `seed` and given back as they were. A step moves them by  -learning_rate * (gradient + weight_decay * parameters)
    of the mean loss over the coalition's points, repeats counted: cross-entropy of the classes present, or squared
    error. `models` coalitions are trained at once (torch.func: functional_call, vmap, grad), each on all points with its
    counts as weights, on the device and in the dtype of the module's first parameter, to which copies of the data go.

    Slow beside native utilities: a training at every scored position. Where features are few, Logistic converges in
    microseconds. The module is in eval mode: dropout is off, batch norm keeps its first statistics. Blocks always hold
    `models` coalitions, filled up with repeats, so that a value does not depend on the batch it falls in; on one machine,
    device and number of torch threads it is the same bytes. `n_threads` has no effect on torch's own threads.

    Parameters
    ----------
    make_module : () -> torch.nn.Module of inputs [rows, d] and outputs [rows, classes], or [rows] or [rows, 1] for targets.
    steps : of gradient descent, 0 or more. Default 50.
    learning_rate : above 0. Default 0.5.
    weight_decay : 0 or more. Default 0.
    takes : "classes" (default) or "targets".
    score : by name or a function, as SklearnUtility; default "accuracy", or "r2" for targets.
    empty : score of the empty coalition; default as SklearnUtility.
    seed : of the first parameters; default 0.
    models : coalitions trained at once; default 32. Memory is that of `models` forward passes over all points.

    A coalition with one class predicts that class. Training that diverges ends in the ValueError of a score that is not
    finite: lower the learning rate, or scale the features.

    Raises BackendUnavailable where torch is missing; TypeError or ValueError for bad settings, and where it is prepared,
    for a module without parameters or with outputs of another shape.

    >>> import fastsa, numpy as np, torch
    >>> X = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    >>> utility = fastsa.utilities.TorchUtility(lambda: torch.nn.Linear(1, 2, dtype=torch.float64), steps=20)
    >>> game = fastsa.games.DataGame(utility, X, [0, 0, 1, 1], X, [0, 0, 1, 1])
    >>> game.evaluate([[True, False, True, False], [True, True, False, False]]).ravel().tolist()
    [1.0, 0.5]
    """

    def __init__(
        self,
        make_module: Callable[[], torch.nn.Module],
        *,
        steps: int = 50,
        learning_rate: float = 0.5,
        weight_decay: float = 0.0,
        takes: str = "classes",
        score: Any = None,
        empty: float | None = None,
        seed: int = 0,
        models: int = 32,
    ) -> None:
        _torch()
        if not callable(make_module):
            raise TypeError(
                f"make_module is {make_module!r}; expected a function without arguments that makes a module."
            )
        self.make_module = make_module
        self.steps = _checks.count("steps", steps, least=0)
        self.learning_rate = _checks.number("learning_rate", learning_rate, above=0.0)
        self.weight_decay = _checks.number("weight_decay", weight_decay)
        if self.weight_decay < 0.0:
            raise ValueError(f"weight_decay is {weight_decay}; expected 0 or more.")
        self.takes = _checks.choice("takes", takes, TAKES)
        self.score = scores.resolve(("r2" if takes == "targets" else "accuracy") if score is None else score, takes)
        self.empty = None if empty is None else _checks.number("empty", empty)
        self.seed = _checks.seed(seed)
        self.models = _checks.count("models", models)
        self.n_outputs = self.score.n_outputs

    def __repr__(self) -> str:
        return (
            f"TorchUtility({scores.name_of(self.make_module)}, steps={self.steps}, learning_rate={self.learning_rate!r}, "
            f"weight_decay={self.weight_decay!r}, takes={self.takes!r}, score={self.score.name!r}, empty={self.empty!r}, "
            f"seed={self.seed}; slow: trains at every scored position)"
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.make_module is other.make_module and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def empty_values(self, data: SupervisedData) -> Any:
        return self.score.of_nothing(data.y_val, data.n_classes) if self.empty is None else self.empty

    def prepare(self, data: SupervisedData) -> PreparedTorch:
        self.score.check(data.y_val)
        return PreparedTorch(self, data)


class PreparedTorch:
    """The module's first parameters and the data, on its device and in its dtype."""

    def __init__(self, utility: TorchUtility, data: SupervisedData) -> None:
        torch = _torch()
        self._utility, self._data = utility, data
        self._n_outputs = count_outputs(utility, data.y_val.size)
        self._module = _made(utility)
        self._start = {name: p.detach() for name, p in self._module.named_parameters()}
        self._like = next(iter(self._start.values()), None)
        if self._like is None:
            name = scores.name_of(utility.make_module)
            raise ValueError(f"{name} made a module without parameters; there is nothing to train.")
        self._X, self._X_val = self._placed(data.X), self._placed(data.X_val)
        self._y = torch.as_tensor(data.y, device=self._like.device).long() if data.n_classes else self._placed(data.y)
        self._check_outputs()
        self._gradients = torch.func.vmap(torch.func.grad(self._loss))
        self._predict = torch.func.vmap(self._outputs, in_dims=(0, None))

    def walk(self, walks: Walks, *, max_bytes: int, n_threads: int | None, cancel: Cancel) -> NDArray[np.float64]:
        """Values [walks.n_values, outputs]."""
        values = np.zeros((walks.n_values, self._n_outputs))
        for part in expanded(walks, max_bytes):
            scored = np.empty((len(part), self._n_outputs))
            for begin in range(0, len(part), self._utility.models):
                end = min(begin + self._utility.models, len(part))
                scored[begin:end] = self._block(part, begin, end, cancel)
            values[part.values] = scored[part.rows]
        return values

    def _block(self, coalitions: Coalitions, begin: int, end: int, cancel: Cancel) -> NDArray[np.float64]:
        """Scores [end - begin, outputs] of as many models, trained with others that only fill the block."""
        data, n_models = self._data, self._utility.models
        counts = np.zeros((n_models, data.y.size), dtype=np.int32)
        counts[: end - begin] = coalitions.counts(begin, end, data.y.size)
        counts[end - begin :] = counts[0]
        of_classes = counts @ np.eye(data.n_classes, dtype=np.int64)[data.y] if data.n_classes else None
        outputs = self._trained_outputs(counts, of_classes, cancel)
        scored = np.empty((end - begin, self._n_outputs))
        for row in range(end - begin):
            scored[row] = self._scored(outputs[row], None if of_classes is None else of_classes[row])
        return scored

    def _trained_outputs(
        self, counts: NDArray[np.int32], of_classes: NDArray[np.int64] | None, cancel: Cancel
    ) -> NDArray[np.float64]:
        """Outputs of every trained model for the validation points: [models, m, classes], or [models, m]."""
        torch = _torch()
        weights = self._placed(counts / counts.sum(axis=1, keepdims=True))
        absent = torch.zeros((counts.shape[0], 1), dtype=torch.bool, device=self._like.device)
        if of_classes is not None:
            absent = torch.as_tensor(of_classes == 0, device=self._like.device)
        rate, decay = self._utility.learning_rate, self._utility.weight_decay
        parameters = {name: p.expand(counts.shape[0], *p.shape).clone() for name, p in self._start.items()}
        for _ in range(self._utility.steps):
            if cancel.is_set():
                raise Cancelled
            gradients = self._gradients(parameters, weights, absent)
            parameters = {name: p - rate * (gradients[name] + decay * p) for name, p in parameters.items()}
        return self._predict(parameters, self._X_val).detach().cpu().double().numpy()

    def _loss(self, parameters: dict[str, torch.Tensor], weights: torch.Tensor, absent: torch.Tensor) -> torch.Tensor:
        """The weighted mean loss of one model on all points; classes that are absent have no probability."""
        torch = _torch()
        outputs = self._outputs(parameters, self._X)
        if not self._data.n_classes:
            return (weights * (outputs - self._y) ** 2).sum()
        # Not minus infinity: the points of absent classes have weight 0, and 0 times infinity is none.
        logits = outputs.masked_fill(absent, torch.finfo(outputs.dtype).min / 4)
        return (weights * torch.nn.functional.cross_entropy(logits, self._y, reduction="none")).sum()

    def _outputs(self, parameters: dict[str, torch.Tensor], X: torch.Tensor) -> torch.Tensor:
        outputs = _torch().func.functional_call(self._module, parameters, (X,))
        return outputs if self._data.n_classes else outputs.reshape(X.shape[0])

    def _scored(self, outputs: NDArray[np.float64], of_classes: NDArray[np.int64] | None) -> Any:
        """The score of one model's outputs; NaN where its training diverged."""
        score, y_val = self._utility.score, self._data.y_val
        if not np.isfinite(outputs).all():
            return np.nan
        if of_classes is None:
            return score(y_val, outputs)
        logits = np.where(of_classes > 0, outputs, -np.inf)
        if score.reads == "classes":
            return score(y_val, logits.argmax(axis=1).astype(np.int32))
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return score(y_val, scores.mixed(odds / odds.sum(axis=1, keepdims=True), of_classes))

    def _placed(self, array: NDArray[Any]) -> torch.Tensor:
        return _torch().as_tensor(array).to(device=self._like.device, dtype=self._like.dtype)

    def _check_outputs(self) -> None:
        rows = self._X_val[:2]
        shape = tuple(self._module(rows).shape)
        n, classes = rows.shape[0], self._data.n_classes
        expected = [(n, classes)] if classes else [(n,), (n, 1)]
        if shape not in expected:
            name = scores.name_of(self._utility.make_module)
            raise ValueError(
                f"the module of {name} answers shape {shape} for inputs {tuple(rows.shape)}; expected "
                f"{' or '.join(map(str, expected))}."
            )


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise _checks.BackendUnavailable("TorchUtility needs PyTorch: pip install 'fastsa[torch]'.") from None
    return torch


def _made(utility: TorchUtility) -> torch.nn.Module:
    """The module in eval mode, made with seeded generators that are given back as they were."""
    torch = _torch()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(utility.seed)
        module = utility.make_module()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"{scores.name_of(utility.make_module)} made a {type(module).__name__}; expected a torch.nn.Module."
        )
    return module.eval()
