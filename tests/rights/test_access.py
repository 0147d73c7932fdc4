"""What is held on a person is handed out whole, readable, and not before the trail has it."""

import json
import stat
from datetime import timedelta

import pytest

from daybook.audit.trail import Trail
from daybook.book import Book
from daybook.book.journal.journal import Journal
from daybook.errors import BadParameter, JournalFull, VaultUnusable
from daybook.rights import page
from daybook.rights.access import Access
from daybook.rights.places.book_rows import ERASED_CONTENT, MISSING_CONTENT
from daybook.vault import Vault
from tests.rights.conftest import ADA, ANSWERED, AT, BOS, SAID, call

WORDS = {"by": "dpo", "identity_check": "passport seen", "reason": "request of 3 March"}


def access(place):
    return Access(place.settings, place.book, place.vault, place.clock)


def test_everything_that_is_held_is_on_the_first_page(place):
    """Calls with what was said, answers kept, files with the person's lines, models, consents; nothing of others."""
    Trail(place.book.journal, place.settings.home, clock=place.clock, sealer=place.vault).record(
        "call.read", actor="eve", subject=place.ada, reason="complaint", personal={"e-mail": ADA}
    )
    document = access(place).page(ADA, **WORDS)
    assert document["identity_check"] == "passport seen"
    assert [c["answer"] for c in document["calls"]] == [ANSWERED] * 3
    assert all(SAID in c["prompt"] for c in document["calls"])
    assert document["calls"][0]["cost"] == "0.250000000000"
    assert [a["text"] for a in document["kept_answers"]] == [ANSWERED]
    assert [m["id"] for m in document["models_trained_on_it"]] == ["t:v1"]
    lines = {entry["file"].rsplit("/", 1)[1]: entry.get("lines") for entry in document["files"]}
    assert set(lines) == {"data.jsonl", "job.json", "traffic.ipynb", "index.html", "calls.csv", "calls.parquet"}
    assert [json.loads(line)[0] for line in lines["data.jsonl"]] == ["1"]
    assert len(lines["calls.csv"]) == 3
    (entry,) = document["trail"]
    assert (entry["actor"], entry["reason"], entry["personal"]) == ("eve", "complaint", {"e-mail": ADA})
    held = {(h["place"], h["what"]): h["count"] for h in document["held"]}
    assert held["book", "calls that name the person"] == 3
    assert held["files", "exports"] == 2
    assert document["next"] is None
    text = json.dumps(document)
    assert BOS not in text
    assert place.bo not in text.replace(json.dumps(lines["data.jsonl"]), "")


def test_pages_follow_each_other_without_gap_or_repeat(place):
    """Each has at most what was asked for, and the last says that it is."""
    for n in range(4):
        place.book.append(call(place.ada, f"Question {n}", "Answer", AT + timedelta(hours=n)))
    pages = list(access(place).pages(ADA, limit=3, **WORDS))
    assert [len(p["calls"]) for p in pages] == [3, 3, 1]
    ids = [c["id"] for p in pages for c in p["calls"]]
    assert ids == sorted(set(ids))
    assert len(ids) == 7
    assert ["held" in p for p in pages] == [True, False, False]
    assert [len(p["calls"]) for p in access(place).pages(ADA, limit=7, **WORDS)] == [7]


def test_each_page_is_in_the_trail_before_it_is_handed_out(place):
    """Who, whom by reference, why and how much; where it cannot be entered nothing is handed out."""
    access(place).page(ADA, **WORDS)
    (event,) = place.book.rows("select * from events where action = 'subject.exported'")
    assert (event["actor"], event["reason"]) == ("dpo", "request of 3 March")
    assert event["details"] == {"calls": 3, "first_page": True, "identity_check": "passport seen"}
    assert event["subject"].startswith("s-")

    class FullJournal(Journal):
        def append(self, record):
            raise JournalFull("The journal has no room.")

    full = Book(place.settings.book_url, place.settings.home, journal=FullJournal(place.settings.home))
    with pytest.raises(JournalFull):
        Access(place.settings, full, place.vault, place.clock).page(ADA, **WORDS)


