"""Labels: noisy, unbiased values of items, their streams and their files."""

from fastsa.labels.labels import Labels, SampleRange
from fastsa.labels.stream import Cost, LabelBatch, LabelStream

__all__ = ["Cost", "LabelBatch", "LabelStream", "Labels", "SampleRange"]
