"""A backup comes back whole into either database, without its keys and without those who were erased since."""

import base64
import contextlib
import json
import os
import shutil
import stat
import threading
import uuid
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pyarrow.parquet as pq
import pytest

from daybook.audit import signing
from daybook.audit.seals import seals
from daybook.audit.trail import Trail
from daybook.audit.verification.chain import verify_chain
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.trail.names import reference
from daybook.book.unfinished import RestoreUnfinished
from daybook.clock import new_id
from daybook.digest import digest_file
from daybook.errors import BadData, BadParameter, GateNotMet, KeyMissing, SealBroken
from daybook.pii.pseudonyms import Pseudonyms
from daybook.records import Finding
from daybook.rights.backups import backup, key_copies, manifest, register
from daybook.rights.backups.rehearsal import rehearse
from daybook.rights.backups.restore import STEPS, restore
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.places.book_rows import BookRows
from daybook.rights.turns import turn
from daybook.vault import Vault
from tests.rights.conftest import ADA, ANSWERED, AT, BOS, SAID, WORDS, another_home, call, certified, killed, rows_of


def test_every_row_comes_back_the_same_in_another_database(place, made, elsewhere):
    """From DuckDB and from Postgres, on a machine that had nothing; what was sealed opens with the keys."""
    settings, book, vault = elsewhere
    before = {table: rows_of(place.book, table) for table in ("calls", "subjects", "models", "journal_files")}
    restored = restore(settings, book, vault, made[0], keys=made[1])
    assert restored.erased_again == 0
    for table in ("calls", "subjects", "models"):
        assert rows_of(book, table) == before[table], table
    assert restored.rows["calls"] == 6
    event = next(e for e in rows_of(book, "events") if e["actor"] == "eve")
    assert event["sealed"]
    assert vault.state(place.bo).state == "kept"
    assert book.rows("select id from book_identity") == place.book.rows("select id from book_identity")
    assert [c.name for c in book.check() if c.level == "wrong"] == []


def test_it_restores_into_postgres_as_well(place, made, elsewhere, postgres_server):
    """JSON, money, times, bytes and what is not known come back the same; the chain verifies there."""
    name = f"restored_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    settings, _, vault = elsewhere
    settings = replace(settings, book_url=postgres_server.replace("/postgres?", f"/{name}?"))
    with Book(settings.book_url, settings.home) as book:
        assert restore(settings, book, vault, made[0], keys=made[1]).rows["calls"] == 6
        for table in ("calls", "subjects", "models"):
            assert rows_of(book, table) == rows_of(place.book, table), table
        assert verify_chain(book).problems == []
        assert [c.name for c in book.check() if c.level == "wrong"] == []
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def test_the_keys_are_not_with_the_data(place, made, tmp_path):
    """No byte of any key is in the backup; both folders are their owner's alone."""
    folder, keys = made
    data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    secrets = [bytes.fromhex(p.read_text().strip()) for p in (keys / "audit").glob("*.key")]
    assert len(secrets) >= 2
    assert all(key not in data and key.hex().encode() not in data for key in secrets)
    assert (keys / "pseudonyms.key").read_bytes() not in data
    assert {stat.S_IMODE(p.stat().st_mode) for p in (folder, keys)} == {0o700}
    assert {stat.S_IMODE(p.stat().st_mode) for p in keys.rglob("*") if p.is_file()} == {0o600}
    for inside in (folder / "keys", folder):
        with pytest.raises(BadParameter):
            backup.make(place.settings, place.book, place.vault, folder, keys=inside)
    with pytest.raises(BadParameter, match="something in it"):
        backup.make(place.settings, place.book, place.vault, folder, keys=tmp_path / "new")


def bytes_of(*folders):
    return b"".join(path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file())