def test_a_report_is_files_of_its_owners_alone(place, tmp_path):
    """access.json is one JSON document with all calls; each page links to the next; a folder in use is left alone."""
    for n in range(500):
        place.book.append(call(place.ada, f"Question {n}", "Answer"))
    folder = tmp_path / "ada"
    paths = access(place).write(ADA, folder, **WORDS)
    assert [path.name for path in paths] == ["access.json", "access-0001.html", "access-0002.html"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    document = json.loads(paths[0].read_text())
    assert len(document["calls"]) == 503
    assert document["held"]
    assert 'href="access-0002.html"' in paths[1].read_text()
    assert "href" not in paths[2].read_text()
    with pytest.raises(BadParameter, match="something in it"):
        access(place).write(ADA, folder, **WORDS)


def test_nobody_elses_page_is_empty(place):
    """Somebody of whom nothing is held gets a report that says so."""
    document = access(place).page("nobody@example.com", **WORDS)
    assert (document["held"], document["calls"], document["files"], document["next"]) == ([], [], [], None)
    assert "<p>Nothing.</p>" in page.render(document, number=1, following=None)


@pytest.mark.parametrize("limit", [0, 501, -1])
def test_a_page_has_its_bounds(place, limit):
    with pytest.raises(BadParameter):
        access(place).page(ADA, limit=limit, **WORDS)


def test_the_request_must_be_told(place):
    """Without who, how and why nothing is handed out."""
    for name in WORDS:
        with pytest.raises(BadParameter, match=name):
            access(place).page(ADA, **{**WORDS, name: " "})


def test_text_on_the_page_can_do_nothing():
    """Markup is text; characters that turn or hide what stands beside them are written out; a long text is cut, and
    that is said."""
    document = {
        "made_at": "2026-03-01T12:00", "subject": "s-1", "asked_by": "<b>", "identity_check": "x", "held": [],
        "consents": {"<i>": {"given": False}}, "restriction": None, "legal_hold": None, "models_trained_on_it": [],
        "files": [{"file": "<script>", "has": []}], "trail": [], "kept_answers": [],
        "calls": [
            {"time": "2026-03-01T12:00:00", "prompt": json.dumps([{"role": "user", "content": "<script>\u202ex"}]),
             "answer": "a" * 20_001},
            {"prompt": "not JSON", "answer": None},
        ],
        "next": None,
    }  # fmt: skip
    html = page.render(document, number=1, following='"><x>')
    assert "<script>" not in html
    assert '"><x>' not in html
    assert "&lt;U+202E&gt;x" in html
    assert "… 1 more characters are in access.json" in html
    assert "a" * 20_000 in html
    assert "a" * 20_001 not in html
    assert "not JSON" in html


def test_what_cannot_be_read_is_said(place):
    """A call whose key is destroyed, and one that was sealed in another home: each says why."""
    place.book.drain()
    elsewhere = Book(place.book.store.url, place.settings.home, vault=place.settings.home / "keys" / "other.sqlite")
    access = Access(place.settings, elsewhere, place.vault, place.clock)
    asked = {"by": "dpo", "identity_check": "passport", "reason": "request"}
    document = access.page(ADA, **asked)
    assert {call["content"] for call in document["calls"]} == {MISSING_CONTENT}
    held = {h["what"]: h["count"] for h in document["held"]}
    assert held["of them with what was said, sealed under a key that is not here"] == 3
    assert page.render(document, number=1, following=None).count(MISSING_CONTENT) == 3
    place.vault.destroy(place.ada)
    document = Access(place.settings, place.book, place.vault, place.clock).page(ADA, **asked)
    assert {call["content"] for call in document["calls"]} == {ERASED_CONTENT}
    assert not [call for call in document["calls"] if "prompt" in call or "answer" in call]
    assert page.render(document, number=1, following=None).count(ERASED_CONTENT) == 3


def test_only_a_destroyed_key_is_called_erased(place):
    """A field whose key this home has not got, and one whose bytes were changed, say so; a vault that cannot be used
    stops the report: what is in it may still be there."""
    Trail(place.book.journal, place.settings.home, clock=place.clock, sealer=place.vault).record(
        "call.read", actor="eve", subject=place.ada, personal={"e-mail": ADA}
    )
    assert _personal(place, place.vault) == {"e-mail": ADA}
    away = Vault(place.settings.home / "keys" / "away.sqlite")
    assert _personal(place, away) == MISSING_CONTENT
    assert _personal(place, Changed(place.settings.vault)) == (
        "what was sealed cannot be read: its bytes are not those that were sealed"
    )
    broken = place.settings.home / "keys" / "broken.sqlite"
    broken.write_bytes(b"no database" * 100)
    with pytest.raises(VaultUnusable):
        _personal(place, Vault(broken))
    place.vault.destroy(place.ada)
    assert _personal(place, place.vault) == "erased"


class Changed(Vault):
    """Opens what it is given with a bit of it turned."""

    def open(self, subject, sealed, *, context=b""):
        return super().open(subject, sealed[:-1] + bytes([sealed[-1] ^ 1]), context=context)


def _personal(place, vault):
    page_ = Access(place.settings, place.book, vault, place.clock).page(ADA, **WORDS)
    return next(entry["personal"] for entry in page_["trail"] if entry["action"] == "call.read")
