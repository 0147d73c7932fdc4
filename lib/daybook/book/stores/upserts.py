"""The statements that move entries into their tables, made from the schema; both databases spell them alike.

They read from `stage`, a temporary table with the columns of the kind's table and `stamp`.
"""

from __future__ import annotations

from functools import cache

from daybook.book import schema
from daybook.book.schema import COLUMNS, TABLES, TYPE_NAMES, UPSERTED

__all__ = ["ADD_MARK", "UPSERTED", "in_order", "names", "statements", "typed"]

FIELDS = {column: field for field, column in COLUMNS.items()}

ADD_MARK = """
    on conflict (file) do update set drained = excluded.drained, entries = journal_files.entries + excluded.entries,
    added = journal_files.added + excluded.added, drained_at = excluded.drained_at,
    set_aside = coalesce(journal_files.set_aside, 0) + excluded.set_aside
"""


@cache
def typed(kind: str) -> tuple[tuple[str, str, str], ...]:
    """(field of the record, column, its type) of a kind's table."""
    return tuple((FIELDS.get(c.name, c.name), c.name, TYPE_NAMES[c.type]) for c in TABLES[kind].columns)


@cache
def names(kind: str) -> str:
    return ", ".join(f'"{column}"' for _, column, _ in typed(kind))


@cache
def statements(kind: str, *, keyed: bool) -> tuple[str, ...]:
    """What moves `stage` into the table of `kind`; the first one's count is how many entries were new.

    `keyed`: whether the table has a primary key; where not, the ids there already are looked up. That
    join is inside out so that the span of the new ids prunes the table: only its newest blocks are read.
    """
    table, columns = TABLES[kind].name, names(kind)
    insert = f"insert into {table} ({columns}) select {columns} from stage s"  # noqa: S608 - our own names
    if kind in UPSERTED:
        changed = ", ".join(f'"{c}" = excluded."{c}"' for _, c, _ in typed(kind) if c != "id")
        later = f"select 1 from entry_stamps e where e.kind = '{kind}' and e.id = s.id and e.stamp >= s.stamp"  # noqa: S608 - our own names
        stamp = (
            f"insert into entry_stamps (kind, id, stamp) select '{kind}', id, stamp from stage where true "  # noqa: S608 - our own names
            "on conflict (kind, id) do update set stamp = excluded.stamp where excluded.stamp > entry_stamps.stamp"
        )
        return f"{insert} where not exists ({later}) on conflict (id) do update set {changed}", stamp
    if keyed:
        return (f"{insert} where true on conflict (id) do nothing",)
    there = f"select t.id from {table} t semi join stage n on t.id = n.id"  # noqa: S608 - our own names
    return (f"{insert} where s.id not in ({there})",)


@cache
def in_order(table: str) -> str:
    """All columns of a table of the book: records in the order things happened, others by their key."""
    columns = schema.metadata.tables[table].columns
    kind = next((kind for kind, candidate in TABLES.items() if candidate.name == table), None)
    moment = "started_at, id" if kind == "run" else "time, id"
    order = moment if kind else ", ".join(f'"{column.name}"' for column in columns if column.primary_key)
    names = ", ".join(f'"{column.name}"' for column in columns)
    return f"select {names} from {table} order by {order}"  # noqa: S608 - our own names
