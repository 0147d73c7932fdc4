"""The book as the trail needs it: entered into, waited for, drained and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from daybook.book.stores.port import ReadSession, Store
from daybook.clock import Clock
from daybook.errors import VaultUnusable
from daybook.ports import DurableLedger

if TYPE_CHECKING:
    from daybook.book.journal.drain import Drained


class TrailBook(Protocol):
    home: Path
    store: Store
    clock: Clock

    @property
    def journal(self) -> DurableLedger: ...

    def drain(self) -> Drained: ...

    def reading(self) -> AbstractContextManager[ReadSession]: ...

    def rows(self, query: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]: ...


def require_drained(book: TrailBook, done: str) -> None:
    """Drain the book. `done`: what cannot be where something waits for the vault. Raises VaultUnusable, and what else
    a drain does."""
    try:
        book.drain()
    except VaultUnusable as error:
        raise VaultUnusable(f"Nothing was {done}. {error.message}", remedy=error.remedy) from error


def tuples(book: TrailBook, query: str, params: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query without a drain before it, as they come out of the database: a hundred thousand a second."""
    with book.reading() as session:
        return session.tuples(query, params)


def identity(book: TrailBook) -> str:
    """The identity of the book, with everything in it that was acknowledged so far."""
    book.drain()
    return str(book.rows("select id from book_identity")[0]["id"])
