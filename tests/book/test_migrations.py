"""The schema and its history."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from daybook.book import Book, migrations, schema
from daybook.errors import BookTooNew
from daybook.records import Call, Event, Finding, ModelAlias, ModelVersion, Run, Subject

OLDEST = {
    "calls": "insert into calls (id, request_id, time, endpoint, requested_model, status, cost, tags) values "
    "('old', 'r', '2025-01-02 03:04:05+00', '/v1/chat/completions', 'gpt-4o', 'ok', 0.000000000001, '{\"a\": 1}')",
    "events": "insert into events (id, time, actor, action) "
    "values ('e', '2025-01-02 03:04:05+00', 'ops', 'key.created')",
    "runs": "insert into runs (id, notebook, logical_date, state, started_at) values "
    "('r1', 'costs', '2025-01-02', 'completed', '2025-01-02 03:04:05+00')",
    "journal_files": "insert into journal_files values ('f-1.jsonl', 100, 3, 2, '2025-01-02 03:04:05+00')",
}


def engine(book: Book) -> Any:
    """A writing engine, past the book: what another program could do to the database."""
    return create_engine(book.store.url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)


def make_oldest(book: Book) -> None:
    """The database as the first migration left it, with rows."""
    with book.store.writing() as writer, writer.transaction():
        writer.execute("create table schema_migrations (name text not null primary key, applied_at timestamptz)")
        for statement in migrations.statements(migrations.MIGRATIONS[0], writer):
            writer.execute(statement)
        writer.execute(f"insert into schema_migrations values ('{migrations.MIGRATIONS[0].name}', now())")
        for statement in OLDEST.values():
            writer.execute(statement)


def shape(book: Book) -> dict[str, dict[str, tuple[str, bool]]]:
    """table → column → (type, may be null), as the database says it."""
    query = (
        "select table_name, column_name, data_type, is_nullable, numeric_precision, numeric_scale "
        "from information_schema.columns where table_schema in ('main', 'public')"
    )
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for row in book.rows(query):
        kind = str(row["data_type"]).lower()
        if kind == "numeric":
            kind = f"decimal({row['numeric_precision']},{row['numeric_scale']})"
        found.setdefault(row["table_name"], {})[row["column_name"]] = (kind, row["is_nullable"] == "YES")
    return found


WORDS = {
    "duckdb": {"text": "varchar", "double precision": "double", "timestamptz": "timestamp with time zone",
               "decimal(24, 12)": "decimal(24,12)", "bytes": "blob"},
    "postgresql": {"timestamptz": "timestamp with time zone", "json": "jsonb", "decimal(24, 12)": "decimal(24,12)",
                   "bytes": "bytea"},
}  # fmt: skip


def test_the_history_ends_in_the_schema(book: Book) -> None:
    """A book made by all migrations has exactly the tables, columns, types and needs that the schema states."""
    book.drain()
    words = WORDS[book.store.dialect]
    expected = {}
    for name, table in schema.metadata.tables.items():
        columns = {}
        for column in table.columns:
            kind = schema.TYPE_NAMES.get(column.type, "bytes")
            columns[column.name] = (words.get(kind, kind), bool(column.nullable))
        expected[name] = columns
    expected["schema_migrations"]["applied_at"] = ("timestamp with time zone", True)
    assert shape(book) == expected


def test_a_book_from_the_oldest_schema_becomes_the_newest(
    book: Book, open_book: Callable[..., Book], make: Any
) -> None:
    """Every row it had is still there, value for value; what was added is empty; new entries go in."""
    make_oldest(book)
    book.append(make.call(id="new", truncated=True, subject="s"))
    assert book.rows("select id, subject, truncated, cost, tags from calls order by id desc") == [
        {"id": "old", "subject": None, "truncated": None, "cost": Decimal("0.000000000001"), "tags": {"a": 1}},
        {"id": "new", "subject": "s", "truncated": True, "cost": Decimal("0.000123456789"), "tags": {}},
    ]
    assert book.rows("select id, logical_date, idempotency_key from runs") == [
        {"id": "r1", "logical_date": date(2025, 1, 2), "idempotency_key": None}
    ]
    files = book.rows("select * from journal_files where file = 'f-1.jsonl'")
    then = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert files == [
        {"file": "f-1.jsonl", "drained": 100, "entries": 3, "added": 2, "drained_at": then, "set_aside": None}
    ]
    applied = [row["name"] for row in book.rows("select name from schema_migrations order by name")]
    assert applied == [migration.name for migration in migrations.MIGRATIONS]
    fresh = open_book(book.store.url)
    fresh.drain()
    assert shape(fresh) == shape(book)


def test_migrations_are_applied_once(book: Book, open_book: Callable[..., Book]) -> None:
    """Opening the book again applies nothing: the moments stay."""
    book.drain()
    before = book.rows("select * from schema_migrations order by name")
    open_book(book.store.url).drain()
    assert book.rows("select * from schema_migrations order by name") == before


def test_a_migration_that_fails_leaves_no_trace(book: Book) -> None:
    """All that are due are applied in one transaction: here one of them meets a table that is in its way."""
    with book.store.writing() as writer, writer.transaction():
        writer.execute("create table subjects (mine text)")
    with pytest.raises(Exception, match=r"(?i)subjects.*already exists"):
        book.drain()
    with engine(book).connect() as connection:
        assert inspect(connection.engine).get_table_names() == ["subjects"]


def test_a_newer_books_book_is_left_alone(book: Book, open_book: Callable[..., Book], make: Any) -> None:
    """Reading and draining are refused with what is unknown and what to do; entries wait, and nothing is written."""
    book.append(make.call())
    book.drain()
    with book.store.writing() as writer, writer.transaction():
        writer.execute("insert into schema_migrations values ('0042_from_the_future', now())")
    book.append(make.call())
    for one in (book, open_book(book.store.url)):
        with pytest.raises(
            BookTooNew, match=r"1 of its \d+ migrations are unknown here.*'0042_from_the_future'.*newer"
        ):
            one.rows("select 1")
        with pytest.raises(BookTooNew):
            one.drain()
    with book.store.writing() as writer, writer.transaction():
        assert writer.execute("select count(*) from calls") == [(1,)]
        writer.execute("delete from schema_migrations where name = '0042_from_the_future'")
    assert len(book.rows("select id from calls")) == 2


def test_many_may_make_the_same_book_at_once(book_url: str, tmp_path: Path, open_book: Callable[..., Book]) -> None:
    """Eight openers with homes of their own meet an empty database: it is made once, and all can use it."""
    books = [open_book(book_url, home=tmp_path / f"home-{n}") for n in range(8)]
    failed: list[BaseException] = []

    def migrate(book: Book) -> None:
        try:
            book.drain()
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=migrate, args=(book,)) for book in books]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    (row,) = books[0].rows("select count(*) as n, count(distinct name) as u from schema_migrations")
    assert row == {"n": len(migrations.MIGRATIONS), "u": len(migrations.MIGRATIONS)}


@pytest.mark.parametrize("record", [Call, Event, Run, Finding, Subject, ModelVersion, ModelAlias])
def test_a_table_has_the_records_fields(record: Any) -> None:
    """Neither a field without a column nor a column without a field; what a record must have, the table needs."""
    table = schema.TABLES[record.kind]
    hints = typing.get_type_hints(record)
    names = {schema.COLUMNS.get(field.name, field.name): field for field in fields(record)}
    assert {column.name for column in table.columns} == set(names)
    for column in table.columns:
        field = names[column.name]
        optional = isinstance(hints[field.name], types.UnionType) and types.NoneType in hints[field.name].__args__
        has_default = field.default is not MISSING or field.default_factory is not MISSING
        assert column.nullable == (optional or has_default), column.name


def test_the_names_of_migrations_are_in_order() -> None:
    """Numbered from 0001 without a gap, so that history has one order."""
    assert [m.name[:4] for m in migrations.MIGRATIONS] == [f"{n:04}" for n in range(1, len(migrations.MIGRATIONS) + 1)]


def test_the_tables_work_as_sqlalchemy_tables(book: Book, make: Any) -> None:
    """A Core select through the schema gives the same values as SQL text."""
    book.append(make.call(tags={"a": "b"}))
    book.drain()
    with book.engine().connect() as connection:
        (row,) = connection.execute(schema.calls.select()).mappings().all()
        assert (row["cost"], row["tags"], row["time"].astimezone(UTC)) == (
            Decimal("0.000123456789"), {"a": "b"}, make.noon,
        )  # fmt: skip
        with pytest.raises(Exception, match="read-only"):
            connection.execute(text("delete from calls"))
