"""Rows as they lie in a file: JSON lines, CSV (also with `;`, `|` or tabs), TSV, Parquet.

    read(path, limit)        records, each with the number of its line; reading stops at the limit
    frame(path, columns)     a table of texts, for a million rows and a few of their columns

What cannot be read is refused with its place; nothing is skipped in silence.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from daybook.errors import BadData, meant
from daybook.pii import excerpt

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_LONGEST = 10_000_000
"""Characters of one CSV field."""
_MISSING = {"", "NaN", "nan", "null", "NULL", "NA", "N/A", "<NA>", "?"}


class Record(NamedTuple):
    at: int
    """Its line in a text file, its row from 1 elsewhere."""
    values: dict[str, Any]


def read(path: Path, limit: int | None = None) -> list[Record]:
    """The first `limit` records, or all. Raises BadData."""
    kind = _kind(path)
    try:
        records = list(islice(_records(path, kind), limit))
    except UnicodeDecodeError as error:
        raise not_utf8(path) from error
    if not records:
        raise BadData(f"{path} has no rows.", remedy="Give a file with at least one.")
    return records


def frame(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The file as a table: values as text, stripped, and unknown where empty, NaN, NA, null or ?.

    `columns`: the only ones that are kept in memory. Raises BadData, also where one of them is not there."""
    import pandas as pd

    kind = _kind(path)
    if kind in (".csv", ".tsv"):
        table = _csv(path, columns)
    elif kind == ".parquet":
        table = _parquet_columns(path, columns)
    else:
        table = pd.DataFrame([record.values for record in read(path)])
    if table.empty:
        raise BadData(f"{path} has no rows.", remedy="Give a file with a header and at least one row.")
    table.columns = pd.Index([str(name).strip() for name in table.columns])
    _require_different(path, list(table.columns))
    if columns is not None:
        _among(list(table.columns), columns, path)
    return pd.DataFrame({name: _texts(table[name]) for name in table.columns}, dtype=object)


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if not path.is_file():
        raise BadData(f"There is no file {path}.", remedy="Correct the path.")
    if kind not in KINDS:
        raise BadData(f"{path.name} ends in {kind or 'nothing'}.", remedy=f"Give one of {', '.join(KINDS)}.")
    return kind


def _require_different(path: Path, header: Sequence[str]) -> None:
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise BadData(f"{path} has the column {twice[0]!r} more than once.", remedy="Rename one of them.")


def _texts(column: pd.Series) -> np.ndarray:
    """Stripped texts, None for what is unknown; each different value is looked at once."""
    import numpy as np
    import pandas as pd

    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists and the like
        codes, values = pd.factorize(column.map(lambda value: None if value is None else str(value)))
    texts = [str(value).strip() for value in values]
    # code −1, a value that is not there, finds the last one
    known: np.ndarray = np.array([*(None if text in _MISSING else text for text in texts), None], dtype=object)[codes]
    return known


def _among(header: Sequence[str], columns: Sequence[str] | None, path: Path) -> list[str]:
    """The wanted ones of a file's columns, as the file spells them. Raises BadData that names the near ones."""
    there = [str(name).strip() for name in header]
    if absent := [name for name in dict.fromkeys(columns or []) if name not in there]:
        near = "".join(meant(name, there) for name in absent[:2])
        raise BadData(
            f"{path.name} has no column {', '.join(map(repr, absent))}.",
            remedy=f"{near}It has: {', '.join(there[:30])}{', …' if len(there) > 30 else ''}.",
        )
    return [name for name in dict.fromkeys(header) if columns is None or str(name).strip() in columns]


def _csv(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    from pyarrow import ArrowInvalid, ArrowKeyError, string
    from pyarrow import csv as arrow

    separator = _separator(path)
    header = next(csv.reader([_first_line(path)], delimiter=separator), [])
    if not header:
        raise BadData(f"{path} is empty.", remedy="Give a file with a header and at least one row.")
    wanted = _among(header, columns, path)
    try:
        table: pd.DataFrame = arrow.read_csv(
            path,
            read_options=arrow.ReadOptions(use_threads=False),  # with threads no row is named
            parse_options=arrow.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, string()), strings_can_be_null=False
            ),
        ).to_pandas()
    except ArrowInvalid as error:
        if "UTF8" in str(error):
            raise not_utf8(path) from None
        reason = re.sub(r"(got \d+):.*", r"\1", " ".join(str(error).split())).removeprefix("CSV parse error: ")
        raise BadData(
            f"{path} is not a table: {excerpt(reason, 200)}.", remedy="Mend that row; quote fields with commas."
        ) from None
    except ArrowKeyError as error:
        raise BadData(f"{path} is not a table: {error}.", remedy="Give each column one name.") from None
    return table


def _parquet_columns(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        header = list(parquet.read_schema(path).names)
        table: pd.DataFrame = parquet.read_table(path, columns=_among(header, columns, path)).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise BadData(f"{path} is not Parquet ({str(error)[:120]}).", remedy="Write it again.") from None
    return table


def _separator(path: Path) -> str:
    """What parts the header's names into most: a comma, or what spreadsheets write instead of it."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    first = _first_line(path)
    return max(",;\t|", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.readline()
    except UnicodeDecodeError:
        raise not_utf8(path) from None


def _records(path: Path, kind: str) -> Iterator[Record]:
    if kind == ".parquet":
        return _parquet(path)
    if kind in (".csv", ".tsv"):
        return _table(path, _separator(path))
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
            f"{place} of {path} is not JSON ({error}): {excerpt(text.strip(), 60)!r}.", remedy="Mend or drop it."
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
            _require_different(path, header)
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
