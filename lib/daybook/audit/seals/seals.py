"""The daily seal: what the trail, the rows and the reports were at one moment, signed, outside the database.

    <home>/audit/seals/000017.json        the seal: a signed document (daybook.audit.signing)
                      /000017/calls.rows  a line a row that it seals (daybook.audit.seals.rows)

A seal takes up where the one before ended: the entries of the chain since, the rows that no seal has yet, the reports
that no seal has yet. It names the one before by digest, so that none can be taken out or played again; and that it was
made is entered in the trail, so that the last ones are missed, too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit import restores, signing
from daybook.audit.ports import TrailBook, identity, require_drained, tuples
from daybook.audit.seals import rows
from daybook.audit.seals.partitions import Partitions, parts_for
from daybook.book.trail import keys
from daybook.book.trail.chain import GENESIS
from daybook.book.trail.chain import SECRET as CHAIN
from daybook.clock import new_id
from daybook.digest import digest_bytes, digest_file
from daybook.errors import BadDate, SettingsError
from daybook.records import Event

FORMAT = "daybook seal 1"
FOLDER = "seals"
SEALED = "trail.sealed"
_PAGE = 50_000
"""Entries of the chain that are read at once."""


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal as it lies in its file."""

    path: Path
    data: bytes
    document: Mapping[str, Any]

    @property
    def number(self) -> int:
        return int(self.document["number"])

    @property
    def digest(self) -> str:
        return digest_bytes(self.data)

    @property
    def until(self) -> datetime:
        return datetime.fromisoformat(self.document["until"])

    def rows_path(self, table: str) -> Path:
        return self.path.with_suffix("") / f"{table}.rows"


def folder(home: Path) -> Path:
    return home / keys.FOLDER / FOLDER


def load(home: Path) -> list[Seal]:
    """The seals of this home in order. Raises SettingsError for a file that is none."""
    seals = []
    for path in sorted(folder(home).glob("[0-9]*.json")):
        try:
            data = path.read_bytes()
            document = orjson.loads(data)
            seal = Seal(path, data, document)
            _ = seal.number, seal.until, document["chain"]["last"], document["tables"], document["reports"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"The seal {path} cannot be read ({type(error).__name__}).",
                remedy="Restore it from where the seals are kept outside this machine.",
            ) from error
        seals.append(seal)
    return seals


def make(book: TrailBook, reports: Path, day: date, *, actor: str) -> Seal:
    """Seal everything up to the end of the UTC day, or up to now where it is not over. A day that is sealed whole is
    sealed once: its seal is returned again.

    Raises BadDate for a day that has not begun, SettingsError where the seal cannot be written."""
    now = book.clock.now()
    until = min(now, rows.day_end(day))
    if until < rows.day_end(day) - timedelta(days=1):
        raise BadDate(f"{day} has not begun: in UTC it is {now:%Y-%m-%d %H:%M}.", remedy="Seal a day that has come.")
    require_drained(book, "sealed")
    keys.folder(book.home)
    folder(book.home).mkdir(mode=0o700, exist_ok=True)
    with atomic.alone(folder(book.home) / ".lock"):
        before = load(book.home)
        if before and before[-1].until >= until:
            seal = next(seal for seal in before if seal.until >= until)
        else:
            seal = _make(book, reports, day, until, now, before)
        _enter(book, seal, actor)  # before another sealer looks whether it is entered
    return seal


