"""One line of JSON for each thing that happens, on standard error: for programs, and free of persons.

A line holds the request id, the route, figures and words of ours. It never holds an address, a key, a name, a path as
it was asked for, a query, a prompt, or what a foreign exception said: of an exception, its type and where it arose.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Literal
from weakref import WeakSet

import orjson

from daybook.clock import Clock
from daybook.errors import DaybookError

GROUP = 0.05
"""Seconds that a served endpoint's lines wait for others."""
Level = Literal["info", "warning", "error"]


def to_stderr(line: bytes) -> None:
    """One system call; a reader that went away costs the line, not the service."""
    with contextlib.suppress(OSError):
        os.write(2, line)


class Log:
    """Writes lines through `write`. `group`: seconds that lines of level info may wait for others, so that many of them
    cost one system call; whoever is killed in between loses them. Any other line is written at once, with those that
    wait before it."""

    def __init__(self, clock: Clock, write: Callable[[bytes], object] = to_stderr, *, group: float = 0.0) -> None:
        self._clock = clock
        self._write = write
        self._group = group
        self._waiting: list[bytes] = []
        self._lasting: WeakSet[DaybookError] = WeakSet()

    def line(self, event: str, *, level: Level = "info", **fields: object) -> None:
        """One line. Fields must be figures, ids, and words of ours."""
        line = orjson.dumps({"at": self._clock.now(), "level": level, "event": event, **fields}, default=str) + b"\n"
        waiting = self._waiting
        waiting.append(line)
        if level != "info" or not self._group:
            self.flush()
        elif len(waiting) == 1:
            try:
                asyncio.get_running_loop().call_later(self._group, self.flush)
            except RuntimeError:  # of another thread, or before the loop runs
                self.flush()

    def failed(self, error: DaybookError, *, request_id: str) -> None:
        """What whoever runs this has to mend. An error that lasts, and is raised again as the same object, has one line
        for as long as it does."""
        if error not in self._lasting:
            self._lasting.add(error)
            self.line("failed", level="error", request_id=request_id, message=str(error))

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._write(b"".join(waiting))

    def fault(self, event: str, error: BaseException, **fields: object) -> None:
        """An exception nobody foresaw: its type and place."""
        self.line(event, level="error", error=type(error).__name__, where=_where(error), **fields)


def _where(error: BaseException) -> str | None:
    """The innermost place in our own code, and the innermost of all: `chat.py:71 > base_events.py:466`."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "daybook" in frame.filename]
    places = [f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in (*ours[-1:], *frames[-1:])]
    return " > ".join(dict.fromkeys(places)) or None


class Bridge(logging.Handler):
    """Brings what libraries log (uvicorn, asyncio, aiohttp) into our lines: warnings and worse, and without their
    arguments, because those may be addresses or what somebody sent."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        text = str(record.msg).strip()[:200] if record.args or record.name.startswith("uvicorn") else None
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            self._log.line("library", level=level, logger=record.name, message=text)
        else:
            self._log.fault("library", error, logger=record.name)
