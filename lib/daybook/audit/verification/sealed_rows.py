"""The rows that a seal has, beside those of now: each is what was sealed, or what it was changed to on purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import BinaryIO, NamedTuple

import orjson

from daybook.audit.ports import TrailBook
from daybook.audit.seals import rows
from daybook.audit.seals.changes import AS_SEALED, ChangedFile
from daybook.audit.seals.partitions import Partitions, parts_for
from daybook.audit.seals.rows import REMOVED
from daybook.audit.seals.seals import Seal
from daybook.audit.verification.verdict import Kind, Problem, TrailVerdict
from daybook.book.trail import keys

LISTED = 50
"""Problems of one kind in one table that are listed one by one."""
_ON_PURPOSE = "it was changed on purpose, as the trail says, and is"
_WORDS: Mapping[str, str] = {
    "fixed": "a column that never changes is not what was sealed",
    "money": "cost, price_source, price_rate or price_note is not what was sealed, and no entry accounts for it",
    "personal": "a personal column is not what was sealed, and no entry accounts for it",
    "removed": "the row is gone, and no entry accounts for it",
    "otherwise": f"{_ON_PURPOSE} something else now",
    "again": f"{_ON_PURPOSE} what it was before: what was erased came back, or was not erased",
    "back": "it was removed on purpose, as the trail says, and is there: it came back, or was not removed",
}


class RowComparison(NamedTuple):
    """A row that is not what was sealed, or was to become something else; each as the text of its digests."""

    id: str
    seal: int
    sealed: bytes
    expected: bytes
    now: bytes
    """`expected` and `now`: REMOVED where the row is to be gone, or is."""


def verify_rows(
    book: TrailBook,
    span: rows.RowSpan,
    good: list[Seal],
    lost: Collection[int],
    accounts: Mapping[str, int],
    changed: ChangedFile | None,
    verdict: TrailVerdict,
) -> None:
    """Every sealed row of a table. `lost`: seals of entries that a restore lost; `accounts`: how many rows were changed
    on purpose by entries that do not say what they became; `changed`: what the others became."""
    table = span.table
    if changed is not None and not changed.intact():
        words = "the file of what they became is not the one that was entered"
        verdict.problems.append(Problem("changed", f"{table} that were changed on purpose", words))
        changed = None
    differing = {name: _Differing() for name in _WORDS}

    def broken(seal: Seal) -> None:
        where, name = f"{table} of seal {seal.number}", seal.rows_path(table).name
        verdict.problems.append(Problem("changed", where, f"its file {name} is not the one that was sealed"))

    for row in compare_rows(book, span, good, changed, verdict, broken):
        if row.now == REMOVED and row.seal in lost:
            verdict.lost[table] += 1
        elif row.now == row.expected:
            for group in rows.differences(row.sealed, row.now):
                verdict.accounted[f"{table} {group}"] += 1
        else:
            for group in _deviations(row):
                differing[group].add(row.id, row.seal)
    for group in (*rows.GROUPS, "removed"):
        if n := verdict.not_made[f"{table} {group}"]:
            verdict.unchecked[f"{table} of which a change was entered and cut off: give it again ({group})"] = n
    for group, rows_found in differing.items():
        count, accounted = rows_found.count, accounts.get(group, 0)
        if count and count <= accounted:
            verdict.accounted[f"{table} {group}"] += count
            verdict.unchecked[f"{table} of which an entry says only how many were changed ({group})"] += count
        elif count:
            verdict.problems.extend(_problems(table, group, rows_found, accounted))


def _problems(table: str, group: str, differing: _Differing, accounted: int) -> Iterator[Problem]:
    kind: Kind = {"removed": "removed", "back": "inserted"}.get(group, "changed")  # type: ignore[assignment]  # all of them are kinds
    stated = f" (the trail accounts for {accounted} of {differing.count})" if accounted else ""
    for id_, number in differing.first:
        yield Problem(kind, f"{table} {id_}, sealed by seal {number}", _WORDS[group] + stated)
    if differing.count > LISTED:
        yield Problem(kind, f"{differing.count - LISTED} more rows of {table}", _WORDS[group])


def _deviations(row: RowComparison) -> Iterator[str]:
    """In what a row is not what it is to be."""
    if row.now == REMOVED:
        yield "removed"
    elif row.expected == REMOVED:
        yield "back"
    else:
        sealed, expected, now = (rows.RowDigests.of(text) for text in (row.sealed, row.expected, row.now))
        for group, then, became, there in zip(rows.GROUPS, sealed, expected, now, strict=True):
            if there != became:
                yield group if became == then else "again" if there == then else "otherwise"


def compare_rows(
    book: TrailBook,
    span: rows.RowSpan,
    good: list[Seal],
    changed: ChangedFile | None,
    verdict: TrailVerdict,
    broken: Callable[[Seal], object],
) -> Iterator[RowComparison]:
    """The sealed rows that are not what was sealed or were changed on purpose, in parts that fit in memory. The verdict
    gets how many were compared, and how many no seal has yet. `broken`: told of each seal whose file of rows is not the
    one that was sealed; its rows are left out."""
    table = span.table
    sealed_rows = sum(seal.document["tables"][table]["rows"] for seal in good if table in seal.document["tables"])
    parts, folder = parts_for(max(sealed_rows, span.rows)), keys.folder(book.home)
    with (
        Partitions(folder, parts) as sealed,
        Partitions(folder, parts) as present,
        Partitions(folder, parts) as became,
        Partitions(folder, parts) as before,
    ):
        others = [seal for seal in good if not _read_rows(seal, table, sealed)]
        for seal in others:
            broken(seal)
        for id_, digests in rows.digests(book, span):
            present.add(orjson.dumps(id_), digests.text())
        if changed is not None:
            with changed.path.open("rb") as file:
                for key, text in rows.read(file):
                    became.add(key, text)
            for key, (_, others_texts) in changed.undecided():
                for text in others_texts:
                    before.add(key, text)
        numbers = {seal.number for seal in others}
        for part in range(parts):
            columns = sealed.part(part), became.part(part), before.part(part), present.part(part)
            yield from _compare_part(*columns, numbers, verdict, table)


def _read_rows(seal: Seal, table: str, sealed: Partitions) -> bool:
    """Add the rows of a seal's file to the sealed ones; whether it is the file that was sealed."""
    stated = seal.document["tables"].get(table)
    if stated is None:
        return True
    hasher, number = hashlib.sha256(), b"%d " % seal.number

    def lines(file: BinaryIO) -> Iterator[bytes]:
        for line in file:
            hasher.update(line)
            yield line

    try:
        with seal.rows_path(table).open("rb") as file:
            for key, text in rows.read(lines(file)):
                sealed.add(key, number + text)
    except (OSError, ValueError):
        return False
    return bool(stated["digest"] == "sha256:" + hasher.hexdigest())


