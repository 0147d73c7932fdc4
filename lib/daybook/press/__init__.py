"""Executes notebooks and publishes what came of it as dated reports.

    notebook     a notebook as it is written      execution   one run of it
    publishing   what readers get of it           schedule    everything Prefect

`run` is all of it for one date; `scrub` is what every text goes through before it reaches a disk.
"""

from daybook.press.publishing.reports import Report
from daybook.press.run import TIMEOUT, plan, recover, run

__all__ = ["TIMEOUT", "Report", "plan", "recover", "run"]
