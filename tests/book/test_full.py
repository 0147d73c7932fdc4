"""No room on the disk, as a limit on the size of files: the kernel cuts a write short, then refuses it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daybook.book import Book
from daybook.book.entry import decode


@pytest.mark.parametrize("limit", [4096, 5000, 5001])
def test_a_full_disk_loses_nothing_acknowledged(
    start: Callable[..., subprocess.Popen[str]], home: Path, limit: int
) -> None:
    """The error names the file and what to do; the part of a line that did fit is taken back; once there is room
    the next entry is written; the file holds exactly the acknowledged entries, each whole."""
    out, _ = start("fill", home, limit).communicate(timeout=60)
    lines = out.splitlines()
    full = [line for line in lines if line.startswith("FULL")]
    ids = [line for line in lines if not line.startswith(("FULL", "LIFTED"))]
    assert len(full) == 3
    assert all(line.startswith(f"FULL True The journal {home}/journal/") for line in full)
    assert all("File too large" in line or "No space left" in line for line in full)
    assert "Make room on that disk" in full[0]
    assert lines[-1] == "LIFTED None"
    (path,) = (home / "journal").glob("*.jsonl")
    assert [decode(line).id for line in path.read_bytes().splitlines()] == ids
    assert len(ids) > 5


def test_what_was_acknowledged_before_a_full_disk_is_drained(
    start: Callable[..., subprocess.Popen[str]], home: Path, book: Book
) -> None:
    """The writer of the test above is gone; every entry it acknowledged is in the book, once."""
    out, _ = start("fill", home, 5000).communicate(timeout=60)
    ids = [line for line in out.splitlines() if not line.startswith(("FULL", "LIFTED"))]
    assert [row["id"] for row in book.rows("select id from events order by id")] == sorted(ids)


def test_a_book_that_cannot_grow_keeps_its_journal(
    start: Callable[..., subprocess.Popen[str]], home: Path, duck: Book, make: Any
) -> None:
    """A drain for which the disk has no room fails with what to do; nothing is half moved, the journal is untouched,
    and once there is room all of it is drained, by the very process that had failed."""
    calls = [make.call(prompt="x" * 50_000) for _ in range(60)]
    for call in calls:
        duck.append(call)
    out, _ = start("drain_limited", duck.store.url, home, 600_000).communicate(timeout=60)
    failed, entries = out.splitlines()
    assert failed.startswith(f"BookUnreachable The book {home}/book.duckdb cannot be used")
    assert entries == "60 entries"
    assert [row["id"] for row in duck.rows("select id from calls order by id")] == sorted(call.id for call in calls)


def test_a_book_that_cannot_be_made_is_made_later(
    start: Callable[..., subprocess.Popen[str]], home: Path, duck: Book, make: Any
) -> None:
    """With no room for the first pages of a new book nothing of it stays behind; once there is room it is made, by the
    very process that had failed, and holds what was journaled."""
    call = make.call()
    duck.append(call)
    out, _ = start("drain_limited", duck.store.url, home, 6000).communicate(timeout=60)
    failed, entries = out.splitlines()
    assert failed.startswith(f"BookUnreachable The book {home}/book.duckdb cannot be used")
    assert entries == "1 entries"
    assert not list(home.glob(".book.duckdb-*"))
    assert [row["id"] for row in duck.rows("select id from calls")] == [call.id]
