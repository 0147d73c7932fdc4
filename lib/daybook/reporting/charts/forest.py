"""Effects with their intervals: one row per name, a line at no effect, a band where noise lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from daybook.reporting.charts.style import BLUE, FAINT, GREY, INK, RED, SOFT, Chart, chart, nothing, short


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    value: float
    low: float | None
    high: float | None
    label: str = ""
    """What stands at the right edge: usually n and the verdict."""
    sure: bool = False
    """Whether it is more than noise: drawn in another colour and with another mark."""
    floor: float | None = None
    """Half the width of the band around no effect within which noise lies."""


@dataclass(frozen=True, slots=True)
class ForestPanel:
    name: str
    unit: str
    points: Sequence[Point]
    null: float = 0.0
    """Where no effect is."""
    percent: bool = False
    limit: float | None = None
    """A line that is stated elsewhere, such as four fifths: drawn dashed."""


def forest(
    title: str, panels: Sequence[ForestPanel], *, subtitle: str = "", empty: str = "Nothing was measured."
) -> Chart:
    """`panels` below each other, each with a scale of its own."""
    panels = [panel for panel in panels if panel.points]
    if not panels:
        return nothing(title, empty)
    rows = [max(len(panel.points), 2) for panel in panels]
    figure, axes = chart(
        title, height=0.8 + sum(0.27 * n + 0.72 for n in rows), panels=[n + 1.5 for n in rows], subtitle=subtitle
    )
    for axis, panel, n in zip(axes, panels, rows, strict=True):
        _draw(axis, panel, n)
    if subtitle and panels[0].name:
        axes[0].set_title(f"{subtitle}\n{panels[0].name}", loc="left", fontsize=9.5, color=SOFT, pad=6)
    return figure


def _draw(axis: Axes, panel: ForestPanel, rows: int) -> None:
    axis.axvline(panel.null, color=INK, linewidth=0.9)
    ends = [panel.null]
    if panel.limit is not None:
        axis.axvline(panel.limit, color=RED, linewidth=1.1, linestyle=(0, (4, 3)))
        ends.append(panel.limit)
    for y, effect in enumerate(panel.points):
        if effect.floor is not None:
            axis.fill_betweenx(
                [y - 0.42, y + 0.42], panel.null - effect.floor, panel.null + effect.floor, color=FAINT, linewidth=0
            )
            ends += [panel.null - effect.floor, panel.null + effect.floor]
        colour = RED if effect.sure else BLUE
        if effect.low is not None and effect.high is not None:
            axis.plot([effect.low, effect.high], [y, y], color=colour, linewidth=2.2, alpha=0.6)
            ends += [effect.low, effect.high]
        axis.plot(effect.value, y, marker="D" if effect.sure else "o", color=colour, markersize=5.5)
        ends.append(effect.value)
        axis.annotate(
            effect.label.replace("$", r"\$"),
            (1.01, y),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8.2,
            color=INK if effect.sure else GREY,
            annotation_clip=False,
        )
    reach = (max(ends) - min(ends)) or 1.0
    axis.set_xlim(min(ends) - 0.05 * reach, max(ends) + 0.05 * reach)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    if panel.percent:
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g} %"))
    axis.set_yticks(range(len(panel.points)), [short(effect.name, 34) for effect in panel.points])
    axis.set_ylim(rows - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel(panel.unit)
    if panel.name:
        axis.set_title(panel.name, loc="left", fontsize=9.5, color=SOFT, pad=6)
