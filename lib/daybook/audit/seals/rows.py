"""The rows of the book as digests, so that one that is edited later is found, and which one.

A seal has a file a table with a line a row: `"id" fixed money personal`. Each of the three is a keyed BLAKE2b of 8
bytes over the columns of its group. They are apart because they may change for reasons of their own: costs are priced
again, personal content is erased. Such a change is entered in the trail with how many rows it was, e.g.
`{"changed_rows": {"calls": {"personal": 12, "removed": 3}}}` in the event's details, and what the sealed ones of them
became is in a file of the same lines whose digest it has (daybook.audit.seals.changes). The hash is keyed because a
plain one of an erased text could be guessed at.

Events are in the chain and not here; subjects change with every call about them and are not sealed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from daybook.audit.ports import TrailBook, tuples
from daybook.book.checks import CHANGED
from daybook.book.schema import DAY, MAPPING, MONEY, TABLES, TIME
from daybook.book.stores.port import WriteSession
from daybook.book.trail import canonical, keys
from daybook.book.trail.chain import SECRET as CHAIN

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
PAGE = 20_000
"""Rows that are read at once: some tens of megabytes."""
SEALED_CHANGED = "changed_sealed_rows"
"""Where they say how many of these a seal had as they stood, and what they became is not known; see
`daybook.audit.seals.changes`."""
NOT_MADE = "changed_rows_not_made"
"""Where they say how many rows that an entry before says were removed never were: that change was cut off."""
_MANY = 5_000
"""Ids that are asked for at once."""
_SIZE = 8
_EPOCH = datetime.fromtimestamp(0, UTC)


class RowDigests(NamedTuple):
    """The digests of one row, a group each."""

    fixed: bytes
    money: bytes
    personal: bytes

    def text(self) -> bytes:
        return b"%b %b %b" % tuple(digest.hex().encode() for digest in self)

    @classmethod
    def of(cls, text: bytes) -> RowDigests:
        """From its text. Raises ValueError for one that is none."""
        fixed, money, personal = text.decode("ascii").split(" ")
        return cls(bytes.fromhex(fixed), bytes.fromhex(money), bytes.fromhex(personal))


REMOVED = b"- - -"
"""Stands for the digests of a row that is not there."""


def differences(before: bytes, after: bytes) -> list[str]:
    """In which groups two texts of digests differ, or that one is of a row that was removed."""
    if REMOVED in (before, after):
        return ["removed"]
    pair = zip(GROUPS, RowDigests.of(before), RowDigests.of(after), strict=True)
    return [group for group, then, now in pair if then != now]


def settled(became: bytes, now: bytes, before: Collection[bytes]) -> bytes:
    """What a row is to be whose change was announced and may have been cut off: what it became, save in what it still
    is as it was. Each as the text of its digests; `before`: what it may have been."""
    if REMOVED in (became, now):
        return now if now in before else became
    former = [RowDigests.of(text) for text in before if text != REMOVED]
    to_be, there = RowDigests.of(became), RowDigests.of(now)
    still = {g: getattr(there, g) for g in GROUPS if any(getattr(there, g) == getattr(was, g) for was in former)}
    return to_be._replace(**still).text()


class RowSpan(NamedTuple):
    """The rows of a table from the moment `first` to `last` that are before `until`. `rows`: how many are meant; where
    there are none, `first` and `last` are `until`."""

    table: str
    rows: int
    first: datetime
    last: datetime
    until: datetime


def spans(book: TrailBook, until: datetime) -> dict[str, RowSpan]:
    """What there is to seal in each table."""
    parts = (
        f"select '{table}' as name, count(*) as n, min({_moment(table)}) as first, max({_moment(table)}) as last "  # noqa: S608 - our own names
        f"from {table} {_bounds(table)}"
        for table in SEALED
    )
    by_name = {row["name"]: row for row in book.rows(" union all ".join(parts), {"until": until})}
    return {
        table: RowSpan(table, row["n"], row["first"] or until, row["last"] or until, until)
        for table in SEALED
        for row in [by_name[table]]
    }


def moments(book: TrailBook, span: RowSpan, *, page: int = PAGE) -> Iterator[tuple[str, int]]:
    """Id and moment, in microseconds since 1970, of every row of the span."""
    query = (
        f"select id, {_microseconds(book, span.table)} from {span.table} {_bounds(span.table)} "  # noqa: S608 - our own names
        f"and {_moment(span.table)} >= :start and {_moment(span.table)} < :stop"
    )
    for within in _pages(book, span, page):
        for id_, moment in tuples(book, query, within):
            yield id_, int(moment)


def moment_of(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _pages(book: TrailBook, span: RowSpan, page: int) -> Iterator[dict[str, Any]]:
    """The parameters that read the span in times of as many rows as are read at once."""
    values, last = {"until": span.until}, span.last + timedelta(microseconds=1)
    starts = [span.first]
    if span.rows > page:
        query = (
            f"select moment from (select {_microseconds(book, span.table)} as moment, "  # noqa: S608 - our own names
            f"row_number() over (order by {_moment(span.table)}) as n from {span.table} {_bounds(span.table)}) c "
            "where (n - 1) % :page = 0 and n > 1 order by moment"
        )
        later = (moment_of(int(moment)) for (moment,) in tuples(book, query, values | {"page": page}))
        starts += [moment for moment in dict.fromkeys(later) if span.first < moment < last]
    for start, stop in pairwise([*starts, last]):
        yield values | {"start": start, "stop": stop}


def digests(book: TrailBook, span: RowSpan, *, page: int = PAGE) -> Iterator[tuple[str, RowDigests]]:
    """Id and digests of every row of the span. Of the runs only those that have ended: the others are still to
    change."""
    if not span.rows:
        return  # where nothing was ever sealed, there is no key
    table, moment = span.table, _moment(span.table)
    selected = f"select {_columns(table, book.store.dialect)} from {table} {_bounds(table)}"  # noqa: S608 - our own names
    query = f"{selected} and {moment} >= :start and {moment} < :stop"
    for within in _pages(book, span, page):
        yield from _digested(book.home, table, tuples(book, query, within))


def digests_of(book: TrailBook, table: str, ids: Sequence[str]) -> Iterator[tuple[str, RowDigests]]:
    """Id and digests of those of the rows that are there."""
    for start in range(0, len(ids), _MANY):
        bound = {f"i{n}": id_ for n, id_ in enumerate(ids[start : start + _MANY])}
        listed = ", ".join(f":{name}" for name in bound)
        query = f"select {_columns(table, book.store.dialect)} from {table} where id in ({listed})"  # noqa: S608 - our own names
        yield from _digested(book.home, table, tuples(book, query, bound))


def digests_in(writer: WriteSession, home: Path, table: str, ids: Sequence[str]) -> Iterator[tuple[str, RowDigests]]:
    """The same as the writer's open transaction has them."""
    for start in range(0, len(ids), _MANY):
        listed = ", ".join("'" + id_.replace("'", "''") + "'" for id_ in ids[start : start + _MANY])
        query = f"select {_columns(table, writer.dialect)} from {table} where id in ({listed})"  # noqa: S608 - ids as literals
        yield from _digested(home, table, writer.execute(query))


