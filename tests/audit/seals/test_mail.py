"""Seals that are mailed to the auditor, by a real mail server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from daybook.audit.night import fix as fix_and_enter
from daybook.audit.seals import anchors, seals
from daybook.audit.seals.anchors import Anchoring
from daybook.audit.seals.mail import Auditor
from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import SettingsError
from daybook.records import Event
from daybook.settings import Settings
from tests.fakes.mail_server import MailServer

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Servers = dict[str, MailServer]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One that speaks TLS first, one that is asked for it, one without."""
    folder = tmp_path_factory.mktemp("mail")
    made = {tls: MailServer(folder / tls, tls=tls) for tls in ("first", "asked", "none")}  # type: ignore[arg-type]  # the three there are
    yield made
    for server in made.values():
        server.close()


@pytest.fixture
def book(home: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    """A book with one seal; the certificate of the server that is asked for TLS is trusted."""
    for server in servers.values():
        server.mails.clear()
        server.sent.clear()
        server.refuse, server.refused = None, set()
    monkeypatch.setenv("SSL_CERT_FILE", str(servers["asked"].roots))
    with Book(f"duckdb:///{home / 'book.duckdb'}", home, clock=FixedClock(NOW)) as opened:
        seal(opened, 1)
        yield opened


def seal(book: Book, number: int) -> None:
    book.clock.at = NOW + timedelta(minutes=number)  # type: ignore[attr-defined]  # a FixedClock
    book.append(Event(id=f"e{number}", at=book.clock.now(), actor="a", action="b"))
    seals.make(book, book.home / "reports", NOW.date(), actor="night")


def mail(book: Book, url: str, to: str = "auditor@example.org", sender: str | None = None) -> list[Anchoring]:
    auditor = Auditor.of(url, to, sender=sender)
    return list(anchors.fix(seals.load(book.home), tsa=None, webhook=None, auditor=auditor, clock=book.clock))


@pytest.mark.parametrize("tls", ["first", "asked"])
def test_a_seal_is_mailed_once_and_whole(
    book: Book, servers: Servers, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    """With TLS from the start or asked for: the seal's bytes, and its digest, head and signer in words; what was taken
    is not sent again, and when it was taken lies beside the seal."""
    server = servers[tls]
    monkeypatch.setenv("SSL_CERT_FILE", str(server.roots))
    assert mail(book, server.url, "auditor@example.org, second@example.org") == [Anchoring(1, "mail", None)]
    assert mail(book, server.url) == []
    (made,) = seals.load(book.home)
    given = orjson.loads(made.path.with_suffix(".mailed").read_bytes())
    assert (given["at"], len(given["to"])) == ("2026-11-20T12:01:00+00:00", 2)
    assert set(given["to"].values()) == {"2026-11-20T12:01:00+00:00"}
    (message,) = server.mails
    assert server.sent == [("me@example.org", ("auditor@example.org", "second@example.org"))]
    assert (message["from"], message["to"]) == ("me@example.org", "auditor@example.org, second@example.org")
    assert message["subject"] == "Daybook seal 1 of 2026-11-20"
    assert message["date"] == "Fri, 20 Nov 2026 12:01:00 +0000"
    assert message["message-id"] == f"<seal-1-{made.digest[7:39]}@daybook>"
    assert message["auto-submitted"] == "auto-generated"
    (attached,) = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("000001.json", "application/json")
    assert attached.get_payload(decode=True) == made.data
    body = message.get_body()
    assert body is not None
    chain = made.document["chain"]
    assert body.get_content().splitlines()[:4] == [
        "Seal 1 of 2026-11-20, up to 2026-11-20 12:01:00 UTC",
        f"digest  {made.digest}",
        f"chain   1 entries, up to 1: {chain['link']}",
        f"signer  {made.document['signer']}",
    ]


def test_a_relay_without_tls_is_used_where_that_is_said(book: Book, servers: Servers) -> None:
    """Without it nothing is sent; with tls=no it is, and the sender is of this machine or the one that is named."""
    server = servers["none"]
    assert mail(book, f"smtp://{server.host}") == [Anchoring(1, "mail", "it offers no TLS")]
    assert mail(book, server.url) == [Anchoring(1, "mail", "it offers no TLS")]
    assert server.mails == []
    assert mail(book, f"smtp://{server.host}/?tls=no") == [Anchoring(1, "mail", None)]
    assert server.sent[0][0].startswith("daybook@")
    seal(book, 2)
    assert mail(book, f"smtp://{server.host}?tls=no", sender="book@example.org") == [Anchoring(2, "mail", None)]
    assert server.sent[1][0] == "book@example.org"


def test_one_that_is_refused_is_tried_again_with_the_next(book: Book, servers: Servers) -> None:
    """Nothing is lost and nothing raised; what the server wrote, which may hold anything, is not repeated. Where it
    turns a seal down, or a recipient, the same is not tried again in that night."""
    server = servers["asked"]
    seal(book, 2)
    server.refuse = "554 s3cret"
    assert mail(book, server.url) == [Anchoring(1, "mail", "it answered 554")]
    wrong = server.url.replace("pass", "s3cret")
    assert mail(book, wrong) == [Anchoring(1, "mail", "it answered 535")]
    server.refuse, server.refused = None, {"auditor@example.org", "third@example.org"}
    assert mail(book, server.url) == [Anchoring(1, "mail", "it answered 550 to 1 of 1 recipients")]
    assert server.mails == []
    assert mail(book, f"smtp://{server.host}")[0] == Anchoring(1, "mail", "it answered 530")
    server.refused = set()
    assert mail(book, server.url) == [Anchoring(1, "mail", None), Anchoring(2, "mail", None)]


def test_who_was_reached_gets_no_seal_twice_beside_one_who_cannot_be(book: Book, servers: Servers) -> None:
    """Three recipients, two of whom are refused on each of three nights: the one who is there has each seal once, and
    the two are tried once a night; when they can be reached they get what they lack, alone. A note of an earlier
    version, which says nothing of whom, is for everybody."""
    server = servers["none"]
    url, three = f"smtp://{server.host}?tls=no", "Good@example.org, gone@example.org, away@example.org"
    server.refused = {"gone@example.org", "away@example.org"}
    first = Anchoring(1, "mail", "it answered 550 to 2 of 3 recipients")
    refused = "it answered 550 to 2 of 2 recipients"
    later = "2 of 3 recipients were refused before in this night: they are tried again in the next"
    assert mail(book, url, three) == [first]
    for number in (2, 3):
        seal(book, number)
        assert mail(book, url, three) == [Anchoring(1, "mail", refused), Anchoring(number, "mail", later)]
    assert [to for _, to in server.sent] == [("Good@example.org",)] * 3
    assert [str(message["subject"]).split()[2] for message in server.mails] == ["1", "2", "3"]
    server.refused = {"away@example.org"}
    half = "1 of 2 recipients were refused before in this night: they are tried again in the next"
    assert mail(book, url, three) == [
        Anchoring(1, "mail", "it answered 550 to 1 of 2 recipients"), Anchoring(2, "mail", half),
        Anchoring(3, "mail", half),
    ]  # fmt: skip
    assert [to for _, to in server.sent[3:]] == [("gone@example.org",)] * 3
    assert mail(book, url, "good@example.org,gone@example.org") == []
    server.refused = set()
    assert [anchoring.error for anchoring in mail(book, url, three)] == [None] * 3
    assert mail(book, url, three) == []
    made = seals.load(book.home)[0].path.with_suffix(".mailed")
    made.chmod(0o600)
    made.write_text('{"at": "2026-11-20T12:01:00+00:00"}')
    assert mail(book, url, "new@example.org")[0].seal == 2


def test_where_nobody_answers_the_others_are_not_tried(
    book: Book, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such machine, no TLS where it is expected, a certificate that nobody trusts: a reason without the address, and
    the night does not wait as often as there are seals."""
    seal(book, 2)
    first, asked = servers["first"], servers["asked"]
    assert mail(book, "smtp://127.0.0.1:9") == [Anchoring(1, "mail", "ConnectionRefusedError")]
    assert mail(book, f"smtps://{asked.host}") == [Anchoring(1, "mail", "SSLError")]
    for server in (first, asked):
        monkeypatch.setenv("SSL_CERT_FILE", str(servers["none"].roots))
        assert mail(book, server.url) == [Anchoring(1, "mail", "SSLCertVerificationError")]
    assert first.mails == asked.mails == []


@pytest.mark.parametrize(
    "url",
    [
        "smtp://", "smtps://:25", "smtp://host:port", "smtp://me:s3cret@host:99999", "http://host", "smtp://host/path",
        "smtp://host?tls=yes", "smtp://host?from=x", "smtps://host?tls=no", "smtp://me:s3cret@host?tls=no",
        "smtp://[s3cret", "smtp://host#s3cret", "smtp://me:s3cret#x@host",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_meant_is_refused(url: str) -> None:
    """With the reason and no part of it."""
    with pytest.raises(SettingsError, match="DAYBOOK_SMTP cannot be used") as refused:
        Auditor.of(url, "auditor@example.org", sender=None)
    assert "s3cret" not in f"{refused.value} {refused.value.remedy}"


def test_ports_and_names_are_read_from_the_address() -> None:
    """The usual ports where none is named; the user where it is an address is the sender; nothing secret is shown."""
    for url, host, port, first in (
        ("smtp://mail.example.org", "mail.example.org", 587, False),
        ("smtps://me%40example.org:s3cret@mail.example.org", "mail.example.org", 465, True),
        ("smtp://me:s3cret@[::1]:2525/", "::1", 2525, False),
    ):
        auditor = Auditor.of(url, "a@example.org", sender="from@example.org" if "me:" in url else None)
        assert (auditor.host, auditor.port, auditor.tls_first, auditor.plain) == (host, port, first, False)
        assert "s3cret" not in repr(auditor)
        if "me:" in url:
            assert (auditor.sender, auditor.user, auditor.password) == ("from@example.org", "me", "s3cret")
        elif first:
            assert (auditor.sender, auditor.user) == ("me@example.org", "me@example.org")
        else:
            assert auditor.user is None


def test_the_night_mails_and_enters_it(book: Book, servers: Servers, tmp_path: Path) -> None:
    """As the environment says; the trail has what came of it."""
    server = servers["asked"]
    env = {
        "DAYBOOK_HOME": str(book.home),
        "DAYBOOK_SMTP": server.url,
        "DAYBOOK_SEAL_MAIL": "auditor@example.org",
        "DAYBOOK_MAIL_FROM": "book@example.org",
    }
    assert fix_and_enter(book, Settings.from_env(env, cwd=tmp_path), actor="night") == [Anchoring(1, "mail", None)]
    assert server.sent == [("book@example.org", ("auditor@example.org",))]
    (row,) = book.rows("select actor, outcome, details from events where action = 'trail.anchored'")
    assert (row["actor"], row["outcome"]) == ("night", "done")
    assert row["details"] == {"seal": 1, "by": "mail", "error": None}
