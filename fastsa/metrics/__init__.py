"""How far estimates are from the truth: agreement, mislabel detection, and intervals for both."""

from fastsa.metrics.agreement import Agreement, agreement
from fastsa.metrics.bootstrap import interval
from fastsa.metrics.detection import Detection, mislabel_detection

__all__ = ["Agreement", "Detection", "agreement", "interval", "mislabel_detection"]
