"""A backup that somebody deleted: on whose word it is not searched any more, and what is refused."""

import json
import shutil

import pytest

from daybook.book.trail.names import reference
from daybook.cli import main
from daybook.errors import BadParameter
from daybook.rights.backups import backup, key_copies, register
from daybook.rights.backups.deletion import confirm_deleted
from daybook.rights.erasure.erasures import Erasures
from daybook.vault import Vault
from tests.rights.conftest import ADA, WORDS

REASON = "over 90 days old"


@pytest.fixture
def book_url(tmp_path):
    """What is noted of backups is noted in files: one database is enough."""
    return f"duckdb:///{tmp_path / 'home' / 'book.duckdb'}"


def confirm(place, folder):
    return confirm_deleted(place.settings, place.book, folder, by="cli:ada", reason=REASON)


def test_what_is_deleted_is_not_out_of_reach_and_the_certificate_says_on_whose_word(place, made):
    """Data and keys each by themselves; the trail has who, why and which; a plan lists neither any more."""
    folder, keys = made
    home = place.settings.home
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    shutil.rmtree(folder)
    shutil.rmtree(keys)
    assert erasures.plan(ADA).unreachable == (str(folder),)
    assert confirm(place, folder) == ["2026-03-01"]
    assert (register.known(home), register.key_folders(home)) == ([], [keys])
    assert confirm(place, keys) == ["2026-03-01"]
    assert (register.known(home), register.key_folders(home)) == ([], [])
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    assert erasures.plan(ADA).unreachable == ()
    limits = json.loads(erasures.execute(ADA, **WORDS).certificate.read_text())["limits"]
    assert [limit for limit in limits if "deleted" in limit] == [
        f"A backup that stood in {folder}, made on 2026-03-01, was not searched: cli:ada entered on 2026-03-01 that it "
        "is deleted.",
        f"Keys that were backed up to {keys} on 2026-03-01 were not looked at: cli:ada entered on 2026-03-01 that they "
        "are deleted.",
    ]
    assert not any("could not be reached" in limit or "was not there" in limit for limit in limits)
    query = "select actor, object, reason, details from events where action = 'backup.deleted' order by time, id"
    assert [tuple(row.values()) for row in place.book.rows(query)] == [
        ("cli:ada", "backup", REASON, {"made_on": ["2026-03-01"], "backups": 1, "keys": 0}),
        ("cli:ada", "safe", REASON, {"made_on": ["2026-03-01"], "backups": 0, "keys": 1}),
    ]


def test_what_is_back_in_its_place_is_searched_all_the_same(place, made):
    """Whoever said that it was deleted was wrong: nothing of the person is left in it, nor the key in its keys."""
    folder, keys = made
    for path in (folder, keys):
        path.rename(path.with_name(f"moved-{path.name}"))
        confirm(place, path)
    for path in (folder, keys):
        path.with_name(f"moved-{path.name}").rename(path)
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    assert place.ada.encode() not in (folder / "subjects.parquet").read_bytes()
    assert reference(place.settings.home, place.ada) in (folder / "manifest.json").read_text()
    assert Vault(keys / key_copies.VAULT).state(place.ada).state == "destroyed"


def test_of_several_in_one_place_those_that_are_gone_are_entered(place, made):
    """The one that stands there stays known; once it is gone, too, it alone is entered."""
    folder, keys = made
    for n in range(2):
        shutil.move(folder, f"{folder}-{n}")
        shutil.move(keys, f"{keys}-{n}")
        backup.make(place.settings, place.book, place.vault, folder, keys=keys, clock=place.clock)
    assert len(register.replaced(place.settings.home)[0]) == 1
    confirm(place, folder)
    deleted = [entry.deleted is not None for entry in register.read(place.settings.home)]
    assert deleted == [True, True, False]
    assert register.known(place.settings.home) == [folder]
    assert register.replaced(place.settings.home) == ([], [f"{keys}, 2 in number, made on 2026-03-01"])
    with pytest.raises(BadParameter, match="There is something in"):
        confirm(place, folder)
    shutil.rmtree(folder)
    confirm(place, folder)
    assert [entry.keys_deleted for entry in register.read(place.settings.home)] == [None] * 3
    assert register.known(place.settings.home) == []


def test_what_was_never_there_is_refused_and_nothing_is_entered(place, made, tmp_path, monkeypatch, capsys):
    """A place nobody knows, one that is entered already, one that is full, and no reason: by the command as well."""
    folder, keys = made
    before = (place.settings.home / "rights" / "backups.json").read_bytes()
    with pytest.raises(BadParameter, match="No backup and no keys") as refused:
        confirm(place, tmp_path / "nowhere")
    assert refused.value.remedy == f"Known are: {folder}, {keys}."
    with pytest.raises(BadParameter, match="There is something in"):
        confirm(place, keys)
    shutil.rmtree(folder)
    for reason in ("", " ", "x" * 1_001):
        with pytest.raises(BadParameter, match=f"The reason has {len(reason):,} characters"):
            confirm_deleted(place.settings, place.book, folder, by="x", reason=reason)
    assert (place.settings.home / "rights" / "backups.json").read_bytes() == before
    assert place.book.rows("select count(*) as n from events where action = 'backup.deleted'") == [{"n": 0}]
    monkeypatch.setenv("DAYBOOK_HOME", str(place.settings.home))
    assert main(["backup", str(folder)]) == 2
    assert "--keys FOLDER" in capsys.readouterr().err
    assert main(["backup", str(folder), "--deleted"]) == 2
    assert main(["backup", str(folder), "--deleted", "--reason", "x" * 1_000]) == 0
    assert capsys.readouterr().out == f"Entered as deleted: what stood in {folder}, made on 2026-03-01.\n"
    assert main(["backup", str(folder), "--deleted", "--reason", "again"]) == 2
    assert f"Known are: {keys}." in capsys.readouterr().err
