"""What is due goes, what is on hold stays, and nothing goes that no file says."""

import json
import os
import re
from datetime import datetime, timedelta

import pytest

from daybook.audit.seals import seals
from daybook.audit.trail import Trail
from daybook.audit.verification.whole import verify
from daybook.errors import BadParameter, GateNotMet, SettingsError
from daybook.rights.analytics import anonymised
from daybook.rights.backups import backup
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.people import erased, identify
from daybook.rights.retention import Retention, read
from daybook.rights.standing import Standings
from daybook.vault import Vault
from tests.rights.conftest import ADA, AT, BO, BOS, call


def retention(place):
    return Retention(place.settings.home, place.book, trail(place), place.clock)


def trail(place):
    return Trail(place.book.journal, place.settings.home, clock=place.clock)


def write(place, text):
    (place.settings.home / "retention.yml").write_text(text)


def test_without_a_file_nothing_is_ever_due(place):
    assert retention(place).due() == []
    assert retention(place).apply(by="flow") == []
    assert place.book.rows("select count(*) as n from calls where prompt is not null")[0]["n"] == 6


def test_only_what_is_older_goes_and_only_of_its_class(place):
    """At the limit it stays, a second older it goes; each class takes its own columns."""
    now = place.clock.now()
    for age in (timedelta(days=90), timedelta(days=90, seconds=1), timedelta(days=400)):
        place.book.append(call(place.bo, BOS, f"{age.days} {age.seconds}", now - age))
    write(place, "content: 90\nidentity: 365\n")
    due = retention(place).due()
    assert [(d.name, d.count, d.held) for d in due] == [("content", 2, 0), ("identity", 1, 0), ("day keys", 0, 0)]
    assert place.book.rows("select count(*) as n from calls where prompt is not null")[0]["n"] == 9
    assert retention(place).apply(by="flow") == due
    rows = [row for row in place.calls() if row["time"] < AT - timedelta(days=1)]
    assert [(r["answer"], r["subject"], r["prompt_hash"] is None, r["tags"]) for r in rows] == [
        (None, None, True, {}), (None, place.bo, False, {"desk": "3"}), ("90 0", place.bo, False, {"desk": "3"}),
    ]  # fmt: skip
    assert [d.count for d in retention(place).due()] == [0, 0, 0]
    events = place.book.rows("select actor, object, details from events where action = 'retention.applied' order by id")
    assert [(e["actor"], e["object"], e["details"]["changed_rows"]) for e in events] == [
        ("flow", "content", {"calls": {"personal": 2}}), ("flow", "identity", {"calls": {"personal": 1}}),
    ]  # fmt: skip


def test_content_that_nobody_could_name_the_key_of_goes_with_the_identity(place):
    """What was said in a person's call is sealed under the person's key; what was said in nobody's stays."""
    place.book.append(call(None, BOS, "Nobody's.", AT - timedelta(days=40)))
    place.book.append(call(place.bo, BOS, "Bo's.", AT - timedelta(days=40)))
    write(place, "identity: 30\n")
    assert [d.count for d in retention(place).apply(by="flow")] == [2]
    old = [row for row in place.calls() if row["time"] < AT - timedelta(days=1)]
    assert sorted(((row["subject"], row["prompt"] is None, row["answer"]) for row in old), key=str) == [
        (None, False, "Nobody's."), (None, True, None),
    ]  # fmt: skip


def test_a_legal_hold_wins(place):
    """Nothing of the person goes; how much is kept for that is said; once it ends, it goes."""
    holds = Standings(place.book, trail(place), place.clock)
    holds.hold(ADA, reason="case 12", by="counsel")
    write(place, "content: 0\nidentity: 0\n")
    (content, identity, _) = retention(place).apply(by="flow")
    assert [(d.count, d.held) for d in (content, identity)] == [(3, 3), (3, 3)]
    rows = place.book.rows("select subject, prompt from calls where prompt is not null")
    assert {row["subject"] for row in rows} == {place.ada}
    holds.release(ADA, reason="settled", by="counsel")
    assert [d.count for d in retention(place).apply(by="flow")] == [3, 3, 0]
    assert place.book.rows("select count(*) as n from calls where subject is not null")[0]["n"] == 0


