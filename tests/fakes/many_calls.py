"""Thousands of calls in a book, as if they had been drained: by the database, in a statement of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from daybook.book import Book
from daybook.book.stores import upserts
from daybook.records import Call


def insert_calls(book: Book, call: Call, each: Mapping[str, str], n: int, after: int = 0) -> None:
    """`n` calls like `call`, but for what `each` says: a field, and SQL for it over `k`, from 0 on, and `number`, from
    `after` + 1 on."""
    if not n:
        return
    book.drain()  # a new book gets its tables
    values = [each.get(field) or _literal(getattr(call, field), type_) for field, _, type_ in upserts.typed("call")]
    with book.store.writing() as writer:
        writer.execute(
            f"insert into calls ({upserts.names('call')}) select {', '.join(values)} "
            f"from (select k, k + {after + 1} as number from generate_series(0, {n - 1}) as g(k)) as each_call"
        )


def _literal(value: Any, type_: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        value = orjson.dumps(value).decode()
    quoted = str(value).replace("'", "''")
    return f"cast('{quoted}' as {type_})"
