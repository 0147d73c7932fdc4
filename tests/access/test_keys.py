"""API keys: hashed, private, never half-written, noticed at once."""

import resource
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daybook.access.keys import Keys
from daybook.clock import FixedClock
from daybook.errors import BadParameter, JournalFull, SettingsError
from daybook.records import Event, Record

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Kept:
    """A ledger that keeps what it is given, or has no room."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.full = False

    def append(self, record: Record) -> None:
        if self.full:
            raise JournalFull("The disk is full.")
        self.records.append(record)


@pytest.fixture
def ledger() -> Kept:
    return Kept()


@pytest.fixture
def keys(tmp_path: Path, ledger: Kept) -> Keys:
    return Keys(tmp_path / "home" / "keys.json", ledger=ledger, clock=FixedClock(NOON))


def test_a_key_opens_and_is_known_by_its_caller_and_project(keys):
    """The secret that `create` returned finds the key it belongs to, and no other secret does."""
    issued = keys.create("support-desk", "helpdesk", actor="cli:ada")
    assert keys.find(issued.secret) == issued.key
    assert (issued.key.name, issued.key.project, issued.key.created_at) == ("support-desk", "helpdesk", NOON)
    assert keys.find(issued.secret + "x") is None
    assert keys.find("") is None
    assert keys.find("db-\udcff") is None


def test_the_secret_is_long_and_kept_nowhere(keys):
    """256 random bits behind the prefix; neither the file nor a repr holds them."""
    issued = keys.create("analyst", actor="cli:ada")
    assert issued.secret.startswith("db-")
    assert len(issued.secret) == 3 + 43
    assert issued.secret not in keys.path.read_text()
    assert issued.secret[3:] not in keys.path.read_text()
    assert issued.secret not in repr(issued)


def test_the_files_are_the_owners_alone(keys):
    """Mode 0600 in a folder of mode 0700, also after a second write."""
    keys.create("a", actor="x")
    keys.create("b", actor="x")
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.path.with_suffix(".lock").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.path.parent.stat().st_mode) == 0o700
    assert sorted(p.name for p in keys.path.parent.iterdir()) == ["keys.json", "keys.lock"]


def test_a_revoked_key_is_refused_by_another_process_object_at_once(keys):
    """A reader that had the key in memory refuses it at its next look, with no restart and no waiting."""
    issued = keys.create("a", actor="x")
    endpoint = Keys(keys.path)
    assert endpoint.find(issued.secret) is not None
    keys.revoke(issued.key.id, actor="x")
    assert endpoint.find(issued.secret) is None
    assert [key.revoked_at for key in endpoint.list()] == [NOON]


def test_many_changes_in_one_clock_tick_are_all_noticed(keys):
    """Each of 200 makings and revokings in quick succession is seen: not the file's second is compared."""
    endpoint = Keys(keys.path)
    for i in range(100):
        issued = keys.create(f"caller{i}", actor="x")
        assert endpoint.find(issued.secret) is not None
        keys.revoke(issued.key.id, actor="x")
        assert endpoint.find(issued.secret) is None


def test_every_change_is_an_event(keys, ledger):
    """Making and revoking are in the audit trail with actor and key id; the secret is not."""
    issued = keys.create("a", "p", actor="cli:ada")
    keys.revoke(issued.key.id, actor="cli:eve")
    keys.revoke(issued.key.id, actor="cli:eve")
    events = [record for record in ledger.records if isinstance(record, Event)]
    assert [(e.actor, e.action, e.object) for e in events] == [
        ("cli:ada", "key.created", issued.key.id),
        ("cli:eve", "key.revoked", issued.key.id),
    ]
    assert issued.secret not in repr(events)


def test_a_key_whose_making_cannot_be_entered_is_not_made(keys, ledger):
    """No room in the journal: the error comes out and there is no key without an event."""
    ledger.full = True
    with pytest.raises(JournalFull):
        keys.create("a", actor="x")
    assert keys.list() == []


def test_a_revocation_stands_even_where_it_cannot_be_entered(keys, ledger):
    """Shutting a door must not depend on the disk having room for the note about it."""
    issued = keys.create("a", actor="x")
    ledger.full = True
    with pytest.raises(JournalFull):
        keys.revoke(issued.key.id, actor="x")
    assert keys.find(issued.secret) is None


def test_empty_means_that_no_key_was_ever_made(keys):
    """Revoking the last key does not make the endpoint one without keys."""
    assert keys.empty()
    keys.revoke(keys.create("a", actor="x").key.id, actor="x")
    assert not keys.empty()


