"""The shared book: a Postgres database.

A drain copies the journal's entries into a temporary table, a value a column, and moves from there what is new.
(Postgres can take the JSON apart itself, but needs twice as long for it.) Two drains of one journal are kept apart by
the journal's own lock, and, should that fail them, by the mark each file has in the book: it is moved on only from
where the batch began.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from psycopg import sql
from psycopg.types.string import TextLoader

from daybook.book.entry import Entry
from daybook.book.stores import parameters, upserts
from daybook.book.stores.address import PostgresAddress
from daybook.book.stores.port import Batch, OffsetMoved, QueryResult, Row
from daybook.errors import BookUnreachable

if TYPE_CHECKING:
    import pyarrow as pa

_SCHEMA_LOCK = 4_202_611
_CHAIN_LOCK = 4_202_612
_WHOLE_LOCK = 4_202_613
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError)


class PostgresStore:
    dialect = "postgresql"
    unfit: tuple[type[Exception], ...] = (psycopg.DataError, psycopg.IntegrityError)

    def __init__(self, url: str, *, patience: float) -> None:
        self._address = PostgresAddress.of(url)
        self.url = self._address.url
        self.shown = self._address.shown
        self._patience = patience

    @contextlib.contextmanager
    def writing(self, *, foreign: float | None = None) -> Iterator[PostgresWriter]:
        with self._connected() as connection:
            yield PostgresWriter(connection)

    @contextlib.contextmanager
    def reading(self) -> Iterator[PostgresReading]:
        with self._connected(autocommit=False) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # what is read belongs together
            connection.read_only = True  # said as each transaction begins: poolers take no start-up parameter for it
            connection.execute("set local time zone 'UTC'")
            for name in ("json", "jsonb"):
                connection.adapters.register_loader(name, TextLoader)
            yield PostgresReading(connection)

    @contextlib.contextmanager
    def _connected(self, *, autocommit: bool = True) -> Iterator[psycopg.Connection[Row]]:
        """A connection for one use. Foreign errors that mean the database is away become BookUnreachable."""
        connection: psycopg.Connection[Row] | None = None
        try:
            connection = psycopg.connect(
                self.url,
                autocommit=autocommit,
                prepare_threshold=None,  # a pooler may send the next transaction to another connection
                connect_timeout=max(2, min(10, int(self._patience))),
                client_encoding="UTF8",
                application_name="daybook",
                keepalives_idle=30,
            )
            yield connection
        except _AWAY as error:
            # from None: the driver's own message may hold the password
            raise BookUnreachable(
                f"The book {self.shown} does not answer: {self._why(error).rstrip(' .?')}.",
                remedy="Start the database, or check DAYBOOK_BOOK; what is journaled waits and is drained once it "
                "is back.",
            ) from None
        finally:
            if connection is not None:
                connection.close()

    def _why(self, error: Exception) -> str:
        return self._address.conceal(" ".join(str(error).split()))[:300] or type(error).__name__

    @contextlib.contextmanager
    def alone(self, *, patience: float) -> Iterator[None]:
        """The lock is a transaction's, because a pooler may give the next transaction another connection. It holds no
        snapshot: deleted rows would be kept from being vacuumed, and an erasure would leave them."""
        with self._connected(autocommit=False) as connection:
            connection.execute(f"set local lock_timeout = {max(1, round(patience * 1000))}".encode())
            connection.execute("set local idle_in_transaction_session_timeout = 0")
            try:
                # without a parameter: the portal of one with parameters would keep its snapshot
                connection.execute(f"select pg_advisory_xact_lock({_WHOLE_LOCK})".encode())
            except psycopg.errors.LockNotAvailable:
                raise TimeoutError from None
            yield

    def rewrite(self) -> None:
        """Write every table anew with what is in it now, and nothing else. The write-ahead log, replicas and base
        backups keep what was for as long as the server's own settings say; nothing here can change that."""
        with self._connected() as connection:
            tables = connection.execute("select tablename from pg_tables where schemaname = current_schema()")
            for (table,) in tables.fetchall():
                connection.execute(sql.SQL("vacuum (full, analyze) {}").format(sql.Identifier(table)))

    def files(self) -> list[Path]:
        """Its files are the server's."""
        return []

    def close(self) -> None:
        """Nothing is kept."""

    def presence(self) -> object:
        return None

    def size(self) -> int | None:
        with self._connected() as connection:
            row = connection.execute("select pg_database_size(current_database())").fetchone()
            return int(row[0]) if row else None


