"""Executes notebooks and publishes what came of it as dated reports.

`run` executes one; `index` lists them all; `notebook_rules` says whether a notebook is shaped like one.
"""

from daybook.press.reports import Report
from daybook.press.run import TIMEOUT, plan, recover, run

__all__ = ["TIMEOUT", "Report", "plan", "recover", "run"]
