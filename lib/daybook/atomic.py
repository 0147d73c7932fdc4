"""A file replaced whole or not at all, and on the disk when that is said.

    replace(home / "keys.json", data)      readable by its owner alone
    with replacing(path) as file: …        the same for what is written piece by piece

A reader sees the old file or the new one, never a part; after a crash or on a full disk the old one is there. The new
one is written beside it under a name of its own, so that two writers do not mix; a lock says which of them wins.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Raises OSError, and then the file is as it was and nothing is left beside it."""
    with replacing(path, mode) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """The new file, which takes the other's place when the block ends; where it raises, the file is as it was and
    nothing is left beside it. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def alone(path: Path, *, patience: float | None = None) -> Iterator[None]:
    """Hold the lock file at `path`, waiting until nobody else on this machine does. Raises OSError: TimeoutError after
    `patience` seconds, where there is an end to it."""
    with path.open("ab") as file:
        if patience is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _lock(file, time.monotonic() + patience)
        yield


def _lock(file: BinaryIO, until: float) -> None:
    while True:
        with suppress(BlockingIOError):
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if time.monotonic() >= until:
            raise TimeoutError
        time.sleep(0.05)


class Leadership:
    """One process of those on this machine that ask for the lock file at `path`: the first, for as long as it lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether it is this one. Raises OSError where the file cannot be made."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._descriptor = descriptor
        return True

    def leave(self) -> None:
        """Let another one take it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


Identity = tuple[int, int, int, int]
"""Tells a file from the one that stood in its place before it was replaced."""


def identity(path: str | Path) -> Identity | None:
    """Which file stands there now; None where none does. Raises OSError where that cannot be seen. Cheap enough for
    every request: one system call."""
    try:
        return identity_of(os.stat(path))  # noqa: PTH116 - Path.stat costs twice as much
    except FileNotFoundError:
        return None


def identity_of(stat: os.stat_result) -> Identity:
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