def test_who_was_erased_since_does_not_come_back(place, made, tmp_path):
    """The backup was out of reach when Ada was erased: on what is restored she is erased again, from the tables that
    name her in passing as well, and from the backup, which still is one."""
    folder, _ = made
    away = tmp_path / "tape"
    folder.rename(away)
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    assert erasures.plan(ADA).unreachable == (str(folder),)
    certificate = json.loads(erasures.execute(ADA, **WORDS).certificate.read_text())
    assert any(str(folder) in limit for limit in certificate["limits"])
    settings = replace(place.settings, book_url=f"duckdb:///{place.settings.home}/restored.duckdb")
    (place.settings.home / "journal" / "book").unlink()
    with Book(settings.book_url, settings.home) as book:
        restored = restore(settings, book, place.vault, away)
        assert (restored.erased_again, restored.still_holding) == (1, ())
        assert {row["subject"] for row in rows_of(book, "calls")} == {None, place.bo}
        assert BookRows(book).left(place.ada) == [{}]
        assert Erasures(settings, book, place.vault).came_back() == {}
        assert next(row["subjects"] for row in rows_of(book, "models"))[0].startswith("s-")
    assert place.ada.encode() not in bytes_of(away)
    assert not [row for row in pq.read_table(away / "calls.parquet").to_pylist() if "Grete" in str(row)]
    assert manifest.check(away, signing.trusted(place.settings.home))["changed"] == {
        "calls": {"personal": 3}, "models": {"personal": 1},
    }  # fmt: skip


def tombstoned(place, vault):
    return vault.state(place.ada).state == "destroyed"


def test_no_restore_brings_a_destroyed_key_back(place, made, tmp_path):
    """Whichever of backup, keys and certificate the erasure reached: on another machine Ada's key is a tombstone, Bo's
    opens what it sealed, and nothing of Ada's is in the book."""
    folder, keys = made
    tapes = [shutil.copytree(folder, tmp_path / f"tape{n}") for n in range(2)]
    safe = shutil.copytree(keys, tmp_path / "box")
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    kinds = {
        "both were reached": (folder, keys, 0),
        "an old copy of the backup": (tapes[0], keys, 1),
        "an old copy of the keys": (folder, safe, 0),
        "old copies of both, and the certificate": (tapes[1], safe, 1),
    }
    for n, (kind, (data, secrets, again)) in enumerate(kinds.items()):
        settings = another_home(tmp_path, f"home{n}")
        if "certificate" in kind:
            certified(place, settings)
        vault = Vault(settings.vault)
        with Book(settings.book_url, settings.home) as book:
            assert restore(settings, book, vault, data, keys=secrets).erased_again == again, kind
            assert tombstoned(place, vault), kind
            assert {row["subject"] for row in rows_of(book, "calls")} == {None, place.bo}, kind
            assert [opened(vault, place, e) for e in rows_of(book, "events") if e["sealed"]].count('{"name":"Bo"}') == 1
        names = {path.name for path in settings.vault.parent.iterdir()}
        assert names <= {"subjects.sqlite", "subjects.sqlite-journal"}, kind


def opened(vault, place, event):
    with contextlib.suppress(SealBroken, KeyMissing):
        return vault.open(
            place.bo, base64.b64decode(event["sealed"]), context=b"event:" + event["id"].encode()
        ).decode()
    return ""


def test_who_came_back_keeps_the_key_of_now(place, made, elsewhere, tmp_path):
    """Erased, and here again: the key from a backup of after that stays, and so do the calls; the old one does not."""
    _, keys = made
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    place.clock.at += timedelta(days=1)
    place.vault.renew(place.ada)
    place.book.append(call(place.ada, "I am back.", "Welcome.", place.clock.now()))
    anew, secrets = tmp_path / "anew", tmp_path / "anew-keys"
    backup.make(place.settings, place.book, place.vault, anew, keys=secrets, clock=place.clock)
    settings, book, vault = elsewhere
    certified(place, settings)
    assert restore(settings, book, vault, anew, keys=secrets).erased_again == 0
    assert (vault.state(place.ada).state, vault.state(place.ada).generation) == ("kept", 2)
    assert book.rows("select count(*) as n from calls where subject = :s", {"s": place.ada}) == [{"n": 1}]
    assert key_copies.destroy(place.settings.home, place.vault) == []
    assert Vault(keys / "subjects.sqlite").state(place.ada).state == "destroyed"