@pytest.mark.parametrize("name", ["", " a", "a\nb", "x" * 65, "é", '{"a"}'])
def test_a_name_that_could_confuse_a_log_is_refused(keys, name):
    """Names are short and printable; the error says what is allowed."""
    with pytest.raises(BadParameter, match="1 to 64 letters"):
        keys.create(name, actor="x")


def test_an_unknown_id_names_the_next_step_and_never_repeats_a_secret(keys):
    """Whoever passes the secret instead of the id does not find it in the error."""
    issued = keys.create("a", actor="x")
    with pytest.raises(BadParameter, match="daybook keys list") as caught:
        keys.revoke(issued.secret, actor="x")
    assert issued.secret not in str(caught.value)


def test_a_key_revoked_again_stays_as_it_was(keys, ledger, tmp_path):
    """No error, no second event, and the moment of the first revocation is what is returned and kept."""
    issued = keys.create("a", "helpdesk", admin=True, actor="x")
    revoked = keys.revoke(issued.key.id, actor="x")
    assert revoked == replace(issued.key, revoked_at=NOON)
    before, entered = keys.path.read_bytes(), list(ledger.records)
    later = Keys(keys.path, ledger=ledger, clock=FixedClock(NOON + timedelta(days=1)))
    assert later.revoke(issued.key.id, actor="y") == revoked
    assert (keys.path.read_bytes(), ledger.records) == (before, entered)
    assert later.list() == [revoked]
    assert later.former(issued.secret) == revoked


def test_another_processs_first_key_is_noticed(keys):
    """Whether any key was made is read anew each time, also where only that is asked."""
    endpoint = Keys(keys.path)
    assert endpoint.empty()
    keys.create("a", actor="x")
    assert not endpoint.empty()
    keys.path.unlink()
    assert endpoint.empty()


@pytest.mark.parametrize(("length", "shown"), [(79, 79), (80, 80), (81, 80), (1_000, 80)])
def test_no_more_than_80_characters_are_repeated(keys, length, shown):
    """Of an id there is none of, and of a name or project that cannot be one."""
    with pytest.raises(BadParameter, match=f"No key has the id '-{{{shown}}}'\\."):
        keys.revoke("-" * length, actor="x")
    with pytest.raises(BadParameter, match=f"^'-{{{shown}}}' cannot be the name of a key"):
        keys.create("-" * length, actor="x")
    with pytest.raises(BadParameter, match=f"^'-{{{shown}}}' cannot be the project of a key"):
        keys.create("a", "-" * length, actor="x")


@pytest.mark.parametrize("place", ["a file where the folder should be", "a folder where the lock should be"])
@pytest.mark.parametrize("change", ["create", "revoke"])
def test_a_lock_that_cannot_be_had_is_no_success(tmp_path, ledger, place, change):
    """The error names the file and what to do; nothing is entered."""
    if place.startswith("a file"):
        (tmp_path / "home").write_text("")
    else:
        (tmp_path / "home" / "keys.lock").mkdir(parents=True)
    keys = Keys(tmp_path / "home" / "keys.json", ledger=ledger, clock=FixedClock(NOON))
    with pytest.raises(SettingsError, match=r"home/keys\.json cannot be written.*The keys are as they were"):
        keys.revoke("k1", actor="t") if change == "revoke" else keys.create("bob", actor="t")
    assert ledger.records == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 2, "keys": []}', b'{"version": 1, "keys": [{}]}', b"[]"])
def test_a_damaged_file_lets_nobody_in_and_is_not_written_over(keys, content):
    """Unreadable is an error, not an empty list: otherwise damage would open the endpoint, or wipe the keys."""
    keys.create("a", actor="x")
    keys.path.write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be used"):
        keys.find("db-anything")
    with pytest.raises(SettingsError):
        keys.create("b", actor="x")
    assert keys.path.read_bytes() == content


@pytest.mark.slow
def test_writers_in_several_processes_lose_nothing(tmp_path):
    """Four processes make 25 keys each at once: 100 keys, each once."""
    program = (
        "import sys; from pathlib import Path; from daybook.access.keys import Keys\n"
        "keys = Keys(Path(sys.argv[1]))\n"
        "for i in range(25): keys.create(f'{sys.argv[2]}.{i}', actor='x')\n"
    )
    path = tmp_path / "keys.json"
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path), f"w{n}"]) for n in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    names = [key.name for key in Keys(path).list()]
    assert sorted(names) == sorted(f"w{n}.{i}" for n in range(4) for i in range(25))


def test_a_temporary_file_left_by_a_killed_writer_is_no_obstacle(keys):
    """What a kill leaves beside the file is never read."""
    keys.create("a", actor="x")
    keys.path.with_name(f".{keys.path.name}.1-0").write_bytes(b'{"version": 1, "ke')
    keys.create("b", actor="x")
    assert [key.name for key in Keys(keys.path).list()] == ["a", "b"]


