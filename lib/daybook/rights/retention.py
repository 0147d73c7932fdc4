"""How long what is kept is kept: by class of data, as a file says, on schedule, reported, and held where it must be.

    <home>/retention.yml        days; a class that is not named is kept for ever
        content: 90       what was said in calls
        identity: 365     whose the calls were: subject, tags, digest of the prompt
        logs: 730         the rows of calls themselves; never under 183 days
        training: 180     rows of trainings that are over
        exports: 30       tables that were written out of the book

Calls about nobody are sealed under a key of their UTC day. Once all of a day is older than what was said is kept for,
its key is destroyed, in the folders of backed-up keys too: what was said that day is then unreadable in every copy.

A legal hold wins: nothing of a person on hold goes, and nothing at all where the book's holds are not those that the
trail says were entered. Logs are kept for six months at least, because the EU's AI Act asks
that of providers (Article 19) and deployers (Article 26(6)) of high-risk systems; check which you are. The trail is not
in any class: it stays. Reports stay too: they are sealed, and hold findings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import yaml

from daybook.audit.seals.changes import announced
from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.checks import CHANGED
from daybook.book.content import HEADS, PREFIX, day_of, owner_of
from daybook.book.trail import standings
from daybook.clock import Clock, SystemClock
from daybook.errors import GateNotMet, SettingsError
from daybook.rights.backups import key_copies
from daybook.training.jobs import OVER

FILE = "retention.yml"
DAY_KEYS = "day keys"
"""What goes besides, where a class has a limit by which what was said goes."""
CLASSES = ("content", "identity", "logs", "training", "exports")
LEAST_LOGS = 183
"""Days: six months."""
LONGEST = 36_500
_SETS = {
    "content": "prompt = null, answer = null",
    # what was said stands sealed under the person's key, which nobody could name any more
    "identity": "subject = null, tags = '{}', prompt_hash = null, "
    + ", ".join(
        f"{column} = case when subject is not null and {column} like '{PREFIX}%' then null else {column} end"
        for column in ("prompt", "answer")
    ),
}
_SAID = ("content", "logs")
"""The classes by which what was said in calls about nobody goes."""
_WHERE = {
    "content": "(prompt is not null or answer is not null)",
    "identity": "(subject is not null or prompt_hash is not null)",
    "logs": "id is not null",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is due of one class. `held`: what a legal hold keeps although it is."""

    name: str
    days: int
    until: datetime
    """Older than this."""
    count: int
    held: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"until": self.until.isoformat()}


def read(home: Path) -> dict[str, int]:
    """Class → days. Raises SettingsError for a file that cannot be meant; without one nothing is ever due."""
    path = home / FILE
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read ({type(error).__name__}).", remedy="Write class: days.") from error
    if not isinstance(rows, dict):
        raise SettingsError(f"{path} has no class of data.", remedy="Write a line for each with its days: content: 90")
    if strange := sorted(str(name) for name in rows if name not in CLASSES):
        raise SettingsError(
            f"{path} names {strange[0][:40]!r}, which is no class of data.",
            remedy=f"There are: {', '.join(CLASSES)}; write a line for each with its days: content: 90",
        )
    for name, days in rows.items():
        least = LEAST_LOGS if name == "logs" else 0
        if not isinstance(days, int) or isinstance(days, bool) or not least <= days <= LONGEST:
            reason = f" (six months, which the AI Act asks for; {LEAST_LOGS} at least)" if name == "logs" else ""
            raise SettingsError(
                f"{path} keeps {name} for {str(days)[:20]!r} days.",
                remedy=f"Write a whole number from {least} to {LONGEST:,}{reason}.",
            )
    return {name: rows[name] for name in CLASSES if name in rows}


