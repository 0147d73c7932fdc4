"""The figures of a deployment's two versions in a window of days, and what they allow to be decided.

Nothing is decided here in another way than `stats.canary` does while the deployment runs: the same judge is asked, with
the same intervals, which hold whenever and however often one looks. The versions are compared within the periods of one
split each, as the deployment's own events say them. Where a shadow answered the same requests and the
candidate got none of its own, the pairs are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from math import exp
from typing import Any, Self

import pandas as pd

from daybook.errors import BadParameter
from daybook.ports import Reader
from daybook.reporting import tables
from daybook.reporting.tables import TableRow, to_records
from daybook.routing.split import in_order
from daybook.stats.canary import Decision, Paired, Tolerance, Version, judge
from daybook.stats.estimate import proportion
from daybook.stats.sequential import Moments, SampleRatio, sample_ratio
from daybook.window import Window

IN_FLIGHT = 0.01
"""The part of a period's calls that may go to versions without a share: they began before the split was changed."""
UNITS = {"errors": "points", "latency": "ratio", "cost": "USD per 1,000 calls", "score": "score"}


@dataclass(frozen=True, slots=True)
class Period:
    """A time of one split, within the window."""

    start: datetime
    end: datetime
    weights: Mapping[str, float] = field(default_factory=dict)
    """As configured; empty: not known."""


