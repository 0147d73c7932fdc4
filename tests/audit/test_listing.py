"""The trail to read: what is found of it, and that whoever looks is in it: in both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daybook.audit.listing import Query, read
from daybook.audit.reading import PERSONAL, record_query, tables_of
from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.trail.names import reference
from daybook.clock import FixedClock
from daybook.errors import BadParameter, JournalError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_entries_are_found_by_whom_what_who_and_when(book_url: str, home: Path) -> None:
    """Each filter by itself and together; newest first, a page at a time; a * only at the end."""
    clock = FixedClock(NOON)
    with Book(book_url, home, clock=clock) as book:
        trail = Trail(book.journal, home, clock=clock)
        for action, subject in (
            ("subject.exported", "ada"),
            ("subject.erased", "ada"),
            ("subject.exported", "bob"),
            ("subjectX.exported", "ada"),
            ("key.created", None),
        ):
            trail.record(action, actor="cli:dpo" if subject else "cli:ops", subject=subject)
            clock.at += timedelta(hours=1)

        def found(**asked: Any) -> list[int]:
            rows = read(book, Query(**asked), trail, actor="test")
            return [row["seq"] for row in rows if row["action"] != "trail.read"]

        assert found() == [5, 4, 3, 2, 1]
        assert found(subject="ada") == [4, 2, 1]
        assert found(subject=reference(home, "bob")) == [3]
        assert found(subject="Ada") == []
        assert found(action="subject.*") == [3, 2, 1]
        assert found(action="subject.exported") == [3, 1]
        assert found(action="*") == [5, 4, 3, 2, 1]
        assert found(action="subject_*") == []
        assert found(actor="cli:ops") == [5]
        assert found(since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=3)) == [3, 2]
        assert found(before=3, limit=1) == [2]
        assert found(subject="ada", action="subject.erased", actor="cli:dpo", since=NOON) == [2]
        assert found(actor="'; drop table events; --") == []
        for limit in (0, 1001):
            with pytest.raises(BadParameter, match=f"limit is {limit}"):
                found(limit=limit)
        with pytest.raises(BadParameter, match=r"has a \* inside"):
            found(action="subject.*.x")


def test_who_looks_is_entered_first(home: Path) -> None:
    """With what was asked for, the person as a reference, and never by name."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        trail = Trail(book.journal, home, address="10.0.0.7", client="curl/8")
        asked = Query(subject="ada@example.org", action="subject.*", since=NOON, limit=5)
        assert read(book, asked, trail, actor="key:dpo", reason="audit", request_id="r1") == []
        (row,) = book.rows("select * from events")
        assert (row["action"], row["actor"], row["object"], row["reason"], row["request_id"]) == (
            "trail.read", "key:dpo", "events", "audit", "r1"
        )  # fmt: skip
        assert (row["subject"], row["address"], row["client"], row["outcome"]) == (
            reference(home, "ada@example.org"), "10.0.0.7", "curl/8", "granted"
        )  # fmt: skip
        assert row["details"] == {"action": "subject.*", "since": "2026-11-20T12:00:00+00:00", "limit": 5}


@pytest.mark.parametrize(
    "name", ["s-karlsson", "s-", "s-" + "a" * 31, "s-" + "a" * 33, "s-" + "A" * 32, "s-" + "g" * 32]
)
def test_a_name_that_looks_like_a_reference_is_not_written_down(home: Path, name: str) -> None:
    """Only what is a reference to the letter stands in the trail as it was asked; any other is a person's name, found
    by its reference."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        trail = Trail(book.journal, home)
        trail.record("subject.exported", actor="cli:dpo", subject=name)
        rows = read(book, Query(subject=name, action="subject.*"), trail, actor="key:dpo")
        assert [row["subject"] for row in rows] == [reference(home, name)]
        (looked,) = book.rows("select subject, details from events where action = 'trail.read'")
        assert looked == {"subject": reference(home, name), "details": {"action": "subject.*", "limit": 100}}


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("select count(*) from calls", ["calls"]),
        ("FROM Calls", ["calls"]),
        ('select * from "events" join subjects on true', ["events", "subjects"]),
        ("select 1", []),
        ("select * from findings", []),
        ("select recalls from runs_calls_x", []),
        ("table models", ["models"]),
        ("select id from entry_stamps", ["entry_stamps"]),
        ("from query_table('ca' || 'lls')", list(PERSONAL)),
        ("from QUERY_TABLE /* x */ (['ca' || 'lls'])", list(PERSONAL)),
        ("from query('from ca' || 'lls')", list(PERSONAL)),
        ('from "query" (:text)', list(PERSONAL)),
        ("select query_to_xml('table ca' || 'lls', true, true, '')", list(PERSONAL)),
        ("select database_to_xml(true, true, '')", list(PERSONAL)),
        ('select * from U&"c\\0061lls"', list(PERSONAL)),
        ("select queries, subquery from findings", []),
    ],
)
def test_a_query_is_told_by_the_tables_it_names(home: Path, query: str, tables: list[str]) -> None:
    """Whatever columns come back; one that names none of them enters nothing."""
    assert tables_of(query) == tables
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        record_query(Trail(book.journal, home), query, actor="cli:ada", run_id="run-1")
        entered = book.rows("select actor, action, object, run_id, details, outcome from events")
    assert len(entered) == bool(tables)
    for row in entered:
        digest = row["details"].pop("query")
        assert row == {
            "actor": "cli:ada", "action": "book.read", "object": "sql", "run_id": "run-1",
            "details": {"tables": tables}, "outcome": "granted",
        }  # fmt: skip
        assert digest.startswith("sha256:")
        assert query not in str(row)


def test_an_export_that_cannot_be_entered_leaves_no_file(tmp_path: Path) -> None:
    """The journal cannot be written: the table is not taken out."""
    home = tmp_path / "home"
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        assert book.export("calls", tmp_path / "first.csv", actor="cli:ada") == 0
        (row,) = book.rows("select action, actor, object, outcome, details from events")
        assert row == {
            "action": "book.exported", "actor": "cli:ada", "object": "calls", "outcome": "granted",
            "details": {"path": str(tmp_path / "first.csv"), "format": "csv", "rows": 0},
        }  # fmt: skip
        book.close()
        for path in (home / "journal").iterdir():
            if path.suffix == ".jsonl":
                path.unlink()
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        journal = Broken(home)
        book.__dict__["journal"] = journal
        with pytest.raises(JournalError):
            book.export("calls", tmp_path / "second.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "home"]


class Broken:
    """A journal on a disk without room."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def append(self, record: object) -> None:
        raise JournalError("no room")

    def close(self) -> None: ...
