"""The bytes that stand for an event in the chain: the same ones from both databases.

A JSON object in UTF-8 with its keys sorted and no spaces; the time is whole microseconds since 1970. Postgres keeps
JSON as numbers and not as it was written, so a number in `details` that is whole stands without a point, however it
was written; other numbers are the shortest that reads back as the same 64-bit value (`1e-7`, `1.5e300`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from daybook.book.schema import events

MICROSECONDS = {"duckdb": "epoch_us({})", "postgresql": "cast(extract(epoch from {}) * 1000000 as bigint)"}
"""A time as whole microseconds since 1970."""

FIELDS = tuple(str(column.name) for column in events.columns)
_DETAILS = FIELDS.index("details")
_FRACTION = re.compile(r"\d[.eE]")

plain = msgspec.json.Encoder(order="sorted").encode
"""Plain data as bytes: a fifth of orjson's time where keys are sorted."""


def columns(dialect: str, of: str = "events") -> str:
    """What to select of the table `events` so that `encode` has what it needs."""
    special = {"time": MICROSECONDS[dialect], "details": "cast({} as text)"}
    return ", ".join(special.get(name, "{}").format(f'{of}."{name}"') for name in FIELDS)


def encode(row: Iterable[Any]) -> bytes:
    """The canonical bytes of one row of `columns`."""
    values = list(row)
    values[_DETAILS] = mapping(values[_DETAILS])
    return plain(dict(zip(FIELDS, values, strict=True)))


def mapping(text: str | None) -> Any:
    """A column of JSON as the same plain data from both databases."""
    if text is None:
        return None
    parsed = orjson.loads(text)
    return _plain(parsed) if _FRACTION.search(text) else parsed


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and -(2**63) <= value < 2**64:
        return int(value)  # as JSON has it where it was written without a point; beyond 64 bits it is read as a float
    return value
