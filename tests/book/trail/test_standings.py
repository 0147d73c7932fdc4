"""How persons stand, beside what the trail says: in both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daybook.audit.trail import Trail
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.trail.names import reference
from daybook.book.trail.standings import differences
from daybook.clock import FixedClock
from daybook.errors import GateNotMet
from daybook.pii.pseudonyms import Pseudonyms
from daybook.records import Event
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.standing import Standings
from daybook.settings import Settings
from daybook.vault import Vault

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA, BO = "ada@example.com", "bo@example.com"
ALL = ("consent to evaluation", "consent to training", "corrections", "hold", "restriction")


@pytest.fixture
def book(tmp_path: Path, book_url: str) -> Iterator[Book]:
    with Book(book_url, tmp_path / "home", clock=FixedClock(AT)) as opened:
        yield opened


def enter(book: Book, who: str = ADA) -> str:
    """Everything that can be said of a person; returns the pseudonym."""
    change = Standings(book, Trail(book.journal, book.home, clock=book.clock), book.clock)
    change.hold(who, reason="case 12", by="dpo")
    change.restrict(who, reason="disputed", by="dpo")
    change.consent(who, "training", given=False, source="mail", by="dpo")
    change.consent(who, "evaluation", given=True, source="form", by="dpo")
    change.rectify(who, statement="I am no baker.", by="dpo")
    return Pseudonyms(book.home / "pseudonyms.key").of(who)


def edit(book: Book, statement: str) -> None:
    book.drain()
    with book.store.writing() as writer, writer.transaction():
        writer.execute(statement)


def edit_details(book: Book, subject: str, **changes: object) -> None:
    (row,) = book.rows("select details from subjects where id = :id", {"id": subject})
    edit(book, f"update subjects set details = '{json.dumps(row['details'] | changes)}' where id = '{subject}'")


def test_every_edit_of_a_persons_entry_is_found(book: Book) -> None:
    """What was taken out, put in, given other words or turned around, and the whole entry gone: each by name; as it
    was, nothing differs. Verifying says so, without the reason's words."""
    ada = enter(book)
    (row,) = book.rows("select details from subjects")
    assert differences(book) == []
    verdict = verify(book, book.home / "reports")
    assert (verdict.problems, verdict.state) == ([], "proven")
    consents = row["details"]["consents"]
    given = {**consents, "training": {**consents["training"], "given": True}}
    other = {**consents, "evaluation": {**consents["evaluation"], "source": "hearsay"}}
    for changes, what in (
        ({"hold": None}, ("hold",)),
        ({"hold": {"reason": "case 13"}}, ("hold",)),
        ({"hold": "yes", "restriction": None}, ("hold", "restriction")),
        ({"consents": given}, ("consent to training",)),
        ({"consents": other}, ("consent to evaluation",)),
        ({"consents": {**consents, "analytics": consents["evaluation"]}}, ("consent to analytics",)),
        ({"consents": "all"}, ("consent to evaluation", "consent to training")),
        ({"corrections": []}, ("corrections",)),
    ):
        edit_details(book, ada, **(row["details"] | changes))
        (found,) = differences(book)
        assert (found.reference, found.what, found.certain) == (reference(book.home, ada), what, True)
    for statement in ("update subjects set details = '{}'", "delete from subjects"):
        edit(book, statement)
        (problem,) = verify(book, book.home / "reports").problems[:1]
        assert (problem.kind, problem.where) == ("changed", f"the entry of {reference(book.home, ada)}")
        assert problem.words == f"the book and the trail differ on: {', '.join(ALL)}"


def test_one_whom_nobody_said_anything_of_cannot_be_put_on_hold(book: Book) -> None:
    """A hold in a row without any entry."""
    enter(book, BO)
    edit(book, "update subjects set id = 'u-nobody'")
    assert [found.what for found in differences(book)] == [ALL, ALL]
    assert [found.what for found in differences(book, "u-nobody")] == [ALL]
    assert differences(book, "u-somebody") == []


def test_what_another_home_entered_is_not_taken_for_an_edit(book: Book, tmp_path: Path) -> None:
    """It names persons otherwise: that it cannot be compared is said, and nothing is called changed."""
    enter(book)
    book.drain()
    with Book(book.store.url, tmp_path / "other", clock=FixedClock(AT)) as other:  # type: ignore[attr-defined]  # both stores have one
        enter(other, BO)
        other.drain()
    found = differences(book)
    assert ({difference.certain for difference in found}, len(found)) == ({False}, 2)
    verdict = verify(book, book.home / "reports")
    assert not [problem for problem in verdict.problems if problem.where.startswith("the entry of")]
    assert verdict.unchecked["what another home may have entered about a person is not compared with their row"] == 2


def test_nobody_is_erased_whose_hold_was_edited_away(book: Book) -> None:
    """Refused, with what differs and what to do, and entered; entered anew and ended, the person is erased, and
    nothing differs then, nor while an erasure is between its steps."""
    settings = Settings.from_env(
        {"DAYBOOK_HOME": str(book.home), "DAYBOOK_REPORTS": str(book.home / "reports")}, cwd=book.home
    )
    vault = Vault(settings.vault, clock=book.clock)
    erasures = Erasures(settings, book, vault, book.clock)
    ada = enter(book)
    asked = {"by": "dpo", "identity_check": "passport", "reason": "letter"}
    edit(book, "update subjects set details = '{}'")
    with pytest.raises(GateNotMet, match=r"not what the trail says was entered: consent to evaluation, .*, hold"):
        erasures.execute(ADA, **asked)
    (refusal,) = book.rows("select outcome, details from events where action = 'subject.erasure_refused'")
    assert refusal["outcome"] == "refused"
    assert refusal["details"]["differs"] == [name for name in ALL if name != "corrections"]
    change = Standings(book, Trail(book.journal, book.home, clock=book.clock), book.clock)
    for purpose in ("training", "evaluation"):
        change.consent(ADA, purpose, given=False, source="mail", by="dpo")
    change.restrict(ADA, reason="disputed", by="dpo")
    change.hold(ADA, reason="case 12", by="dpo")
    change.release(ADA, reason="settled", by="dpo")
    assert [found.what for found in differences(book)] == [("corrections",)]
    assert erasures.execute(ADA, **asked).status == "erased"
    assert differences(book) == []
    began = Event(id="e", at=AT, actor="dpo", action="subject.erasing", subject=reference(book.home, ada))
    change.hold(ADA, reason="case 14", by="dpo")
    book.append(began)
    assert differences(book) == []
    edit(book, "delete from subjects")
    assert differences(book) == []
    vault.close()
