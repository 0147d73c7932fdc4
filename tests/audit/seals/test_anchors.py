"""Seals that are fixed outside the machine: by a real time-stamp authority, and by sending them away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daybook.audit import signing
from daybook.audit.seals import anchors, seals
from daybook.audit.seals.anchors import Anchoring
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import SettingsError
from daybook.records import Event
from tests.fakes.timestamp_authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    authority = Authority(tmp_path_factory.mktemp("tsa") / "here")
    yield authority
    authority.close()


@pytest.fixture
def book(home: Path, authority: Authority) -> Iterator[Book]:
    """A book with one seal of now."""
    authority.broken = None
    authority.received.clear()
    clock = FixedClock(datetime.now(UTC))
    with Book(f"duckdb:///{home / 'book.duckdb'}", home, clock=clock) as opened:
        opened.append(Event(id="e1", at=clock.now(), actor="a", action="b"))
        seals.make(opened, home / "reports", clock.now().date(), actor="night")
        yield opened


def fix(book: Book, tsa: str | None, webhook: str | None = None) -> list[Anchoring]:
    return list(anchors.fix(seals.load(book.home), tsa=tsa, webhook=webhook, auditor=None, clock=book.clock))


def test_a_seal_that_was_time_stamped_is_proven_to_be_of_its_day(book: Book, authority: Authority) -> None:
    """The authority's answer, checked with its root: proven, and counted. Without the root it cannot be told."""
    assert fix(book, authority.url) == [Anchoring(1, "time-stamp", None)]
    (seal,) = seals.load(book.home)
    stamped = anchors.read_stamp(book.home, seal)
    assert stamped is not None
    assert (stamped.state, stamped.words) == ("cannot tell", "there is no tsa.pem to check its time-stamp with")
    assert verify(book, book.home / "reports").state == "cannot tell"
    (book.home / "audit" / "tsa.pem").write_bytes(authority.roots)
    stamped = anchors.read_stamp(book.home, seal)
    assert stamped is not None
    assert stamped.state == "proven"
    assert stamped.at is not None
    assert abs(stamped.at - datetime.now(UTC)) < timedelta(minutes=2)
    verdict = verify(book, book.home / "reports")
    assert (verdict.state, verdict.stamped, verdict.seals) == ("proven", 1, 1)
    assert fix(book, authority.url) == []


def test_a_time_stamp_of_another_seal_or_of_nobody_is_found(book: Book, authority: Authority) -> None:
    """The answer about other bytes, one whose bytes were changed, one that is none, and one of another authority."""
    fix(book, authority.url)
    (book.home / "audit" / "tsa.pem").write_bytes(authority.roots)
    (seal,) = seals.load(book.home)
    path = seal.path.with_suffix(".tsr")
    whole = path.read_bytes()
    path.chmod(0o600)
    other = seals.Seal(seal.path, seal.data + b" ", seal.document)
    assert anchors.read_stamp(book.home, other) == anchors.Stamped(
        "changed", "its time-stamp is of other bytes", anchors.read_stamp(book.home, seal).at  # type: ignore[union-attr]  # there is one
    )  # fmt: skip
    for changed in (b"", b"x", whole[:-1], whole[:-20] + bytes(20)):
        path.write_bytes(changed)
        found = [(p.kind, p.where) for p in verify(book, book.home / "reports").problems]
        assert found == [("forged", "seal 1")], changed[:10]
    path.write_bytes(whole)
    stranger = Authority(book.home.parent / "stranger")
    stranger.close()
    (book.home / "audit" / "tsa.pem").write_bytes(stranger.roots)
    assert "not the authority's" in verify(book, book.home / "reports").problems[0].words
    (book.home / "audit" / "tsa.pem").write_bytes(b"no certificate")
    with pytest.raises(SettingsError, match="holds no certificates"):
        verify(book, book.home / "reports")


def test_a_seal_said_to_be_made_after_its_time_stamp_is_found(book: Book, authority: Authority) -> None:
    """A seal cannot have been time-stamped before it was made: five minutes are for the clocks."""
    (book.home / "audit" / "tsa.pem").write_bytes(authority.roots)
    for minutes, problems in ((4, 0), (7, 1)):
        book.clock.at = datetime.now(UTC) + timedelta(minutes=minutes)  # type: ignore[attr-defined]  # a FixedClock
        seals.make(book, book.home / "reports", book.clock.now().date(), actor="night")
        fix(book, authority.url)
        found = [p.words for p in verify(book, book.home / "reports").problems if "earlier than" in p.words]
        assert len(found) == problems


