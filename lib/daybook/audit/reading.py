"""Reads of the book's own rows that may hold personal data: entered before they are made.

What a query returns cannot be told from its text in every case, so it is told by the tables that it names: whoever
asks one that holds persons' data has asked for it, whatever columns come back. The query itself is kept as a digest:
its text may hold a name.
"""

from __future__ import annotations

import re

from daybook.audit.trail import Trail
from daybook.digest import digest_bytes

ACTION = "book.read"
PERSONAL = ("calls", "entry_stamps", "events", "journal_set_aside", "models", "subjects")
"""Tables with columns that name a person, or hold what somebody wrote."""
_NAMES = re.compile(rf"\b({'|'.join(PERSONAL)})\b", re.IGNORECASE)
_COMPOSED = re.compile(
    r"\bquery\b|\bquery_table\b|\b(query|table|cursor|schema|database)_to_xml|\bdblink|\bexecute\b|\bu&\"",
    re.IGNORECASE,
)
"""What reads a table whose name the text need not have: DuckDB's and Postgres's functions that take a query or a name
as a value, and names written in escapes."""


def tables_of(query: str) -> list[str]:
    """The tables with persons' data that a query names; all of them where it may put a name together."""
    if _COMPOSED.search(query):
        return list(PERSONAL)
    return sorted({name.lower() for name in _NAMES.findall(query)})


def record_query(trail: Trail, query: str, *, actor: str, run_id: str | None = None) -> None:
    """Enter that this query is about to be answered, where it names such a table. Raises JournalError where that
    cannot be entered; then do not answer it."""
    if tables := tables_of(query):
        details = {"tables": tables, "query": digest_bytes(query.encode(errors="replace"))}
        trail.record(ACTION, actor=actor, object="sql", run_id=run_id, details=details)
