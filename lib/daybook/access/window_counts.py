"""Windows of budgets that nobody has counted yet begin with what the book has.

The book may be in use, and is asked while others are served. One question is under way at a time; whoever comes
meanwhile shares the next one, so that the turn of a day is one question or two, whatever number of keys it finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from daybook.access.allowance import Allowance
from daybook.access.limits import Scope, window_start

SpentSince = Callable[[Sequence[tuple[str, datetime]]], Awaitable[list[Decimal]]]
"""US dollars that the book has for each scope since a moment. Raises BookError."""


class _Wanted(NamedTuple):
    scope: Scope
    window: str
    at: datetime
    zone: ZoneInfo


class WindowCounts:
    """Used from one event loop."""

    def __init__(self, allowance: Allowance, spent_since: SpentSince) -> None:
        self._allowance = allowance
        self._spent_since = spent_since
        self._wanted: dict[tuple[str, datetime], list[_Wanted]] = {}
        """By scope and first moment."""
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._asked: set[asyncio.Task[None]] = set()

    async def begin(self, scopes: Sequence[Scope], at: datetime, zone: ZoneInfo) -> None:
        """Let the windows that hold `at` begin, where nobody has counted them. Raises BookError."""
        missing = self._allowance.uncounted(scopes, at=at, zone=zone)
        if not missing:
            return
        for scope, window in missing:
            wanted = self._wanted.setdefault((scope.name, window_start(window, at, zone)), [])
            wanted.append(_Wanted(scope, window, at, zone))
        if self._next is None:
            self._next = asyncio.create_task(self._ask())
            self._asked.add(self._next)
            self._next.add_done_callback(self._answered)
        await asyncio.shield(self._next)  # others may wait for the same answer

    async def _ask(self) -> None:
        async with self._turn:
            wanted, self._wanted, self._next = self._wanted, {}, None
            amounts = await self._spent_since(list(wanted))
            for spent, windows in zip(amounts, wanted.values(), strict=True):
                for scope, window, at, zone in windows:
                    self._allowance.begin_window(scope, window, spent, at=at, zone=zone)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._asked.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited may be gone: then nobody else looks at it

    async def aclose(self) -> None:
        """End what is asked."""
        for task in list(self._asked):
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)
