"""Amounts over time: stacked bars per day or hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter, MaxNLocator

from daybook.reporting.charts.style import GREY, PALETTE, Chart, chart, legend, nothing, short


def stacked(
    title: str,
    moments: Sequence[date] | Sequence[datetime],
    layers: Mapping[str, Sequence[float]],
    *,
    unit: str,
    subtitle: str = "",
    colours: Mapping[str, str] | None = None,
    money: bool = False,
    empty: str = "Nothing in this window.",
) -> Chart:
    """One bar per moment (days, or hours where `moments` are datetimes), one colour per layer, first at the bottom.

    `empty`: what to say where there is nothing to draw."""
    if not any(any(values) for values in layers.values()):
        return nothing(title, empty)
    hours = bool(moments) and isinstance(moments[0], datetime)
    figure, (axis,) = chart(title, subtitle=subtitle)
    x = [day_number(moment) for moment in moments]
    width = 1 / 24 if hours else (0.8 if len(x) <= 62 else 1.0)
    if hours:
        x = [v + 1 / 48 for v in x]
    base = [0.0] * len(x)
    shades = iter(PALETTE)
    for name, values in layers.items():
        colour = (colours or {}).get(name) or (GREY if name.startswith("other") else next(shades, GREY))
        axis.bar(x, values, width=width, bottom=base, color=colour, label=short(name, 36), linewidth=0)
        base = [low + float(value) for low, value in zip(base, values, strict=True)]
    time_axis(axis, x, days=0 if hours else len(x))
    axis.set_ylabel(unit)
    axis.set_xlabel("hour, UTC" if hours else "day, UTC")
    axis.set_ylim(0, max(base) * 1.08)
    axis.grid(visible=False, axis="x")
    axis.yaxis.set_major_locator(MaxNLocator(6, integer=not money))
    axis.yaxis.set_major_formatter(FuncFormatter(dollars if money else _plain))
    if len(layers) > 1:
        handles, labels = axis.get_legend_handles_labels()
        legend(axis, handles=handles[::-1], labels=labels[::-1])
    return figure


_FORMATS = ["%Y", "%-d %b", "%-d %b", "%H:%M", "%H:%M", "%S"]


def day_number(moment: date | datetime) -> float:
    """Days since 1970-01-01, as matplotlib counts them."""
    if isinstance(moment, datetime):
        return moment.timestamp() / 86_400
    return float((moment - date(1970, 1, 1)).days)


def time_axis(axis: Axes, x: Sequence[float], *, days: int) -> None:
    """Ticks that can be read; `days` 0: `x` are hours."""
    if 0 < days <= 10:
        axis.set_xticks(list(x), [f"{date(1970, 1, 1) + timedelta(days=int(v)):%-d %b}" for v in x])
    else:
        # matplotlib.dates has no types
        locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call] # see above
        form = ConciseDateFormatter(locator, formats=_FORMATS, show_offset=False)  # type: ignore[no-untyped-call] # see above
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(form)
    edge = max(0.6, (7 - days) / 2) if days else 0.05
    axis.set_xlim(min(x) - edge, max(x) + edge)


def dollars(value: float, _: object = None) -> str:
    if value == 0:
        return "\\$0"
    text = f"{value:,.2f}" if value >= 0.1 else f"{value:.3g}"
    return "\\$" + (text.removesuffix(".00") if value >= 1 else text)


def _plain(value: float, _: object = None) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
