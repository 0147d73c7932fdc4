"""Another key: all that was said opens, nothing opens with the key before, and an erasure ends both."""

import base64
import contextlib
import shutil
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from daybook.audit.seals import seals
from daybook.audit.trail import Trail
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.content import is_sealed
from daybook.cli import main
from daybook.errors import BadParameter, GateNotMet, KeyDestroyed
from daybook.inference import feedback
from daybook.rights.backups import backup
from daybook.rights.backups.restore import restore
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.rotation import Rotation, rotate
from daybook.rights.turns import turn
from daybook.vault import Vault
from tests.rights.conftest import ADA, AT, BO, BOS, SAID, WORDS, call

DAY = "day:2026-03-01"


def turned(place, owner):
    return rotate(place.settings, place.book, place.vault, owner, by="cli:x", reason="a copy was lost")


def opened_by(vault, book):
    """Which calls with something said the vault of a copy opens, by whose they are."""
    from daybook.book.content import open_rows

    rows = [row for row in book.rows("select id, subject, prompt from calls") if is_sealed(row["prompt"])]
    return {row["subject"] for row in open_rows(vault, rows).rows if row["prompt"] is not None}


def test_all_that_was_said_opens_and_nothing_with_the_key_before(place, tmp_path):
    """A person's and a day's: the book's words are the same, a copy of the keys of before opens the others' alone, the
    key of before is in no file, and the trail has both and accounts for what changed."""
    place.book.append(call(None, BOS, "Nobody's."))
    place.book.append(call(None, BOS, "Nobody's, of another day.", place.clock.now() - timedelta(days=1)))
    before = place.calls()
    stolen = tmp_path / "stolen.sqlite"
    place.vault.copy(stolen)
    with contextlib.closing(sqlite3.connect(stolen)) as file:
        there = dict(file.execute("select subject, key from keys"))
    backup.make(place.settings, place.book, place.vault, tmp_path / "b", keys=tmp_path / "k", clock=place.clock)
    assert turned(place, place.ada) == Rotation(calls=3, entries=0)
    assert turned(place, DAY) == Rotation(calls=1, entries=0)
    assert place.calls() == before
    assert opened_by(Vault(stolen), place.book) == {place.bo, None}
    assert opened_by(place.vault, place.book) == {place.ada, place.bo, None}
    state = place.vault.state(place.ada)
    assert (state.state, state.generation, state.rotations, state.renewed) == ("kept", 2, 1, False)
    assert place.vault.states()[place.ada] == state
    assert state.made_at == Vault(stolen).state(place.ada).made_at
    data = place.settings.vault.read_bytes()
    assert [there[owner] in data for owner in (place.ada, DAY, place.bo)] == [False, False, True]
    query = "select action, object, details from events where action like 'content_key.rotat%' order by time, id"
    entries = [tuple(row.values()) for row in place.book.rows(query)]
    assert [entry[1:] for entry in entries if entry[0] == "content_key.rotated"] == [
        (None, {"calls": 3, "entries": 0}), (DAY, {"calls": 1, "entries": 0}),
    ]  # fmt: skip
    assert [entry[2]["changed_rows"] for entry in entries if entry[0] == "content_key.rotating" and entry[2]] == [
        {"calls": {"personal": 3}}, {"calls": {"personal": 1}},
    ]  # fmt: skip
    assert verify(place.book, place.settings.reports).problems == []
    assert Vault(tmp_path / "k" / "subjects.sqlite").state(place.ada).generation == 1
    place.book.append(call(place.ada, "Once more, about Linden Row.", "Yes."))
    assert turned(place, place.ada) == Rotation(calls=4, entries=0)
    assert Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS).status == "erased"


