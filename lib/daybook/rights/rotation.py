"""Another key for a person, or for a day: what was said is sealed anew under it, and the one before is gone.

    rotate(settings, book, vault, owner, by="cli:ada", reason="a copy of the keys was lost")

Calls of the book are sealed anew, and the book is written anew without the old bytes. Entries of the trail are chained,
so that not a byte of them may change: where there are some under the key before, it is kept, sealed under the new one,
and goes with it. Backups of before are opened by the keys that were backed up with them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from daybook.audit.seals.changes import announced
from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.content import COLUMNS, PREFIX, day_of, is_day, is_sealed, seal_texts
from daybook.book.journal import files
from daybook.book.journal.journal import FOLDER as JOURNAL
from daybook.book.trail.names import reference
from daybook.errors import BadParameter, GateNotMet, KeyDestroyed
from daybook.rights.erasure.state import ErasureFiles
from daybook.rights.turns import turn
from daybook.settings import Settings
from daybook.vault import Vault

_PAGE = 2_000
"""Calls that are sealed anew in one transaction."""


@dataclass(frozen=True, slots=True)
class Rotation:
    calls: int
    """Calls that were sealed anew."""
    entries: int
    """Entries of the trail that are sealed under keys of before, which are kept for them under the new one."""


def rotate(
    settings: Settings, book: Book, vault: Vault, owner: str, *, by: str, reason: str, patience: float = 10.0
) -> Rotation:
    """Rotate the key of a person (the pseudonym) or of a day (`day:2026-03-01`). One that was cut off is given again.

    Raises BadParameter where there is no key, KeyDestroyed where it was destroyed, GateNotMet while the person is being
    erased, or where it was not its turn."""
    if not reason.strip() or len(reason) > 1_000:
        raise BadParameter(f"The reason has {len(reason):,} characters.", remedy="Say it in 1 to 1,000.")
    trail = Trail(book.journal, settings.home, clock=book.clock)
    about: dict[str, Any] = {"object": owner} if is_day(owner) else {"subject": owner}
    with turn(settings.home, book.store, "The rotation", patience=patience):
        state = vault.state(owner)
        if state.state == "none":
            raise BadParameter("There is no key of theirs.", remedy="Nothing that they said is kept in this home.")
        if state.state == "destroyed":
            raise KeyDestroyed("The key was destroyed.", remedy="What was sealed under it is erased for good.")
        if not is_day(owner) and ErasureFiles(settings.home).unfinished(reference(settings.home, owner)):
            raise GateNotMet("The person is being erased.", remedy="Go on with that: daybook subject erase.")
        trail.record("content_key.rotating", actor=by, reason=reason, **about)
        book.drain()
        with files.one_drain(settings.home / JOURNAL, patience=book.patience):  # none holds the key of before
            vault.rotate(owner)
        calls = _seal_anew(book, vault, owner, trail, {"actor": by, "reason": reason, **about})
        if calls:
            book.store.rewrite()
        entries = _entries(book, vault, owner)
        if not entries:
            vault.forget_rotated(owner)
        trail.record(
            "content_key.rotated", actor=by, reason=reason, details={"calls": calls, "entries": entries}, **about
        )
    return Rotation(calls, entries)


def _seal_anew(book: Book, vault: Vault, owner: str, trail: Trail, entry: Mapping[str, Any]) -> int:
    """Seal every call of theirs under the key of now; how many there were."""
    *_, head = vault.heads(owner).values()
    params = {"head": base64.b64encode(head).decode(), "prefix": f"{PREFIX}{day_of(owner)}:"}
    older = " or ".join(
        f"(strpos({c}, :prefix) = 1 and substr({c}, length(:prefix) + 1, 12) <> :head)" for c in COLUMNS
    )
    whose = "subject is null" if is_day(owner) else "subject = :owner"
    query = f"select id, subject, time, prompt, answer from calls where id > :after and {whose} and ({older})"  # noqa: S608 - our own columns
    count, after = 0, ""
    while True:
        asked = params | {"after": after} | ({} if is_day(owner) else {"owner": owner})
        rows = book.rows(f"{query} order by id limit {_PAGE}", asked)
        if not rows:
            return count
        after = rows[-1]["id"]
        opened = book.content(rows).rows
        said = [
            (row, column, str(row[column]))
            for row, before in zip(opened, rows, strict=True)
            for column in COLUMNS
            if is_sealed(before[column]) and row[column] is not None
        ]
        sealed: dict[str, dict[str, str | None]] = {}
        for (row, column, _), text in zip(said, seal_texts(vault, said), strict=True):
            sealed.setdefault(row["id"], {})[column] = text
        if sealed:
            _write(book, sealed, trail, entry)
        count += len(sealed)


def _write(book: Book, sealed: Mapping[str, Mapping[str, str | None]], trail: Trail, entry: Mapping[str, Any]) -> None:
    values = ", ".join(
        "(" + ", ".join(map(_literal, (id_, *(columns.get(c) for c in COLUMNS)))) + ")"
        for id_, columns in sealed.items()
    )
    assigned = ", ".join(f"{c} = coalesce(v.{c}, calls.{c})" for c in COLUMNS)
    with (
        announced(book, {"calls": {"personal": list(sealed)}}) as announcement,
        book.store.writing() as writer,
        writer.transaction(),
    ):
        writer.execute(
            f"update calls set {assigned} from (values {values}) as v(id, {', '.join(COLUMNS)}) where calls.id = v.id"  # noqa: S608 - quoted
        )
        trail.record("content_key.rotating", details=announcement.details(writer), **entry)


def _entries(book: Book, vault: Vault, owner: str) -> int:
    """Entries of the trail that are sealed under keys of theirs of before."""
    *before, _ = vault.heads(owner).values()
    if not before:
        return 0
    book.drain()
    heads = ", ".join(_literal(base64.b64encode(head).decode()) for head in before)
    query = f"select count(*) as n from events where sealed is not null and substr(sealed, 1, 12) in ({heads})"  # noqa: S608 - base64
    return int(book.rows(query)[0]["n"])


def _literal(text: str | None) -> str:
    return "cast(null as text)" if text is None else "'" + text.replace("'", "''") + "'"
