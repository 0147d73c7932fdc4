"""How each gate looks at training data: what it finds, told with numbers and the rows' own numbers."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daybook.datasets import DataSet, Row
from daybook.datasets.rows import to_bytes
from daybook.pii import IDENTIFYING, detect, excerpt
from daybook.training.data.examples import Material
from daybook.training.data.near_duplicates import THRESHOLD, near_duplicates, normal

FREE = frozenset(
    (
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "odc-by",
        "own",
        "consent",
    )
)
"""Licences that allow training without more; `own`: you hold the rights; `consent`: each person agreed."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Found:
    found: int
    of: int
    message: str
    examples: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    met: bool | None = None
    """Where it does not follow from the count."""
    warn: bool = False
    """Only warn, whatever the policy: nothing is known that speaks against it."""
    block: bool = False
    """Block, whatever the policy: what was asked for cannot be trained on it."""
    checked: bool = True
    """Whether it could be looked at: without evaluation rows nothing is known of leakage."""


def _at(row: Row, number: int) -> str:
    return f"row {row.extra.get('line', number + 1)}"


def format(material: Material) -> Found:
    kinds = Counter(fault.error for fault in material.faults)
    rows = {fault.row for fault in material.faults}
    message = ", ".join(f"{error} {n}" for error, n in kinds.most_common()) or "every line is an example"
    shown = tuple(f"row {f.row}: {f.error}{f' ({f.message})' if f.message else ''}" for f in material.faults[:_SHOWN])
    if rows:
        message = f"{len(rows)} of {material.lines} lines are no example ({message}), the first is row {min(rows)}"
    return Found(len(rows), material.lines, message, shown, dict(kinds))


def roles(rows: Sequence[Row], chats: Sequence[Sequence[Mapping[str, Any]]]) -> Found:
    wrong = [(n, why) for n, chat in enumerate(chats) if (why := _order([str(m.get("role")) for m in chat]))]
    message = f"{len(wrong)} of {len(rows)} chats are out of order" if wrong else "all chats are in order"
    return Found(len(wrong), len(rows), message, tuple(f"{_at(rows[n], n)}: {why}" for n, why in wrong[:_SHOWN]))


def _order(roles: Sequence[str]) -> str:
    talk = [role for role in roles if role not in ("system", "developer", "tool", "function")]
    if any(role in ("system", "developer") for role in roles[1:]):
        return "system after the beginning"
    if talk[:1] != ["user"]:
        return "no user before the assistant"
    if roles[-1] != "assistant":
        return f"ends with {roles[-1]}"
    called = "tool" in roles or "function" in roles
    if not called and any(a == b for a, b in itertools.pairwise(talk)):
        return "the same role twice in a row"
    return ""


def enough(rows: Sequence[Row], least: float) -> Found:
    met = len(rows) >= least
    message = f"{len(rows)} examples" + ("" if met else f"; at least {least:g} are needed")
    return Found(len(rows), len(rows), message, met=met)


def length(rows: Sequence[Row], lengths: Sequence[int], context: int) -> Found:
    long = sorted((n for n, length in enumerate(lengths) if length > context), key=lambda n: -lengths[n])
    message = f"the longest has {max(lengths, default=0):,} tokens of {context:,}"
    if long:
        message = f"{len(long)} of {len(rows)} examples have more than {context:,} tokens; {message}"
    return Found(
        len(long), len(rows), message, tuple(f"{_at(rows[n], n)}: {lengths[n]:,} tokens" for n in long[:_SHOWN])
    )


def duplicates(rows: Sequence[Row], chats: Sequence[Sequence[Mapping[str, Any]]]) -> Found:
    first: dict[bytes, int] = {}
    again: list[str] = []
    for n, chat in enumerate(chats):
        key = hashlib.sha256(
            to_bytes([[m.get("role"), normal(str(m.get("content"))), m.get("tool_calls")] for m in chat])
        ).digest()
        if (there := first.setdefault(key, n)) != n:
            again.append(f"{_at(rows[n], n)} is {_at(rows[there], there)} again")
    message = f"{len(again)} of {len(rows)} examples are there before" if again else "none twice"
    return Found(len(again), len(rows), message, tuple(again[:_SHOWN]))


def near_duplicate_rows(rows: Sequence[Row]) -> Found:
    pairs = [pair for pair in near_duplicates([row.input for row in rows]) if pair.similarity < 1]
    repeated = {pair.second for pair in pairs}
    shown = tuple(
        f"{_at(rows[p.second], p.second)} is {p.similarity:.0%} like {_at(rows[p.first], p.first)}"
        for p in pairs[:_SHOWN]
    )
    message = f"{len(repeated)} of {len(rows)} questions are at least {THRESHOLD:.0%} like an earlier one"
    return Found(len(repeated), len(rows), message, shown)


def _answer(row: Row) -> str:
    """What is learnt of a row, as one text; of a tool call, the call."""
    if row.reference is not None:
        return row.reference
    chat = row.extra.get("messages") or [{}]
    return to_bytes([chat[-1].get("tool_calls"), chat[-1].get("function_call")]).decode()


def contradictions(rows: Sequence[Row]) -> Found:
    payload: dict[str, dict[str, int]] = {}
    for n, row in enumerate(rows):
        if "messages" not in row.extra or len(row.extra["messages"]) <= 3:
            payload.setdefault(normal(row.input), {}).setdefault(_answer(row), n)
    split = [answers for answers in payload.values() if len(answers) > 1]
    shown = tuple(" and ".join(_at(rows[n], n) for n in list(a.values())[:3]) + " disagree" for a in split[:_SHOWN])
    message = f"{len(split)} questions have more than one answer" if split else "no question has two answers"
    return Found(len(split), len(rows), message, shown)


