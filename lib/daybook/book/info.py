"""What is in a book, and what of its journal is still on the way."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson

from daybook.book import schema
from daybook.book.journal import files
from daybook.book.journal.journal import FOLDER, SUFFIX
from daybook.book.journal.owner import OtherJournal
from daybook.errors import VaultUnusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """A book's state, after a drain."""

    url: str
    """Where it is, with any password masked."""
    bytes: int | None
    rows: Mapping[str, int]
    """Table → rows."""
    first: datetime | None
    """When the first call came in."""
    last: datetime | None
    migrations: Sequence[str]
    journal: str
    """The folder of the journal."""
    writers: int
    """Processes that have a journal file open now."""
    waiting: int
    """Bytes in the journal that are not in the book: half-written lines, or files of a later version."""
    set_aside: int
    """Journal lines that are no entries; kept in `journal_set_aside`."""
    torn: int
    """Among them, unfinished last lines of writers that died."""
    drains: bool
    """False where this journal belongs to another book, and so is not drained into this one."""

    def to_json(self) -> str:
        return orjson.dumps(asdict(self)).decode()


class InfoSource(Protocol):
    """The book, as telling about it needs it."""

    @property
    def home(self) -> Path: ...
    @property
    def url_shown(self) -> str: ...

    def drain(self) -> object: ...

    def rows(self, query: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...

    def size(self) -> int | None: ...


def read(book: InfoSource) -> Info:
    """The state of `book` now. Raises what its reads raise."""
    drains = True
    try:
        book.drain()
    except OtherJournal:
        drains = False
    except VaultUnusable:  # what waits for it is counted below, and each read says why
        pass
    tables = [str(table.name) for table in schema.TABLES.values()]  # SQLAlchemy's names are no plain text to JSON
    counts = " union all ".join(f"select '{table}' as name, count(*) as n from {table}" for table in tables)  # noqa: S608 - our own names
    rows = {row["name"]: row["n"] for row in book.rows(counts)}
    span = book.rows("select min(time) as first, max(time) as last from calls")[0]
    aside = book.rows("select count(*) as n, count(case when torn then 1 end) as torn from journal_set_aside")[0]
    marks = {row["file"]: row["drained"] for row in book.rows("select file, drained from journal_files")}
    folder = book.home / FOLDER
    writers, waiting = _journal(folder, marks)
    return Info(
        url=book.url_shown,
        bytes=book.size(),
        rows={table: rows[table] for table in tables},
        first=span["first"],
        last=span["last"],
        migrations=[row["name"] for row in book.rows("select name from schema_migrations order by name")],
        journal=str(folder),
        writers=writers,
        waiting=waiting,
        set_aside=aside["n"],
        torn=aside["torn"],
        drains=drains,
    )


def _journal(folder: Path, marks: Mapping[str, int]) -> tuple[int, int]:
    """Files with a living writer, and bytes that are not in the book."""
    writers = waiting = 0
    for path in sorted(folder.glob(f"[!.]*{SUFFIX}")):
        with files.opened(path) as file:
            if file is not None:
                writers += not file.dead
                waiting += os.fstat(file.fd).st_size - marks.get(path.name, 0)
    return writers, waiting