@pytest.mark.parametrize(("hours", "stamped"), [(47.9, 1), (48.1, 0), (240.1, 0)])
def test_a_time_stamp_that_came_days_later_is_said(
    book: Book, authority: Authority, hours: float, stamped: int
) -> None:
    """Within two days of the seal it proves the seal's day; later, the seal may have been made anew in between."""
    (book.home / "audit" / "tsa.pem").write_bytes(authority.roots)
    fix(book, authority.url)
    (seal,) = seals.load(book.home)
    unsigned = {name: value for name, value in seal.document.items() if name not in ("signer", "signature")}
    unsigned["sealed_at"] = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    seal.path.chmod(0o600)
    seal.path.write_bytes(json.dumps(signing.sign(book.home, unsigned)).encode())
    seal.path.with_suffix(".tsr").unlink()
    fix(book, authority.url)
    verdict = verify(book, book.home / "reports")
    assert verdict.stamped == stamped
    words = f"seal 1 was time-stamped {int(hours / 24)} days later: it may have been made anew until then"
    assert verdict.unchecked == ({} if stamped else {words: 1})


def test_a_seal_is_sent_once_and_whole(book: Book, authority: Authority) -> None:
    """The webhook gets the seal's bytes and digest; what it took is not sent again."""
    assert fix(book, None, authority.webhook) == [Anchoring(1, "webhook", None)]
    assert fix(book, None, authority.webhook) == []
    (seal,) = seals.load(book.home)
    (body,) = authority.received
    assert json.loads(body) == {
        "digest": seal.digest, "number": 1, "day": seal.document["day"], "seal": seal.data.decode()
    }  # fmt: skip


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_one_that_does_not_answer_is_tried_again_with_the_next(book: Book, authority: Authority, status: int) -> None:
    """Nothing is lost and nothing raised: the reason is returned, and the next night fixes both seals."""
    authority.broken = status
    assert fix(book, authority.url, authority.webhook) == [
        Anchoring(1, "time-stamp", f"it answered {status}"), Anchoring(1, "webhook", f"it answered {status}")
    ]  # fmt: skip
    authority.broken = None
    book.clock.at += timedelta(seconds=1)  # type: ignore[attr-defined]  # a FixedClock
    book.append(Event(id="e2", at=book.clock.now(), actor="a", action="b"))
    seals.make(book, book.home / "reports", book.clock.now().date(), actor="night")
    assert [(a.seal, a.by, a.error) for a in fix(book, authority.url)] == [
        (1, "time-stamp", None), (2, "time-stamp", None)
    ]  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(book: Book, authority: Authority, status: int) -> None:
    """It would be followed with a GET without the seal: that is no sending, and is tried again."""
    authority.broken, authority.gets = status, 0
    assert fix(book, authority.url, authority.webhook) == [
        Anchoring(1, "time-stamp", f"it answered {status}"), Anchoring(1, "webhook", f"it answered {status}")
    ]  # fmt: skip
    assert authority.gets == 0
    authority.broken = None
    assert fix(book, None, authority.webhook) == [Anchoring(1, "webhook", None)]


def test_addresses_that_cannot_be_asked_are_said(book: Book, authority: Authority) -> None:
    """No such machine, no such scheme, no address, no answer of HTTP: a reason without the address, which may hold a
    token, and no file beside the seal."""
    for url, words in (
        ("http://127.0.0.1:9/t0ken", "ConnectionRefusedError"),
        ("file:///etc/t0ken", "it is no http address"),
        ("ftp://t0ken/", "it is no http address"),
        ("t0ken", "it is no http address"),
        ("http://127.0.0.1:t0ken/x", "InvalidURL"),
        ("http://me:t0ken@127.0.0.1:port/", "InvalidURL"),
        ("http://127.0.0.1/t0ken x", "InvalidURL"),
        ("http://[t0ken/", "ValueError"),
    ):
        assert fix(book, url, url) == [Anchoring(1, "time-stamp", words), Anchoring(1, "webhook", words)], url
    authority.broken = 0
    assert [tried.error for tried in fix(book, authority.url, authority.webhook)] == ["BadStatusLine"] * 2
    assert [path.suffix for path in seals.folder(book.home).iterdir() if path.suffix in (".tsr", ".sent")] == []
