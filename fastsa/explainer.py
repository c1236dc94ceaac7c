"""The front door of explaining predictions: labels of inputs, a network that learns from them, attributions."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.amortize import AttributionNet, InformedHead, InformedInputs, Refined, ends, informed_inputs, refine
from fastsa.amortize.attribution.additive_surrogate import AdditiveSurrogate
from fastsa.amortize.attribution.ends import ends_cost, ends_of_labels, summing_to
from fastsa.amortize.attribution.informed_inputs import INFORMED
from fastsa.amortize.correction.selection_error import same_estimand, selection_certificate, selection_gain
from fastsa.amortize.progress import progress_bar
from fastsa.estimators import Estimator, KernelSHAP, PermutationShapley
from fastsa.games import Baseline, Marginal, ModelGame, Patches, Tokens
from fastsa.games.whole_rows import is_table, whole_rows
from fastsa.labels import Labels, LabelStream
from fastsa.metrics import Certificate

if TYPE_CHECKING:
    import shap
    import torch

_FORMAT = 2
_PAIRS_PER_PLAYER = 2
_ITEMS_PER_GROUP = 50
_MOST_ENTRIES = 1024  # of a row whose surrogate is quickly solved for


class AmortizedExplainer:
    """Attributions of a model's outputs to the players of its inputs, in one forward pass of a trained network.

    Parameters
    ----------
    model : a torch module in evaluation mode, a scikit-learn predictor, or any callable on numpy batches, as
        fastsa.games.ModelGame takes; all its outputs are explained.
    masker : Baseline, Marginal, Patches, Groups, Tokens or Nodes of fastsa.games: who the players are, and what absent
        ones leave behind.
    estimator : "auto" (default), or one of fastsa.estimators. Auto estimates Shapley values: KernelSHAP with pairs
        where the samples to select by are at least twice the players, which a regression needs to be near unbiased;
        else PermutationShapley, antithetic, which is unbiased from its first sample.
    samples : what is paid per input in all, in samples of the estimator; default 20. A fifth, at least one, goes to
        selecting the network's best state, the rest to training it. A sample of auto is a permutation and its reverse,
        twice as many evaluations of the model as players (2 more under Tokens and Nodes), or for KernelSHAP a coalition
        and its complement, 2.
    net : "auto" (default), a kind or a torch module as fastsa.amortize.AttributionNet takes, or an AttributionNet with
        settings of its own, which is fitted here. Auto chooses by the inputs. Shapley values are made to sum to
        v(N) - v(empty); values of other estimators are learned as direction times norm.
    informed : "auto" (default), True, False, or some of "gradient", "occlusion", "alone", "linear" and "additive":
        first-order answers of the model, or exact values of a surrogate of it, which fastsa.amortize.informed_inputs makes
        of every input. Auto is "additive" for Shapley values of rows of up to 1,024 finite numbers, else none; True is all
        first-order answers that the game offers. A small head learns attributions from them, and a second
        network what the head got wrong. The labels to select by choose the network alone or with the head, whichever has
        the least certified error, or the head alone where that is not lower by more than its standard error. It takes far
        fewer labels where models are smooth in players, and first-order answers help little where each is noisy, as under a
        drawn background. Explaining an input is not one pass then: as in fitting, occlusion costs players + 1 evaluations,
        "alone" about the same, "gradient" a backward pass per output. A surrogate costs an evaluation of every input fitted (of
        10,000 at most) and of every background row, and nothing when explaining; it tells what the model adds player by
        player. Training takes twice as long.
    seed : of labels and network; default 0.
    n_threads : of labels and network; default all available processors for labels.
    max_bytes : bound on the memory of a batch; default 256 MiB.

    An input's own labels, of samples that nothing was trained on, make its attributions better: `explain(X, labels=)`
    and `refine(X, labels)` weigh each against the prediction by their errors (fastsa.amortize.refine).

    After `fit`: `labels_`, the Monte Carlo labels with all samples; `net_`; `error_`, the certificate of the mean squared
    error of `explain(X)` for the inputs fitted, told by the labels to select by (which the choice flatters a little), or
    None where no unbiased estimator reads them; `choice_`, what predicts, "net", "head" or "head and net", and `head_`,
    the InformedHead or None; `surrogates_`, those of the head's inputs, by kind; `evaluations_`, model evaluations spent
    in all, a backward pass counting two; `seconds_`, what "labels" and "training" took.

    Raises ValueError or TypeError for bad settings, and BackendUnavailable where torch is missing.

    >>> import fastsa, numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> explainer = fastsa.AmortizedExplainer(lambda x: x[:, 0] * x[:, 1], fastsa.games.Baseline(), samples=4)
    >>> explainer.fit(X, progress=False).explain(X[:5]).shape
    (5, 3)
    """

    def __init__(
        self,
        model: Any,
        masker: Any,
        *,
        estimator: str | Estimator = "auto",
        samples: int = 20,
        net: Any = "auto",
        informed: bool | str | Sequence[str] = "auto",
        seed: int = 0,
        n_threads: int | None = None,
        max_bytes: int | None = None,
    ) -> None:
        if isinstance(estimator, str):
            _checks.choice("estimator", estimator, ("auto",))
        elif not isinstance(estimator, Estimator):
            raise TypeError(f"estimator is {estimator!r}; expected 'auto' or one of fastsa.estimators.")
        if not hasattr(masker, "bind") or isinstance(masker, type):
            raise TypeError(
                f"masker is {masker!r}; expected one of fastsa.games, such as Baseline() or Marginal(background)."
            )
        self.model, self.masker, self.estimator, self.net = model, masker, estimator, net
        self.informed = _kinds(informed)
        self.samples = _checks.count("samples", samples, least=2)
        self.seed = _checks.seed(seed)
        self.n_threads, self.max_bytes = n_threads, max_bytes
        if self._new_net(PermutationShapley()).objective != "labels":
            raise ValueError(
                "net has objective 'coalitions', which takes no labels; fit it on a game, or give one with 'labels'."
            )

    def fit(self, X: Any, progress: bool = True) -> AmortizedExplainer:
        """Label the inputs X and train the network. `progress` shows bars with rates. Returns self.

        X : [items, ...] numpy, torch or a frame; a tuple of arrays where the model takes several. Raises as ModelGame
            does.
        """
        game = ModelGame(self.model, X, self.masker)
        estimator = self._estimator(game.n_players)
        n_select = self._n_select
        start = time.perf_counter()
        train = self._labels(game, estimator, self.samples - n_select, "train", progress)
        select = self._labels(game, estimator, n_select, "select", progress)
        net = self._new_net(estimator)
        both = ends(game) if net.efficiency and ends_of_labels(train) is None else None
        known = both if both is not None or not net.efficiency else ends_of_labels(train)
        inputs = self._informed_inputs(game, estimator)
        labeled = time.perf_counter()
        self._learn(net, X, train, select, known, inputs, progress)
        self.seconds_ = {"labels": labeled - start, "training": time.perf_counter() - labeled}
        self.labels_, self.kinds_ = train.merge(select), () if inputs is None else inputs.kinds
        self.surrogates_ = {} if self.head_ is None else dict(inputs.surrogates)
        beside = 0 if inputs is None else inputs.evaluations
        self.evaluations_ = self.labels_.evaluations + beside + (0 if both is None else ends_cost(game))
        return self

    def explain(self, X: Any, *, labels: Labels | None = None) -> NDArray[np.float64]:
        """Attributions float64 [items, players, outputs] of any inputs; [items, players] of a model of one output.

        One pass of the network; where values are efficient also v(N) of each input and v(empty), of the model itself, and
        with `informed` its first-order answers.
        With `labels` of these inputs the values are refined by them, see `refine`.
        """
        return self._squeezed(self._explained(X)[0] if labels is None else self.refine(X, labels).values)

    def refine(self, X: Any, labels: Labels) -> Refined:
        """Attributions of inputs X weighed against their own labels: values, standard errors, weights and certificates.

        labels : fastsa.Labels of a ModelGame of this model, masker and these inputs, of role "certify" or "truth", and of an
            unbiased estimator of what was learned. As their samples grow the values tend to them, and to the truth. Each
            needs about as many inputs as tell an error from noise: some tens.

        Values are fastsa.amortize.refine's, [items, players, outputs], with errors of a size for each player from 50 inputs
        on (some players are noisy, some hardly matter). Where they are efficient they are then moved to sum to
        v(N) - v(empty), each by its share of the variance; standard errors and certificate are those before, which this
        improves on. Raises ValueError for labels of other inputs, roles or estimands, of a biased estimator
        (`labels.under` reads KernelSHAP's coalitions without bias), and of single samples only.

        >>> import fastsa, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> model, masker = lambda x: x[:, 0] * x[:, 1], fastsa.games.Baseline()
        >>> explainer = fastsa.AmortizedExplainer(model, masker, samples=4).fit(X[:100], progress=False)
        >>> game = fastsa.games.ModelGame(model, X[100:], masker)
        >>> own = fastsa.LabelStream(game, fastsa.estimators.PermutationShapley(), samples=4, role="certify").collect()
        >>> refined = explainer.refine(X[100:], own)
        >>> refined.certificate.error.value < refined.prediction_certificate.error.value
        True
        """
        self._check_fitted()
        if not isinstance(labels, Labels):
            raise TypeError(f"labels is a {type(labels).__name__}; expected fastsa.Labels of these inputs.")
        game = self._game_of(X, labels)
        known = ends_of_labels(labels)
        predictions, both = self._explained(X, game, known)
        players = np.arange(game.n_players)[None]
        refined = refine(predictions, labels, groups=players if labels.ids.size >= _ITEMS_PER_GROUP else None)
        if both is None:
            return refined
        return replace(refined, values=summing_to(both[:, 1] - both[:, 0], refined.values, refined.stderr**2))

    def __call__(self, X: Any) -> shap.Explanation:
        """A shap.Explanation of inputs X: .values as of `explain`, .base_values v(empty), and .data where an input has one
        entry per player. Its plots take it. Raises BackendUnavailable where shap is not installed."""
        try:
            import shap
        except ImportError:
            raise _checks.BackendUnavailable(
                "explainer(X) makes a shap.Explanation: pip install shap. explain(X) gives the arrays without it."
            ) from None
        values, both = self._explained(X)
        if both is None:
            both = ends(ModelGame(self.model, X, self.masker))
        base = both[:, 0] if both.shape[2] > 1 else both[:, 0, 0]
        data = None if isinstance(X, tuple) else _numpy(X)
        shown = data is not None and data.shape == values.shape[:2]
        names = [str(c) for c in X.columns] if shown and hasattr(X, "columns") else None
        return shap.Explanation(
            self._squeezed(values), base_values=base, data=data if shown else None, feature_names=names
        )

    def attribute(self, inputs: torch.Tensor, target: Any = None) -> torch.Tensor:
        """Attributions of one output of each input, as a tensor shaped like `inputs`: the call of Captum's methods.

        `target` is the output: a position, or one per item; None where the model has a single one. For maskers with a
        player per entry, Baseline and Marginal. Raises ValueError for others, and for a missing target.
        """
        import torch

        if not isinstance(self.masker, (Baseline, Marginal)):
            name = type(self.masker).__name__
            raise ValueError(
                f"attribute gives tensors shaped like inputs, and {name} has no player per entry; call explain."
            )
        if not isinstance(inputs, torch.Tensor):
            raise TypeError(
                f"inputs is a {type(inputs).__name__}; expected a torch.Tensor. explain takes other arrays."
            )
        values = self._explained(inputs)[0]
        outputs = values.shape[2]
        if target is None and outputs > 1:
            raise ValueError(
                f"target is None and the model has {outputs} outputs; expected a position, or one per item."
            )
        taken = np.asarray(0 if target is None else _numpy(target))
        if taken.dtype.kind not in "iu" or taken.shape not in ((), (values.shape[0],)):
            raise ValueError(
                f"target has shape {taken.shape} and dtype {taken.dtype}; expected one, or one for each of {values.shape[0]} items."
            )
        if taken.min() < 0 or taken.max() >= outputs:
            raise ValueError(f"target reaches from {taken.min()} to {taken.max()}; expected 0 to {outputs - 1}.")
        own = values[np.arange(values.shape[0]), :, taken]
        kept = inputs.dtype if inputs.is_floating_point() else torch.get_default_dtype()
        return torch.from_numpy(own.reshape(tuple(inputs.shape))).to(device=inputs.device, dtype=kept)

    def save(self, path: str | Path) -> None:
        """Write a folder: net.safetensors, labels.npz, about.json. The model and masker are not in it. No pickle."""
        self._check_fitted()
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        self.net_.save(folder / "net.safetensors")
        self.labels_.save(folder / "labels.npz")
        about = {
            "format": _FORMAT,
            "masker": type(self.masker).__name__,
            "samples": self.samples,
            "seed": self.seed,
            "evaluations": self.evaluations_,
            "seconds": self.seconds_,
            "error": None if self.error_ is None else asdict(self.error_),
            "informed": list(self.kinds_),
            "head": None if self.head_ is None else self.head_.config(),
            "surrogates": {kind: surrogate.config() for kind, surrogate in self.surrogates_.items()},
            "choice": self.choice_,
        }
        (folder / "about.json").write_text(json.dumps(about, indent=2))

    @staticmethod
    def load(path: str | Path, model: Any, masker: Any, *, net: Any = None, backbone: Any = None) -> AmortizedExplainer:
        """Read what `save` wrote; it explains the same bytes. Model and masker are given again, and a net or backbone of
        one's own. Raises ValueError for another kind of masker."""
        folder = Path(path)
        about = json.loads((folder / "about.json").read_text())
        if about.get("format") != _FORMAT:
            raise ValueError(f"{folder} has format {about.get('format')}; this version reads {_FORMAT}.")
        if about["masker"] != type(masker).__name__:
            raise ValueError(f"{folder} was made with the masker {about['masker']}; given was {type(masker).__name__}.")
        labels = Labels.load(folder / "labels.npz")
        fitted = AttributionNet.load(folder / "net.safetensors", net, backbone=backbone)
        explainer = AmortizedExplainer(
            model,
            masker,
            estimator=labels.estimator,
            samples=about["samples"],
            net=fitted,
            informed=tuple(about["informed"]) or False,
            seed=about["seed"],
        )
        explainer.kinds_, explainer.choice_ = tuple(about["informed"]), about["choice"]
        explainer.head_ = None if about["head"] is None else InformedHead.of_config(about["head"])
        surrogates = about.get("surrogates", {})  # files of before there were any have none
        explainer.surrogates_ = {kind: AdditiveSurrogate.of_config(found) for kind, found in surrogates.items()}
        explainer.labels_, explainer.net_ = labels, fitted
        explainer.evaluations_, explainer.seconds_ = about["evaluations"], about["seconds"]
        explainer.error_ = None if about["error"] is None else Certificate.of_stored(about["error"])
        return explainer

    @property
    def _n_select(self) -> int:
        return max(1, self.samples // 5)

    def _estimator(self, n_players: int) -> Estimator:
        if not isinstance(self.estimator, str):
            return self.estimator
        if n_players > 1 and self._n_select >= _PAIRS_PER_PLAYER * n_players:
            return KernelSHAP(paired=True)
        return PermutationShapley(antithetic=True)

    def _new_net(self, estimator: Estimator) -> AttributionNet:
        if isinstance(self.net, AttributionNet):
            return self.net
        shapley = _estimates_shapley(estimator)
        grid = self.masker.grid if isinstance(self.masker, Patches) else None
        scale = "global" if shapley or self.informed not in (False, "auto") else "unit"
        return AttributionNet(
            self.net, grid=grid, scale=scale, efficiency=shapley, seed=self.seed, n_threads=self.n_threads
        )

    def _labels(self, game: ModelGame, estimator: Estimator, samples: int, role: str, progress: bool) -> Labels:
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

    def _informed_inputs(self, game: ModelGame, estimator: Estimator) -> InformedInputs | None:
        kinds = self.informed
        if kinds == "auto":
            kinds = ("additive",) if _estimates_shapley(estimator) and _offers_steps(game) else False
        return informed_inputs(game, None if kinds is True else kinds, seed=self.seed) if kinds else None

    def _learn(
        self,
        net: AttributionNet,
        X: Any,
        train: Labels,
        select: Labels,
        both: NDArray[np.float64] | None,
        inputs: InformedInputs | None,
        progress: bool,
    ) -> None:
        """Fit the network, and with informed inputs the head and a network on what it leaves; select labels choose."""
        X = self._readable(X)
        self.net_, self.head_, self.choice_ = (
            net.fit(X, train, select=select, ends=both, progress=progress),
            None,
            "net",
        )
        predicted = net.predict(X, ends=both)
        if inputs is not None:
            head, beside = InformedHead().fit(inputs.values, train, ends=both), copy.copy(net)
            begun = head.values(inputs.values, ends=both)
            beside.fit(X, train, select=select, ends=both, start=begun, progress=progress)
            predicted = self._choose(predicted, begun, beside.predict(X, ends=both, start=begun), select)
            if self.choice_ != "net":
                self.head_ = head
            if self.choice_ == "head and net":
                self.net_ = beside
        self.error_ = selection_certificate(predicted, select, train)

    def _choose(
        self, of_net: NDArray[np.float64], of_head: NDArray[np.float64], of_both: NDArray[np.float64], select: Labels
    ) -> NDArray[np.float64]:
        """The better of both networks, or the head where that is not better by more than its standard error."""
        self.choice_, best = "net", of_net
        if selection_gain(of_both, of_net, select)[0] > 0:
            self.choice_, best = "head and net", of_both
        gain, stderr = selection_gain(best, of_head, select)
        if gain <= stderr:
            self.choice_, best = "head", of_head
        return best

    def _game_of(self, X: Any, labels: Labels) -> ModelGame:
        """The game of inputs X that the labels are of. Raises ValueError where they are of another, or of other values."""
        if labels.roster.one_game:
            raise ValueError("labels are of one game's points; expected those of a ModelGame.")
        items = len(X[0]) if isinstance(X, tuple) else len(X)
        if labels.ids.size != items:
            raise ValueError(f"labels are of {labels.ids.size} inputs and X has {items}; expected the same inputs.")
        game = ModelGame(self.model, X, self.masker, ids=labels.ids)
        if game.fingerprint != labels.fingerprint:
            raise ValueError(
                "labels are of other inputs, another model or another masker; expected those of X, in its order."
            )
        if not same_estimand(labels.estimator, self.labels_.estimator, game.n_players):
            raise ValueError(
                f"labels of {labels.estimator} estimate other values than {self.labels_.estimator}, which was learned."
            )
        return game

    def _explained(
        self, X: Any, game: ModelGame | None = None, both: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """(attributions, and the ends where they were needed), of inputs whose game and ends may be known."""
        self._check_fitted()
        efficient = self.net_.readout_.efficient
        if game is None and (self.head_ is not None or (efficient and both is None)):
            game = ModelGame(self.model, X, self.masker)
        if not efficient:
            both = None
        elif both is None:
            both = ends(game)
        if self.head_ is None:
            return self.net_.predict(self._readable(X), ends=both), both
        told = informed_inputs(game, self.kinds_, seed=self.seed, surrogates=self.surrogates_)
        begun = self.head_.values(told.values, ends=both)
        if self.choice_ == "head":
            return begun, both
        return self.net_.predict(self._readable(X), ends=both, start=begun), both

    def _readable(self, X: Any) -> Any:
        """The inputs as a network reads them: integers are tokens under Tokens alone, numbers everywhere else."""
        if isinstance(X, tuple):
            return tuple(self._readable(x) for x in X)
        array = _numpy(X)
        return array if isinstance(self.masker, Tokens) or array.dtype.kind not in "iub" else array.astype(np.float32)

    def _squeezed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[:, :, 0] if values.shape[2] == 1 else values

    def _check_fitted(self) -> None:
        if not hasattr(self, "net_"):
            raise AttributeError("this AmortizedExplainer has explained nothing yet; call fit first.")


def _estimates_shapley(estimator: Estimator) -> bool:
    return estimator.estimand.startswith("the Shapley value")


def _offers_steps(game: ModelGame) -> bool:
    return is_table(game) and whole_rows(game).player_of.size <= _MOST_ENTRIES


def _kinds(informed: Any) -> bool | str | tuple[str, ...]:
    """True, False, "auto" or the kinds of informed inputs. Raises TypeError or ValueError for anything else."""
    if isinstance(informed, (bool, np.bool_)):
        return bool(informed)
    if isinstance(informed, str) and informed == "auto":
        return informed
    if isinstance(informed, str) or not isinstance(informed, Sequence):
        raise TypeError(
            f"informed is {informed!r}; expected 'auto', True, False, or some of {INFORMED}, such as ('occlusion',)."
        )
    if not informed:
        raise ValueError(f"informed is empty; expected 'auto', True, False, or some of {INFORMED}.")
    return tuple(_checks.choice("informed", kind, INFORMED) for kind in informed)


def _numpy(values: Any) -> NDArray[Any]:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