def test_who_has_no_key_here_is_erased_by_name(place, made, elsewhere, tmp_path):
    """A home whose vault is lost has a certificate: what is restored of Ada is erased all the same. Whoever was erased
    before the backup and used the service again keeps the calls of since."""
    cy = Pseudonyms(place.settings.home / "pseudonyms.key").of("cy@example.com")
    place.vault.destroy(cy)
    place.clock.at += timedelta(days=1)
    place.book.append(call(cy, "Once more.", "Yes."))
    folder, keys = tmp_path / "later", tmp_path / "later-keys"
    backup.make(place.settings, place.book, place.vault, folder, keys=keys, clock=place.clock)
    tape = shutil.copytree(folder, tmp_path / "tape")
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    settings, book, vault = elsewhere
    certified(place, settings)
    shutil.copytree(keys / "audit", settings.home / "audit")
    shutil.copy(keys / "pseudonyms.key", settings.home)
    assert restore(settings, book, vault, tape).erased_again == 1
    assert tombstoned(place, vault)
    rows = rows_of(book, "calls")
    assert Counter(row["subject"] for row in rows) == {None: 3, place.bo: 3, cy: 1}
    assert book.content(rows).missing == {row["id"] for row in rows if row["subject"] == place.bo}


def test_keys_that_are_away_are_named_and_reached_later(place, made):
    """The certificate says where Ada's key still lies; once the folder is back it is destroyed there, and Bo's is
    not."""
    _, keys = made
    keys.rename(keys.with_name("away"))
    outcome = Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    limits = json.loads(outcome.certificate.read_text())["limits"]
    assert [limit for limit in limits if str(keys) in limit and "the person's key still lies there" in limit]
    assert key_copies.destroy(place.settings.home, place.vault) == [keys]
    keys.with_name("away").rename(keys)
    assert Vault(keys / "subjects.sqlite").state(place.ada).state == "kept"
    assert key_copies.destroy(place.settings.home, place.vault) == []
    there = Vault(keys / "subjects.sqlite").states()
    assert (there[place.ada].state, there[place.bo].state) == ("destroyed", "kept")


def test_a_folder_that_is_used_again_hides_no_backup(place, made, tmp_path):
    """Moved away, and another made in its place, twice: the plan and the certificate name those that stood there, with
    the keys that still open them, and how many."""
    folder, keys = made
    for n in range(2):
        folder.rename(tmp_path / f"tape{n}")
        keys.rename(tmp_path / f"box{n}")
        place.clock.at += timedelta(days=1)
        backup.make(place.settings, place.book, place.vault, folder, keys=keys, clock=place.clock)
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    where = [f"{path}, 2 in number, made on 2026-03-01, 2026-03-02" for path in (folder, keys)]
    assert erasures.plan(ADA).unreachable == (where[0],)
    limits = json.loads(erasures.execute(ADA, **WORDS).certificate.read_text())["limits"]
    assert [limit for limit in limits if "They stood in" in limit] == [
        "Backups that stood in a place where another was made since were not reached: it is done in them when they are "
        f"restored, wherever they are. They stood in {where[0]}.",
        "Keys that were backed up to a place where others were put since were not reached: the person's key still lies "
        f"in them, wherever they are. They stood in {where[1]}.",
    ]
    states = [Vault(path / "subjects.sqlite").state(place.ada).state for path in (keys, tmp_path / "box0")]
    assert states == ["destroyed", "kept"]
    rows = json.loads((place.settings.home / "rights" / "backups.json").read_text())
    assert len({row["id"] for row in rows}) == 3
    old = [str(folder), {"folder": str(folder), "keys": None}, {"folder": str(folder), "keys": str(keys)}]
    (place.settings.home / "rights" / "backups.json").write_text(json.dumps(old))
    assert register.replaced(place.settings.home) == ([f"{folder}, 2 in number, made on an unknown day"], [])


