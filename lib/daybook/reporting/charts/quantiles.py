"""Quantiles with their intervals: one row per name, one dot per quantile, on a logarithmic axis of seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from daybook.reporting.charts.style import BLUE, GREEN, INK, ORANGE, Chart, chart, legend, nothing, short
from daybook.stats.estimate import Estimate

COLOURS = (BLUE, ORANGE, GREEN)
MARKERS = ("o", "s", "D")


@dataclass(frozen=True, slots=True)
class QuantileRow:
    name: str
    n: int
    points: Sequence[Estimate]
    """One per quantile, in the order of `names`. An upper end that is not known is drawn as an arrow."""


def quantiles(title: str, names: Sequence[str], rows: Sequence[QuantileRow], *, unit: str, subtitle: str = "") -> Chart:
    """Rows from top to bottom; within a row the quantiles stand a little apart, so that intervals do not cover
    each other."""
    if not rows:
        return nothing(title, "Nothing was measured in this window.")
    figure, (axis,) = chart(title, height=1.35 + 0.62 * len(rows), subtitle=subtitle)
    ends = [e for row in rows for p in row.points for e in (p.value, p.low, p.high) if e is not None]
    floor, ceiling = max(min(ends), 1e-4) / 1.5, max(max(ends), 1e-3) * 1.5
    for i, row in enumerate(rows):
        for k, point in enumerate(row.points):
            if point.value is None:
                continue
            y = i + (k - (len(row.points) - 1) / 2) * 0.2
            colour = COLOURS[k % 3]
            low = point.low if point.low is not None else point.value
            high = point.high if point.high is not None else point.value
            axis.plot([max(low, floor), max(high, floor)], [y, y], color=colour, linewidth=2.4, alpha=0.55)
            if point.high is None:
                axis.annotate(
                    "",
                    (min(point.value * 1.28, ceiling), y),
                    (point.value, y),
                    arrowprops={"arrowstyle": "->", "color": colour, "alpha": 0.7},
                )
            axis.plot(max(point.value, floor), y, marker=MARKERS[k % 3], color=colour, markersize=6.5)
        if i:
            axis.axhline(i - 0.5, color="#EEEEEE", linewidth=0.8)
    axis.set_xscale("log")
    axis.set_xlim(floor, ceiling)
    axis.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_yticks(range(len(rows)), [f"{short(row.name)}\nn = {row.n:,}" for row in rows])
    axis.set_ylim(len(rows) - 0.45, -0.55)
    axis.grid(visible=False, axis="y")
    handles: list[Line2D] = [
        Line2D([], [], color=COLOURS[k % 3], marker=MARKERS[k % 3], linewidth=2.4, label=name)
        for k, name in enumerate(names)
    ]
    legend(axis, handles=handles)
    open_end = any(point.high is None for row in rows for point in row.points)
    axis.set_xlabel(f"{unit}; bar: 95 % interval" + ("; arrow: too few calls to bound it" if open_end else ""))
    axis.tick_params(axis="y", labelcolor=INK)
    return figure
