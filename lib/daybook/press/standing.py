"""What a reader must know of a report before its figures: whose data it is about, up to when, and the verdict.

The page, the index and Prefect's artifact ask here, so that all of them say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daybook.records import Run

VERDICT = "verdict"
"""The finding whose note is the verdict: `not met: 4 of 6 limits are kept`."""
VERDICTS = ("met", "not met", "cannot tell", "not checked")


@dataclass(frozen=True, slots=True)
class Verdict:
    state: str
    """One of VERDICTS."""
    text: str
    """What was judged, with its figures."""


def verdict(findings: Iterable[Mapping[str, Any]]) -> Verdict | None:
    """The run's verdict; None: its notebook gives none."""
    for finding in findings:
        if finding["name"] == VERDICT:
            state, _, text = str(finding.get("note") or "").partition(": ")
            return Verdict(state, text) if state in VERDICTS else Verdict("cannot tell", str(finding.get("note") or ""))
    return None


def made_up(run: Run) -> str:
    """Which parameters name data that ships with Daybook: `source = sample`; empty: the data is the reader's own."""
    named = [
        f"{name} = {value}"
        for name, value in run.parameters.items()
        if isinstance(value, str) and (value in ("sample", "builtin") or value.startswith("builtin:"))
    ]
    return ", ".join(named)


def as_of(run: Run) -> datetime | None:
    """When a report of days was made that were not over by then; None: it is whole, or is not about days."""
    about_days = "days" in run.parameters and run.parameters.get("source") != "sample"
    early = about_days and run.window_end is not None and run.started_at < run.window_end
    return run.started_at if early else None