def test_a_days_key_goes_once_all_of_the_day_is_over_its_limit(place, tmp_path):
    """Of calls about nobody: at the limit it goes, a second before it stays; in the backed-up keys too; what a hold
    keeps under one, and a person's key, stay; the trail has how many, and no day is taken for an erased person."""
    midnight = AT.replace(hour=0)
    days = [(midnight - timedelta(days=age)).date().isoformat() for age in (31, 32, 33)]
    for day, words in zip(days, ("First.", "Second.", "Third."), strict=True):
        place.book.append(call(None, BOS, words, datetime.fromisoformat(f"{day}T23:59:59+00:00")))
    place.book.append(call(None, BOS, "Of no day.", AT))
    place.book.drain()
    with place.book.store.writing() as writer:  # whoever is on hold has something under a day's key
        writer.execute(f"update calls set subject = '{place.ada}' where time < timestamptz '{days[1]}'")
    Standings(place.book, trail(place), place.clock).hold(ADA, reason="case 12", by="counsel")
    keys = tmp_path / "keys"
    backup.make(place.settings, place.book, place.vault, tmp_path / "b", keys=keys, clock=place.clock)
    for text, moment, gone in (
        ("logs: 183\n", midnight, []),
        ("content: 30\n", midnight - timedelta(seconds=1), days[1:2]),
        ("content: 183\nlogs: 183\n", midnight + timedelta(days=152, seconds=-1), days[1:2]),
        ("content: 30\nlogs: 183\n", midnight, days[:2]),
    ):
        write(place, text)
        place.clock.at = moment
        before = {day for day in days if place.vault.state(f"day:{day}").state == "destroyed"}
        (due,) = (d for d in retention(place).due() if d.name == "day keys")
        assert due.count == len(set(gone) - before), text
        assert due.held == (text != "logs: 183\n"), text
        assert [d for d in retention(place).apply(by="flow") if d.name == "day keys"] == [due]
        for vault in (place.vault, Vault(keys / "subjects.sqlite")):
            states = {name: state.state for name, state in vault.states().items()}
            assert {name.removeprefix("day:") for name in states if states[name] == "destroyed"} == set(gone), text
    assert states[place.bo] == "kept"
    answers = {row["answer"] for row in place.calls()}
    assert "Third." in answers
    assert "Of no day." in answers
    assert not {"First.", "Second."} & answers
    query = "select details from events where action = 'retention.applied' and object = 'day keys' order by time, id"
    entered = [(row["details"]["count"], row["details"]["held"]) for row in place.book.rows(query)]
    assert entered == [(1, 1), (1, 1)]
    assert erased(place.vault) == {}
    assert Erasures(place.settings, place.book, place.vault, place.clock).came_back() == {}


def test_where_a_hold_was_edited_nothing_goes(place):
    """Taken away, given other words, or put in for somebody: neither shown as due nor let go, and the trail has that it
    was refused. Entered once more, or ended, the holds win again."""
    holds = Standings(place.book, trail(place), place.clock)
    holds.consent(BO, "training", given=True, source="form", by="dpo")
    write(place, "content: 0\n")
    refusals = []
    for who, edit in (
        (ADA, "update subjects set details = '{}' where id = 'them'"),
        (ADA, "update subjects set details = null where id = 'them'"),
        (ADA, "delete from subjects where id = 'them'"),
        (ADA, """update subjects set details = '{"hold": {"reason": "case 13"}}' where id = 'them'"""),
        (BO, """update subjects set details = '{"hold": {"reason": "x"}}' where id = 'them'"""),
    ):
        holds.hold(ADA, reason="case 12", by="counsel")
        holds.release(BO, reason="there is none", by="counsel")
        assert next((d.count, d.held) for d in retention(place).due()) == (3, 3)
        with place.book.store.writing() as writer, writer.transaction():
            writer.execute(edit.replace("them", place.ada if who == ADA else place.bo))
        name = identify(place.book.home, who).reference
        words = re.escape(f"What the book has of {name} is not what the trail says was entered: hold")
        for refused in (retention(place).due, lambda: retention(place).apply(by="flow")):
            with pytest.raises(GateNotMet, match=words) as told:
                refused()
            assert "Nothing was let go." in told.value.remedy
        refusals.append({"actor": "flow", "outcome": "refused", "details": {"why": told.value.message}})
    assert place.book.rows("select count(*) as n from calls where prompt is not null")[0]["n"] == 6
    query = "select actor, outcome, details from events where action = 'retention.refused' order by time, id"
    assert place.book.rows(query) == refusals


def test_logs_that_go_are_accounted_for(place):
    """The rows are gone from book and file; the book's check and the trail's find nothing wrong."""
    for n in range(4):
        place.book.append(call(place.bo, BOS, "Old words of a winter", AT - timedelta(days=200 + n)))
    place.book.drain()
    seals.make(place.book, place.settings.reports, AT.date(), actor="x")
    write(place, "logs: 183\n")
    assert [(d.name, d.count) for d in retention(place).apply(by="flow")] == [("logs", 4), ("day keys", 0)]
    assert place.book.rows("select count(*) as n from calls")[0]["n"] == 6
    assert [c.name for c in place.book.check() if c.level == "wrong"] == []
    assert verify(place.book, place.settings.reports).problems == []
    for path in place.book.store.files():
        assert b"Old words of a winter" not in path.read_bytes()


