"""The journal: where every fact is written before anybody is told that it happened.

Each process appends to a file of its own in `<home>/journal/`, so writers never wait for each other or
for the database. One append is one `write` of one line: once it has returned, the entry is in the
kernel's page cache and survives the death of the process. A thread forces it to the disk, many entries
at a time, at most `sync_every` seconds later; `sync()` waits for that.

Whether a file's writer still lives is told by an flock on the file, not by a process number, which the
system gives out again. A file is created under another name, locked, and only then shown. This module
knows neither the book nor any database: the endpoint's hot path imports it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daybook.book.entry import encode
from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import JournalError, JournalFull
from daybook.records import Record

FOLDER = "journal"
SUFFIX = ".jsonl"
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LINGER = 1.0


@dataclass(frozen=True, slots=True)
class JournalState:
    """What a journal tells of itself."""

    path: Path | None
    """The file now written to; None before the first append."""
    entries: int
    """Appended by this journal so far."""
    bytes: int
    """Size of the file now written to."""
    unsynced: int
    """Entries not yet forced to the disk."""
    failed: str | None
    """Why the last append or sync failed; None once one has succeeded again."""


class Journal:
    """This process's journal in `home`. Safe from several threads; after a fork the child writes a file
    of its own. `rotate_at`: bytes after which a new file is begun, so that drained ones can be removed."""

    def __init__(
        self, home: Path, *, clock: Clock | None = None, sync_every: float = 0.05, rotate_at: int = 16 << 20
    ) -> None:
        self.folder = Path(home) / FOLDER
        self._clock = clock or SystemClock()
        self._sync_every = sync_every
        self._rotate_at = rotate_at
        self._entries = 0
        self._stamp = 0
        self._failed: str | None = None
        self._begin()
        _journals.add(self)

    def _begin(self) -> None:
        """No file, no thread, fresh locks: how a journal starts, and starts again after a fork."""
        self._fd: int | None = None
        self._path: Path | None = None
        self._name = ""
        self._size = 0
        self._sizes: dict[str, int] = {}
        self._written = 0
        self._synced = 0
        self._retired: list[int] = []
        self._new_names = False
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._dirty = threading.Condition(self._lock)
        self._syncing = threading.Lock()

    # ── writing ───────────────────────────────────────────────────────────────────────────────────

    def append(self, record: Record) -> None:
        """Write `record` down. When this returns it is acknowledged: it will be in the book.

        Raises JournalFull where there is no room, JournalError where the folder cannot be written, and
        BadParameter for a time without a zone; then nothing was written.
        """
        with self._lock:
            self._stamp = max(self._stamp + 1, (self._clock.now() - _EPOCH) // _MICROSECOND * 1000)
            line = encode(record, self._stamp)
            if self._fd is not None and self._size + len(line) > self._rotate_at:
                self._retire()
            fd = self._fd if self._fd is not None else self._open()
            self._write(fd, line)
            self._size += len(line)
            self._sizes[self._name] = self._size
            self._entries += 1
            self._written += 1
            self._failed = None
            if self._thread is None:
                self._thread = threading.Thread(target=_keep_synced, args=(weakref.ref(self),), daemon=True)
                self._thread.name = "daybook-journal"
                self._thread.start()
            elif self._written - self._synced == 1:
                self._dirty.notify()

    def _write(self, fd: int, line: bytes) -> None:
        try:
            done = os.write(fd, line)
        except OSError as error:
            raise self._failure(error, len(line)) from error
        if done != len(line):  # the disk filled up under this line: leave no part of it behind
            try:
                os.ftruncate(fd, self._size)
            except OSError:
                self._retire()
            raise self._failure(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), len(line))

    def _failure(self, error: OSError, size: int) -> JournalError:
        where = self._path or self.folder
        if error.errno in _FULL:
            self._failed = f"no room: {os.strerror(error.errno or 0)}"
            return JournalFull(
                f"The journal {where} has no room for an entry of {size:,} bytes ({os.strerror(error.errno or 0)}); "
                f"the {self._entries:,} entries acknowledged before it are safe.",
                remedy="Make room on that disk or lift the limit; the next entry is tried afresh.",
            )
        self._failed = error.strerror or str(error)
        return JournalError(
            f"The journal in {self.folder} cannot be written: {error.strerror}.",
            remedy="Make the folder writable, or set DAYBOOK_HOME to one that is.",
        )

    def _open(self) -> int:
        """A new file of this process, locked before it has its name: whoever sees the name sees the lock."""
        name = f"{new_id()}-{os.getpid()}{SUFFIX}"
        fd = -1
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            hidden = self.folder / f".{name}"
            fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(self.folder / name)
        except OSError as error:
            if fd >= 0:
                os.close(fd)
                with contextlib.suppress(OSError):
                    hidden.unlink()
            raise self._failure(error, 0) from error
        self._fd, self._path, self._name, self._size, self._new_names = fd, self.folder / name, name, 0, True
        return fd

    def _retire(self) -> None:
        """Write no more to this file. It is closed, and so given up to the drain, once it is on the disk."""
        if self._fd is not None:
            self._retired.append(self._fd)
            self._fd, self._path, self._size = None, None, 0

    def _abandon(self, fd: int) -> None:
        """Write no more to a file that is no longer in the folder."""
        if self._fd == fd:
            self._retire()
            self._failed = "its file was deleted"

    # ── making durable ────────────────────────────────────────────────────────────────────────────

    def sync(self) -> None:
        """Return when everything appended so far is on the disk. Raises JournalFull or JournalError."""
        with self._syncing:
            with self._lock:
                target, fd, retired, new_names = self._written, self._fd, self._retired, self._new_names
                self._retired, self._new_names = [], False
            try:
                for descriptor in (*retired, *([] if fd is None else [fd])):
                    os.fdatasync(descriptor)
                if fd is not None and os.fstat(fd).st_nlink == 0:  # somebody deleted it: what comes next is to be kept
                    with self._lock:
                        self._abandon(fd)
                elif new_names:
                    _sync_folder(self.folder)
            except OSError as error:
                with self._lock:  # after a failed sync the kernel may have dropped pages: use this file no more
                    self._retire()
                    raise self._failure(error, 0) from error
            finally:
                for descriptor in retired:
                    os.close(descriptor)
            with self._lock:
                self._synced = max(self._synced, target)

    def state(self) -> JournalState:
        """The state now; takes no system call."""
        with self._lock:
            unsynced = self._written - self._synced
            return JournalState(self._path, self._entries, self._size, unsynced, self._failed)

    def sizes(self) -> dict[str, int]:
        """File → bytes that this process wrote to it, of every file that it began."""
        with self._lock:
            return dict(self._sizes)

    def close(self) -> None:
        """Sync, and give the file up to whoever drains next. Safe to repeat; a later append begins a new file."""
        with self._lock:
            self._retire()
            self._dirty.notify()
        if self._retired:
            self.sync()

    def __del__(self) -> None:
        if "_lock" in self.__dict__:
            with contextlib.suppress(JournalError, OSError):
                self.close()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _keep_synced(ref: weakref.ref[Journal]) -> None:
    """The thread: sync while there is something to sync, end after a quiet second. It does not keep the
    journal alive, and the next append starts another."""
    while (journal := ref()) is not None:
        with journal._lock:
            if journal._written == journal._synced and not journal._retired:
                pause = journal._dirty.wait(_LINGER) and journal._sync_every
                if not pause and journal._written == journal._synced:
                    journal._thread = None
                    return
            every = journal._sync_every
        del journal
        _pause.wait(every)
        if (journal := ref()) is None:
            return
        with contextlib.suppress(JournalError):
            journal.sync()
        del journal


_pause = threading.Event()  # never set: a wait on it is a pause
_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for journal in list(_journals):
        inherited = [*journal._retired, *([] if journal._fd is None else [journal._fd])]
        journal._begin()
        for fd in inherited:
            with contextlib.suppress(OSError):
                os.close(fd)


os.register_at_fork(after_in_child=_after_fork_in_child)
