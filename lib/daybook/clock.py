"""One clock: aware UTC for facts, a monotonic counter for durations, and ids that sort by time."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; only differences mean anything."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.perf_counter()


class FixedClock:
    """A clock that stands still until told to move: what tests pass in."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds


_pool: list[bytes] = []
"""Random bytes for ids to come, ten each. A child process never uses its parent's."""
os.register_at_fork(after_in_child=_pool.clear)


def _ten_random_bytes() -> bytes:
    """From the system's generator, for many ids at once: asking it lets every other thread run first."""
    try:
        return _pool.pop()
    except IndexError:
        data = os.urandom(10 * 256)
        _pool.extend(data[start : start + 10] for start in range(10, len(data), 10))
        return data[:10]


def new_id() -> str:
    """A UUIDv7 as 32 lower-case hex digits: 48 bits of milliseconds, then 74 random bits.

    Made by the writer, so that an entry has its id before any database has seen it; sorts by time.
    Source: RFC 9562, section 5.7.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(_ten_random_bytes(), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"
