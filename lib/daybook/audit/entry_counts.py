"""What each process of the endpoint counts of its own entries, apart from the journal and the book.

    <home>/audit/counts/<process>.json   {"since": …, "saved": …, "ended": …, "book": …,
                                          "days": {day: {key: entries}}, "files": {name: bytes}}
                       /<process>.lock   held for as long as the process lives

The chain says nothing of calls, which are no events, and nothing of what was never entered. So a process counts what it
appended to its journal, per UTC day and key, and notes how many bytes it wrote to which of the journal's files. The
file is written every second in which something was counted. When the process begins to count, once a day and when it
ends, the counts are also entered in the trail: there the chain protects them, and other homes that share the book read
them. A file whose counts are entered whole is removed; that of a process that was killed is entered by the next one.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import orjson

from daybook import atomic
from daybook.audit.trail import Trail
from daybook.book.journal import owner
from daybook.book.trail import keys
from daybook.clock import Clock, new_id
from daybook.errors import JournalError, SettingsError
from daybook.ports import DurableLedger
from daybook.records import Call

FOLDER = "counts"
COUNTED = "endpoint.counted"
ACTOR = "endpoint"
NO_KEY = "-"
"""Stands for calls without a key."""
_LARGEST = 1000
"""Counts of a day and key that are entered in one event, at most."""


class CountedJournal(DurableLedger, Protocol):
    """A journal that says how many bytes it wrote."""

    def sizes(self) -> Mapping[str, int]:
        """File → bytes that this process wrote to it."""


class EntryCounts:
    """Counts what this process enters. Told of each call from its event loop; saved from any thread."""

    def __init__(self, home: Path, journal: CountedJournal, *, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._journal = journal
        self._process = new_id()
        self._path = home / keys.FOLDER / FOLDER / f"{self._process}.json"
        self._alive = atomic.Leadership(self._path.with_suffix(".lock"))
        self._since = clock.now()
        self._days: dict[str, Counter[str]] = {}
        self._dirty = False
        self._unentered: set[str] = set()
        """Days whose counts have changed since they were entered in the trail."""
        self._entered_on: str | None = None
        """The UTC day on which counts were entered last."""
        self._entered_sizes: Mapping[str, int] = {}
        self._lock = threading.Lock()
        self._saving = threading.Lock()

    def add(self, call: Call) -> None:
        day = call.at.astimezone(UTC).date().isoformat()
        with self._lock:
            self._days.setdefault(day, Counter())[call.key_id or NO_KEY] += 1
            self._unentered.add(day)
            self._dirty = True

    def save(self, *, ended: bool = False) -> None:
        """Write the counts down where there are new ones, and enter them in the trail where that is due. What can't be
        written is tried again with the next."""
        with self._saving:
            self._save(ended=ended)

    def _save(self, *, ended: bool) -> None:
        with self._lock:
            if not self._dirty and not (ended and self._days):
                return
            now = self._clock.now()
            content = {
                "since": self._since.isoformat(),
                "saved": now.isoformat(),
                "ended": ended,
                "book": owner.claimed(self._home),
                "days": {day: dict(counts) for day, counts in self._days.items()},
                "files": dict(self._journal.sizes()),
            }
            changed, self._unentered = self._unentered, set()
            self._dirty = False
        try:
            keys.folder(self._home)
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._alive.take()
            atomic.replace(self._path, orjson.dumps(content))
            today = now.astimezone(UTC).date().isoformat()
            if ended or self._entered_on != today:
                if self._entered_on is None:
                    enter_dead(self._home, self._journal, clock=self._clock)
                self._enter(content, changed)
                self._entered_on, changed = today, set()
            if ended:
                self._path.unlink()
                self._path.with_suffix(".lock").unlink()
                self._alive.leave()
        except (OSError, JournalError, SettingsError):
            with self._lock:
                self._dirty = True
        finally:
            with self._lock:
                self._unentered |= changed

    def _enter(self, content: Mapping[str, Any], days: Iterable[str]) -> None:
        sizes = content["files"]
        new = {name: size for name, size in sizes.items() if self._entered_sizes.get(name) != size}
        part = {**content, "days": {day: content["days"][day] for day in sorted(days)}, "files": new}
        enter(self._home, self._journal, self._process, part, clock=self._clock)
        self._entered_sizes = sizes


def enter(
    home: Path, journal: DurableLedger, process: str, content: Mapping[str, Any], *, clock: Clock, dead: bool = False
) -> None:
    """Enter a process's counts in the trail, in as many events as it takes. Raises JournalError."""
    trail = Trail(journal, home, clock=clock)
    stated = {name: content[name] for name in ("since", "saved")}
    parts = list(_parts(content["days"]))
    for number, days in enumerate(parts, 1):
        last = number == len(parts)
        more = {"ended": bool(content["ended"]) and last, "dead": dead and last, "days": days}
        files = dict(content.get("files", {})) if last else {}
        trail.record(COUNTED, actor=ACTOR, object=process, outcome="done", details={**stated, **more, "files": files})


def _parts(days: Mapping[str, Mapping[str, int]]) -> Iterator[dict[str, dict[str, int]]]:
    """The days in order, so that none has more than so many counts unless it is one day."""
    part: dict[str, dict[str, int]] = {}
    for day in sorted(days):
        if part and sum(map(len, part.values())) + len(days[day]) > _LARGEST:
            yield part
            part = {}
        part[day] = dict(days[day])
    yield part


def enter_dead(home: Path, journal: DurableLedger, *, clock: Clock) -> int:
    """Enter the counts of processes that ended without doing so, and remove their files; how many there were. What they
    counted after they last saved is not known. Raises JournalError, OSError and SettingsError."""
    entered = 0
    for path, content in files(home):
        lock = atomic.Leadership(path.with_suffix(".lock"))
        if content.get("book") not in (None, owner.claimed(home)) or not lock.take():
            continue
        try:
            if path.exists():  # another process may have entered it in between
                enter(home, journal, path.stem, content, clock=clock, dead=True)
                path.unlink()
                entered += 1
            path.with_suffix(".lock").unlink(missing_ok=True)
        except (KeyError, TypeError, AttributeError) as error:
            raise unreadable(path, error) from error
        finally:
            lock.leave()
    return entered


def forget(home: Path) -> None:
    """After a restore: what was counted before it is of rows that may be lost. The days remain, as days of which not
    all was counted. Raises OSError and SettingsError."""
    for path, content in files(home):
        days = content.get("days")
        emptied: dict[str, Any] = {"saved": content.get("since", content["saved"]), "ended": False, "files": {}}
        emptied["days"] = {day: {} for day in days} if isinstance(days, dict) else {}
        atomic.replace(path, orjson.dumps({**content, **emptied}))


def files(home: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The counts that lie in files. Raises SettingsError for one that holds none."""
    for path in sorted((home / keys.FOLDER / FOLDER).glob("[!.]*.json")):
        with contextlib.suppress(FileNotFoundError):
            try:
                content = orjson.loads(path.read_bytes())
                datetime.fromisoformat(content["saved"])
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
                raise unreadable(path, error) from error
            yield path, content


def unreadable(path: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"{path} holds no counts of the endpoint ({type(error).__name__}).",
        remedy="Restore it from a backup; without it what was entered by that process cannot be compared.",
    )
