"""Whose journal this is. A journal's entries go into one book; the file `book` beside them says which.

Without it, whoever opened a second book over the same home would drain the first one's entries into it.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from daybook import atomic
from daybook.book.stores.port import WriteSession
from daybook.errors import BookError

NAME = "book"


class OtherJournal(BookError):
    """The journal under this home belongs to another book."""


def claim(writer: WriteSession, folder: Path, shown: str, *, adopt: bool) -> None:
    """Return if the journal in `folder` is this book's, was nobody's, or its book was at this same place.
    Else raise OtherJournal, or take it over if `adopt`."""
    ((identity,),) = writer.execute("select id from book_identity")
    mark = folder / NAME
    try:
        there = orjson.loads(mark.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        there = {}
    if there.get("id") == identity:
        return
    if there and there.get("url") != shown and not adopt:
        raise OtherJournal(
            f"The journal in {folder} belongs to the book {there.get('url')}; this is {shown}.",
            remedy="Set DAYBOOK_HOME to another folder for this book. Or, to give it what the journal still holds "
            "and all that follows: daybook book drain --adopt.",
        )
    atomic.replace(mark, orjson.dumps({"id": identity, "url": shown}))