def test_an_erasure_a_backup_and_a_restore_take_turns(place, tmp_path):
    """While one of them holds the home the others are refused, nothing is begun, and afterwards each goes on; of a
    backup that fails the trail says so."""
    folder, keys = tmp_path / "b", tmp_path / "k"
    erasures = Erasures(place.settings, place.book, place.vault, place.clock, patience=0)
    begin = {
        "erasure": lambda: erasures.execute(ADA, **WORDS),
        "backup": lambda: backup.make(
            place.settings, place.book, place.vault, folder, keys=keys, by="cli:x", clock=place.clock, patience=0
        ),
        "restore": lambda: restore(place.settings, place.book, place.vault, folder, keys=keys),
    }  # fmt: skip
    with turn(place.settings.home, place.book.store, "The test", patience=0):
        for name, act in begin.items():
            with pytest.raises(GateNotMet, match=f"The {name} has waited 0 seconds"):
                act()
    assert not folder.exists()
    assert not list((place.settings.home / "rights" / "erasures").glob("er-*"))
    begin["backup"]()
    keys_in = tmp_path / "file"
    keys_in.write_text("")
    with pytest.raises(OSError, match="file"):
        backup.make(
            place.settings, place.book, place.vault, tmp_path / "c", keys=keys_in / "k", by="me", clock=place.clock
        )
    place.book.drain()
    query = "select object, actor, outcome from events where action = 'book.backed_up' order by object, outcome"
    assert [tuple(row.values()) for row in place.book.rows(query)] == [
        ("b", "cli:x", "granted"), ("c", "me", "failed"), ("c", "me", "granted"),
    ]  # fmt: skip
    assert begin["erasure"]().status == "erased"


def test_a_restore_erases_nobody_on_the_word_of_a_paper_that_nobody_signed(place, made, empty, tmp_path):
    """A certificate without a signature, with another's, changed since or none at all is named and stops the restore
    before anything changes; Bo keeps his key."""
    whose = {"subject": reference(place.settings.home, place.bo), "finished_at": "2099-01-01T00:00:00+00:00"}
    good = signing.sign(place.settings.home, whose)
    kinds = {
        "unsigned": whose,
        "a stranger's": signing.sign(tmp_path / "stranger", whose),
        "changed": good | {"finished_at": "2098-01-01T00:00:00+00:00"},
        "no time": signing.sign(place.settings.home, whose | {"finished_at": "soon"}),
        "nobody's": signing.sign(place.settings.home, {"finished_at": whose["finished_at"]}),
        "a list": [whose],
        "torn": None,
    }
    papers = empty.home / "rights" / "certificates"
    papers.mkdir(parents=True)
    path = papers / "er-000000000000.json"
    with Book(empty.book_url, empty.home, vault=empty.vault) as book:
        vault = Vault(empty.vault)
        for kind, document in kinds.items():
            path.write_text("{" if document is None else json.dumps(document))
            with pytest.raises(GateNotMet, match=path.name):
                restore(empty, book, vault, made[0], keys=made[1])
            assert not empty.vault.exists(), kind
            assert book.rows("select count(*) as n from calls") == [{"n": 0}], kind
        path.write_text(json.dumps(good))
        restore(empty, book, vault, made[0], keys=made[1])
        assert (vault.state(place.bo).state, vault.state(place.ada).state) == ("destroyed", "kept")


