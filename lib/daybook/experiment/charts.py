"""How an experiment is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from daybook.experiment.figures import UNITS, ExperimentFigures, shown
from daybook.reporting.charts.forest import ForestPanel, Point, forest
from daybook.reporting.charts.style import BLUE, GREY, INK, RED, Chart, chart, nothing
from daybook.reporting.charts.timeline import day_number, time_axis
from daybook.reporting.tables import to_records
from daybook.reporting.text import count
from daybook.stats.canary import MEASURES


def measures(experiment: ExperimentFigures) -> Chart:
    """Each measure's difference with its interval, the line of no difference and, dashed, what is tolerated."""
    panels = []
    for row in to_records(experiment.measures):
        if row["low"] is None:
            continue
        name, null = row["measure"], 1.0 if row["measure"] == "latency" else 0.0
        label = f"{row['state']}, n = {row['n']:,}"
        point = Point(name, row["value"], row["low"], row["high"], label, sure=row["state"] == "worse")
        panels.append(ForestPanel("", _axis(name), [point], null=null, limit=row["tolerated"]))
    return forest(
        f"{experiment.candidate} against {experiment.base}",
        panels,
        subtitle=f"95 % together, at any time of looking; dashed: tolerated; {experiment.window}",
        empty=_nothing(experiment),
    )


def course(experiment: ExperimentFigures) -> Chart:
    """How the intervals narrowed from day to day."""
    days = experiment.window.dates
    decisions = [(day, decision) for day in days if (decision := experiment.decided(day)) is not None]
    lines = {}
    for name in MEASURES:
        known = [(day, decision.measured[name]) for day, decision in decisions]
        lines[name] = [(day, m) for day, m in known if m.low is not None and m.high is not None]
    lines = {name: line for name, line in lines.items() if line}
    title = f"How it came to be known: {experiment.candidate} against {experiment.base}"
    if not lines:
        return nothing(title, _nothing(experiment))
    figure, axes = chart(
        title, height=0.9 + 1.5 * len(lines), panels=[1.0] * len(lines), subtitle=str(experiment.window)
    )
    for axis, (name, line) in zip(axes, lines.items(), strict=True):
        x = [day_number(day) for day, _ in line]
        ends = [[shown(name, end) or 0.0 for end in (m.value, m.low, m.high)] for _, m in line]
        worse = line[-1][1].state == "worse"
        _band(axis, x, ends, RED if worse else BLUE)
        axis.axhline(1.0 if name == "latency" else 0.0, color=INK, linewidth=0.9)
        if (limit := shown(name, line[-1][1].tolerated)) is not None:
            axis.axhline(limit, color=GREY, linewidth=1.1, linestyle=(0, (4, 3)))
        time_axis(axis, [day_number(day) for day in days], days=len(days))
        axis.set_ylabel(f"{name}\n{UNITS[name]}", fontsize=8.5)
    return figure


def _band(axis: Axes, x: Sequence[float], ends: Sequence[Sequence[float]], colour: str) -> None:
    axis.plot(x, [value for value, _, _ in ends], color=colour, marker="o", markersize=4, linewidth=1.6)
    axis.vlines(x, [low for _, low, _ in ends], [high for _, _, high in ends], color=colour, linewidth=2.2, alpha=0.5)


def _axis(name: str) -> str:
    better = "right is better" if name == "score" else "left is better"
    return f"{UNITS[name]}; {better}"


def _nothing(experiment: ExperimentFigures) -> str:
    if experiment.compared is None:
        return f"No two versions of {experiment.deployment} were called: {experiment.window}."
    return f"Too few calls for any interval: {count(experiment.calls, 'call')}, {experiment.window}."
