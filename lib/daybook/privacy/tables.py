"""How the frames of privacy are shown."""

from __future__ import annotations

from daybook.reporting.result import Table
from daybook.reporting.tables import Column

_SHARES = (
    Column("precision", "precision", "percent", "precision_low", "precision_high"),
    Column("recall", "recall", "percent", "recall_low", "recall_high"),
)
TABLES = {
    "by_type": Table(
        "Personal data in the content that is kept",
        (
            Column("kind", "kind"),
            Column("found", "found", "count"),
            Column("calls", "calls that hold one", "count"),
            Column("redacted", "taken out before", "count"),
        ),
    ),
    "by_kind": Table(
        "Every kind and names on the annotated texts, ends exact",
        (
            Column("kind", "kind"),
            Column("known", "marked", "count"),
            Column("found", "found", "count"),
            Column("right", "right", "count"),
            *_SHARES,
        ),
    ),
    "by_finder": Table(
        "The finders on the annotated texts, all marked kinds",
        (
            Column("finder", "finder"),
            Column("found", "found", "count"),
            Column("f1", "F1", "ratio"),
            *_SHARES,
            Column("alarms", "false alarms", "percent", "alarms_low", "alarms_high"),
        ),
    ),
}
