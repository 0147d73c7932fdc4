"""What the calls of a deployment's versions say, period by period of one split, and what that allows to be decided.

It is the evidence of both who ask: the judge of a running canary, and the report. The versions are compared within the
periods of one split each. Where a shadow answered the same requests and the candidate got none of its own, the pairs
are compared. Without pandas: the endpoint reads it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from daybook.ports import NamedRows
from daybook.routing.split import in_order
from daybook.stats.canary import Decision, Paired, Tolerance, Version, judge
from daybook.stats.clusters import Clusters, design_effect
from daybook.stats.estimate import ALPHA
from daybook.stats.sequential import Moments, SampleRatio, Share, sample_ratio

IN_FLIGHT = 0.01
"""The part of a period's calls that may go to versions without a share: they began before the split was changed."""

SETTLING = timedelta(seconds=15)
"""After a change another machine may go on splitting as before for so long."""

EvidenceRow = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Period:
    """A time of one split."""

    start: datetime
    end: datetime
    weights: Mapping[str, float] = field(default_factory=dict)
    """As configured; empty: not known."""


@dataclass(frozen=True, kw_only=True)
class TrialEvidence:
    """The calls of one deployment."""

    deployment: str
    rows: Sequence[EvidenceRow] = field(repr=False)
    """Calls added up by period (its number), day and version."""
    scores: Sequence[EvidenceRow] = field(default=(), repr=False)
    """What people said of each answer: at, day, variant, good."""
    pairs: Sequence[EvidenceRow] = field(default=(), repr=False)
    """Requests that a shadow answered too, by day and versions."""
    periods: Sequence[Period] = ()
    versions: tuple[str, ...] = ()
    """The two that are compared, the candidate last; empty: the oldest and the newest of those called."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    clusters: Sequence[EvidenceRow] = field(default=(), repr=False)
    """By period and version: how the calls lie in those that stick together; empty: each comes by itself."""
    keys: Sequence[EvidenceRow] = field(default=(), repr=False)
    """What was split, by period, day and version; empty: it was the calls."""
    alpha: float = ALPHA
    """Of all measures together."""
    look_ahead: bool = True
    """Whether a decision says, too, about how many calls more it takes: for people, and ten times as long to reckon."""

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
    def _pairs(self) -> list[EvidenceRow]:
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
    def unpriced(self) -> int:
        """Answered calls of the two versions whose price is unknown."""
        rows = self._pairs if self.paired else [row for row in self.rows if row["variant"] in (self.compared or ())]
        return sum(row["unpriced"] for row in rows)

    # ── what is decided ───────────────────────────────────────────────────────────────────────────────

    @cached_property
    def decision(self) -> Decision | None:
        """None: there is nothing to compare."""
        return self.decided()

    def decided(self, until: date | None = None) -> Decision | None:
        """What could have been decided by the calls up to that day; None: by all of them."""
        if self.compared is None:
            return None
        if self.paired:
            return judge(self._paired(until), tolerance=self.tolerance, alpha=self.alpha, look_ahead=self.look_ahead)
        a, b = self.compared
        pairs = [(self.version(a, until, n), self.version(b, until, n)) for n in range(max(len(self.periods), 1))]
        together = [(x, y) for x, y in pairs if x.calls and y.calls]
        whole = [(self.version(a, until), self.version(b, until))]
        return judge(
            together or whole,
            ratio=self._ratio(until),
            tolerance=self.tolerance,
            alpha=self.alpha,
            look_ahead=self.look_ahead,
        )

    def version(self, name: str, until: date | None = None, number: int | None = None) -> Version:
        """One version's calls up to a day, of one period or of all."""
        version = self._counted(name, until, number)
        together = [row for row in self.clusters if row["variant"] == name and row["period"] == number]
        if not together:
            return version
        # How alike a key's calls are is taken from all of them, also where only those up to a day are counted.
        whole = self._counted(name, None, number)
        return replace(version, effects=_effects(whole, together[0], self._scored(name, None, number)))

    def _counted(self, name: str, until: date | None, number: int | None) -> Version:
        rows = [
            row
            for row in self.rows
            if row["variant"] == name
            and (until is None or row["day"] <= until)
            and (number is None or not self.periods or row["period"] == number)
        ]
        calls, failed, answered = (sum(row[key] for row in rows) for key in ("calls", "failed", "answered"))
        priced = not any(row["unpriced"] for row in rows)
        return Version(
            calls,
            failed,
            _moments(rows, answered, "log_latency"),
            _moments(rows, answered, "cost") if priced else None,
            Moments.of([float(row["good"]) for row in self._scored(name, until, number)]),
        )

    def _scored(self, name: str, until: date | None, number: int | None) -> list[EvidenceRow]:
        period = self.periods[number] if number is not None and self.periods else None
        return [
            row
            for row in self.scores
            if row["variant"] == name
            and (until is None or row["day"] <= until)
            and (period is None or period.start <= row["at"] < period.end)
        ]

    def _ratio(self, until: date | None) -> SampleRatio | None:
        """None: in some period the share of a version that was called is not known."""
        splits = []
        for number, period in enumerate(self.periods):
            seen: dict[str, int] = {}
            for row in self.keys or self.rows:
                if row["period"] == number and (until is None or row["day"] <= until):
                    seen[row["variant"]] = seen.get(row["variant"], 0) + row["keys" if self.keys else "calls"]
            if not set(seen) <= set(period.weights):
                return None
            late = [name for name in seen if period.weights[name] == 0]
            if sum(seen[name] for name in late) <= IN_FLIGHT * sum(seen.values()):
                seen = {name: n for name, n in seen.items() if name not in late}
            if seen:
                splits.append((seen, period.weights))
        return sample_ratio(splits) if splits else None

    def _paired(self, until: date | None) -> Paired:
        rows = [row for row in self._pairs if until is None or row["day"] <= until]
        requests, answered = (sum(row[key] for row in rows) for key in ("requests", "answered"))
        priced = not any(row["unpriced"] for row in rows)
        return Paired(
            requests,
            _moments(rows, requests, "failed"),
            _moments(rows, answered, "latency"),
            _moments(rows, answered, "cost") if priced else None,
            cost_of_a=Moments(answered, sum(row["base_cost"] for row in rows)),
        )


