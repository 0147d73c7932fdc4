"""The embedded book: one DuckDB file.

A drain stages the journal's lines as a file and lets DuckDB read it, typed by the schema. No parameter is
bound while draining: to convert one, DuckDB imports pandas, and the endpoint, in whose process this runs,
shall not pay for that.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import orjson

from daybook import atomic
from daybook.book.stores import locks, parameters, upserts
from daybook.book.stores.instance import BROKEN, ENDINGS, Instance
from daybook.book.stores.port import Batch, OffsetMoved, QueryResult, Row
from daybook.clock import new_id
from daybook.errors import BookUnreachable

if TYPE_CHECKING:
    import pyarrow as pa

_LINK = "{seq: 'bigint', event: 'text', digest: 'text', link: 'text', key: 'text'}"
_ASIDE = "{file: 'text', position: 'bigint', reason: 'text', torn: 'boolean', line: 'text'}"


_SWITCH = re.compile(
    r"\b(enable_logging|disable_logging|truncate_duckdb_logs|set_log_level|write_log|checkpoint|force_checkpoint"
    r'|query|query_table)"?\s*\(',
    re.IGNORECASE,
)
"""Functions that a SELECT may call and that change the instance for whoever asks next, or call another by its name."""


class DuckStore:
    dialect = "duckdb"
    unfit: tuple[type[Exception], ...] = (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException)

    def __init__(self, path: Path, *, patience: float) -> None:
        self.path = path.resolve()  # one file has one lock and one instance, whatever names it
        self.url = self.shown = f"duckdb:///{path}"
        self._patience = patience
        self._instances: dict[bool, Instance] = {}

    @contextlib.contextmanager
    def writing(self, *, foreign: float | None = None) -> Iterator[DuckWriter]:
        deadline = time.monotonic() + self._patience
        with locks.alone(self.path, deadline=deadline, patience=self._patience):
            if not self.path.exists():
                self._create()
            with self._opened(deadline, read_only=False, foreign=foreign) as connection:
                yield DuckWriter(connection, self.path)

    @contextlib.contextmanager
    def reading(self) -> Iterator[DuckReading]:
        deadline = time.monotonic() + self._patience
        with (
            locks.shared(self.path, deadline=deadline, patience=self._patience),
            self._opened(deadline, read_only=True) as connection,
        ):
            yield DuckReading(connection)

    @contextlib.contextmanager
    def alone(self, *, patience: float) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with atomic.alone(self.path.with_name(self.path.name + ".alone.lock"), patience=patience):
            yield

    def rewrite(self) -> None:
        """Write the file anew with what is in it now, and nothing else: deleted rows stay in a DuckDB file through
        every checkpoint and vacuum. Whoever reads or drains waits meanwhile, and finds the new file afterwards."""
        deadline = time.monotonic() + self._patience
        fresh = self.path.with_name(f".{self.path.name}-{new_id()}")
        with locks.alone(self.path, deadline=deadline, patience=self._patience):
            if not self.path.exists():
                return
            try:
                with self._opened(deadline, read_only=False) as connection:
                    connection.execute("checkpoint")
                    name = str(fresh).replace("'", "''")
                    connection.execute(f"attach '{name}' as fresh")
                    try:
                        connection.execute("copy from database book to fresh")
                        connection.execute("checkpoint fresh")
                    finally:
                        connection.execute("detach fresh")
                fresh.chmod(0o600)
                _sync(fresh)
                fresh.replace(self.path)
                _sync(self.path.parent)
                for ending in ENDINGS[1:]:
                    self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
            except (duckdb.Error, OSError) as error:
                raise self._broken(error) from error
            finally:
                for ending in ENDINGS:
                    fresh.with_name(fresh.name + ending).unlink(missing_ok=True)

    def close(self) -> None:
        """End the DuckDB that is kept between uses; the next use starts another."""
        self._instances.clear()

    def files(self) -> list[Path]:
        """The files that the book is in."""
        paths = [self.path.with_name(self.path.name + ending) for ending in ENDINGS]
        return [path for path in paths if path.exists()]

    def _create(self) -> None:
        """An empty book, its owner's only, there whole or not at all: one that a full disk cut short could never be
        opened again."""
        fresh = self.path.with_name(f".{self.path.name}-{new_id()}")
        try:
            duckdb.connect(str(fresh)).close()
            fresh.chmod(0o600)
            fresh.replace(self.path)
        except (duckdb.Error, OSError) as error:
            raise self._broken(error) from error
        finally:
            fresh.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _opened(
        self, deadline: float, *, read_only: bool, foreign: float | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """The open file. A foreign holder, which knows nothing of our lock files, is waited for until `deadline`, or
        for `foreign` seconds."""
        patience = self._patience if foreign is None else min(foreign, self._patience)
        if foreign is not None:
            deadline = min(deadline, time.monotonic() + foreign)
        instance = self._instances.setdefault(read_only, Instance.of(self.path, read_only=read_only))
        try:
            with contextlib.ExitStack() as stack:
                while True:
                    try:
                        connection = stack.enter_context(instance.opened())
                        break
                    except duckdb.Error as error:
                        if not (words := _in_use(error)):
                            raise self._broken(error) from error
                        if time.monotonic() > deadline:
                            raise locks.locked(self.path, patience, words) from None
                        time.sleep(0.02)
                yield connection
        except (*BROKEN, OSError) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> BookUnreachable:
        return BookUnreachable(
            f"The book {self.path} cannot be used: {str(error).strip().splitlines()[0][:200].rstrip('.')}.",
            remedy="Check that DAYBOOK_BOOK names a DuckDB database that you may write, on a disk with room; "
            "what is journaled waits.",
        )

    def presence(self) -> object:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return None

    def size(self) -> int | None:
        return self.path.stat().st_size if self.path.exists() else None


def _in_use(error: Exception) -> str:
    """DuckDB's words where another program, or another connection of this one, has the file open; else none."""
    text = str(error)
    if "Unique file handle conflict" in text:
        return f"PID {os.getpid()}"
    return text if "set lock" in text else ""


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DuckWriter:
    dialect = "duckdb"
    json_type = "json"
    bytes_type = "blob"
    key_clause = ""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def execute(self, sql: str) -> list[Row]:
        return self._connection.execute(sql).fetchall()

    def load(self, table: str, path: Path) -> int:
        import pyarrow.parquet as pq

        file = pq.ParquetFile(path)
        names = ", ".join(f'"{name}"' for name in file.schema_arrow.names)
        source = str(path).replace("'", "''")
        self.execute(f"insert into {table} ({names}) select {names} from read_parquet('{source}')")  # noqa: S608 - our own names and file
        return int(file.metadata.num_rows)

    def migrating(self) -> None:
        """We are alone in the file."""

    def chaining(self) -> None:
        """We are alone in the file."""

    def chain(self, links: Sequence[Row]) -> None:
        names = ("seq", "event", "digest", "link", "key")
        lines = [orjson.dumps(dict(zip(names, link, strict=True)), option=orjson.OPT_APPEND_NEWLINE) for link in links]
        with self._staged(lines, _LINK) as stage:
            self.execute(f"insert into audit_chain select seq, event, digest, link, key from {stage}")  # noqa: S608 - our own file

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.execute("begin")
        try:
            yield
            self._connection.execute("commit")
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                self._connection.execute("rollback")
            raise

    def move(self, batch: Batch) -> Mapping[str, int]:
        new = {}
        for kind, entries in batch.entries.items():
            body = ", ".join(f'"{field}" {type_}' for field, _, type_ in upserts.typed(kind))
            taken = ", ".join(f'body."{field}" as "{column}"' for field, column, _ in upserts.typed(kind))
            lines = [b'{"stamp":%d,"body":%b}\n' % (entry.stamp, entry.body) for entry in entries]
            with self._staged(lines, f"{{stamp: 'bigint', body: 'struct({body})'}}") as stage:
                self.execute(f"create or replace temp table stage as select stamp, {taken} from {stage}")  # noqa: S608 - our own names and file
            counts = [int(self.execute(sql)[0][0]) for sql in upserts.statements(kind, keyed=False)]
            new[kind] = counts[0]
        self._set_aside(batch)
        self._mark(batch, sum(n for kind, n in new.items() if kind not in upserts.UPSERTED))
        return new

    def _set_aside(self, batch: Batch) -> None:
        if not batch.asides:
            return
        rows = [
            {"file": a.file, "position": a.position, "reason": a.reason, "torn": a.torn,
             "line": base64.b64encode(a.line).decode()} for a in batch.asides
        ]  # fmt: skip
        with self._staged([orjson.dumps(row) + b"\n" for row in rows], _ASIDE) as stage:
            self.execute(
                "insert or ignore into journal_set_aside "  # noqa: S608 - our own file
                f"select file, position, reason, torn, from_base64(line), now() from {stage}"
            )

    def _mark(self, batch: Batch, added: int) -> None:
        file = "'" + batch.file.replace("'", "''") + "'"
        counts = f"{batch.end}, {batch.read}, {added}, {len(batch.asides)}"
        moved = self.execute(
            "insert into journal_files (file, drained, entries, added, set_aside, drained_at) "  # noqa: S608 - literals
            f"select {file}, {counts}, now() where {batch.start} = "
            f"coalesce((select drained from journal_files where file = {file}), 0) {upserts.ADD_MARK}"
        )
        if moved != [(1,)]:
            raise OffsetMoved

    @contextlib.contextmanager
    def _staged(self, lines: list[bytes], columns: str) -> Iterator[str]:
        """The lines as something to select from, typed by `columns`, while this lasts."""
        path = self._path.with_name(f".stage-{new_id()}")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.writelines(lines)
            name = str(path).replace("'", "''")
            most = max(map(len, lines)) + 1024
            yield f"read_ndjson('{name}', columns = {columns}, maximum_object_size = {max(most, 1 << 24)})"
        finally:
            path.unlink(missing_ok=True)