@dataclass(frozen=True)
class ExperimentFigures:
    """Made by `read`."""

    window: Window
    deployment: str
    rows: Sequence[TableRow] = field(repr=False)
    """Calls added up by period (its number), day and version."""
    scores: Sequence[TableRow] = field(default=(), repr=False)
    """What people said of each answer: day, variant, good."""
    pairs: Sequence[TableRow] = field(default=(), repr=False)
    """Requests that a shadow answered too, by day and versions."""
    periods: Sequence[Period] = ()
    versions: tuple[str, ...] = ()
    """The two that are compared, the candidate last; empty: the oldest and the newest of those called."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    now: datetime | None = None

    @classmethod
    def read(
        cls,
        book: Reader,
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
        changes = to_records(book.query("experiment_changes", deployment=deployment, end=window.end))
        periods = [Period(window.start, window.end, dict(weights))] if weights else _periods(window, changes)
        rows = []
        for number, period in enumerate(periods):
            within = {"deployment": deployment, "start": period.start, "end": period.end}
            rows += [{"period": number} | row for row in to_records(book.query("experiment_calls", **within))]
        last_words = {row["id"]: row for row in to_records(book.query("experiment_scores", **asked))}
        scores = [
            {"at": row["time"], "day": row["time"].date(), "variant": row["variant"], "good": _is_good(row["details"])}
            for row in last_words.values()
        ]
        return cls(
            window=window,
            deployment=deployment,
            rows=rows,
            scores=scores,
            pairs=to_records(book.query("experiment_pairs", **asked)),
            periods=periods,
            versions=tuple(versions) or _named(changes),
            tolerance=tolerance or Tolerance(),
            now=now,
        )

    # ── who is compared ───────────────────────────────────────────────────────────────────────────────

    @cached_property
    def called(self) -> list[str]:
        """Every version that got a call or a copy, oldest first."""
        seen = {row["variant"] for row in self.rows} | {row["candidate"] for row in self.pairs}
        return in_order(seen)

    @cached_property
    def compared(self) -> tuple[str, str] | None:
        """The version that stands, and the candidate; None: there are no two."""
        if self.versions:
            return self.versions[0], self.versions[1]
        return (self.called[0], self.called[-1]) if len(self.called) > 1 else None

    @property
    def base(self) -> str:
        return self.compared[0] if self.compared else "(none)"

    @property
    def candidate(self) -> str:
        return self.compared[1] if self.compared else "(none)"

    @cached_property
    def paired(self) -> bool:
        """Whether a shadow's pairs are what is compared."""
        return bool(self._pairs) and not any(row["variant"] == self.candidate for row in self.rows)

    @cached_property
    def _pairs(self) -> list[TableRow]:
        return [row for row in self.pairs if (row["base"], row["candidate"]) == self.compared]

    @cached_property
    def calls(self) -> int:
        """Calls of all versions, copies not counted."""
        return sum(row["calls"] for row in self.rows)

    @cached_property
    def callers(self) -> int:
        """The most callers that one version had on one day."""
        return max((row["callers"] for row in self.rows), default=0)

    @cached_property
    def as_of(self) -> datetime | None:
        return self.window.as_of(self.now)

    # ── what is decided ───────────────────────────────────────────────────────────────────────────────

    @cached_property
    def decision(self) -> Decision | None:
        """None: there is nothing to compare."""
        return self.decided(self.window.last)

    def decided(self, until: date) -> Decision | None:
        """What could have been decided by the calls up to that day."""
        if self.compared is None:
            return None
        if self.paired:
            return judge(self._paired(until), tolerance=self.tolerance)
        a, b = self.compared
        pairs = [(self.version(a, until, n), self.version(b, until, n)) for n in range(max(len(self.periods), 1))]
        together = [(x, y) for x, y in pairs if x.calls and y.calls]
        whole = [(self.version(a, until), self.version(b, until))]
        return judge(together or whole, ratio=self._ratio(until), tolerance=self.tolerance)

    def _ratio(self, until: date) -> SampleRatio | None:
        """None: in some period the share of a version that was called is not known."""
        splits = []
        for number, period in enumerate(self.periods):
            seen: dict[str, int] = {}
            for row in self.rows:
                if row["period"] == number and row["day"] <= until:
                    seen[row["variant"]] = seen.get(row["variant"], 0) + row["calls"]
            if not set(seen) <= set(period.weights):
                return None
            late = [name for name in seen if period.weights[name] == 0]
            if sum(seen[name] for name in late) <= IN_FLIGHT * sum(seen.values()):
                seen = {name: n for name, n in seen.items() if name not in late}
            if seen:
                splits.append((seen, period.weights))
        return sample_ratio(splits) if splits else None

    def version(self, name: str, until: date, number: int | None = None) -> Version:
        """One version's calls up to a day, of one period or of all."""
        period = self.periods[number] if number is not None and self.periods else None

        def counts(row: TableRow) -> bool:
            return bool(row["variant"] == name and row["day"] <= until)

        rows = [row for row in self.rows if counts(row) and (period is None or row["period"] == number)]
        within = [row for row in self.scores if period is None or period.start <= row["at"] < period.end]
        good = [float(row["good"]) for row in within if counts(row)]
        answered = sum(row["answered"] for row in rows)
        priced = not any(row["unpriced"] for row in rows)
        return Version(
            sum(row["calls"] for row in rows),
            sum(row["failed"] for row in rows),
            _moments(rows, answered, "log_latency"),
            _moments(rows, answered, "cost") if priced else None,
            Moments.of(good),
        )

    def _paired(self, until: date) -> Paired:
        rows = [row for row in self._pairs if row["day"] <= until]
        requests, answered = (sum(row[key] for row in rows) for key in ("requests", "answered"))
        priced = not any(row["unpriced"] for row in rows)
        return Paired(
            requests,
            _moments(rows, requests, "failed"),
            _moments(rows, answered, "latency"),
            _moments(rows, answered, "cost") if priced else None,
            cost_of_a=Moments(answered, sum(row["base_cost"] for row in rows)),
        )

    @cached_property
    def unpriced(self) -> int:
        """Answered calls of the two versions whose price is unknown."""
        rows = self._pairs if self.paired else [row for row in self.rows if row["variant"] in (self.compared or ())]
        return sum(row["unpriced"] for row in rows)

    # ── tables ────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def by_version(self) -> pd.DataFrame:
        """One row a version: calls, errors, the typical latency, the mean cost of 1,000 answered calls, scores."""
        rows = []
        for name in self.called:
            version = self.version(name, self.window.last)
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
    def measures(self) -> pd.DataFrame:
        """One row a measure: the candidate less the version that stands, as people read it, with its interval."""
        rows = []
        for measure in self.decision.measured.values() if self.decision else ():
            ends = [shown(measure.name, end) for end in (measure.value, measure.low, measure.high, measure.tolerated)]
            if measure.name == "score":  # back into a gain, so that the ends change sides
                ends[1], ends[2] = ends[2], ends[1]
            rows.append((measure.name, UNITS[measure.name], *ends, measure.state, measure.n, measure.more))
        return tables.table(("measure", "in", "value", "low", "high", "tolerated", "state", "n", "more"), rows)


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


def _is_good(details: Mapping[str, Any] | None) -> bool:
    return bool((details or {}).get("good"))


def shown(name: str, loss: float | None) -> float | None:
    """A loss as the judge has it, in the unit of `UNITS`: points, a ratio, US dollars for 1,000 calls, a score."""
    if loss is None:
        return None
    return {"errors": loss * 100, "latency": exp(loss), "cost": loss * 1000, "score": -loss}[name]


def _moments(rows: Sequence[TableRow], n: int, name: str) -> Moments:
    return Moments(n, sum(row[name] for row in rows), sum(row[f"{name}_squares"] for row in rows))
