"""What people said about answers as rows to learn from, on DuckDB and on Postgres."""

from __future__ import annotations

import base64
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
from daybook.vault import Vault

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
    assert later.left_out == {
        "without consent": 1, "not good, and nobody wrote a better answer": 1, "without content": 9,
        "with a better answer that is erased": 1,
    }  # fmt: skip
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


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("another home's key", "with a better answer that cannot be opened in this home"),
        ("cut off", "with a better answer that cannot be opened in this home"),
        ("no base64", "with a better answer that cannot be opened in this home"),
        ("erased", "with a better answer that is erased"),
    ],
)
def test_an_answer_whose_correction_cannot_be_read_is_no_example(
    book: Book, tmp_path: Path, how: str, reason: str
) -> None:
    """The uncorrected answer was wrong: it is left out, with the reason, beside one that can be read."""
    clock = FixedClock(NOW)
    messages = json.dumps([{"role": "user", "content": "where?"}])
    for id_ in ("a", "b", "c"):
        book.append(
            Call(id=id_, request_id="r", at=NOW, endpoint="library", requested_model="m", status="ok",
                 subject="s1", prompt=messages, answer="wrong")
        )  # fmt: skip
    for id_ in ("a", "b"):
        feedback.give(book, id_, good=True, correction="right", consent=True, actor="x", clock=clock)
    (event,) = book.rows("select id, sealed from events where object = 'a'")
    sealed = base64.b64decode(event["sealed"])
    if how == "another home's key":
        other = Vault(tmp_path / "other.sqlite")
        sealed = other.seal("s1", b"{}", context=f"event:{event['id']}".encode())
    elif how == "erased":
        sealed = sealed[:1] + (0).to_bytes(4, "big") + sealed[5:]
        book.vault.destroy("s1")
    text = "?" if how == "no base64" else base64.b64encode(sealed[:-1] if how == "cut off" else sealed).decode()
    with book.store.writing() as writer, writer.transaction():
        writer.execute(f"update events set sealed = '{text}' where object = 'a'")
    if how == "erased":
        with pytest.raises(BadData, match="2 with a better answer that is erased"):
            feedback.liked(book, days=7, now=NOW)
        return
    found = feedback.liked(book, days=7, now=NOW)
    assert [(row.id, row.reference) for row in found.data.rows] == [("b", "right")]
    assert found.left_out == {reason: 1, "without feedback": 1}


def test_a_correction_of_an_erased_call_is_refused(book: Book) -> None:
    """No key but its day's would be left for it, which no erasure destroys; whether the answer was good can be said.
    A call that was about nobody keeps its corrections."""
    clock = FixedClock(NOW)
    for id_, more in (("erased", {}), ("nobody's", {"prompt": "hello"}), ("unkept", {"prompt_hash": "sha256:0"})):
        book.append(
            Call(id=id_, request_id="r", at=NOW, endpoint="library", requested_model="m", status="ok", **more)  # type: ignore[arg-type]  # fields of any type
        )
    with pytest.raises(KeyDestroyed, match="erased"):
        feedback.give(book, "erased", good=False, correction="of Ada", actor="x", clock=clock)
    assert book.rows("select count(*) as n from events")[0]["n"] == 0
    feedback.give(book, "erased", good=False, actor="x", clock=clock)
    for id_ in ("nobody's", "unkept"):
        feedback.give(book, id_, good=False, correction="better", actor="x", clock=clock)
    rows = book.rows("select object, sealed is not null as corrected from events order by time, id")
    assert [(row["object"], row["corrected"]) for row in rows] == [
        ("erased", False), ("nobody's", True), ("unkept", True)
    ]  # fmt: skip
