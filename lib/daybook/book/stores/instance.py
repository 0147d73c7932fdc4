"""DuckDB itself, started once for a book's file, which it opens for one use and lets go of.

To start a DuckDB takes ten milliseconds, to open a file in one that runs takes one. So an empty one is kept in the
memory of the process, and no file is open between uses.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import duckdb

BROKEN = (duckdb.FatalException, duckdb.InternalException, duckdb.IOException)
"""The disk is full, or worse: what was open cannot be trusted any more."""

_INSTANCES: WeakValueDictionary[tuple[Path, bool], Instance] = WeakValueDictionary()
_MAKING = threading.Lock()
_ABANDONED: list[_Running] = []
"""Those of the process that this one was forked from: their threads are not here, so they can be neither used nor
closed."""


@dataclass(slots=True)
class _Running:
    memory: duckdb.DuckDBPyConnection
    users: int = 0


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
        """A connection to the file, which is open while anybody has one. Raises what DuckDB raises; after an error that
        ends a database, the next use starts another."""
        running, connection = self._open()
        try:
            yield connection
        except BROKEN:
            self._renounce(running)
            raise
        finally:
            connection.close()
            self._close(running)

    def abandon(self) -> None:
        """Begin anew in a forked process."""
        if self._running is not None:
            _ABANDONED.append(self._running)
        self._changing, self._running = threading.Lock(), None

    def _open(self) -> tuple[_Running, duckdb.DuckDBPyConnection]:
        with self._changing:
            running = self._running = self._running or _Running(self._start())
            if not running.users:
                running.memory.execute(f"attach {_quoted(self._path)} as book" + " (read_only)" * self._read_only)
            connection = running.memory.cursor()
            connection.execute("use book")
            running.users += 1
            return running, connection

    def _close(self, running: _Running) -> None:
        with self._changing:
            running.users -= 1
            if running.users:
                return
            try:
                running.memory.execute("detach book")
            except BROKEN:
                self._renounce(running)
                raise
            finally:
                if running is not self._running:
                    running.memory.close()

    def _renounce(self, running: _Running) -> None:
        if self._running is running:
            self._running = None

    def _start(self) -> duckdb.DuckDBPyConnection:
        memory = duckdb.connect()
        settings = [("TimeZone", "'UTC'"), ("temp_directory", _quoted(self._path.with_name(f"{self._path.name}.tmp")))]
        if self._read_only:
            own = ", ".join(_quoted(self._path.with_name(self._path.name + ending)) for ending in ("", ".wal"))
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