def test_keys_come_back_beside_those_that_are_there(place, made, elsewhere):
    """Into a home whose vault has somebody's key and Ada's tombstone: both stay, Bo's key comes, and what he said
    opens."""
    settings, book, vault = elsewhere
    vault.seal("u-new", b"x")
    vault.destroy(place.ada)
    restore(settings, book, vault, made[0], keys=made[1])
    states = {subject: vault.state(subject).state for subject in ("u-new", place.ada, place.bo)}
    assert states == {"u-new": "kept", place.ada: "destroyed", place.bo: "kept"}
    rows = book.content(book.rows("select id, subject, prompt from calls where subject = :s", {"s": place.bo})).rows
    assert [BOS in row["prompt"] for row in rows] == [True] * 3
    assert {path.name for path in settings.vault.parent.iterdir()} <= {"subjects.sqlite", "subjects.sqlite-journal"}


@pytest.mark.parametrize("name", ["pseudonyms.key", "audit/subjects.key", "audit/chain.key"])
def test_keys_of_another_home_are_not_mixed_with_its_own(made, elsewhere, name):
    """A key that names persons or links entries, and is another here: both files are named, and nothing changes."""
    settings, book, vault = elsewhere
    here = settings.home / name
    here.parent.mkdir(parents=True, exist_ok=True)
    here.write_text("ab" * 32)
    with pytest.raises(GateNotMet, match=f"{here} is another key than {made[1] / name}"):
        restore(settings, book, vault, made[0], keys=made[1])
    assert not settings.vault.exists()
    assert here.read_text() == "ab" * 32
    assert book.rows("select count(*) as n from calls") == [{"n": 0}]


def test_killed_in_any_step_a_restore_goes_on(place, made, empty):
    """kill -9 as each step begins, one after the other, with somebody to erase again: nobody reads a book that is half
    restored, calls are still taken, and the end is that of one that was not killed."""
    folder, keys = (shutil.copytree(path, path.with_name(f"old-{path.name}")) for path in made)
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    certified(place, empty)
    for at, step in enumerate(STEPS):
        assert killed(empty, folder, keys, step)
        with Book(empty.book_url, empty.home, vault=empty.vault) as book:
            book.append(call(place.bo, BOS, f"Taken while it was {step}."))
            for read in (lambda: book.rows("select 1 as x"), book.drain):
                with pytest.raises(RestoreUnfinished, match=f"has done {at} of its") as told:
                    read()
            assert f"daybook restore {folder} --keys {keys}" in told.value.remedy
    with Book(empty.book_url, empty.home, vault=empty.vault) as book:
        vault = Vault(empty.vault)
        assert restore(empty, book, vault, folder, keys=keys).erased_again == 1
        assert Counter(row["subject"] for row in rows_of(book, "calls")) == {None: 3, place.bo: 3 + len(STEPS)}
        assert tombstoned(place, vault)
        assert [e["action"] for e in rows_of(book, "events") if e["action"] == "book.restored"] == ["book.restored"]
        assert verify_chain(book).problems == []
        assert Erasures(empty, book, vault).came_back() == {}
        assert place.ada.encode() not in bytes_of(folder)
    assert manifest.check(folder, signing.trusted(empty.home))["changed"]["calls"] == {"personal": 3}


def test_one_that_read_nothing_yet_begins_anew(place, made, empty, tmp_path):
    """Killed before the rows: the backup may be another one."""
    other = tmp_path / "second"
    backup.make(place.settings, place.book, place.vault, other, keys=tmp_path / "second-keys", clock=place.clock)
    assert killed(empty, made[0], made[1], "rows")
    with Book(empty.book_url, empty.home, vault=empty.vault) as book:
        restored = restore(empty, book, Vault(empty.vault), other, keys=tmp_path / "second-keys")
        assert restored.rows["calls"] == 6
        assert len(rows_of(book, "calls")) == 6


