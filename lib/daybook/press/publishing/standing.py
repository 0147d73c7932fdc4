"""What a reader must know of a report first: whose data it is about, up to when, the verdict, the main figures.

The page, the index and Prefect's artifact ask here, so that all of them say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from daybook.records import Run

VERDICT = "verdict"
"""The finding whose note is the verdict: `not met: Of 6 limits, 2 are not kept, 4 are kept.`."""
VERDICTS = ("met", "not met", "cannot tell", "not checked")
HEADLINES = 4
"""Findings shown of a run: those that its word names below (`quality/*`: all that begin so), else the first."""
FIRST: Mapping[str, tuple[str, ...]] = {
    "traffic": ("calls", "failed_rate", "latency_p95", "first_token_p50"),
    "costs": ("spend", "same_tokens/*", "machine_time", "unpriced_calls", "forecast_next_30_days", "spend_per_call"),
    "evaluation": ("difference/*", "quality/*"),
    "experiment": ("calls_more", "difference/errors", "difference/latency", "difference/cost", "difference/score"),
    "privacy": ("content_personal", "data_found", "every_kind_and_names_f1", "every_kind_and_names_false_alarms"),
    "evidence": ("controls_proven", "controls_partly", "controls_cannot_tell", "controls_not_proven"),
    "approach": ("recommended", "quality/*"),
    "finetune": ("accuracy_difference", "accuracy_tuned", "accuracy_base", "examples"),
    "bias": (
        "decisions/*/ratio",
        "counterfactual/standing_out",
        "pairs/share",
        "questions/all/ambiguous/bias",
        "questions/all/disambiguated/accuracy",
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    state: str
    """One of VERDICTS."""
    text: str
    """What was judged, with its figures: a sentence."""

    def __str__(self) -> str:
        return f"{self.state.capitalize()}. {self.text}"


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


def headlines(word: str, findings: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The findings that stand for a run: those that its word names, else the first few; in one order, whatever order
    they came in."""
    listed = sorted((f for f in findings if f["name"] != VERDICT), key=lambda f: str(f["name"]))
    names = [f["name"] for f in listed]
    first = [name for wanted in FIRST.get(word, ()) for name in names if fnmatchcase(name, wanted)]
    named = [listed[names.index(name)] for name in first]
    return tuple((named or listed)[:HEADLINES])
