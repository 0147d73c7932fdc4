"""What is sealed for a person is readable until their key is destroyed, and by nobody afterwards."""

import contextlib
import multiprocessing
import os
import sqlite3
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime

import psutil
import pytest

from daybook.clock import FixedClock
from daybook.errors import BadParameter, KeyDestroyed, KeyMissing, SealBroken, VaultUnusable
from daybook.settings import Settings
from daybook.vault import MARK, KeyState, Vault

ADA, BO = "u-" + "a" * 32, "u-" + "b" * 32
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path):
    with_clock = Vault(tmp_path / "keys" / "subjects.sqlite", clock=FixedClock(AT))
    yield with_clock
    with_clock.close()


def keys_on_disk(vault: Vault) -> list[bytes]:
    with sqlite3.connect(vault.path) as file:
        return [key for (key,) in file.execute("select key from keys where key is not null order by subject")]


def files_of(vault: Vault) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(vault.path.parent.iterdir()))


def test_what_is_sealed_opens_under_its_own_subject_and_context_only(vault):
    """Bytes of any length come back whole; for another subject, another context or one changed byte they do not."""
    for data in (b"", b"\0", b"Ada Lovelace", os.urandom(70_000)):
        sealed = vault.seal(ADA, data, context=b"event:1")
        assert vault.open(ADA, sealed, context=b"event:1") == data
        assert not data or len(data) < 4 or data not in sealed
        for context in (b"", b"event:2", b"event:1 "):
            with pytest.raises(SealBroken, match=ADA):
                vault.open(ADA, sealed, context=context)
        with pytest.raises(KeyMissing):
            vault.open(BO, sealed, context=b"event:1")
        vault.seal(BO, b"")
        with pytest.raises(KeyMissing):
            vault.open(BO, sealed, context=b"event:1")


def test_a_seal_says_what_is_wrong_with_it(vault):
    """Each byte counts: a changed one is a broken seal or a key that is not there, and never other bytes; cut or
    foreign bytes are no seal."""
    sealed = vault.seal(ADA, b"Ada")
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(KeyMissing if 1 <= at < 9 else SealBroken):
            vault.open(ADA, changed)
    for length in range(len(sealed)):
        with pytest.raises(SealBroken, match="not what this vault seals" if length < 37 else "were changed"):
            vault.open(ADA, sealed[:length])
    for bytes_ in (b"Ada", sealed + b"\0"):
        with pytest.raises(SealBroken):
            vault.open(ADA, bytes_)


def test_the_same_bytes_are_never_sealed_alike(vault):
    """Equal texts cannot be told by their seals."""
    assert len({vault.seal(ADA, b"yes") for _ in range(50)}) == 50


def test_a_destroyed_key_opens_nothing_and_seals_nothing(vault):
    """Whatever was copied elsewhere is erased with the key; others' keys stay."""
    old, other = vault.seal(ADA, b"Ada"), vault.seal(BO, b"Bo")
    assert vault.destroy(ADA) == 1
    with pytest.raises(KeyDestroyed, match="2026-03-01") as opened:
        vault.open(ADA, old)
    with pytest.raises(KeyDestroyed) as asked:
        vault.seal(ADA, b"again")
    assert "for good" in str(opened.value) == str(asked.value)
    assert opened.value.http_status == 410
    assert vault.open(BO, other) == b"Bo"


def test_a_destroyed_key_is_in_no_file(vault):
    """The key's bytes are overwritten, and beside the file nothing keeps them."""
    for n in range(300):  # several pages
        vault.seal(f"u-{n}", b"")
    vault.seal(ADA, b"")
    before = set(keys_on_disk(vault))
    assert len(before) == 301
    assert all(key in files_of(vault) for key in before)
    assert vault.destroy(ADA)
    after = set(keys_on_disk(vault))
    (gone,) = before - after
    assert len(after) == 300
    assert gone not in files_of(vault)
    assert vault.destroy(*(f"u-{n}" for n in range(300))) == 300
    assert not any(key in files_of(vault) for key in before)


def test_destroying_twice_is_the_same_as_once(vault):
    """The tombstone keeps the moment of the first time; a subject without a key gets one, too."""
    vault.seal(ADA, b"")
    assert [vault.destroy(ADA), vault.destroy(ADA), vault.destroy(BO)] == [1, 0, 0]
    assert vault.destroyed() == {ADA: AT, BO: AT}
    later = Vault(vault.path, clock=FixedClock(datetime(2027, 1, 1, tzinfo=UTC)))
    assert later.destroy(ADA) == 0
    assert later.destroyed() == {ADA: AT, BO: AT}
    with pytest.raises(KeyDestroyed):
        later.seal(BO, b"")
    later.close()


