"""What a route reads from the book, in a thread: the endpoint goes on answering meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from daybook.errors import BookLocked, BookUnreachable
from daybook.gateway.components import Components
from daybook.gateway.http.errors import Refusal
from daybook.ports import NamedRows

Answer = TypeVar("Answer")


async def from_book(parts: Components, read: Callable[[NamedRows], Answer]) -> Answer:
    """What `read` makes of the book. Raises a 503 Refusal while the book cannot be read."""

    def reading() -> Answer:
        with parts.open_book() as book:
            return read(book)

    try:
        return await asyncio.to_thread(reading)
    except (BookLocked, BookUnreachable) as error:
        raise Refusal(
            503,
            "book_busy" if isinstance(error, BookLocked) else "book_unreachable",
            "The book cannot be read now; what was answered meanwhile is safe in the journal.",
            remedy="Ask again in a moment.",
            headers=[(b"retry-after", b"5")],
        ) from error
