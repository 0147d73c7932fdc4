"""What a database that a book is kept in must do, and what goes in and out of it.

A store opens, does one thing and closes: a database is held for one query or one drain, never for a
session. What goes in are the journal's lines as they stand; the database itself takes them apart, by
column definitions made from the schema.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from daybook.book.entry import Entry

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Aside:
    """A line that is no entry: kept, counted, named."""

    file: str
    position: int
    """Byte at which it begins."""
    reason: str
    torn: bool
    line: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction moves: the bytes of one file from `start` to `end`, as entries by kind and lines to
    set aside."""

    file: str
    start: int
    end: int
    entries: Mapping[str, Sequence[Entry]]
    """For a kind that is entered once, no id twice; for one that is entered again, the latest of each id."""
    asides: Sequence[Aside]
    read: int
    """Entries among these bytes, the repeated ones too."""


class OffsetMoved(Exception):
    """Another drain moved the same bytes first; nothing of this batch was written."""


class WriteSession(Protocol):
    """An open book, held for one drain."""

    dialect: str
    json_type: str
    bytes_type: str
    key_clause: str

    def transaction(self) -> contextlib.AbstractContextManager[object]: ...

    def migrating(self) -> None:
        """Keep all others from migrating until the open transaction ends."""

    def chaining(self) -> None:
        """Keep all others from adding to the chain of events until the open transaction ends."""

    def chain(self, links: Sequence[Row]) -> None:
        """Add rows of `audit_chain`: number, event, digest, link, key."""

    def execute(self, sql: str) -> list[Row]:
        """One statement without parameters; its rows, if it has any."""

    def load(self, table: str, path: Path) -> int:
        """Copy the rows of a Parquet file, whose columns are the table's, in the open transaction; how many."""

    def move(self, batch: Batch) -> Mapping[str, int]:
        """Write the batch in the open transaction; entries that were new, by kind. Raises OffsetMoved, or
        one of the store's `unfit` where something in it is no row of its table."""


class Store(Protocol):
    dialect: str
    url: str
    """Where it is, with any password: never shown."""
    shown: str
    """Where it is, with any password masked."""
    unfit: tuple[type[Exception], ...]

    def writing(self, *, foreign: float | None = None) -> contextlib.AbstractContextManager[WriteSession]:
        """Open for a drain. `foreign`: seconds to wait for a program that is none of ours; by default as long as for
        ours. Raises BookLocked, BookUnreachable."""

    def reading(self) -> contextlib.AbstractContextManager[ReadSession]:
        """Open for one query. Raises BookLocked, BookUnreachable."""

    def alone(self, *, patience: float) -> contextlib.AbstractContextManager[None]:
        """Keep every other process that asks for this away, whatever its home: those that change the book as a whole
        ask for it. Reads and drains go on. Raises TimeoutError after `patience` seconds, BookUnreachable."""

    def rewrite(self) -> None:
        """Write the book anew with the rows that are in it now, so that none of the bytes of deleted ones is left in
        its files. Raises BookLocked, BookUnreachable; the book is then as it was."""

    def files(self) -> list[Path]:
        """The files on this machine that the book is in."""

    def close(self) -> None:
        """Let go of what is kept for the next use; there may be one."""

    def presence(self) -> object:
        """Changes when the book is another one than before; None where that cannot be seen."""

    def size(self) -> int | None:
        """Bytes on the disk."""


class ReadSession(Protocol):
    """An open book, held for one query."""

    def fetch(self, query: str, params: Mapping[str, Any]) -> QueryResult:
        """Run one query, its `:name` parameters bound. Raises BadParameter where the database refuses it."""

    def tuples(self, query: str, params: Mapping[str, Any]) -> Iterator[Row]:
        """The rows of one query of texts, numbers and truths, read already: the fastest way out of the database."""

    def stream(self, table: str) -> Iterator[pa.RecordBatch]:
        """All rows of a table in the order they happened, JSON as text."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A query's rows. `json` and `whole` are the places of the columns that hold JSON text, and whole
    numbers in a decimal type."""

    table: pa.Table
    json: frozenset[int]
    whole: frozenset[int]