def leakage(rows: Sequence[Row], against: Sequence[DataSet]) -> Found:
    if not against:
        return Found(0, 0, "no evaluation set was given, so none was looked for", checked=False)
    here: dict[str, int] = {}
    for n, row in enumerate(rows):
        here.setdefault(normal(row.input), n)
    shown: list[str] = []
    of = sum(len(data) for data in against)
    for data in against:
        for m, row in enumerate(data.rows):
            there = here.get(normal(row.input))
            if there is not None:
                shown.append(f"{_at(rows[there], there)} is row {m + 1} of {data.name}")
    message = (
        f"{len(shown)} of {of} evaluation rows are in the training data" if shown else f"none of {of} evaluation rows"
    )
    return Found(len(shown), of, message, tuple(shown[:_SHOWN]))


def near_leakage(rows: Sequence[Row], against: Sequence[DataSet]) -> Found:
    if not against:
        return Found(0, 0, "no evaluation set was given, so none was looked for", checked=False)
    evaluated = [(data.name, m + 1, row.input) for data in against for m, row in enumerate(data.rows)]
    pairs = near_duplicates([row.input for row in rows], [text for _, _, text in evaluated])
    pairs = [pair for pair in pairs if pair.similarity < 1]
    leaked = {pair.second for pair in pairs}
    shown = tuple(
        f"{_at(rows[a], a)} is {similarity:.0%} like row {evaluated[b][1]} of {evaluated[b][0]}"
        for a, b, similarity in pairs[:_SHOWN]
    )
    message = f"{len(leaked)} of {len(evaluated)} evaluation rows are at least {THRESHOLD:.0%} like a training row"
    return Found(len(leaked), len(evaluated), message, shown)


def personal_data(rows: Sequence[Row], chats: Sequence[Sequence[Mapping[str, Any]]]) -> Found:
    kinds: Counter[str] = Counter()
    shown: list[str] = []
    touched = 0
    for n, chat in enumerate(chats):
        found = [span.kind for message in chat for span in detect(str(message.get("content") or ""), IDENTIFYING)]
        kinds.update(found)
        touched += bool(found)
        if found and len(shown) < _SHOWN:
            shown.append(f"{_at(rows[n], n)}: {', '.join(sorted(set(found)))}")
    text = "none was found by its shape; names are not looked for"
    if touched:
        listed = ", ".join(f"{kind} {n}" for kind, n in kinds.most_common())
        text = f"{touched} of {len(rows)} examples hold personal data or secrets ({listed})"
    return Found(touched, len(rows), text, tuple(shown), dict(kinds))


def licence(data: DataSet, licence: str | None) -> Found:
    refused = [n for n, row in enumerate(data.rows) if row.extra.get("consent") in (False, 0, "no", "false", "False")]
    shown = tuple(f"{_at(data.rows[n], n)}: consent refused" for n in refused[:_SHOWN])
    if refused:
        return Found(len(refused), len(data), f"{len(refused)} of {len(data)} rows have no consent", shown)
    if data.source.startswith("book:"):
        agreed = [row for row in data.rows if row.extra.get("consent") in (True, 1, "yes", "true", "True")]
        if len(agreed) < len(data):
            missing = len(data) - len(agreed)
            return Found(missing, len(data), f"{missing} of {len(data)} logged calls have no consent to train on them")
        return Found(0, len(data), "everybody whose calls these are agreed")
    stated = licence or ("apache-2.0" if data.source.startswith("builtin:") else None)
    if stated is None:
        message = "the source's licence was not stated: say it with --licence"
        return Found(len(data), len(data), message, met=False, warn=True)
    if stated.casefold() not in FREE:
        message = f"the licence {stated[:40]!r} is not among those known to allow training ({', '.join(sorted(FREE))})"
        return Found(len(data), len(data), message)
    return Found(0, len(data), f"the source is {stated}")


def balance(rows: Sequence[Row], *, classifier: bool) -> Found:
    """`classifier`: what is trained answers with one of the classes, so that there have to be at least two of them."""
    silent = [n for n, row in enumerate(rows) if row.reference is None]
    if classifier and silent:
        message = f"{len(silent)} of {len(rows)} examples end with a tool call, which is no class"
        shown = tuple(_at(rows[n], n) for n in silent[:_SHOWN])
        return Found(len(silent), len(rows), message, shown, {"classes": None}, met=False, block=True)
    counts = Counter(_answer(row) for row in rows)
    if classifier and len(counts) > len(rows) / 2:
        message = (
            f"{len(rows)} examples have {len(counts)} different answers: that is free text, and a head needs classes"
        )
        return Found(len(rows), len(rows), message, details={"classes": None}, met=False, block=True)
    if not rows or (not classifier and len(counts) > max(2, len(rows) // 3)):
        return Found(0, len(rows), "the answers are free text, not classes", details={"classes": None}, checked=False)
    common, least = counts.most_common()[0], counts.most_common()[-1]
    details = {"classes": len(counts), "ratio": common[1] / least[1], "largest": common[1], "smallest": least[1]}
    if len(counts) == 1:
        message = f"all {len(rows)} examples have one answer, {excerpt(common[0], 40)!r}: there is nothing to learn"
        return Found(len(rows), len(rows), message, details=details, met=False, block=classifier)
    rare, frequent = (f"{n} ({excerpt(answer, 30)})" for answer, n in (least, common))
    message = f"{len(counts)} classes, from {rare} to {frequent} examples"
    return Found(0, len(rows), message, details=details)
