"""What people said about answers as rows to learn from, on DuckDB and on Postgres."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import BadData, BadParameter
from daybook.inference import feedback
from daybook.records import Call

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def book(tmp_path: Path, book_url: str) -> Iterator[Book]:
    with Book(book_url, tmp_path / "home") as opened:
        yield opened


def test_liked_calls_become_rows_with_their_persons(book: Book) -> None:
    """Only calls with consent and a good word, or a better answer, are learnt from; who they are about is on the
    model, so that an erasure can mark it; the latest word about a call counts."""
    clock = FixedClock(NOW)
    for n in range(30):
        label = "refund" if n % 2 else "delivery"
        asked = f"{'money back' if n % 2 else 'when will it arrive'}, order {n * 7919}"
        call = Call(
            id=f"c{n:02}", request_id="r", at=NOW, endpoint="library", requested_model="m", status="ok",
            subject=f"s{n % 3}", prompt=json.dumps([{"role": "user", "content": asked}]), answer=label,
        )  # fmt: skip
        book.append(call)
        feedback.give(book, call.id, good=True, consent=n != 1, actor="ada", clock=clock)
    feedback.give(book, "c03", good=False, consent=True, actor="ada", clock=clock)
    feedback.give(book, "c05", good=False, correction="refund", consent=True, actor="ada", clock=clock)
    found = feedback.liked(book, days=7, now=NOW)
    assert (len(found.data), found.subjects) == (28, ("s0", "s1", "s2"))
    assert found.left_out == {"without consent": 1, "not good, and nobody wrote a better answer": 1}
    with pytest.raises(BadParameter, match="no call"):
        feedback.give(book, "nothing", good=True, actor="ada", clock=clock)
    with pytest.raises(BadData, match="None of 0 calls"):
        feedback.liked(book, days=7, now=datetime(2027, 11, 24, tzinfo=UTC))
