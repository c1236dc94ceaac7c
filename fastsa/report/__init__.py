"""The demo: a run on real data, its table and its page."""

from fastsa.report.demo import DemoResult, Row, run_demo
from fastsa.report.page import write_page
from fastsa.report.table import table

__all__ = ["DemoResult", "Row", "run_demo", "table", "write_page"]
