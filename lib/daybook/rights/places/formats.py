"""Erasing traces from a file, by what the file is: a line or a row goes, a text keeps its place with `[erased]` in it.

A line, or a row of a table, that has the person's pseudonym or words is dropped whole; where only the name stands in
it, the row is about somebody else, and the name is taken out. Whatever is written is written beside and then put in
place, with the mode that the file had.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.errors import BookUnreachable, DaybookError
from daybook.rights.traces import Search

MARK = "[erased]"
LARGEST = 512 << 20
"""Bytes of a text file that is changed in memory."""
LINES = {".jsonl", ".ndjson", ".log"}
_DOCUMENTS = {".json", ".ipynb"}
_TEXTS = {".html", ".htm", ".md", ".txt", ".yml", ".yaml", ".svg", ".tsv", ".xml"}
_TABLES = {".csv", ".parquet"}
_DATABASES = {".sqlite", ".db"}


class Unchangeable(DaybookError):
    """A file of a kind from which nothing can be taken out."""

    http_status = 409


def erase_from(path: Path, search: Search, announce: Callable[[bytes], object] = lambda changed: None) -> int:
    """Take the traces out of the file; returns how many rows, lines or spans. `announce`: told what a file of text is
    to become, before it does.

    Raises Unchangeable for a file of another kind, OSError, and BookUnreachable for a database that others hold."""
    suffix = path.suffix.lower()
    if suffix in _DATABASES:
        return _from_database(path, search)
    if suffix == ".parquet":
        return _from_parquet(path, search)
    if suffix not in LINES | _DOCUMENTS | _TEXTS | _TABLES or path.stat().st_size > LARGEST:
        raise Unchangeable(
            f"{path} has the person's data, and nothing can be taken out of a file of its kind or size.",
            remedy="Remove it, or take the data out by hand, and go on.",
        )
    data = path.read_bytes()
    by_kind: dict[str, Callable[[bytes, Search], tuple[bytes, int]]] = {".csv": _csv}
    by_kind |= dict.fromkeys(LINES, _lines) | dict.fromkeys(_DOCUMENTS, _document)
    changed, count = by_kind.get(suffix, blanked)(data, search)
    if count:
        announce(changed)
        atomic.replace(path, changed, stat.S_IMODE(path.stat().st_mode))
    return count


def blanked(data: bytes, search: Search) -> tuple[bytes, int]:
    """The bytes with each trace replaced."""
    parts: list[bytes] = []
    end = count = 0
    for hit in search.hits(data):
        if hit.end <= end:
            continue
        if hit.start >= end:
            parts += [data[end : hit.start], MARK.encode()]
            count += 1
        end = hit.end
    return b"".join([*parts, data[end:]]), count


def blank_lines(path: Path, search: Search) -> int:
    """The same for a file of lines that others append to and read on from where they were: nothing moves, because
    lines that go become line ends, and a name becomes dots. Readers of such files skip empty lines."""
    count, at = 0, 0
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        with path.open("rb") as file:
            for line in file:
                hits = search.hits(line)
                if any(hit.trace.kind != "name" for hit in hits):
                    os.pwrite(descriptor, b"\n" * len(line), at)
                else:
                    for hit in hits:
                        os.pwrite(descriptor, b"." * (hit.end - hit.start), at + hit.start)
                count += bool(hits)
                at += len(line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return count


def rewrite_sqlite(path: Path) -> None:
    """Write the file anew: a page that was once divided keeps copies of deleted rows, which `secure_delete` does not
    see. Then its log is cut to nothing. Raises BookUnreachable where others use it for too long."""
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as file:
            file.execute("pragma secure_delete = on")
            file.execute("vacuum")
            (busy, _, _) = file.execute("pragma wal_checkpoint(truncate)").fetchone()
    except sqlite3.Error as error:
        raise BookUnreachable(
            f"{path} cannot be written anew ({error}).", remedy="Let go of it elsewhere and go on."
        ) from error
    if busy:
        raise BookUnreachable(
            f"{path} is being read, so that its log still has what was deleted.",
            remedy="Let go of it elsewhere and go on.",
        )


def _lines(data: bytes, search: Search) -> tuple[bytes, int]:
    kept, count = [], 0
    for line in data.splitlines(keepends=True):
        found = {hit.trace.kind for hit in search.hits(line)}
        if found - {"name"}:
            count += 1
            continue
        kept.append(blanked(line, search)[0] if found else line)
        count += bool(found)
    return b"".join(kept), count


def _document(data: bytes, search: Search) -> tuple[bytes, int]:
    """JSON, changed string by string so that it stays JSON; what is no JSON is text."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return blanked(data, search)
    changed, count = cleaned(document, search)
    return orjson.dumps(changed, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), count


