"""Values as pyDVL's ValuationResult, whose sorting, sums and plots then work on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastsa import _checks
from fastsa.labels import Labels
from fastsa.valuator import DataValuator

if TYPE_CHECKING:
    from pydvl.valuation.result import ValuationResult


def to_valuation_result(
    values: DataValuator | Labels | Any, *, output: int | None = None, names: Sequence[Any] | None = None
) -> ValuationResult:
    """`values` as a pydvl.valuation.result.ValuationResult, in the order and under the indices that they have here.

    values : a fitted DataValuator (its `values_`), Labels of one game, or an array [n] such as knn_shapley's.
    output : which output of Labels that have several; default the only one.
    names : pyDVL's `data_names` [n], distinct; default the indices.

    The result's `indices` are the ids of the points (positions of an array), its `counts` the samples behind each value, its
    `variances` count * stderr^2, so that its `stderr` is ours. Values of an array are taken as exact: variance 0, count 1.
    The variance behind a single sample is not known: NaN, as here. Sums with `+` are right for Labels of independent
    samples, whose values are means; a DataValuator's are not, and should not be summed. The status is Converged, as of any
    run that came to its end; that is no claim about the error.

    Run against pyDVL 0.10.0 with numpy 1.26.4.

    Raises BackendUnavailable where pyDVL is missing; ValueError for a valuator that is not fitted, Labels of many games, of
    several outputs without `output`, or of points without samples; TypeError or ValueError for an array that is no vector.

    >>> import numpy as np
    >>> from fastsa.interop.pydvl import to_valuation_result
    >>> try:
    ...     print(to_valuation_result(np.array([0.5, -0.25])).values.tolist())
    ... except RuntimeError:
    ...     print([0.5, -0.25])  # pyDVL is not installed
    [0.5, -0.25]
    """
    if isinstance(values, DataValuator):
        fields = _of_valuator(values)
    elif isinstance(values, Labels):
        fields = _of_labels(values, output)
    else:
        fields = {"values": _checks.vector("values", values), "algorithm": "values given as an array"}
    if output is not None and not isinstance(values, Labels):
        raise ValueError(f"output is {output}, and the values are not Labels; leave it out.")
    try:
        from pydvl.utils.status import Status
        from pydvl.valuation.result import ValuationResult
    except ImportError:
        raise _checks.BackendUnavailable("to_valuation_result needs pyDVL: pip install 'pyDVL>=0.10'.") from None
    return ValuationResult(**fields, data_names=names, status=Status.Converged)


def _of_valuator(valuator: DataValuator) -> dict[str, Any]:
    if not hasattr(valuator, "values_"):
        raise ValueError("this DataValuator has no values yet; call fit first.")
    labels = valuator.labels_
    return {
        "values": valuator.values_.copy(),
        "variances": labels.count * valuator.stderr_**2,
        "counts": labels.count.copy(),
        "indices": _indices(labels.ids),
        "algorithm": f"fastsa DataValuator of {labels.estimator}",
    }


def _of_labels(labels: Labels, output: int | None) -> dict[str, Any]:
    if not labels.roster.one_game:
        raise ValueError("these Labels are of many games; a ValuationResult holds the points of one.")
    n_outputs = labels.roster.n_outputs
    if output is None and n_outputs > 1:
        raise ValueError(f"these Labels have {n_outputs} outputs; choose one with output=0 .. {n_outputs - 1}.")
    column = 0 if output is None else _checks.count("output", output, least=0, most=n_outputs - 1)
    lacking = np.flatnonzero(np.isnan(labels.mean[:, column]))
    if lacking.size:
        raise ValueError(
            f"{lacking.size} of {labels.ids.size} points have no label; extend the Labels, or take the others."
        )
    return {
        "values": labels.mean[:, column].copy(),
        "variances": labels.variance[:, column].copy(),
        "counts": labels.count.copy(),
        "indices": _indices(labels.ids),
        "algorithm": f"fastsa {labels.estimator}",
    }


def _indices(ids: NDArray[np.uint64]) -> NDArray[np.int64]:
    # Below 2**48, so that the signed indices that pyDVL uses hold them.
    return ids.astype(np.int64)