def test_another_backup_does_not_go_on_with_one_that_was_read(place, made, empty, tmp_path):
    """It is told which one is under way; giving that again ends it."""
    other = tmp_path / "second"
    backup.make(place.settings, place.book, place.vault, other, keys=tmp_path / "second-keys", clock=place.clock)
    assert killed(empty, made[0], made[1], "erasures")
    with Book(empty.book_url, empty.home, vault=empty.vault) as book:
        with pytest.raises(RestoreUnfinished, match="is not over") as refused:
            restore(empty, book, Vault(empty.vault), other, keys=tmp_path / "second-keys")
        assert f"daybook restore {made[0]} --keys {made[1]}" in refused.value.remedy
        assert restore(empty, book, Vault(empty.vault), made[0]).rows["calls"] == 6
        assert len(rows_of(book, "calls")) == 6


def test_what_is_refused_leaves_the_home_as_it_was(place, made, empty, tmp_path):
    """No key is copied, no restore is under way, and the book can be used."""
    for kind in ("no backup", "changed", "a stranger's", "no keys", "a book with something in it"):
        folder, keys = (shutil.copytree(path, tmp_path / kind / path.name) for path in made)
        if kind == "no backup":
            (folder / "manifest.json").unlink()
        elif kind == "changed":
            (folder / "calls.parquet").write_bytes(b"x")
        elif kind == "a stranger's":
            signing.sign(tmp_path / "stranger", {})
            for path in (tmp_path / "stranger" / "audit").iterdir():
                (keys / "audit" / path.name).write_bytes(path.read_bytes())
        elif kind == "no keys":
            (keys / "subjects.sqlite").unlink()
        with Book(empty.book_url, empty.home, vault=empty.vault) as book:
            if kind == "a book with something in it":
                book.append(replace(call(place.bo, "", ""), prompt=None, answer=None))
                book.drain()
            with pytest.raises((BadData, BadParameter, GateNotMet)):
                restore(empty, book, Vault(empty.vault), folder, keys=keys)
            calls = book.rows("select count(*) as n from calls")
            assert calls == [{"n": int(kind == "a book with something in it")}], kind
            assert book.rows("select restoring from book_identity") == [{"restoring": None}], kind
        names = {path.name for path in empty.home.rglob("*")}
        assert not names & {"subjects.sqlite", "pseudonyms.key", "subjects.key", "restoring.json"}, kind


def test_words_in_a_backups_trail_stay_and_are_counted(place, tmp_path, elsewhere):
    """What an entry says of Ada in plain words is chained: it stays as it does in the book, the certificate names it,
    and the backup is still one that verifies when it is rehearsed and restored."""
    trail = Trail(place.book.journal, place.settings.home, clock=place.clock)
    trail.record("call.read", actor="eve", reason=f"because of {SAID}", details={"who": place.ada})
    place.book.append(Finding(id=new_id(), run_id="bias-1", at=AT, name="f", value=1.0, unit="x", note=f"see {SAID}"))
    seals.make(place.book, place.settings.reports, AT.date(), actor="x")
    folder, keys = tmp_path / "b", tmp_path / "k"
    backup.make(place.settings, place.book, place.vault, folder, keys=keys, clock=place.clock)
    before = (folder / "events.parquet").read_bytes()
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    document = json.loads(erasures.execute(ADA, **WORDS).certificate.read_text())
    assert (folder / "events.parquet").read_bytes() == before
    assert document["proof"]["kept_in_the_trail_of_backups"] == [str(folder / "events.parquet")]
    assert any(str(folder / "events.parquet") in limit for limit in document["limits"])
    assert erasures.came_back() == {}
    assert erasures.execute(ADA, **WORDS).status == "nothing held"
    assert rehearse(folder, keys=keys)["calls"] == 6
    settings, book, vault = elsewhere
    assert restore(settings, book, vault, folder, keys=keys).erased_again == 0
    (entered,) = [e for e in rows_of(book, "events") if e["action"] == "book.restored"]
    assert entered["details"]["changed_rows"] == {
        "calls": {"personal": 3}, "findings": {"fixed": 1}, "models": {"personal": 1},
    }  # fmt: skip
    verdict = verify(book, settings.reports)
    assert [p for p in verdict.problems if not p.where.startswith("report ")] == []  # they are in no backup
    counts = {"calls personal": 3, "findings fixed": 1, "models personal": 1}
    assert (+verdict.accounted, [why for why in verdict.unchecked if "how many" in why]) == (counts, [])
    (first, *_) = book.rows("select id from calls where subject is null order by id")
    for statement in (
        f"update calls set answer = 'Filled again.' where id = '{first['id']}'",
        "update findings set note = 'Ada, again' where name = 'f'",
    ):
        with book.store.writing() as writer, writer.transaction():
            writer.execute(statement)
    found = [p for p in verify(book, settings.reports).problems if not p.where.startswith("report ")]
    assert [p.where.split()[0] for p in found] == ["calls", "findings"]
    assert found[0].where == f"calls {first['id']}, sealed by seal 1"
    assert {p.words for p in found} == {"it was changed on purpose, as the trail says, and is something else now"}


