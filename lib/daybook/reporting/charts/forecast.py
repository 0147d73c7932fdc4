"""What was, and what is to be expected: daily amounts, then their expected course with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from matplotlib.ticker import FuncFormatter

from daybook.reporting.charts.style import BLUE, ORANGE, SOFT, Chart, chart, legend
from daybook.reporting.charts.timeline import day_number, dollars, time_axis


def ahead(
    title: str,
    days: Sequence[date],
    spent: Sequence[float],
    coming: Sequence[date],
    expected: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    unit: str,
    subtitle: str = "",
) -> Chart:
    """Bars for what was; a line with a band for what is expected of each coming day."""
    figure, (axis,) = chart(title, subtitle=subtitle)
    was = [day_number(day) for day in days]
    will = [day_number(day) for day in coming]
    axis.bar(was, spent, width=0.8, color=BLUE, label="spent")
    axis.fill_between(will, low, high, color=ORANGE, alpha=0.25, linewidth=0, label="95 % of days")
    axis.plot(will, expected, color=ORANGE, linewidth=1.8, marker="o", markersize=3, label="expected")
    axis.axvline((was[-1] + will[0]) / 2, color=SOFT, linewidth=0.9, linestyle=(0, (3, 3)))
    time_axis(axis, was + will, days=len(was) + len(will))
    axis.set_ylim(0, max([*spent, *high, 1e-9]) * 1.08)
    axis.set_ylabel(unit)
    axis.set_xlabel("day, UTC")
    axis.yaxis.set_major_formatter(FuncFormatter(dollars))
    axis.grid(visible=False, axis="x")
    legend(axis)
    return figure
