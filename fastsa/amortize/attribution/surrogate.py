"""A copy of a model that has learned what to say when part of its input is hidden."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _threads
from fastsa.amortize.progress import epoch_bar
from fastsa.amortize.weights_file import require_torch
from fastsa.games.arrays import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from fastsa.amortize.training import Schedule

_MOST_OFF = 1e-3  # of a sum of probabilities from 1, in float16 even


def masked_surrogate(
    module: torch.nn.Module,
    X: Any,
    masker: Any,
    *,
    loss: str = "kl",
    X_select: Any = None,
    epochs: int = 50,
    learning_rate: float = 1e-4,
    batch_size: int = 64,
    decay: str = "linear",
    weight_decay: float | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    progress: bool = False,
) -> torch.nn.Module:
    """A copy of `module` fine-tuned to say of masked inputs what the original says of whole ones; in evaluation mode.

    Every time an input is seen a chance u ~ U(0, 1) is drawn, and each player stays with chance 1 - u (Covert et al.
    2024, after Frye et al. 2021). A model that has only met whole inputs is off its ground on masked ones, and
    attributions of the copy are about the information in the players, not about the mask.

    module : a torch module in evaluation mode, on its own device; it is not changed.
    X : inputs [items, ...], a tuple of arrays where the module takes several.
    masker : one of fastsa.games. Marginal draws one background row per input and step; Tokens stay in place
        (drop=False).
    loss : "kl" (default), KL(original || copy) of class probabilities: rows of the original that are probabilities are
        taken as they are, all others as logits; or "squared" error.
    X_select : inputs on which the epoch of least loss is chosen, under masks that stay; without, the last is kept.
    epochs, learning_rate, batch_size, decay, weight_decay : of Adam, AdamW with a weight decay. Default 50, 1e-4, 64,
        linear.
    seed : fixes masks, batches and dropout; torch's global generator is left as it was.

    Raises ValueError for a module in training mode, inputs that do not fit the masker, "kl" of a single output, outputs
    that are not finite; TypeError for other models; BackendUnavailable without torch.

    >>> import fastsa, torch
    >>> module = torch.nn.Sequential(torch.nn.Linear(4, 3)).eval()
    >>> copy = fastsa.amortize.masked_surrogate(module, torch.randn(32, 4), fastsa.games.Baseline(), epochs=2)
    >>> copy.training, copy is module
    (False, False)
    """
    require_torch()
    from fastsa.amortize.networks import own_state
    from fastsa.amortize.training import DECAYS, Schedule

    _check_module(module, masker)
    schedule = Schedule(
        _checks.count("epochs", epochs, least=0),
        _checks.number("learning_rate", learning_rate, above=0.0),
        _checks.count("batch_size", batch_size),
        _checks.choice("decay", decay, DECAYS),
        None if weight_decay is None else _checks.number("weight_decay", weight_decay),
    )
    _checks.choice("loss", loss, ("kl", "squared"))
    seed = _checks.seed(seed)
    threads = None if n_threads is None else _threads.resolve(n_threads)
    finish, close = epoch_bar(progress, schedule.epochs + 1, "surrogate")
    try:
        with own_state(seed, threads):
            train = _Masked(module, X, masker, loss, seed, schedule.batch_size)
            select = (
                None if X_select is None else _Masked(module, X_select, masker, loss, seed + 1, schedule.batch_size)
            )
            return _trained(copy.deepcopy(module), train, select, schedule, seed, finish)
    finally:
        close()


def _trained(
    learner: Any, train: _Masked, select: _Masked | None, schedule: Schedule, seed: int, finish: Callable[[], Any]
) -> Any:
    """The learner in its best state."""
    import torch

    from fastsa.amortize.training import Course

    course, losses = Course(learner), [np.nan]

    def judge() -> None:
        course.record(float(np.mean(losses)), None if select is None else select.mean_loss(learner))
        losses.clear()
        learner.train()
        finish()

    judge()
    generator = torch.Generator().manual_seed(seed)
    parameters = [p for p in learner.parameters() if p.requires_grad]
    for batch, optimizer in schedule.batches(torch.arange(train.items), parameters, generator, judge):
        value = train.loss(learner, batch.numpy())
        value.backward()
        optimizer.step()
        losses.append(value.item())
    course.settle()
    return learner


class _Masked:
    """Inputs under random masks, and what the original says of them whole."""

    def __init__(self, module: Any, X: Any, masker: Any, loss: str, seed: int, batch_size: int) -> None:
        import torch

        from fastsa.games.models import TorchModel

        arrays = TorchModel(module).arrays
        inputs = tuple(arrays.of("X", x) for x in (X if isinstance(X, tuple) else (X,)))
        if len({x.shape[0] for x in inputs}) != 1 or inputs[0].shape[0] == 0:
            raise ValueError(
                f"X has shapes {[tuple(x.shape) for x in inputs]}; expected at least one item, the same in all."
            )
        self.items = int(inputs[0].shape[0])
        self._bound = masker.bind(inputs, arrays)
        self._rng, self._seed, self._batch_size = np.random.default_rng(seed), seed, batch_size
        everyone = np.ones((self.items, self._bound.n_players), np.bool_)
        parts = np.array_split(np.arange(self.items), -(-self.items // batch_size))
        with torch.no_grad():
            whole = torch.cat(
                [self._outputs(module, part, everyone[part], np.zeros(part.size, np.int64)) for part in parts]
            )
        if not torch.isfinite(whole).all():
            raise ValueError("module answered a value that is not finite; expected finite numbers for every input.")
        if loss == "kl" and whole.shape[1] < 2:
            raise ValueError(
                "loss is 'kl' and the module has a single output; expected class scores, or loss='squared'."
            )
        probable = bool((whole >= 0).all()) and bool(((whole.sum(dim=1) - 1).abs() < _MOST_OFF).all())
        self._loss = "squared" if loss == "squared" else ("probabilities" if probable else "logits")
        self._whole = whole if self._loss != "logits" else whole.log_softmax(dim=1)

    def loss(self, module: Any, items: NDArray[np.int64], rng: np.random.Generator | None = None) -> torch.Tensor:
        """The mean loss over these items under fresh masks."""
        import torch

        rng = self._rng if rng is None else rng
        chance = rng.random((items.size, 1))
        members = rng.random((items.size, self._bound.n_players)) >= chance
        background = rng.integers(self._bound.n_background, size=items.size)
        said, wanted = (
            self._outputs(module, items, members, background),
            self._whole[torch.from_numpy(items).to(self._whole.device)],
        )
        if self._loss == "squared":
            return ((said - wanted) ** 2).sum(dim=1).mean()
        if self._loss == "probabilities":
            smallest = torch.finfo(said.dtype).tiny
            return torch.nn.functional.kl_div(said.clamp(min=smallest).log(), wanted, reduction="batchmean")
        return torch.nn.functional.kl_div(said.log_softmax(dim=1), wanted, reduction="batchmean", log_target=True)

    def mean_loss(self, module: Any) -> float:
        """Over all items, under the same masks at every call."""
        import torch

        module.eval()
        rng = np.random.default_rng(self._seed)
        parts = np.array_split(np.arange(self.items), -(-self.items // self._batch_size))
        with torch.no_grad():
            return sum(float(self.loss(module, part, rng)) * part.size for part in parts) / self.items

    def _outputs(
        self, module: Any, items: NDArray[np.int64], members: NDArray[np.bool_], background: NDArray[np.int64]
    ) -> Any:
        said = self._bound.outputs(module, items, members, background, Batch())
        if said.ndim not in (1, 2) or said.shape[0] != items.size:
            raise ValueError(
                f"module answered shape {tuple(said.shape)} for {items.size} rows; expected [rows] or [rows, outputs]."
            )
        return said[:, None] if said.ndim == 1 else said


def _check_module(module: Any, masker: Any) -> None:
    import torch

    from fastsa.games import Tokens

    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module is a {type(module).__name__}; expected a torch.nn.Module, whose copy can be trained.")
    if not hasattr(masker, "bind") or isinstance(masker, type):
        raise TypeError(f"masker is {masker!r}; expected one of fastsa.games, such as Baseline() or Patches((14, 14)).")
    if isinstance(masker, Tokens) and masker.drop:
        raise ValueError("masker is Tokens(drop=True), which regroups rows; a surrogate trains on Tokens(drop=False).")
