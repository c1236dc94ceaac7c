"""What values are for: finding wrong classes, cleaning, removing, adding and selecting points."""

from fastsa.curation.baseline_values import baseline_values
from fastsa.curation.cleaning import Cleaned, clean, cleaning_table
from fastsa.curation.data_oob import OutOfBag, data_oob
from fastsa.curation.detection import DetectionTable, detection_table, value_margin
from fastsa.curation.leave_one_out import leave_one_out
from fastsa.curation.removal import CurveTable, addition_curves, removal_curves
from fastsa.curation.selection import select, selection_curves

__all__ = [
    "Cleaned",
    "CurveTable",
    "DetectionTable",
    "OutOfBag",
    "addition_curves",
    "baseline_values",
    "clean",
    "cleaning_table",
    "data_oob",
    "detection_table",
    "leave_one_out",
    "removal_curves",
    "select",
    "selection_curves",
    "value_margin",
]
