"""Rows that are changed or removed on purpose, as the trail has to say it so that nothing else passes for that.

    with changes.announced(book, {"calls": {"personal": ids}}) as details:     before they change
        …                                                                       enter the details, then change them

`changed_rows` has how many rows there were. `changed_sealed_rows` has how many of them a seal had as they still stood:
a later verification finds exactly so many rows that are not what was sealed, and one more was changed by somebody else.
A row that changes again is not counted again; one that changed and is then removed is taken back from what had changed.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from daybook import atomic
from daybook.audit.ports import TrailBook
from daybook.audit.seals import rows, seals
from daybook.book.checks import CHANGED
from daybook.book.trail import keys
from daybook.errors import SettingsError


@contextlib.contextmanager
def announced(book: TrailBook, changed: Mapping[str, Mapping[str, Collection[str]]]) -> Iterator[dict[str, Any]]:
    """The details to enter. `changed`: table → `fixed`, `money`, `personal` or `removed` → ids. While it is open no
    seal is made."""
    counts = {table: {group: len(ids) for group, ids in groups.items() if ids} for table, groups in changed.items()}
    stated: dict[str, Any] = (
        {CHANGED: kept} if (kept := {table: groups for table, groups in counts.items() if groups}) else {}
    )
    keys.folder(book.home)
    folder = seals.folder(book.home)
    folder.mkdir(mode=0o700, exist_ok=True)
    with atomic.alone(folder / ".lock"):
        with contextlib.suppress(SettingsError):  # verifying says so; all of them are accounted for then
            if stated:
                stated |= {rows.SEALED_CHANGED: _sealed_counts(book, seals.load(book.home), changed)}
        yield stated


def _sealed_counts(
    book: TrailBook, sealed: list[seals.Seal], changed: Mapping[str, Mapping[str, Collection[str]]]
) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for table, groups in changed.items():
        if table not in rows.SEALED:
            continue
        wanted = {orjson.dumps(id_): id_ for ids in groups.values() for id_ in ids}
        then: dict[str, rows.RowDigests] = {}
        for seal in sealed:
            path = seal.rows_path(table)
            if wanted and path.exists():
                with path.open("rb") as file:
                    then |= {wanted[key]: rows.RowDigests.of(text) for key, text in rows.read(file) if key in wanted}
        count = counts[table] = Counter[str]()
        for id_, now in rows.digests_of(book, table, sorted(then)):
            still = {group for group in rows.GROUPS if getattr(then[id_], group) == getattr(now, group)}
            for group, ids in groups.items():
                if id_ in ids and group == "removed":
                    count["removed"] += 1
                    count.subtract(set(rows.GROUPS) - still)
                elif id_ in ids:
                    count[group] += group in still
    return {table: dict(count) for table, count in counts.items() if count}
