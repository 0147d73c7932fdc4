"""Taking a person out of a table of a backup: the same as of the table in the book, so that no sum changes.

The trail's entries are chained. What stands in them in plain words stays, as it does in the book, because a changed
entry would look forged; what they hold of the person beyond that is sealed, and goes with the person's key.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from daybook.audit.rows import group_of
from daybook.rights.places.formats import blanked
from daybook.rights.traces import Search

CHAINED = ("events", "audit_chain")
"""Tables of which every byte is in the chain."""
_BATCH = 10_000


def is_chained(path: Path, backups: Iterable[Path]) -> bool:
    """Whether the file is one of those tables in one of the backups."""
    return path.suffix == ".parquet" and path.stem in CHAINED and path.parent in backups


def without(path: Path, search: Search) -> tuple[bytes, dict[str, int]]:
    """The file as it is to become, and how many of its rows change: `personal`, `money`, `fixed` or `removed` → rows,
    as the trail accounts for changes of the book. Nothing is written. Raises OSError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.stem in CHAINED:
        return path.read_bytes(), {}
    source = pq.ParquetFile(path)
    sink, changed = io.BytesIO(), Counter[str]()
    with pq.ParquetWriter(sink, source.schema_arrow, compression="zstd") as writer:
        for batch in source.iter_batches(_BATCH):
            kept = []
            for row in batch.to_pylist():
                after = _row(row, search)
                changed.update(["removed"] if after is None else _groups(path.stem, row, after))
                if after is not None:
                    kept.append(after)
            writer.write_table(pa.Table.from_pylist(kept, schema=source.schema_arrow))
    return sink.getvalue(), dict(changed)


def _row(row: dict[str, Any], search: Search) -> dict[str, Any] | None:
    """The row as it is to become; None where it goes."""
    kinds = {hit.trace.kind for value in row.values() for hit in search.hits(_bytes(value))}
    if not kinds:
        return row
    if kinds - {"name"}:
        if "prompt_hash" in row:
            row = row | dict.fromkeys(("subject", "prompt", "answer", "prompt_hash")) | {"tags": "{}"}
        elif "line" in row or any(hit.trace.kind == "pseudonym" for hit in search.hits(_bytes(row.get("id")))):
            return None
    return {name: _text_without(value, search) for name, value in row.items()}


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
