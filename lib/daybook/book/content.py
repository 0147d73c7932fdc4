"""What was said in a call, as it stands in the book: sealed, so that destroying a key erases it wherever it was copied.

    daybook-sealed:1:<day>:<base64>

Prompt and answer are sealed as the journal is drained, each bound to its call and column: under the key of the person
whom the call is about, or, where it is about nobody, under a key of the call's UTC day, which stands in the text then.
The keys are in the home's vault and never in the book, so that neither its files nor its backups can be read without
it. What stands there in plain text was entered before that, and is read as it is.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from daybook.book.entry import Entry
from daybook.errors import KeyDestroyed, KeyMissing, SealBroken, VaultError
from daybook.ports import OpenedContent
from daybook.vault import LONGEST_SUBJECT, Vault

PREFIX = "daybook-sealed:1:"
COLUMNS = ("prompt", "answer")
_DAY = "day:"
_HINT = re.compile(rf'"(?:{"|".join(COLUMNS)})"\s*:(?!null)'.encode())


def owner_of(subject: str | None, day: str) -> str:
    """Whose key in the vault seals what was said in a call: the subject's, or its day's (`2026-03-01`)."""
    if subject is None:
        return f"{_DAY}{day}"
    if subject and subject.isprintable() and len(subject) <= LONGEST_SUBJECT:
        return subject
    return "name:" + hashlib.sha256(subject.encode(errors="replace")).hexdigest()


def is_day(owner: str) -> bool:
    """Whether it is a day whose key this is, and no person."""
    return owner.startswith(_DAY)


def day_of(owner: str) -> str:
    """The day whose key this is; empty for a person's."""
    return owner.removeprefix(_DAY) if is_day(owner) else ""


def utc_day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def has_said(entries: Sequence[Entry]) -> bool:
    """Whether something was said in one of the calls, so that it is to be sealed."""
    return any(_HINT.search(entry.body) for entry in entries)


def seal_calls(vault: Vault, entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    """Calls as they are to be written: with what was said sealed; and in how many there is nothing left of it, because
    the person's key was destroyed. Raises VaultUnusable."""
    bodies = {i: orjson.loads(entry.body) for i, entry in enumerate(entries) if _HINT.search(entry.body)}
    places = [(i, column) for i, body in bodies.items() for column in COLUMNS if body.get(column) is not None]
    if not places:
        return list(entries), 0
    sealed = seal_texts(vault, [(bodies[i], column, _text(bodies[i][column])) for i, column in places])
    changed, lost = list(entries), set()
    for (i, column), text in zip(places, sealed, strict=True):
        bodies[i][column] = text
        if text is None:
            lost.add(i)
    for i in {i for i, _ in places}:
        changed[i] = entries[i]._replace(body=orjson.dumps(bodies[i]))
    return changed, len(lost)


def seal_texts(vault: Vault, texts: Sequence[tuple[Mapping[str, Any], str, str]]) -> list[str | None]:
    """Texts as they stand in the book. Each is given with its call (`id`, `subject`, and `at` or `time`) and column;
    None for one of a person whose key was destroyed."""
    heads = ["" if isinstance(call.get("subject"), str) else _day(call) for call, _, _ in texts]
    sealed = vault.seal_all(
        [(owner_of(None if day else call["subject"], day), text.encode(errors="replace"), _context(call, column))
         for day, (call, column, text) in zip(heads, texts, strict=True)]
    )  # fmt: skip
    return [None if data is None else f"{PREFIX}{day}:{base64.b64encode(data).decode()}"
            for day, data in zip(heads, sealed, strict=True)]  # fmt: skip


def open_rows(vault: Vault, rows: Sequence[Mapping[str, Any]]) -> OpenedContent:
    """The rows of calls (`id`, `subject`, and whichever of the columns they have) with what was said in plain text, and
    None in the place of what cannot be read. Raises VaultUnusable."""
    opened = [dict(row) for row in rows]
    places = [(row, column) for row in opened for column in COLUMNS if is_sealed(row.get(column))]
    items = []
    for row, column in places:
        day, _, data = row[column].removeprefix(PREFIX).partition(":")
        items.append((owner_of(None if day else row["subject"] or "", day), _bytes(data), _context(row, column)))
    unread: dict[type[VaultError], set[str]] = {KeyDestroyed: set(), KeyMissing: set(), SealBroken: set()}
    for (row, column), data in zip(places, vault.open_all(items), strict=True):
        row[column] = data.decode() if isinstance(data, bytes) else None
        if isinstance(data, VaultError):
            unread[type(data)].add(row["id"])
    return OpenedContent(opened, *map(frozenset, unread.values()))


_SEALED = " ".join(f"when {column} like '{PREFIX}%' then {column}" for column in COLUMNS)
HEADS = f"""
select subject, split_part(sealed, ':', 3) as day, substr(split_part(sealed, ':', 4), 1, 12) as head, count(*) as n
from (select subject, case {_SEALED} end as sealed from calls) as c where sealed is not null group by 1, 2, 3
"""  # noqa: S608 - our own columns
"""The keys under which what was said in calls is sealed, each with how many calls."""


def without_key(vault: Vault, heads: Sequence[Mapping[str, Any]]) -> int:
    """Of the calls that `HEADS` counts, how many are sealed under a key that the vault never had. One that was
    destroyed is none of them."""
    items = [(owner_of(None if row["day"] else row["subject"] or "", row["day"]), _bytes(row["head"])) for row in heads]
    return sum(row["n"] for row, lacks in zip(heads, vault.lacks(items), strict=True) if lacks)


def is_sealed(text: object) -> bool:
    return isinstance(text, str) and text.startswith(PREFIX)


def _text(value: object) -> str:
    """What was said as text: whatever is no text by its JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""  # which no key opens


def _context(call: Mapping[str, Any], column: str) -> bytes:
    return f"call:{call['id']}:{column}".encode()


def _day(call: Mapping[str, Any]) -> str:
    """The UTC day of a call; whatever a line of the journal says, nothing of it is to stop a drain."""
    at = call.get("at", call.get("time"))
    try:
        return utc_day(at if isinstance(at, datetime) else datetime.fromisoformat(at))
    except (TypeError, ValueError, OverflowError):
        return "unknown"
