"""What the press needs of a book: to enter records and to read rows. `daybook.book.Book` is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from daybook.records import Record


class Ledger(Protocol):
    def append(self, record: Record) -> None:
        """Acknowledge the record: it survives this process."""

    def rows(self, query: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a read-only query; `:name` parameters bound. Raises BookError."""
