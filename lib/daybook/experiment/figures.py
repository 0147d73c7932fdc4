"""The figures of a deployment's two versions in a window of days, and what they allow to be decided.

Nothing is decided here in another way than `stats.canary` does while the deployment runs: the same judge is asked, with
the same intervals, which hold whenever and however often one looks: see `evidence`. The periods of one split each are
those that the deployment's own events say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from math import exp
from typing import Any, Self

import pandas as pd

from daybook.errors import BadParameter
from daybook.experiment.evidence import (
    Period,
    TrialEvidence,
    read_calls,
    read_clusters,
    read_scores,
    read_split,
    read_sticky,
)
from daybook.ports import NamedRows
from daybook.reporting import tables
from daybook.reporting.tables import TableRow
from daybook.routing.split import in_order
from daybook.stats.canary import Tolerance
from daybook.stats.estimate import proportion
from daybook.window import Window

UNITS = {"errors": "points", "latency": "ratio", "cost": "USD per 1,000 calls", "score": "score"}


@dataclass(frozen=True, slots=True)
class Copies:
    """Of the answered calls that a shadow was to get a copy of."""

    calls: int
    answered: int
    failed: int
    dropped: int
    """Too many waited, or the endpoint went down. Entered by the minute, as is the next."""
    over_budget: int
    """The budget had no room for them, or no price is known."""

    @property
    def waiting(self) -> int:
        """Still to be made, or lost with an endpoint that was killed."""
        return max(0, self.calls - self.answered - self.failed - self.dropped - self.over_budget)


@dataclass(frozen=True, kw_only=True)
class ExperimentFigures(TrialEvidence):
    """Made by `read`."""

    window: Window
    changes: Sequence[TableRow] = field(default=(), repr=False)
    """How the deployment was changed in the window, oldest first: time, actor, action, details."""
    copies: Copies | None = None
    """What became of a shadow's copies; None: no shadow is known of."""
    now: datetime | None = None

    @classmethod
    def read(
        cls,
        book: NamedRows,
        *,
        deployment: str,
        logical_date: date | str,
        days: int = 7,
        weights: Mapping[str, float] | None = None,
        versions: Sequence[str] = (),
        tolerance: Tolerance | None = None,
        now: datetime | None = None,
    ) -> Self:
        """The calls of `deployment` in the `days` UTC days that end with `logical_date`. `weights`: the configured
        split of the whole window, where the deployment's own events are not to be asked. Raises BadDate and
        BadParameter."""
        if versions and (len(versions) != 2 or versions[0] == versions[1]):
            raise BadParameter(f"{len(versions)} versions cannot be compared.", remedy="Name two, the candidate last.")
        window = Window.of(logical_date, days)
        asked = {"deployment": deployment, "start": window.start, "end": window.end}
        changes = book.rows(book.query_text("experiment_changes"), {"deployment": deployment, "end": window.end})
        periods = [Period(window.start, window.end, dict(weights))] if weights else _periods(window, changes)
        sticky = read_sticky(book, deployment)
        return cls(
            window=window,
            deployment=deployment,
            rows=read_calls(book, deployment, periods),
            scores=read_scores(book, deployment, window.start, window.end, sticky),
            clusters=read_clusters(book, deployment, periods, sticky),
            keys=read_split(book, deployment, periods, sticky),
            pairs=book.rows(book.query_text("experiment_pairs"), asked),
            periods=periods,
            versions=tuple(versions) or _named(changes),
            tolerance=tolerance or Tolerance(),
            changes=[change for change in changes if change["time"] >= window.start],
            copies=_read_copies(book, deployment, window, changes),
            now=now,
        )

    @cached_property
    def as_of(self) -> datetime | None:
        return self.window.as_of(self.now)

    # ── tables ────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def by_version(self) -> pd.DataFrame:
        """One row a version: calls, errors, the typical latency, the mean cost of 1,000 answered calls, scores."""
        rows = []
        for name in self.called:
            version = self.version(name)
            failed = proportion(int(version.failed), int(version.calls))
            latency, score = version.latency.mean, version.score.mean
            cost = None if version.cost is None else version.cost.mean
            rows.append(
                (
                    name,
                    int(version.calls),
                    int(version.failed),
                    failed.value,
                    failed.low,
                    failed.high,
                    None if latency is None else exp(latency),
                    None if cost is None else cost * 1000,
                    score,
                    int(version.score.n),
                )
            )
        columns = ("version", "calls", "failed", "failed_rate", "failed_low", "failed_high", "latency", "per_1000")
        return tables.table((*columns, "score", "scored"), rows)

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """One row a change of the deployment: when, by whom, from which shares to which, and why."""
        rows = []
        for change in self.changes:
            details = change["details"] or {}
            before, after = _shares(details.get("before")), _shares(details.get("after"))
            action = change["action"].removeprefix("deployment.").replace("_", " ")
            rows.append((change["time"], change["actor"], action, before, after, details.get("reason") or ""))
        return tables.table(("at", "by", "action", "before", "after", "why"), rows)

    @cached_property
    def measures(self) -> pd.DataFrame:
        """One row a measure: the candidate less the version that stands, as people read it, with its interval."""
        rows = []
        for measure in self.decision.measured.values() if self.decision else ():
            ends = [shown(measure.name, end) for end in (measure.value, measure.low, measure.high, measure.tolerated)]
            if measure.name == "score":  # back into a gain, so that the ends change sides
                ends[1], ends[2] = ends[2], ends[1]
            rows.append((measure.name, UNITS[measure.name], *ends, measure.state, measure.n, measure.more))
        return tables.table(("measure", "in", "value", "low", "high", "tolerated", "state", "n", "more"), rows)


