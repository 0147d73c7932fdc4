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


_SECOND = 1000 << 12
_pool: list[bytes] = []
"""Random bytes for ids to come, eight each. A child process never uses its parent's."""
os.register_at_fork(after_in_child=_pool.clear)


def _eight_random_bytes() -> bytes:
    """From the system's generator, for many ids at once: asking it lets every other thread run first."""
    try:
        return _pool.pop()
    except IndexError:
        data = os.urandom(8 * 256)
        _pool.extend(data[start : start + 8] for start in range(8, len(data), 8))
        return data[:8]


def next_moment(nanoseconds: int, latest: int) -> int:
    """The moment for an id that is made at `nanoseconds` since 1970, after the one of moment `latest`: in units of 2⁻¹²
    milliseconds. Later than `latest`, unless the clock was set back by a second or more."""
    moment = (nanoseconds << 12) // 1_000_000
    return latest + 1 if latest - _SECOND < moment <= latest else moment


_latest = 0
"""The moment in the latest id: 2⁻¹² milliseconds since 1970."""


def new_id() -> str:
    """A UUIDv7 as 32 lower-case hex digits: 60 bits of time, to a quarter of a microsecond, then 62 random bits.

    Made by the writer, so that an entry has its id before any database has seen it. The ids that a thread makes sort
    in the order in which it made them: one that would not come later than the latest takes the moment after it, unless
    the clock was set back by more than a second.
    Source: RFC 9562, section 5.7; section 6.2, method 3.
    """
    global _latest
    _latest = moment = next_moment(time.time_ns(), _latest)
    random = int.from_bytes(_eight_random_bytes(), "big") & (1 << 62) - 1
    value = (moment >> 12) << 80 | 0x7 << 76 | (moment & 0xFFF) << 64 | 0x2 << 62 | random
    return f"{value:032x}"