def test_a_renewed_key_opens_nothing_old(vault):
    """Somebody who comes back is not given their past; a key that is there is left alone."""
    old = vault.seal(ADA, b"old")
    vault.destroy(ADA)
    vault.renew(ADA)
    new = vault.seal(ADA, b"new")
    vault.renew(ADA)
    assert vault.open(ADA, new) == b"new"
    with pytest.raises(KeyDestroyed):
        vault.open(ADA, old)
    assert vault.destroyed() == {}
    vault.destroy(ADA)
    with pytest.raises(KeyDestroyed):
        vault.open(ADA, new)


def test_the_state_of_a_subject_is_said(vault):
    """None, kept or destroyed, with its moments and how many keys there were."""
    assert vault.state(ADA) == KeyState(state="none", generation=0, made_at=None, destroyed_at=None)
    assert not vault.path.exists()
    vault.seal(ADA, b"")
    assert vault.state(ADA) == KeyState(state="kept", generation=1, made_at=AT)
    vault.destroy(ADA)
    assert vault.state(ADA) == KeyState(state="destroyed", generation=1, made_at=AT, destroyed_at=AT)
    vault.renew(ADA)
    assert vault.state(ADA) == KeyState(state="kept", generation=2, made_at=AT)
    vault.destroy(BO)
    assert vault.state(BO).generation == 0
    vault.renew(BO)
    assert vault.state(BO) == KeyState(state="kept", generation=1, made_at=AT)


def test_another_vault_never_opens_what_this_one_sealed(vault, tmp_path):
    """A lost vault is said to be lost: its bytes are not called changed, and no key is made by looking."""
    sealed = vault.seal(ADA, b"Ada")
    other = Vault(tmp_path / "other.sqlite")
    with pytest.raises(KeyMissing, match=r"other\.sqlite"):
        other.open(ADA, sealed)
    assert not other.path.exists()
    other.seal(ADA, b"")
    with pytest.raises(KeyMissing, match="backup"):
        other.open(ADA, sealed)
    other.close()


def _seal_in_a_child(path, subject, pipe):
    vault = Vault(path)
    sealed = vault.seal(subject, b"from a child")
    pipe.send(sealed)
    pipe.recv()
    try:
        vault.open(subject, sealed)
    except KeyDestroyed:
        pipe.send("destroyed")


def test_several_processes_share_one_key_and_see_it_destroyed(vault):
    """Four processes that begin at once have one key between them; one destroyed here is gone there at once."""
    context = multiprocessing.get_context("fork")
    vault.seal(BO, b"")  # the parent's connection is open when the children are forked
    pipes, children = [], []
    for _ in range(4):
        here, there = context.Pipe()
        child = context.Process(target=_seal_in_a_child, args=(vault.path, ADA, there))
        child.start()
        pipes.append(here)
        children.append(child)
    assert {vault.open(ADA, pipe.recv()) for pipe in pipes} == {b"from a child"}
    assert vault.state(ADA).generation == 1
    vault.destroy(ADA)
    for pipe in pipes:
        pipe.send("look")
    assert [pipe.recv() for pipe in pipes] == ["destroyed"] * 4
    for child in children:
        child.join()


def test_a_vault_used_before_a_fork_is_used_after_it(vault):
    """The child opens a connection of its own: SQLite's must not cross a fork."""
    sealed = vault.seal(ADA, b"Ada")
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=lambda: there.send((vault.open(ADA, sealed), vault.destroy(ADA))))
    child.start()
    assert here.recv() == (b"Ada", 1)
    child.join()
    with pytest.raises(KeyDestroyed):
        vault.open(ADA, sealed)


def test_a_child_that_was_forked_while_a_thread_used_the_vault_uses_it_too(vault):
    """The thread is not in the child, and its lock is nobody's there."""
    sealed = vault.seal(ADA, b"Ada")
    used, done = threading.Event(), threading.Event()

    def use():
        with vault._opening():
            used.set()
            done.wait(60)

    thread = threading.Thread(target=use)
    thread.start()
    used.wait(60)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=lambda: there.send(vault.open(ADA, sealed)))
    child.start()
    try:
        assert here.poll(30)
        assert here.recv() == b"Ada"
    finally:
        child.kill()
        child.join()
        done.set()
        thread.join()


