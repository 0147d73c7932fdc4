"""Everything that is held on a person, for the person: as JSON a program can read, and as a page a person can.

    access = Access(settings, book, vault, clock)
    access.page("ada@example.com", by="dpo", identity_check="passport seen", reason="request of 3 March")
    access.write("ada@example.com", folder, …)            access.json, access-0001.html, access-0002.html …

The trail has it before anything is handed out: a page at a time, with how much was on it. The first page says what is
there in all; each has up to 500 calls and the cursor of the next one.
"""

from __future__ import annotations

import base64
import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.clock import Clock, SystemClock
from daybook.errors import BadParameter, KeyDestroyed, KeyMissing, SealBroken
from daybook.rights import page
from daybook.rights.backups import key_copies, register
from daybook.rights.people import SubjectIdentity, identify
from daybook.rights.places import copies
from daybook.rights.places.answers import Answers
from daybook.rights.places.book_rows import LEDGER, MISSING_CONTENT, BookRows
from daybook.rights.places.files import Files
from daybook.rights.places.journal_files import JournalFiles
from daybook.rights.places.port import Person
from daybook.rights.standing import Standing
from daybook.rights.traces import PersonTraces
from daybook.settings import Settings
from daybook.vault import Vault

MOST = 500
"""Calls on a page."""
FORMAT = "daybook access 1"
_LINES = 1_000
"""Lines of one file that are quoted."""
_BROKEN = "what was sealed cannot be read: its bytes are not those that were sealed"
_QUOTED = {".jsonl", ".ndjson", ".csv", ".log"}


