"""Labels: noisy, unbiased values of items, their streams and their files; torch is loaded with LabelDataset, on first use."""

from typing import TYPE_CHECKING, Any

from fastsa.estimators import SampleRange
from fastsa.labels import stop
from fastsa.labels.chunk_files import Chunk, DamagedChunk
from fastsa.labels.fitted_scale import fitted_scale
from fastsa.labels.labels import Labels, Stop
from fastsa.labels.store import LabelStore
from fastsa.labels.stream import Cost, LabelBatch, LabelStream

if TYPE_CHECKING:
    from fastsa.labels.dataset import LabelDataset, LabelRow

__all__ = [
    "Chunk",
    "Cost",
    "DamagedChunk",
    "LabelBatch",
    "LabelDataset",
    "LabelRow",
    "LabelStore",
    "LabelStream",
    "Labels",
    "SampleRange",
    "Stop",
    "fitted_scale",
    "stop",
]


def __getattr__(name: str) -> Any:
    if name not in ("LabelDataset", "LabelRow"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fastsa.labels import dataset

    return getattr(dataset, name)
