"""The journal's files, as whoever drains them sees them.

A file whose lock can be taken has lost its writer: it grows no more, and a last line without an end is
torn. A file whose lock is held may end in the middle of a line that is being written: that is left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from daybook.book.entry import Entry, NewerLine, decode
from daybook.book.journal.journal import SUFFIX
from daybook.book.stores.locks import describe
from daybook.errors import BookLocked, JournalCorrupt, JournalError

_CHUNK = 4 << 20
_STALE = 60.0


class Line(NamedTuple):
    """One line of a file, from byte `start` to `end`. Either an entry, or bytes to be set aside."""

    file: str
    start: int
    end: int
    entry: Entry | None
    raw: bytes
    reason: str = ""
    torn: bool = False


@dataclass(slots=True)
class JournalFile:
    """A file of the journal, open. `dead`: its writer is gone, and we hold its lock."""

    path: Path
    fd: int
    dead: bool
    newer: str | None = None
    """Why reading stopped short: a line of a later version."""

    @property
    def name(self) -> str:
        return self.path.name

    def lines(self, start: int) -> Iterator[Line]:
        """The lines from byte `start` on. An unfinished last line only if the writer is dead."""
        name, held, at, end = self.name, b"", start, start
        while chunk := os.pread(self.fd, _CHUNK, end):
            end += len(chunk)
            *whole, held = (held + chunk).split(b"\n")
            for raw in whole:
                after = at + len(raw) + 1
                if raw:
                    try:
                        yield Line(name, at, after, decode(raw), b"")
                    except NewerLine as error:
                        self.newer = error.message
                        return
                    except JournalCorrupt as error:
                        yield Line(name, at, after, None, raw, error.message)
                at = after
        if held and self.dead:
            yield Line(name, at, at + len(held), None, held, "it was cut off when its writer died", torn=True)

    def remove(self) -> None:
        """Take the file away. We hold its lock, so no writer has it."""
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[JournalFile | None]:
    """The file at `path`; None if it is gone. Its lock, if it could be had, is held until the end."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        dead = True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            dead = False
        yield JournalFile(path, fd, dead) if os.fstat(fd).st_nlink else None
    finally:
        os.close(fd)


def waiting(folder: Path, seen: dict[str, int]) -> list[Path]:
    """The files that have more than the `seen` bytes, or whose writer has died; oldest first."""
    try:
        with os.scandir(folder) as entries:
            sizes = {entry.name: entry.stat().st_size for entry in entries if entry.name.endswith(SUFFIX)}
    except FileNotFoundError:
        return []
    return [
        folder / name for name, size in sorted(sizes.items())
        if not name.startswith(".") and (seen.get(name) != size or not _alive(folder / name))
    ]  # fmt: skip


def _alive(path: Path) -> bool:
    with opened(path) as file:
        return file is not None and not file.dead


@contextlib.contextmanager
def one_drain(folder: Path, *, patience: float) -> Iterator[None]:
    """Only one drain of these files at a time. Raises BookLocked after `patience` seconds, JournalError for a folder
    that cannot be used."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # `parents` alone would make the home open to all
        folder.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(folder / "drain.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JournalError(
            f"The journal in {folder} cannot be drained: {error.strerror}.",
            remedy="Make the folder writable, or set DAYBOOK_HOME to one that is.",
        ) from error
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
                    raise BookLocked(
                        f"The journal in {folder} was being drained for all of {patience:g} s, by {describe(holder)}.",
                        remedy="Let it finish, or stop that process; what is journaled is kept.",
                    ) from None
                time.sleep(0.005)
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d" % os.getpid(), 0)
        yield
    finally:
        os.close(fd)


def sweep(folder: Path) -> None:
    """Remove what a writer or a drain left that was killed at a bad moment: files that were never shown."""
    for path in folder.glob(".*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.lstat().st_mtime > _STALE and not _alive(path):
                path.unlink()
