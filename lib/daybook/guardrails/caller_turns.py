"""One question of each caller at a time: who asks much waits for itself, and others come in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Line:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    length: int = 0
    """Who waits, and the one whose turn it is."""


class CallerTurns:
    """Used from one event loop at a time; nothing is kept of a caller that waits for nothing."""

    def __init__(self) -> None:
        self._lines: dict[str | None, _Line] = {}

    def length(self, caller: str | None) -> int:
        """How many of a caller's questions wait or are under way."""
        line = self._lines.get(caller)
        return 0 if line is None else line.length

    @contextlib.asynccontextmanager
    async def take(self, caller: str | None) -> AsyncIterator[None]:
        """Wait for the caller's turn, and have it."""
        line = self._lines.setdefault(caller, _Line())
        line.length += 1
        try:
            async with line.lock:
                yield
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[caller]
