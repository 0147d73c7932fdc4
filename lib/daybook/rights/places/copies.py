"""Copies that were written for a person: what `daybook subject export --to` left in a folder, wherever that is.

    <home>/rights/copies.json     for whom, by keyed reference, where, when, and the digest of each file

They are the person's own, and a copy of everything: an erasure removes them, or names those that are not in their
place any more, with the digests by which they can be recognised. A folder's name may be the person's: the list is no
part of the trail, and an erasure leaves of the name of a folder that is away its keyed reference alone, by which it is
known again when it is back beside its neighbours.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.book.trail.names import reference
from daybook.digest import digest_file
from daybook.rights.places.formats import MARK
from daybook.rights.places.port import Announce, Holding, Person

_LIST = Path("rights") / "copies.json"


@dataclass(frozen=True, slots=True)
class ExportedCopy:
    id: str
    reference: str
    folder: Path
    at: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Name → digest; none where writing it was cut off."""
    replaced: bool = False
    """Whether another copy was written to the folder since: what lies there is this one's only where it is the same."""

    @property
    def away(self) -> bool:
        return not (self.paths() if self.replaced else self.folder.is_dir())

    def paths(self) -> list[Path]:
        """Its files that are there; of one that was cut off, whatever such a copy is made of."""
        if self.replaced:
            there = [(self.folder / name, stated) for name, stated in self.files.items()]
            return [path for path, stated in there if path.is_file() and digest_file(path) == stated]
        names = self.files or [path.name for pattern in ("access.json", "access-*.html")
                               for path in sorted(self.folder.glob(pattern))]  # fmt: skip
        return [self.folder / name for name in names if (self.folder / name).is_file()]


def read(home: Path) -> list[ExportedCopy]:
    """All of them, oldest first."""
    copies: list[ExportedCopy] = []
    later: set[Path] = set()
    for row in reversed(_rows(home)):
        folder = _folder(home, row)
        copies.append(ExportedCopy(row["id"], row["reference"], folder, row["at"], row["files"], folder in later))
        later.add(folder)
    return copies[::-1]


def _rows(home: Path) -> list[dict[str, Any]]:
    try:
        rows = orjson.loads((home / _LIST).read_bytes())
    except FileNotFoundError:
        return []
    return [{"id": f"c-{number}", **row} for number, row in enumerate(rows)]


def _folder(home: Path, row: Mapping[str, Any]) -> Path:
    """Where the copy is, or was; of one whose folder's name was erased, what stands there now under that name."""
    folder = Path(row["folder"])
    if "name" not in row:
        return folder
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if reference(home, str(path)) == row["name"]:
                return path
    return folder / MARK


@contextlib.contextmanager
def noted(home: Path, reference: str, folder: Path, at: datetime) -> Iterator[None]:
    """Note a copy before a byte of it is written, and its files' digests once they are."""
    folder = folder.absolute()
    copy = ExportedCopy(f"c-{secrets.token_hex(6)}", reference, folder, at.isoformat())
    row = {"id": copy.id, "reference": reference, "folder": str(folder), "at": copy.at, "files": {}}
    _replace(home, copy.id, row)
    yield
    files = {path.name: digest_file(path) for path in copy.paths()}
    _replace(home, copy.id, row | {"files": files})


class ExportedCopies:
    name = "copies"

    def __init__(self, home: Path) -> None:
        self._home = home

    def of(self, person: Person) -> list[ExportedCopy]:
        name = reference(self._home, person.subject)
        return [copy for copy in read(self._home) if copy.reference == name]

    def holdings(self, person: Person) -> list[Holding]:
        n = sum(len(copy.paths()) for copy in self.of(person))
        return [Holding(place="copies", what="files that were written for the person", count=n)] if n else []

    def erase(self, person: Person, announce: Announce) -> int:
        """Remove the files; a copy that is not in its place stays on the list, without the name of its folder."""
        count = 0
        for copy in self.of(person):
            if copy.away:
                if copy.folder.name != MARK:
                    _replace(self._home, copy.id, {
                        "id": copy.id, "reference": copy.reference, "folder": str(copy.folder.parent),
                        "name": reference(self._home, str(copy.folder)), "at": copy.at, "files": dict(copy.files),
                    })  # fmt: skip
                continue
            for path in copy.paths():
                path.unlink(missing_ok=True)
                count += 1
            with contextlib.suppress(OSError):  # whatever else somebody laid there is not ours
                copy.folder.rmdir()
            _replace(self._home, copy.id, None)
        return count

    def back(self, subjects: Mapping[str, Any]) -> dict[str, list[str]]:
        """Subject → the copies of those subjects that were away when they were erased, and are in their place now."""
        names = {reference(self._home, subject): subject for subject in subjects}
        found: dict[str, list[str]] = {}
        for copy in read(self._home):
            if copy.reference in names:
                found.setdefault(names[copy.reference], []).extend(map(str, copy.paths()))
        return {subject: paths for subject, paths in found.items() if paths}


def _replace(home: Path, id_: str, row: Mapping[str, Any] | None) -> None:
    """Write the list with another row for the copy, or with none."""
    path = home / _LIST
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic.alone(path.with_name(".copies.lock")):
        rows: dict[str, Mapping[str, Any] | None] = {other["id"]: other for other in _rows(home)}
        rows[id_] = row  # in its place, because a later copy in the same folder is known by standing after it
        atomic.replace(path, orjson.dumps([row for row in rows.values() if row], option=orjson.OPT_INDENT_2))
