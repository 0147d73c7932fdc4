"""How the frames of the costs are shown."""

from __future__ import annotations

from daybook.reporting.result import Table, tables_by
from daybook.reporting.tables import TOKENS, Column

_SPEND = (
    Column("calls", "calls", "count"),
    Column("unpriced", "unpriced", "count"),
    Column("spend", "spend", "money"),
    Column("share", "share", "percent"),
    *TOKENS,
)
TABLES = {
    **tables_by(
        {
            "day": "Spend by day (UTC)",
            "model": "Spend by provider and served model",
            "caller": "Spend by caller",
            "project": "Spend by project",
        },
        _SPEND,
    ),
    "unpriced": Table(
        "Calls without a known cost, by reason",
        (
            Column("reason", "reason"),
            Column("model", "model"),
            Column("calls", "calls", "count"),
            *TOKENS,
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
            *TOKENS,
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
