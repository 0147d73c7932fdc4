"""Whether what the endpoint entered is in the book: its own counts beside the journal's and the book's rows.

    <home>/audit/counts/<id>.json     one a process: {"since": …, "saved": …, "ended": …, "days": {day: {key: entries}}}

The chain says nothing of what was never entered, nor of calls, which are no events. So each process of the endpoint
counts what it appended to its journal, per UTC day and key, and writes that down apart from journal and database. What
is fewer in the book than was counted is missing: lines taken out of a journal before it was drained, or rows out of the
book. A process that was killed may have entered more than it had written down; then the book may have more.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit.ports import TrailBook
from daybook.book.trail import keys
from daybook.clock import Clock, new_id
from daybook.errors import SettingsError
from daybook.records import Call

FOLDER = "counts"
NO_KEY = "-"
"""Stands for calls without a key."""


class EntryCounts:
    """Counts what this process enters. Told of each call from its event loop; saved from any thread."""

    def __init__(self, home: Path, *, clock: Clock) -> None:
        self._clock = clock
        self._path = home / keys.FOLDER / FOLDER / f"{new_id()}.json"
        self._home = home
        self._since = clock.now()
        self._days: dict[str, Counter[str]] = {}
        self._dirty = False
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        day = call.at.astimezone(UTC).date().isoformat()
        with self._lock:
            self._days.setdefault(day, Counter())[call.key_id or NO_KEY] += 1
            self._dirty = True

    def save(self, *, ended: bool = False) -> None:
        """Write the counts down where there are new ones. What can't be written is tried again with the next."""
        with self._lock:
            if not self._dirty and not (ended and self._days):
                return
            now = self._clock.now().isoformat()
            content = {"since": self._since.isoformat(), "saved": now, "ended": ended, "days": self._days}
            data = orjson.dumps(content)
            self._dirty = False
        try:
            keys.folder(self._home)
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            atomic.replace(self._path, data)
        except OSError:
            with self._lock:
                self._dirty = True


@dataclass(frozen=True, slots=True)
class CountDifference:
    """A day and key of which the endpoint counted other than the book has."""

    day: str
    key: str
    counted: int
    rows: int
    killed: bool
    """Whether a process that counted then was killed: it may have entered more than it wrote down."""
    own: bool = True
    """Whether an endpoint of this home counted this key at all; else another home that shares the book may have."""

    @property
    def missing(self) -> int:
        return max(0, self.counted - self.rows)

    @property
    def unexplained(self) -> int:
        """Rows of the endpoint's that nobody counted, though nobody was killed."""
        return 0 if self.killed or not self.own else max(0, self.rows - self.counted)

    def __str__(self) -> str:
        return f"{self.day}, key {self.key}: the endpoint counted {self.counted}, the book has {self.rows}"


def compare(book: TrailBook) -> list[CountDifference]:
    """Where counts and rows differ, since the first count. Of processes that still run the counts may lag behind.

    Raises SettingsError for a file that holds no counts, and what reading the book raises."""
    counted: Counter[tuple[str, str]] = Counter()
    killed: set[str] = set()
    since: datetime | None = None
    for path, content in _files(book.home):
        try:
            began = datetime.fromisoformat(content["since"])
            since = began if since is None else min(since, began)
            for day, by_key in content["days"].items():
                counted.update({(day, key): int(n) for key, n in by_key.items()})
                killed |= set() if content["ended"] else {day}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _unreadable(path, error) from error
    if since is None:
        return []
    book.drain()
    moment = "make_timestamp(epoch_us(time))" if book.store.dialect == "duckdb" else "(time at time zone 'UTC')"
    rows = book.rows(
        f"select cast(cast({moment} as date) as text) as day, coalesce(key_id, :none) as key, count(*) as n from calls "  # noqa: S608 - one of two constants
        "where time >= :since and endpoint not in ('library', 'import') group by 1, 2",
        {"since": since, "none": NO_KEY},
    )
    there = Counter({(row["day"], row["key"]): int(row["n"]) for row in rows})
    own = {key for _, key in counted}
    return [
        CountDifference(day, key, counted[day, key], there[day, key], day in killed, key in own)
        for day, key in sorted(counted.keys() | there.keys())
        if counted[day, key] != there[day, key]
    ]


def _files(home: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((home / keys.FOLDER / FOLDER).glob("[!.]*.json")):
        with contextlib.suppress(FileNotFoundError):
            try:
                yield path, orjson.loads(path.read_bytes())
            except orjson.JSONDecodeError as error:
                raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"{path} holds no counts of the endpoint ({type(error).__name__}).",
        remedy="Restore it from a backup; without it what was entered by that process cannot be compared.",
    )
