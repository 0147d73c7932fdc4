"""The figures of a deployment's two versions in a window of days, and what they allow to be decided.

Nothing is decided here in another way than `stats.canary` does while the deployment runs: the same judge is asked, with
the same intervals, which hold whenever and however often one looks. Where a shadow answered the same requests and the
candidate got none of its own, the pairs are compared.
"""

from __future__ import annotations

import re
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
from daybook.stats.canary import Decision, Paired, Tolerance, Version, judge
from daybook.stats.estimate import proportion
from daybook.stats.sequential import Moments, sample_ratio
from daybook.window import Window

UNITS = {"errors": "points", "latency": "ratio", "cost": "USD per 1,000 calls", "score": "score"}


@dataclass(frozen=True)
class ExperimentFigures:
    """Made by `read`."""

    window: Window
    deployment: str
    rows: Sequence[TableRow] = field(repr=False)
    """Calls added up by day and version."""
    scores: Sequence[TableRow] = field(default=(), repr=False)
    """What people said of each answer: day, variant, good."""
    pairs: Sequence[TableRow] = field(default=(), repr=False)
    """Requests that a shadow answered too, by day and versions."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """As configured; empty: not known, so the split is not checked."""
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
        """The calls of `deployment` in the `days` UTC days that end with `logical_date`. Raises BadDate and
        BadParameter."""
        if versions and (len(versions) != 2 or versions[0] == versions[1]):
            raise BadParameter(f"{len(versions)} versions cannot be compared.", remedy="Name two, the candidate last.")
        window = Window.of(logical_date, days)
        asked = {"deployment": deployment, "start": window.start, "end": window.end}
        last_words = {row["id"]: row for row in to_records(book.query("experiment_scores", **asked))}
        scores = [
            {"day": row["time"].date(), "variant": row["variant"], "good": bool((row["details"] or {}).get("good"))}
            for row in last_words.values()
        ]
        return cls(
            window=window,
            deployment=deployment,
            rows=to_records(book.query("experiment_calls", **asked)),
            scores=scores,
            pairs=to_records(book.query("experiment_pairs", **asked)),
            weights=dict(weights or {}),
            versions=tuple(versions),
            tolerance=tolerance or Tolerance(),
            now=now,
        )

    # ── who is compared ───────────────────────────────────────────────────────────────────────────────

    @cached_property
    def called(self) -> list[str]:
        """Every version that got a call or a copy, oldest first."""
        seen = {row["variant"] for row in self.rows} | {row["candidate"] for row in self.pairs}
        return sorted(seen, key=_version_key)

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
        seen = {row["variant"]: 0 for row in self.rows} | dict.fromkeys(self.weights, 0)
        for row in self.rows:
            seen[row["variant"]] += row["calls"] if row["day"] <= until else 0
        known = self.weights and set(seen) == set(self.weights)
        ratio = sample_ratio([(seen, self.weights)]) if known else None
        base, candidate = (self.version(name, until) for name in self.compared)
        return judge([(base, candidate)], ratio=ratio, tolerance=self.tolerance)

    def version(self, name: str, until: date) -> Version:
        """One version's calls up to a day."""
        rows = [row for row in self.rows if row["variant"] == name and row["day"] <= until]
        good = [float(row["good"]) for row in self.scores if row["variant"] == name and row["day"] <= until]
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


def shown(name: str, loss: float | None) -> float | None:
    """A loss as the judge has it, in the unit of `UNITS`: points, a ratio, US dollars for 1,000 calls, a score."""
    if loss is None:
        return None
    return {"errors": loss * 100, "latency": exp(loss), "cost": loss * 1000, "score": -loss}[name]


def _moments(rows: Sequence[TableRow], n: int, name: str) -> Moments:
    return Moments(n, sum(row[name] for row in rows), sum(row[f"{name}_squares"] for row in rows))


def _version_key(name: str) -> list[Any]:
    """v2 before v10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.findall(r"\d+|\D+", name)]
