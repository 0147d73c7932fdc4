"""Every other file of the project: training sets, caches, reports, exports, backups, logs. None is known by its name:
all are searched."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import orjson

from daybook.audit.verification.whole import CHANGED_REPORTS
from daybook.book import Book
from daybook.book.journal.journal import FOLDER as JOURNAL
from daybook.book.trail.keys import FOLDER as AUDIT
from daybook.digest import digest_bytes
from daybook.inference.response_cache import FILE as ANSWERS
from daybook.rights.places import backup_tables
from daybook.rights.places.formats import LINES, blank_lines, erase_from
from daybook.rights.places.port import Announce, Holding, Person
from daybook.settings import Settings

OWN = "rights"
"""The folder of the home in which erasures are written down: by keyed reference, never by name."""
_OWN_PLACES = {JOURNAL, AUDIT, OWN, "keys", ANSWERS, f"{ANSWERS}-wal", f"{ANSWERS}-shm", "pseudonyms.key"}


_WEIGHTS = {".safetensors": re.compile(rb".{8}\{", re.DOTALL), ".gguf": re.compile(b"GGUF")}
"""Numbers alone, and very many of them: how the files begin. Other kinds can hold objects, and are searched."""


class Files:
    name = "files"

    def __init__(
        self, settings: Settings, book: Book, *, backups: Iterable[Path] = (), vaults: Iterable[Path] = ()
    ) -> None:
        """`vaults`: where keys are backed up; what is to be destroyed there is not for a search of files to say."""
        self._settings = settings
        self._book = book
        self.backups = tuple(backups)
        self._vaults = tuple(vaults)

    def holdings(self, person: Person) -> list[Holding]:
        groups: dict[str, int] = {}
        for path in self.found(person):
            groups[self._group(path)] = groups.get(self._group(path), 0) + 1
        return [Holding(place="files", what=what, count=n) for what, n in sorted(groups.items())]

    def found(self, person: Person) -> list[Path]:
        """The files that have something of the person."""
        return [path for path in self.paths() if _present(path) and self._of(path, person)]

    def erase(
        self,
        person: Person,
        announce: Announce,
        note: Callable[[Path, Mapping[str, int]], object] = lambda path, changed: None,
    ) -> int:
        """Erase from each file; `note`: told how many rows of which kind change in a table of a backup, before they
        do."""
        count = 0
        for path in self.found(person):
            if path.suffix in LINES and self._is_appended(path):
                count += blank_lines(path, person.search)
                continue
            if path.suffix == ".parquet" and path.parent in self.backups:
                count += backup_tables.erase_from(path, person.search, partial(note, path))
                continue
            count += erase_from(path, person.search, partial(self._changed, path, announce))
        return count

    def _of(self, path: Path, person: Person) -> bool:
        """Whether there is something of the person to erase: entries of the trail stay, in a backup too."""
        return not backup_tables.is_chained(path, self.backups) and bool(person.search.in_file(path))

    def _is_appended(self, path: Path) -> bool:
        """Whether other processes may be writing to its end: caches of answers and logs, not rows of trainings."""
        home = self._settings.home
        return path.is_relative_to(home) and path.relative_to(home).parts[0] != "finetune"

    def _changed(self, path: Path, announce: Announce, data: bytes) -> None:
        """Have the trail say that a report becomes another one, so that it is not taken for forged."""
        if path.is_relative_to(self._settings.reports):
            announce({CHANGED_REPORTS: {path.relative_to(self._settings.reports).as_posix(): digest_bytes(data)}})

    def paths(self) -> Iterator[Path]:
        """All files that are searched: below the home, the reports and the backups, and the exports that the trail
        knows of. Links are not followed: what they lead to is searched where it is ours."""
        book = {path.absolute() for path in self._book.store.files()}
        vaults = [path.absolute() for path in (self._settings.vault, *self._vaults)]
        own = {path.with_name(path.name + end) for path in vaults for end in ("", "-journal")}
        seen: set[Path] = set()
        for root in (self._settings.home, self._settings.reports, *self.backups):
            for path in sorted(root.rglob("*")):
                inside = path.relative_to(root).parts
                if root == self._settings.home and inside[0] in _OWN_PLACES:
                    continue
                if path in seen or path.is_symlink() or not path.is_file():
                    continue
                if path.absolute() in book or path.absolute() in own or path.name.endswith((".lock", ".turn")):
                    continue
                seen.add(path)
                if not _is_weights(path):
                    yield path
        yield from (path for path in self._exports() if path not in seen and _present(path))

    def weights(self) -> int:
        """How many files of weights there are, which are not searched."""
        roots = (self._settings.home, self._settings.reports, *self.backups)
        found = {path for root in roots for path in root.rglob("*") if not path.is_symlink() and _is_weights(path)}
        return len(found)

    def _exports(self) -> list[Path]:
        rows = self._book.rows("select details from events where action = 'book.exported' order by time")
        details = (row["details"] if isinstance(row["details"], dict) else orjson.loads(row["details"]) for row in rows)
        return list(dict.fromkeys(Path(str(d["path"])) for d in details if d.get("path")))

    def _group(self, path: Path) -> str:
        for root, name in ((self._settings.reports, "reports"), *((b, "backups") for b in self.backups)):
            if path.is_relative_to(root):
                return name
        if path.is_relative_to(self._settings.home):
            return f"files in {path.relative_to(self._settings.home).parts[0]}"
        return "exports"


def _present(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_weights(path: Path) -> bool:
    """Whether it is one of the two formats that hold nothing but numbers, by its ending and by how it begins; gone by
    now, it is none."""
    if path.suffix not in _WEIGHTS or not path.is_file():
        return False
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        return bool(_WEIGHTS[path.suffix].match(file.read(9)))
    return False
