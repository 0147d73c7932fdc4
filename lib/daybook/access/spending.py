"""What the book says was spent by a key, a project or everybody since a moment: where a budget's count begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from daybook.errors import BookUnreachable, ProviderError
from daybook.line_process import LineProcess
from daybook.ports import Rows
from daybook.settings import Settings


class DrainableRows(Rows, Protocol):
    """A book that takes in what is in its journal."""

    def drain(self) -> object: ...


_WHERE = {
    "key": "caller = :name",
    "project": "project = :name",
    "everyone": "true",
    "shadow": "endpoint = 'shadow' and requested_model = :name",
}


def sum_since(book: DrainableRows, asked: Sequence[tuple[str, datetime]]) -> list[Decimal]:
    """US dollars of each scope's calls that came in since a moment through the endpoint. Raises BookError."""
    book.drain()
    return [_sum(book, scope, start) for scope, start in asked]


def _sum(book: Rows, scope: str, start: datetime) -> Decimal:
    kind, _, name = scope.partition(" ")
    (row,) = book.rows(
        "select sum(cost) as spent from calls where time >= :start"  # noqa: S608 - from the table above
        f" and endpoint not in ('library', 'import') and {_WHERE[kind]}",
        {"start": start} | ({"name": name} if kind != "everyone" else {}),
    )
    return row["spent"] or Decimal(0)


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

    async def since(self, asked: Sequence[tuple[str, datetime]]) -> list[Decimal]:
        """See `sum_since`."""
        process = LineProcess(["-m", "daybook.access.spending_child"], name="The sum of what was spent", log=self._log)
        question = {**self._question, "asked": [[scope, start.isoformat()] for scope, start in asked]}
        try:
            answer = await process.ask(question)
        except ProviderError as error:
            raise BookUnreachable(error.message, remedy=error.remedy) from error
        finally:
            await process.aclose()
        return [Decimal(amount) for amount in answer["spent"]]
