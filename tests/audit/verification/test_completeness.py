"""The endpoint's counts beside the book's rows: what was never entered, or taken out before the drain, is missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from daybook.audit.entry_counts import COUNTED, EntryCounts, enter_dead, forget
from daybook.audit.verification.completeness import CountDifference, FileDifference, compare
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.checks import CHANGED
from daybook.book.journal.journal import Journal
from daybook.clock import FixedClock
from daybook.errors import SettingsError
from daybook.records import Call, Event

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = {"2026-11-20": {"k1": 2, "k2": 1, "-": 1}, "2026-11-21": {"k1": 1, "k2": 1}}


def call(number: int, key: str | None, hours: float, endpoint: str = "/v1/chat/completions") -> Call:
    at = MIDNIGHT + timedelta(hours=hours)
    return Call(id=f"c{number}", request_id="r", at=at, key_id=key, endpoint=endpoint, requested_model="m", status="ok")


@pytest.fixture
def counted(book_url: str, home: Path) -> Iterator[tuple[Book, EntryCounts]]:
    """Six calls of two days, three keys, that were appended and counted; what else is in the book is not the
    endpoint's, or was before it counted."""
    with Book(book_url, home, clock=FixedClock(MIDNIGHT)) as book:
        counts = EntryCounts(home, book.journal, clock=book.clock)
        book.append(call(90, "k1", -1))
        book.append(call(91, "k1", 3, "library"))
        book.append(call(92, "k1", 3, "import"))
        for number, (key, hours) in enumerate((("k1", 1), ("k1", 23.99), ("k2", 2), (None, 3), ("k1", 24), ("k2", 30))):
            book.append(call(number, key, hours))
            counts.add(call(number, key, hours))
        yield book, counts


def edit(book: Book, *statements: str) -> None:
    with book.store.writing() as writer, writer.transaction():
        for statement in statements:
            writer.execute(statement)


def test_what_was_counted_and_is_there_differs_in_nothing(counted: tuple[Book, EntryCounts]) -> None:
    """Written down per UTC day and key, apart from journal and book, with the bytes of the journal's files; nothing
    without a change is written twice."""
    book, counts = counted
    counts.save()
    assert compare(book) == ([], [])
    (path,) = (book.home / "audit" / "counts").glob("*.json")
    content = orjson.loads(path.read_bytes())
    assert list(content.pop("files").values()) == [book.journal.state().bytes - entered_bytes(book)]
    assert content == {
        "since": "2026-11-20T00:00:00+00:00",
        "saved": "2026-11-20T00:00:00+00:00",
        "ended": False,
        "book": None,
        "days": DAYS,
    }
    assert [place.stat().st_mode & 0o777 for place in (path.parent, path)] == [0o700, 0o600]
    path.unlink()
    counts.save()
    assert not path.exists()


def entered_bytes(book: Book) -> int:
    """Of the journal's last line, with which the counts themselves were entered."""
    (file,) = (book.home / "journal").glob("*.jsonl")
    return len(file.read_bytes().splitlines(keepends=True)[-1])


def events(book: Book) -> list[tuple[str, dict[str, Any]]]:
    """The counts as the trail has them."""
    rows = book.rows("select object, details from events where action = :action order by time, id", {"action": COUNTED})
    return [(row["object"], row["details"]) for row in rows]


def test_counts_are_entered_in_the_trail(counted: tuple[Book, EntryCounts]) -> None:
    """When a process begins to count, once a day, and when it ends: then no file is left, and the trail alone is
    compared with the book. Only days that have changed are entered again."""
    book, counts = counted
    counts.save()
    ((process, first),) = events(book)
    assert (first["days"], first["ended"], first["dead"]) == (DAYS, False, False)
    for late in (call(70, "k3", 26), call(72, "k2", 2.5)):
        book.append(late)
        counts.add(late)
    counts.save()
    assert len(events(book)) == 1
    book.clock.at = MIDNIGHT + timedelta(days=1)  # type: ignore[attr-defined]  # a FixedClock
    counts.add(call(71, None, 27))
    book.append(call(71, None, 27))
    counts.save()
    assert events(book)[1][1]["days"] == {
        "2026-11-20": {"k1": 2, "k2": 2, "-": 1}, "2026-11-21": {"k1": 1, "k2": 1, "k3": 1, "-": 1}
    }  # fmt: skip
    counts.add(call(73, "k1", 28))
    book.append(call(73, "k1", 28))
    book.clock.at += timedelta(hours=1)
    counts.save(ended=True)
    assert [(name, e["ended"], e["days"]) for name, e in events(book)][2:] == [
        (process, True, {"2026-11-21": {"k1": 2, "k2": 1, "k3": 1, "-": 1}})
    ]  # fmt: skip
    assert list((book.home / "audit" / "counts").iterdir()) == []
    assert compare(book) == ([], [])
    edit(book, "delete from calls where id = 'c71'")
    edit(book, "update journal_files set added = added - 1")
    assert compare(book)[0] == [CountDifference("2026-11-21", "-", 1, 0, uncounted=False)]


