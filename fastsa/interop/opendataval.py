"""Values as a DataEvaluator of OpenDataVal, beside its own in its experiments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.valuator import DataValuator

if TYPE_CHECKING:
    from opendataval.dataval import DataEvaluator

_DEFAULT_SEED_BITS = 31


def data_evaluator(
    valuator: DataValuator | Callable[..., NDArray[np.float64]] | None = None,
    *,
    embedding_model: Any = None,
    random_state: Any = None,
) -> DataEvaluator:
    """An opendataval.dataval.DataEvaluator whose data values are fastsa's.

    valuator : a DataValuator, fitted anew on the data it is given; or a function (X, y, X_val, y_val) -> [n], such as
        fastsa.knn_shapley. Default DataValuator(), seeded by `random_state`.
    embedding_model : an OpenDataVal model whose `predict` makes the features that points are valued on, as its own
        model-less evaluators take; default the covariates themselves, flattened to [n, d].
    random_state : as OpenDataVal takes it (a seed, a numpy RandomState, or None); only the default valuator reads it.

    The evaluator is model-less: points are scored by the valuator's utility, and an experiment's `pred_model` and `metric`
    are not asked. One-hot targets are turned into their classes. After training, `.valuator` is the fitted DataValuator, with
    standard errors and a certificate. `train_data_values(progress=True)` shows bars; other arguments, which OpenDataVal
    gives to every evaluator of an experiment, are for prediction models and not used.

        ExperimentMediator(fetcher, pred_model).compute_data_values([data_evaluator(), data_evaluator(fastsa.knn_shapley)])

    Run against opendataval 1.3.0 with torch 2.1.2 and numpy 1.25.2.

    Raises BackendUnavailable where OpenDataVal is missing; TypeError for a valuator that is neither; ValueError in training
    for real targets with a DataValuator, which learns from classes.

    >>> import fastsa
    >>> from fastsa.interop.opendataval import data_evaluator
    >>> try:
    ...     name = type(data_evaluator(fastsa.knn_shapley)).__name__
    ... except RuntimeError:
    ...     name = "FastsaEvaluator"  # OpenDataVal is not installed
    >>> name
    'FastsaEvaluator'
    """
    if (
        valuator is not None
        and not isinstance(valuator, DataValuator)
        and (isinstance(valuator, type) or not callable(valuator))
    ):
        raise TypeError(
            f"valuator is {valuator!r}; expected a DataValuator or a function (X, y, X_val, y_val) -> values."
        )
    try:
        from opendataval.dataval.api import DataEvaluator, ModelLessMixin
    except ImportError:
        raise _checks.BackendUnavailable("data_evaluator needs OpenDataVal: pip install opendataval.") from None
    return _evaluator_class(DataEvaluator, ModelLessMixin)(valuator, embedding_model, random_state)


@functools.cache
def _evaluator_class(base: type, model_less: type) -> type:
    """The class, once OpenDataVal is there to derive it from; made once, since OpenDataVal registers it by its name."""

    class FastsaEvaluator(base, model_less):  # type: ignore[misc]
        """Data values by fastsa; see fastsa.interop.opendataval.data_evaluator."""

        def __init__(self, valuator: Any = None, embedding_model: Any = None, random_state: Any = None) -> None:
            super().__init__(random_state)
            if valuator is None:
                valuator = DataValuator(seed=int(self.random_state.randint(2**_DEFAULT_SEED_BITS - 1)))
            self.valuator = valuator
            self.embedding_model = embedding_model

        def train_data_values(self, *args: Any, progress: bool = False, **kwargs: Any) -> FastsaEvaluator:
            X, X_val = (_table(x) for x in self.embeddings(self.x_train, self.x_valid))
            (y, kind), (y_val, _) = _targets(self.y_train), _targets(self.y_valid)
            if not isinstance(self.valuator, DataValuator):
                values = self.valuator(X, y, X_val, y_val)
            elif kind == "classes":
                values = self.valuator.fit(X, y, X_val, y_val, progress=progress).values_
            else:
                raise ValueError(
                    "the targets are real numbers, and a DataValuator learns from classes; give a function of its own."
                )
            self._values = _checks.vector("the valuator's values", values, y.size)
            vars(self).pop("data_values", None)  # OpenDataVal keeps those of an earlier training
            return self

        def evaluate_data_values(self) -> NDArray[np.float64]:
            if not hasattr(self, "_values"):
                raise ValueError("this evaluator has no values yet; call train or train_data_values first.")
            return self._values

        def __repr__(self) -> str:  # by which OpenDataVal tells the rows of its tables apart
            return f"FastsaEvaluator({_described(self.valuator)})"

    return FastsaEvaluator


def _described(valuator: Any) -> str:
    if isinstance(valuator, DataValuator):
        return (
            f"{valuator.utility!r}, estimator={valuator.estimator!r}, samples={valuator.samples}, seed={valuator.seed}"
        )
    return str(getattr(valuator, "__name__", repr(valuator)))


def _table(x: Any) -> NDArray[np.float64]:
    """Covariates, a tensor or a torch Dataset of tensors, as [n, d]."""
    rows = x if hasattr(x, "detach") else [x[place] for place in range(len(x))]
    array = rows.detach().cpu().numpy() if hasattr(rows, "detach") else np.stack([np.asarray(row) for row in rows])
    return array.reshape(array.shape[0], -1).astype(np.float64)


def _targets(y: Any) -> tuple[NDArray[Any], str]:
    """(classes int64 [n], "classes") of one-hot rows or integers, (float64 [n], "targets") of real numbers."""
    array = np.asarray(y.detach().cpu() if hasattr(y, "detach") else y)
    if array.ndim == 2 and array.shape[1] > 1:
        if not ((array == 0) | (array == 1)).all() or not (array.sum(axis=1) == 1).all():
            raise ValueError(
                f"targets have shape {array.shape} and are not one-hot; expected one class or one number per point."
            )
        return array.argmax(axis=1), "classes"
    flat = array.reshape(array.shape[0])
    return (flat.astype(np.int64), "classes") if flat.dtype.kind in "iub" else (flat.astype(np.float64), "targets")
