"""Rows that are changed or removed on purpose, as the trail has to say it so that nothing else passes for that.

    with announced(book, {"calls": {"personal": ids}}) as changes, book.store.writing() as writer, writer.transaction():
        …                                       change them
        enter(changes.details(writer))          before the transaction is committed

    <home>/audit/seals/changed/calls-1f0c….rows         a line a sealed row that was changed since, as it became
    <home>/audit/seals/changed/calls-1f0c….announced    until the change was made

The details have how many rows changed (`changed_rows`), and the digest of a file with what each sealed row is since
(`changed_rows_to`): a verification then finds a row that was erased and filled again, or that came back, and says
which. The file has all rows ever changed, in order of their ids, and not those of one change, so that it does not say
which calls were one erased person's. What is not announced of a row, such as its cost, remains what its seal has.

A change that is cut off after it was announced may never have been made. Until another one ends, a row that still is
what it was before is what it is to be; the next change says so (`changed_rows_not_made`) and begins from there.

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
from itertools import count, groupby, takewhile
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit.ports import TrailBook
from daybook.audit.seals import rows, seals
from daybook.audit.seals.rows import NOT_MADE, REMOVED
from daybook.book.checks import CHANGED
from daybook.book.stores.port import WriteSession
from daybook.book.trail import keys
from daybook.book.trail.chain import SECRET as CHAIN
from daybook.digest import digest_file
from daybook.errors import SettingsError

FOLDER = "changed"
CHANGED_TO = "changed_rows_to"
AS_SEALED = b""
"""Stands for the digests that a row's seal has."""


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
    _not_made: Mapping[str, Mapping[str, bytes]]
    """Table → id → what a row still is, that is another in the file of before: that change was cut off."""
    _removals_not_made: Mapping[str, int]
    files: dict[str, ChangedFile] = field(default_factory=dict)
    """Table → the file that was written."""

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
        for table in sorted({*became, *self._not_made}):
            before = self._before[table].path if table in self._before else None
            lines = {**self._not_made.get(table, {}), **became.get(table, {})}
            path, digests[table] = _write(self._home, table, before, lines)
            self.files[table] = ChangedFile(path, digests[table])
        stated: dict[str, Any] = {CHANGED_TO: digests} if digests else {}
        if self._removals_not_made:
            stated[NOT_MADE] = {table: {"removed": n} for table, n in self._removals_not_made.items()}
        return stated

    def remove_former(self) -> None:
        """Now that the change was made, remove the files in whose place those of this change are: what is the same in
        two of them would say what changed at once."""
        for table, file in self.files.items():
            _announcing(file.path).unlink(missing_ok=True)
            for former in file.path.parent.glob(f"{table}-*"):
                if former != file.path:
                    former.unlink(missing_ok=True)


@contextlib.contextmanager
def announced(
    book: TrailBook,
    changed: Mapping[str, Mapping[str, Collection[str]]],
    waiting: Mapping[str, ChangedFile] | None = None,
) -> Iterator[Announcement]:
    """What is to be entered. `changed`: table → `fixed`, `money`, `personal` or `removed` → ids; `waiting`: the
    files of changes before this one whose entries wait in the journal, because a restore drains nothing. While it is
    open no seal is made."""
    keys.folder(book.home)
    folder = seals.folder(book.home)
    folder.mkdir(mode=0o700, exist_ok=True)
    with atomic.alone(folder / ".lock"):
        before, sealed, not_made = {**changed_files(book), **(waiting or {})}, None, dict[str, dict[str, bytes]]()
        removals = Counter[str]()
        with contextlib.suppress(SettingsError):  # verifying says so; all of them are accounted for then
            loaded = seals.load(book.home)
            for table, file in before.items():
                if undecided := dict(file.undecided()):
                    not_made[table] = _not_made(book, loaded, table, undecided)
                    removed = sum(undecided[orjson.dumps(id_)][0] == REMOVED for id_ in not_made[table])
                    removals += Counter({table: removed})
            not_made = {table: lines for table, lines in not_made.items() if lines}
            sealed = _sealed(book, loaded, changed, before, not_made)
        announcement = Announcement(book.home, changed, sealed, before, not_made, removals)
        yield announcement
        announcement.remove_former()


def _sealed(
    book: TrailBook,
    loaded: list[seals.Seal],
    changed: Mapping[str, Mapping[str, Collection[str]]],
    files: Mapping[str, ChangedFile],
    not_made: Mapping[str, Mapping[str, bytes]],
) -> dict[str, dict[str, _SealedRow]]:
    """Those of the rows that a seal has."""
    tables: dict[str, dict[str, _SealedRow]] = {}
    for table, groups in changed.items():
        wanted = {orjson.dumps(id_): id_ for ids in groups.values() for id_ in ids}
        if table not in rows.SEALED or not wanted:
            continue
        sealed = _lines([seal.rows_path(table) for seal in loaded], wanted)
        became = _lines([files[table].path], wanted) if table in files else {}
        became |= {id_: text for id_, text in not_made.get(table, {}).items() if id_ in sealed}
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


