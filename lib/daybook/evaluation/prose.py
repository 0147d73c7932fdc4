"""What an evaluation says, in words computed from it."""

from __future__ import annotations

from daybook.evaluation.figures import EvaluationFigures
from daybook.reporting.tables import to_records
from daybook.reporting.text import between, code, count, difference, listing, money, percent, seconds

SHOWN = 4


def plan(evaluation: EvaluationFigures) -> str:
    """What these rows can show at all."""
    n = len(evaluation.data)
    clusters = len(set(evaluation.data.groups)) if evaluation.data.groups else None
    shared = f" from {count(clusters, 'source')}" if clusters not in (None, n) else ""
    rows = f"{count(n, 'row')}{shared} of {code(evaluation.data.name)}, scored by {code(evaluation.scorer)}."
    rows += _unused(evaluation)
    if evaluation.least is None:
        return (
            f"{rows} Unless two contestants disagree on far more than a fifth of them, so few show no difference with "
            "80 %: read the figures as a trial."
        )
    return (
        f"{rows} Where two contestants disagree on a fifth of the rows, this many show a difference of "
        f"**{evaluation.least * 100:.1f} points** with 80 %; a smaller one may well stay unseen."
    )


def _unused(evaluation: EvaluationFigures) -> str:
    """How many rows were asked for, and which were not asked about."""
    n, wanted = len(evaluation.data), evaluation.wanted
    text = f" {count(wanted, 'row')} {'was' if wanted == 1 else 'were'} asked for." if wanted and wanted > n else ""
    if evaluation.unused:
        text += f" Not asked about: {listing([f'{n:,} {why}' for why, n in evaluation.unused.items()])}."
    return text


def quality(evaluation: EvaluationFigures) -> str:
    rows = [row for row in to_records(evaluation.leaderboard) if row["quality"] is not None]
    if not rows:
        return "Nothing could be scored."
    scores = [
        f"{code(row['contestant'])} {percent(row['quality'])}{between(row['low'], row['high'], percent)}"
        for row in rows[:SHOWN]
    ]
    more = len(rows) - SHOWN
    rest = f" {count(more, 'other')} {'follows' if more == 1 else 'follow'}." if more > 0 else ""
    tie = " It takes part alone, so there is nothing to compare it with." if len(evaluation.names) == 1 else ""
    return f"Mean score: {listing(scores)}.{rest}{tie}"


def differences(evaluation: EvaluationFigures) -> str:
    if not evaluation.compared:
        return "Only one took part: nothing is compared."
    first = code(evaluation.names[0])
    sentences = []
    for name, d in evaluation.compared.items():
        gain = difference(d.value, d.low, d.high, d.adjusted)
        if d.verdict == "cannot tell":
            sentences.append(f"Whether {code(name)} or {first} is better **cannot be told**: {gain}.")
        else:
            sentences.append(f"{code(name)} is **{d.verdict}** than {first}: {gain}.")
    tests = listing(sorted({d.test for d in evaluation.compared.values()}))
    several = ", adjusted by Holm" if len(evaluation.compared) > 1 else ""
    return f"{' '.join(sentences)} Paired on the same rows; test: {tests}{several}."


def cost(evaluation: EvaluationFigures) -> str:
    kept = sum(item.answer is not None for items in evaluation.items.values() for item in items) - evaluation.asked
    sentences = [f"This run asked {count(evaluation.asked, 'new question')} in {seconds(evaluation.seconds)}"]
    spent = "at no known price" if evaluation.spent is None else f"and spent {money(evaluation.spent)}"
    sentences.append(spent + (f"; {count(kept, 'answer')} had been kept." if kept > 0 else "."))
    if evaluation.stopped:
        sentences.append(
            f"**It was stopped by {evaluation.stopped}**: what is said here is said of the rows that were reached."
        )
    for row in to_records(evaluation.leaderboard):
        if row["p50"] is not None:
            price = "unpriced" if row["per_1000"] is None else f"{money(row['per_1000'])} per 1,000"
            sentences.append(f"{code(row['contestant'])}: {price}, median {seconds(row['p50'])}.")
    return " ".join(sentences)


def errors(evaluation: EvaluationFigures) -> str:
    rows = to_records(evaluation.errors)
    if not rows:
        return "Every question was answered, and every answer could be read."
    faults = [f"{code(row['contestant'])}: {row['kind']} {row['rows']} of {len(evaluation.data)}" for row in rows[:6]]
    silent = [
        name
        for name, items in evaluation.items.items()
        if items and all(item.answer is not None and not item.answer.text.strip() for item in items)
    ]
    loud = f" **{listing([code(name) for name in silent])} answered nothing at all.**" if silent else ""
    return f"{listing(faults)}. Empty and unreadable answers count as wrong; what never came is left out.{loud}"
