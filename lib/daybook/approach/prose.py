"""What a comparison of approaches says, in words computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from daybook.reporting.tables import to_records
from daybook.reporting.text import between, code, count, listing, money, percent, seconds
from daybook.stats.power import needed

if TYPE_CHECKING:
    from daybook.approach.report import Approach

BEARABLE = 0.05
"""What a cheaper method may score below the best. That two cannot be told apart does not make them equal: with few rows
nothing can be told."""
METHODS: Mapping[str, str] = {
    "zero_shot": "the question alone",
    "few_shot": "the same examples each time",
    "retrieved": "the nearest examples each time",
    "lora": "the model with a trained adapter",
    "head": "a logistic head on embeddings",
}


def measured(found: Approach) -> str:
    rows = [row for row in to_records(found.methods) if row["quality"] is not None]
    if not rows:
        return "Nothing could be scored."
    told = [f"{code(r['method'])} {percent(r['quality'])}{between(r['low'], r['high'], percent)}" for r in rows]
    data = found.evaluation.data
    return (
        f"On {count(len(data), 'held-out row')} of {code(data.name)}, "
        f"{count(found.train_rows, 'row')} to learn from: {listing(told)}. {' '.join(found.notes)}".rstrip()
    )


def recommendation(found: Approach) -> str:
    """What to use and why, then what would change it."""
    name = found.recommended
    if name is None or found.best is None:
        return "Nothing can be recommended: nothing was scored."
    rows = {row["method"]: row for row in to_records(found.methods)}
    row = rows[name]
    if name != found.best:
        d = found.against_best[name]
        interval = between(d.low, d.high, lambda value: f"{value * 100:+.1f}")
        why = (
            f"it is cheaper than the best, {code(found.best)}, and cannot be told from it: "
            f"{(d.estimate or 0.0) * 100:+.1f} points{interval}"
        )
    elif len(found.evaluation.names) == 1:
        why = "it was tried alone"
    elif not found.untold:
        why = "it is better than every other method here"
    elif len(found.rivals) == 1:
        why = f"it scores highest, more than {BEARABLE * 100:.0f} points above every other"
    else:
        why = "it scores highest, and is the cheapest of those that cannot be told from it"
    price = "unpriced" if row["per_1000"] is None else f"{money(row['per_1000'])} per 1,000 requests"
    told = [f"Use **{code(name)}** ({METHODS.get(name, '')}): {why}. It costs {price}"]
    if row["p50"] is not None:
        told[-1] += f" and takes {seconds(row['p50'])} in the median"
    if row["training"] is not None:
        told[-1] += (
            f", after {seconds(row['training'])} of training on {count(int(row['train_rows']), 'row')} "
            f"({money(row['training_cost'])})"
        )
    if found.evaluation.least is None:
        told[0] += f". **{count(len(found.evaluation.data), 'row')} are a trial, not a ground for a decision**"
    return f"{told[0]}. {' '.join(_changes(found, name, rows))}"


def _changes(found: Approach, name: str, rows: Mapping[str, Any]) -> list[str]:
    told = ["What would change this:"]
    others = [other for other in [found.best, *found.untold] if other not in (None, name)]
    if others:
        gap = max(abs(found.against_best[n].estimate or 0.0) for n in found.untold)
        gap = min(max(gap, 0.02), 0.2)
        told.append(
            f"more rows to measure on: {len(found.evaluation.data)} cannot tell it from "
            f"{listing([code(o) for o in others])}; {needed(gap):,} would show {gap * 100:.0f} points with 80 %;"
        )
    if len(found.curve) > 1:
        most, fewer = found.curve[0], found.curve[1]
        gain = most.quality - fewer.quality
        more = "more of them would still help" if gain > 0.01 else "more of them would help little"
        told.append(
            f"other examples: from {count(fewer.rows)} to {count(most.rows, 'row')} the head went from "
            f"{percent(fewer.quality)} to {percent(most.quality)}, so {more}, and with "
            f"{count(found.curve[-1].rows)} it had {percent(found.curve[-1].quality)};"
        )
    price = rows[name]["per_1000"]
    cheaper = [n for n, r in rows.items() if price and r["per_1000"] is not None and r["per_1000"] < price]
    if cheaper:
        one = min(cheaper, key=lambda n: rows[n]["per_1000"])
        lost = (rows[name]["quality"] or 0) - (rows[one]["quality"] or 0)
        saved = money(price - rows[one]["per_1000"])
        told.append(f"price: {code(one)} saves {saved} per 1,000 and loses {lost * 100:.0f} points;")
    told.append(f"another model; {_hour_changes(found, name)}.")
    return told


def _hour_changes(found: Approach, name: str) -> str:
    """The price of an hour of this machine at which another one of the rivals is as cheap."""
    asked = {row["contestant"]: row["per_1000"] for row in to_records(found.evaluation.leaderboard)}
    ends = {}
    for rival in found.rivals:
        hours = (found.machine(name) - found.machine(rival)) / found.hour_price if found.hour_price else Decimal(0)
        if asked[rival] is not None and asked[name] is not None and asked[rival] > asked[name] and hours > 0:
            ends[rival] = (asked[rival] - asked[name]) / hours
    if not ends:
        return f"the price of this machine's hour ({money(found.hour_price)} here) does not"
    one = min(ends, key=lambda rival: ends[rival])
    return f"an hour of this machine at more than {money(ends[one])}, where {code(one)} is cheaper"
