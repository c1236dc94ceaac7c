"""Labels: noisy, unbiased values of items, their streams and their files."""

from fastsa.estimators import SampleRange
from fastsa.labels import stop
from fastsa.labels.labels import Labels, Stop
from fastsa.labels.store import Chunk, DamagedChunk, LabelStore
from fastsa.labels.stream import Cost, LabelBatch, LabelStream

__all__ = [
    "Chunk",
    "Cost",
    "DamagedChunk",
    "LabelBatch",
    "LabelStore",
    "LabelStream",
    "Labels",
    "SampleRange",
    "Stop",
    "stop",
]
