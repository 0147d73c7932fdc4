"""How the frames of the evidence are shown."""

from __future__ import annotations

from daybook.reporting.result import Table
from daybook.reporting.tables import Column

TABLES = {
    "by_control": Table(
        "Controls, and what is shown of them",
        (
            Column("control", "control"),
            Column("title", "what it asks"),
            Column("state", "state"),
            Column("applies_from", "applies from"),
            Column("lines", "rests on"),
        ),
    ),
    "to_check": Table(
        "What is for a person to look up",
        (
            Column("control", "control"),
            Column("not_shown", "not shown, and to be checked"),
            Column("source", "source"),
        ),
    ),
    "by_line": Table(
        "Lines, each with its query",
        (
            Column("line", "line"),
            Column("question", "question"),
            Column("state", "state"),
            Column("rows", "rows", "count"),
            Column("ok", "ok", "count"),
            Column("query", "query"),
            Column("not_shown", "what it does not show"),
        ),
    ),
}