@pytest.mark.parametrize("change", ["seal", "seal_all", "destroy", "renew"])
def test_a_change_that_a_reader_kept_out_leaves_the_vault_usable(tmp_path, change):
    """It says so, and when the reader has gone it is made as if nothing had been: by this process and by others."""
    path = tmp_path / "subjects.sqlite"
    vault = Vault(path, patience=0.05)
    vault.seal(ADA, b"Ada")
    changes = {
        "seal": lambda: vault.seal(BO, b"Bo"),
        "seal_all": lambda: vault.seal_all([(BO, b"Bo", b"")]),
        "destroy": lambda: vault.destroy(BO),
        "renew": lambda: vault.renew(BO),
    }
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select * from keys").fetchall()
        with pytest.raises(VaultUnusable, match="locked"):
            changes[change]()
    other = Vault(path, patience=0.05)
    assert other.state(BO).state == "none"
    changes[change]()
    assert other.state(BO).state == ("destroyed" if change == "destroy" else "kept")
    vault.close()
    other.close()


def test_a_locked_vault_is_waited_for_as_long_as_is_asked_and_no_longer_than_its_patience(tmp_path):
    """Asked whether it can be used, before anything and after: it says for how long it was locked."""
    path = tmp_path / "subjects.sqlite"
    vault, fresh = Vault(path, patience=0.05), Vault(path, patience=0.05)
    vault.require_usable()
    vault.seal(ADA, b"Ada")
    vault.require_usable(patience=0.01)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        for one in (vault, fresh):
            for asked, waited in ((0.01, "0.01"), (None, "0.05"), (7, "0.05")):
                with pytest.raises(VaultUnusable, match=rf"is locked: another process used it for all of {waited} s"):
                    one.require_usable(patience=asked)
    vault.require_usable()
    vault.close()
    fresh.close()


def test_a_vault_that_is_away_is_not_made_anew(tmp_path):
    """A home that had one says so wherever it is looked for, and has its own again once it is back; only without the
    mark is another made."""
    settings = Settings.from_env({"DAYBOOK_HOME": str(tmp_path / "home")}, cwd=tmp_path)
    sealed = Vault.of(settings).seal(ADA, b"Ada")
    away = tmp_path / "away.sqlite"
    settings.vault.rename(away)
    for elsewhere in (settings, replace(settings, vault=tmp_path / "disk" / "subjects.sqlite")):
        vault = Vault.of(elsewhere)
        with pytest.raises(VaultUnusable, match="is not there, and this home has had one"):
            vault.seal(BO, b"Bo")
        with pytest.raises(VaultUnusable, match=r"remove .*vault\.mark: what was sealed stays unreadable"):
            vault.seal_all([(BO, b"Bo", b"")])
        with pytest.raises(VaultUnusable, match="Put it back, mount its disk"):
            vault.destroy(ADA)
        assert not elsewhere.vault.exists()
    away.rename(settings.vault)
    assert Vault.of(settings).open(ADA, sealed) == b"Ada"
    settings.vault.unlink()
    (settings.home / MARK).unlink()
    assert Vault.of(settings).seal(ADA, b"Ada")
    with pytest.raises(KeyMissing):
        Vault.of(settings).open(ADA, sealed)


def test_a_restored_vault_is_seen_by_who_has_the_old_one_open(vault, tmp_path):
    """The file that is there now counts, not the one that was opened."""
    sealed = vault.seal(ADA, b"Ada")
    backup = tmp_path / "backup.sqlite"
    assert vault.copy(backup) == 1
    vault.destroy(ADA)
    backup.replace(vault.path)
    assert vault.open(ADA, sealed) == b"Ada"


def test_a_copy_is_whole_and_its_owners_alone(vault, tmp_path):
    """It opens what the vault opens, has its tombstones, and is never written over a file."""
    sealed = vault.seal(ADA, b"Ada")
    vault.destroy(BO)
    path = tmp_path / "copy.sqlite"
    assert vault.copy(path) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    copy = Vault(path)
    assert copy.open(ADA, sealed) == b"Ada"
    assert copy.destroyed() == {BO: AT}
    copy.close()
    with pytest.raises(FileExistsError):
        vault.copy(path)


