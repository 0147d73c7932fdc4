"""How the frames of the evidence are shown."""

from __future__ import annotations

from daybook.reporting.result import Table
from daybook.reporting.tables import Column

TABLES = {
    "by_control": Table(
        "Controls, and what is shown of them",
        (
            Column("control", "control"),
            Column("state", "state"),
            Column("title", "what it asks"),
            Column("lines", "rests on"),
            Column("applies_from", "applies from"),
        ),
    ),
    "to_check": Table(
        "What is for a person to look up",
        (
            Column("control", "control"),
            Column("not_shown", "not shown, and to be checked"),
        ),
    ),
    "to_do": Table(
        "What would show more",
        (
            Column("line", "line"),
            Column("state", "state"),
            Column("remedy", "what to do"),
            Column("controls", "controls that rest on it"),
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