class Retention:
    def __init__(self, home: Path, book: Book, trail: Trail, clock: Clock | None = None) -> None:
        self._home = home
        self._book = book
        self._trail = trail
        self._clock = clock or SystemClock()

    def due(self) -> list[Due]:
        """What would go now. Nothing does. Raises GateNotMet where a hold is another than the trail says."""
        now = self._clock.now().astimezone(UTC)
        limits = read(self._home)
        due = [self._due(name, days, now - timedelta(days=days)) for name, days in limits.items()]
        if said := [limits[name] for name in _SAID if name in limits]:
            until = now - timedelta(days=min(said))
            over, kept = self._days(until)
            due.append(Due(name=DAY_KEYS, days=min(said), until=until, count=len(over - kept), held=len(over & kept)))
        return due

    def apply(self, *, by: str) -> list[Due]:
        """Let go what is due; returns what it was. Each class is in the trail before it goes. Raises GateNotMet where a
        hold is another than the trail says: that it was refused is entered."""
        try:
            due = self.due()
        except GateNotMet as error:
            self._trail.record("retention.refused", actor=by, outcome="refused", details={"why": error.message})
            raise
        rewrite = False
        for item in due:
            if not item.count:
                continue
            if item.name in _WHERE:
                self._apply_to_calls(item, by)
                rewrite = True
            elif item.name == DAY_KEYS:
                self._record(item, by, {})
                over, kept = self._days(item.until)
                self._book.vault.destroy(*(owner_of(None, day) for day in sorted(over - kept)))
                key_copies.destroy(self._home, self._book.vault)
            else:
                self._record(item, by, {})
                for path in self._files(item.name, item.until):
                    path.unlink(missing_ok=True)
        if rewrite:
            self._book.drain()
            self._book.store.rewrite()
        return due

    def _due(self, name: str, days: int, until: datetime) -> Due:
        if name not in _WHERE:
            return Due(name=name, days=days, until=until, count=len(self._files(name, until)), held=0)
        held = self._held()
        inside = f"subject in ({', '.join(held)})" if held else "false"
        query = (
            f"select count(*) filter (where {inside}) as held, count(*) as n from calls "  # noqa: S608 - our own words
            f"where time < :until and {_WHERE[name]}"
        )
        (row,) = self._book.rows(query, {"until": until})
        return Due(name=name, days=days, until=until, count=row["n"] - row["held"], held=row["held"])

    def _days(self, until: datetime) -> tuple[set[str], set[str]]:
        """The days that have a key and were over before `until`; and those under whose keys a legal hold keeps
        something."""
        over = set()
        for owner, state in self._book.vault.states().items():
            with contextlib.suppress(ValueError):  # a person's, or that of calls whose day is not known
                end = datetime.fromisoformat(day_of(owner)).replace(tzinfo=UTC) + timedelta(days=1)
                if state.state == "kept" and end <= until:
                    over.add(day_of(owner))
        if not (over and (held := self._held())):
            return over, set()
        query = f"select distinct day from ({HEADS}) as h where subject in ({', '.join(held)})"  # noqa: S608 - our own words
        return over, {row["day"] for row in self._book.rows(query)}

    def _apply_to_calls(self, item: Due, by: str) -> None:
        held = self._held()
        moment = item.until.isoformat()
        kept = f"and (subject is null or subject not in ({', '.join(held)}))" if held else ""
        where = f"where time < timestamptz '{moment}' and {_WHERE[item.name]} {kept}"
        self._book.drain()
        ids = {row["id"] for row in self._book.rows(f"select id from calls {where}")}  # noqa: S608 - our own words
        change = "removed" if item.name == "logs" else "personal"
        with (
            announced(self._book, {"calls": {change: ids}}) as announcement,
            self._book.store.writing() as writer,
            writer.transaction(),
        ):
            ((n,),) = writer.execute(f"select count(*) from calls {where}")  # noqa: S608 - our own words and literals
            if item.name == "logs":
                writer.execute(f"delete from calls {where}")  # noqa: S608 - our own words and literals
            else:
                writer.execute(f"update calls set {_SETS[item.name]} {where}")  # noqa: S608 - our own words
            details = announcement.details(writer)
            details[CHANGED] = {"calls": {change: int(n)}}  # with those that came since
            self._record(item, by, details)

    def _record(self, item: Due, by: str, details: Mapping[str, Any]) -> None:
        given = {"class": item.name, "days": item.days, "count": item.count, "held": item.held, **details}
        self._trail.record("retention.applied", actor=by, object=item.name, details=given)

    def _held(self) -> list[str]:
        """Those on legal hold, as literals. Raises GateNotMet where the trail says otherwise."""
        return sorted("'" + name.replace("'", "''") + "'" for name in standings.held(self._book))

    def _files(self, name: str, until: datetime) -> list[Path]:
        """Files of a class that are older. A training that is not over keeps its rows."""
        moment = until.timestamp()
        if name == "training":
            jobs = [path.parent for path in (self._home / "finetune").glob("ft-*/job.json") if _over(path)]
            paths = [path for job in jobs for path in job.glob("*.jsonl")]
        else:
            rows = self._book.rows("select details from events where action = 'book.exported'")
            details = (orjson.loads(r["details"]) if isinstance(r["details"], str) else r["details"] for r in rows)
            paths = [Path(str(d["path"])) for d in details if d.get("path")]
        old = [p for p in dict.fromkeys(paths) if p.is_file() and not p.is_symlink() and p.stat().st_mtime < moment]
        return old if name == "training" else [path for path in old if path.suffix in (".csv", ".parquet")]


def _over(path: Path) -> bool:
    try:
        return orjson.loads(path.read_bytes()).get("state") in OVER
    except (OSError, ValueError):
        return False
