"""A table of the book as a file: Parquet for machines, CSV for people; from both databases the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from daybook.book import schema
from daybook.book.stores.arrow import schema_of
from daybook.clock import new_id
from daybook.errors import BadParameter

if TYPE_CHECKING:
    from daybook.book.stores.port import ReadSession

FORMATS = ("parquet", "csv")
FORMULA = r"^[=+\-@\t\r]"
"""How a cell begins that a spreadsheet computes."""


def require_format(table: str, path: Path, format: str | None) -> str:
    """The format to write. Raises BadParameter for a table, format or folder there is none of."""
    tables = [table.name for table in schema.TABLES.values()]
    if table not in tables:
        raise BadParameter(f"No table is called {table!r}.", remedy=f"There are: {', '.join(tables)}.")
    format = format or path.suffix.lstrip(".").lower()
    if format not in FORMATS:
        raise BadParameter(
            f"{format or 'No ending'!r} says no format to export to.", remedy="Name a .parquet or a .csv file."
        )
    if not path.absolute().parent.is_dir():
        raise BadParameter(f"The folder {path.absolute().parent} does not exist.", remedy="Make it first.")
    return format


def write(
    book: ReadSession, table: str, path: Path, format: str, *, before: Callable[[int], None] = lambda rows: None
) -> int:
    """Write `table` to `path`, whole or not at all, readable by its owner alone; returns the number of rows.
    `before(rows)` is called before the file is at its place; where it raises, there is none.

    Mappings are JSON text, money is decimal, times are UTC. Raises BadParameter where it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{new_id()}")
    n = 0
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as sink:
            with _writer(sink, schema_of(table), format) as writer:
                for batch in book.stream(table):
                    typed = batch.cast(schema_of(table))
                    writer.write_batch(_without_formulas(typed) if format == "csv" else typed)
                    n += batch.num_rows
            sink.flush()
            os.fsync(sink.fileno())
        before(n)
        temporary.replace(path)
    except OSError as error:
        raise BadParameter(
            f"{path} cannot be written ({error.strerror or error}).",
            remedy="Name a file in a folder that is yours, on a disk with room.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return n


def _without_formulas(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A text that a spreadsheet would take for a formula, behind an apostrophe: whoever names a caller or writes a
    prompt must not run anything on the machine of who opens the table."""
    import pyarrow.compute as pc

    columns = [
        pc.if_else(pc.match_substring_regex(column, FORMULA), pc.binary_join_element_wise("'", column, ""), column)
        if pa.types.is_string(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _writer(sink: BinaryIO, schema: pa.Schema, format: str) -> Any:
    if format == "csv":
        from pyarrow.csv import CSVWriter

        return CSVWriter(sink, schema)
    from pyarrow.parquet import ParquetWriter

    return ParquetWriter(sink, schema, compression="zstd")
