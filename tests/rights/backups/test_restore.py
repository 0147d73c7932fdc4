"""A restore: who is kept out of the book until it is whole, what goes of whom, and what cannot be read afterwards."""

import json
import shlex
import shutil
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from daybook.audit import signing
from daybook.audit.seals import seals
from daybook.audit.seals.changes import announced
from daybook.audit.verification.chain import verify_chain
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.trail.names import reference
from daybook.book.unfinished import RestoreUnfinished
from daybook.clock import new_id
from daybook.errors import BadParameter, GateNotMet
from daybook.records import Event
from daybook.rights.access import Access
from daybook.rights.backups import backup, manifest
from daybook.rights.backups.restore import restore
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.turns import turn
from daybook.settings import Settings
from daybook.vault import Vault
from tests.rights.conftest import ADA, ANSWERED, AT, BO, BOS, SAID, WORDS, call, certified, killed, rows_of

ON_DUCKDB = pytest.mark.parametrize("book_url", ["duckdb"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("book_url", ["postgres"], indirect=True)
"""What is no matter of the database is tried on one."""
BACK = "I am back, and this is a new question of mine about something else entirely."


def another_spelling(url):
    return url + "&application_name=other" if "postgres" in url else url.replace("/book.duckdb", "/./book.duckdb")


def home_on(tmp_path, name, url):
    home = tmp_path / name
    return Settings.from_env(
        {"DAYBOOK_HOME": str(home), "DAYBOOK_BOOK": url, "DAYBOOK_REPORTS": str(home / "r")}, cwd=tmp_path
    )


def test_whoever_has_the_book_is_kept_out_until_it_is_whole(place, made, empty, tmp_path):
    """After kill -9 another home, and the same one by another spelling of the address, neither read nor drain: the
    error names the home and the command. The other home can end the restore, and then all of them read it."""
    folder, keys = made
    assert killed(empty, folder, keys, "seals")
    other = home_on(tmp_path, "other-home", another_spelling(empty.book_url))
    words = f"begun in the home {empty.home} and is not over: it has done 2 of its steps"
    for home, url in ((other.home, other.book_url), (empty.home, another_spelling(empty.book_url))):
        with Book(url, home) as book:
            book.append(call(None, BOS, "Taken meanwhile."))
            for use in (
                book.drain,
                lambda book=book: book.rows("select 1 as x"),
                lambda book=book: book.export("calls", tmp_path / "x.csv"),
                lambda book=book: book.engine(),
                lambda book=book: book.reading().__enter__(),
                lambda book=book: verify_chain(book),
            ):
                with pytest.raises(RestoreUnfinished, match=words) as refused:
                    use()
                assert f"daybook restore {folder} --keys {keys}" in refused.value.remedy
    assert not (tmp_path / "x.csv").exists()
    with Book(other.book_url, other.home) as book:
        vault = Vault(other.vault)
        with pytest.raises(GateNotMet, match="not signed by a key that this home trusts"):
            restore(other, book, vault, folder)
        vault.seal(place.bo, b"x")  # with a key of this home's, which opens nothing of what is restored
        restored = restore(other, book, vault, folder, keys=keys)
        assert (restored.rows["calls"], restored.without_key) == (6, 3)
        assert len(rows_of(book, "calls")) == 7
        assert book.rows("select restoring from book_identity") == [{"restoring": None}]
        assert vault.state(place.ada).state == "kept"
        assert verify_chain(book).problems == []
    with Book(empty.book_url, empty.home) as book:
        assert len(rows_of(book, "calls")) == 8
        assert [e["action"] for e in rows_of(book, "events") if e["action"] == "book.restored"] == ["book.restored"]


@ON_DUCKDB
def test_a_restore_goes_on_from_where_its_backup_lies_now(place, made, tmp_path, empty):
    """Spelled otherwise, or moved with its keys while the home or another one had begun it; what it was told to do is
    named as a shell takes it. Another backup of the same moment, one that somebody edited and what is none are refused
    as something else while that is under way, and the book is as it was."""
    folder, keys = tmp_path / "copy" / "b", tmp_path / "copy" / "k"
    for source, target in zip(made, (folder, keys), strict=True):
        shutil.copytree(source, target)  # which an erasure does not know of
    second = backup.make(place.settings, place.book, place.vault, tmp_path / "b2", keys=tmp_path / "k2",
                         clock=place.clock).parent  # fmt: skip
    place.clock.at += timedelta(hours=1)
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    certified(place, empty)
    assert killed(empty, folder, keys, "erasures")
    there, safe = tmp_path / "moved to $HOME" / "b", tmp_path / "moved to $HOME" / "k"
    there.parent.mkdir()
    shutil.copytree(folder, there)
    shutil.copytree(keys, safe)
    edited, none = tmp_path / "edited", tmp_path / "none"
    shutil.copytree(folder, edited)
    document = json.loads((edited / "manifest.json").read_text())
    (edited / "manifest.json").write_text(json.dumps(document | {"erased": {}, "more": 1}))
    none.mkdir()
    with Book(empty.book_url, empty.home) as book:
        for other in (second, edited, none):
            with pytest.raises(
                RestoreUnfinished, match=f"made at {document['made_at']}".replace("+", r"\+")
            ) as refused:
                restore(empty, book, Vault(empty.vault), other, keys=keys)
            assert shlex.join(["daybook", "restore", str(folder), "--keys", str(keys)]) in refused.value.remedy
    assert killed(empty, folder.parent / ".." / "copy" / "b", None, "entry")
    with pytest.raises(RestoreUnfinished, match="has done 5 of its steps"), Book(empty.book_url, empty.home) as book:
        book.rows("select 1 as x")
    shutil.rmtree(folder)
    shutil.rmtree(keys)
    assert killed(empty, there, safe, "entry")
    with Book(empty.book_url, empty.home) as book:
        with pytest.raises(RestoreUnfinished) as refused:
            book.rows("select 1 as x")
        assert shlex.join(["daybook", "restore", str(there), "--keys", str(safe)]) in refused.value.remedy
        assert "'" in refused.value.remedy
        assert restore(empty, book, Vault(empty.vault), there).erased_again == 1
        assert len(rows_of(book, "calls")) == 6
        assert book.rows("select count(*) as n from calls where subject = :s", {"s": place.ada}) == [{"n": 0}]


@pytest.mark.parametrize(
    ("book_url", "when"), [("duckdb", "before both"), ("postgres", "between the two")], indirect=["book_url"]
)
def test_a_book_from_which_several_are_erased_again_is_proven(place, empty, tmp_path, when):
    """Of a backup that no erasure reached, and of one that the first did: the rows of all of them are accounted for,
    those of before as well, after a restore that was cut off, too; and one that is filled again is named."""
    place.clock.at += timedelta(days=1)
    place.book.append(call("u-" + "c" * 32, "Words of somebody else altogether, of whom nobody asks.", "Yes."))
    place.vault.destroy("u-" + "c" * 32)
    seals.make(place.book, place.settings.reports, AT.date(), actor="night")
    (id_,) = [row["id"] for row in place.book.rows("select id from calls where subject like 'u-ccc%'")]
    with (
        announced(place.book, {"calls": {"personal": [id_]}}) as announcement,
        place.book.store.writing() as writer,
        writer.transaction(),
    ):
        writer.execute(f"update calls set subject = null, answer = null where id = '{id_}'")
        event = Event(id=new_id(), at=AT, actor="x", action="x", details=announcement.details(writer))
        place.book.append(event)
    folder, keys = tmp_path / "b", tmp_path / "k"
    backup.make(place.settings, place.book, place.vault, folder, keys=keys, clock=place.clock)
    copies = tmp_path / "copy of b", tmp_path / "copy of k"
    place.clock.at += timedelta(days=1)
    for n, who in enumerate((ADA, BO)):
        if n == ("before both", "between the two").index(when):
            for source, target in zip((folder, keys), copies, strict=True):
                shutil.copytree(source, target)
        Erasures(place.settings, place.book, place.vault, place.clock).execute(who, **WORDS)
    place.book.close()
    settings = replace(place.settings, book_url=empty.book_url)
    assert killed(settings, *copies, "entry")
    with Book(settings.book_url, settings.home, vault=settings.vault, clock=place.clock) as book:
        assert restore(settings, book, place.vault, copies[0]).erased_again == (2 if when == "before both" else 1)
        assert verify(book, settings.reports).problems == []
        ids = [row["id"] for row in book.rows("select id from calls order by id")]
        assert len(ids) == 7
        with book.store.writing() as writer, writer.transaction():
            writer.execute("update calls set answer = 'x'")
        assert [p.where for p in verify(book, settings.reports).problems] == [
            f"calls {id_}, sealed by seal 1" for id_ in ids
        ]


@ON_DUCKDB
def test_what_an_older_version_left_is_understood(place, made, empty):
    """The file beside the journal keeps the home out as it did, and the same restore goes on from it and removes it."""
    folder, keys = made
    assert killed(empty, folder, keys, "seals")
    with Book(empty.book_url, empty.home) as book:
        with book.store.writing() as writer, writer.transaction():
            ((text,),) = writer.execute("select restoring from book_identity")
            writer.execute("update book_identity set restoring = null")
        state = json.loads(text)
        assert (state.pop("home"), state["done"]) == (str(empty.home), ["keys", "rows"])
        old = empty.home / "journal" / "restoring.json"
        old.parent.mkdir()
        old.write_text(json.dumps(state | {"store": book.store.shown, "done": ["keys"]}))
        with pytest.raises(RestoreUnfinished, match="has done 1 of its steps"):
            book.rows("select 1 as x")
        assert restore(empty, book, Vault(empty.vault), folder).rows["calls"] == 6
        assert not old.exists()
        assert len(rows_of(book, "calls")) == 6
        old.write_text(json.dumps(state | {"store": "postgresql://another"}))
        assert len(rows_of(book, "calls")) == 6


@ON_POSTGRES
def test_what_another_home_drained_meanwhile_is_not_mixed_in(place, made, empty):
    """A drain that had begun before the restore did: the restore says so and puts nothing beside it."""

    def tell(step):
        if step == "rows":
            with book.store.writing() as writer:
                writer.execute("insert into calls (id, request_id, time, endpoint, status) values "
                               "('x', 'x', now(), '/v1/chat/completions', 'ok')")  # fmt: skip

    with Book(empty.book_url, empty.home, vault=empty.vault) as book:
        with pytest.raises(GateNotMet, match="since the restore began: 1 calls and events"):
            restore(empty, book, Vault(empty.vault), made[0], keys=made[1], tell=tell)
        with pytest.raises(BadParameter, match="has 1 calls and events"):
            restore(empty, book, Vault(empty.vault), made[0], keys=made[1])


@pytest.fixture
def returned(place, made, tmp_path):
    """Ada was erased after the backup, came back a day later, and said something: in the book, in a copy that she was
    given, in a backup of after that, and in the journal while the book is lost. The book is empty now."""
    tape = shutil.copytree(made[0], tmp_path / "tape")
    place.clock.at += timedelta(days=1)
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    place.clock.at += timedelta(days=1)
    place.vault.renew(place.ada)
    place.book.append(call(place.ada, BACK, "Welcome.", place.clock.now()))
    place.book.drain()
    Access(place.settings, place.book, place.vault, place.clock).write(ADA, tmp_path / "copy", **WORDS)
    later = tmp_path / "later"
    backup.make(place.settings, place.book, place.vault, later, keys=tmp_path / "later-keys", clock=place.clock)
    place.clock.at += timedelta(days=1)
    return tape, later


def lose(place):
    """The book is lost: another one stands in its place, with nothing in it."""
    with place.book.store.writing() as writer, writer.transaction():
        for name in ("calls", "events", "audit_chain", "models", "subjects", "entry_stamps", "journal_files",
                     "findings", "runs", "journal_set_aside", "model_aliases", "deployments"):  # fmt: skip
            writer.execute(f"delete from {name}")


def test_who_came_back_keeps_what_they_said_since(place, returned, tmp_path):
    """The backup of before her erasure is restored, twice: what she said then is in neither book nor backup, what she
    says since opens, in the journal, in the copy she was given and in the backup of after her return; with the
    certificate of her erasure, or, on one of the databases, without."""
    tape, later = returned
    second = shutil.copytree(tape, tmp_path / "second")
    if place.book.store.dialect == "postgresql":
        shutil.rmtree(place.settings.home / "rights" / "certificates")
    before = {path.name: path.read_bytes() for path in (later / "calls.parquet", tmp_path / "copy" / "access.json")}
    for data in (tape, second):
        lose(place)
        place.book.append(call(place.ada, f"{BACK} And once more.", "Yes.", place.clock.now()))
        restored = restore(place.settings, place.book, place.vault, data)
        assert (restored.erased_again, restored.without_key) == (1, 0)
        assert (place.vault.state(place.ada).state, place.vault.state(place.ada).generation) == ("kept", 2)
        calls = place.calls()
        said = [row["prompt"] for row in calls if row["subject"] == place.ada]
        assert said
        assert all(BACK in text for text in said)
        rows = Counter(row["subject"] for row in calls)
        assert (rows[None], rows[place.bo]) == (3, 3)
        assert not any(text in str(calls) for text in (SAID, ANSWERED))
        assert place.ada not in str(backup_rows(data))
        document = manifest.check(data, signing.trusted(place.settings.home))
        erased = manifest.erased(document)[reference(place.settings.home, place.ada)]
        assert erased <= place.vault.state(place.ada).made_at
    for path in (later / "calls.parquet", tmp_path / "copy" / "access.json"):
        assert path.read_bytes() == before[path.name], path
    lose(place)
    restore(place.settings, place.book, place.vault, later)
    assert any(BACK in str(row["prompt"]) for row in place.calls() if row["subject"] == place.ada)


def backup_rows(folder):
    import pyarrow.parquet as pq

    return [pq.read_table(path).to_pylist() for path in sorted(folder.glob("*.parquet"))]


def test_two_homes_of_one_book_take_turns(place, tmp_path):
    """While one home erases, backs up or restores, another one on the same book is refused and has done nothing; when
    it has ended the other goes on."""
    other = home_on(tmp_path, "other", another_spelling(place.settings.book_url))
    with Book(other.book_url, other.home, clock=place.clock) as book:
        vault = Vault(other.vault)
        acts = {
            "erasure": lambda: Erasures(other, book, vault, place.clock, patience=0).execute(ADA, **WORDS),
            "backup": lambda: backup.make(
                other, book, vault, tmp_path / "b", keys=tmp_path / "k", clock=place.clock, patience=0
            ),
            "restore": lambda: restore(other, book, vault, tmp_path / "b", keys=tmp_path / "k"),
        }
        with turn(place.settings.home, place.book.store, "The test", patience=0):
            for name, act in acts.items():
                with pytest.raises(GateNotMet, match=f"The {name} has waited 0 seconds .* by another home,"):
                    act()
        assert not (tmp_path / "b").exists()
        assert acts["backup"]() == tmp_path / "b" / "manifest.json"


@ON_DUCKDB
def test_a_restore_says_how_many_calls_nobody_can_read(place, made, tmp_path):
    """None with the keys; all of them without, although somebody of them has a key of this home's."""
    folder, keys = made
    for n, (kind, unread) in enumerate({"the keys": 0, "no keys": 6}.items()):
        settings = home_on(tmp_path, f"home{n}", f"duckdb:///{tmp_path}/home{n}/book.duckdb")
        vault = Vault(settings.vault)
        if kind != "the keys":
            vault.seal(place.bo, b"x")
        if kind == "no keys":
            shutil.copytree(keys / "audit", settings.home / "audit")
            shutil.copy(keys / "pseudonyms.key", settings.home)
        with Book(settings.book_url, settings.home) as book:
            restored = restore(settings, book, vault, folder, keys=None if kind == "no keys" else keys)
            assert restored.without_key == unread, kind
            rows = book.content(book.rows("select id, subject, prompt, answer from calls"))
            assert len(rows.missing) == unread
