"""How the frames of an experiment are shown."""

from __future__ import annotations

from daybook.reporting.result import Table
from daybook.reporting.tables import Column

TABLES = {
    "by_version": Table(
        "What each version did",
        (
            Column("version", "version"),
            Column("calls", "calls", "count"),
            Column("failed", "failed", "count"),
            Column("failed_rate", "rate", "percent", "failed_low", "failed_high"),
            Column("latency", "typical latency", "seconds"),
            Column("per_1000", "per 1,000 calls", "money"),
            Column("score", "good", "percent"),
            Column("scored", "scored", "count"),
        ),
    ),
    "decisions": Table(
        "How the deployment was changed",
        (
            Column("at", "at (UTC)", "time"),
            Column("by", "by"),
            Column("action", "what"),
            Column("before", "from"),
            Column("after", "to"),
            Column("why", "why"),
        ),
    ),
    "measures": Table(
        "The candidate against the version that stands; the intervals hold at 95 % together",
        (
            Column("measure", "measure"),
            Column("in", "in"),
            Column("value", "difference", "figure", "low", "high"),
            Column("tolerated", "tolerated", "figure"),
            Column("state", "state"),
            Column("n", "n", "count"),
            Column("more", "calls more", "count"),
        ),
    ),
}
