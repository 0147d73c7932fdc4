"""The timer that moves the journal into the book, in a thread.

It is a convenience: whoever reads the book drains it first. So a book that is locked, away or too new is no failure of
the endpoint; the entries wait in the journal, the state says so, and the timer tries again, ever less often up to half
a minute. The database is imported on the first turn, not at the endpoint's start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from daybook.clock import Clock
from daybook.errors import BookError
from daybook.gateway.logs import Log
from daybook.inference.call.request import error_kind

_FIRST = 1.0
"""Seconds before the first turn: what an earlier process left behind does not wait long, and the start is over."""
_SLOWEST = 30.0


class DrainResult(Protocol):
    @property
    def entries(self) -> int: ...


class Drainable(Protocol):
    """The book, as the timer sees it."""

    def drain(self) -> DrainResult: ...


class DrainKeeper(Protocol):
    """Whoever drains for an endpoint, in a thread of it or elsewhere."""

    def start(self) -> None: ...

    def keep(self) -> None:
        """Start it again if it has died: called now and then."""

    def stop(self) -> None: ...

    def state(self) -> DrainState: ...


@dataclass(frozen=True, slots=True)
class DrainState:
    """How the last turn went."""

    entries: int = 0
    """Moved by this process so far."""
    turns: int = 0
    error: str | None = None
    """`locked`, `unreachable`, `too_new`, `other_journal` or `failed`; None where it went through or is yet to come."""
    behind_since: float | None = None
    """The monotonic moment of the first failure in a row."""
    lag: float = 0.0
    """Seconds for which entries have been waiting, at most."""


class DrainTimer:
    """Drains `open_book()` every `interval` seconds. `report`: told of the state after a turn that changed it."""

    def __init__(
        self,
        open_book: Callable[[], Drainable],
        *,
        clock: Clock,
        log: Log,
        interval: float = 5.0,
        report: Callable[[DrainState], None] = lambda _state: None,
    ) -> None:
        self._open_book = open_book
        self._clock = clock
        self._log = log
        self._interval = interval
        self._report = report
        self._state = DrainState()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._book: Drainable | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="daybook-drain", daemon=True)
        self._thread.start()

    def keep(self) -> None:
        """A thread does not die by itself."""

    def stop(self, *, patience: float | None = 3.0) -> None:
        """Stop after the turn under way; one longer than `patience` seconds is left behind, its transaction whole."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(patience)

    def state(self) -> DrainState:
        state = self._state
        if state.behind_since is None:
            return state
        return replace(state, lag=self._clock.monotonic() - state.behind_since)

    def _run(self) -> None:
        wait = min(_FIRST, self._interval)
        while not self._stop.wait(wait):
            wait = self._interval if self.turn() else min(_SLOWEST, wait * 2)

    def turn(self) -> bool:
        """One drain; whether it went through."""
        before = self._state
        well = self._drain(before)
        after = self._state
        if (after.entries, after.error, after.behind_since) != (before.entries, before.error, before.behind_since) or (
            before.turns == 0
        ):
            self._report(after)
        return well

    def _drain(self, before: DrainState) -> bool:
        began = self._clock.monotonic()
        try:
            if self._book is None:
                self._book = self._open_book()
            moved = self._book.drain().entries
        except Exception as error:
            word = error_kind(error).removeprefix("book_") if isinstance(error, BookError) else "failed"
            if word != before.error:
                if isinstance(error, BookError):
                    self._log.line("drain", level="warning", state=word)
                else:
                    self._log.fault("drain", error, state=word)
            behind = began if before.behind_since is None else before.behind_since
            self._state = replace(before, turns=before.turns + 1, error=word, behind_since=behind)
            return False
        if before.error is not None:
            self._log.line("drain", state="ok", moved=moved)
        self._state = DrainState(entries=before.entries + moved, turns=before.turns + 1)
        return True
