"""How the approaches are drawn."""

from __future__ import annotations

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from daybook.approach.figures import ApproachFigures
from daybook.reporting.charts.style import BLUE, GREEN, GREY, ORANGE, RED, SKY, Chart, chart, legend, nothing, short
from daybook.reporting.charts.timeline import dollars
from daybook.reporting.tables import to_records


def against_price(approach: ApproachFigures) -> Chart:
    """Quality with its interval against the price of 1,000 requests."""
    title = "Quality against price"
    rows = [row for row in to_records(approach.methods) if row["quality"] is not None and row["per_1000"]]
    if not rows:
        return nothing(title, "No method has both a score and a price above 0.")
    figure, (axis,) = chart(
        title,
        height=4.0,
        subtitle=f"{len(approach.evaluation.data)} held-out rows; bars: 95 % intervals; top left is best",
    )
    colours = iter((BLUE, ORANGE, SKY, RED, GREY))
    for row in rows:
        x, recommended = float(row["per_1000"]), row["method"] == approach.recommended
        colour = GREEN if recommended else next(colours)
        label = short(row["method"]) + (" (recommended)" if recommended else "")
        if row["low"] is not None:
            axis.plot([x, x], [row["low"], row["high"]], color=colour, linewidth=2)
        axis.plot([x], [row["quality"]], "o", color=colour, markersize=8, label=label)
    legend(axis)
    prices = [float(row["per_1000"]) for row in rows]
    axis.set_xscale("log")
    axis.set_xlim(min(prices) / 2, max(prices) * 2)
    axis.set_ylim(0, 1.05)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
    axis.xaxis.set_major_formatter(FuncFormatter(dollars))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("US dollars per 1,000 requests, logarithmic")
    axis.set_ylabel("mean score")
    return figure