def cleaned(document: Any, search: Search) -> tuple[Any, int]:
    """Plain data with each trace in its texts and keys replaced, and how many there were."""
    count = 0

    def clean(value: Any) -> Any:
        nonlocal count
        if isinstance(value, str):
            changed, n = blanked(value.encode(), search)
            count += n
            return changed.decode(errors="replace") if n else value
        if isinstance(value, list):
            if value and all(isinstance(item, str) for item in value) and any(item.endswith("\n") for item in value):
                joined = clean("".join(value))  # a notebook's text, cut into lines
                return joined.splitlines(keepends=True)
            return [clean(item) for item in value]
        if isinstance(value, dict):
            return {clean(key): clean(item) for key, item in value.items()}
        return value

    return clean(document), count


def _csv(data: bytes, search: Search) -> tuple[bytes, int]:
    text = data.decode("utf-8", errors="surrogateescape")
    csv.field_size_limit(LARGEST)
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\r\n" if "\r\n" in text[:10_000] else "\n")
    count = 0
    for row in csv.reader(io.StringIO(text, newline="")):
        cells = [cell.encode("utf-8", errors="surrogateescape") for cell in row]
        found = {hit.trace.kind for cell in cells for hit in search.hits(cell)}
        if found - {"name"}:
            count += 1
            continue
        if found:
            count += 1
            row = [blanked(cell, search)[0].decode("utf-8", errors="surrogateescape") for cell in cells]
        writer.writerow(row)
    return (sink.getvalue().encode("utf-8", errors="surrogateescape"), count) if count else (data, 0)


def _from_parquet(path: Path, search: Search) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source, count = pq.ParquetFile(path), 0
    with (
        atomic.replacing(path, stat.S_IMODE(path.stat().st_mode)) as file,
        pq.ParquetWriter(file, source.schema_arrow, compression="zstd") as writer,
    ):
        for batch in source.iter_batches(10_000):
            kept = []
            for row in batch.to_pylist():
                found = {hit.trace.kind for value in row.values() for hit in search.hits(_bytes(value))}
                count += bool(found)
                if not found - {"name"}:
                    kept.append({k: _without(v, search) for k, v in row.items()} if found else row)
            writer.write_table(pa.Table.from_pylist(kept, schema=source.schema_arrow))
    return count


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode(errors="replace") if isinstance(value, str) else b""


def _without(value: Any, search: Search) -> Any:
    if isinstance(value, str):
        return blanked(value.encode(errors="replace"), search)[0].decode(errors="replace")
    return value


def _from_database(path: Path, search: Search) -> int:
    """Rows of any table that have a trace go."""
    count = 0
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as file, file:
            file.create_function("has_trace", 1, lambda value: bool(value and search.kinds(value)), deterministic=True)
            names = file.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
            for (name,) in names.fetchall():
                columns = file.execute("select name from pragma_table_info(?)", (name,)).fetchall()
                # as bytes, because a text need not be well-formed
                found = " or ".join(f"has_trace(cast({_identifier(column)} as blob))" for (column,) in columns)
                count += file.execute(f"delete from {_identifier(name)} where {found}").rowcount  # noqa: S608 - quoted
    except sqlite3.Error as error:
        raise BookUnreachable(f"{path} cannot be searched ({error}).", remedy="Let go of it elsewhere.") from error
    if count:
        rewrite_sqlite(path)
    return count


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
