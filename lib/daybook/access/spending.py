"""What the book says was spent by a key, a project or everybody since a moment: where a budget's count begins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from daybook.ports import Rows


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
