"""The book's columns as Arrow, and Postgres rows as that, so that what is read is alike from both databases."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from daybook.book import schema
from daybook.book.stores.port import QueryResult

JSON = frozenset({114, 3802})
NUMERIC = 1700
_TYPES = {
    16: pa.bool_(), 20: pa.int64(), 21: pa.int64(), 23: pa.int64(), 26: pa.int64(), 700: pa.float64(),
    701: pa.float64(), 17: pa.binary(), 1082: pa.date32(), 1083: pa.time64("us"), 1114: pa.timestamp("us"),
    1184: pa.timestamp("us", tz="UTC"), 1186: pa.duration("us"),
}  # fmt: skip
_SCHEMA: dict[object, pa.DataType] = {
    schema.TEXT: pa.string(), schema.COUNT: pa.int64(), schema.REAL: pa.float64(), schema.FLAG: pa.bool_(),
    schema.MONEY: pa.decimal128(24, 12), schema.TIME: pa.timestamp("us", tz="UTC"), schema.DAY: pa.date32(),
    schema.MAPPING: pa.string(), schema.BYTES: pa.binary(),
}  # fmt: skip


def table(columns: Sequence[tuple[str, int, int | None]], rows: Sequence[Sequence[Any]]) -> QueryResult:
    """Rows, with their columns' names, type numbers (pg_type.oid) and decimal places, where declared."""
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    whole = frozenset(
        i for i, (_, oid, scale) in enumerate(columns) if oid == NUMERIC and not scale and _is_whole(values[i])
    )
    arrays = [_whole(values[i]) if i in whole else _array(values[i], oid) for i, (_, oid, _) in enumerate(columns)]
    return QueryResult(
        pa.Table.from_arrays(arrays, names=[name for name, *_ in columns]),
        json=frozenset(i for i, (_, oid, _) in enumerate(columns) if oid in JSON),
        whole=whole,
    )


def batch_of(name: str, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Rows of the book's table `name`, typed by the schema."""
    fields = schema_of(name)
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=fields)


def schema_of(name: str) -> pa.Schema:
    """The columns of the book's table `name`, as Arrow has them. JSON is text."""
    return pa.schema([pa.field(c.name, _SCHEMA[c.type]) for c in schema.metadata.tables[name].columns])


def _is_whole(values: Sequence[Decimal | None]) -> bool:
    """Whether a numeric column holds whole numbers only, as a sum of integers does. Money never does: it
    carries its twelve places."""
    return all(value is None or (value.is_finite() and value.as_tuple().exponent == 0) for value in values)


def _whole(values: Sequence[Decimal | None]) -> pa.Array:
    return pa.array(values, pa.decimal128(38, 0))


def _array(values: Sequence[Any], oid: int) -> pa.Array:
    if oid == NUMERIC:
        if any(value is not None and not value.is_finite() for value in values):
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
        return pa.array(values, pa.decimal256(76, max((_places(value) for value in values), default=0)))
    kind = _TYPES.get(oid)
    if kind is not None:
        return pa.array(values, kind)
    if all(value is None or isinstance(value, str) for value in values):
        return pa.array(values, pa.string())
    if all(value is None or isinstance(value, list) for value in values):
        return pa.array(values)
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _places(value: Decimal | None) -> int:
    exponent = 0 if value is None else value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