def test_entries_of_the_trail_keep_the_key_of_before_under_the_new_one(place):
    """They are chained: not a byte of them changes, and they open after two rotations, until the person is erased."""
    trail = Trail(place.book.journal, place.settings.home, clock=place.clock, sealer=place.vault)
    trail.record("call.read", actor="eve", subject=place.ada, personal={"name": "Ada"})
    place.book.append(call(None, BOS, "Nobody's."))
    (id_,) = [row["id"] for row in place.calls() if row["answer"] == "Nobody's."]
    feedback.give(place.book, id_, good=False, correction="On the left.", consent=True, actor="x", clock=place.clock)
    (row,) = place.book.rows("select id, sealed from events where action = 'call.read'")

    def personal():
        return place.vault.open(place.ada, base64.b64decode(row["sealed"]), context=b"event:" + row["id"].encode())

    assert turned(place, DAY) == Rotation(calls=1, entries=1)
    for _ in range(2):
        assert turned(place, place.ada) == Rotation(calls=3, entries=1)
        assert personal() == b'{"name":"Ada"}'
    assert place.book.rows("select id, sealed from events where action = 'call.read'") == [row]
    rows = feedback.liked(place.book, days=7, now=place.clock.now()).data.rows
    assert [row.reference for row in rows] == ["On the left."]
    assert list(place.vault.heads(place.ada)) == [1, 2, 3]
    copy = place.settings.vault.with_name("copy.sqlite")
    place.vault.copy(copy)
    merged = Vault(place.settings.vault.with_name("merged.sqlite"))
    merged.merge(copy)
    assert merged.heads(place.ada) == place.vault.heads(place.ada)
    assert merged.state(place.ada) == place.vault.state(place.ada)
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    with pytest.raises(KeyDestroyed):
        personal()
    place.vault.renew(place.ada)
    with pytest.raises(KeyDestroyed):
        personal()
    assert place.vault.state(place.ada).renewed
    assert place.vault.heads(place.bo) == {1: place.vault.heads(place.bo)[1]}


@pytest.mark.parametrize("book_url", ["duckdb"], indirect=True)
def test_one_that_was_cut_off_is_given_again(place):
    """The vault has another key, and no call is sealed anew: everything opens meanwhile, and the next one ends it."""
    before = place.calls()
    place.vault.rotate(place.ada)
    assert place.calls() == before
    assert turned(place, place.ada) == Rotation(calls=3, entries=0)
    assert place.calls() == before
    assert list(place.vault.heads(place.ada)) == [3]


def test_a_backup_of_before_is_read_in_its_own_home_and_sealed_anew(place, made, empty):
    """The book is lost; the home and its keys are not. With the keys that were backed up, all that was said is read
    again and stands under the keys of now; who was erased since stays erased; the key of before is kept for the trail's
    entry alone; and the restored book is proven."""
    place.clock.at += timedelta(days=2)
    place.book.append(call(None, BOS, "Nobody's."))
    seals.make(place.book, place.settings.reports, AT.date(), actor="night")
    folder, keys = made[0].parent / "second", made[1].parent / "keys of it"
    backup.make(place.settings, place.book, place.vault, folder, keys=keys, clock=place.clock)
    before = [row for row in place.calls() if row["subject"] != place.bo]
    for owner in (place.ada, place.ada, place.bo, DAY):
        turned(place, owner)
    place.clock.at += timedelta(days=1)
    Erasures(place.settings, place.book, place.vault, place.clock).execute(BO, **WORDS)
    place.book.close()
    settings = replace(place.settings, book_url=empty.book_url)
    with Book(settings.book_url, settings.home, vault=settings.vault, clock=place.clock) as book:
        restored = restore(settings, book, place.vault, folder, keys=keys)
        assert (restored.without_key, restored.sealed_anew, restored.erased_again) == (0, len(before), 0)
        assert [row for row in book.content(book.rows("select * from calls order by time, id")).rows
                if row["answer"] is not None] == before  # fmt: skip
        heads = [place.vault.heads(owner) for owner in (place.ada, DAY, place.bo)]
        assert [list(of) for of in heads] == [[1, 2, 3], [2], []]
        prompts = [str(row["prompt"]) for row in book.rows("select prompt from calls where prompt is not null")]
        now = {base64.b64encode(of[max(of)]).decode() for of in heads[:2]}
        assert {prompt.removeprefix("daybook-sealed:1:").partition(":")[2][:12] for prompt in prompts} == now
        assert verify(book, settings.reports).problems == []


