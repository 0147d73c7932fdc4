"""How the costs are drawn."""

from __future__ import annotations

from daybook.costs.figures import CostsFigures
from daybook.costs.forecast import following
from daybook.reporting.charts import forecast, ranked, timeline
from daybook.reporting.charts.style import BLUE, GREEN, ORANGE, SKY, Chart, nothing
from daybook.reporting.tables import TableRow, model_of, to_records
from daybook.reporting.text import count, money, percent

MOST = 6
"""Models with a colour of their own; the rest is added up as `other`."""


def by_day(costs: CostsFigures) -> Chart:
    """Spend per day, stacked by model."""
    order = [row["model"] for row in to_records(costs.by_model) if row["spend"]]
    own = order if len(order) <= MOST + 1 else order[:MOST]
    layers = {name: [0.0] * costs.window.days for name in own}
    if len(own) < len(order):
        layers[f"other ({len(order) - len(own)})"] = [0.0] * costs.window.days
    at = {day: i for i, day in enumerate(costs.window.dates)}
    for row in costs.rows:
        if row["spend"]:
            name = model_of(row)
            layers[name if name in own else list(layers)[-1]][at[row["day"]]] += float(row["spend"])
    return timeline.stacked(
        "Spend per day",
        costs.window.dates,
        layers,
        unit="US dollars per day",
        subtitle=f"{costs.window}, {money(costs.spend)} in all".replace("$", r"\$"),
        money=True,
        empty=_empty(costs),
    )


def _empty(costs: CostsFigures) -> str:
    if not costs.calls:
        return f"No calls: {costs.window}."
    if costs.spend is None:
        return f"No call has a known cost: {costs.window}."
    return f"Nothing was spent: {costs.window}."


def who(costs: CostsFigures) -> Chart:
    """Spend by model, caller and project."""
    title = f"Who spent it, and on what: {costs.window}"
    if not costs.spend:
        return nothing(title, _empty(costs))
    left_out = f"; {count(costs.unpriced_calls, 'unpriced call')} left out" if costs.unpriced_calls else ""
    return ranked.ranked(
        title,
        [
            ranked.RankedPanel("by model", _bars(costs, to_records(costs.by_model), "model", BLUE)),
            ranked.RankedPanel("by caller", _bars(costs, to_records(costs.by_caller), "caller", SKY)),
            ranked.RankedPanel("by project", _bars(costs, to_records(costs.by_project), "project", GREEN)),
        ],
        unit=f"US dollars{left_out}",
        money=True,
    )


def _bars(costs: CostsFigures, rows: list[TableRow], key: str, colour: str) -> list[ranked.Bar]:
    def label(amount: float) -> str:
        part = f"  ({percent(amount / float(costs.spend))})" if costs.spend else ""
        return money(amount) + part

    known = [(row[key], float(row["spend"])) for row in rows if row["spend"] is not None]
    return ranked.top([ranked.Bar(name, spend, label(spend), colour=colour) for name, spend in known], MOST + 2, label)


def offers(costs: CostsFigures) -> Chart:
    """The same tokens on other models, beside what they really cost."""
    title = "The same tokens on other models"
    known = [(o.name, float(o.amount)) for o in costs.offers if o.amount is not None]
    if costs.compared is None or not known:
        return nothing(title, "No priced tokens in this window.")
    real = float(costs.compared)
    bars = [ranked.Bar("as it was", real, f"{money(real)}  really spent", colour=ORANGE)]
    for name, amount in known:
        times = f"  ×{amount / real:.2g}" if real else ""
        bars.append(ranked.Bar(name, amount, money(amount) + times))
    return ranked.ranked(
        title,
        [ranked.RankedPanel("", sorted(bars, key=lambda bar: bar.value))],
        unit=f"US dollars, by the prices of {costs.window.last}",
        money=True,
        subtitle=f"{count(sum(row['calls'] for row in costs.usages), 'priced call')}, {costs.window}",
    )


def expected(costs: CostsFigures) -> Chart:
    """Spend per day, and what is expected of the next 30, with its interval."""
    title = "Spend per day, and the next 30 days"
    if isinstance(costs.forecast, str):
        return nothing(title, f"Cannot be told: {costs.forecast}.")
    coming = following(costs.window.last, 30)
    each = costs.forecast.each(coming)
    whole = costs.next_30_days
    assert whole is not None
    interval = f"{money(whole.low)} to {money(whole.high)}"
    return forecast.ahead(
        title,
        list(costs.whole_days),
        list(costs.whole_days.values()),
        coming,
        [day.value for day in each],
        [day.low for day in each],
        [day.high for day in each],
        unit="US dollars per day",
        subtitle=f"30 days: {money(whole.value)} in all, 95 % interval {interval}".replace("$", r"\$"),
    )
