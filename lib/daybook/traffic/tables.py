"""How the frames of the traffic are shown."""

from __future__ import annotations

from daybook.reporting.result import Table, tables_by
from daybook.reporting.tables import TOKENS, Column

_CALLS = (
    Column("calls", "calls", "count"),
    Column("failed", "failed", "count"),
    Column("failed_rate", "rate", "percent", "failed_low", "failed_high"),
    *TOKENS,
)
_SECONDS = (
    Column("model", "model"),
    Column("n", "n", "count"),
    *(Column(p, p, "seconds", f"{p}_low", f"{p}_high") for p in ("p50", "p95", "p99")),
    Column("max", "longest", "seconds"),
)
TABLES = {
    **tables_by(
        {
            "day": "Calls by day (UTC)",
            "caller": "Calls by caller",
            "model": "Calls by provider and model asked for",
        },
        _CALLS,
    ),
    "errors": Table(
        "Failed calls by kind, as a share of all calls",
        (
            Column("kind", "kind"),
            Column("calls", "calls", "count"),
            Column("rate", "rate", "percent", "low", "high"),
            Column("callers", "callers", "count"),
        ),
    ),
    "latency": Table("Latency of answered calls: request to last byte", _SECONDS),
    "first_token": Table("Time to first token of answered streams", _SECONDS),
}
