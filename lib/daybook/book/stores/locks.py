"""Who may use an embedded book's file now: many readers, or one writer, across processes.

DuckDB itself refuses at once when the file is in use. Between processes of ours that refusal is hardly
ever met: they queue on two lock files beside the book, readers shared, the writer alone. A writer that
waits holds the turnstile, so readers who come one after another cannot keep it out.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from daybook.errors import BookLocked, BookUnreachable

_POLL = 0.003
_OPEN: set[int] = set()
"""Descriptors of the locks that this process holds or waits for."""


@contextlib.contextmanager
def shared(book: Path, *, deadline: float, patience: float) -> Iterator[None]:
    """Hold the book for reading. Raises BookLocked at `deadline` (monotonic), naming who holds it."""
    with contextlib.ExitStack() as stack:
        with _flock(book, ".turn", fcntl.LOCK_SH, deadline, patience):
            stack.enter_context(_flock(book, ".lock", fcntl.LOCK_SH, deadline, patience))
        yield


@contextlib.contextmanager
def alone(book: Path, *, deadline: float, patience: float) -> Iterator[None]:
    """Hold the book for writing. Raises BookLocked at `deadline` (monotonic), naming who holds it."""
    with (
        _flock(book, ".turn", fcntl.LOCK_EX, deadline, patience),
        _flock(book, ".lock", fcntl.LOCK_EX, deadline, patience),
    ):
        yield


def locked(book: Path, patience: float, text: str = "") -> BookLocked:
    """The error for a book that stayed in use. `said`: the database's own words, which may name a process."""
    pid = re.search(r"PID (\d+)", text)
    holder = describe(pid.group(1)) if pid else "; ".join(_holders(book)) or "a process that cannot be seen from here"
    error = BookLocked(
        f"The book {book} was in use for all of {patience:g} s, by {holder}.",
        remedy="Close it there and try again; what is journaled meanwhile is kept. For a book that many use at "
        "once, set DAYBOOK_BOOK to a postgresql:// URL.",
    )
    error.foreign = pid is not None
    return error


def describe(pid: str) -> str:
    """`PID n (its command line)`, passwords in URLs masked; without the command line where it is not to be seen."""
    try:
        words = Path(f"/proc/{int(pid)}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except (OSError, ValueError):
        words = ""
    words = re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", words)
    words = re.sub(r"(?i)((?:key|token|secret|password)[=\s])\S+", r"\1***", words)
    return f"PID {pid or 'unknown'}" + (f" ({words[:160]})" if words else "")


def _holders(book: Path) -> list[str]:
    """The other processes that have the book or its lock open."""
    import psutil

    wanted = {str(book), str(_beside(book, ".lock"))}
    holders = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and wanted & {file.path for file in process.open_files()}:
                holders.append(describe(str(process.pid)))
    return holders


def _beside(book: Path, suffix: str) -> Path:
    return book.with_name(book.name + suffix)


@contextlib.contextmanager
def _flock(book: Path, suffix: str, mode: int, deadline: float, patience: float) -> Iterator[None]:
    lock = _beside(book, suffix)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BookUnreachable(
            f"The book {book} cannot be used: {lock.name} beside it cannot be opened ({error.strerror}).",
            remedy="Check that the folder exists and is yours, or set DAYBOOK_BOOK.",
        ) from error
    _OPEN.add(fd)
    try:
        while True:
            try:
                fcntl.flock(fd, mode | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise locked(book, patience) from None
                time.sleep(_POLL)
        yield
    finally:
        if fd in _OPEN:
            _OPEN.remove(fd)
            os.close(fd)


def _after_fork_in_child() -> None:
    """A lock is its parent's: as long as a child has it open, too, the parent cannot let go of it."""
    while _OPEN:
        os.close(_OPEN.pop())


os.register_at_fork(after_in_child=_after_fork_in_child)
