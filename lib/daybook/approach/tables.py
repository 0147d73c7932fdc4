"""How the frame of the methods is shown."""

from __future__ import annotations

from daybook.approach.figures import ApproachFigures
from daybook.reporting.result import Table
from daybook.reporting.tables import Column
from daybook.reporting.text import money

_COLUMNS = (
    Column("method", "method"),
    Column("how", "how"),
    Column("quality", "quality", "percent", "low", "high"),
    Column("per_1000", "per 1,000", "money"),
    Column("p50", "p50", "seconds"),
    Column("p95", "p95", "seconds"),
    Column("training", "training", "seconds"),
    Column("training_cost", "its cost", "money"),
)
_WAYS = ("One way", "Two ways", "Three ways", "Four ways", "Five ways")


def methods(approach: ApproachFigures) -> Table:
    several = max(approach.at_once.values(), default=1)
    asked = f"; {several} prompts at a time" if several > 1 else ""
    caption = (
        f"{_WAYS[len(approach.evaluation.names) - 1]} to answer {approach.evaluation.data.name}, best first; "
        f"this machine at {money(approach.hour_price)} an hour{asked}"
    )
    return Table(caption, _COLUMNS)
