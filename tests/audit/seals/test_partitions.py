"""Lists that are joined in parts: nothing is lost, and what belongs together is in one part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daybook.audit.seals import seals
from daybook.audit.seals.partitions import Partitions, parts_for
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.clock import FixedClock
from daybook.records import Call, Event


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_each_entry_is_in_one_part_with_those_of_its_key(tmp_path: Path, parts: int) -> None:
    """Thousands of them, in the order in which they were added; keys may hold blanks, and the rest may be empty.
    No file has a name in the folder, and read again it is the same."""
    entries = [(b'"id %d"' % (number % 500), b"%d" % number if number % 3 else b"") for number in range(30_000)]
    with Partitions(tmp_path, parts) as partitions:
        for key, rest in entries:
            partitions.add(key, rest)
        read = [list(partitions.part(part)) for part in range(parts)]
        assert read == [list(partitions.part(part)) for part in range(parts)]
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="closed"):
        partitions.add(b"x", b"")
    assert sorted(entry for part in read for entry in part) == sorted(entries)
    for part in read:
        keys = {key for key, _ in part}
        assert keys
        assert part == [entry for entry in entries if entry[0] in keys]


def test_a_long_part_is_on_the_disk_and_a_short_one_is_not(tmp_path: Path) -> None:
    """Up to a megabyte is kept in memory; with a byte more the part has a file."""
    opened = _open_files()
    with Partitions(tmp_path, 1) as partitions:
        for _ in range(1 << 10):
            partitions.add(b"k" * 512, b"r" * 510)
        assert _open_files() == opened
        partitions.add(b"", b"")
        assert _open_files() == opened + 1
        assert len(list(partitions.part(0))) == (1 << 10) + 1
    assert _open_files() == opened


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_part_has_about_as_many_rows_whatever_there_is() -> None:
    """Never one part, and one more for each hundred thousand rows."""
    assert [parts_for(rows) for rows in (0, 99_999, 100_000, 1_000_000)] == [3, 3, 4, 13]


def test_a_home_whose_first_seal_has_no_rows_seals_those_that_come(home: Path) -> None:
    """Only an entry at first: sealed and verified; then a call of before that seal, which is late, and its own seal."""
    clock = FixedClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    with Book(f"duckdb:///{home / 'book.duckdb'}", home, clock=clock) as book:
        book.append(Event(id="e1", at=clock.now(), actor="a", action="b"))
        seals.make(book, home / "reports", clock.now().date(), actor="night")
        assert verify(book, home / "reports").state == "proven"
        at = clock.at - timedelta(hours=1)
        book.append(Call(id="c1", request_id="r", at=at, endpoint="library", requested_model="m", status="ok"))
        assert verify(book, home / "reports").late == {"calls": 1}
        clock.at += timedelta(minutes=1)
        seal = seals.make(book, home / "reports", clock.now().date(), actor="night")
        assert seal.document["tables"]["calls"]["rows"] == 1
        assert (verify(book, home / "reports").state, verify(book, home / "reports").rows["calls"]) == ("proven", 1)