def read_clusters(book: NamedRows, deployment: str, periods: Sequence[Period], sticky: str) -> list[EvidenceRow]:
    """How the calls of each period lie in those that stick together. Raises BookError."""
    if sticky == "request":
        return []
    text = book.query_text("experiment_clusters")
    rows: list[EvidenceRow] = []
    for number, period in enumerate(periods):
        within = {"deployment": deployment, "start": period.start, "end": period.end, "sticky": sticky}
        rows += [{"period": number} | row for row in book.rows(text, within)]
    return rows


def read_split(book: NamedRows, deployment: str, periods: Sequence[Period], sticky: str) -> list[EvidenceRow]:
    """What was split in each period, without the first seconds of those that follow another. Raises BookError."""
    text = book.query_text("experiment_split")
    rows: list[EvidenceRow] = []
    for number, period in enumerate(periods):
        start = period.start + SETTLING if number else period.start
        within = {"deployment": deployment, "start": start, "end": period.end, "sticky": sticky}
        rows += [{"period": number} | row for row in book.rows(text, within | {"since": periods[0].start})]
    return rows


def read_sticky(book: NamedRows, deployment: str) -> str:
    """What keeps its version of that deployment; `request` where the book knows no such one. Raises BookError."""
    query = "select sticky from deployments where name = :name order by revision desc, claim limit 1"
    rows = book.rows(query, {"name": deployment})
    return str(rows[0]["sticky"]) if rows else "request"


def read_calls(book: NamedRows, deployment: str, periods: Sequence[Period]) -> list[EvidenceRow]:
    """The deployment's calls in each period. Raises BookError."""
    text = book.query_text("experiment_calls")
    rows: list[EvidenceRow] = []
    for number, period in enumerate(periods):
        within = {"deployment": deployment, "start": period.start, "end": period.end}
        rows += [{"period": number} | row for row in book.rows(text, within)]
    return rows


def read_scores(book: NamedRows, deployment: str, start: datetime, end: datetime, sticky: str) -> list[EvidenceRow]:
    """The last word about each answer that came of a call in that time. Raises BookError."""
    within = {"deployment": deployment, "start": start, "end": end, "sticky": sticky}
    last_words = {row["id"]: row for row in book.rows(book.query_text("experiment_scores"), within)}
    return [
        {
            "at": row["time"],
            "day": row["time"].date(),
            "variant": row["variant"],
            "key": row["key"],
            "good": _is_good(row["details"]),
        }
        for row in last_words.values()
    ]


def _effects(version: Version, row: EvidenceRow, scored: Sequence[EvidenceRow]) -> dict[str, float]:
    """The design effect of each measure."""
    answered = row["answered_keys"], row["answered_answered"]
    effects = {
        "errors": design_effect(
            Share(version.failed, version.calls).moments,
            Clusters(row["keys"], row["calls_calls"], row["failed_failed"], row["failed_calls"]),
        ),
        "latency": design_effect(
            version.latency, Clusters(*answered, row["log_latency_log_latency"], row["log_latency_answered"])
        ),
        "score": design_effect(version.score, _clusters_of(scored)),
    }
    if version.cost is not None:
        effects["cost"] = design_effect(version.cost, Clusters(*answered, row["cost_cost"], row["cost_answered"]))
    return effects


def _clusters_of(scored: Sequence[EvidenceRow]) -> Clusters:
    sums: dict[Any, tuple[int, int]] = {}
    for row in scored:
        n, good = sums.get(row["key"], (0, 0))
        sums[row["key"]] = (n + 1, good + bool(row["good"]))
    return Clusters(
        len(sums),
        sum(n * n for n, _ in sums.values()),
        sum(good * good for _, good in sums.values()),
        sum(n * good for n, good in sums.values()),
    )


def _is_good(details: Mapping[str, Any] | None) -> bool:
    return bool((details or {}).get("good"))


def _moments(rows: Sequence[EvidenceRow], n: int, name: str) -> Moments:
    return Moments(n, sum(row[name] for row in rows), sum(row[f"{name}_squares"] for row in rows))