class Access:
    def __init__(
        self, settings: Settings, book: Book, vault: Vault, clock: Clock | None = None, *, trail: Trail | None = None
    ) -> None:
        self._settings = settings
        self._book = book
        self._vault = vault
        self._clock = clock or SystemClock()
        self._rows = BookRows(book)
        self._answers = Answers(settings.home)
        there = [path for path in register.known(settings.home) if path.is_dir()]
        self._files = Files(settings, book, backups=there, vaults=key_copies.vaults(settings.home))
        self._trail = trail or Trail(book.journal, settings.home, clock=self._clock, sealer=vault)

    def page(
        self, who: str, *, by: str, identity_check: str, reason: str, after: str = "", limit: int = MOST
    ) -> dict[str, Any]:
        """A page: without `after` the first, which says what is held in all. `next`: the `after` of the next page.

        Raises BadParameter for a limit below 1 or above 500, or without words on who asked."""
        if not 1 <= limit <= MOST:
            raise BadParameter(f"limit is {limit}.", remedy=f"Ask for 1 to {MOST} calls a page.")
        for name, text in (("identity_check", identity_check), ("reason", reason), ("by", by)):
            if not text.strip() or len(text) > 1_000:
                raise BadParameter(f"{name} has {len(text):,} characters.", remedy="Say it in 1 to 1,000.")
        identity = identify(self._settings.home, who)
        calls = self._rows.calls(identity.subject, after=after, limit=limit + 1)
        more = len(calls) > limit
        calls = calls[:limit]
        document: dict[str, Any] = {
            "format": FORMAT,
            "subject": identity.reference,
            "made_at": self._clock.now().isoformat(),
            "asked_by": by,
            "identity_check": identity_check,
        }
        if not after:
            document |= self._first(identity)
        document |= {"calls": [_plain(call) for call in calls], "next": calls[-1]["id"] if more else None}
        self._trail.record(
            "subject.exported",
            actor=by,
            subject=identity.name or identity.subject,
            reason=reason,
            details={"calls": len(calls), "first_page": not after, "identity_check": identity_check},
        )
        return document

    def pages(self, who: str, **asked: Any) -> Iterator[dict[str, Any]]:
        after: str | None = ""
        while after is not None:
            document = self.page(who, after=after, **asked)
            after = document["next"]
            yield document

    def write(self, who: str, folder: Path, **asked: Any) -> list[Path]:
        """All pages in a new folder of mode 0700: `access.json` and `access-0001.html` …. Where they are is noted,
        so that an erasure finds them. Raises BadParameter for a folder that has something in it."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            full = next(folder.iterdir(), None) is not None
        except OSError as error:
            raise BadParameter(
                f"{folder} cannot be written ({error.strerror}).", remedy="Name a new folder."
            ) from error
        if full:
            raise BadParameter(f"{folder} has something in it.", remedy="Name a new folder.")
        paths = [folder / "access.json"]
        whose = identify(self._settings.home, who).reference
        with copies.noted(self._settings.home, whose, folder, self._clock.now()), _new(paths[0]) as file:
            for number, document in enumerate(self.pages(who, **asked), start=1):
                # one document: the first page's facts, then the calls of all pages
                rows = [orjson.dumps(call) for call in document["calls"]]
                if number == 1:
                    facts = {key: value for key, value in document.items() if key not in ("calls", "next")}
                    file.write(orjson.dumps(facts)[:-1] + b',"calls":[\n')
                file.write((b",\n" if number > 1 and rows else b"") + b",\n".join(rows))
                path = folder / f"access-{number:04d}.html"
                following = f"access-{number + 1:04d}.html" if document["next"] else None
                with _new(path) as html:
                    html.write(page.render(document, number=number, following=following).encode(errors="replace"))
                paths.append(path)
            file.write(b"\n]}\n")
        return paths

    def _first(self, identity: SubjectIdentity) -> dict[str, Any]:
        person = Person.of(PersonTraces(identity.subject, identity.name, tuple(self._rows.texts(identity.subject))))
        places = (self._rows, JournalFiles(self._book), self._answers, self._files)
        holdings = [holding for place in places for holding in place.holdings(person)]
        standing = Standing.of(self._book, identity.subject)
        return {
            "held": [{"place": h.place, "what": h.what, "count": h.count} for h in holdings if h.why != LEDGER],
            "consents": dict(standing.consents),
            "restriction": standing.restriction,
            "legal_hold": standing.hold,
            "corrections": list(standing.corrections),
            "models_trained_on_it": [_plain(row) for row in self._rows.models(identity.subject)],
            "trail": [self._event(identity, row) for row in self._rows.events(identity.reference)],
            "kept_answers": self._kept(identity.subject),
            "files": [self._quoted(path, person) for path in self._files.found(person)],
        }

    def _event(self, identity: SubjectIdentity, row: Mapping[str, Any]) -> dict[str, Any]:
        """An entry of the trail with its personal fields opened, or why they are not. Raises VaultUnusable: what
        cannot be read now may still be there."""
        event = _plain(row)
        sealed = event.pop("sealed", None)
        if sealed:
            try:
                context = b"event:" + str(row["id"]).encode()
                data = self._vault.open(identity.subject, base64.b64decode(sealed), context=context)
                event["personal"] = orjson.loads(data)
            except KeyDestroyed:
                event["personal"] = "erased"
            except KeyMissing:
                event["personal"] = MISSING_CONTENT
            except (SealBroken, ValueError):
                event["personal"] = _BROKEN
        return event

    def _kept(self, subject: str) -> list[dict[str, Any]]:
        """The endpoint's kept answers about the person."""
        if not self._answers.path.exists():
            return []
        with contextlib.closing(sqlite3.connect(self._answers.path, timeout=10)) as file:
            rows = file.execute("select at, until, answer from answers where subject = ? order by at", (subject,))
            return [{"kept_at": at, "until": until, **orjson.loads(answer)} for at, until, answer in rows]

    def _quoted(self, path: Path, person: Person) -> dict[str, Any]:
        """A file that has something of the person; of one that is made of lines, the person's lines."""
        found: dict[str, Any] = {"file": str(path), "has": sorted(person.search.in_file(path))}
        if path.suffix in _QUOTED:
            with path.open("rb") as file:
                lines = [line.decode(errors="replace").rstrip("\n") for line in file if person.search.hits(line)]
            found |= {"lines": lines[:_LINES], "more_lines": max(0, len(lines) - _LINES)}
        return found


@contextlib.contextmanager
def _new(path: Path) -> Iterator[Any]:
    """A new file, its owner's alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON has it; what is not known is left out."""
    return {name: _value(value) for name, value in row.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
