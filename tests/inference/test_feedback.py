"""What people said about answers as rows to learn from, on DuckDB and on Postgres."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daybook.book import Book
from daybook.clock import FixedClock, new_id
from daybook.errors import BadData, BadParameter, KeyDestroyed
from daybook.inference import feedback
from daybook.records import Call, Event

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
    words = book.rows("select details, sealed from events where object = 'c05' order by time, id")
    assert [word["details"] for word in words] == [
        {"good": True, "corrected": False, "consent": True}, {"good": False, "corrected": True, "consent": True},
    ]  # fmt: skip
    assert [word["sealed"] is None for word in words] == [True, False]
    found = feedback.liked(book, days=7, now=NOW)
    assert {row.id: row.reference for row in found.data.rows}["c05"] == "refund"
    assert (len(found.data), found.subjects) == (28, ("s0", "s1", "s2"))
    assert found.left_out == {"without consent": 1, "not good, and nobody wrote a better answer": 1}
    book.vault.destroy("s2")
    later = feedback.liked(book, days=7, now=NOW)
    assert (len(later.data), later.subjects) == (18, ("s0", "s1"))
    assert later.left_out["without content"] == 9
    assert later.left_out["not good, and nobody wrote a better answer"] == 2  # the correction went with the key
    with pytest.raises(KeyDestroyed):
        feedback.give(book, "c05", good=False, correction="again", actor="ada", clock=clock)
    with pytest.raises(BadParameter, match="no call"):
        feedback.give(book, "nothing", good=True, actor="ada", clock=clock)
    with pytest.raises(BadData, match="None of 0 calls"):
        feedback.liked(book, days=7, now=datetime(2027, 11, 24, tzinfo=UTC))


def test_a_correction_of_nobodys_call_and_one_of_before(book: Book) -> None:
    """About nobody: sealed under the day's key, and readable; one that stands in plain words still is."""
    clock = FixedClock(NOW)
    for id_ in ("a", "b"):
        book.append(Call(id=id_, request_id="r", at=NOW, endpoint="library", requested_model="m", status="ok",
                         prompt='[{"role": "user", "content": "Where?"}]', answer="There."))  # fmt: skip
    feedback.give(book, "a", good=False, correction="On the left.", consent=True, actor="ada", clock=clock)
    details = {"good": False, "correction": "On the right.", "consent": True}
    book.append(Event(id=new_id(), at=NOW, actor="ada", action=feedback.ACTION, object="b", details=details))
    rows = feedback.liked(book, days=7, now=NOW).data.rows
    assert {row.id: row.reference for row in rows} == {"a": "On the left.", "b": "On the right."}
    (event,) = book.rows("select subject, cast(details as text) as details, sealed from events where object = 'a'")
    assert event["subject"] is None
    assert "left" not in event["details"] + event["sealed"]
    assert list(book.vault.states()) == ["day:2026-11-24"]


def test_what_was_sealed_elsewhere_is_left_out_and_counted(book: Book, tmp_path: Path) -> None:
    """Another home's vault: its calls are named as such, not as calls without content."""
    book.append(Call(id="a", request_id="r", at=NOW, endpoint="library", requested_model="m", status="ok",
                     prompt="[]", answer="There."))  # fmt: skip
    feedback.give(book, "a", good=True, consent=True, actor="ada", clock=FixedClock(NOW))
    book.drain()
    other = Book(book.store.url, tmp_path / "home", vault=tmp_path / "other.sqlite")
    with pytest.raises(BadData, match="1 sealed under a key that this home has not got"):
        feedback.liked(other, days=7, now=NOW)