def _shares(shown: Mapping[str, Any] | None) -> str:
    """A deployment's shares as an event has them: `v1 90 %, v2 10 %`."""
    percent = (shown or {}).get("percent") or {}
    return ", ".join(f"{version} {percent[version]} %" for version in in_order(percent) if percent[version] != "0")


def _read_copies(book: NamedRows, deployment: str, window: Window, changes: Sequence[TableRow]) -> Copies | None:
    """The copies in the times in which the deployment was a shadow with a candidate; None: it never was."""
    found: list[TableRow] = []
    skipped = Counter[str]()
    ends = [*(change["time"] for change in changes[1:]), window.end]
    for change, end in zip(changes, ends, strict=False):
        details = change["details"] or {}
        candidate = (details.get("after") or {}).get("candidate")
        start = max(change["time"], window.start)
        if details.get("strategy") == "shadow" and candidate and start < end:
            asked = {"deployment": deployment, "candidate": candidate, "start": start, "end": end}
            found += book.rows(book.query_text("experiment_copies"), asked)
            for row in book.rows(book.query_text("experiment_skipped"), asked):
                if row["details"]["candidate"] == candidate:
                    skipped[row["details"]["why"]] += row["details"]["n"]
    if not found:
        return None
    calls, answered, failed = (sum(row[name] for row in found) for name in ("calls", "answered", "failed"))
    return Copies(calls, answered, failed, skipped["dropped"], skipped["over_budget"])


def _periods(window: Window, changes: Sequence[TableRow]) -> list[Period]:
    """The window, cut where the deployment's split was changed."""
    periods = [Period(window.start, window.end)]
    for change in changes:
        after = (change["details"] or {}).get("after") or {}
        weights = {name: float(share) for name, share in (after.get("percent") or {}).items()}
        last = periods[-1]
        if change["time"] <= last.start:
            periods[-1] = Period(last.start, last.end, weights)
        elif weights != last.weights:
            periods[-1:] = [Period(last.start, change["time"], last.weights), Period(change["time"], last.end, weights)]
    return periods


def _named(changes: Sequence[TableRow]) -> tuple[str, ...]:
    """The live version and the candidate, as the last change that names both has them."""
    for change in reversed(changes):
        after = (change["details"] or {}).get("after") or {}
        if after.get("live") and after.get("candidate"):
            return after["live"], after["candidate"]
    return ()


def shown(name: str, loss: float | None) -> float | None:
    """A loss as the judge has it, in the unit of `UNITS`: points, a ratio, US dollars for 1,000 calls, a score."""
    if loss is None:
        return None
    return {"errors": loss * 100, "latency": exp(loss), "cost": loss * 1000, "score": -loss}[name]
