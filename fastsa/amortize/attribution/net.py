"""AttributionNet: learns the attributions of a model's outputs to the players of its inputs, in one pass for all."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks, _threads
from fastsa.amortize import weights_file
from fastsa.amortize.attribution import saved
from fastsa.amortize.attribution.ends import checked_ends, ends_cost
from fastsa.amortize.attribution.ends import ends as ends_of_game
from fastsa.amortize.attribution.labels import RefreshedLabels, checked_start
from fastsa.amortize.attribution.plan import Given, Part, Plan, planned
from fastsa.amortize.attribution.task import KINDS, Task, checked_grid, numbers_of
from fastsa.amortize.progress import epoch_bar
from fastsa.games import ModelGame

if TYPE_CHECKING:
    import torch

    from fastsa.amortize.attribution.objectives import Objective
    from fastsa.amortize.attribution.readout import Readout

SCALES = ("global", "unit")
OBJECTIVES = ("labels", "coalitions")
_WIDTH, _WIDTHS = 64, {"mlp": 128}
_EPOCHS, _STEPS, _MOST_EPOCHS = 50, 1500, 300
_LEARNING_RATE = 1e-3
_FINE_TUNING_RATE = 1e-4


class AttributionNet:
    """Attributions [items, players, outputs] of inputs, learned from noisy labels of each, or from coalitions directly.

    Parameters
    ----------
    net : "auto" (default), a kind, a torch.nn.Module or a function without arguments that makes one. A module is copied
        and trained from the weights it has; it maps a batch of inputs to [rows, players, outputs], flattened or not.
        Kinds:

        "mlp"     standardised inputs, `depth` ReLU layers of `width`, one layer to all players and outputs
        "tokens"  a transformer: a `backbone`, or `depth` blocks on embedded tokens, patches or steps; one more on top
        "conv"    images whose players are a `grid`: convolutions pooled to the grid
        "nodes"   (features, adjacency) of graphs: messages between neighbours
        "steps"   sequences [items, steps, channels] with a player per step: convolutions and a GRU

        All but "mlp" end in the same head for every player: LayerNorm and three layers with GELU. "auto" is "tokens"
        with a backbone; else "nodes" for a pair of inputs, "conv" for images whose players are a grid (without `grid`,
        a square one), "tokens" for integers [items, players], "steps" for [items, players, channels], "mlp" for
        everything else.
    backbone : a module that maps inputs to token features [rows, players, width], or players + 1 with a class token in
        front; copied, and trained with the rest. An answer with .last_hidden_state is read by that.
    grid : (rows, columns) of the players of an image.
    width, depth : of our own networks. Default 128 for "mlp" and 64 for others, 2.
    scale : "global" (default) divides all labels by one number. "unit" learns the direction of each item's and output's
        attributions, and their norm with a head of its own in log space; a prediction is their product. It is for
        values of a long-tailed norm, such as Banzhaf's and LIME's. A module of one's own then gives one player more,
        the log norm.
    efficiency : whether attributions are moved, all by the same, to sum to v(N) - v(empty); default False. `predict`
        then needs these ends. Where truth is efficient, this only ever lowers the squared error.
    bounded : whether attributions pass through tanh, as those of probabilities may; default False.
    objective : "labels" (default), or "coalitions": the Shapley regression itself on fresh coalitions at every step, of
        a game in place of labels (FastSHAP, Jethani et al., ICLR 2022). It is always efficient.
    coalitions : per item and step under objective "coalitions", in pairs; default 8.
    epochs : default 50; with `select`, which stops what has learned enough, as many as make 1,500 steps, 50 to 300.
    learning_rate, batch_size : default 1e-3, or 1e-4 with a backbone or module of one's own; 64.
    decay : of the learning rate to 0, "cosine" (default) or "linear".
    weight_decay : None (default) for Adam, a number for AdamW.
    seed : fixes weights, batches and coalitions; the same bytes on one machine with one number of threads. torch's
        global generator is left as it was.
    n_threads : torch's threads during fit and predict. Default: 1 for networks of ours, whose batches are too small to
        share, and as torch is set for a module or backbone of one's own.

    The loss is the mean over items and outputs of the sum over players of squared errors (Covert et al. 2024), weighted
    by count. After `fit`: `module_`, `task_`, `readout_`, `best_epoch_`, `evaluations_` (model evaluations spent inside
    fit) and `history_`, a dict of the losses "train" and "select" per epoch, float64 [epochs + 1], in squared units of
    the labels' spread; "train"[0] is NaN, nothing having been trained.

    Raises BackendUnavailable when torch is not installed, TypeError or ValueError for arguments out of range.

    >>> import fastsa, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> game = fastsa.games.ModelGame(lambda x: x @ np.array([[1.0], [2.0], [0.0]]), X, fastsa.games.Baseline())
    >>> labels = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=2).collect()
    >>> net = fastsa.amortize.AttributionNet(epochs=5).fit(X, labels)
    >>> net.predict(X).shape
    (80, 3, 1)
    """

    def __init__(
        self,
        net: str | torch.nn.Module | Callable[[], torch.nn.Module] = "auto",
        *,
        backbone: torch.nn.Module | None = None,
        grid: tuple[int, int] | None = None,
        width: int | None = None,
        depth: int = 2,
        scale: str = "global",
        efficiency: bool = False,
        bounded: bool = False,
        objective: str = "labels",
        coalitions: int = 8,
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int = 64,
        decay: str = "cosine",
        weight_decay: float | None = None,
        seed: int = 0,
        n_threads: int | None = None,
    ) -> None:
        if isinstance(net, str):
            _checks.choice("net", net, ("auto", *KINDS))
        elif not callable(net):
            raise TypeError(
                f"net is a {type(net).__name__}; expected a kind, a torch.nn.Module or a function that makes one."
            )
        if backbone is not None and net not in ("auto", "tokens"):
            raise ValueError(f"net is {net!r} and has a backbone; expected 'tokens' or 'auto' with a backbone.")
        if backbone is not None and not callable(backbone):
            raise TypeError(f"backbone is a {type(backbone).__name__}; expected a torch.nn.Module.")
        self.net, self.backbone, self.grid = net, backbone, checked_grid(grid)
        self.width = None if width is None else _checks.count("width", width, least=2)
        self.depth = _checks.count("depth", depth)
        self.scale = _checks.choice("scale", scale, SCALES)
        self.efficiency, self.bounded = _flag("efficiency", efficiency), _flag("bounded", bounded)
        self.objective = _checks.choice("objective", objective, OBJECTIVES)
        self.coalitions = _checks.count("coalitions", coalitions, least=2)
        if self.coalitions % 2:
            raise ValueError(
                f"coalitions is {coalitions}; expected an even number, pairs of a coalition and its complement."
            )
        if self.scale == "unit" and (self.efficiency or self.bounded or objective == "coalitions"):
            raise ValueError(
                "scale='unit' is for labels alone; expected 'global' with efficiency, bounded or 'coalitions'."
            )
        own = backbone is not None or not isinstance(net, str)
        rate = (_FINE_TUNING_RATE if own else _LEARNING_RATE) if learning_rate is None else learning_rate
        self.epochs = None if epochs is None else _checks.count("epochs", epochs, least=0)
        self.learning_rate = _checks.number("learning_rate", rate, above=0.0)
        self.batch_size = _checks.count("batch_size", batch_size)
        self.decay = _checks.choice("decay", decay, ("cosine", "linear"))
        self.weight_decay = None if weight_decay is None else _checks.number("weight_decay", weight_decay)
        self.seed = _checks.seed(seed)
        self.n_threads = None if n_threads is None else _threads.resolve(n_threads)

    def fit(
        self,
        X: Any,
        labels: Any,
        *,
        select: Any = None,
        X_select: Any = None,
        ends: Any = None,
        ends_select: Any = None,
        start: Any = None,
        start_select: Any = None,
        weights: Any = None,
        refresh: int | None = None,
        progress: bool = False,
    ) -> AttributionNet:
        """Learn the attributions of inputs X, and choose the epoch on `select`; returns self.

        X : [items, ...], one array, or a tuple of several as the model takes: numpy, torch, or a frame.
        labels : fastsa.Labels of a ModelGame of these items, of which those are learned from whose samples determine
            every player's value, half of them at least; or a fastsa.LabelStream, which goes on while the network
            trains: an epoch sees what has been made by then, all by the last. Under objective "coalitions" the
            ModelGame itself.
        select : labels of independent noise (role "select"), of the same inputs, or of others given as `X_select`.
            Under objective "coalitions" also a ModelGame, of which `coalitions` of the role select are evaluated once
            per epoch.
        ends, ends_select : v(empty) and v(N), [items, 2, outputs], as `fastsa.amortize.ends` gives; needed with
            `efficiency` unless the labels' estimator has evaluated them (KernelSHAP and its like).

        start, start_select : float64 [items, players, outputs], values to begin with, such as those of an
            `InformedHead`: the network learns what they got wrong, and `predict` is given them to add. Of `select` where
            its inputs are others.

        weights : [items], or [items, players], in place of the labels' counts, such as
            `fastsa.amortize.noise_weights` gives. Weights from the same samples' own variance would bias.

        refresh : samples of a label that is to be replaced, a divisor of the stream's. A stream refines labels by default: an
            epoch sees the means of all samples so far. With refresh = r and samples = m r, training goes through m
            independent labels l_1 .. l_m of r samples each, one after the other, for equally many epochs. The sum of
            evaluations is that of one fixed label of mean l, and so is the objective over all of training,

                sum over j of |f - l_j|^2  =  m |f - l|^2 + a constant without f:

            noise that a network would memorise is traded for noise that is new and sqrt(m) times as large, of which it
            forgets the earlier. They are drawn between epochs, while nothing trains. Where the estimator is biased at r
            samples, such as KernelSHAP's, the labels of all are.

        The loss on fixed `select` labels is the certified error plus their noise, a constant: with l1 and l2 halves of
        their samples the mean of (p - l1)(p - l2) is that of (p - l)^2 less (l1 - l2)^2 / 4, which has no p in it. So the
        epoch of least loss is that of least certified error.

        Raises ValueError for labels of roles certify or truth, labels that share samples with `select`, or of other
        inputs.
        """
        weights_file.require_torch()
        if start is not None and (self.scale == "unit" or self.bounded):
            raise ValueError("start is for nets of scale 'global' that are not bounded; leave it out, or change them.")
        plan = planned(
            Given(X, labels, ends, start, weights, refresh),
            Given(X_select, select, ends_select, start_select),
            self._kind,
            self.grid,
            self.objective,
            self._efficient,
        )
        from fastsa.amortize.networks import own_state

        epochs = self._epochs(plan)
        if isinstance(plan.train.labels, RefreshedLabels) and len(plan.train.labels.parts) > max(epochs, 1):
            raise ValueError(
                f"refresh is {refresh}, which makes {len(plan.train.labels.parts)} labels in turn, and there are {epochs} "
                "epochs; expected at least as many. Give a larger refresh."
            )
        finish, close = epoch_bar(progress, epochs + 1)
        try:
            with own_state(self.seed, self._threads_for(plan.kind)):
                self._fit(plan, epochs, finish)
        finally:
            close()
        return self

    def predict(self, X: Any, *, ends: Any = None, start: Any = None) -> NDArray[np.float64]:
        """Attributions float64 [items, players, outputs] of inputs, seen or not.

        `ends` [items, 2, outputs] are needed by an efficient net, and `start` by one fitted with it, see `fit`.
        """
        self._fitted()
        arrays = numbers_of("X", X, self.task_)
        import torch

        from fastsa.amortize.networks import apply, own_state

        readout = self.readout_
        totals, known = None, self._start_of(start, arrays[0].shape[0])
        if readout.efficient:
            if ends is None:
                raise ValueError(
                    "this net is efficient; give ends, v(empty) and v(N) of each input, as amortize.ends(game) gives."
                )
            both = checked_ends("ends", ends, arrays[0].shape[0], self.task_.n_outputs)
            totals = both[:, 1] - both[:, 0] - (0.0 if known is None else known.sum(axis=1))
        with own_state(self.seed, self._threads_for(self.kind_)):
            raw = apply(self.module_, tuple(torch.from_numpy(x) for x in arrays), self.batch_size)
        in_units = None if totals is None else torch.from_numpy(totals / readout.unit)
        learned = readout.unit * readout.attributions(torch.from_numpy(raw), in_units).numpy()
        return learned if known is None else known + learned

    def save(self, path: str | Path) -> None:
        """Write the net to `path` as safetensors with JSON metadata (no pickle)."""
        self._fitted()
        saved.save(self, Path(path))

    @staticmethod
    def load(
        path: str | Path,
        net: torch.nn.Module | Callable[[], torch.nn.Module] | None = None,
        *,
        backbone: torch.nn.Module | None = None,
    ) -> AttributionNet:
        """Read what `save` wrote; it predicts the same bytes. A module or backbone of one's own is given again."""
        return saved.load(AttributionNet, Path(path), net, backbone)

    def _kind(self, task: Task) -> str:
        """The kind of network for a task, "own" for a module of one's own; ValueError where it cannot be made."""
        if not isinstance(self.net, str):
            return "own"
        with_backbone = self.backbone is not None
        kind = self.net if self.net != "auto" else ("tokens" if with_backbone else task.kind)
        task.check(kind, with_backbone)
        return kind

    @property
    def _efficient(self) -> bool:
        return self.efficiency or self.objective == "coalitions"

    def _epochs(self, plan: Plan) -> int:
        if self.epochs is not None:
            return self.epochs
        if plan.select is None:
            return _EPOCHS
        steps = -(-plan.train.inputs[0].shape[0] // self.batch_size)
        return min(max(_EPOCHS, -(-_STEPS // steps)), _MOST_EPOCHS)

    def _threads_for(self, kind: str) -> int | None:
        own = kind == "own" or self.backbone is not None
        return 1 if self.n_threads is None and not own else self.n_threads

    def _fit(self, plan: Plan, epochs: int, finish: Callable[[], Any]) -> None:
        import torch

        from fastsa.amortize.attribution import training
        from fastsa.amortize.training import Schedule

        generator = torch.Generator().manual_seed(self.seed)
        inputs = tuple(torch.from_numpy(x) for x in plan.train.inputs)
        self.task_, self.kind_, self.evaluations_ = plan.task, plan.kind, 0
        self.started_ = plan.train.start is not None
        module = self._new_module(plan.task, plan.kind, inputs, generator)
        objective, selection = self._objectives(plan, epochs)
        with torch.no_grad():
            from fastsa.amortize.networks import batch_of, device_of

            module.eval()
            objective.readout.shaped(module(*batch_of(inputs, slice(0, 2), device_of(module))))
        schedule = Schedule(epochs, self.learning_rate, self.batch_size, self.decay, self.weight_decay)
        course = training.learn(module, inputs, objective, selection, schedule, generator, finish)
        for part in (objective, selection[1] if selection else None):
            self.evaluations_ += getattr(part, "evaluations", 0)
        self.module_, self.readout_ = module, objective.readout
        self.history_, self.best_epoch_ = course.history, course.best_epoch

    def _new_module(self, task: Task, kind: str, inputs: Any, generator: torch.Generator) -> torch.nn.Module:
        """On the device of a module or backbone of the user's."""
        import torch

        from fastsa.amortize.attribution.kinds import build
        from fastsa.amortize.networks import device_of

        if kind == "own":
            module = copy.deepcopy(self.net) if isinstance(self.net, torch.nn.Module) else self.net()
            if not isinstance(module, torch.nn.Module):
                raise TypeError(f"net made a {type(module).__name__}; expected a torch.nn.Module.")
            return module
        backbone = copy.deepcopy(self.backbone)
        module = build(
            kind,
            task,
            width=self.width or _WIDTHS.get(kind, _WIDTH),
            depth=self.depth,
            with_norm=self.scale == "unit",
            backbone=backbone,
            inputs=inputs,
            generator=generator,
        )
        return module if backbone is None else module.to(device_of(backbone))

    def _objectives(self, plan: Plan, epochs: int) -> tuple[Objective, tuple[Any, Objective] | None]:
        """What is minimised, and (inputs, what the epoch is chosen by)."""
        import torch

        from fastsa.amortize.attribution.objectives import ToCoalitions, ToLabels

        shape, train, select = self._new_readout(plan.task), plan.train, plan.select
        both = self._evaluated_ends(train)
        if isinstance(train.labels, ModelGame):
            objective: Any = ToCoalitions(train.labels, both, shape, self.coalitions, self.seed, "train", fresh=True)
        else:
            objective = ToLabels(train.labels, _totals(both, train.start), shape, epochs)
        if select is None:
            return objective, None
        if select.ends is not None or select.inputs is not train.inputs:
            both = self._evaluated_ends(select)
        if isinstance(select.labels, ModelGame):
            chosen: Any = ToCoalitions(
                select.labels, both, objective.readout, self.coalitions, self.seed, "select", fresh=False
            )
        else:
            chosen = ToLabels(select.labels, _totals(both, select.start), objective.readout, measured=True)
        return objective, (tuple(torch.from_numpy(x) for x in select.inputs), chosen)

    def _start_of(self, start: Any, items: int) -> NDArray[np.float64] | None:
        if self.started_ != (start is not None):
            how, expected = ("with", "with one") if self.started_ else ("without", "without")
            raise ValueError(f"this net was fitted {how} a start; predict {expected}.")
        return checked_start("X", start, (items, self.task_.n_players, self.task_.n_outputs))

    def _evaluated_ends(self, part: Part) -> NDArray[np.float64] | None:
        """Those given, or those of the game; None where none are needed."""
        if part.ends is not None or not isinstance(part.labels, ModelGame):
            return part.ends
        self.evaluations_ += ends_cost(part.labels)
        return ends_of_game(part.labels)

    def _new_readout(self, task: Task) -> Readout:
        import torch

        from fastsa.amortize.attribution.readout import Readout

        center = torch.zeros(task.n_players, task.n_outputs)
        return Readout(task.n_players, task.n_outputs, self.scale, self.bounded, self._efficient, 1.0, center)

    def _fitted(self) -> None:
        if not hasattr(self, "module_"):
            raise ValueError("this AttributionNet has not been fitted; call fit or load first.")


def _totals(both: NDArray[np.float64] | None, start: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """What the network's own part sums to."""
    if both is None:
        return None
    return both[:, 1] - both[:, 0] - (0.0 if start is None else start.sum(axis=1))


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; expected True or False.")
    return bool(value)
