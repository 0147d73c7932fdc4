"""The endpoint's counts beside the book's rows: what was never entered, or taken out before the drain, is missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from daybook.audit.completeness import CountDifference, EntryCounts, compare
from daybook.audit.verification import verify
from daybook.book import Book
from daybook.book.checks import CHANGED
from daybook.clock import FixedClock
from daybook.errors import SettingsError
from daybook.records import Call, Event

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


def call(number: int, key: str | None, hours: float, endpoint: str = "/v1/chat/completions") -> Call:
    at = MIDNIGHT + timedelta(hours=hours)
    return Call(id=f"c{number}", request_id="r", at=at, key_id=key, endpoint=endpoint, requested_model="m", status="ok")


@pytest.fixture
def counted(book_url: str, home: Path) -> Iterator[tuple[Book, EntryCounts]]:
    """Six calls of two days, three keys, that were appended and counted; what else is in the book is not the
    endpoint's, or was before it counted."""
    with Book(book_url, home, clock=FixedClock(MIDNIGHT)) as book:
        counts = EntryCounts(home, clock=book.clock)
        book.append(call(90, "k1", -1))
        book.append(call(91, "k1", 3, "library"))
        book.append(call(92, "k1", 3, "import"))
        for number, (key, hours) in enumerate((("k1", 1), ("k1", 23.99), ("k2", 2), (None, 3), ("k1", 24), ("k2", 30))):
            book.append(call(number, key, hours))
            counts.add(call(number, key, hours))
        yield book, counts


def edit(book: Book, statement: str) -> None:
    with book.store.writing() as writer, writer.transaction():
        writer.execute(statement)


def test_what_was_counted_and_is_there_differs_in_nothing(counted: tuple[Book, EntryCounts]) -> None:
    """Written down per UTC day and key, apart from journal and book; nothing without a change is written twice."""
    book, counts = counted
    counts.save(ended=True)
    assert compare(book) == []
    (path,) = (book.home / "audit" / "counts").iterdir()
    assert orjson.loads(path.read_bytes()) == {
        "since": "2026-11-20T00:00:00+00:00",
        "saved": "2026-11-20T00:00:00+00:00",
        "ended": True,
        "days": {"2026-11-20": {"k1": 2, "k2": 1, "-": 1}, "2026-11-21": {"k1": 1, "k2": 1}},
    }
    path.unlink()
    counts.save()
    assert not path.exists()


def test_what_is_missing_is_named_by_day_and_key(counted: tuple[Book, EntryCounts]) -> None:
    """A row taken out of the book with its count in the journal's: the endpoint still has counted it."""
    book, counts = counted
    counts.save(ended=True)
    book.drain()
    edit(book, "delete from calls where id = 'c1'")
    edit(book, "update journal_files set added = added - 1")
    assert compare(book) == [CountDifference("2026-11-20", "k1", 2, 1, killed=False)]
    found = [str(problem) for problem in verify(book, book.home / "reports").problems]
    assert found == ["removed: calls: 2026-11-20, key k1: the endpoint counted 2, the book has 1"]


def test_what_was_slipped_in_is_named(counted: tuple[Book, EntryCounts]) -> None:
    """A row that nobody counted, with the journal's count made to fit."""
    book, counts = counted
    counts.save(ended=True)
    book.drain()
    edit(
        book,
        "insert into calls (id, request_id, time, endpoint, status, key_id) "
        "values ('x', 'r', '2026-11-21 05:00:00+00', '/v1/messages', 'ok', 'k2')",
    )
    edit(book, "update journal_files set added = added + 1")
    assert compare(book) == [CountDifference("2026-11-21", "k2", 1, 2, killed=False)]
    assert [p.kind for p in verify(book, book.home / "reports").problems] == ["inserted"]