def test_rows_of_trainings_that_are_over_and_old_exports_go(place):
    """Of one that still runs they stay; a file that the trail knows of and that is no table stays, too."""
    job = place.settings.home / "finetune" / "ft-000000000001"
    export = place.settings.home.parent / "calls.csv"
    old = (place.clock.now() - timedelta(days=31)).timestamp()
    for path in (job / "data.jsonl", export):
        os.utime(path, (old, old))
    write(place, "training: 30\nexports: 30\n")
    os.utime(place.settings.home.parent / "calls.parquet", (place.clock.now().timestamp(),) * 2)
    assert [(d.name, d.count) for d in retention(place).due()] == [("training", 0), ("exports", 1)]
    (job / "job.json").write_text(json.dumps({"state": "completed"}))
    assert [(d.name, d.count) for d in retention(place).apply(by="flow")] == [("training", 1), ("exports", 1)]
    assert not (job / "data.jsonl").exists()
    assert not export.exists()
    assert (place.settings.home.parent / "calls.parquet").exists()


@pytest.mark.parametrize(
    "text",
    ["logs: 182", "logs: 0", "content: -1", "content: 36501", "content: soon", "content: true", "content: 1.5",
     "events: 30", "- content", "content: [1]", "\tx", "{"],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_lets_nothing_go(tmp_path, text):
    """It is said what may be written; logs are kept for six months at least."""
    (tmp_path / "retention.yml").write_text(text)
    with pytest.raises(SettingsError, match=r"retention\.yml"):
        read(tmp_path)


def test_what_is_no_class_is_named(tmp_path):
    """The first of them, not a text of any length, and every class that there is."""
    (tmp_path / "retention.yml").write_text(f"content: 30\nevents: 30\n{'x' * 90}: 1\n")
    with pytest.raises(SettingsError, match="names 'events', which is no class of data") as refused:
        read(tmp_path)
    assert "content, identity, logs, training, exports" in refused.value.remedy


def test_the_limits_themselves_are_allowed(tmp_path):
    (tmp_path / "retention.yml").write_text("logs: 183\ncontent: 0\nidentity: 36500\n")
    assert read(tmp_path) == {"content": 0, "identity": 36500, "logs": 183}


def test_no_figure_is_about_fewer_than_k(place):
    """Cells under k are left out, and so is one more where one alone would be; counts are rounded; who withdrew
    consent to analytics is not counted."""
    for n in range(11):
        place.book.append(call(f"u-{n:032x}", "q", "a"))
    for n in range(12, 18):
        for _ in range(3):
            place.book.append(call(f"u-{n:032x}", "q", "a"))
    table = anonymised(place.book, k=6)  # 11 persons with 1 call; Ada, Bo and 6 others with 3
    assert [(c.month, c.model, c.band, c.persons, c.calls) for c in table.cells] == [
        ("2026-03", "m", "1 call", 10, 11), ("2026-03", "m", "2 to 5 calls", 5, 24),
    ]  # fmt: skip
    assert table.suppressed == 0
    standings = Standings(place.book, trail(place), place.clock)
    for who in (ADA, BO):
        standings.consent(who, "analytics", given=False, source="form", by="dpo")
    assert [c.calls for c in anonymised(place.book, k=6).cells] == [11, 18]
    table = anonymised(place.book, k=7)  # one cell alone would be left out: so is the other
    assert (table.cells, table.suppressed) == ((), 2)
    with pytest.raises(BadParameter):
        anonymised(place.book, k=4)
    assert len(anonymised(place.book, k=5).cells) == 2


def test_at_the_limit_a_file_stays_and_so_does_a_training_nobody_can_tell_the_end_of(place):
    """Older by the least that a file's time has, it goes; a job whose state cannot be read, or is not over, keeps its
    rows."""
    home = place.settings.home
    until = (place.clock.now() - timedelta(days=30)).timestamp()
    for name, state in (("over", '{"state": "completed"}'), ("torn", '{"sta'), ("running", '{"state": "running"}')):
        (home / "finetune" / f"ft-{name}").mkdir(parents=True)
        (home / "finetune" / f"ft-{name}" / "job.json").write_text(state)
        for file, moment in (("at.jsonl", until), ("older.jsonl", until - 1)):
            path = home / "finetune" / f"ft-{name}" / file
            path.write_text("{}\n")
            os.utime(path, (moment, moment))
    write(place, "training: 30\n")
    (due,) = retention(place).apply(by="flow")
    assert (due.count, due.held) == (1, 0)
    assert due.to_dict() == {
        "name": "training", "days": 30, "until": (place.clock.now() - timedelta(days=30)).isoformat(), "count": 1,
        "held": 0,
    }  # fmt: skip
    left = sorted(str(path.relative_to(home / "finetune")) for path in home.glob("finetune/ft-[otr]*/*.jsonl"))
    assert left == ["ft-over/at.jsonl", *(f"ft-{n}/{f}.jsonl" for n in ("running", "torn") for f in ("at", "older"))]


def test_why_logs_are_kept_for_six_months_is_said_of_logs_alone(place):
    """The message has the days that were written, and the least of the class."""
    for text, least, six in (("logs: 182\n", "from 183 to 36,500", True), ("content: -1\n", "from 0 to 36,500", False)):
        write(place, text)
        with pytest.raises(SettingsError) as told:
            read(place.settings.home)
        assert least in told.value.remedy
        assert ("AI Act" in told.value.remedy) == six
