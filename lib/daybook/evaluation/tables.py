"""How the frames of an evaluation are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from daybook.evaluation.figures import EvaluationFigures
from daybook.pii import excerpt
from daybook.reporting.result import Table
from daybook.reporting.tables import Column

MOST = 12
"""Rows of a table of examples."""
LONGEST = 220
"""Characters of a text in it."""

_TABLES = {
    "leaderboard": Table(
        "Mean score, best first",
        (
            Column("contestant", "contestant"),
            Column("quality", "quality", "percent", "low", "high"),
            Column("n", "rows", "count"),
            Column("missing", "missing", "count"),
            Column("per_1000", "per 1,000", "money"),
            Column("p50", "p50", "seconds"),
            Column("p95", "p95", "seconds"),
        ),
    ),
    "differences": Table(
        "Against the first, on the same rows",
        (
            Column("contestant", "contestant"),
            Column("difference", "difference", "points", "low", "high"),
            Column("n", "rows", "count"),
            Column("won", "won", "count"),
            Column("lost", "lost", "count"),
            Column("adjusted", "p (Holm)", "p"),
            Column("test", "test"),
            Column("verdict", "verdict"),
        ),
    ),
    "slices": Table(
        "By kind of row",
        (
            Column("slice", "slice"),
            Column("contestant", "contestant"),
            Column("quality", "quality", "percent", "low", "high"),
            Column("n", "rows", "count"),
        ),
    ),
    "errors": Table(
        "What went wrong other than being wrong",
        (
            Column("contestant", "contestant"),
            Column("kind", "kind"),
            Column("rows", "rows", "count"),
            Column("example", "for example"),
        ),
    ),
}


def tables(evaluation: EvaluationFigures) -> Mapping[str, Table]:
    of_rows = f": {evaluation.data.name}"
    shown = {name: replace(table, caption=table.caption + of_rows) for name, table in _TABLES.items()}
    return {**shown, "disagreements": _disagreements(evaluation)}


def _disagreements(evaluation: EvaluationFigures) -> Table:
    frame = evaluation.disagreements.head(MOST).copy()
    for column in ("input", "reference", *evaluation.names):
        frame[column] = [excerpt(" ".join(str(text).split()), LONGEST) for text in frame[column]]
    columns = (Column("id", "row"), Column("input", "input"), Column("reference", "right"))
    caption = f"Where they disagree: {min(MOST, len(evaluation.disagreements))} of {len(evaluation.disagreements)} rows"
    return Table(caption, (*columns, *(Column(name, name) for name in evaluation.names)), frame)