def test_calls_of_another_endpoint_on_the_same_book_are_said(counted: tuple[Book, EntryCounts], tmp_path: Path) -> None:
    """A second home enters calls of its own keys: it counts them, not this one. Said, and no finding."""
    book, counts = counted
    counts.save(ended=True)
    book.drain()
    rows = ", ".join(f"('x{n}', 'r', '2026-11-{n} 05:00:00+00', '/v1/messages', 'ok', 'k9')" for n in (20, 21))
    edit(book, f"insert into calls (id, request_id, time, endpoint, status, key_id) values {rows}")
    edit(book, "update journal_files set added = added + 2")
    assert compare(book) == [
        CountDifference(day, "k9", 0, 1, killed=False, own=False) for day in ("2026-11-20", "2026-11-21")
    ]
    verdict = verify(book, book.home / "reports")
    assert verdict.problems == []
    assert "2026-11-20, key k9: the endpoint counted 0, the book has 1." in verdict.notes


@pytest.mark.parametrize(("accounted", "findings"), [(3, 0), (2, 2), (1, 2)])
def test_what_is_missing_is_added_up(counted: tuple[Book, EntryCounts], accounted: int, findings: int) -> None:
    """Two days that each lack no more than the trail accounts for in all, and together lack more: both are named."""
    book, counts = counted
    counts.save(ended=True)
    details = {CHANGED: {"calls": {"removed": accounted}}}
    book.append(Event(id="e1", at=MIDNIGHT, actor="dpo", action="retention.applied", details=details))
    book.drain()
    edit(book, "delete from calls where id in ('c0', 'c1', 'c5')")
    edit(book, f"update journal_files set added = added - {3 - accounted}")
    found = [(p.kind, p.where) for p in verify(book, book.home / "reports").problems]
    assert found == [("removed", "calls")] * findings


def test_a_process_that_was_killed_may_have_entered_more(counted: tuple[Book, EntryCounts]) -> None:
    """Its last calls were not written down: that is said and is no finding; fewer than it wrote down is one."""
    book, counts = counted
    counts.save()
    book.append(call(50, "k2", 31))
    assert compare(book) == [CountDifference("2026-11-21", "k2", 1, 2, killed=True)]
    verdict = verify(book, book.home / "reports")
    assert (verdict.problems, verdict.notes[0]) == (
        [], "2026-11-21, key k2: the endpoint counted 1, the book has 2."
    )  # fmt: skip
    edit(book, "delete from calls where id in ('c5', 'c50')")
    edit(book, "update journal_files set added = added - 2")
    assert [p.kind for p in verify(book, book.home / "reports").problems] == ["removed"]


def test_several_processes_are_added_up(counted: tuple[Book, EntryCounts]) -> None:
    """Two that served the same key on the same day."""
    book, counts = counted
    counts.save(ended=True)
    second = EntryCounts(book.home, clock=book.clock)
    book.append(call(60, "k1", 5))
    second.add(call(60, "k1", 5))
    second.save(ended=True)
    assert compare(book) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"since": 1}', b'{"since": "2026-11-20", "days": 1}'])
def test_counts_that_are_none_are_named(home: Path, content: bytes) -> None:
    """A file that was damaged is an error with its path."""
    (home / "audit" / "counts").mkdir(parents=True)
    (home / "audit" / "counts" / "x.json").write_bytes(content)
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book, pytest.raises(SettingsError, match="holds no counts"):
        compare(book)


def test_an_endpoint_that_never_counted_is_compared_with_nothing(home: Path) -> None:
    """A home from before."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        book.append(call(1, "k1", 1))
        assert compare(book) == []


def test_counts_that_cannot_be_written_are_tried_again(home: Path) -> None:
    """A file stands where the folder belongs: nothing that was counted is lost by it."""
    counts = EntryCounts(home, clock=FixedClock(MIDNIGHT))
    home.mkdir()
    (home / "audit").write_text("a file where the folder belongs")
    counts.add(call(1, "k1", 1))
    counts.save()
    (home / "audit").unlink()
    counts.save()
    (path,) = (home / "audit" / "counts").iterdir()
    assert orjson.loads(path.read_bytes())["days"] == {"2026-11-20": {"k1": 1}}
