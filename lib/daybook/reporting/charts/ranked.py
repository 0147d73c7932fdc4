"""Amounts by name: horizontal bars, each with its figure beside it, and its interval where it is an estimate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from daybook.reporting.charts.style import BLUE, GREY, INK, SOFT, Chart, chart, nothing, short
from daybook.reporting.charts.timeline import dollars


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    value: float
    label: str
    """What stands beside the bar."""
    low: float | None = None
    high: float | None = None
    colour: str = BLUE


@dataclass(frozen=True, slots=True)
class RankedPanel:
    name: str
    bars: Sequence[Bar]


def ranked(
    title: str,
    panels: Sequence[RankedPanel],
    *,
    unit: str,
    subtitle: str = "",
    money: bool = False,
    empty: str = "Nothing in this window.",
) -> Chart:
    """`panels` below each other, their bars in the order given; the scale is shared, so that lengths compare.

    `empty`: what to say where there is nothing to draw."""
    panels = [panel for panel in panels if panel.bars]
    if not panels:
        return nothing(title, empty)
    rows = [max(len(panel.bars), 2) for panel in panels]
    figure, axes = chart(
        title,
        height=0.75 + sum(0.3 * n + 0.5 for n in rows),
        panels=[n + 0.8 for n in rows],
        subtitle=subtitle,
    )
    reach = max(bar.value if bar.high is None else max(bar.high, bar.value) for panel in panels for bar in panel.bars)
    whole = not money and all(float(bar.value).is_integer() for panel in panels for bar in panel.bars)
    for axis, panel, n in zip(axes, panels, rows, strict=True):
        _draw(axis, panel.bars, n)
        axis.set_xlim(0, (reach or 1.0) * 1.28)
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=whole))
        axis.xaxis.set_major_formatter(FuncFormatter(dollars if money else _number))
        if panel.name:
            axis.set_title(panel.name, loc="left", fontsize=9.5, color=SOFT, pad=6)
    axes[-1].set_xlabel(unit)
    return figure


def _draw(axis: Axes, bars: Sequence[Bar], rows: int) -> None:
    y = list(range(len(bars)))
    axis.barh(y, [bar.value for bar in bars], color=[bar.colour for bar in bars], height=0.64)
    for i, bar in enumerate(bars):
        end = bar.value
        if bar.low is not None and bar.high is not None:
            axis.plot([bar.low, bar.high], [i, i], color=INK, linewidth=1.3, marker="|", markersize=6)
            end = max(bar.value, bar.high)
        text = bar.label.replace("$", r"\$")
        axis.annotate(text, (end, i), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8.5, color=INK)
    axis.set_yticks(y, [short(bar.name, 40) for bar in bars])
    axis.set_ylim(rows - 0.4, -0.6)
    axis.grid(visible=False, axis="y")


def _number(value: float, _: object = None) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def top(bars: Sequence[Bar], most: int, label: Callable[[float], str]) -> list[Bar]:
    """The first `most`; where there are more, the last of them is all the rest added up, labelled by `label`."""
    if len(bars) <= most:
        return list(bars)
    rest = sum(bar.value for bar in bars[most - 1 :])
    return [*bars[: most - 1], Bar(f"other ({len(bars) - most + 1})", rest, label(rest), colour=GREY)]
