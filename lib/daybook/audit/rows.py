"""The rows of the book as digests, so that one that is edited later is found, and which one.

A seal has a file a table with a line a row: `"id" fixed money personal`. Each of the three is a keyed BLAKE2b of 8
bytes over the columns of its group. They are apart because they may change for reasons of their own: costs are priced
again, personal content is erased. Such a change is entered in the trail with how many rows it was, e.g.
`{"changed_rows": {"calls": {"personal": 12, "removed": 3}}}` in the event's details; more than the trail accounts for
is an edit. The hash is keyed because a plain one of an erased text could be guessed at.

Events are in the chain and not here; subjects change with every call about them and are not sealed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from daybook.audit.ports import TrailBook, tuples
from daybook.book.checks import CHANGED
from daybook.book.schema import DAY, MAPPING, MONEY, TABLES, TIME
from daybook.book.trail import canonical, keys

SECRET = "rows"  # noqa: S105 - the name of the key's file
GROUPS = ("fixed", "money", "personal")
SEALED = tuple(str(TABLES[kind].name) for kind in ("call", "run", "finding", "model", "alias", "deployment"))
MONEY_COLUMNS: Mapping[str, frozenset[str]] = {
    "calls": frozenset({"cost", "price_source", "price_rate", "price_note"}),
}
PERSONAL_COLUMNS: Mapping[str, frozenset[str]] = {
    "calls": frozenset({"caller", "tags", "parameters", "prompt_hash", "subject", "prompt", "answer"}),
    "runs": frozenset({"parameters", "error"}),
    "models": frozenset({"template", "parameters", "data_source", "tags", "subjects"}),
}
PAGE = 100_000
"""Rows that are read at once; more are read day by day."""
_SIZE = 8


class RowDigests(NamedTuple):
    """The digests of one row, a group each."""

    fixed: bytes
    money: bytes
    personal: bytes

    def line(self, id_: str) -> bytes:
        return b"%b %b %b %b\n" % (orjson.dumps(id_), *(digest.hex().encode() for digest in self))


class RowSpan(NamedTuple):
    """The rows of a table before a moment, and since another one where that is given. `rows`: how many are meant."""

    table: str
    rows: int
    first: datetime
    last: datetime
    until: datetime
    since: datetime | None

    def slices(self) -> Iterator[tuple[datetime, datetime]]:
        """In times that are read at once: all of it where it is little, else day by day."""
        if self.rows <= PAGE:
            yield self.first, self.last + timedelta(microseconds=1)
            return
        start = self.first
        while start <= self.last:
            stop = start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            yield start, stop
            start = stop


def spans(book: TrailBook, until: datetime, since: datetime | None = None) -> list[RowSpan]:
    """What there is to seal in each table that has any."""
    parts = (
        f"select '{table}' as name, count(*) as n, min({_moment(table)}) as first, max({_moment(table)}) as last "  # noqa: S608 - our own names
        f"from {table} {_bounds(table)}"
        for table in SEALED
    )
    found = book.rows(" union all ".join(parts), _values(until, since))
    by_name = {row["name"]: RowSpan(row["name"], row["n"], row["first"], row["last"], until, since) for row in found}
    return [by_name[table] for table in SEALED if by_name[table].rows]


def unsealed(book: TrailBook, table: str, until: datetime, known: Set[str]) -> RowSpan | None:
    """The span of those rows of a table before `until` that are not among the `known`; None where all are. Only ids
    and moments are read: the rows themselves are read for this span alone."""
    query = (
        f"select id, {canonical.MICROSECONDS[book.store.dialect].format(_moment(table))} from {table} {_bounds(table)}"  # noqa: S608 - our own names
    )
    moments = [moment for id_, moment in tuples(book, query, _values(until, None)) if id_ not in known]
    if not moments:
        return None
    first, last = (
        datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(m)) for m in (min(moments), max(moments))
    )
    return RowSpan(table, len(moments), first, last, until, None)


def digests(book: TrailBook, span: RowSpan) -> Iterator[tuple[str, RowDigests]]:
    """Id and digests of every row of the span. Of the runs only those that have ended: the others are still to
    change."""
    table, moment = span.table, _moment(span.table)
    columns = TABLES_BY_NAME[table].columns
    groups = [(g, [i for i, c in enumerate(columns) if group_of(table, str(c.name)) == g]) for g in GROUPS]
    mappings = [i for i, column in enumerate(columns) if column.type is MAPPING]
    selected = f"select {_columns(table, book.store.dialect)} from {table} {_bounds(table)}"  # noqa: S608 - our own names
    query = f"{selected} and {moment} >= :start and {moment} < :stop"
    key = keys.secret(book.home, SECRET, protects=("seals/[0-9]*.json",))
    for start, stop in span.slices():
        for found in tuples(book, query, _values(span.until, span.since) | {"start": start, "stop": stop}):
            row = list(found)
            for i in mappings:
                row[i] = canonical.mapping(row[i])
            parts = ([f"{table} {group}", row[0], *(row[i] for i in places)] for group, places in groups)
            yield row[0], RowDigests(*(_digest(key, part) for part in parts))


def _moment(table: str) -> str:
    return "started_at" if table == "runs" else "time"


def _bounds(table: str) -> str:
    ended = "and state <> 'running'" if table == "runs" else ""
    return f"where {_moment(table)} < :until and (:open or {_moment(table)} >= :since) {ended}"


def _values(until: datetime, since: datetime | None) -> dict[str, Any]:
    return {"until": until, "since": since or until, "open": since is None}


TABLES_BY_NAME = {str(table.name): table for table in TABLES.values()}


def group_of(table: str, column: str) -> str:
    if column in MONEY_COLUMNS.get(table, ()):
        return "money"
    return "personal" if column in PERSONAL_COLUMNS.get(table, ()) else "fixed"


def _columns(table: str, dialect: str) -> str:
    as_text: Mapping[object, str] = {
        TIME: canonical.MICROSECONDS[dialect],
        MONEY: "cast({} as text)",
        MAPPING: "cast({} as text)",
        DAY: "cast({} as text)",
    }
    return ", ".join(as_text.get(c.type, "{}").format(f'"{c.name}"') for c in TABLES_BY_NAME[table].columns)


def _digest(key: bytes, values: list[Any]) -> bytes:
    return blake2b(canonical.plain(values), key=key, digest_size=_SIZE).digest()


def read(path: Path) -> Iterator[tuple[str, RowDigests]]:
    """Id and digests of every row in a seal's file. Raises OSError, or ValueError for a line that is none."""
    with path.open("rb") as file:
        for line in file:
            id_, fixed, money, personal = line.rstrip(b"\n").rsplit(b" ", 3)
            yield orjson.loads(id_), RowDigests(*(bytes.fromhex(text.decode()) for text in (fixed, money, personal)))


def accounted(book: TrailBook) -> dict[str, Counter[str]]:
    """How many rows the trail says were changed since: table → group, or `removed` → how many."""
    sums: dict[str, Counter[str]] = {table: Counter() for table in SEALED}
    like = f"select details from events where cast(details as text) like '%\"{CHANGED}\"%'"  # noqa: S608 - our own name
    for row in book.rows(like):
        stated = row["details"].get(CHANGED) if isinstance(row["details"], dict) else None
        for table, counts in (stated if isinstance(stated, dict) else {}).items():
            for group, n in (counts if isinstance(counts, dict) and table in sums else {}).items():
                sums[table][group] += n if isinstance(n, int) and n > 0 else 0
    return sums


def day_end(day: date) -> datetime:
    """The moment at which a UTC day is over."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
