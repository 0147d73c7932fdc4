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
            transaction = _FileTransaction(connection, self._me)
            done = work(transaction)
            transaction.write()
            return done

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
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # SQLite has undone it itself, as where a disk is full
                    connection.execute("rollback")
                raise
        except (sqlite3.Error, OSError) as error:
            raise BookUnreachable(
                f"The ledger of limits {self._path} cannot be used ({error}).",
                remedy="Check that its folder can be written to and that the disk has room.",
            ) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = off")  # a kill loses nothing; what a power cut loses is in the book
        connection.executescript(_SCHEMA)
        return connection


class _FileTransaction:
    """Nobody else is in the file meanwhile: what was read once is known, and sums are written when all is done."""

    def __init__(self, connection: sqlite3.Connection, me: tuple[int, float | None]) -> None:
        self._connection = connection
        self._me = me
        self._holds: dict[str, tuple[int, int]] = {}
        """By scope: calls under way, and the most that they cost."""
        self._full: dict[tuple[str, str], int | None] = {}
        self._spent: dict[WindowKey, int | None] = {}
        self._filled: set[tuple[str, str]] = set()
        self._paid: set[WindowKey] = set()
        """What was set, and waits to be written."""

    def calls(self, scope: str) -> int:
        return self._held(scope)[0]

    def held(self, scope: str) -> int:
        return self._held(scope)[1]

    def _held(self, scope: str) -> tuple[int, int]:
        if scope not in self._holds:
            query = "select count(*), coalesce(sum(amount), 0) from reserved where scope = ?"
            self._holds[scope] = self._connection.execute(query, (scope,)).fetchone()
        return self._holds[scope]

    def hold(self, request: str, scope: str, amount: int, tokens: int) -> None:
        calls, held = self._held(scope)
        row = (request, scope, *self._me, amount, tokens)
        self._connection.execute("insert into reserved values (?, ?, ?, ?, ?, ?)", row)
        self._holds[scope] = calls + 1, held + amount

    def hold_more(self, request: str, scope: str, amount: int, tokens: int) -> None:
        query = "update reserved set amount = amount + ?, tokens = tokens + ? where request = ? and scope = ?"
        if self._connection.execute(query, (amount, tokens, request, scope)).rowcount and scope in self._holds:
            calls, held = self._holds[scope]
            self._holds[scope] = calls, held + amount

    def release(self, request: str, scope: str) -> int | None:
        query = "delete from reserved where request = ? and scope = ? returning tokens, amount"
        row = self._connection.execute(query, (request, scope)).fetchone()
        if row is None:
            return None
        if scope in self._holds:
            calls, held = self._holds[scope]
            self._holds[scope] = calls - 1, held - row[1]
        return int(row[0])

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
                    self._holds.pop(scope, None)
        return held

    def full(self, scope: str, kind: str) -> int | None:
        if (scope, kind) not in self._full:
            query = "select full from buckets where scope = ? and kind = ?"
            self._full[scope, kind] = self._value(query, scope, kind)
        return self._full[scope, kind]

    def set_full(self, scope: str, kind: str, full: int) -> None:
        self._full[scope, kind] = full
        self._filled.add((scope, kind))

    def spent(self, key: WindowKey) -> int | None:
        if key not in self._spent:
            self._spent[key] = self._value("select amount from spent where scope = ? and span = ? and start = ?", *key)
        return self._spent[key]

    def set_spent(self, key: WindowKey, amount: int) -> None:
        self._spent[key] = amount
        self._paid.add(key)

    def write(self) -> None:
        for bucket in self._filled:
            self._connection.execute("insert or replace into buckets values (?, ?, ?)", (*bucket, self._full[bucket]))
        for key in self._paid:
            self._connection.execute("insert or replace into spent values (?, ?, ?, ?)", (*key, self._spent[key]))

    def _value(self, query: str, *values: str) -> int | None:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else int(row[0])


def _born(process: int) -> float | None:
    """When a process began; None where it is gone. Tells a new one of the same number."""
    try:
        return psutil.Process(process).create_time()
    except psutil.Error:
        return None
