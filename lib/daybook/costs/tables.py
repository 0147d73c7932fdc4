"""How the frames of the costs are shown."""

from __future__ import annotations

from daybook.reporting.result import Table
from daybook.reporting.tables import Column

_SPEND = (
    Column("calls", "calls", "count"),
    Column("unpriced", "unpriced", "count"),
    Column("spend", "spend", "money"),
    Column("share", "share", "percent"),
    Column("input_tokens", "tokens in", "count"),
    Column("output_tokens", "tokens out", "count"),
)
TABLES = {
    "by_day": Table("Spend by day (UTC)", (Column("day", "day"), *_SPEND)),
    "by_model": Table("Spend by provider and served model", (Column("model", "model"), *_SPEND)),
    "by_caller": Table("Spend by caller", (Column("caller", "caller"), *_SPEND)),
    "by_project": Table("Spend by project", (Column("project", "project"), *_SPEND)),
    "unpriced": Table(
        "Calls without a known cost, by reason",
        (
            Column("reason", "reason"),
            Column("model", "model"),
            Column("calls", "calls", "count"),
            Column("input_tokens", "tokens in", "count"),
            Column("output_tokens", "tokens out", "count"),
        ),
    ),
    "elsewhere": Table(
        "The same tokens on other models",
        (
            Column("model", "model"),
            Column("spend", "spend", "money"),
            Column("times", "of what was spent", "times"),
            Column("rate", "rate"),
            Column("note", "note"),
        ),
    ),
    "dearest": Table(
        "The dearest calls",
        (
            Column("time", "time", "time"),
            Column("caller", "caller"),
            Column("model", "model"),
            Column("input_tokens", "tokens in", "count"),
            Column("output_tokens", "tokens out", "count"),
            Column("cost", "cost", "money"),
        ),
    ),
    "rates": Table(
        "Rates by which calls were priced",
        (
            Column("price_rate", "rate"),
            Column("price_source", "source"),
            Column("calls", "calls", "count"),
            Column("spend", "spend", "money"),
        ),
    ),
}