def _lines(paths: Iterable[Path], wanted: Mapping[bytes, str]) -> dict[str, bytes]:
    """Id → what the last of these files has of it. `wanted`: id as JSON → id."""
    found: dict[str, bytes] = {}
    for path in paths:
        if path.exists():  # verifying names one that is gone
            with path.open("rb") as file:
                found |= {wanted[key]: text for key, text in rows.read(file) if key in wanted}
    return found


def _not_made(
    book: TrailBook, loaded: list[seals.Seal], table: str, undecided: Mapping[bytes, tuple[bytes, Collection[bytes]]]
) -> dict[str, bytes]:
    """Id → what a row still is, of those whose change was announced and not made."""
    ids = {key: str(orjson.loads(key)) for key in undecided}
    sealed = _lines([seal.rows_path(table) for seal in loaded], ids)
    there = {id_: digests.text() for id_, digests in rows.digests_of(book, table, sorted(ids.values()))}
    found = {}
    for key, (became, others) in undecided.items():
        id_ = ids[key]
        before = {sealed.get(id_, became) if text == AS_SEALED else text for text in others}
        if (text := rows.settled(became, there.get(id_, REMOVED), before)) != became:
            found[id_] = text
    return found


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """What the sealed rows of a table became that were changed on purpose."""

    path: Path
    digest: str
    cut_off: tuple[Path, ...] = ()
    """Files of changes before it that were announced and may not have been made, as this one: its `.announced` is
    there."""
    base: Path | None = None
    """The file of the last change before these that was made; None where there is none, and what seals have counts."""
    undecidable: bool = True
    """Whether it is known to have been made, or what was before it is not known."""

    def undecided(self) -> Iterator[tuple[bytes, tuple[bytes, Collection[bytes]]]]:
        """Id as JSON → what the row became by this file, and what it may still be, where the change of this file may
        have been cut off; AS_SEALED among the latter stands for what its seal has."""
        if self.undecidable:
            return
        paths = [self.path, *self.cut_off, *([self.base] if self.base else [])]
        with contextlib.ExitStack() as stack:
            files = [rows.read(stack.enter_context(path.open("rb"))) for path in paths]
            for key, group in groupby(heapq.merge(*map(_placed, files, count())), key=itemgetter(0)):
                texts = {place: text for _, place, text in group}
                became = texts.pop(0, None)
                of_base = self.base is not None and len(paths) - 1 in texts
                others = {*texts.values(), *([] if of_base else [AS_SEALED])} - {became}
                if became is not None and others:
                    yield key, (became, others)

    def intact(self) -> bool:
        """Whether it is the file that was entered."""
        try:
            return digest_file(self.path) == self.digest
        except OSError:
            return False


def files_with(home: Path, digests: Mapping[str, str]) -> dict[str, ChangedFile]:
    """Table → the file with this digest."""
    return {table: ChangedFile(_path(home, table, digest), digest) for table, digest in digests.items()}


def changed_files(book: TrailBook) -> dict[str, ChangedFile]:
    """Table → the file of its changed rows, as this home's last entry about them has it."""
    own = keys.existing(book.home, CHAIN)
    query = (
        "select e.details from events e join audit_chain c on c.event = e.id where c.key = :own "  # noqa: S608 - our own name
        f"and cast(e.details as text) like '%\"{CHANGED_TO}\"%' order by c.seq"
    )
    entered: dict[str, list[str]] = {}
    for row in book.rows(query, {"own": "" if own is None else keys.identity(own)}):
        stated = row["details"].get(CHANGED_TO) if isinstance(row["details"], dict) else None
        for table, digest in (stated or {}).items():
            if table in rows.SEALED:
                entered.setdefault(table, []).append(str(digest))
    return {table: _last(book.home, table, digests) for table, digests in entered.items()}


def _last(home: Path, table: str, digests: list[str]) -> ChangedFile:
    """The last of the files that were entered, with what was before it while that may still count."""
    files = [ChangedFile(_path(home, table, digest), digest) for digest in dict.fromkeys(reversed(digests))]
    announced = list(takewhile(lambda file: _announcing(file.path).exists(), files))
    if not announced:
        return files[0]
    last, *cut_off = announced
    base = files[len(announced)] if len(announced) < len(files) else None
    if not last.intact() or (base is not None and not base.intact()):
        return last
    before = tuple(file.path for file in cut_off if file.intact())
    return ChangedFile(last.path, last.digest, before, None if base is None else base.path, undecidable=False)


def _announcing(path: Path) -> Path:
    """What lies beside a file until the change that it is of was made."""
    return path.with_suffix(".announced")


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
    atomic.replace(_announcing(path), b"")
    return path, digest


def _placed(lines: Iterable[tuple[bytes, bytes]], place: int) -> Iterator[tuple[bytes, int, bytes]]:
    return ((key, place, text) for key, text in lines)


def _others(path: Path | None, new: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
    if path is not None and path.exists():
        with path.open("rb") as file:
            lines: Iterable[tuple[bytes, bytes]] = rows.read(file)
            yield from ((key, text) for key, text in lines if key not in new)
