"""What an evaluation says, in words computed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daybook.reporting.tables import to_records
from daybook.reporting.text import between, code, count, listing, money, percent, seconds

if TYPE_CHECKING:
    from daybook.evaluation.report import Evaluation

SHOWN = 4


def points(value: float | None) -> str:
    """A difference of two shares."""
    return "unknown" if value is None else f"{value * 100:+.1f} points"


def plan(found: Evaluation) -> str:
    n = len(found.data)
    clusters = len(set(found.data.groups)) if found.data.groups else None
    shared = f" from {count(clusters, 'source')}" if clusters not in (None, n) else ""
    told = f"{count(n, 'row')}{shared} of {code(found.data.name)}, scored by {code(found.scorer)}."
    if found.least is None:
        return (
            f"{told} Unless two contestants disagree on far more than a fifth of them, so few show no difference with "
            "80 %: read the figures as a trial."
        )
    return (
        f"{told} Where two contestants disagree on a fifth of the rows, this many show a difference of "
        f"**{found.least * 100:.1f} points** with 80 %; a smaller one may well stay unseen."
    )


def quality(found: Evaluation) -> str:
    rows = [row for row in to_records(found.leaderboard) if row["quality"] is not None]
    if not rows:
        return "Nothing could be scored."
    told = [
        f"{code(row['contestant'])} {percent(row['quality'])}{between(row['low'], row['high'], percent)}"
        for row in rows[:SHOWN]
    ]
    rest = f" {count(len(rows) - SHOWN, 'other')} follow." if len(rows) > SHOWN else ""
    tie = " It takes part alone, so there is nothing to compare it with." if len(found.names) == 1 else ""
    return f"Mean score: {listing(told)}.{rest}{tie}"


def differences(found: Evaluation) -> str:
    if not found.compared:
        return "Only one took part: nothing is compared."
    first = code(found.names[0])
    told = []
    for name, d in found.compared.items():
        interval = between(d.low, d.high, lambda value: f"{value * 100:+.1f}")
        p = "" if d.adjusted is None else f", p = {d.adjusted:.3g}"
        if d.verdict == "cannot tell":
            told.append(
                f"Whether {code(name)} or {first} is better **cannot be told**: {points(d.estimate)}{interval}{p}."
            )
        else:
            told.append(f"{code(name)} is **{d.verdict}** than {first}: {points(d.estimate)}{interval}{p}.")
    tests = listing(sorted({d.test for d in found.compared.values()}))
    several = ", adjusted by Holm" if len(found.compared) > 1 else ""
    return f"{' '.join(told)} Paired on the same rows; test: {tests}{several}."


def cost(found: Evaluation) -> str:
    kept = sum(item.said is not None for items in found.items.values() for item in items) - found.asked
    told = [f"This run asked {count(found.asked, 'new question')} in {seconds(found.seconds)}"]
    spent = "at no known price" if found.spent is None else f"and spent {money(found.spent)}"
    told.append(spent + (f"; {count(kept, 'answer')} had been kept." if kept > 0 else "."))
    if found.stopped:
        told.append(f"**It was stopped by {found.stopped}**: what is said here is said of the rows that were reached.")
    for row in to_records(found.leaderboard):
        if row["p50"] is not None:
            price = "unpriced" if row["per_1000"] is None else f"{money(row['per_1000'])} per 1,000"
            told.append(f"{code(row['contestant'])}: {price}, median {seconds(row['p50'])}.")
    return " ".join(told)


def errors(found: Evaluation) -> str:
    rows = to_records(found.errors)
    if not rows:
        return "Every question was answered, and every answer could be read."
    told = [f"{code(row['contestant'])}: {row['kind']} {row['rows']} of {len(found.data)}" for row in rows[:6]]
    silent = [
        name
        for name, items in found.items.items()
        if items and all(item.said is not None and not item.said.text.strip() for item in items)
    ]
    loud = f" **{listing([code(name) for name in silent])} answered nothing at all.**" if silent else ""
    return f"{listing(told)}. Empty and unreadable answers count as wrong; what never came is left out.{loud}"