def test_an_erasure_reaches_a_backup_that_is_there(place, made, elsewhere):
    """Rows of calls stay as counts; nothing of Ada is in any of its files, and it still restores."""
    folder, keys = made
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    held = {(h.place, h.what): h.count for h in erasures.plan(ADA).holdings}
    assert held["files", "backups"] == 4  # calls, subjects, entry_stamps, models
    erasures.execute(ADA, **WORDS)
    table = pq.read_table(folder / "calls.parquet").to_pylist()
    assert len(table) == 6
    assert next(row for row in table if row["subject"] is None)["prompt"] is None
    assert all(SAID not in str(row) and ANSWERED not in str(row) for row in table)
    assert sum(BOS in str(row["prompt"]) for row in place.book.content(table).rows) == 3
    settings, book, vault = elsewhere
    restored = restore(settings, book, vault, folder, keys=keys)
    assert restored.erased_again == 0
    assert (
        book.rows("select sum(cost) as c from calls")[0]["c"]
        == place.book.rows("select sum(cost) as c from calls")[0]["c"]
    )
    assert [c.name for c in book.check() if c.level == "wrong"] == []


def test_a_backup_is_of_one_moment_under_load(place, tmp_path):
    """While calls and their events are entered and drained, no table is ahead of another."""
    over = threading.Event()

    def write():
        with Book(place.settings.book_url, place.settings.home) as book:
            while not over.is_set():
                book.append(call(place.bo, BOS, "Yes."))
                book.drain()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(3):
            manifest = backup.make(
                place.settings, place.book, place.vault, tmp_path / f"b{n}", keys=tmp_path / f"k{n}", clock=place.clock
            )
            tables = json.loads(manifest.read_text())["tables"]
            added = sum(row["added"] for row in pq.read_table(tmp_path / f"b{n}" / "journal_files.parquet").to_pylist())
            once = sum(tables[name]["rows"] for name in ("calls", "events", "models"))
            assert once == added
            assert tables["audit_chain"]["rows"] == tables["events"]["rows"]
    finally:
        over.set()
        writer.join()


def test_a_rehearsal_counts_and_verifies_the_chain(place, made):
    """What comes back is what went in; nothing stays of it, and nothing changes in the home."""
    before = sorted(place.settings.home.parent.iterdir())
    rows = rehearse(made[0], keys=made[1])
    assert (rows["calls"], rows["events"], rows["audit_chain"]) == (6, rows["audit_chain"], rows["events"])
    assert sorted(place.settings.home.parent.iterdir()) == before


