"""The book as the rooms above it see it: each asks for the part that it needs. `daybook.book.Book` is all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from daybook.records import Record

if TYPE_CHECKING:
    import pandas as pd

    from daybook.errors import VaultError


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


@dataclass(frozen=True, slots=True)
class OpenedContent:
    """Rows of calls with what was said in them in plain text."""

    rows: list[dict[str, Any]]
    erased: frozenset[str] = frozenset()
    """The calls of which nothing can be read, because the person's key was destroyed."""
    missing: frozenset[str] = frozenset()
    """The calls of which something cannot be read, because the vault of this home has not got the key it was sealed
    under."""
    broken: frozenset[str] = frozenset()
    """The calls of which something cannot be read, because it is not what was sealed there: it was changed since, or
    moved from another place."""

    @property
    def unread(self) -> frozenset[str]:
        """The calls of which something is there that cannot be read."""
        return self.missing | self.broken


class Content(Protocol):
    """Where what was said in calls can be read."""

    def content(self, rows: Sequence[Mapping[str, Any]]) -> OpenedContent:
        """Rows of calls with `id` and `subject`, and `prompt` or `answer` as they stand in the book: with both opened,
        and None for what cannot be read. Raises VaultUnusable."""


class PersonalRows(Rows, Content, Protocol):
    """Rows of persons, which nobody reads without its being entered."""

    def record(self, action: str, object_: str | None, details: Mapping[str, Any], actor: str) -> None:
        """Enter what is about to be done, on the disk when this returns. Raises JournalError; do nothing then."""

    def excluded(self, purpose: str) -> frozenset[str]:
        """Whose data may not be used for `training`, `evaluation` or `analytics`, as the calls name them. Raises
        GateNotMet where what the book has of somebody is not what the trail says."""


class NamedRows(Rows, Protocol):
    """The same, with the texts of the queries that are kept by name: for whoever needs no frame."""

    def query_text(self, name: str) -> str:
        """The SQL of the named query of `book/queries`, in the book's dialect."""


class Reader(Rows, Protocol):
    """The same, with the queries that are kept by name."""

    def query(self, name: str, **params: Any) -> pd.DataFrame:
        """The rows of the named query of `book/queries`. Raises BookError."""


class ContentReader(Reader, Content, Protocol):
    """A reader that opens what was said, too."""


class Sealing(Protocol):
    """A vault that seals a person's data under the person's own key."""

    def seal(self, subject: str, data: bytes, *, context: bytes = b"") -> bytes:
        """Raises KeyDestroyed where the person was erased."""

    def open_all(self, items: Sequence[tuple[str, bytes, bytes]]) -> Sequence[bytes | VaultError]:
        """What was sealed, or why it cannot be opened, for each subject, sealed bytes and their context."""


class Books(Ledger, PersonalRows, Protocol):
    """A book that is written and read, the home that it stands in, and the vault whose keys seal what is of persons."""

    home: Path

    @property
    def vault(self) -> Sealing: ...
