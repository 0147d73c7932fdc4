"""The regular look at the book, in a thread beside the endpoint, by one process of a home.

Each look does its tasks with one book: publish what another machine changed, judge the canaries, raise alerts. No
request waits for it. A book that is in use or away is looked at again the next time; so is a task that failed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from daybook.atomic import Leadership
from daybook.errors import BookError
from daybook.gateway.logs import Log
from daybook.inference.call.request import error_kind

if TYPE_CHECKING:
    from daybook.book import Book

EVERY = 10.0
"""Seconds between two looks: what another machine changed is seen within them."""
Task = Callable[["Book"], None]


class BookWatch:
    """Does `tasks` every `interval` seconds while no other process of `home` does."""

    def __init__(
        self,
        tasks: Mapping[str, Task],
        open_book: Callable[[], Book],
        *,
        home: Path,
        log: Log,
        interval: float = EVERY,
    ) -> None:
        self._tasks = tasks
        self._open_book = open_book
        self._leadership = Leadership(home / "watch.lock")
        self._log = log
        self._interval = interval
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing: dict[str, str] = {}
        """Task → the word of its failure, so that one which lasts is logged once."""

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="daybook-watch", daemon=True)
        self._thread.start()

    def stop(self, *, patience: float = 3.0) -> None:
        """Stop after the look under way; one longer than `patience` seconds is left behind."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(patience)
        self._leadership.leave()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.turn()

    def turn(self) -> bool:
        """One look; whether every task was done, or another process does them."""
        try:
            if not self._leadership.take():
                return True
        except OSError as error:
            self._note("watch", error)
            return False
        with self._open_book() as book:
            done = [self._done(name, task, book) for name, task in self._tasks.items()]
        return all(done)

    def _done(self, name: str, task: Task, book: Book) -> bool:
        try:
            task(book)
        except Exception as error:
            self._note(name, error)
            return False
        if self._failing.pop(name, None) is not None:
            self._log.line(name, state="ok")
        return True

    def _note(self, name: str, error: Exception) -> None:
        word = error_kind(error) if isinstance(error, BookError) else type(error).__name__
        if self._failing.get(name) == word:
            return
        self._failing[name] = word
        if isinstance(error, BookError):
            self._log.line(name, level="warning", state=word)
        else:
            self._log.fault(name, error, state=word)