def _compare_part(
    sealed: Iterable[tuple[bytes, bytes]],
    became: Iterable[tuple[bytes, bytes]],
    before: Iterable[tuple[bytes, bytes]],
    present: Iterable[tuple[bytes, bytes]],
    others: Collection[int],
    verdict: TrailVerdict,
    table: str,
) -> Iterator[RowComparison]:
    """`others`: seals whose files are not what was sealed."""
    known = {key: text for key, text in sealed if not others or int(text.partition(b" ")[0]) not in others}
    changed, undecided = dict(became), dict[bytes, list[bytes]]()
    for key, text in before:
        undecided.setdefault(key, []).append(text)

    def compared(key: bytes, stated: bytes, now: bytes) -> Iterator[RowComparison]:
        number, _, then = stated.partition(b" ")
        expected = became_by_entry = changed.get(key, then)
        if key in undecided:
            texts = [then if text == AS_SEALED else text for text in undecided[key]]
            expected = rows.settled(became_by_entry, now, texts)
            for group in rows.differences(became_by_entry, expected) if expected != became_by_entry else ():
                verdict.not_made[f"{table} {group}"] += 1
        if not expected == then == now:
            yield RowComparison(orjson.loads(key), int(number), then, expected, now)

    verdict.rows[table] += len(known)
    for key, now in present:
        stated = known.pop(key, None)
        if stated is None:
            verdict.late[table] += 1
            continue
        yield from compared(key, stated, now)
    for key, stated in known.items():
        yield from compared(key, stated, REMOVED)


class _Differing:
    """Rows that are not what they are to be: how many, and the first of them by id, with their seals."""

    def __init__(self) -> None:
        self.count = 0
        self._rows: list[tuple[str, int]] = []

    def add(self, id_: str, number: int) -> None:
        self.count += 1
        self._rows.append((id_, number))
        if len(self._rows) > 100 * LISTED:
            self._rows = self.first

    @property
    def first(self) -> list[tuple[str, int]]:
        return sorted(self._rows)[:LISTED]
