"""A SQLAlchemy engine on the book, for tools that want one; Daybook's own reads do without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from daybook.book.stores.factory import Store


def make(store: Store) -> Engine:
    """Read-only, times in UTC. NullPool: a pooled connection would keep a DuckDB file's lock after it was closed."""
    if store.dialect == "duckdb":
        engine = create_engine(store.url, poolclass=NullPool, connect_args={"read_only": True})
        event.listen(engine, "connect", lambda connection, _: connection.execute("set TimeZone = 'UTC'"))
        return engine
    arguments = {"options": "-c default_transaction_read_only=on", "connect_timeout": 10}
    url = store.url.replace("postgresql:", "postgresql+psycopg:", 1)
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    event.listen(engine, "connect", _in_utc)
    return engine


def _in_utc(connection: Any, _: object) -> None:
    connection.execute("set time zone 'UTC'")  # said as a statement, it outdoes the variable PGTZ
    connection.commit()  # a rollback would undo it
