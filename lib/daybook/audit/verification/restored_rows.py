"""What the rows of a restored backup are from now on, where persons were erased from it after it was made.

The manifest says how many rows that changed, and its signature how the tables stood when they were restored. So it is
known now which rows they are: they are entered as they are, and one that is filled again afterwards is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from daybook.audit import restores, signing
from daybook.audit.ports import TrailBook, identity
from daybook.audit.seals import rows, seals
from daybook.audit.seals.changes import ChangedFile, announced, changed_files
from daybook.audit.seals.rows import REMOVED
from daybook.audit.verification.sealed_rows import compare_rows
from daybook.audit.verification.verdict import TrailVerdict
from daybook.book.checks import CHANGED


def restored_details(
    book: TrailBook, stated: Mapping[str, Mapping[str, int]], waiting: Mapping[str, ChangedFile]
) -> dict[str, Any]:
    """What is to be entered of a restored book. `stated`: table → group, or `removed` → rows that erasures changed in
    the backup, as its signed manifest says; `waiting`: what rows became of those who were erased again since. Where
    more rows than that are not what was sealed, only their number is entered, and a verification names them."""
    details: dict[str, Any] = {CHANGED: stated}
    trusted = signing.trusted(book.home)
    sealed = [seal for seal in seals.load(book.home) if signing.check(seal.document, trusted) == "good"]
    restored, _ = restores.load(book.home, identity(book), trusted)
    lost = {seal.number for seal in sealed if any(r.lost(seal.document["chain"]["last"]) for r in restored)}
    files, became = {**changed_files(book), **waiting}, dict[str, dict[str, bytes]]()
    for table, span in rows.spans(book, sealed[-1].until).items() if sealed else ():
        counts, lines = Counter[str](), dict[str, bytes]()
        for row in compare_rows(book, span, sealed, files.get(table), TrailVerdict(), lambda seal: None):
            if row.now == row.expected or (row.now == REMOVED and row.seal in lost):
                continue
            lines[row.id] = row.now
            counts.update(rows.differences(row.expected, row.now))
        if any(n > stated.get(table, {}).get(group, 0) for group, n in counts.items()):
            return details
        if lines:
            became[table] = lines
    with announced(book, {}, waiting) as announcement:
        return details | {rows.SEALED_CHANGED: {}} | announcement.write(became)
