"""Taking a person out of a table of a backup: the same as of the table in the book, so that no sum changes.

The trail's entries are chained. What stands in them in plain words stays, as it does in the book, because a changed
entry would look forged; what they hold of the person beyond that is sealed, and goes with the person's key.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from daybook import atomic
from daybook.audit.seals.rows import group_of
from daybook.rights.places.formats import blanked
from daybook.rights.traces import Search

CHAINED = ("events", "audit_chain")
"""Tables of which every byte is in the chain."""
_BATCH = 10_000


def is_chained(path: Path, backups: Iterable[Path]) -> bool:
    """Whether the file is one of those tables in one of the backups."""
    return path.suffix == ".parquet" and path.stem in CHAINED and path.parent in backups


def erase_from(path: Path, search: Search, note: Callable[[Mapping[str, int]], object]) -> int:
    """Write the table anew without the persons; returns how many of its rows changed. `note`: told how many of which
    kind, before they are in the place of the others: `personal`, `money`, `fixed` or `removed` → rows, as the trail
    accounts for changes of the book. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source, changed = pq.ParquetFile(path), Counter[str]()
    with (
        atomic.replacing(path, stat.S_IMODE(path.stat().st_mode)) as file,
        pq.ParquetWriter(file, source.schema_arrow, compression="zstd") as writer,
    ):
        for batch in source.iter_batches(_BATCH):
            kept = []
            for row in batch.to_pylist():
                after = _row(row, search)
                changed.update(["removed"] if after is None else _groups(path.stem, row, after))
                if after is not None:
                    kept.append(after)
            writer.write_table(pa.Table.from_pylist(kept, schema=source.schema_arrow))
        note(dict(changed))
    return changed.total()


def _row(row: dict[str, Any], search: Search) -> dict[str, Any] | None:
    """The row as it is to become; None where it goes. One of another person's loses what tells of this one."""
    kinds = {hit.trace.kind for value in row.values() for hit in search.hits(_bytes(value))}
    if not kinds:
        return row
    if kinds - {"name"}:
        if "prompt_hash" in row and _is_pseudonym(row["subject"], search):
            row = row | dict.fromkeys(("subject", "prompt", "answer", "prompt_hash")) | {"tags": "{}"}
        elif "line" in row or _is_pseudonym(row.get("id"), search):
            return None
    return {name: _text_without(value, search) for name, value in row.items()}


def _is_pseudonym(value: Any, search: Search) -> bool:
    data = _bytes(value)
    return any(hit.trace.kind == "pseudonym" and hit.trace.data == data for hit in search.hits(data))


def _groups(table: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {group_of(table, name) for name, value in before.items() if after[name] != value}


def _text_without(value: Any, search: Search) -> Any:
    if isinstance(value, str):
        return blanked(value.encode(errors="replace"), search)[0].decode(errors="replace")
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode(errors="replace") if isinstance(value, str) else b""
