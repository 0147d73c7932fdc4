"""How the approaches are drawn."""

from __future__ import annotations

from matplotlib.ticker import FuncFormatter

from daybook.approach.figures import ApproachFigures
from daybook.reporting.charts.style import BLUE, GREEN, INK, Chart, chart, nothing, short
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
    for row in rows:
        x, colour = float(row["per_1000"]), GREEN if row["method"] == approach.recommended else BLUE
        if row["low"] is not None:
            axis.plot([x, x], [row["low"], row["high"]], color=colour, linewidth=2)
        axis.plot([x], [row["quality"]], "o", color=colour, markersize=8)
        label = (
            f"{short(row['method'])} (recommended)" if row["method"] == approach.recommended else short(row["method"])
        )
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
