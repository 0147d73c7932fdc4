"""Open connections: how many there may be, which of them only wait, and how long a head may take.

A connection without a request under way costs nobody anything until there is no room for the next one. Then the one
that has waited longest is let go, so that many idle or very slow clients keep nobody else out. A head (request line and
headers) must be complete in `patience` seconds, however its bytes are dribbled.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
from typing import Protocol

from daybook.gateway.logs import Log

HEAD_SECONDS = 15.0
"""From the first byte of a head, or from the opening of a connection, until the head is complete."""
MOST = 10_000
"""Connections at most, however many files this process may open."""
_RESERVED = 64
"""Files that are no connection: journals, the book, logs, the listening socket."""
_TURN = 1.0
"""Seconds between two looks at the deadlines."""
_QUIET = 10.0
"""Seconds between two log lines about connections that were let go."""


class Closable(Protocol):
    def let_go(self) -> None:
        """Close: nothing is under way."""

    def head_timed_out(self) -> None:
        """Close: the head did not come in time."""


def raise_file_limit() -> int:
    """Let this process open as many files as it is allowed to; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST * 4 if allowed == resource.RLIM_INFINITY else allowed


def capacity(files: int) -> int:
    """Connections that `files` open files leave room for: a request under way may open one more to its upstream."""
    return max(1, min(MOST, (files - _RESERVED) // 2))


class Connections:
    """The connections of one endpoint, oldest first. For one event loop."""

    def __init__(self, log: Log, *, most: int, patience: float = HEAD_SECONDS) -> None:
        self.most = most
        self.patience = patience
        self._log = log
        self._open: set[Closable] = set()
        self._idle: dict[Closable, None] = {}
        """Kept alive by a client that has its answer."""
        self._heads: dict[Closable, float] = {}
        """Whose head is awaited, and until when."""
        self._let_go = self._refused = 0
        self._reported = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: Closable, now: float) -> bool:
        """Whether there is room for it. Where there was none, the connection that has waited longest was let go."""
        room = len(self._open) < self.most or self._make_room()
        if room:
            self._open.add(connection)
            self.head_begun(connection, now)
        else:
            self._refused += 1
        if self._let_go or self._refused:
            self._report(now)
        return room

    def closed(self, connection: Closable) -> None:
        self._open.discard(connection)
        self._heads.pop(connection, None)
        self._idle.pop(connection, None)

    def head_begun(self, connection: Closable, now: float) -> None:
        """Of the next request, or by opening the connection. Bytes that follow do not postpone the deadline."""
        if connection not in self._heads:
            self._idle.pop(connection, None)
            self._heads[connection] = now + self.patience

    def busy(self, connection: Closable) -> None:
        """Its head is complete: a request is under way."""
        self._heads.pop(connection, None)
        self._idle.pop(connection, None)

    def idle(self, connection: Closable) -> None:
        """Its answer is complete, and nothing of a next request has come."""
        if connection in self._open:
            self._idle[connection] = None

    def expire(self, now: float) -> int:
        """Close every connection whose head is overdue; returns how many."""
        overdue = []
        for connection, deadline in self._heads.items():  # the earliest deadline first
            if deadline > now:
                break
            overdue.append(connection)
        for connection in overdue:
            self.closed(connection)
            connection.head_timed_out()
        if overdue:
            self._log.line("heads_timed_out", level="warning", connections=len(overdue), seconds=self.patience)
        return len(overdue)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at the deadlines from now on, once a second or more often where the patience is short."""
        self.expire(loop.time())
        self._timer = loop.call_later(min(_TURN, self.patience), self.watch, loop)

    def unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _make_room(self) -> bool:
        for waiting in (self._idle, self._heads):
            if connection := next(iter(waiting), None):
                self.closed(connection)
                connection.let_go()
                self._let_go += 1
                return True
        return False

    def _report(self, now: float) -> None:
        """Counts since the last line; the first is written at once."""
        if now - self._reported < _QUIET:
            return
        self._log.line(
            "connections_exhausted",
            level="warning",
            open=len(self._open),
            most=self.most,
            let_go=self._let_go,
            refused=self._refused,
        )
        self._let_go = self._refused = 0
        self._reported = now
