"""`diagnose`: which of the known failures a finished fit shows, in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastsa import _checks
from fastsa.estimators import PermutationShapley
from fastsa.games import ModelGame
from fastsa.labels import Labels, LabelStream
from fastsa.metrics.certify import like_labels
from fastsa.metrics.independence import refuse_biased, refuse_overlap, shares_all_draws, units
from fastsa.planning import findings
from fastsa.planning.findings import Finding
from fastsa.planning.fit import Fit, read

FAILURES = (
    "labels too noisy",
    "labels biased",
    "network too small",
    "network too large",
    "overfitting the noise",
    "training set too small",
    "shift between training and new items",
)


@dataclass(frozen=True)
class Diagnosis:
    """The failures that a fit shows, and the numbers that all of them rest on.

    findings : one Finding per failure that is shown, in the order of FAILURES
    error, error_stderr : certified mean squared error of the predictions
    noise, signal : variance of the labels, and of the truth over items
    """

    findings: tuple[Finding, ...]
    error: float
    error_stderr: float
    noise: float
    signal: float

    @property
    def healthy(self) -> bool:
        return not self.findings

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(finding.name for finding in self.findings)

    def __str__(self) -> str:
        head = (
            f"Predictions have a certified error of {self.error:.3g} (standard error {self.error_stderr:.1g}), their labels "
            f"{self.noise:.3g}; items differ by {self.signal:.3g}."
        )
        if self.healthy:
            return f"Healthy: none of the {len(FAILURES)} known failures shows. {head}"
        return "\n".join([head, *map(str, self.findings)])


def diagnose(
    fitted: Any, X: Any = None, y: Any = None, *, new: Any = None, new_labels: Labels | None = None,
    new_predictions: Any = None, reference: Labels | None = None, samples: int = 4,
) -> Diagnosis:  # fmt: skip
    """Read a finished fit and name which of the known failures (FAILURES) it shows, with what to do.

    fitted : a DataValuator, with its pool X, y; an AmortizedExplainer, with inputs X that it was fitted on, for which
        `samples` unbiased labels of role certify are drawn (that costs evaluations of the model); or a `Fit`.
    new : features [m, d] of items that predictions are wanted for, or (X, y) for a DataValuator: a shift is told by
        distances.
    new_labels, new_predictions : unbiased Labels of new items that no network has seen, at least 2 samples each, and what is
        predicted of them: then a shift is told by their certified error too.
    reference : unbiased Labels of the same items and of samples of their own, that biased labels are told by; for an
        explainer they are drawn.

    A sign has to pass 3.3 standard errors over independent units, one false alarm in 2,000, and be worth a tenth of the error.
    Labels too noisy: at least three quarters of their variance is noise, and more than half of what items differ by is
    missed. Too small: a regression on features tells the residuals of items it has not seen. Too large: ridge regression on
    the same labels is better, and noise is most of the error. Overfitting: predictions hold over a quarter of their own
    labels' noise. Training set too small: predictions are worse than the labels themselves.

    Raises ValueError and TypeError for what does not fit together, such as X of other items.

    >>> import numpy as np, fastsa
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 3)); y = (X[:, 0] > 0).astype(int)
    >>> valuator = fastsa.DataValuator("knn", estimator=fastsa.estimators.Distributional(3, 20), samples=2)
    >>> _ = valuator.fit(X[:200], y[:200], X[200:], y[200:], progress=False)
    >>> "labels too noisy" in fastsa.diagnose(valuator, X[:200], y[:200]).names
    True
    """
    if isinstance(fitted, Fit):
        fit, bias_by = fitted, reference
    elif hasattr(fitted, "nets_"):
        fit, bias_by = _of_valuator(fitted, X, y), reference
        if new is not None:
            new = _checks.features("new", new[0] if isinstance(new, tuple) else new)
    elif hasattr(fitted, "net_"):
        fit, bias_by = _of_explainer(fitted, X, samples, reference)
    else:
        name = type(fitted).__name__
        raise TypeError(f"a {name} cannot be diagnosed; give a fitted DataValuator, AmortizedExplainer or a Fit.")
    one, predictions, labels, features = read(fit)
    if bias_by is not None:
        refuse_biased([bias_by])
        refuse_overlap([*labels, bias_by])
    found = [
        *findings.noisy(one),
        *findings.biased(labels, bias_by, one.unit),
        *findings.fitted(one, predictions, labels, fit.held_out, features),
    ]
    if new is not None:
        found += findings.shifted(_plain(features, new), _flat("new", new))
    if new_labels is not None and "shift between training and new items" not in [f.name for f in found]:
        refuse_biased([new_labels])
        squared = (
            like_labels("new_predictions", new_predictions, new_labels) - new_labels.mean
        ) ** 2 - new_labels.stderr**2
        n = new_labels.ids.size
        unit = np.arange(n) if shares_all_draws(new_labels) else units(new_labels)
        found += findings.worse(one, squared.reshape(n, -1).mean(axis=1), unit)
    return Diagnosis(tuple(found), *one.mean(one.error), one.noise, one.signal)


def _of_valuator(valuator: Any, X: Any, y: Any) -> Fit:
    if X is None or y is None:
        raise ValueError("a DataValuator does not keep its data; give the pool X, y that it was fitted on.")
    if not hasattr(valuator, "halves_"):
        raise ValueError(
            "this DataValuator was loaded, and the halves of its labels are not stored; diagnose it where it was fitted."
        )
    X = _checks.features("X", X, width=valuator.nets_[0].n_features_)
    if X.shape[0] != valuator.values_.size:
        raise ValueError(f"X has {X.shape[0]} rows; expected {valuator.values_.size}, the pool that was valued.")
    codes = _checks.encode("y", _checks.targets("y", y, X.shape[0]), valuator.classes_)
    places = np.arange(codes.size) if valuator.plan_ is None else valuator.plan_.labeled
    predictions = [net.predict(X, codes)[places] for net in valuator.nets_]
    classes = np.eye(valuator.classes_.size)[codes]
    crossed = (classes[:, :, None] * X[:, None, :]).reshape(codes.size, -1)
    features = np.concatenate([X, classes, crossed], axis=1)[places]
    return Fit(predictions, valuator.halves_, features)


def _of_explainer(explainer: Any, X: Any, samples: int, reference: Labels | None) -> tuple[Fit, Labels]:
    """The fit, judged by unbiased labels of role certify, which tell a bias too."""
    if X is None:
        raise ValueError("an AmortizedExplainer does not keep its inputs; give the X that it was fitted on.")
    game = ModelGame(explainer.model, X, explainer.masker)
    labels = explainer.labels_
    if labels.fingerprint != game.fingerprint:
        raise ValueError("X holds other inputs than the explainer was fitted on; give those, and others as new.")
    if reference is None:
        estimator = labels.estimator
        if not estimator.unbiased:
            if not estimator.estimand.startswith("the Shapley value"):
                raise ValueError(
                    f"{estimator} is biased; give reference labels of an unbiased estimator of the same values."
                )
            estimator = PermutationShapley(antithetic=True)
        reference = LabelStream(
            game, estimator, samples=max(2, _checks.count("samples", samples), estimator.least_samples(game.n_players)),
            role="certify", seed=explainer.seed, max_bytes=explainer.max_bytes, n_threads=explainer.n_threads,
        ).collect()  # fmt: skip
    predictions = explainer.explain(X).reshape(labels.mean.shape)
    return Fit(predictions, labels, _flat("X", X), reference), reference


def _flat(name: str, X: Any) -> Any:
    """Inputs as rows of numbers."""
    inputs = X if isinstance(X, tuple) else (X,)
    arrays = [np.asarray(x.detach().cpu() if hasattr(x, "detach") else x, np.float64) for x in inputs]
    return _checks.features(name, np.concatenate([array.reshape(array.shape[0], -1) for array in arrays], axis=1))


def _plain(features: Any, new: Any) -> Any:
    """The features that new items have too: the first ones; those made of classes come after them."""
    width = _flat("new", new).shape[1]
    if width > features.shape[1]:
        raise ValueError(f"new has {width} features; expected at most {features.shape[1]}, as the items of training.")
    return features[:, :width]
