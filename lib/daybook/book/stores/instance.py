"""DuckDB itself, started once for a book's file, which it opens for one use and lets go of.

To start a DuckDB takes ten milliseconds, to open a file in one that runs takes one. So an empty one is kept in the
memory of the process, and no file is open between uses.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

import duckdb
import psutil

BROKEN = (duckdb.FatalException, duckdb.InternalException, duckdb.IOException)
"""The disk is full, or worse: what was open cannot be trusted any more."""

ENDINGS = ("", ".wal", ".wal.checkpoint", ".wal.recovery")
"""Of the files of a book: the last two are there where a writer died while it checkpointed."""

_LARGE = 64 << 20
"""Bytes by which the process may grow in a use: what a larger one took, DuckDB gives back when it ends."""
_ATTEMPTS = 10
_INSTANCES: WeakValueDictionary[tuple[Path, bool], Instance] = WeakValueDictionary()
_MAKING = threading.Lock()
_ABANDONED: list[_Running] = []
"""Those of the process that this one was forked from: their threads are not here, so they can be neither used nor
closed."""


@dataclass(slots=True, eq=False)
class _Running:
    memory: duckdb.DuckDBPyConnection
    users: set[_User] = field(default_factory=set)
    process: psutil.Process = field(default_factory=psutil.Process)
    resident: int = 0
    """Bytes that the process held when the file was opened."""


@dataclass(slots=True, eq=False)
class _User:
    running: _Running | None = None
    connection: duckdb.DuckDBPyConnection | None = None


class Instance:
    """A running DuckDB for the file at `path`. Get it by `of`. Safe from several threads.

    One that only reads keeps its queries off every other file of the machine."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._path = path
        self._read_only = read_only
        self._changing = threading.Lock()
        self._running: _Running | None = None

    @classmethod
    def of(cls, path: Path, *, read_only: bool) -> Instance:
        """This process's only one for `path` and this use: two that have the same file open would lose its lock as soon
        as one of them closes it."""
        with _MAKING:
            instance = _INSTANCES.get((path, read_only))
            if instance is None:
                instance = _INSTANCES[path, read_only] = cls(path, read_only=read_only)
            return instance

    @contextlib.contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the file, which is open while anybody has one and not longer, however a use ends. Raises what
        DuckDB raises; after an error that ends a database, and a use that took much memory, the next starts another."""
        user = _User()
        try:
            yield self._open(user)
        except BROKEN:
            if self._running is user.running:
                self._running = None
            raise
        finally:
            self._finish(user)

    def abandon(self) -> None:
        """Begin anew in a forked process."""
        if self._running is not None:
            _ABANDONED.append(self._running)
        self._changing, self._running = threading.Lock(), None

    def _open(self, user: _User) -> duckdb.DuckDBPyConnection:
        with self._changing:
            running = user.running = self._running = self._running or _Running(self._start())
            if not running.users:
                running.resident = running.process.memory_info().rss
                mode = "(read_only)" if self._read_only else ""
                running.memory.execute(f"attach if not exists {_quoted(self._path)} as book {mode}")
            running.users.add(user)
            user.connection = running.memory.cursor()
            user.connection.execute("use book")
            return user.connection

    def _finish(self, user: _User) -> None:
        """To the end, also where Ctrl-C comes in between: a file that stays open keeps every other process out."""
        interrupted = False
        for _ in range(_ATTEMPTS):
            try:
                self._leave(user)
                break
            except (KeyboardInterrupt, RuntimeError):  # DuckDB makes the second of the first
                interrupted = True
        if interrupted:
            raise KeyboardInterrupt

    def _leave(self, user: _User) -> None:
        """Goes on where it was interrupted."""
        if user.connection is not None:
            user.connection.close()
        with self._changing:
            if (running := user.running) is None:
                return
            running.users.discard(user)
            if running.users:
                return
            try:
                if running is self._running and running.process.memory_info().rss - running.resident < _LARGE:
                    running.memory.execute("detach database if exists book")
                    return
            except BaseException:
                self._end(running)
                raise
            self._end(running)

    def _end(self, running: _Running) -> None:
        if running is self._running:
            self._running = None
        running.memory.close()

    def _start(self) -> duckdb.DuckDBPyConnection:
        memory = duckdb.connect()
        settings = [("TimeZone", "'UTC'"), ("temp_directory", _quoted(self._path.with_name(f"{self._path.name}.tmp")))]
        if self._read_only:
            own = ", ".join(_quoted(self._path.with_name(self._path.name + ending)) for ending in ENDINGS)
            settings += [("allowed_paths", f"[{own}]"), ("enable_external_access", "false")]
        for name, value in settings:
            memory.execute(f"set global {name} = {value}")
        return memory


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _after_fork_in_child() -> None:
    global _MAKING
    _MAKING = threading.Lock()  # another thread may have held it, and that thread is not here
    for instance in list(_INSTANCES.values()):
        instance.abandon()


os.register_at_fork(after_in_child=_after_fork_in_child)
