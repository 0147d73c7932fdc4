"""Whose journal this is. A journal's entries go into one book; the file `book` beside them says which.

Without it, whoever opened a second book over the same home would drain the first one's entries into it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.book.journal.journal import FOLDER
from daybook.book.stores.port import WriteSession
from daybook.errors import BookError

NAME = "book"


class OtherJournal(BookError):
    """The journal under this home belongs to another book."""


def claimed(home: Path) -> str | None:
    """The identity of the book that the journal under `home` goes into; None where nothing was drained yet."""
    identity = _mark(home / FOLDER).get("id")
    return identity if isinstance(identity, str) else None


def claim(writer: WriteSession, folder: Path, shown: str, *, adopt: bool) -> None:
    """Return if the journal in `folder` is this book's, was nobody's, or its book was at this same place.
    Else raise OtherJournal, or take it over if `adopt`."""
    ((identity,),) = writer.execute("select id from book_identity")
    there = _mark(folder)
    if there.get("id") == identity:
        return
    if there and there.get("url") != shown and not adopt:
        raise OtherJournal(
            f"The journal in {folder} belongs to the book {there.get('url')}; this is {shown}.",
            remedy="Set DAYBOOK_HOME to another folder for this book. Or, to give it what the journal still holds "
            "and all that follows: daybook book drain --adopt.",
        )
    atomic.replace(folder / NAME, orjson.dumps({"id": identity, "url": shown}))


def _mark(folder: Path) -> dict[str, Any]:
    try:
        mark = orjson.loads((folder / NAME).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return mark if isinstance(mark, dict) else {}
