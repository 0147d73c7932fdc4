"""How the approaches are drawn and tabled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter

from daybook.reporting.charts.style import BLUE, GREEN, INK, Chart, chart, nothing, short
from daybook.reporting.charts.timeline import dollars
from daybook.reporting.tables import Column, present, to_records
from daybook.reporting.text import money

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.approach.report import Approach

_COLUMNS = (
    Column("method", "method"),
    Column("how", "how"),
    Column("quality", "quality", "percent", "low", "high"),
    Column("per_1000", "per 1,000", "money"),
    Column("p50", "p50", "seconds"),
    Column("p95", "p95", "seconds"),
    Column("training", "training", "seconds"),
    Column("training_cost", "training costs", "money"),
)
_WAYS = ("One way", "Two ways", "Three ways", "Four ways", "Five ways")


def methods(found: Approach) -> Styler:
    several = max(found.at_once.values(), default=1)
    asked = f"; {several} prompts at a time" if several > 1 else ""
    caption = (
        f"{_WAYS[len(found.evaluation.names) - 1]} to answer {found.evaluation.data.name}, best first; "
        f"this machine at {money(found.hour_price)} an hour{asked}"
    )
    return present(found.methods, "approach-methods", caption, _COLUMNS)


def against_price(found: Approach) -> Chart:
    title = "Quality against price"
    rows = [row for row in to_records(found.methods) if row["quality"] is not None and row["per_1000"]]
    if not rows:
        return nothing(title, "No method has both a score and a price above 0.")
    figure, (axis,) = chart(
        title,
        height=4.0,
        subtitle=f"{len(found.evaluation.data)} held-out rows; bars: 95 % intervals; top left is best",
    )
    for row in rows:
        x, colour = float(row["per_1000"]), GREEN if row["method"] == found.recommended else BLUE
        if row["low"] is not None:
            axis.plot([x, x], [row["low"], row["high"]], color=colour, linewidth=2)
        axis.plot([x], [row["quality"]], "o", color=colour, markersize=8)
        label = f"{short(row['method'])} (recommended)" if row["method"] == found.recommended else short(row["method"])
        axis.annotate(
            label,
            (x, row["quality"]),
            xytext=(8, 4),
            textcoords="offset points",
            fontsize=9,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1},  # over another one's interval
        )
    prices = [float(row["per_1000"]) for row in rows]
    axis.set_xscale("log")
    axis.set_xlim(min(prices) / 2, max(prices) * 8)
    axis.set_ylim(0, 1.05)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axis.xaxis.set_major_formatter(FuncFormatter(dollars))
    axis.set_xlabel("US dollars per 1,000 requests, logarithmic")
    axis.set_ylabel("mean score")
    return figure
