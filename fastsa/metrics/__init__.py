"""How far estimates are from the truth, known or not: agreement, certified error, bias, intervals, curves, detection,
and the linear datamodeling score."""

from fastsa.metrics.agreement import Agreement, agreement
from fastsa.metrics.bias import BiasTest, bias_test
from fastsa.metrics.bootstrap import interval
from fastsa.metrics.certificate import Certificate
from fastsa.metrics.certify import certify
from fastsa.metrics.curves import Curve, deletion_curve, insertion_curve
from fastsa.metrics.datamodeling import DatamodelingScore, datamodeling_score
from fastsa.metrics.detection import Detection, mislabel_detection
from fastsa.metrics.jackknife import Bounded

__all__ = [
    "Agreement",
    "BiasTest",
    "Bounded",
    "Certificate",
    "Curve",
    "DatamodelingScore",
    "Detection",
    "agreement",
    "bias_test",
    "certify",
    "datamodeling_score",
    "deletion_curve",
    "insertion_curve",
    "interval",
    "mislabel_detection",
]
