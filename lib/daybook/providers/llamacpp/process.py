"""The process that runs the embedded model, as seen from the process that owns it: start, watch, stop.

It ends with its owner, however that ends; it listens on the loopback only and asks for a key that was made for this
process and passed through a pipe. What it prints is kept in a file of bounded size.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from daybook.errors import Unavailable
from daybook.providers.http.client import Address

_CHILD = Path(__file__).with_name("child.py")
LOG_BYTES = 256 * 1024
"""A log is begun anew when it has this size; the last one is kept beside it."""
_LOGS = 4
"""Logs of processes that are gone, kept at most."""


class Llama:
    """One running model. Made by `start`; `address` is where it answers."""

    def __init__(self, process: subprocess.Popen[bytes], key: str, log: Path) -> None:
        self.log = log
        self.key = key
        self.address = Address("")
        self._process = process
        self._copying = threading.Thread(
            target=copy_log, args=(process.stderr, log), name="daybook-llama-log", daemon=True
        )
        self._copying.start()

    @classmethod
    async def start(cls, asked: Mapping[str, Any], *, logs: Path, patience: float = 60.0) -> Llama:
        """Start it and wait until it listens. `asked`: weights, model, context, slots, threads.

        Raises Unavailable, with the log's place, where it ends instead or is not there after `patience` seconds.
        """
        key = secrets.token_urlsafe(32)
        log = _open_log(logs)
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns at once: the program starts on its own time
                [sys.executable, "-P", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=logs,
            )
        except OSError as error:
            raise Unavailable(
                f"The embedded model's process cannot be started ({error.strerror}).",
                remedy="See whether this machine has memory and processes to spare.",
            ) from None
        llama = cls(process, key, log)
        try:
            assert process.stdin is not None
            line = json.dumps({**asked, "key": key, "parent": os.getpid()}) + "\n"
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(line.encode())
                process.stdin.flush()
            answer = await _first_line(process, patience)
            if not answer:
                code = llama._ended(wait=2.0)
                how = f"ended with {code}" if code is not None else f"was not ready after {patience:g} s"
                raise Unavailable(  # noqa: TRY301 - the process is stopped on every way out
                    f"The embedded model's process {how} instead of answering.", remedy=f"See {log}"
                )
            url = f"{json.loads(answer)['url'].rstrip('/')}/v1"
            llama.address = Address(url, {"Authorization": f"Bearer {key}"}, key)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(llama.stop, keep_log=True))
            raise
        return llama

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self, *, keep_log: bool = False) -> None:
        """End it, and wait until it has ended: at most 2 s before it is killed. Its log goes, unless it had died by
        itself. Safe to repeat."""
        died = self._process.poll() is not None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._ended(wait=2.0) is None:
            self._process.kill()
            self._process.wait()
        self._copying.join(timeout=2.0)
        if not died and not keep_log:
            self.log.unlink(missing_ok=True)
            _previous(self.log).unlink(missing_ok=True)

    def _ended(self, *, wait: float) -> int | None:
        try:
            return self._process.wait(wait)
        except subprocess.TimeoutExpired:
            return None


async def _first_line(process: subprocess.Popen[bytes], patience: float) -> bytes:
    """The line that says where it listens; b"" where it ends first, or says nothing for `patience` seconds."""
    assert process.stdout is not None
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
    try:
        async with asyncio.timeout(patience):
            return await reader.readline()
    except TimeoutError:
        return b""
    finally:
        transport.close()


def _open_log(folder: Path) -> Path:
    """An empty log of its own for the next process; all but the newest few of the past are removed."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # `parents` makes all but the last open to others
        folder.mkdir(exist_ok=True, mode=0o700)
        past = sorted(folder.glob("llama-*.log*"), key=lambda path: path.stat().st_mtime)
        for path in past[:-_LOGS]:
            path.unlink(missing_ok=True)
        log = folder / f"llama-{os.getpid()}-{secrets.token_hex(3)}.log"
        os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise Unavailable(
            f"The embedded model has no place for its log, {folder} ({error.strerror}).",
            remedy="Make the folder writable, or set DAYBOOK_HOME to one that is.",
        ) from None
    return log


def _previous(log: Path) -> Path:
    return log.with_name(log.name + ".1")


def copy_log(source: IO[bytes] | None, log: Path) -> None:
    """Copy what the process prints until it ends, beginning anew when the log is full. A full disk loses the log, not
    the process: what cannot be written is still read."""
    assert source is not None
    size = 0
    with source:
        while chunk := os.read(source.fileno(), 65536):
            with contextlib.suppress(OSError):
                if size + len(chunk) > LOG_BYTES:
                    log.replace(_previous(log))
                    size = 0
                file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    size += os.write(file, chunk)
                finally:
                    os.close(file)
