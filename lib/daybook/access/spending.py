"""What the book says was spent by a key, a project or everybody since a moment: where a budget's count begins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from daybook.errors import BookUnreachable, ProviderError
from daybook.line_process import LineProcess
from daybook.ports import Rows
from daybook.settings import Settings


class OpenRows(Rows, Protocol):
    """A book that is closed again."""

    def drain(self) -> object: ...

    def close(self) -> None: ...


_WHERE = {
    "key": "caller = :name",
    "project": "project = :name",
    "everyone": "true",
    "shadow": "endpoint = 'shadow' and requested_model = :name",
}


class Spending:
    """`open_book`: a book of its own for each question; they are few (a window of a budget that nobody counted yet)."""

    def __init__(self, open_book: Callable[[], OpenRows]) -> None:
        self._open_book = open_book

    def since(self, scope: str, start: datetime) -> Decimal:
        """US dollars of the calls that came in since `start` through the endpoint. Raises BookError."""
        kind, _, name = scope.partition(" ")
        book = self._open_book()
        try:
            book.drain()
            (row,) = book.rows(
                "select sum(cost) as spent from calls where time >= :start"  # noqa: S608 - from the table above
                f" and endpoint not in ('library', 'import') and {_WHERE[kind]}",
                {"start": start} | ({"name": name} if kind != "everyone" else {}),
            )
            return row["spent"] or Decimal(0)
        finally:
            book.close()


class SpendingProcess:
    """Asks in a process of its own, which ends with its answer: whoever serves never loads a database. `patience`:
    seconds to wait for a book in use."""

    def __init__(self, settings: Settings, *, patience: float) -> None:
        self._log = settings.home / "logs" / "spending.log"
        self._question = {
            "home": str(settings.home),
            "book_url": settings.book_url,
            "vault": str(settings.vault),
            "patience": patience,
        }

    async def since(self, scope: str, start: datetime) -> Decimal:
        """See `Spending.since`."""
        process = LineProcess(["-m", "daybook.access.spending_child"], name="The sum of what was spent", log=self._log)
        try:
            answer = await process.ask({**self._question, "scope": scope, "start": start.isoformat()})
        except ProviderError as error:
            raise BookUnreachable(error.message, remedy=error.remedy) from error
        finally:
            await process.aclose()
        return Decimal(answer["spent"])
