"""What the evidence says, in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from daybook.evidence.figures import STATES, EvidenceFigures, LineEvidence
from daybook.reporting.text import count

SHOWN = 12
"""Rows of a line that are printed; the others are counted."""
_LONGEST = 80


def summary(evidence: EvidenceFigures) -> str:
    """How many controls are proven, partly or not."""
    parts = ", ".join(f"{evidence.counts[state]} {state}" for state in STATES)
    return (
        f"Of {count(len(evidence.controls), 'control')}, {evidence.window}: {parts}. This is evidence from the book, "
        "by the queries below; it is no legal opinion, and a control that is not listed was not looked at."
    )


def seal(evidence: EvidenceFigures) -> str:
    """The newest seal of the window's days."""
    line = evidence.lines.get("seals")
    sealed = [row for row in line.rows if row["ok"]] if line else []
    if not sealed:
        return "**No day of the window is sealed:** `daybook audit seal`."
    last = sealed[0]
    return (
        f"**Seal of {last['day']:%Y-%m-%d}** (signer and number `{last['seal']}`): `{last['digest']}`. Whoever keeps "
        "this page has what a trail that is made up later would have to match."
    )


def limits(evidence: EvidenceFigures) -> str:
    """What no line shows, and where each control is from."""
    by_source: dict[str, list[str]] = {}
    for control in evidence.controls:
        by_source.setdefault(control.source, []).append(control.id)
    sources = "\n".join(f"- {', '.join(ids)}: <{source}>" for source, ids in by_source.items())
    return (
        "No line shows who read a published report, a copy or the database itself past Daybook, nor anything that "
        "nobody entered. The endpoint's own counts, which `daybook audit verify` compares, show calls that are "
        "missing.\n\n"
        f"Where the controls are from, to be checked by whoever relies on them:\n\n{sources}"
    )


def lines(evidence: EvidenceFigures) -> str:
    """Each line: its question, its state, its query and its rows."""
    return "\n\n".join(_line(line) for line in evidence.lines.values())


def _line(line: LineEvidence) -> str:
    more = f", of which {SHOWN} are shown" if len(line.rows) > SHOWN else ""
    head = f"#### {line.line.name}: {line.line.question}\n\n**{line.state.capitalize()}.** "
    counted = f"{count(len(line.rows), 'row')}{more}; {line.ok} as they should be."
    query = f"```sql\n{line.sql.strip()}\n```"
    return "\n\n".join([head + counted, query, *_rows(line), f"Not shown: {line.line.not_shown}"])


def _rows(line: LineEvidence) -> list[str]:
    if not line.rows:
        return []
    names = list(line.rows[0])
    table = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    table += [f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in line.rows[:SHOWN]]
    return ["\n".join(table)]


def _cell(value: Any) -> str:
    """A value that no data can turn into markup."""
    if value is None:
        return "–"
    text = f"{value:%Y-%m-%d %H:%M}".removesuffix(" 00:00") if isinstance(value, datetime) else str(value)
    text = " ".join(text.split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+!|~$&" else c for c in text)
