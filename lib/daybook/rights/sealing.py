"""What stands in the book under keys that were rotated, sealed anew under those of now.

seal_anew(book, vault, owner, trail, entry)     of one person or day
seal_again(book, vault, trail, by=…, reason=…)  of everybody, after a backup of before was restored
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from daybook.audit.seals.changes import announced
from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.content import COLUMNS, PREFIX, day_of, is_day, is_sealed, seal_texts
from daybook.vault import Vault

_PAGE = 2_000
"""Calls that are sealed anew in one transaction."""


def seal_again(book: Book, vault: Vault, trail: Trail, *, by: str, reason: str) -> int:
    """Seal what stands in the book under keys of before, as a backup brings it, under those of now, of everybody and
    every day whose key was rotated; how many calls."""
    owners = [owner for owner, state in vault.states().items() if state.rotations and len(vault.heads(owner)) > 1]
    count = 0
    for owner in owners:
        about = {"object": owner} if is_day(owner) else {"subject": owner}
        count += seal_anew(book, vault, owner, trail, {"actor": by, "reason": reason, **about})[0]
    if count:
        book.store.rewrite()
    for owner in owners:
        if not entries_before(book, vault, owner):
            vault.forget_rotated(owner)
    return count


def seal_anew(book: Book, vault: Vault, owner: str, trail: Trail, entry: Mapping[str, Any]) -> tuple[int, int]:
    """Seal every call of theirs under the key of now; how many there were, and how many cannot be opened."""
    *_, head = vault.heads(owner).values()
    params = {"head": base64.b64encode(head).decode(), "prefix": f"{PREFIX}{day_of(owner)}:"}
    older = " or ".join(
        f"(strpos({c}, :prefix) = 1 and substr({c}, length(:prefix) + 1, 12) <> :head)" for c in COLUMNS
    )
    whose = "subject is null" if is_day(owner) else "subject = :owner"
    query = f"select id, subject, time, prompt, answer from calls where id > :after and {whose} and ({older})"  # noqa: S608 - our own columns
    count, unopened, after = 0, 0, ""
    while True:
        asked = params | {"after": after} | ({} if is_day(owner) else {"owner": owner})
        rows = book.rows(f"{query} order by id limit {_PAGE}", asked)
        if not rows:
            return count, unopened
        after = rows[-1]["id"]
        opened = book.content(rows)
        unopened += len(opened.missing | opened.broken)
        said = [
            (row, column, str(row[column]))
            for row, before in zip(opened.rows, rows, strict=True)
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


def entries_before(book: Book, vault: Vault, owner: str) -> int:
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
