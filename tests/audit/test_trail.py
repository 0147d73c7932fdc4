"""What is entered before a deed, and what becomes of the deed where it cannot be entered."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.journal.journal import Journal
from daybook.book.trail.names import reference
from daybook.clock import FixedClock
from daybook.errors import BadParameter, JournalError, SettingsError
from daybook.pii.pseudonyms import Pseudonyms

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Reversing:
    """Stands for the vault: what it seals is the subject and the data backwards."""

    def seal(self, subject: str, data: bytes, *, context: bytes = b"") -> bytes:
        assert len(context) == len(b"event:") + 32
        return subject.encode() + b":" + data[::-1]


def test_an_entry_has_every_field_in_both_databases(book_url: str, home: Path) -> None:
    """What `record` was told is in the book's row, the person as a reference and personal fields encrypted."""
    with Book(book_url, home) as book:
        trail = Trail(
            book.journal, home, clock=FixedClock(NOON), sealer=Reversing(), address="10.0.0.7", client="curl/8"
        )
        event = trail.record(
            "subject.exported",
            actor="dpo",
            object="calls",
            subject="ada@example.org",
            reason="her request",
            request_id="r-1",
            run_id="run-1",
            details={"calls": 12},
            personal={"name": "Ada"},
        )
        (row,) = book.rows("select * from events")
    pseudonym = Pseudonyms(home / "pseudonyms.key").of("ada@example.org")
    assert reference(home, pseudonym) == reference(home, "ada@example.org")
    assert row == {
        "id": event.id,
        "time": NOON,
        "actor": "dpo",
        "action": "subject.exported",
        "object": "calls",
        "request_id": "r-1",
        "run_id": "run-1",
        "details": {"calls": 12},
        "subject": reference(home, "ada@example.org"),
        "reason": "her request",
        "address": "10.0.0.7",
        "client": "curl/8",
        "outcome": "granted",
        "sealed": base64.b64encode(pseudonym.encode() + b":" + b'{"name":"Ada"}'[::-1]).decode(),
    }


def test_what_comes_from_elsewhere_is_said_by_the_entry(home: Path) -> None:
    """An address, a client and an outcome of the entry itself win over those of the trail."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        trail = Trail(book.journal, home, address="10.0.0.7", client="curl/8")
        event = trail.record("x", actor="a", address="::1", client="python", outcome="refused")
        assert (event.address, event.client, event.outcome) == ("::1", "python", "refused")
        assert (event.subject, event.sealed, event.details) == (None, None, {})


def test_an_entry_is_on_the_disk_when_it_returns(home: Path) -> None:
    """Nothing that `record` acknowledged waits to be synced."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        Trail(book.journal, home).record("x", actor="a")
        assert (book.journal.state().entries, book.journal.state().unsynced) == (1, 0)


def test_where_no_entry_can_be_written_the_deed_is_refused(home: Path) -> None:
    """A journal that has no folder to write to: `record` raises."""
    home.mkdir(parents=True)
    (home / "journal").write_text("a file where the folder should be")
    with pytest.raises(JournalError, match="cannot be written"):
        Trail(Journal(home), home).record("subject.exported", actor="dpo")


def test_personal_fields_need_a_key(home: Path) -> None:
    """Without a subject or a vault nothing personal is written, in the clear least of all."""
    journal = Journal(home)
    with pytest.raises(BadParameter, match="1 personal fields have no subject"):
        Trail(journal, home, sealer=Reversing()).record("x", actor="a", personal={"name": "Ada"})
    with pytest.raises(BadParameter, match="2 personal fields have no vault"):
        Trail(journal, home).record("x", actor="a", subject="ada", personal={"name": "Ada", "town": "London"})
    assert journal.state().entries == 0


def test_a_reference_is_one_home_s(tmp_path: Path) -> None:
    """One person has one reference in a home and another in the next; two persons never share one."""
    first, second = tmp_path / "first", tmp_path / "second"
    assert reference(first, "ada") == reference(first, "ada") != reference(second, "ada")
    assert reference(first, "ada") != reference(first, "Ada")
    assert (first / "audit" / "subjects.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33, "é"])
def test_a_key_that_was_damaged_is_not_replaced(home: Path, content: str) -> None:
    """A key file that holds anything but 32 bytes is named, and stays as it is."""
    (home / "audit").mkdir(parents=True)
    (home / "audit" / "subjects.key").write_text(content)
    with pytest.raises(SettingsError, match=r"subjects\.key of the trail cannot be used"):
        reference(home, "ada")
    assert (home / "audit" / "subjects.key").read_text() == content