class PostgresWriter:
    dialect = "postgresql"
    json_type = "jsonb"
    bytes_type = "bytea"
    key_clause = "primary key"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def execute(self, sql: str) -> list[Row]:
        done = self._connection.execute(sql.encode())
        return done.fetchall() if done.description else []

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            self._connection.execute("set local time zone 'UTC'")  # as a statement, it outdoes the variable PGTZ
            yield

    def load(self, table: str, path: Path) -> int:
        import pyarrow.parquet as pq

        source, count = pq.ParquetFile(path), 0
        names = ", ".join(f'"{name}"' for name in source.schema_arrow.names)
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"copy {table} ({names}) from stdin".encode()) as copy,
        ):
            for batch in source.iter_batches(20_000):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    copy.write_row(row)
                count += batch.num_rows
        return count

    def migrating(self) -> None:
        self._connection.execute("select pg_advisory_xact_lock(%s)", [_SCHEMA_LOCK])

    def chaining(self) -> None:
        self._connection.execute("select pg_advisory_xact_lock(%s)", [_CHAIN_LOCK])

    def chain(self, links: Sequence[Row]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy("copy audit_chain (seq, event, digest, link, key) from stdin") as copy,
        ):
            for link in links:
                copy.write_row(link)

    def move(self, batch: Batch) -> Mapping[str, int]:
        new = {}
        with self._connection.cursor() as cursor:
            for kind, entries in batch.entries.items():
                _stage(cursor, kind, entries)
                counts = []
                for sql in upserts.statements(kind, keyed=True):
                    cursor.execute(sql.encode())
                    counts.append(cursor.rowcount)
                new[kind] = counts[0]
                cursor.execute("drop table stage")
            cursor.executemany(
                "insert into journal_set_aside (file, position, reason, torn, line, found_at) "
                "values (%s, %s, %s, %s, %s, now()) on conflict do nothing",
                [(a.file, a.position, a.reason, a.torn, a.line) for a in batch.asides],
            )
            self._mark(cursor, batch, sum(n for kind, n in new.items() if kind not in upserts.UPSERTED))
        return new

    def _mark(self, cursor: psycopg.Cursor[Row], batch: Batch, added: int) -> None:
        cursor.execute("select drained from journal_files where file = %s for update", [batch.file])
        before = cursor.fetchone()
        if (before[0] if before else 0) != batch.start:
            raise OffsetMoved
        sql = (
            "insert into journal_files (file, drained, entries, added, set_aside, drained_at) "  # noqa: S608 - our own
            f"values (%s, %s, %s, %s, %s, now()) {upserts.ADD_MARK} where journal_files.drained = %s"
        )
        values = [batch.file, batch.end, batch.read, added, len(batch.asides), batch.start]
        cursor.execute(sql.encode(), values)
        if cursor.rowcount != 1:
            raise OffsetMoved


def _stage(cursor: psycopg.Cursor[Row], kind: str, entries: Sequence[Entry]) -> None:
    """A temporary table `stage` with the entries in it. Raises DataError where one is no row of its table."""
    typed = upserts.typed(kind)
    columns = ", ".join(f'"{column}" {"jsonb" if type_ == "json" else type_}' for _, column, type_ in typed)
    cursor.execute(f"create temp table stage (stamp bigint, {columns}) on commit drop".encode())
    fields = [field for field, _, _ in typed]
    taken = itemgetter(*fields)
    mappings = [index for index, (_, _, type_) in enumerate(typed, 1) if type_ == "json"]
    with cursor.copy(f"copy stage (stamp, {upserts.names(kind)}) from stdin".encode()) as copy:
        for entry in entries:
            try:
                body = orjson.loads(entry.body)
                row = [entry.stamp, *taken(body)]
            except KeyError:  # an older line leaves out what it did not know
                row = [entry.stamp, *map(body.get, fields)]
            except orjson.JSONDecodeError as error:
                raise psycopg.DataError(f"its body is not JSON: {error}") from None
            for index in mappings:
                if row[index] is not None:
                    row[index] = orjson.dumps(row[index]).decode()
            try:
                copy.write_row(row)
            except psycopg.ProgrammingError as error:  # an object or the like where a text belongs
                raise psycopg.DataError(str(error)) from None


class PostgresReading:
    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def fetch(self, query: str, params: Mapping[str, Any]) -> QueryResult:
        from daybook.book.stores.arrow import table

        columns, rows = self._read(query, params)
        return table([(c.name, c.type_code, c.scale) for c in columns], rows)

    def tuples(self, query: str, params: Mapping[str, Any]) -> Iterator[Row]:
        return iter(self._read(query, params)[1])

    def _read(self, query: str, params: Mapping[str, Any]) -> tuple[Sequence[psycopg.Column], list[Row]]:
        if parameters.is_copy(query):
            raise parameters.no_rows()
        text, used = parameters.for_postgres(query, params)
        try:
            with self._connection.pipeline():  # it sends one statement only: none can begin a transaction of its own
                done = self._connection.execute(text.encode(), used)
                rows = done.fetchall()
        except psycopg.ProgrammingError as error:
            if error.sqlstate is None:  # the driver's own: there was nothing to fetch
                raise parameters.no_rows() from None
            raise parameters.several() if "multiple commands" in str(error) else parameters.refused(error) from error
        except _AWAY:
            raise
        except psycopg.Error as error:
            raise parameters.refused(error) from error
        return done.description or (), rows

    def stream(self, table: str) -> Iterator[pa.RecordBatch]:
        from daybook.book.stores.arrow import batch_of

        with self._connection.cursor("export") as cursor:
            cursor.itersize = 50_000
            cursor.execute(upserts.in_order(table).encode())
            while rows := cursor.fetchmany(50_000):
                yield batch_of(table, rows)
