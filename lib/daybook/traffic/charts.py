"""How the traffic is drawn."""

from __future__ import annotations

from datetime import datetime, timedelta

from daybook.reporting.charts import quantiles, ranked, timeline
from daybook.reporting.charts.style import BLUE, ORANGE, RED, SKY, Chart
from daybook.reporting.tables import TableRow, to_records
from daybook.reporting.text import count, percent
from daybook.traffic.figures import TrafficFigures
from daybook.window import midnight

MOST = 8
"""Names in one chart; the rest is added up as `other`."""

_OUTCOMES: dict[str | None, tuple[str, str]] = {
    None: ("imported", SKY),
    "ok": ("answered", BLUE),
    "client_closed": ("client went away", ORANGE),
    "error": ("failed", RED),
}


def volume(traffic: TrafficFigures) -> Chart:
    """Calls per hour (up to a week) or day, by outcome."""
    hourly = traffic.window.days <= 7
    if hourly:
        start = traffic.window.start
        moments = [start + timedelta(hours=i) for i in range(24 * traffic.window.days)]
    else:
        moments = [midnight(day) for day in traffic.window.dates]
    layers = {}
    for status, (label, _) in _OUTCOMES.items():
        per: dict[datetime, float] = dict.fromkeys(moments, 0.0)
        for row in traffic.rows:
            if row["status"] == status:
                per[midnight(row["day"]) + timedelta(hours=row["hour"] if hourly else 0)] += row["calls"]
        if any(per.values()):
            layers[label] = list(per.values())
    per_what = "hour" if hourly else "day"
    return timeline.stacked(
        f"Calls per {per_what}",
        moments if hourly else traffic.window.dates,
        layers,
        unit=f"calls per {per_what}",
        subtitle=f"{traffic.window}, {count(traffic.calls, 'call')}",
        colours=dict(_OUTCOMES.values()),
        empty=f"No calls: {traffic.window}.",
    )


def callers(traffic: TrafficFigures) -> Chart:
    """Calls by caller and by model."""

    def label(calls: float) -> str:
        return f"{calls:,.0f}  ({percent(calls / traffic.calls)})"

    def bars(rows: list[TableRow], key: str, colour: str) -> list[ranked.Bar]:
        ranked_bars = [ranked.Bar(str(row[key]), row["calls"], label(row["calls"]), colour=colour) for row in rows]
        return ranked.top(ranked_bars, MOST, label)

    return ranked.ranked(
        f"Who called, and what: {traffic.window}",
        [
            ranked.RankedPanel("by caller", bars(to_records(traffic.by_caller), "caller", BLUE)),
            ranked.RankedPanel("by model asked for", bars(to_records(traffic.by_model), "model", SKY)),
        ],
        unit="calls",
        empty=f"No calls: {traffic.window}.",
    )


def errors(traffic: TrafficFigures) -> Chart:
    """Failed calls by kind, as shares with intervals."""
    rows = to_records(traffic.errors)
    bars = [
        ranked.Bar(
            row["kind"],
            row["rate"] * 100,
            f"{percent(row['rate'])}  (n = {row['calls']:,})",
            row["low"] * 100,
            row["high"] * 100,
            RED,
        )
        for row in rows
    ]
    return ranked.ranked(
        "Failed calls by kind",
        [ranked.RankedPanel("", bars)],
        unit="% of all calls, with 95 % interval",
        empty=_no_errors(traffic),
        subtitle=f"{traffic.window}, {count(traffic.calls, 'call')}, {count(traffic.failed.hits)} failed",
    )


def _no_errors(traffic: TrafficFigures) -> str:
    if not traffic.calls:
        return f"No calls: {traffic.window}."
    return f"{'No call failed' if traffic.observed else 'Whether calls failed is unknown'}: {traffic.window}."


def latency(traffic: TrafficFigures) -> Chart:
    """p50, p95 and p99 of the latency per model, with intervals."""
    return _speed(traffic, "latency")


def first_token(traffic: TrafficFigures) -> Chart:
    """p50, p95 and p99 of the time to first token per model, with intervals."""
    return _speed(traffic, "first_token")


def _speed(traffic: TrafficFigures, measure: str) -> Chart:
    title = {"latency": "Latency by model", "first_token": "Time to first token by model"}[measure]
    subtitle = {"latency": "answered calls, request to last byte", "first_token": "answered streams"}[measure]
    items = sorted((m for m in traffic.measured if m.measure == measure), key=lambda m: (m.model != "", -m.n))
    if len(items) == 2:  # one model: all of it says the same
        items = items[1:]
    rows = [quantiles.QuantileRow(m.model or "all models", m.n, list(m.quantiles.values())) for m in items[: MOST + 1]]
    return quantiles.quantiles(
        title, ("p50", "p95", "p99"), rows, unit="seconds (log scale)", subtitle=f"{subtitle}, {traffic.window}"
    )