def test_the_file_and_its_folder_are_their_owners_alone(vault):
    """Mode 0600 in a folder of 0700, whatever the umask."""
    before = os.umask(0)
    try:
        vault.seal(ADA, b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(vault.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault.path.parent.stat().st_mode) == 0o700


def test_a_vault_that_is_closed_holds_no_file_and_opens_again(tmp_path):
    """Also in a folder that is yet to be made; nothing of it is open afterwards."""
    vault = Vault(tmp_path / "a" / "b" / "keys.sqlite")
    sealed = vault.seal(ADA, b"Ada")

    def opened() -> list[str]:
        return [file.path for file in psutil.Process().open_files() if file.path.startswith(str(vault.path))]

    assert opened()
    vault.close()
    assert opened() == []
    vault.close()
    assert vault.open(ADA, sealed) == b"Ada"
    vault.close()


def test_a_copy_that_fails_leaves_no_file(tmp_path):
    """What is no vault is not copied, and no half of a copy stays."""
    vault = Vault(tmp_path / "keys.sqlite")
    vault.path.write_bytes(b"no database" * 100)
    with pytest.raises(VaultUnusable):
        vault.copy(tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()


@pytest.mark.parametrize("subject", ["", "u" * 201, "a\nb", "\ud800", "a\0b"])
def test_a_subject_that_is_none_is_refused_without_being_repeated(vault, subject):
    """Nothing is entered for it, by no method."""
    for method in (lambda: vault.seal(subject, b""), lambda: vault.open(subject, b""), lambda: vault.destroy(subject),
                   lambda: vault.renew(subject), lambda: vault.state(subject)):  # fmt: skip
        with pytest.raises(BadParameter, match=f"{len(subject)} characters"):
            method()
    assert not vault.path.exists()
    assert vault.open("u" * 200, vault.seal("u" * 200, b"long")) == b"long"


def test_too_much_at_once_is_refused(vault):
    """The limit is 64 MiB, exactly."""
    with pytest.raises(BadParameter, match="67,108,865"):
        vault.seal(ADA, bytes((64 << 20) + 1))
    assert len(vault.seal(ADA, bytes(64 << 20))) == (64 << 20) + 9 + 12 + 16


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be one" * 30, None])
def test_a_file_that_is_no_vault_is_said_to_be_none(tmp_path, content):
    """It is neither written over nor taken for an empty one."""
    path = tmp_path / "keys.sqlite"
    path.write_bytes(content) if content else path.mkdir()
    vault = Vault(path)
    for method in (lambda: vault.seal(ADA, b""), lambda: vault.state(ADA), lambda: vault.destroy(ADA), vault.destroyed):
        with pytest.raises(VaultUnusable, match=r"keys\.sqlite") as caught:
            method()
        assert caught.value.http_status == 503
    assert content is None or path.read_bytes() == content


def test_the_vaults_place_is_a_setting(tmp_path):
    """In the home's folder of keys, or wherever it is said to be."""
    env = {"DAYBOOK_HOME": str(tmp_path)}
    assert Settings.from_env(env).vault == tmp_path / "keys" / "subjects.sqlite"
    assert Settings.from_env({**env, "DAYBOOK_VAULT": "/elsewhere/v.sqlite"}).vault.as_posix() == "/elsewhere/v.sqlite"


def test_a_vault_that_was_never_written_to_knows_nobody(tmp_path):
    """Asking makes no file."""
    vault = Vault(tmp_path / "keys" / "v.sqlite")
    assert (vault.states(), vault.destroyed(), vault.state("u-1").state) == ({}, {}, "none")
    assert isinstance(vault.open_all([("u-1", b"x" * 60, b"")])[0], SealBroken)
    assert not vault.path.parent.exists()


def test_a_copy_is_merged_person_by_person(tmp_path):
    """Whom this vault does not know comes with key or tombstone; whom it knows, kept, destroyed or renewed, stays as
    they are. Twice is the same as once; a copy that is not there has nobody."""
    here, there = (Vault(tmp_path / f"{name}.sqlite") for name in ("here", "there"))
    sealed = there.seal("new", b"hers", context=b"c")
    for subject in ("kept", "gone here"):
        there.seal(subject, b"x")
    there.destroy("gone there", "kept but gone there")
    mine = {subject: here.seal(subject, b"mine") for subject in ("kept", "kept but gone there")}
    here.destroy("gone here")
    before = here.states()
    assert here.merge(there.path) == 2
    assert here.merge(there.path) == 0
    assert here.merge(tmp_path / "none.sqlite") == 0
    assert here.states() == before | {subject: there.states()[subject] for subject in ("new", "gone there")}
    assert here.open("new", sealed, context=b"c") == b"hers"
    assert {here.open(subject, data) for subject, data in mine.items()} == {b"mine"}
    assert not (tmp_path / "none.sqlite").exists()
