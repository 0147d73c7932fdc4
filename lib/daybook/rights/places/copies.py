"""Copies that were written for a person: what `daybook subject export --to` left in a folder, wherever that is.

    <home>/rights/copies.json     for whom, by keyed reference, where, when, and the digest of each file

They are the person's own, and a copy of everything: an erasure removes them, or names those that are not in their
place any more, with the digests by which they can be recognised. The list is no part of the trail, because a folder's
name may be the person's, and has to go with them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit.seals import digest
from daybook.audit.trail import reference
from daybook.rights.places.port import Announce, Holding, Person

_LIST = Path("rights") / "copies.json"


@dataclass(frozen=True, slots=True)
class Copy:
    reference: str
    folder: Path
    at: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Name → digest; none where writing it was cut off."""

    @property
    def away(self) -> bool:
        return not self.folder.is_dir()

    def paths(self) -> list[Path]:
        """Its files that are there; of one that was cut off, whatever such a copy is made of."""
        names = self.files or [path.name for pattern in ("access.json", "access-*.html")
                               for path in sorted(self.folder.glob(pattern))]  # fmt: skip
        return [self.folder / name for name in names if (self.folder / name).is_file()]


def read(home: Path) -> list[Copy]:
    try:
        rows = orjson.loads((home / _LIST).read_bytes())
    except FileNotFoundError:
        return []
    return [Copy(row["reference"], Path(row["folder"]), row["at"], row["files"]) for row in rows]


@contextlib.contextmanager
def noted(home: Path, reference: str, folder: Path, at: datetime) -> Iterator[None]:
    """Note a copy before a byte of it is written, and its files' digests once they are."""
    folder = folder.absolute()
    copy = Copy(reference, folder, at.isoformat())
    _replace(home, folder, copy)
    yield
    files = {path.name: digest(path.read_bytes()) for path in copy.paths()}
    _replace(home, folder, Copy(reference, folder, copy.at, files))


class Copies:
    name = "copies"

    def __init__(self, home: Path) -> None:
        self._home = home

    def of(self, person: Person) -> list[Copy]:
        name = reference(self._home, person.subject)
        return [copy for copy in read(self._home) if copy.reference == name]

    def holdings(self, person: Person) -> list[Holding]:
        n = sum(len(copy.paths()) for copy in self.of(person))
        return [Holding(place="copies", what="files that were written for the person", count=n)] if n else []

    def erase(self, person: Person, announce: Announce) -> int:
        """Remove the files; a copy that is not in its place stays on the list."""
        count = 0
        for copy in self.of(person):
            if copy.away:
                continue
            for path in copy.paths():
                path.unlink(missing_ok=True)
                count += 1
            with contextlib.suppress(OSError):  # whatever else somebody laid there is not ours
                copy.folder.rmdir()
            _replace(self._home, copy.folder, None)
        return count

    def back(self, subjects: Mapping[str, Any]) -> dict[str, list[str]]:
        """Subject → the copies of those subjects that were away when they were erased, and are in their place now."""
        names = {reference(self._home, subject): subject for subject in subjects}
        found: dict[str, list[str]] = {}
        for copy in read(self._home):
            if copy.reference in names:
                found.setdefault(names[copy.reference], []).extend(map(str, copy.paths()))
        return {subject: paths for subject, paths in found.items() if paths}


def _replace(home: Path, folder: Path, copy: Copy | None) -> None:
    path = home / _LIST
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic.alone(path.with_name(".copies.lock")):
        copies = [other for other in read(home) if other.folder != folder] + ([copy] if copy else [])
        rows = [{"reference": c.reference, "folder": str(c.folder), "at": c.at, "files": dict(c.files)} for c in copies]
        atomic.replace(path, orjson.dumps(rows, option=orjson.OPT_INDENT_2))
