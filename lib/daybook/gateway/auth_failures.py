"""Requests turned away at the door, as the audit trail keeps them: counted, never one entry a request.

The first of its kind is entered at once, as an event `key.refused`; those that follow within a minute are counted and
entered together. So a mistyped key is seen when it happens, and somebody who tries a million fills no disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from daybook.clock import Clock, new_id
from daybook.errors import JournalError
from daybook.ports import Ledger
from daybook.records import Event

WINDOW = 60.0
"""Seconds for which refusals of one kind are counted before they are entered."""


class AuthFailures:
    """Enters into `journal`; `count(code)` is told of every one."""

    def __init__(self, journal: Ledger, *, clock: Clock, count: Callable[[str], None]) -> None:
        self._journal = journal
        self._clock = clock
        self._count = count
        self._open: dict[tuple[str, str | None], tuple[int, float]] = {}
        """Of each kind: how many are counted and not yet entered, since when."""

    def note(self, code: str, key_id: str | None = None) -> None:
        """One request was refused: `missing_api_key`, `invalid_api_key` …; `key_id`: of one that is over."""
        self._count(code)
        kind = (code, key_id)
        if kind in self._open:
            n, since = self._open[kind]
            self._open[kind] = (n + 1, since)
        else:
            self._open[kind] = (0, self._clock.monotonic())
            self._enter(kind, 1)

    def flush(self, *, all_: bool = False) -> None:
        """Enter what was counted for a whole window, or all of it."""
        now = self._clock.monotonic()
        for kind, (n, since) in list(self._open.items()):
            if not all_ and now - since < WINDOW:
                continue
            if n:
                self._open[kind] = (0, now)
                self._enter(kind, n)
            else:
                del self._open[kind]

    async def keep(self) -> None:
        """Flush every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(WINDOW / 10)
            self.flush()

    def _enter(self, kind: tuple[str, str | None], n: int) -> None:
        code, key_id = kind
        event = Event(
            id=new_id(),
            at=self._clock.now(),
            actor="endpoint",
            action="key.refused",
            object=key_id,
            details={"code": code, "n": n},
        )
        with contextlib.suppress(JournalError):  # the count is in the metrics; a full journal is said elsewhere
            self._journal.append(event)
