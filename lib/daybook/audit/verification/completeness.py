"""Whether what the endpoint entered is in the book: its own counts beside the journal's and the book's rows.

Each process of the endpoint counts what it entered (daybook.audit.entry_counts), in every home that shares the book.
What is fewer in the book than was counted is missing: lines taken out of a journal before it was drained, or rows out
of the book. So is a file of the journal of which the book took fewer bytes than were written. What is more was entered
by somebody else, except on days of which a process may not have written all counts down: it runs still, or was killed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from daybook.audit import entry_counts
from daybook.audit.entry_counts import COUNTED, NO_KEY
from daybook.audit.ports import TrailBook

_UNDER_WAY = timedelta(hours=1)
"""How long before it was counted a call may have begun: its day is that of its beginning."""


@dataclass(frozen=True, slots=True)
class CountDifference:
    """A day and key of which the endpoint counted other than the book has."""

    day: str
    key: str
    counted: int
    rows: int
    uncounted: bool
    """Whether a process may have entered more on that day than it wrote down."""
    known: bool = True
    """Whether any process counted this key at all; else one that does not count may serve it."""

    @property
    def missing(self) -> int:
        return max(0, self.counted - self.rows)

    @property
    def unexplained(self) -> int:
        """Rows of the endpoint's that nobody counted, though every process wrote down what it entered."""
        return 0 if self.uncounted or not self.known else max(0, self.rows - self.counted)

    def __str__(self) -> str:
        return f"{self.day}, key {self.key}: the endpoint counted {self.counted}, the book has {self.rows}"


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file of the journal of which the book took fewer bytes than the endpoint wrote."""

    file: str
    written: int
    drained: int

    def __str__(self) -> str:
        return f"{self.file}: the endpoint wrote {self.written:,} bytes, the book took {self.drained:,}"


@dataclass(slots=True)
class _Process:
    """What one process counted, put together from its file and its entries in the trail."""

    since: datetime
    saved: datetime
    ended: bool = False
    days: dict[str, Mapping[str, int]] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)

    def add(self, content: Mapping[str, Any]) -> None:
        self.since = min(self.since, datetime.fromisoformat(content["since"]))
        self.saved = max(self.saved, datetime.fromisoformat(content["saved"]))
        self.ended |= bool(content["ended"])
        for day, counts in content["days"].items():
            if counts or day not in self.days:  # a restore empties the days of a file, not those of the trail
                self.days[str(day)] = {str(key): int(n) for key, n in counts.items()}
        for name, size in content.get("files", {}).items():
            self.files[name] = max(int(size), self.files.get(name, 0))

    @property
    def uncounted(self) -> set[str]:
        """Days on which it may have entered more than it wrote down."""
        if self.ended:
            return set()
        first, last = (moment.astimezone(UTC).date().isoformat() for moment in (self.saved - _UNDER_WAY, self.saved))
        return {first, last} | {day for day in self.days if day >= first}


def compare(book: TrailBook) -> tuple[list[CountDifference], list[FileDifference]]:
    """Where counts and rows differ, since the first count, and which bytes of the journal are missing.

    Raises SettingsError for a file that holds no counts, and what reading the book raises."""
    in_files = list(entry_counts.files(book.home))  # before the drain: what they count is then in the book
    newer = {text.partition(":")[0] for text in book.drain().newer}
    processes = _processes(book, in_files)
    if not processes:
        return [], []
    counted: Counter[tuple[str, str]] = Counter()
    for process in processes.values():
        counted.update({(day, key): n for day, counts in process.days.items() for key, n in counts.items()})
    uncounted = {day for process in processes.values() for day in process.uncounted}
    rows = _rows(book, min(process.since for process in processes.values()))
    known = {key for _, key in counted}
    differences = [
        CountDifference(day, key, counted[day, key], rows[day, key], day in uncounted, key in known)
        for day, key in sorted(counted.keys() | rows.keys())
        if counted[day, key] != rows[day, key]
    ]
    written = {name: n for process in processes.values() for name, n in process.files.items() if name not in newer}
    return differences, _shorter(book, written)


def _processes(book: TrailBook, in_files: list[tuple[Any, dict[str, Any]]]) -> dict[str, _Process]:
    processes: dict[str, _Process] = {}

    def add(name: str, content: Mapping[str, Any]) -> None:
        if name not in processes:
            since, saved = (datetime.fromisoformat(content[field]) for field in ("since", "saved"))
            processes[name] = _Process(since, saved)
        processes[name].add(content)

    for row in book.rows(
        "select e.object, e.details from events e join audit_chain c on c.event = e.id where e.action = :action "
        "order by c.seq",
        {"action": COUNTED},
    ):
        add(row["object"], row["details"])
    identity = book.rows("select id from book_identity")[0]["id"]
    for path, content in in_files:
        if content.get("book") in (None, identity):
            try:
                add(path.stem, content)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise entry_counts.unreadable(path, error) from error
    return processes


def _rows(book: TrailBook, since: datetime) -> Counter[tuple[str, str]]:
    moment = "make_timestamp(epoch_us(time))" if book.store.dialect == "duckdb" else "(time at time zone 'UTC')"
    rows = book.rows(
        f"select cast(cast({moment} as date) as text) as day, coalesce(key_id, :none) as key, count(*) as n from calls "  # noqa: S608 - one of two constants
        "where time >= :since and endpoint not in ('library', 'import') group by 1, 2",
        {"since": since, "none": NO_KEY},
    )
    return Counter({(row["day"], row["key"]): int(row["n"]) for row in rows})


def _shorter(book: TrailBook, written: Mapping[str, int]) -> list[FileDifference]:
    drained = {row["file"]: int(row["drained"]) for row in book.rows("select file, drained from journal_files")}
    return [
        FileDifference(name, size, drained.get(name, 0))
        for name, size in sorted(written.items())
        if drained.get(name, 0) < size
    ]
