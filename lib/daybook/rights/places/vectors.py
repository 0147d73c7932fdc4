"""Vectors of what the person said: no text can be read back from one, but it says something about it. They are kept
under a digest of the text, so that those of whole texts are found; those of parts of a text are not."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

from daybook.errors import BookUnreachable
from daybook.rights.places.formats import rewrite_sqlite
from daybook.rights.places.port import Announce, Holding, Person

FILE = "embeddings.sqlite"


class Vectors:
    name = "vectors"

    def __init__(self, home: Path) -> None:
        self.path = home / FILE

    def holdings(self, person: Person) -> list[Holding]:
        n = self._run("select count(*) from embeddings where text = ?", person)
        return [Holding(place="vectors", what="vectors of what was said", count=n)] if n else []

    def erase(self, person: Person, announce: Announce) -> int:
        count = self._run("delete from embeddings where text = ?", person)
        if count:
            rewrite_sqlite(self.path)
        return count

    def _run(self, query: str, person: Person) -> int:
        if not self.path.exists() or not person.traces.texts:
            return 0
        digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in person.traces.texts]
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=20)) as file, file:
                file.execute("pragma secure_delete = on")
                cursors = [file.execute(query, (digest,)) for digest in dict.fromkeys(digests)]
                return sum(row[0] if (row := cursor.fetchone()) else cursor.rowcount for cursor in cursors)
        except sqlite3.Error as error:
            raise BookUnreachable(
                f"The cache of vectors {self.path} cannot be used ({error}).",
                remedy="Let go of it elsewhere, or remove the file: it holds nothing but what can be computed again.",
            ) from error
