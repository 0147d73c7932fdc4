"""How an evaluation is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from daybook.evaluation.figures import EvaluationFigures
from daybook.reporting.charts.style import BLUE, GREY, INK, ORANGE, Chart, chart, nothing, short
from daybook.reporting.tables import to_records
from daybook.reporting.text import percent


def quality(evaluation: EvaluationFigures) -> Chart:
    """Quality with its interval."""
    rows = [row for row in to_records(evaluation.leaderboard) if row["quality"] is not None]
    title = "Quality, with its 95 % interval"
    if not rows:
        return nothing(title, "Nothing could be scored.")
    figure, (axis,) = chart(
        title,
        height=1.3 + 0.34 * len(rows),
        subtitle=f"{len(evaluation.data):,} rows of {evaluation.data.name}, scored by {evaluation.scorer}",
    )
    for y, row in enumerate(rows):
        _interval(axis, y, row["quality"], row["low"], row["high"], BLUE, percent(row["quality"]))
    axis.set_xlim(0, 1.12)
    axis.set_xticks([0, 0.25, 0.5, 0.75, 1])
    _finish(axis, [row["contestant"] for row in rows], "mean score", lambda value: f"{value:.0%}")
    return figure


def differences(evaluation: EvaluationFigures) -> Chart:
    """Each against the first, with its interval and the line of no difference."""
    rows = [row for row in to_records(evaluation.differences) if row["difference"] is not None]
    title = "Difference on the same rows, with its 95 % interval"
    if not rows:
        return nothing(title, "Only one took part: nothing is compared.")
    figure, (axis,) = chart(
        title, height=1.4 + 0.36 * len(rows), subtitle=f"against {evaluation.names[0]}; right of the line is better"
    )
    axis.axvline(0, color=INK, linewidth=1)
    for y, row in enumerate(rows):
        colour = GREY if row["verdict"] == "cannot tell" else BLUE if row["verdict"] == "better" else ORANGE
        _interval(axis, y, row["difference"], row["low"], row["high"], colour, row["verdict"])
    ends = [abs(row[end]) for row in rows for end in ("difference", "low", "high") if row[end] is not None]
    reach = max(*ends, 0.02) * 1.5
    axis.set_xlim(-reach, reach)
    _finish(axis, [row["contestant"] for row in rows], "difference in mean score", lambda value: f"{value * 100:+.0f}")
    axis.set_xlabel("difference in mean score, points")
    return figure


def _interval(axis: Axes, y: int, value: float, low: float | None, high: float | None, colour: str, label: str) -> None:
    end = value
    if low is not None and high is not None:
        axis.plot([low, high], [y, y], color=colour, linewidth=2.4, solid_capstyle="butt")
        end = high
    axis.plot([value], [y], "o", color=colour, markersize=7)
    axis.annotate(label, (end, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8.5, color=INK)


def _finish(axis: Axes, names: Sequence[str], label: str, shown: Callable[[float], str]) -> None:
    axis.set_yticks(range(len(names)), [short(name, 40) for name in names])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel(label)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
