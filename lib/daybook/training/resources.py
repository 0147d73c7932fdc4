"""Out of memory, or out of room on the disk: each library has its own word for the two; explained here with numbers.

    with resources.explained(lambda: "at step 40 of 300", place, memory="Halve the batch.", room="Free some room."):
        …

Everything else passes through untouched.
"""

from __future__ import annotations

import errno
import re
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from daybook.errors import DaybookError

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_ROOM_WORDS = re.compile(
    r"No space left|File too large|disk quota|disk is full|PytorchStreamWriter failed|inline_container.*unexpected pos",
    re.I,
)
_SQLITE = frozenset(f"SQLITE_{name}" for name in ("FULL", "IOERR_WRITE", "IOERR_SHMSIZE", "IOERR_TRUNCATE"))
_MEMORY_WORDS = re.compile(
    r"out of memory|not enough memory|can('t|not) allocate memory|bad_alloc|can't start new thread", re.I
)
"""A thread that cannot start has found no room for its stack."""


def of_memory(error: BaseException) -> bool:
    """Whether it says that memory did not suffice."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return not isinstance(error, DaybookError) and bool(_MEMORY_WORDS.search(str(error)))


def is_disk_full(error: BaseException) -> bool:
    """Whether it says that a disk, a quota or a limit had no room for what was written."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return True
    if isinstance(error, sqlite3.Error) and error.sqlite_errorname in _SQLITE:
        return True
    return not isinstance(error, DaybookError) and bool(_ROOM_WORDS.search(str(error)))


@contextmanager
def explained(doing: Callable[[], str], folder: Path, *, memory: str, room: str) -> Iterator[None]:
    """Raises DaybookError for a shortage, with what was being done, what there is, and the remedy for each."""
    try:
        yield
    except Exception as error:
        if of_memory(error):
            raise DaybookError(f"Out of memory {doing()}: {_memory()}.", remedy=memory) from error
        if is_disk_full(error):
            raise DaybookError(f"No room {doing()} in {folder}: {_room(folder)}.", remedy=room) from error
        raise


def require(folder: Path, wanted: int, what: str) -> None:
    """Raises DaybookError where the disk of `place` has less than `wanted` bytes left."""
    left = shutil.disk_usage(folder).free
    if left < wanted:
        raise DaybookError(
            f"{what} takes about {wanted / 1e6:,.0f} MB of disk; {folder} has {left / 1e6:,.0f} MB left.",
            remedy="Free some room, or set DAYBOOK_HOME to another disk; then go on.",
        )


def _memory() -> str:
    try:
        mine, left = psutil.Process().memory_info().rss, psutil.virtual_memory().available
    except (psutil.Error, OSError):
        return "how much is left cannot be told"
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    bound = "" if limit == resource.RLIM_INFINITY else f" and may address {limit / 1e6:,.0f} MB"
    return f"this process holds {mine / 1e6:,.0f} MB{bound}; the machine has {left / 1e6:,.0f} MB left"


def _room(folder: Path) -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    bound = "" if limit == resource.RLIM_INFINITY else f", and a file may have at most {limit / 1e6:,.1f} MB"
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB are left on that disk{bound}"
    except OSError:
        return f"how much is left cannot be told{bound}"