@pytest.mark.parametrize("kind", ["a byte of a table", "a table gone", "a path", "no manifest", "a stranger's"])
def test_a_backup_that_was_changed_is_not_restored(place, made, elsewhere, kind):
    """Which file is said; the book stays empty."""
    folder, keys = made
    path = folder / "calls.parquet"
    if kind == "a byte of a table":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    elif kind == "a table gone":
        path.unlink()
    elif kind == "no manifest":
        (folder / "manifest.json").unlink()
    else:
        document = json.loads((folder / "manifest.json").read_text())
        if kind == "a path":
            document["seals"] = {"../../../../../etc/passwd": "sha256:0"}
        else:
            document["tables"]["calls"]["rows"] = 7
        (folder / "manifest.json").write_text(json.dumps(document))
    settings, book, vault = elsewhere
    with pytest.raises((GateNotMet, BadData)):
        restore(settings, book, vault, folder, keys=keys)
    assert book.rows("select count(*) as n from calls")[0]["n"] == 0


@pytest.mark.parametrize(
    "name",
    ["seal---tmp--x", "seal-..--..--x.json", "seal-1--..--x.json", "seal-1--a--b.rows", "calls.parquet", "seal-"],
)
def test_a_manifest_names_nothing_outside_the_seals(place, made, tmp_path, name):
    """A signed manifest, too, has a seal's files and no other; the file it names is not copied."""
    folder, _ = made
    document = json.loads((folder / "manifest.json").read_text())
    (folder / name).exists() or (folder / name).write_bytes(b"x")
    document["seals"] = {name: digest_file(folder / name)}
    unsigned = {key: value for key, value in document.items() if key not in ("signer", "signature")}
    (folder / "manifest.json").write_text(json.dumps(signing.sign(place.settings.home, unsigned)))
    with pytest.raises(BadData, match="another version"):
        manifest.check(folder, signing.trusted(place.settings.home))


@pytest.mark.parametrize("kind", ["a table", "the manifest"])
def test_an_erasure_signs_no_backup_that_was_changed(place, made, kind):
    """The person goes from it, and the certificate says so; it is still not what was backed up."""
    folder, _ = made
    if kind == "a table":
        rows = pq.read_table(folder / "findings.parquet")
        pq.write_table(rows, folder / "findings.parquet", compression="none")
        (folder / "findings.parquet").write_bytes((folder / "findings.parquet").read_bytes() + b" ")
    else:
        document = json.loads((folder / "manifest.json").read_text())
        document["tables"]["calls"]["rows"] = 7
        (folder / "manifest.json").write_text(json.dumps(document))
    before = (folder / "manifest.json").read_bytes()
    outcome = Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    assert (folder / "manifest.json").read_bytes() == before
    assert any(
        f"{folder} is not what was backed up" in x for x in json.loads(outcome.certificate.read_text())["limits"]
    )
    assert SAID not in str(pq.read_table(folder / "calls.parquet").to_pylist())
    with pytest.raises(GateNotMet):
        manifest.check(folder, signing.trusted(place.settings.home))


def test_a_book_that_has_something_in_it_is_not_written_over(place, made):
    """Nor are keys of a home that has its own."""
    with pytest.raises(BadParameter, match="Restore into an empty book"):
        restore(place.settings, place.book, place.vault, made[0])
    before = (place.settings.home / "pseudonyms.key").read_bytes()
    (made[1] / "pseudonyms.key").write_bytes(os.urandom(32))
    with pytest.raises(BadParameter):
        restore(place.settings, place.book, place.vault, made[0], keys=made[1])
    assert (place.settings.home / "pseudonyms.key").read_bytes() == before
    assert place.book.rows("select count(*) as n from calls")[0]["n"] == 6


def test_a_manifest_says_when_somebody_was_erased():
    """One of before that was noted has names alone: they were erased before it was made."""
    made_at, earlier = "2026-03-02T00:00:00+00:00", "2026-03-01T00:00:00+00:00"
    for entries, moment in (({"s-1": earlier}, earlier), (["s-1"], made_at)):
        assert manifest.erased({"made_at": made_at, "erased": entries}) == {"s-1": datetime.fromisoformat(moment)}
    assert manifest.erased({"made_at": made_at, "erased": []}) == {}