@pytest.mark.parametrize("change", ["create", "revoke"])
def test_a_change_that_cannot_be_written_is_no_success(keys, ledger, change):
    """The file cannot grow: the caller is told so, nothing is entered, and the keys are as they were."""
    issued = keys.create("ada", actor="t")
    entered, before = list(ledger.records), keys.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(SettingsError, match="cannot be written"):
            keys.revoke(issued.key.id, actor="t") if change == "revoke" else keys.create("bob", actor="t")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (ledger.records, keys.path.read_bytes()) == (entered, before)
    assert keys.find(issued.secret) == issued.key


def test_a_key_opens_until_it_expires(keys):
    """At that moment it is none any more, and still known as what it was; the file is not touched for it."""
    issued = keys.create("contractor", expires_at=NOON + timedelta(days=90), actor="cli:ada")
    clock = keys._clock
    clock.at = NOON + timedelta(days=90) - timedelta(microseconds=1)
    assert keys.find(issued.secret) == issued.key
    clock.at = NOON + timedelta(days=90)
    assert keys.find(issued.secret) is None
    assert keys.former(issued.secret) == issued.key
    assert keys.list() == [issued.key]
    assert Keys(keys.path).list()[0].expires_at == NOON + timedelta(days=90)


@pytest.mark.parametrize("moment", [NOON, NOON - timedelta(seconds=1)])
def test_a_key_for_a_moment_that_is_over_is_not_made(keys, moment):
    """It would open nothing."""
    with pytest.raises(BadParameter, match="is over"):
        keys.create("late", expires_at=moment, actor="cli:ada")
    assert keys.list() == []


def test_a_rotated_key_opens_beside_the_new_one_and_then_no_more(keys, ledger):
    """The same caller, project and rights under a new id; the event names both."""
    old = keys.create("night-batch", "helpdesk", admin=True, privacy=True, actor="cli:ada")
    new = keys.rotate(old.key.id, overlap=timedelta(hours=24), actor="cli:bob")
    assert new.secret != old.secret
    assert (new.key.name, new.key.project, new.key.admin, new.key.privacy) == ("night-batch", "helpdesk", True, True)
    assert (new.key.expires_at, new.key.created_at) == (None, NOON)
    assert keys.find(old.secret).id == old.key.id
    assert keys.find(new.secret) == new.key
    keys._clock.at = NOON + timedelta(hours=24)
    assert keys.find(old.secret) is None
    assert keys.find(new.secret) == new.key
    event = ledger.records[-1]
    assert (event.action, event.actor, event.object) == ("key.rotated", "cli:bob", new.key.id)
    assert (event.details["former"], event.details["until"]) == (old.key.id, "2026-11-25T12:00:00+00:00")
    with pytest.raises(BadParameter, match="opens nothing any more"):
        keys.rotate(old.key.id, overlap=timedelta(hours=1), actor="cli:bob")


def test_rotating_does_not_prolong_a_key(keys):
    """One that expires in an hour does so."""
    old = keys.create("a", expires_at=NOON + timedelta(hours=1), actor="cli:ada")
    keys.rotate(old.key.id, overlap=timedelta(hours=24), actor="cli:ada")
    assert keys.list()[0].expires_at == NOON + timedelta(hours=1)


def test_what_cannot_be_rotated_is_left_as_it_was(keys, ledger):
    """An unknown id, a revoked key, a journal without room: nobody gets a secret, and the old one opens as before."""
    old = keys.create("a", actor="cli:ada")
    with pytest.raises(BadParameter, match="No key has the id"):
        keys.rotate("k0", overlap=timedelta(hours=1), actor="cli:ada")
    ledger.full = True
    with pytest.raises(JournalFull):
        keys.rotate(old.key.id, overlap=timedelta(hours=1), actor="cli:ada")
    assert keys.list() == [old.key]
    assert keys.find(old.secret) == old.key
    ledger.full = False
    keys.revoke(old.key.id, actor="cli:ada")
    with pytest.raises(BadParameter, match="opens nothing any more"):
        keys.rotate(old.key.id, overlap=timedelta(hours=1), actor="cli:ada")


def test_a_file_of_before_is_read(keys):
    """Keys that were written when none could expire."""
    keys.create("a", actor="cli:ada")
    text = keys.path.read_text()
    keys.path.write_text(text.replace('"expires_at": null,', ""))
    assert "expires_at" not in keys.path.read_text()
    assert Keys(keys.path).list()[0].expires_at is None
