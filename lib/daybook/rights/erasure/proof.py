"""The proof of an erasure: everything is searched again, for pseudonym, name and every piece of what was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from daybook.book.content import COLUMNS
from daybook.book.trail.names import LEAST_NAME
from daybook.digest import digest_bytes
from daybook.errors import DaybookError
from daybook.reporting.text import count
from daybook.rights.erasure.scope import ErasureScope
from daybook.rights.places import backup_tables
from daybook.rights.places.book_rows import SEALED_ELSEWHERE
from daybook.rights.places.copies import ExportedCopy
from daybook.rights.places.formats import MARK, blanked
from daybook.rights.places.port import Person
from daybook.rights.traces import MOST_TEXTS
from daybook.vault import Vault

_SEALED_COLUMNS = {f"calls.{column}" for column in COLUMNS}


class ErasureIncomplete(DaybookError):
    """Something of the person is still there."""

    http_status = 409


def prove(scope: ErasureScope, person: Person) -> dict[str, Any]:
    """Search everything again. Raises ErasureIncomplete, with where, where the person is found."""
    scope.book.drain()
    words = [person.subject, *([str(person.traces.name)] if person.traces.searches_name else [])]
    named, *rest = scope.rows.left(*words)
    mentions = rest[0] if rest else {}
    kinds = scope.rows.content(person)
    said = {column: n["content"] for column, n in kinds.items() if n["content"]}
    for column, n in kinds.items():
        if column in _SEALED_COLUMNS:  # a query cannot look into them
            named |= {column: n["pseudonym"]} if n["pseudonym"] else {}
            mentions |= {column: n["name"]} if n["name"] else {}
    # Entries of the trail are evidence and cannot be changed: what stands there in plain words is counted.
    columns = {*named, *said, *mentions}
    trail = {c: max(of.get(c, 0) for of in (named, said, mentions)) for c in columns if c.startswith("events.")}
    mentions = {column: n for column, n in mentions.items() if column not in trail}
    others = {column: n for column, n in said.items() if column.startswith("calls.")}
    left = {**{c: n for c, n in said.items() if c not in others}, **named}
    left = {column: n for column, n in left.items() if column not in trail}
    remains = [f"{column} of the book, {n} rows" for column, n in left.items()]
    searched: list[dict[str, Any]] = []
    chained: list[str] = []
    book = set(scope.book.store.files())
    for path in (*book, *scope.paths(person)):
        found = person.search.in_file(path)
        size = path.stat().st_size if path.exists() else 0  # what is staged for a drain may be gone by now
        searched.append({"file": str(path), "bytes": size, "found": sorted(found)})
        allowed: set[str] = {"name"} if path in book else set()  # in others' words
        allowed |= {"content"} if path in book and (trail or others) else set()
        allowed |= {"pseudonym"} if path in book and trail.keys() & named.keys() else set()
        if backup_tables.is_chained(path, scope.files.backups):
            chained += [str(path)] if found else []
        elif found - allowed:
            remains.append(str(path))
    if remains:
        raise ErasureIncomplete(
            f"The person is still found in {len(remains)} places: {'; '.join(remains[:10])}.",
            remedy="What came while it was erased, or is being written, is erased when you go on; a file that is "
            "held elsewhere must be let go of first.",
        )
    traces = person.search.count
    return {
        "searched_for": traces | {"name_too_short": person.traces.name is not None and not
                                  person.traces.searches_name, "least_name": LEAST_NAME},
        "texts": len(person.traces.texts),
        "texts_searched_for": min(len(person.traces.texts), MOST_TEXTS),
        "files": len(searched),
        "bytes": sum(row["bytes"] for row in searched),
        "digest": _digest(searched),
        "columns_searched": True,
        "others_wrote_the_same_words": bool(others or person.traces.common),
        "kept_in_the_trail": trail,
        "kept_in_the_trail_of_backups": chained,
        "copies_away": [describe_copy(copy, person) for copy in scope.copies.of(person) if copy.away],
        "mentioned_by_others": mentions,
    }  # fmt: skip


def sealed_elsewhere(scope: ErasureScope, vault: Vault, plan: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What of the book other homes hold the keys of: the person's calls, as they were when this began, and entries of
    the trail that are of somebody whom only they can tell."""
    calls = sum(holding["count"] for holding in plan if holding["what"] == SEALED_ELSEWHERE)
    return {"calls": int(calls), "events": scope.rows.sealed_events_of_others(vault.states())}


def limits_of(proof: Mapping[str, Any]) -> list[str]:
    """What a proof says was not erased, or not looked for, in sentences."""
    limits = []
    if proof.get("searched_for", {}).get("name") == 0:
        short = f"has less than {LEAST_NAME} characters" if proof["searched_for"]["name_too_short"] else "was not given"
        limits.append(
            f"The person's name {short}, so it was not looked for: where it stands in others' words, or in plain words "
            "in entries of the trail, it stays."
        )
    if kept := proof.get("kept_in_the_trail"):
        where = ", ".join(f"{n:,} in {column}" for column, n in sorted(kept.items()))
        limits.append(f"Entries of the trail that tell of the person in plain words are kept as evidence: {where}.")
    if entries := proof.get("kept_in_the_trail_of_backups"):
        limits.append(f"The same stands in backups of the trail: {', '.join(entries)}.")
    limits += [
        f"A copy that was written for the person is not in its place, and whoever has it must remove it: {copy}."
        for copy in proof.get("copies_away", ())
    ]
    elsewhere = proof.get("sealed_elsewhere", {})
    if n := elsewhere.get("calls"):
        limits.append(
            f"What was said in {count(n, 'call')} of the person was sealed under keys of another home: it is gone from "
            "the book, was not looked for in files, and what was copied of it opens there until the person is erased "
            "there."
        )
    if n := elsewhere.get("events"):
        limits.append(
            f"Personal fields of {count(n, 'entry', 'entries')} of the trail are sealed under keys of another home, "
            "which alone can say whether they are of the person: erase the person there as well."
        )
    if (n := proof.get("texts", 0)) > MOST_TEXTS:
        limits.append(f"Of {n:,} texts that were said, the first {MOST_TEXTS:,} were looked for in files.")
    return limits


def status(proof: Mapping[str, Any]) -> str:
    """`erased`, or `erased here` where another home may still open some of it."""
    return "erased here" if any(proof.get("sealed_elsewhere", {}).values()) else "erased"


def describe_copy(copy: ExportedCopy, person: Person) -> str:
    """A copy that is away: beside what it was, without the folder's name, which may be the person's, and how to
    tell it."""
    folder, _ = blanked(str(copy.folder.parent / MARK).encode(errors="replace"), person.search)
    digests = ", ".join(f"{name} {stated}" for name, stated in copy.files.items()) or "it was never finished"
    return f"{folder.decode(errors='replace')}, written {copy.at[:10]} ({digests})"


def _digest(searched: list[dict[str, Any]]) -> str:
    return digest_bytes(orjson.dumps(searched, option=orjson.OPT_SORT_KEYS))
