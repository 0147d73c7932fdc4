"""Events that may come by the thousand, counted: never one entry each.

The first of its kind is entered at once; those that follow within a minute are counted and entered together. So a
mistyped key is seen when it happens, and somebody who tries a million fills no disk.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from daybook.clock import Clock, new_id
from daybook.errors import JournalError
from daybook.inference.ports import CopyOutcome, Observer
from daybook.ports import Ledger
from daybook.records import Event
from daybook.routing.route import Copy

WINDOW = 60.0
"""Seconds for which events of one kind are counted before they are entered."""
SKIPPED = "shadow.skipped"
"""Copies that a shadow was to get and were not made: their queue was full, or their budget used up."""


class _Kind(NamedTuple):
    action: str
    object: str | None
    details: tuple[tuple[str, str], ...]


class CountedEvents:
    """Enters into `journal`."""

    def __init__(self, journal: Ledger, *, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._open: dict[_Kind, tuple[int, float]] = {}
        """Of each kind: how many are counted and not yet entered, since when."""

    def note(self, action: str, object_: str | None, **details: str) -> None:
        """It happened once more."""
        kind = _Kind(action, object_, tuple(details.items()))
        if kind in self._open:
            n, since = self._open[kind]
            self._open[kind] = (n + 1, since)
        else:
            self._open[kind] = (0, self._clock.monotonic())
            self._enter(kind, 1)

    def flush(self, *, all_: bool = False) -> None:
        """Enter what was counted for a whole window, or all of it. To be called now and then."""
        now = self._clock.monotonic()
        for kind, (n, since) in list(self._open.items()):
            if not all_ and now - since < WINDOW:
                continue
            if n:
                self._open[kind] = (0, now)
                self._enter(kind, n)
            else:
                del self._open[kind]

    def _enter(self, kind: _Kind, n: int) -> None:
        event = Event(
            id=new_id(),
            at=self._clock.now(),
            actor="endpoint",
            action=kind.action,
            object=kind.object,
            details={**dict(kind.details), "n": n},
        )
        with contextlib.suppress(JournalError):  # the count is in the metrics; a full journal is said elsewhere
            self._journal.append(event)


class CountSkippedCopies(Observer):
    """Tells `events` of the copies that were not made."""

    def __init__(self, events: CountedEvents) -> None:
        self._events = events

    def copied(self, copy: Copy, outcome: CopyOutcome) -> None:
        if outcome in ("dropped", "over_budget"):
            self._events.note(SKIPPED, copy.deployment, candidate=copy.variant, why=outcome)
