"""Rows as Python values and as a DataFrame, alike from both databases.

Money is Decimal, times are aware UTC, JSON is parsed, whole numbers are integers: as a DataFrame int64, or
Int64 where some are missing, so that an unknown count is never a float and never 0.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from daybook.book.stores.port import QueryResult

if TYPE_CHECKING:
    import pandas as pd


def rows(result: QueryResult) -> list[dict[str, Any]]:
    """One mapping a row, in the query's order of columns."""
    names = _names(result)
    columns = [_values(result, i) for i in range(len(names))]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _names(result: QueryResult) -> list[str]:
    """The columns' names, each once: of two that are called alike the second is `name_1`, so none hides another."""
    names: list[str] = []
    for name in result.table.column_names:
        n, given = 0, name
        while name in names:
            n += 1
            name = f"{given}_{n}"
        names.append(name)
    return names


def _values(result: QueryResult, index: int) -> list[Any]:
    column = result.table.column(index)
    values: list[Any] = column.to_pylist()
    if index in result.json:
        return [None if value is None else orjson.loads(value) for value in values]
    if index in result.whole:
        return [None if value is None else int(value) for value in values]
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return [_utc(value) for value in values]
    return values


def _utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def frame(result: QueryResult) -> pd.DataFrame:
    """The same as a DataFrame."""
    import pandas as pd

    columns = [_series(result, i) for i in range(result.table.num_columns)]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    return frame.set_axis(_names(result), axis=1)


def _series(result: QueryResult, index: int) -> pd.Series[Any]:
    import pandas as pd

    column = result.table.column(index)
    kind = column.type
    if index in result.whole:
        values = _values(result, index)
        try:
            column = pa.chunked_array([pa.array(values, pa.int64())])
        except (pa.ArrowInvalid, OverflowError):  # beyond 64 bits: the whole truth, as Python's integers
            return pd.Series(values, dtype=object)
        kind = column.type
    if pa.types.is_integer(kind) and column.null_count:
        return pd.Series(column.to_pylist(), dtype="Int64")
    if pa.types.is_boolean(kind) and column.null_count:
        return pd.Series(column.to_pylist(), dtype="boolean")
    if index in result.json or pa.types.is_null(kind):
        return pd.Series(_values(result, index), dtype=object)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pd.Series(column.to_pylist(), dtype="str")
    series: pd.Series[Any] = column.to_pandas()
    return series
