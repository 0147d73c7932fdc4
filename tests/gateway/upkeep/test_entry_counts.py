"""A running endpoint counts what it enters, by key, and writes it down when it stops."""

from __future__ import annotations

import contextlib
from typing import Any

from openai import APIError

from daybook.audit.verification.completeness import compare


def test_an_endpoint_s_counts_are_the_book_s_rows(fresh: Any) -> None:
    """Answers and failures alike: as many as there are rows, of each key."""
    with fresh() as endpoint:
        client = endpoint.client()
        for model in ("good", "good", "bad"):
            with contextlib.suppress(APIError):
                client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello"}])
        parts = endpoint.parts
    with parts.open_book() as book:
        (row,) = book.rows("select count(*) as n from calls where key_id is not null")
        assert row["n"] >= 3
        assert compare(book) == ([], [])
