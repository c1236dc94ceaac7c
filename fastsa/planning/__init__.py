"""Budgets forecast and failures diagnosed: what labels, predictions and refined values will be worth before they are paid."""

from fastsa.planning.allocate import allocate, extended, refine_where
from fastsa.planning.law import Forecast, Law
from fastsa.planning.outlook import Outlook
from fastsa.planning.pilot import ItemLabels, Pilot, study
from fastsa.planning.plan import Plan, finish, plan

__all__ = ["Forecast", "ItemLabels", "Law", "Outlook", "Pilot", "Plan", "allocate", "extended", "finish", "plan", "refine_where", "study"]
