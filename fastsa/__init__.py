"""fastsa: fast stochastic amortization.

Compiled streams of noisy, unbiased attribution labels, and networks that learn from them.

    X, y, model -> game -> walks -> utility values -> labels -> amortizer -> values + their error
"""

from __future__ import annotations

import importlib
from importlib.metadata import version as _version
from importlib.util import find_spec as _find_spec
from typing import Any

if _find_spec("fastsa._core") is None:
    raise ImportError(
        f"fastsa was imported from {__path__[0]}, where it is not compiled; run `pip install -e .` beside it, or start "
        "Python in another folder."
    )

__version__ = _version("fastsa")

_homes = {
    "AmortizedExplainer": "fastsa.explainer",
    "BackendUnavailable": "fastsa._checks",
    "DataValuator": "fastsa.valuator",
    "LabelStore": "fastsa.labels",
    "LabelStream": "fastsa.labels",
    "Labels": "fastsa.labels",
    "diagnose": "fastsa.planning",
    "exact": "fastsa._exact",
    "knn_shapley": "fastsa.knn",
    "plan": "fastsa.planning",
}
_rooms = ("amortize", "curation", "display", "estimators", "games", "labels", "metrics", "ops", "planning", "utilities")

__all__ = [*_homes, *_rooms, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _homes:
        found = getattr(importlib.import_module(_homes[name]), name)
    elif name in _rooms:
        found = importlib.import_module(f"fastsa.{name}")
    else:
        raise AttributeError(f"module 'fastsa' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