class DuckReading:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def fetch(self, query: str, params: Mapping[str, Any]) -> QueryResult:
        text, used = parameters.for_duckdb(query, params)
        try:
            statements = self._connection.extract_statements(text)
            if len(statements) > 1:
                raise parameters.several()
            if statements and (kind := self._deed(statements[0])):
                raise parameters.command(kind)
            done = self._connection.execute(text, used or None)
            if done is None or done.description is None:
                raise parameters.no_rows()
            kinds = [str(column[1]) for column in done.description]
            table = done.to_arrow_table()
        except BROKEN:
            raise
        except duckdb.Error as error:
            raise parameters.refused(error) from error
        return QueryResult(
            table,
            json=frozenset(i for i, kind in enumerate(kinds) if kind == "JSON"),
            whole=frozenset(i for i, kind in enumerate(kinds) if kind in {"HUGEINT", "UHUGEINT", "UBIGINT"}),
        )

    def _deed(self, statement: duckdb.Statement) -> str:
        """What a statement would do, which is a word of SQL; nothing for one that only reads. The file itself is
        attached for reading; this keeps a query off the instance that it is attached to."""
        if (switch := _SWITCH.search(statement.query)) is not None:
            return switch[1].upper()
        if statement.type == duckdb.StatementType.EXPLAIN:
            about = self._connection.extract_statements(parameters.explained(statement.query))
            return next((deed for deed in map(self._deed, about) if deed), "" if about else "EXPLAIN")
        return "" if statement.type == duckdb.StatementType.SELECT else statement.type.name

    def tuples(self, query: str, params: Mapping[str, Any]) -> Iterator[Row]:
        table = self.fetch(query, params).table
        columns = [[None] * table.num_rows if c.null_count == table.num_rows else c.to_pylist() for c in table.columns]
        return zip(*columns, strict=True)

    def stream(self, table: str) -> Iterator[pa.RecordBatch]:
        yield from self._connection.execute(upserts.in_order(table)).to_arrow_reader(50_000)
