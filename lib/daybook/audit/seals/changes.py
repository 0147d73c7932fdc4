"""Rows that are changed or removed on purpose, as the trail has to say it so that nothing else passes for that.

    with announced(book, {"calls": {"personal": ids}}) as changes, book.store.writing() as writer, writer.transaction():
        …                                       change them
        enter(changes.details(writer))          before the transaction is committed

    <home>/audit/seals/changed/calls-1f0c….rows    a line a sealed row that was changed since, as it became

The details have how many rows changed (`changed_rows`), and the digest of a file with what each sealed row is since
(`changed_rows_to`): a verification then finds a row that was erased and filled again, or that came back, and says
which. The file has all rows ever changed, in order of their ids, and not those of one change, so that it does not say
which calls were one erased person's. What is not announced of a row, such as its cost, remains what its seal has.

`changed_sealed_rows` is for rows of which only the number was entered, in another home or before there were such files:
where one of those is removed, it is taken back from what had changed.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit.ports import TrailBook
from daybook.audit.seals import rows, seals
from daybook.audit.seals.rows import REMOVED
from daybook.book.checks import CHANGED
from daybook.book.stores.port import WriteSession
from daybook.book.trail import keys
from daybook.book.trail.chain import SECRET as CHAIN
from daybook.digest import digest_file
from daybook.errors import SettingsError

FOLDER = "changed"
CHANGED_TO = "changed_rows_to"


@dataclass(slots=True)
class _SealedRow:
    """A sealed row that is about to change."""

    expected: rows.RowDigests
    """What its seal has, or what it became since."""
    differs: frozenset[str] = frozenset()
    """Groups that are neither that nor what the seal has (as they are where a change that was entered was cut off):
    their change was entered by number alone, or somebody edited them."""


@dataclass(slots=True)
class Announcement:
    """What is entered of a change while it is made."""

    _home: Path
    _changed: Mapping[str, Mapping[str, Collection[str]]]
    _sealed: Mapping[str, Mapping[str, _SealedRow]] | None
    """Table → id → sealed row; None where the seals cannot be read."""
    _before: Mapping[str, ChangedFile]
    """What rows became in changes before this one."""
    _files: dict[str, Path] = field(default_factory=dict)

    def details(self, writer: WriteSession) -> dict[str, Any]:
        """The details to enter, once the rows are what they are to be and before that is committed."""
        counts = {table: {g: len(ids) for g, ids in groups.items() if ids} for table, groups in self._changed.items()}
        stated: dict[str, Any] = (
            {CHANGED: kept} if (kept := {t: groups for t, groups in counts.items() if groups}) else {}
        )
        if not stated or self._sealed is None:
            return stated
        taken_back = {table: Counter[str]() for table in self._sealed}
        became: dict[str, dict[str, bytes]] = {}
        for table, sealed in self._sealed.items():
            now = dict(rows.digests_in(writer, self._home, table, sorted(sealed)))
            for id_, row in sealed.items():
                if id_ in now:
                    changing = {group for group, ids in self._changed[table].items() if id_ in ids} - row.differs
                    became.setdefault(table, {})[id_] = row.expected._replace(
                        **{group: getattr(now[id_], group) for group in changing & set(rows.GROUPS)}
                    ).text()
                else:
                    became.setdefault(table, {})[id_] = REMOVED
                    taken_back[table].subtract(row.differs)
        stated[rows.SEALED_CHANGED] = {table: dict(counts) for table, counts in taken_back.items() if counts}
        return stated | self.write(became)

    def write(self, became: Mapping[str, Mapping[str, bytes]]) -> dict[str, Any]:
        """Write what sealed rows are since, table → id → text of digests; the digests of the files, to be entered."""
        digests = {}
        for table, lines in became.items():
            before = self._before[table].path if table in self._before else None
            self._files[table], digests[table] = _write(self._home, table, before, lines)
        return {CHANGED_TO: digests} if digests else {}

    def remove_former(self) -> None:
        """Remove the files in whose place those of this change are: what is the same in two of them would say what
        changed at once."""
        for table, path in self._files.items():
            for former in path.parent.glob(f"{table}-*.rows"):
                if former != path:
                    former.unlink(missing_ok=True)


@contextlib.contextmanager
def announced(book: TrailBook, changed: Mapping[str, Mapping[str, Collection[str]]]) -> Iterator[Announcement]:
    """What is to be entered. `changed`: table → `fixed`, `money`, `personal` or `removed` → ids. While it is open no
    seal is made."""
    keys.folder(book.home)
    folder = seals.folder(book.home)
    folder.mkdir(mode=0o700, exist_ok=True)
    with atomic.alone(folder / ".lock"):
        before, sealed = changed_files(book), None
        with contextlib.suppress(SettingsError):  # verifying says so; all of them are accounted for then
            sealed = _sealed(book, seals.load(book.home), changed, before)
        announcement = Announcement(book.home, changed, sealed, before)
        yield announcement
        announcement.remove_former()


def _sealed(
    book: TrailBook,
    loaded: list[seals.Seal],
    changed: Mapping[str, Mapping[str, Collection[str]]],
    files: Mapping[str, ChangedFile],
) -> dict[str, dict[str, _SealedRow]]:
    """Those of the rows that a seal has."""
    tables: dict[str, dict[str, _SealedRow]] = {}
    for table, groups in changed.items():
        wanted = {orjson.dumps(id_): id_ for ids in groups.values() for id_ in ids}
        if table not in rows.SEALED or not wanted:
            continue
        sealed: dict[str, bytes] = {}
        for seal in loaded:
            sealed |= _texts(seal.rows_path(table), wanted)
        became = _texts(files[table].path, wanted) if table in files else {}
        there = {}
        for id_, now in rows.digests_of(book, table, sorted(sealed)):
            then, text = rows.RowDigests.of(sealed[id_]), became.get(id_, sealed[id_])
            if text == REMOVED and now != then:
                continue  # it came back as something else
            expected = then if text == REMOVED else rows.RowDigests.of(text)
            differs = (g for g in rows.GROUPS if getattr(now, g) not in (getattr(expected, g), getattr(then, g)))
            there[id_] = _SealedRow(expected, frozenset(differs))
        if there:
            tables[table] = there
    return tables


def _texts(path: Path, wanted: Mapping[bytes, str]) -> dict[str, bytes]:
    """Of those of the rows that the file has, the text of their digests; nothing of one that is gone, which verifying
    names."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {wanted[key]: text for key, text in rows.read(file) if key in wanted}


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """What the sealed rows of a table became that were changed on purpose."""

    path: Path
    digest: str

    def intact(self) -> bool:
        """Whether it is the file that was entered."""
        try:
            return digest_file(self.path) == self.digest
        except OSError:
            return False


