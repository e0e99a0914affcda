"""Reports: one HTML file about a run or a group of runs, to keep, print and send. It needs no script and no network."""

from mimi_core.analysis.report.group import group_report
from mimi_core.analysis.report.run import run_report

__all__ = ["group_report", "run_report"]
