"""Tables and question files as the bias audit reads them: every column as text, every fault with its row number."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from daybook.errors import BadData, meant

_MISSING = {"", "NaN", "nan", "null", "NULL", "NA", "N/A", "<NA>", "?"}


def table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A CSV, TSV, Parquet or JSON-lines file; values as text, stripped, and unknown where empty, NaN, NA, null or ?.

    `columns`: the only ones that are kept in memory. Raises BadData, also where one of them is not there.
    """
    kind = path.suffix.lower()
    if not path.is_file():
        raise BadData(f"There is no file {path}.", remedy="Correct the path.")
    if kind in (".csv", ".tsv"):
        frame = _csv(path, columns)
    elif kind in (".jsonl", ".ndjson"):
        frame = pd.DataFrame(list(lines(path)))
    elif kind == ".parquet":
        try:
            frame = pd.read_parquet(path, columns=_among(header(path), columns, path))
        except BadData:
            raise
        except Exception as error:
            raise BadData(f"{path} is not Parquet: {str(error)[:150]}.", remedy="Write it again.") from error
    else:
        raise BadData(f"{path.name} ends in {kind or 'nothing'}.", remedy="Give .csv, .tsv, .parquet or .jsonl.")
    if frame.empty:
        raise BadData(f"{path} has no rows.", remedy="Give a file with a header and at least one row.")
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    if not frame.columns.is_unique:
        twice = sorted(set(frame.columns[frame.columns.duplicated()]))
        raise BadData(f"{path} has {', '.join(map(repr, twice))} more than once.", remedy="Rename one of them.")
    if columns is not None:
        _among(list(frame.columns), columns, path)
    return pd.DataFrame({name: _known(frame[name]) for name in frame.columns}, dtype=object)


def _known(column: pd.Series) -> np.ndarray:
    """Stripped texts, None for what is unknown; each different value is looked at once."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists and the like
        codes, values = pd.factorize(column.map(lambda value: None if value is None else str(value)))
    texts = [str(value).strip() for value in values]
    # code −1, a value that is not there, finds the last one
    known: np.ndarray = np.array([*(None if t in _MISSING else t for t in texts), None], dtype=object)[codes]
    return known


def _among(named: Sequence[str], columns: Sequence[str] | None, path: Path) -> list[str]:
    """The wanted ones of a file's columns, as the file spells them. Raises BadData that names the near ones."""
    there = [str(name).strip() for name in named]
    if absent := [name for name in dict.fromkeys(columns or []) if name not in there]:
        near = "".join(meant(name, there) for name in absent[:2])
        raise BadData(
            f"{path.name} has no column {', '.join(map(repr, absent))}.",
            remedy=f"{near}It has: {', '.join(there[:30])}{', …' if len(there) > 30 else ''}.",
        )
    return [name for name in dict.fromkeys(named) if columns is None or str(name).strip() in columns]


def _csv(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    from pyarrow import ArrowInvalid, ArrowKeyError, string
    from pyarrow import csv as arrow

    named = header(path)
    if not named:
        raise BadData(f"{path} is empty.", remedy="Give a file with a header and at least one row.")
    wanted = _among(named, columns, path)
    try:
        read: pd.DataFrame = arrow.read_csv(
            path,
            read_options=arrow.ReadOptions(use_threads=False),  # with threads no row is named
            parse_options=arrow.ParseOptions(delimiter=_separator(path), newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, string()), strings_can_be_null=False
            ),
        ).to_pandas()
    except ArrowInvalid as error:
        if "UTF8" in str(error):
            raise _not_utf8(path) from None
        reason = re.sub(r"(got \d+):.*", r"\1", " ".join(str(error).split())).removeprefix("CSV parse error: ")
        raise BadData(
            f"{path} is not a table: {reason[:200]}.", remedy="Mend that row; quote fields with commas."
        ) from None
    except ArrowKeyError as error:
        raise BadData(f"{path} is not a table: {error}.", remedy="Give each column one name.") from None
    return read


def header(path: Path) -> list[str]:
    """The columns' names of a .csv, .tsv or .parquet; [] for other kinds of file."""
    kind = path.suffix.lower()
    if kind == ".parquet":
        from pyarrow import parquet

        return list(parquet.read_schema(path).names)
    return next(csv.reader([_first(path)], delimiter=_separator(path)), []) if kind in (".csv", ".tsv") else []


def _separator(path: Path) -> str:
    """What parts the header's names into most: a comma, or what spreadsheets write instead of it."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    first = _first(path)
    return max(",;\t|", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))


def _first(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.readline()
    except UnicodeDecodeError:
        raise _not_utf8(path) from None


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file. Raises BadData with the line's number."""
    if not path.is_file():
        raise BadData(f"There is no file {path}.", remedy="Correct the path.")
    found = False
    with path.open("rb") as file:
        for n, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                row = json.loads(raw.decode("utf-8-sig" if n == 1 else "utf-8"))
            except UnicodeDecodeError:
                raise _not_utf8(path) from None
            except ValueError as error:
                raise BadData(f"Line {n} of {path} is not JSON: {error}.", remedy="Mend or drop that line.") from None
            if not isinstance(row, dict):
                raise BadData(
                    f"Line {n} of {path} is a {type(row).__name__}, not an object.", remedy="Write one object a line."
                )
            found = True
            yield row
    if not found:
        raise BadData(f"{path} has no rows.", remedy="Give one JSON object a line.")


def _not_utf8(path: Path) -> BadData:
    with path.open("rb") as file:
        for n, raw in enumerate(file, start=1):
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = raw[error.start]
                return BadData(
                    f"Line {n} of {path} is not UTF-8 (byte 0x{byte:02x} at position {error.start + 1}).",
                    remedy="Write the file as UTF-8, for instance with: iconv -f latin1 -t utf-8",
                )
    return BadData(f"{path} is not UTF-8.", remedy="Write the file as UTF-8.")