@pytest.mark.parametrize("book_url", ["duckdb"], indirect=True)
def test_calls_that_cannot_be_opened_are_said(place, monkeypatch, capsys):
    """Sealed under a key that is not here, or edited: their number is in the answer, in the trail and on the terminal,
    and they stay as they are."""
    place.vault.rotate(place.ada)
    place.vault.forget_rotated(place.ada)
    before = place.book.rows("select id, prompt, answer from calls where subject = :s order by id", {"s": place.ada})
    assert turned(place, place.ada) == Rotation(calls=0, entries=0, unopened=3)
    (event,) = place.book.rows("select details from events where action = 'content_key.rotated'")
    assert event["details"] == {"calls": 0, "entries": 0, "unopened": 3}
    query = "select id, prompt, answer from calls where subject = :s order by id"
    assert place.book.rows(query, {"s": place.ada}) == before
    (id_, *_) = [row["id"] for row in place.calls() if row["subject"] == place.bo]
    with place.book.store.writing() as writer, writer.transaction():
        writer.execute(f"update calls set prompt = answer where id = '{id_}'")
    monkeypatch.setenv("DAYBOOK_HOME", str(place.settings.home))
    monkeypatch.setenv("DAYBOOK_BOOK", place.settings.book_url)
    assert main(["subject", "rotate", BO, "--reason", "x"]) == 0
    out = capsys.readouterr()
    assert out.out.startswith("Sealed anew: 3 calls.")
    assert out.err == "What was said in 1 call cannot be opened with the keys of this home: it stays as it is.\n"


@pytest.mark.parametrize("book_url", ["duckdb"], indirect=True)
def test_what_is_no_date_has_no_key_and_is_said_to_be_none(place, monkeypatch, capsys):
    """Words, other ways to write one, days that there are not; nothing is entered. One that is a day has no key."""
    monkeypatch.setenv("DAYBOOK_HOME", str(place.settings.home))
    monkeypatch.setenv("DAYBOOK_BOOK", place.settings.book_url)
    for day in ("xx", "2026-3-1", "20260301", "2026-02-30", "2026-W09-7", "2026-03-01T00:00", " ", "2026-03-01 "):
        assert main(["subject", "rotate", "--day", day, "--reason", "x"]) == 2
        assert f"{day!r} is not a date." in capsys.readouterr().err
    assert main(["subject", "rotate", "--day", "2026-02-28", "--reason", "x"]) == 2
    assert "There is no key of theirs." in capsys.readouterr().err
    assert place.book.rows("select action from events where action like 'content_key%'") == []


@pytest.mark.parametrize("book_url", ["duckdb"], indirect=True)
def test_what_is_refused_changes_no_key(place, tmp_path, monkeypatch, capsys):
    """Nobody's key, one that was destroyed, a person who is being erased, a turn that is another's, no reason."""
    place.vault.destroy("u-gone")
    shutil.rmtree(place.settings.reports)
    (place.settings.reports).mkdir()
    (place.settings.reports / "x.bin").write_text(SAID)  # an erasure stops there
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    with pytest.raises(Exception, match="nothing can be taken out"):
        erasures.execute(ADA, **WORDS)
    states = place.vault.states()
    for owner, error in (("u-none", BadParameter), ("u-gone", KeyDestroyed), (place.ada, GateNotMet)):
        with pytest.raises(error):
            turned(place, owner)
    for reason in ("", "x" * 1_001):
        with pytest.raises(BadParameter):
            rotate(place.settings, place.book, place.vault, place.bo, by="x", reason=reason)
    with turn(place.settings.home, place.book.store, "The test", patience=0), pytest.raises(GateNotMet):
        rotate(place.settings, place.book, place.vault, place.bo, by="x", reason="y", patience=0)
    assert place.vault.states() == states
    monkeypatch.setenv("DAYBOOK_HOME", str(place.settings.home))
    monkeypatch.setenv("DAYBOOK_BOOK", place.settings.book_url)
    assert main(["subject", "rotate", "--reason", "x"]) == 2
    assert main(["subject", "rotate", "bo@example.com", "--day", "2026-03-01", "--reason", "x"]) == 2
    assert main(["subject", "rotate", "bo@example.com", "--reason", "x" * 1_000]) == 0
    assert "Sealed anew: 3 calls." in capsys.readouterr().out
    assert place.vault.state(place.bo).generation == 2
