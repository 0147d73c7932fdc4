"""Records as they lie in a file, each with the number of its line: JSON lines, CSV, TSV, Parquet.

What cannot be read is refused with its place; nothing is skipped in silence. Reading stops at `limit`, so that a look
at the head of a file of a million rows costs the head.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from daybook.errors import BadData

KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_LONGEST = 10_000_000
"""Characters of one CSV field."""


class Record(NamedTuple):
    at: int
    """Its line in a text file, its row from 1 elsewhere."""
    values: dict[str, Any]


def read(path: Path, limit: int | None = None) -> list[Record]:
    """The first `limit` records, or all. Raises BadData."""
    kind = path.suffix.lower()
    if not path.is_file():
        raise BadData(f"There is no file {path}.", remedy="Correct the path.")
    if kind not in KINDS:
        raise BadData(f"{path.name} ends in {kind or 'nothing'}.", remedy=f"Give one of {', '.join(KINDS)}.")
    try:
        records = list(islice(_records(path, kind), limit))
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    if not records:
        raise BadData(f"{path} has no rows.", remedy="Give a file with at least one.")
    return records


def _records(path: Path, kind: str) -> Iterator[Record]:
    if kind == ".parquet":
        return _parquet(path)
    if kind in (".csv", ".tsv"):
        return _table(path, "\t" if kind == ".tsv" else ",")
    return _document(path) if kind == ".json" else _lines(path)


def _lines(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig") as file:
        for at, line in enumerate(file, start=1):
            if line.strip():
                yield Record(at, _object(path, f"Line {at}", line))


def _object(path: Path, place: str, text: str) -> dict[str, Any]:
    try:
        value = parse(text)
    except (ValueError, RecursionError) as error:
        raise BadData(
            f"{place} of {path} is not JSON ({error}): {text.strip()[:60]!r}.", remedy="Mend or drop it."
        ) from None
    if not isinstance(value, dict):
        raise BadData(f"{place} of {path} is a {type(value).__name__}.", remedy="Write one JSON object on each line.")
    return value


def parse(text: str) -> Any:
    """What a JSON text says, its integers to the last digit. Raises ValueError, also for NaN, which is no number, and
    for half of a surrogate pair, which is no character and cannot be written."""
    value = json.loads(text, parse_constant=_constant)
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"half a character, \\u{ord(error.object[error.start]):04x}") from None
    return value


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _document(path: Path) -> Iterator[Record]:
    """A JSON array of objects; where it is none, JSON lines under the wrong name."""
    text = path.read_text(encoding="utf-8-sig")
    if not text.lstrip().startswith("["):
        yield from _lines(path)
        return
    try:
        values = parse(text)
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path} is not JSON ({error}).", remedy="Mend it, or write JSON lines.") from None
    for at, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise BadData(f"Item {at} of {path} is a {type(value).__name__}.", remedy="Write an array of objects.")
        yield Record(at, value)


def _table(path: Path, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            twice = sorted({name for name in header if header.count(name) > 1})
            if twice:
                raise BadData(f"{path} has the column {twice[0]!r} more than once.", remedy="Rename one of them.")
            for fields in reader:
                if not fields:
                    continue
                if len(fields) != len(header):
                    raise BadData(
                        f"Line {reader.line_num} of {path} has {len(fields)} fields; the header has {len(header)}.",
                        remedy="Quote fields that hold the delimiter, or mend the line.",
                    )
                yield Record(reader.line_num, dict(zip(header, fields, strict=True)))
        except csv.Error as error:
            raise BadData(f"Line {reader.line_num} of {path}: {error}.", remedy="Mend its quotes.") from None


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        at = 0
        for batch in pq.ParquetFile(path).iter_batches():
            for values in batch.to_pylist():
                at += 1
                yield Record(at, values)
    except (pa.ArrowException, OSError) as error:
        raise BadData(f"{path} is not Parquet ({str(error)[:120]}).", remedy="Write it again.") from None


def not_utf8(path: Path) -> BadData:
    """Which line of the file is in another encoding, and how many are."""
    bad: list[tuple[int, int]] = []
    with path.open("rb") as file:
        for at, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                bad.append((at, line[error.start]))
    at, byte = bad[0] if bad else (0, 0)
    return BadData(
        f"{'1 line' if len(bad) == 1 else f'{len(bad)} lines'} of {path} not in UTF-8, the first line {at} "
        f"(byte 0x{byte:02x}).",
        remedy="Write the whole file as UTF-8; a part of it seems to come from elsewhere.",
    )