def changed_files(book: TrailBook) -> dict[str, ChangedFile]:
    """Table → the file of its changed rows, as this home's last entry about them has it."""
    own = keys.existing(book.home, CHAIN)
    query = (
        "select e.details from events e join audit_chain c on c.event = e.id where c.key = :own "  # noqa: S608 - our own name
        f"and cast(e.details as text) like '%\"{CHANGED_TO}\"%' order by c.seq"
    )
    last: dict[str, str] = {}
    for row in book.rows(query, {"own": "" if own is None else keys.identity(own)}):
        stated = row["details"].get(CHANGED_TO) if isinstance(row["details"], dict) else None
        last |= {table: str(digest) for table, digest in (stated or {}).items() if table in rows.SEALED}
    return {table: ChangedFile(_path(book.home, table, digest), digest) for table, digest in last.items()}


def _path(home: Path, table: str, digest: str) -> Path:
    return seals.folder(home) / FOLDER / f"{table}-{digest.removeprefix('sha256:')[:32]}.rows"


def _write(home: Path, table: str, before: Path | None, lines: Mapping[str, bytes]) -> tuple[Path, str]:
    """A file with the lines of the one before and these in the place of theirs, in order; where it is, its digest."""
    new = {orjson.dumps(id_): text for id_, text in lines.items()}
    folder = seals.folder(home) / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    beside = folder / f".{table}.rows"
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for key, text in heapq.merge(_others(before, new), sorted(new.items())):
            file.write(rows.line(key, text))
        file.flush()
        os.fsync(file.fileno())
    digest = digest_file(beside)
    path = _path(home, table, digest)
    beside.replace(path)
    return path, digest


def _others(path: Path | None, new: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
    if path is not None and path.exists():
        with path.open("rb") as file:
            lines: Iterable[tuple[bytes, bytes]] = rows.read(file)
            yield from ((key, text) for key, text in lines if key not in new)
