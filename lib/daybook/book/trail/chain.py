"""The chain: where an event gets its number, its digest and the link to the one before.

A number is given where an entry enters the book, in the drain's own transaction: that is the one place which all
writers, and all homes that share a database, go through one after the other. Numbers have no gaps.

    digest = SHA-256(canonical bytes of the event)
    link   = BLAKE2b-256, keyed with the home's secret, of: the link before (32 bytes) · the number (8 bytes) · digest

The link before the first one is SHA-256("daybook audit chain 1"). Whoever can write the database but has not the key
can make no link. What was last chained is also noted in `<home>/audit/head-<book>.json`, outside the database, so
that a tail that was cut off is missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from daybook import atomic
from daybook.book.entry import Entry
from daybook.book.trail import canonical, keys
from daybook.errors import SettingsError

GENESIS = hashlib.sha256(b"daybook audit chain 1").digest()
SECRET = "chain"  # noqa: S105 - the name of the key's file
_MANY = 5_000


class Head(NamedTuple):
    """The last link of a chain, and the number of its event; 0 before there is one."""

    seq: int
    link: bytes
    book: str
    """The identity of the book whose chain it is."""


class ChainWriter(Protocol):
    """An open book with an open transaction."""

    dialect: str

    def chaining(self) -> None:
        """Keep all others from adding to the chain until the open transaction ends."""

    def chain(self, links: Sequence[tuple[Any, ...]]) -> None: ...

    def execute(self, sql: str) -> list[tuple[Any, ...]]: ...


def digest_of(canonical_bytes: bytes) -> bytes:
    return hashlib.sha256(canonical_bytes).digest()


def link_of(key: bytes, before: bytes, seq: int, digest: bytes) -> bytes:
    return hashlib.blake2b(before + seq.to_bytes(8, "big") + digest, key=key, digest_size=32).digest()


class Chainer:
    """Adds to the chain of the book that the home's journal is drained into."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def head(self, writer: ChainWriter) -> Head:
        """The head as the database has it. Nobody else can move it until the transaction ends."""
        writer.chaining()
        ((book,),) = writer.execute("select id from book_identity")
        rows = writer.execute("select seq, link from audit_chain order by seq desc limit 1")
        head = Head(int(rows[0][0]), bytes.fromhex(rows[0][1]), book) if rows else Head(0, GENESIS, book)
        self._require_note(writer, head)
        goes_on = _goes_on_at(self._home, book, head.seq)
        return head if goes_on is None else head._replace(seq=goes_on)

    def _require_note(self, writer: ChainWriter, head: Head) -> None:
        """Where this home's note of the head is gone, make one that says so: up to this number nobody can tell here
        whether the chain's end is still there."""
        key = keys.existing(self._home, SECRET)
        if head.seq == 0 or key is None or _note(self._home, head.book).exists():
            return
        if writer.execute(f"select seq from audit_chain where key = '{keys.identity(key)}' limit 1"):  # noqa: S608 - hexadecimal
            note(self._home, head, anew=head.seq)

    def adopt(self, writer: ChainWriter) -> Head | None:
        """Chain the events of a book that was begun before there was a chain. None where nothing was to be done."""
        head = self.head(writer)
        if head.seq > 0 or not writer.execute("select id from events limit 1"):
            return None
        columns = canonical.columns(writer.dialect)
        rows = writer.execute(f"select {columns} from events order by time, id")  # noqa: S608 - our own names
        return self._extend(writer, head, rows)

    def add(self, writer: ChainWriter, entries: Sequence[Entry]) -> Head | None:
        """Chain those of the events just moved into the book that are new in it, in the order in which they were
        entered. None where none is."""
        head = self.head(writer)
        rows: dict[str, tuple[Any, ...]] = {}
        ids = [entry.id for entry in entries]
        columns = canonical.columns(writer.dialect)
        for start in range(0, len(ids), _MANY):
            listed = ", ".join(map(_literal, ids[start : start + _MANY]))
            known = {row[0] for row in writer.execute(f"select event from audit_chain where event in ({listed})")}  # noqa: S608 - ids as literals
            for row in writer.execute(f"select {columns} from events where id in ({listed})"):  # noqa: S608 - ids as literals
                if row[0] not in known:
                    rows[row[0]] = row
        return self._extend(writer, head, [rows[id_] for id_ in ids if id_ in rows]) if rows else None

    def _extend(self, writer: ChainWriter, head: Head, rows: Iterable[tuple[Any, ...]]) -> Head:
        key = keys.secret(self._home, SECRET)
        identity = keys.identity(key)
        links = []
        for row in rows:
            digest = digest_of(canonical.encode(row))
            head = Head(head.seq + 1, link_of(key, head.link, head.seq + 1, digest), head.book)
            links.append((head.seq, row[0], digest.hex(), head.link.hex(), identity))
        writer.chain(links)
        return head

    def witness(self, head: Head) -> None:
        """Note outside the database how far the chain has come. Raises SettingsError where that can't be done."""
        note(self._home, head)


def note(home: Path, head: Head, *, kept: int | None = None, anew: int | None = None) -> None:
    """Note how far the chain has come. `kept`: the number that a restore went back to; the entry after it has the
    number after `head`. `anew`: where the chain stood when the note was gone; it stays in the note. Raises
    SettingsError where that can't be done."""
    path = _note(home, head.book)
    anew = made_anew(home, head.book) if anew is None else anew
    content = {"seq": head.seq, "link": head.link.hex()}
    content |= {name: number for name, number in (("kept", kept), ("anew", anew)) if number is not None}
    try:
        keys.folder(home)
        atomic.replace(path, orjson.dumps(content))
    except OSError as error:
        raise SettingsError(
            f"The head of the trail cannot be written to {path}: {error.strerror}.",
            remedy="Make the folder writable; what is in the book is safe.",
        ) from error


def _goes_on_at(home: Path, book: str, seq: int) -> int | None:
    """The number after which the chain goes on, where a restore went back to `seq`; None where there was none."""
    try:
        noted = orjson.loads(_note(home, book).read_bytes())
    except (OSError, ValueError):
        return None  # whoever verifies says so; what is journaled is drained all the same
    return int(noted["seq"]) if isinstance(noted, dict) and noted.get("kept") == seq else None


def made_anew(home: Path, book: str) -> int | None:
    """Where the chain stood when this home's note of its head was found to be gone; None where it never was."""
    try:
        noted = orjson.loads(_note(home, book).read_bytes())
    except (OSError, ValueError):
        return None
    return int(noted["anew"]) if isinstance(noted, dict) and isinstance(noted.get("anew"), int) else None


def witnessed(home: Path, book: str) -> Head | None:
    """How far the chain of the book had come when this home last added to it; None where it never did.

    Raises SettingsError for a note that is none."""
    path = _note(home, book)
    try:
        noted = orjson.loads(path.read_bytes())
        return Head(int(noted["seq"]), bytes.fromhex(noted["link"]), book)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} does not say how far the trail had come ({type(error).__name__}).",
            remedy="Restore it from a backup. Where it is gone, the last seal says how far the trail had come.",
        ) from error


def _note(home: Path, book: str) -> Path:
    return home / keys.FOLDER / f"head-{book}.json"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
