"""The endpoint's cache of answers: those of the person's calls are deleted, and the file is written anew."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from daybook.clock import SystemClock
from daybook.errors import BookUnreachable
from daybook.inference.response_cache import FILE, ResponseCache
from daybook.rights.places.formats import rewrite_sqlite
from daybook.rights.places.port import Announce, Holding, Person


class Answers:
    name = "cache"

    def __init__(self, home: Path) -> None:
        self.path = home / FILE

    def holdings(self, person: Person) -> list[Holding]:
        if not self.path.exists():
            return []
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=10)) as file:
                (n,) = file.execute("select count(*) from answers where subject = ?", (person.subject,)).fetchone()
        except sqlite3.Error as error:
            raise BookUnreachable(
                f"The cache of answers {self.path} cannot be read ({error}).",
                remedy="Remove the file: it holds nothing but copies.",
            ) from error
        return [Holding(place="cache", what="answers that are kept", count=n)] if n else []

    def erase(self, person: Person, announce: Announce) -> int:
        if not self.path.exists():
            return 0
        with contextlib.closing(ResponseCache(self.path, seconds=0, room=0, clock=SystemClock())) as kept:
            count = kept.erase(person.subject)
        rewrite_sqlite(self.path)
        return count
