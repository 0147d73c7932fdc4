"""The chart of an audit of decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daybook.bias.decisions.metrics import LESS_OFTEN, Decisions
from daybook.reporting.charts.forest import ForestPanel, Point, forest
from daybook.reporting.gates import FOUR_FIFTHS
from daybook.reporting.tables import to_records
from daybook.reporting.text import count, ratio

if TYPE_CHECKING:
    from daybook.reporting.charts.style import Chart


def against(figures: Decisions, source: str) -> Chart:
    """How often each group is favoured, over the most favoured one, with intervals; the line of four fifths."""
    panels = []
    for grouping, part in figures.against.groupby("grouping", sort=False):
        rows = [row for row in to_records(part) if row["ratio"] is not None]
        if not rows:
            continue
        panels.append(
            ForestPanel(
                f"by {grouping}",
                f"times as often as {rows[0]['reference']}, the most favoured; dashed: four fifths of it",
                [
                    Point(
                        row["group"],
                        row["ratio"],
                        row["ratio_low"],
                        row["ratio_high"],
                        f"{ratio(row['ratio'])}  n = {count(row['n'])}  {row['verdict']}",
                        sure=row["verdict"] == LESS_OFTEN,
                    )
                    for row in rows
                ],
                null=1.0,
                limit=FOUR_FIFTHS,
            )
        )
    return forest(
        "How often each group is favoured",
        panels,
        subtitle=f"{source}: {count(figures.n, 'row')}, 95 % intervals",
        empty=f"No two groups have {figures.minimum} rows.",
    )
