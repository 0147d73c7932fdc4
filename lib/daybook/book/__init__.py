"""The book of every call, event, run, finding and subject, and the journal in front of it.

Importing this room imports no database; the parts are loaded when first asked for.
"""

from __future__ import annotations

from daybook.book.book import Book

__all__ = ["Book"]
