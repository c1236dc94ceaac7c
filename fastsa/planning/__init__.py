"""Budgets forecast and failures diagnosed: what labels, predictions and refined values will be worth before they are paid."""

from fastsa.planning.allocate import allocate, extended, refine_where
from fastsa.planning.diagnosis import FAILURES, Diagnosis, diagnose
from fastsa.planning.findings import Finding
from fastsa.planning.fit import Fit
from fastsa.planning.law import Forecast, Law
from fastsa.planning.outlook import Outlook
from fastsa.planning.pilot import ItemLabels, Pilot, study
from fastsa.planning.plan import Plan, finish, plan

__all__ = [
    "FAILURES",
    "Diagnosis",
    "Finding",
    "Fit",
    "Forecast",
    "ItemLabels",
    "Law",
    "Outlook",
    "Pilot",
    "Plan",
    "allocate",
    "diagnose",
    "extended",
    "finish",
    "plan",
    "refine_where",
    "study",
]
