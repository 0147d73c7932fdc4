"""A backup comes back whole into either database, without its keys and without those who were erased since."""

import json
import os
import stat
import threading
import uuid
from dataclasses import replace

import psycopg
import pyarrow.parquet as pq
import pytest

from daybook.audit import signing
from daybook.audit.chain_verification import verify_chain
from daybook.audit.trail import Trail
from daybook.book import Book, schema
from daybook.errors import BadData, BadParameter, GateNotMet, KeyDestroyed
from daybook.rights import backup
from daybook.rights.erasure import Erasures
from daybook.settings import Settings
from daybook.vault import Vault
from tests.rights.conftest import ADA, ANSWERED, BOS, SAID, call

WORDS = {"by": "dpo", "identity_check": "passport seen", "reason": "request"}


@pytest.fixture
def made(place, tmp_path):
    """A backup of the place, with an entry of the trail that has sealed fields."""
    trail = Trail(place.book.journal, place.settings.home, clock=place.clock, sealer=place.vault)
    trail.record("call.read", actor="eve", subject=place.bo, personal={"name": "Bo"})
    trail.record("call.read", actor="eve", subject=place.ada, personal={"name": "Ada"})
    folder, keys = tmp_path / "backup", tmp_path / "safe"
    backup.make(place.settings, place.book, place.vault, folder, keys=keys, clock=place.clock)
    return folder, keys


@pytest.fixture
def elsewhere(tmp_path):
    """Another machine: an empty home with an empty DuckDB book."""
    home = tmp_path / "other"
    settings = Settings.from_env({"DAYBOOK_HOME": str(home), "DAYBOOK_REPORTS": str(tmp_path / "r2")}, cwd=tmp_path)
    with Book(settings.book_url, home) as book:
        yield settings, book, Vault(settings.vault)


def rows_of(book, table):
    names = [c.name for c in schema.metadata.tables[table].columns]
    rows = book.rows(f"select {', '.join(names)} from {table}")
    return sorted(rows, key=lambda row: str(row[names[0]]))


def test_every_row_comes_back_the_same_in_another_database(place, made, elsewhere):
    """From DuckDB and from Postgres, on a machine that had nothing; what was sealed opens with the keys."""
    settings, book, vault = elsewhere
    before = {table: rows_of(place.book, table) for table in ("calls", "subjects", "models", "journal_files")}
    restored = backup.restore(settings, book, vault, made[0], keys=made[1])
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
        assert backup.restore(settings, book, vault, made[0], keys=made[1]).rows["calls"] == 6
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


def test_who_was_erased_since_does_not_come_back(place, made, tmp_path, elsewhere):
    """The backup was out of reach when Ada was erased: on what is restored she is erased again, and her key with it."""
    folder, keys = made
    away = tmp_path / "tape"
    folder.rename(away)
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    assert erasures.plan(ADA).unreachable == (str(folder),)
    certificate = json.loads(erasures.execute(ADA, **WORDS).certificate.read_text())
    assert any(str(folder) in limit for limit in certificate["limits"])
    settings = replace(place.settings, book_url=f"duckdb:///{place.settings.home}/restored.duckdb")
    (place.settings.home / "journal" / "book").unlink()
    with Book(settings.book_url, settings.home) as book:
        restored = backup.restore(settings, book, place.vault, away)
        assert restored.erased_again == 1
        assert {row["subject"] for row in rows_of(book, "calls")} == {None, place.bo}
        assert Erasures(settings, book, place.vault).rows.left(place.ada) == [{}]
        assert Erasures(settings, book, place.vault).came_back() == {}
    # the vault of the backup still has her key: the certificates of the home say that it must go
    other, book, vault = elsewhere
    papers = other.home / "rights" / "certificates"
    papers.mkdir(parents=True)
    (papers / "er-0123456789ab.json").write_text(json.dumps(certificate))
    assert backup.restore(other, book, vault, away, keys=keys).erased_again == 1
    with pytest.raises(KeyDestroyed):
        vault.seal(place.ada, b"")
    assert {row["subject"] for row in rows_of(book, "calls")} == {None, place.bo}


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
    assert sum(BOS in str(row["prompt"]) for row in table) == 3
    settings, book, vault = elsewhere
    restored = backup.restore(settings, book, vault, folder, keys=keys)
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
    rows = backup.rehearse(made[0], keys=made[1])
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
        backup.restore(settings, book, vault, folder, keys=keys)
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
    document["seals"] = {name: backup._digest(folder / name)}
    unsigned = {key: value for key, value in document.items() if key not in ("signer", "signature")}
    (folder / "manifest.json").write_text(json.dumps(signing.sign(place.settings.home, unsigned)))
    with pytest.raises(BadData, match="another version"):
        backup.check(folder, signing.trusted(place.settings.home))


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
        backup.check(folder, signing.trusted(place.settings.home))


def test_a_book_that_has_something_in_it_is_not_written_over(place, made):
    """Nor are keys of a home that has its own."""
    with pytest.raises(BadParameter, match="Restore into an empty book"):
        backup.restore(place.settings, place.book, place.vault, made[0])
    before = (place.settings.home / "pseudonyms.key").read_bytes()
    (made[1] / "pseudonyms.key").write_bytes(os.urandom(32))
    with pytest.raises(BadParameter):
        backup.restore(place.settings, place.book, place.vault, made[0], keys=made[1])
    assert (place.settings.home / "pseudonyms.key").read_bytes() == before
    assert place.book.rows("select count(*) as n from calls")[0]["n"] == 6
