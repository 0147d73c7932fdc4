"""The rows that a seal has, beside those of now."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import orjson

from daybook.audit.ports import TrailBook
from daybook.audit.seals import rows
from daybook.audit.seals.partitions import Partitions, parts_for
from daybook.audit.seals.seals import Seal
from daybook.audit.verification.verdict import Kind, Problem, TrailVerdict
from daybook.book.trail import keys

LISTED = 50
"""Problems of one kind in one table that are listed one by one."""
_WORDS: Mapping[str, str] = {
    "fixed": "a column that never changes is not what was sealed",
    "money": "cost, price_source, price_rate or price_note is not what was sealed, and no entry accounts for it",
    "personal": "a personal column is not what was sealed, and no entry accounts for it",
    "removed": "the row is gone, and no entry accounts for it",
}


def verify_rows(
    book: TrailBook, span: rows.RowSpan, good: list[Seal], lost: set[int], accounts: Counter[str], verdict: TrailVerdict
) -> None:
    """Every row that a seal has beside the row of now, in parts that fit in memory."""
    table = span.table
    sealed_rows = sum(seal.document["tables"][table]["rows"] for seal in good if table in seal.document["tables"])
    parts, folder = parts_for(max(sealed_rows, span.rows)), keys.folder(book.home)
    differing = {name: _Differing() for name in _WORDS}
    with Partitions(folder, parts) as sealed, Partitions(folder, parts) as present:
        others = {seal.number for seal in good if not _read_rows(seal, table, sealed)}
        for number in sorted(others):
            path = next(seal for seal in good if seal.number == number).rows_path(table)
            where = f"{table} of seal {number}"
            verdict.problems.append(Problem("changed", where, f"its file {path.name} is not the one that was sealed"))
        for id_, digests in rows.digests(book, span):
            present.add(orjson.dumps(id_), digests.text())
        for part in range(parts):
            _compare_part(sealed.part(part), present.part(part), others, lost, differing, verdict, table)
    for group, found in differing.items():
        if not found.count:
            continue
        if found.count <= accounts[group]:
            verdict.accounted[f"{table} {group}"] += found.count
            continue
        kind: Kind = "removed" if group == "removed" else "changed"
        stated = f" (the trail accounts for {accounts[group]} of {found.count})" if accounts[group] else ""
        verdict.problems.extend(
            Problem(kind, f"{table} {id_}, sealed by seal {number}", _WORDS[group] + stated)
            for id_, number in found.first
        )
        if found.count > LISTED:
            verdict.problems.append(Problem(kind, f"{found.count - LISTED} more rows of {table}", _WORDS[group]))


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


class _Differing:
    """Rows that are not what was sealed: how many, and the first of them by id, with their seals."""

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


def _compare_part(
    sealed: Iterable[tuple[bytes, bytes]],
    present: Iterable[tuple[bytes, bytes]],
    others: set[int],
    lost: set[int],
    differing: Mapping[str, _Differing],
    verdict: TrailVerdict,
    table: str,
) -> None:
    """`others`: seals whose files are not what was sealed; `lost`: seals of entries that a restore lost."""
    known = {key: text for key, text in sealed if not others or int(text.partition(b" ")[0]) not in others}
    verdict.rows[table] += len(known)
    for key, now in present:
        stated = known.pop(key, None)
        if stated is None:
            verdict.late[table] += 1
            continue
        number, _, then = stated.partition(b" ")
        if then != now:
            pair = zip(rows.GROUPS, rows.RowDigests.of(then), rows.RowDigests.of(now), strict=True)
            for group in (group for group, before, after in pair if before != after):
                differing[group].add(orjson.loads(key), int(number))
    for key, text in known.items():
        seal = int(text.partition(b" ")[0])
        if seal in lost:
            verdict.lost[table] += 1
        else:
            differing["removed"].add(orjson.loads(key), seal)
