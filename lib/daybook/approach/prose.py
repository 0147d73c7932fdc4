"""What a comparison of approaches says, in words computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from daybook.approach.figures import BEARABLE, METHODS, ApproachFigures
from daybook.reporting.tables import to_records
from daybook.reporting.text import between, code, count, difference, listing, money, percent, seconds
from daybook.stats.power import needed


def measured(approach: ApproachFigures) -> str:
    rows = [row for row in to_records(approach.methods) if row["quality"] is not None]
    if not rows:
        return "Nothing could be scored."
    scores = [f"{code(r['method'])} {percent(r['quality'])}{between(r['low'], r['high'], percent)}" for r in rows]
    data = approach.evaluation.data
    return (
        f"On {count(len(data), 'held-out row')} of {code(data.name)}, "
        f"{count(approach.train_rows, 'row')} to learn from: {listing(scores)}. {' '.join(approach.notes)}".rstrip()
    )


def recommendation(approach: ApproachFigures) -> str:
    """What to use and why, then what would change it."""
    name = approach.recommended
    if name is None or approach.best is None:
        return "Nothing can be recommended: nothing was scored."
    rows = {row["method"]: row for row in to_records(approach.methods)}
    row = rows[name]
    if name != approach.best:
        d = approach.against_best[name]
        gain = difference(d.value, d.low, d.high, d.adjusted)
        why = f"it is cheaper than the best, {code(approach.best)}, and cannot be told from it: {gain}"
    elif len(approach.evaluation.names) == 1:
        why = "it was tried alone"
    elif not approach.untold:
        why = "it is better than every other method here"
    elif len(approach.rivals) == 1:
        why = f"it scores highest, more than {BEARABLE * 100:.0f} points above every other"
    else:
        why = "it scores highest, and is the cheapest of those that cannot be told from it"
    price = "unpriced" if row["per_1000"] is None else f"{money(row['per_1000'])} per 1,000 requests"
    sentences = [f"Use **{code(name)}** ({METHODS.get(name, '')}): {why}. It costs {price}"]
    if row["p50"] is not None:
        sentences[-1] += f" and takes {seconds(row['p50'])} in the median"
    if row["training"] is not None:
        sentences[-1] += (
            f", after {seconds(row['training'])} of training on {count(int(row['train_rows']), 'row')} "
            f"({money(row['training_cost'])})"
        )
    if approach.evaluation.least is None:
        sentences[0] += f". **{count(len(approach.evaluation.data), 'row')} are a trial, not a ground for a decision**"
    return f"{sentences[0]}. {' '.join(_changes(approach, name, rows))}"


def _changes(approach: ApproachFigures, name: str, rows: Mapping[str, Any]) -> list[str]:
    sentences = ["What would change this:"]
    others = [other for other in [approach.best, *approach.untold] if other not in (None, name)]
    if others:
        gap = max(abs(approach.against_best[n].value or 0.0) for n in approach.untold)
        gap = min(max(gap, 0.02), 0.2)
        sentences.append(
            f"more rows to measure on: {len(approach.evaluation.data)} cannot tell it from "
            f"{listing([code(o) for o in others])}; {needed(gap):,} would show {gap * 100:.0f} points with 80 %;"
        )
    if len(approach.curve) > 1:
        most, fewer = approach.curve[0], approach.curve[1]
        gain = most.quality - fewer.quality
        more = "more of them would still help" if gain > 0.01 else "more of them would help little"
        sentences.append(
            f"other examples: from {count(fewer.rows)} to {count(most.rows, 'row')} the head went from "
            f"{percent(fewer.quality)} to {percent(most.quality)}, so {more}, and with "
            f"{count(approach.curve[-1].rows)} it had {percent(approach.curve[-1].quality)};"
        )
    price = rows[name]["per_1000"]
    cheaper = [n for n, r in rows.items() if price and r["per_1000"] is not None and r["per_1000"] < price]
    if cheaper:
        cheapest = min(cheaper, key=lambda n: rows[n]["per_1000"])
        lost = (rows[name]["quality"] or 0) - (rows[cheapest]["quality"] or 0)
        saved = money(price - rows[cheapest]["per_1000"])
        sentences.append(f"price: {code(cheapest)} saves {saved} per 1,000 and loses {lost * 100:.0f} points;")
    sentences.append(f"another model; {_hour_changes(approach, name)}.")
    return sentences


def _hour_changes(approach: ApproachFigures, name: str) -> str:
    """The price of an hour of this machine at which another one of the rivals is as cheap."""
    asked = {row["contestant"]: row["per_1000"] for row in to_records(approach.evaluation.leaderboard)}
    ends = {}
    for rival in approach.rivals:
        hours = (
            (approach.machine(name) - approach.machine(rival)) / approach.hour_price
            if approach.hour_price
            else Decimal(0)
        )
        if asked[rival] is not None and asked[name] is not None and asked[rival] > asked[name] and hours > 0:
            ends[rival] = (asked[rival] - asked[name]) / hours
    if not ends:
        return f"the price of this machine's hour ({money(approach.hour_price)} here) does not"
    nearest = min(ends, key=lambda rival: ends[rival])
    return f"an hour of this machine at more than {money(ends[nearest])}, where {code(nearest)} is cheaper"