def test_a_key_that_two_homes_serve_is_counted_by_both(counted: tuple[Book, EntryCounts], tmp_path: Path) -> None:
    """Two machines with a book in common and one key: each counts its own entries, and either finds nothing; a row that
    neither counted is found by either."""
    book, counts = counted
    counts.save(ended=True)
    book.drain()
    with Book(book.store.url, tmp_path / "second", clock=book.clock) as second:
        theirs = EntryCounts(second.home, second.journal, clock=second.clock)
        for number, key in ((80, "k1"), (81, "k2"), (82, "k8")):
            second.append(call(number, key, 4))
            theirs.add(call(number, key, 4))
        theirs.save()
        second.drain()
        assert compare(book) == compare(second) == ([], [])
        second.append(call(83, "k1", 5))
        second.drain()
        for one in (book, second):  # it may be of the second home's process, which still counts
            assert compare(one) == ([CountDifference("2026-11-20", "k1", 3, 4, uncounted=True)], [])
        theirs.add(call(83, "k1", 5))
        theirs.save(ended=True)
        second.drain()
        assert compare(book) == compare(second) == ([], [])
        edit(second, "update calls set key_id = 'k1' where id = 'c82'")
        for one in (book, second):
            assert compare(one)[0] == [
                CountDifference("2026-11-20", "k1", 4, 5, uncounted=False),
                CountDifference("2026-11-20", "k8", 1, 0, uncounted=False),
            ]


def test_a_process_that_was_killed_is_entered_by_the_next(counted: tuple[Book, EntryCounts]) -> None:
    """Its file is removed once its counts are in the trail; that of one that lives stays. So there are as many files as
    processes, however often one is started."""
    book, counts = counted
    counts.save()
    (path,) = (book.home / "audit" / "counts").glob("*.json")
    assert enter_dead(book.home, book.journal, clock=book.clock) == 0
    whole = path.read_bytes()
    for number in range(3):
        dead = path.with_name(f"dead{number}.json")
        dead.write_bytes(whole)
        book.append(call(100 + number, "k1", 1))
    assert enter_dead(book.home, book.journal, clock=book.clock) == 3
    path.with_name("dead3.json").write_bytes(whole)
    fresh = EntryCounts(book.home, book.journal, clock=book.clock)
    fresh.add(call(100, "k1", 1))
    fresh.save()
    assert len(list((book.home / "audit" / "counts").iterdir())) == 4  # a file and a lock for each that lives
    dead_events = [event for event in events(book) if event[1]["dead"]]
    assert [name for name, _ in dead_events] == ["dead0", "dead1", "dead2", "dead3"]
    assert all((event["days"], event["ended"]) == (DAYS, False) for _, event in dead_events)