def _make(book: TrailBook, reports: Path, day: date, until: datetime, now: datetime, before: list[Seal]) -> Seal:
    number = before[-1].number + 1 if before else 1
    path = folder(book.home) / f"{number:06d}.json"
    book_id = identity(book)
    _require_key(book)
    try:
        path.with_suffix("").mkdir(mode=0o700, exist_ok=True)
        tables = {
            table: _seal_rows(path.with_suffix("") / f"{table}.rows", _new_rows(book, span, before))
            for table, span in rows.spans(book, until).items()
        }
        document = {
            "format": FORMAT,
            "book": book_id,
            "number": number,
            "previous": before[-1].digest if before else None,
            "day": day.isoformat(),
            "until": until.isoformat(),
            "sealed_at": now.isoformat(),
            "chain": _chain(book, before[-1].document["chain"]["last"] if before else 0),
            "tables": tables,
            "reports": _new_reports(reports, before),
            **({"restored": gaps} if (gaps := _gaps(book, book_id)) else {}),
        }
        data = orjson.dumps(signing.sign(book.home, document), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        atomic.replace(path, data, 0o400)
    except OSError as error:
        raise SettingsError(
            f"The seal {path} cannot be written: {error.strerror or error}. Nothing was sealed.",
            remedy="Make room, or make the folder writable, and seal again.",
        ) from error
    return Seal(path, data, orjson.loads(data))


def _require_key(book: TrailBook) -> None:
    """Raises SettingsError where this home made seals, as the trail says, and its key is gone: one made anew would pass
    for the first."""
    if keys.existing(book.home, signing.SECRET) is None and (own := [row for row in entered(book) if row["own"]]):
        raise SettingsError(
            f"The trail says that this home made {len(own)} seals, and the key that it signs with is gone.",
            remedy=f"Restore {book.home / keys.FOLDER} from where you keep the keys and seals. Where the key is lost, "
            f"write 64 random hexadecimal digits to {signing.SECRET}.key there; the lost seals stay missing.",
        )


def _chain(book: TrailBook, last: int) -> dict[str, Any]:
    """The entries after `last`: how many, the newest link, and one digest over all of theirs."""
    hasher, head, entries, first = hashlib.sha256(), last, 0, None
    link = None
    query = "select seq, digest, link from audit_chain where seq > :last order by seq limit :page"
    while page := list(tuples(book, query, {"last": head, "page": _PAGE})):
        for seq, entry, link_text in page:
            hasher.update(bytes.fromhex(entry))
            head, link, entries = seq, link_text, entries + 1
            first = seq if first is None else first
    if link is None:
        there = book.rows("select link from audit_chain where seq = :last", {"last": last})
        link = there[0]["link"] if there else GENESIS.hex()
    return {"first": first, "last": head, "entries": entries, "link": link, "digests": hasher.hexdigest()}


def _gaps(book: TrailBook, book_id: str) -> list[dict[str, int]]:
    """The gaps that restores from backups left in the chain."""
    restored, _ = restores.load(book.home, book_id, signing.trusted(book.home))
    return [{"kept": restore.kept, "lost_to": restore.lost_to} for restore in restored]


def _new_rows(book: TrailBook, span: rows.RowSpan, before: list[Seal]) -> Iterator[tuple[bytes, bytes]]:
    """The rows that no seal has yet: the new ones, and those that came late, however old they are."""
    if span.rows == 0:
        return
    parts = parts_for(span.rows)
    with Partitions(keys.folder(book.home), parts) as known:
        for seal in before:
            path = seal.rows_path(span.table)
            if path.exists():  # verifying names one that is gone; its rows are sealed again
                with path.open("rb") as file:
                    for key, _ in rows.read(file):
                        known.add(key, b"")
        unsealed = _unsealed(book, span, known)
        if unsealed is None:
            return
        with Partitions(keys.folder(book.home), parts) as present:
            for id_, digests in rows.digests(book, unsealed):
                present.add(orjson.dumps(id_), digests.text())
            for part in range(parts):
                sealed = {key for key, _ in known.part(part)}
                yield from ((key, text) for key, text in present.part(part) if key not in sealed)


def _unsealed(book: TrailBook, span: rows.RowSpan, known: Partitions) -> rows.RowSpan | None:
    """The part of the span that holds those of its rows that are not among the `known`; None where all are. Only ids
    and moments are read: the rows themselves are read for this part alone."""
    first, last, count = span.last, span.first, 0
    with Partitions(keys.folder(book.home), known.parts) as present:
        for id_, microseconds in rows.moments(book, span):
            present.add(orjson.dumps(id_), b"%d" % microseconds)
        for part in range(known.parts):
            sealed = {key for key, _ in known.part(part)}
            for key, text in present.part(part):
                if key not in sealed:
                    moment = rows.moment_of(int(text))
                    first, last, count = min(first, moment), max(last, moment), count + 1
    return span._replace(rows=count, first=first, last=last) if count else None


def _seal_rows(path: Path, sealed: Iterator[tuple[bytes, bytes]]) -> dict[str, Any]:
    hasher, count = hashlib.sha256(), 0
    beside = path.with_name(f".{path.name}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for key, text in sealed:
            line = rows.line(key, text)
            hasher.update(line)
            file.write(line)
            count += 1
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return {"rows": count, "digest": "sha256:" + hasher.hexdigest()}


def _new_reports(reports: Path, before: list[Seal]) -> dict[str, str]:
    known = {path for seal in before for path in seal.document["reports"]}
    files = (path for path in sorted(reports.glob("*/*/*")) if path.is_file() and not path.name.startswith("."))
    named = ((path.relative_to(reports).as_posix(), path) for path in files)
    return {name: digest_file(path) for name, path in named if name not in known}


def event_object(seal: Seal) -> str:
    """What the trail's entry about a seal names: several homes that share a book each have a number 1."""
    return f"{seal.document['signer'][:16]} {seal.number}"


def entered(book: TrailBook) -> list[dict[str, Any]]:
    """The chain's entries about seals, in order: seq, object, details, and own, whether this home entered it."""
    own = keys.existing(book.home, CHAIN)
    query = (
        "select c.seq, e.object, e.details, c.key = :own as own from events e join audit_chain c on c.event = e.id "
        "where e.action = :action order by c.seq"
    )
    return book.rows(query, {"action": SEALED, "own": "" if own is None else keys.identity(own)})


def _enter(book: TrailBook, seal: Seal, actor: str) -> None:
    """Enter that the seal was made, once: a process that died in between left that to the next."""
    name = event_object(seal)
    there = book.rows(
        "select id from events where action = :action and object = :name", {"action": SEALED, "name": name}
    )
    if there:
        return
    details = {"digest": seal.digest, "day": seal.document["day"], "head": seal.document["chain"]["last"]}
    book.journal.append(
        Event(
            id=new_id(),
            at=book.clock.now(),
            actor=actor,
            action=SEALED,
            object=name,
            outcome="done",
            details=details,
        )
    )
    book.journal.sync()
    book.drain()