def _digested(home: Path, table: str, found: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, RowDigests]]:
    columns = TABLES_BY_NAME[table].columns
    groups = [(g, [i for i, c in enumerate(columns) if group_of(table, str(c.name)) == g]) for g in GROUPS]
    mappings = [i for i, column in enumerate(columns) if column.type is MAPPING]
    key = keys.secret(home, SECRET, protects=("seals/*/*.rows",))
    for values in found:
        row = list(values)
        for i in mappings:
            row[i] = canonical.mapping(row[i])
        parts = ([f"{table} {group}", row[0], *(row[i] for i in places)] for group, places in groups)
        yield row[0], RowDigests(*(_digest(key, part) for part in parts))


def _microseconds(book: TrailBook, table: str) -> str:
    return canonical.MICROSECONDS[book.store.dialect].format(_moment(table))


def _moment(table: str) -> str:
    return "started_at" if table == "runs" else "time"


def _bounds(table: str) -> str:
    ended = "and state <> 'running'" if table == "runs" else ""
    return f"where {_moment(table)} < :until {ended}"


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


def line(key: bytes, text: bytes) -> bytes:
    """A line of a seal's file: the id as JSON, and the text of its digests."""
    return b"%b %b\n" % (key, text)


def read(file: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The id as JSON, and the text of the digests, of every line of a seal's file."""
    for row in file:
        key, fixed, money, personal = row.rstrip(b"\n").rsplit(b" ", 3)
        yield key, b"%b %b %b" % (fixed, money, personal)


def accounted(book: TrailBook) -> dict[str, Counter[str]]:
    """How many rows the trail says were changed since: table → group, or `removed` → how many."""
    sums: dict[str, Counter[str]] = {table: Counter() for table in SEALED}
    like = f"select details from events where cast(details as text) like '%\"{CHANGED}\"%'"  # noqa: S608 - our own name
    for row in book.rows(like):
        details = row["details"] if isinstance(row["details"], dict) else {}
        for stated, sign in ((details.get(CHANGED), 1), (details.get(NOT_MADE), -1)):
            for table, counts in (stated if isinstance(stated, dict) else {}).items():
                for group, n in (counts if isinstance(counts, dict) and table in sums else {}).items():
                    sums[table][group] += sign * n if isinstance(n, int) and n > 0 else 0
    return sums


def accounted_sealed(book: TrailBook) -> dict[str, Counter[str]]:
    """How many sealed rows the trail says were changed since, by entries that do not say what they became. One that
    does not say how many of its rows a seal had, or that another home made, which has not got the seals, stands for all
    of them."""
    own = keys.existing(book.home, CHAIN)
    query = (
        "select e.details, c.key = :own as own from events e join audit_chain c on c.event = e.id "  # noqa: S608 - our own name
        f"where cast(e.details as text) like '%\"{CHANGED}\"%'"
    )
    sums: dict[str, Counter[str]] = {table: Counter() for table in SEALED}
    for row in book.rows(query, {"own": "" if own is None else keys.identity(own)}):
        details = row["details"] if isinstance(row["details"], dict) else {}
        exact = row["own"] and isinstance(details.get(SEALED_CHANGED), dict)
        stated = details.get(SEALED_CHANGED if exact else CHANGED)
        for table, counts in (stated if isinstance(stated, dict) else {}).items():
            for group, n in (counts if isinstance(counts, dict) and table in sums else {}).items():
                sums[table][group] += n if isinstance(n, int) and (exact or n > 0) else 0
    return sums


def day_end(day: date) -> datetime:
    """The moment at which a UTC day is over."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
