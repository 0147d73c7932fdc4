"""The trail to read: who did what, newest first, a page at a time.

A person is asked for by the name that the calls have for them; in the trail they are a keyed reference. That somebody
looked is itself entered, before anything is returned.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daybook.audit.ports import TrailBook
from daybook.audit.trail import Trail
from daybook.book.trail.names import reference
from daybook.errors import BadParameter

MOST = 1000
READ = "trail.read"
REFERENCE = re.compile(r"s-[0-9a-f]{32}")
"""How the trail names a person (daybook.book.trail.names); anything else is a name, and is not written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for. None: whatever it is."""

    subject: str | None = None
    """The person, as the calls name them, or their reference `s-…`."""
    action: str | None = None
    """`subject.exported`, or `subject.*` for all that begin so."""
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """Number of an entry: only those before it. The last number of a page gives the next page."""
    limit: int = 100


def read(
    book: TrailBook,
    query: Query,
    trail: Trail,
    *,
    actor: str,
    reason: str | None = None,
    request_id: str | None = None,
) -> list[dict[str, Any]]:
    """The entries, each with its number. `trail`: where it is entered that `actor` looked.

    Raises BadParameter for a query that cannot be meant, and JournalError where it cannot be entered that somebody
    looked; then nothing is shown."""
    if not 1 <= query.limit <= MOST:
        raise BadParameter(f"limit is {query.limit}.", remedy=f"Ask for 1 to {MOST:,} entries.")
    where, values = _where(book, query)
    asked: dict[str, Any] = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name in ("action", "actor", "since", "until", "before", "limit")
        if (value := getattr(query, name)) is not None
    }
    person = None if query.subject is None or REFERENCE.fullmatch(query.subject) else query.subject
    if query.subject is not None and person is None:
        asked["subject"] = query.subject
    trail.record(
        READ, actor=actor, object="events", subject=person, reason=reason, request_id=request_id, details=asked
    )
    from daybook.book.schema import events  # SQLAlchemy: only those who look at the trail wait for it

    columns = ", ".join(f'e."{column.name}"' for column in events.columns)
    rows = book.rows(
        f"select c.seq, {columns} from events e left join audit_chain c on c.event = e.id "  # noqa: S608 - our own names
        f"where {' and '.join(where)} order by c.seq desc, e.id desc limit :limit",
        values | {"limit": query.limit},
    )
    return [dict(row) for row in rows]


def _where(book: TrailBook, query: Query) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = ["true"]
    values: dict[str, Any] = {}
    conditions = {
        "actor": ("e.actor = :actor", query.actor),
        "since": ("e.time >= :since", query.since),
        "until": ("e.time < :until", query.until),
        "before": ("c.seq < :before", query.before),
    }
    for name, (condition, value) in conditions.items():
        if value is not None:
            where.append(condition)
            values[name] = value
    if query.subject is not None:
        where.append("e.subject = :subject")
        values["subject"] = query.subject if REFERENCE.fullmatch(query.subject) else reference(book.home, query.subject)
    if query.action is not None:
        beginning = query.action.removesuffix("*")
        if "*" in beginning:
            raise BadParameter(f"{query.action[:40]!r} has a * inside.", remedy="Write it at the end: subject.*")
        whole = beginning == query.action
        where.append("e.action = :action" if whole else "substr(e.action, 1, length(:action)) = :action")
        values["action"] = beginning
    return where, values
