"""What the costs say, in Markdown, from the figures of one reading."""

from __future__ import annotations

from datetime import timedelta

from daybook.costs.figures import CostsFigures
from daybook.costs.forecast import FEWEST
from daybook.reporting.tables import to_records
from daybook.reporting.text import as_of, between, code, count, listing, money, percent, seconds


def spend(costs: CostsFigures) -> str:
    return as_of(costs.as_of) + _spend(costs)


def _spend(costs: CostsFigures) -> str:
    if not costs.calls:
        return f"**No calls** from {costs.window}, so nothing was spent and nothing can be said about costs."
    priced = costs.calls - costs.unpriced_calls
    if costs.spend is None:
        return f"**Spend is unknown**: none of the {count(costs.calls, 'call')} from {costs.window} has a cost."
    text = f"**{money(costs.spend)}** for {count(priced, 'priced call')} from {costs.window}"
    text += f", {money(costs.spend / priced)} a call."
    if not costs.spend:
        return text + " Every priced call ran on a model whose rate is zero." + _worth(costs)
    model, caller = to_records(costs.by_model)[0], to_records(costs.by_caller)[0]
    text += f" {_whole(model['share'])} of it went to {code(model['model'])}; {code(caller['caller'])} spent"
    text += f" {_whole(caller['share']).lower()} of it."
    days = [row for row in to_records(costs.by_day) if row["spend"] is not None]
    if len(days) > 1:
        dearest = max(days, key=lambda row: row["spend"])
        text += f" The dearest day was {dearest['day']} with {money(dearest['spend'])}."
    return text


def _worth(costs: CostsFigures) -> str:
    """What calls that cost nothing would cost elsewhere, and what the machine that answered them may cost."""
    text = ""
    if costs.cheapest_and_dearest:
        cheap, dear = costs.cheapest_and_dearest
        text += f" **The same tokens would have cost from {money(cheap.amount)}** on {code(cheap.name)}"
        text += f" **to {money(dear.amount)}** on {code(dear.name)}."
    if costs.machine_cost is not None and costs.machine_seconds is not None:
        text += f" The machine is not free: answering took {seconds(costs.machine_seconds)} of it at most,"
        text += f" {money(costs.machine_cost)} at {money(costs.hour_price)} an hour: say yours as {code('hour_price')}."
    return text


def unpriced(costs: CostsFigures) -> str:
    if not costs.calls:
        return "No calls, so none without a price."
    if not costs.unpriced_calls:
        return "Every call has a known cost."
    rows = to_records(costs.unpriced)
    reasons: dict[str, int] = {}
    for row in rows:
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["calls"]
    parts = [f"{count(n)} ({reason})" for reason, n in sorted(reasons.items(), key=lambda item: -item[1])]
    share = percent(costs.unpriced_calls / costs.calls)
    text = f"**{count(costs.unpriced_calls, 'call')} of {count(costs.calls)} ({share})"
    text += f" have no known cost**: {listing(parts)}. They are not in any sum."
    unknown = sorted({row["model"] for row in rows if row["reason"] == "no rate known"})
    if unknown:
        text += f" A rate for {listing([code(name) for name in unknown[:5]])} would price the next ones."
    return text


def offers(costs: CostsFigures) -> str:
    if costs.compared is None or not costs.cheapest_and_dearest:
        return "There are no priced tokens in this window to compare with other models."
    n = sum(row["calls"] for row in costs.usages)
    cheap, dear = costs.cheapest_and_dearest
    text = f"The {count(n, 'priced call')} cost {money(costs.compared)}. By the prices of {costs.window.last} the"
    text += f" same tokens would have cost from {money(cheap.amount)} on {code(cheap.name)} to"
    text += f" {money(dear.amount)} on {code(dear.name)}."
    known = [offer for offer in costs.offers if offer.amount is not None]
    if missing := len(costs.offers) - len(known):
        text += f" For {count(missing, 'model')} no price of that day is known."
    if undated := sum(not offer.dated for offer in known):
        text += f" For {undated} of these {len(known)} the price book does not say since when the price holds."
    return text + " This compares prices, not answers: other models count and answer in other tokens."


def expected(costs: CostsFigures) -> str:
    if isinstance(costs.forecast, str):
        return f"**What is to come cannot be told**: {costs.forecast}.{_enough(costs)}"
    days, month = costs.next_30_days, costs.month
    assert days is not None
    assert month is not None
    text = f"If the coming days are like the last {costs.forecast.n}, the 30 days after {costs.window.last} will cost"
    text += f" **{money(days.value)}**{between(days.low, days.high, money)}"
    text += f", and {costs.window.last:%B %Y} as a whole **{money(month.value)}**"
    text += f"{between(month.low, month.high, money) if month.high > month.low else ''}."
    text += " That knows weekdays, but no growth and no plans."
    if costs.forecast.trend is not None:
        way, what = ("rose", "more") if costs.forecast.trend > 0 else ("fell", "less")
        pace = money(abs(costs.forecast.trend))
        text += f" But spend **{way}** by about {pace} from day to day, which is not carried on: expect {what}."
    if costs.unpriced_calls:
        text += f" The {count(costs.unpriced_calls, 'unpriced call')} are not part of it."
    return text


def _enough(costs: CostsFigures) -> str:
    """What would make a forecast possible, where days are what is missing."""
    if costs.first_call is None or len(costs.whole_days) >= FEWEST:
        return ""
    begun = costs.first_call.date() + timedelta(days=1)
    if costs.window.first > begun:
        return f" The book goes back to {costs.first_call.date()}: a window of more days has more of them."
    return (
        f" The book begins on {costs.first_call.date()}: enough of them are over after {begun + timedelta(FEWEST - 1)}."
    )


def dearest(costs: CostsFigures) -> str:
    rows = costs.dearest_rows
    if not rows:
        return "No call of this window cost anything."
    if not costs.spend:
        return ""
    part = sum(row["cost"] for row in rows) / costs.spend
    first = rows[0]
    text = f"The dearest call cost {money(first['cost'])}: {count(first['input_tokens'])} tokens in and"
    text += f" {count(first['output_tokens'])} out, by {code(first['caller'] or '(no caller)')}."
    if len(rows) > 1:
        text += f" The {len(rows)} dearest together are {percent(float(part))} of the spend."
    return text


def _whole(share: float | None) -> str:
    return "All" if share == 1 else percent(share)