def test_many_counts_are_entered_in_several_events(home: Path) -> None:
    """A day of 1,200 keys and two of 600: no event has more than a thousand counts but for such a day, the last one
    says that it was the end, and the sum is the book's."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home, clock=FixedClock(MIDNIGHT)) as book:
        counts = EntryCounts(home, book.journal, clock=book.clock)
        for number in range(2400):
            day = 0 if number < 1200 else 1 + number % 2
            made = call(number, f"k{number % 1200}", 24 * day)
            book.append(made)
            counts.add(made)
        counts.save(ended=True)
        sizes = [sum(map(len, event["days"].values())) for _, event in events(book)]
        assert (sizes, [event["ended"] for _, event in events(book)]) == ([1200, 600, 600], [False, False, True])
        assert compare(book) == ([], [])


def test_bytes_that_the_book_never_took_are_found(counted: tuple[Book, EntryCounts]) -> None:
    """Lines cut off a file of the journal before it was drained: named with both lengths, whatever kind of entries they
    were."""
    book, counts = counted
    book.append(Event(id="e9", at=MIDNIGHT, actor="a", action="b"))
    counts.save()
    book.journal.close()
    (path,) = (book.home / "journal").glob("*.jsonl")
    whole = path.read_bytes()
    written = len(whole) - entered_bytes(book)
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))
    left = path.stat().st_size
    assert compare(book)[1] == [FileDifference(path.name, written, left)]
    problems = [str(p) for p in verify(book, book.home / "reports").problems if p.where == "journal"]
    words = f"removed: journal: {path.name}: the endpoint wrote {written:,} bytes, the book took {left:,}"
    assert problems == [words]


def test_a_file_that_a_later_version_wrote_is_not_missing(home: Path) -> None:
    """It waits, whole, for the version that can read it: that is no finding."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home, clock=FixedClock(MIDNIGHT)) as book:
        counts = EntryCounts(home, book.journal, clock=book.clock)
        for number in range(3):
            book.append(call(number, "k1", 1))
            counts.add(call(number, "k1", 1))
        counts.save()
        book.journal.close()
        (path,) = (home / "journal").glob("*.jsonl")
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([lines[0], lines[1].replace(b'{"v":2', b'{"v":99', 1), *lines[2:]]))
        differences, shorter = compare(book)
        assert book.drain().newer
        assert shorter == []
        assert [(d.counted, d.rows) for d in differences] == [(3, 1)]


def test_after_a_restore_what_was_counted_before_is_not_missed(counted: tuple[Book, EntryCounts]) -> None:
    """The days remain, and are said to be counted in part."""
    book, counts = counted
    counts.save()
    book.drain()
    book.journal.close()
    for path in (book.home / "journal").glob("*.jsonl"):
        path.unlink()
    edit(book, "delete from calls", "delete from events", "delete from audit_chain", "delete from journal_files")
    forget(book.home)
    assert compare(book) == ([], [])
    book.append(call(99, "k1", 25))
    assert compare(book) == ([CountDifference("2026-11-21", "k1", 0, 1, uncounted=True, known=False)], [])


def test_what_is_missing_is_named_by_day_and_key(counted: tuple[Book, EntryCounts]) -> None:
    """A row taken out of the book with its count in the journal's: the endpoint still has counted it."""
    book, counts = counted
    counts.save(ended=True)
    book.drain()
    edit(book, "delete from calls where id = 'c1'")
    edit(book, "update journal_files set added = added - 1")
    assert compare(book) == ([CountDifference("2026-11-20", "k1", 2, 1, uncounted=False)], [])
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
    assert compare(book) == ([CountDifference("2026-11-21", "k2", 1, 2, uncounted=False)], [])
    assert [p.kind for p in verify(book, book.home / "reports").problems] == ["inserted"]


def test_calls_of_another_endpoint_on_the_same_book_are_said(counted: tuple[Book, EntryCounts], tmp_path: Path) -> None:
    """A second home enters calls of its own keys: it counts them, not this one. Said, and no finding."""
    book, counts = counted
    counts.save(ended=True)
    book.drain()
    rows = ", ".join(f"('x{n}', 'r', '2026-11-{n} 05:00:00+00', '/v1/messages', 'ok', 'k9')" for n in (20, 21))
    edit(book, f"insert into calls (id, request_id, time, endpoint, status, key_id) values {rows}")
    edit(book, "update journal_files set added = added + 2")
    assert compare(book)[0] == [
        CountDifference(day, "k9", 0, 1, uncounted=False, known=False) for day in ("2026-11-20", "2026-11-21")
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
    assert compare(book) == ([CountDifference("2026-11-21", "k2", 1, 2, uncounted=True)], [])
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
    second = EntryCounts(book.home, book.journal, clock=book.clock)
    book.append(call(60, "k1", 5))
    second.add(call(60, "k1", 5))
    second.save(ended=True)
    assert compare(book) == ([], [])


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
        assert compare(book) == ([], [])


def test_counts_that_cannot_be_written_are_tried_again(home: Path) -> None:
    """A file stands where the folder belongs: nothing that was counted is lost by it."""
    journal = Journal(home, clock=FixedClock(MIDNIGHT))
    counts = EntryCounts(home, journal, clock=FixedClock(MIDNIGHT))
    home.mkdir()
    (home / "audit").write_text("a file where the folder belongs")
    counts.add(call(1, "k1", 1))
    counts.save()
    (home / "audit").unlink()
    counts.save()
    (path,) = (home / "audit" / "counts").glob("*.json")
    assert orjson.loads(path.read_bytes())["days"] == {"2026-11-20": {"k1": 1}}
    journal.close()
