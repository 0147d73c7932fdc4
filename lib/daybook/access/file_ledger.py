"""The count of what is used of each limit in one SQLite file of the home, shared by the processes of a machine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from daybook.access.ledger import Transaction, WindowKey
from daybook.errors import BookUnreachable

T = TypeVar("T")
_SCHEMA = """
create table if not exists reserved
    (request text, scope text, process integer, born real, amount integer not null, tokens integer not null,
     primary key (request, scope)) without rowid;
create table if not exists spent
    (scope text, span text, start text, amount integer not null, primary key (scope, span, start)) without rowid;
create table if not exists buckets
    (scope text, kind text, full integer not null, primary key (scope, kind)) without rowid;
"""


class FileLedger:
    """The file at `path`, shared by the processes of this machine. Used from one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._me = (os.getpid(), _born(os.getpid()))

    def transact(self, windows: Sequence[WindowKey], scopes: Sequence[str], work: Callable[[Transaction], T]) -> T:
        with self._alone() as connection:
            return work(_FileTransaction(connection, self._me))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone among all processes; undone where it raises."""
        try:
            connection = self._connection = self._connection or self._open()
            connection.execute("begin immediate")
        except (sqlite3.Error, OSError) as error:
            raise BookUnreachable(
                f"The ledger of limits {self._path} cannot be used ({error}).",
                remedy="Check that its folder can be written to and that the disk has room.",
            ) from error
        try:
            yield connection
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = off")  # a kill loses nothing; what a power cut loses is in the book
        connection.executescript(_SCHEMA)
        return connection


class _FileTransaction:
    def __init__(self, connection: sqlite3.Connection, me: tuple[int, float | None]) -> None:
        self._connection = connection
        self._me = me

    def calls(self, scope: str) -> int:
        return self._number("select count(*) from reserved where scope = ?", scope)

    def held(self, scope: str) -> int:
        return self._number("select coalesce(sum(amount), 0) from reserved where scope = ?", scope)

    def hold(self, request: str, scope: str, amount: int, tokens: int) -> None:
        row = (request, scope, *self._me, amount, tokens)
        self._connection.execute("insert into reserved values (?, ?, ?, ?, ?, ?)", row)

    def release(self, request: str, scope: str) -> int | None:
        query = "delete from reserved where request = ? and scope = ? returning tokens"
        row = self._connection.execute(query, (request, scope)).fetchone()
        return None if row is None else int(row[0])

    def abandon(self, scopes: Sequence[str]) -> list[tuple[str, int]]:
        held = []
        for process, born in self._connection.execute("select distinct process, born from reserved").fetchall():
            if _born(process) == born:
                continue
            for scope in scopes:
                query = "delete from reserved where process = ? and born = ? and scope = ? returning amount"
                rows = self._connection.execute(query, (process, born, scope)).fetchall()
                if rows:
                    held.append((scope, sum(amount for (amount,) in rows)))
        return held

    def full(self, scope: str, kind: str) -> int | None:
        return self._value("select full from buckets where scope = ? and kind = ?", scope, kind)

    def set_full(self, scope: str, kind: str, full: int) -> None:
        self._connection.execute("insert or replace into buckets values (?, ?, ?)", (scope, kind, full))

    def spent(self, key: WindowKey) -> int | None:
        return self._value("select amount from spent where scope = ? and span = ? and start = ?", *key)

    def set_spent(self, key: WindowKey, amount: int) -> None:
        self._connection.execute("insert or replace into spent values (?, ?, ?, ?)", (*key, amount))

    def _value(self, query: str, *values: str) -> int | None:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else int(row[0])

    def _number(self, query: str, *values: str) -> int:
        return self._value(query, *values) or 0


def _born(process: int) -> float | None:
    """When a process began; None where it is gone. Tells a new one of the same number."""
    try:
        return psutil.Process(process).create_time()
    except psutil.Error:
        return None
