"""A SQLAlchemy engine on the book, for tools that want one; Daybook's own reads do without."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    import psycopg

    from daybook.book.stores.port import Store


def make(store: Store) -> Engine:
    """Read-only, times in UTC. NullPool: a pooled connection would keep a DuckDB file's lock after it was closed."""
    if store.dialect == "duckdb":
        engine = create_engine(store.url, poolclass=NullPool, connect_args={"read_only": True})
        event.listen(engine, "connect", lambda connection, _: connection.execute("set TimeZone = 'UTC'"))
        return engine
    # connected by libpq's own reading of the address: SQLAlchemy knows no second host
    engine = create_engine("postgresql+psycopg://", poolclass=NullPool, creator=partial(_connection, store.url))
    event.listen(engine, "begin", _in_utc)
    return engine


def _connection(url: str) -> psycopg.Connection[Any]:
    import psycopg

    connection = psycopg.connect(url, connect_timeout=10, prepare_threshold=None)
    connection.read_only = True
    return connection


def _in_utc(connection: Connection) -> None:
    connection.exec_driver_sql("set local time zone 'UTC'")  # as a statement, it outdoes the variable PGTZ
