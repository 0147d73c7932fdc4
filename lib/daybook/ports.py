"""The book as the rooms above it see it: each asks for the part that it needs. `daybook.book.Book` is all of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from daybook.records import Record

if TYPE_CHECKING:
    import pandas as pd


class Ledger(Protocol):
    """Where a record is entered."""

    def append(self, record: Record) -> None:
        """Acknowledge the record: it survives this process. Raises JournalError."""


class DurableLedger(Ledger, Protocol):
    """A ledger that can be waited for."""

    def sync(self) -> None:
        """Return once all that was appended survives a power failure."""


class Rows(Protocol):
    """Where rows of the book are read from."""

    def rows(self, query: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a read-only query; `:name` parameters bound. Raises BookError."""


class PersonalRows(Rows, Protocol):
    """Rows of persons, which nobody reads without its being entered."""

    def record(self, action: str, object_: str | None, details: Mapping[str, Any], actor: str) -> None:
        """Enter what is about to be done, on the disk when this returns. Raises JournalError; do nothing then."""


class NamedRows(Rows, Protocol):
    """The same, with the texts of the queries that are kept by name: for whoever needs no frame."""

    def query_text(self, name: str) -> str:
        """The SQL of the named query of `book/queries`, in the book's dialect."""


class Reader(Rows, Protocol):
    """The same, with the queries that are kept by name."""

    def query(self, name: str, **params: Any) -> pd.DataFrame:
        """The rows of the named query of `book/queries`. Raises BookError."""


class Books(Ledger, PersonalRows, Protocol):
    """A book that is written and read, and the home that it stands in."""

    home: Path
