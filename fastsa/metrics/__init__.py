"""How far estimates are from the truth: agreement, mislabel detection, intervals for both, and curves of a model's outputs."""

from fastsa.metrics.agreement import Agreement, agreement
from fastsa.metrics.bootstrap import interval
from fastsa.metrics.curves import Curve, deletion_curve, insertion_curve
from fastsa.metrics.detection import Detection, mislabel_detection

__all__ = [
    "Agreement",
    "Curve",
    "Detection",
    "agreement",
    "deletion_curve",
    "insertion_curve",
    "interval",
    "mislabel_detection",
]
