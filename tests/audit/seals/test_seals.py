"""Seals, and what is found that was done to rows, reports and seals after they were sealed: in both databases."""

from __future__ import annotations

import contextlib
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import orjson
import psycopg
import pytest

from daybook.audit import signing
from daybook.audit.seals import changes, rows, seals
from daybook.audit.verification.verdict import TrailVerdict
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.trail import keys
from daybook.clock import FixedClock, new_id
from daybook.digest import digest_bytes, digest_file
from daybook.errors import BadDate, SettingsError
from daybook.records import Call, Event, Finding, ModelAlias, Run

FIRST, SECOND = date(2026, 11, 20), date(2026, 11, 21)
NIGHT = datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
TABLES = ("events", "audit_chain", "calls", "findings", "runs", "model_aliases", "journal_files")


def call(number: int, day: date, **more: object) -> Call:
    values = {"cost": Decimal("0.001") * number, "latency": 0.1 * number, "tags": {"b": "1", "a": "2"}} | more
    return Call(
        id=f"c{number:03d}",
        request_id=f"r{number}",
        at=datetime(day.year, day.month, day.day, 12, number % 60, tzinfo=UTC),
        endpoint="/v1/chat/completions",
        requested_model="m",
        status="ok",
        subject="ada",
        prompt="What is Ada's address?",
        **values,  # type: ignore[arg-type]  # fields of a call
    )


@dataclass
class Sealed:
    book: Book
    reports: Path
    clock: FixedClock

    def edit(self, *statements: str) -> None:
        with self.book.store.writing() as writer, writer.transaction():
            for statement in statements:
                writer.execute(statement)

    def verify(self) -> TrailVerdict:
        return verify(self.book, self.reports)

    def found(self) -> list[tuple[str, str]]:
        return [(problem.kind, problem.where) for problem in self.verify().problems]


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """Two days of calls and more, each day sealed in the night after, a report a day."""
    folder = tmp_path_factory.mktemp("sealed")
    home, reports = folder / "home", folder / "reports"
    url = f"duckdb:///{home / 'book.duckdb'}"
    if request.param == "postgres":
        server, name = request.getfixturevalue("postgres_server"), f"t_{uuid.uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"create database {name}")
        url = server.replace("/postgres?", f"/{name}?")
    clock = FixedClock(NIGHT - timedelta(days=1))
    with Book(url, home, clock=clock) as book:
        sealed = Sealed(book, reports, clock)
        for day, start in ((FIRST, 1), (SECOND, 11)):
            moment = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
            for number in range(start, start + 10):
                book.append(call(number, day))
            book.append(Finding(id=f"f{start}", run_id="interactive-1", at=moment, name="x", value=0.5, unit="USD"))
            book.append(Event(id=f"e{start}", at=moment, actor="dpo", action="content.read"))
            book.append(Run(id=f"run{start}", notebook="costs", logical_date=day, state="completed", started_at=moment))
            alias = ModelAlias(id=f"a{start}", at=moment, model="m", alias="live", version=1, actor="ops")
            book.append(alias)
            report = reports / "costs" / day.isoformat() / f"run{start}.html"
            report.parent.mkdir(parents=True)
            report.write_text("<p>12.34 USD")
            seals.make(book, reports, day, actor="night")
            clock.at = NIGHT
        book.drain()
        sealed.edit(*(f"create table {table}_copy as select * from {table}" for table in TABLES))
        shutil.copytree(home / "audit", home / "audit_copy")
        shutil.copytree(reports, home / "reports_copy")
        yield sealed


@pytest.fixture
def sealed(filled: Sealed) -> Sealed:
    """The same, as it was after the second seal."""
    home = filled.book.home
    filled.book.journal.close()
    for path in (home / "journal").glob("*.jsonl"):
        path.unlink()
    filled.edit(*(f"delete from {table}" for table in TABLES))
    filled.edit(*(f"insert into {table} select * from {table}_copy" for table in TABLES))
    for copy, place in ((home / "audit_copy", home / "audit"), (home / "reports_copy", filled.reports)):
        shutil.rmtree(place)
        shutil.copytree(copy, place)
    filled.clock.at = NIGHT
    return filled


def test_what_was_not_touched_is_proven(sealed: Sealed) -> None:
    """Every table, seal, report and entry was compared, and nothing is found."""
    verdict = sealed.verify()
    assert (verdict.state, verdict.problems, verdict.seals, verdict.entries) == ("proven", [], 2, 4)
    assert +verdict.rows == {"calls": 20, "findings": 2, "runs": 2, "model_aliases": 2}
    assert (dict(verdict.late), verdict.unchecked.total(), verdict.accounted.total()) == ({}, 0, 0)


def test_a_seal_says_what_it_seals(sealed: Sealed) -> None:
    """The second seal has the second day's rows, entries and reports, and follows on the first."""
    first, second = seals.load(sealed.book.home)
    document = dict(second.document)
    assert document.pop("signature")
    assert document == {
        "format": "daybook seal 1",
        "book": sealed.book.rows("select id from book_identity")[0]["id"],
        "number": 2,
        "previous": first.digest,
        "day": "2026-11-21",
        "until": "2026-11-22T00:00:00+00:00",
        "sealed_at": "2026-11-22T00:30:00+00:00",
        "chain": {
            "first": 2,
            "last": 3,
            "entries": 2,
            "link": sealed.book.rows("select link from audit_chain where seq = 3")[0]["link"],
            "digests": document["chain"]["digests"],
        },
        "tables": {
            table: {"rows": n, "digest": digest_file(second.rows_path(table))}
            for table, n in zip(rows.SEALED, (10, 1, 1, 0, 1, 0), strict=True)
        },
        "reports": {"costs/2026-11-21/run11.html": digest_bytes(b"<p>12.34 USD")},
        "signer": signing.public_key(sealed.book.home),
    }
    assert [row["action"] for row in sealed.book.rows("select action from events order by time, id")] == [
        "content.read",
        "trail.sealed",
        "content.read",
        "trail.sealed",
    ]


def test_an_edited_row_is_named(sealed: Sealed) -> None:
    """Whatever column of whatever table: the row and its seal are named, and nothing else is."""
    sealed.edit(
        "update calls set latency = latency + 1e-9 where id = 'c001'",
        "update calls set time = time + interval '9 days' where id = 'c005'",
        "update calls set cost = 9 where id = 'c007'",
        "delete from calls where id = 'c009'",
        "update calls set cost = null where id = 'c017'",
        "update calls set prompt = 'x' where id = 'c020'",
        "update findings set value = 0.51 where id = 'f11'",
        "update model_aliases set version = 2 where id = 'a1'",
        "update runs set state = 'failed' where id = 'run1'",
    )
    verdict = sealed.verify()
    assert verdict.state == "changed"
    assert sorted((problem.kind, problem.where) for problem in verdict.problems) == [
        ("changed", "calls c001, sealed by seal 1"),
        ("changed", "calls c007, sealed by seal 1"),
        ("changed", "calls c017, sealed by seal 2"),
        ("changed", "calls c020, sealed by seal 2"),
        ("changed", "findings f11, sealed by seal 2"),
        ("changed", "model_aliases a1, sealed by seal 1"),
        ("changed", "runs run1, sealed by seal 1"),
        ("removed", "calls c005, sealed by seal 1"),
        ("removed", "calls c009, sealed by seal 1"),
        ("removed", "the book"),
    ]


def test_a_row_that_came_through_no_journal_is_missed_by_the_count(sealed: Sealed) -> None:
    """A finding that somebody inserted."""
    columns = "run_id, time, name, value, unit"
    sealed.edit(f"insert into findings (id, {columns}) select 'x', {columns} from findings where id = 'f1'")
    assert sealed.found() == [("inserted", "the book")]


def test_many_edits_are_listed_up_to_fifty_and_counted(sealed: Sealed) -> None:
    """All costs doubled: each of the twenty calls is named."""
    sealed.edit("update calls set cost = cost * 2")
    assert sealed.found() == [("changed", f"calls c{n:03d}, sealed by seal {1 if n < 11 else 2}") for n in range(1, 21)]


def test_changes_that_the_trail_accounts_for_are_no_edits(sealed: Sealed) -> None:
    """Three rows erased, one priced again and one removed, with entries that say only so: counted, and what they became
    is not checked, which is said. One more than was entered, and all of that kind are named."""
    sealed.edit(
        "update calls set prompt = null, subject = null where id in ('c001', 'c002', 'c011')",
        "update calls set cost = 7 where id = 'c003'",
        "delete from calls where id = 'c004'",
    )
    for number, changed in enumerate(({"personal": 3, "removed": 1}, {"money": 1})):
        details = {rows.CHANGED: {"calls": changed}}
        sealed.book.append(Event(id=f"x{number}", at=NIGHT, actor="dpo", action="subject.erased", details=details))
    verdict = sealed.verify()
    assert (verdict.problems, verdict.state) == ([], "cannot tell")
    assert verdict.accounted == {"calls personal": 3, "calls money": 1, "calls removed": 1}
    assert verdict.unchecked == {
        f"calls of which an entry says only how many were changed ({group})": n
        for group, n in (("personal", 3), ("money", 1), ("removed", 1))
    }
    sealed.edit("update calls set cost = 8 where id = 'c012'")
    assert sealed.found() == [
        ("changed", "calls c003, sealed by seal 1"),
        ("changed", "calls c012, sealed by seal 2"),
    ]


def _change(sealed: Sealed, changed: dict[str, set[str]], statement: str, *, fails: bool = False) -> dict[str, object]:
    """Change calls on purpose, entered as whoever does so enters it; returns what was entered. `fails`: it is entered
    and not committed."""
    book = sealed.book
    with (
        changes.announced(book, {"calls": changed}) as announcement,
        book.store.writing() as writer,
        writer.transaction(),
    ):
        writer.execute(statement)
        details = announcement.details(writer)
        book.append(Event(id=new_id(), at=NIGHT, actor="dpo", action="subject.erasing", details=details))
        if fails:
            raise ZeroDivisionError
    return details


def _cut_off(sealed: Sealed, changed: dict[str, set[str]], statement: str) -> None:
    """The same, of a process that ends after the entry is on the disk and before the rows are changed."""
    with contextlib.suppress(ZeroDivisionError):
        _change(sealed, changed, statement, fails=True)


def test_a_change_that_was_cut_off_after_its_entry_is_no_tampering(sealed: Sealed) -> None:
    """Sealed anew, priced, removed or erased, once or twice, after another change or as the first: the rows as they
    were are said to wait for it; what anybody does to them meanwhile is found; given again, or followed by a change of
    others, all is proven and no file of before is left."""
    cut = ({"personal": {"c001", "c002"}, "money": {"c003"}, "removed": {"c004"}},
           "update calls set prompt = 'sealed {n}' where id < 'c003'; update calls set cost = {n} where id = 'c003';"
           "delete from calls where id = 'c004'")  # fmt: skip
    folder = sealed.book.home / "audit" / "seals" / "changed"
    waiting = {f"calls of which a change was entered and cut off: give it again ({group})": n
               for group, n in (("personal", 2), ("money", 1), ("removed", 1))}  # fmt: skip
    for n in (1, 2):
        _cut_off(sealed, cut[0], cut[1].format(n=n))
        verdict = sealed.verify()
        assert (verdict.problems, dict(verdict.unchecked), +verdict.accounted) == ([], waiting, {})
    sealed.edit("create table waiting as select * from calls")
    for edit, where in (
        ("prompt = 'other words' where id = 'c001'", "c001"), ("prompt = null where id = 'c002'", "c002"),
        ("cost = 8 where id = 'c002'", "c002"), ("cost = 8 where id = 'c003'", "c003"),
        ("prompt = 'sealed 1' where id = 'c005'", "c005"),
    ):  # fmt: skip
        sealed.edit(f"update calls set {edit}")
        assert sealed.found() == [("changed", f"calls {where}, sealed by seal 1")], edit
        sealed.edit("delete from calls", "insert into calls select * from waiting")
    sealed.edit("drop table waiting")
    _change(sealed, {"personal": {"c011"}}, "update calls set prompt = null where id = 'c011'")
    verdict = sealed.verify()
    assert (verdict.problems, verdict.state, +verdict.accounted) == ([], "proven", {"calls personal": 1})
    _change(sealed, cut[0], cut[1].format(n=3))
    assert [path.suffix for path in folder.iterdir()] == [".rows"]
    _cut_off(sealed, {"personal": {"c001", "c002"}}, "update calls set prompt = 'sealed 4' where id < 'c003'")
    verdict = sealed.verify()
    assert verdict.problems == []
    assert +verdict.accounted == {"calls personal": 3, "calls money": 1, "calls removed": 1}
    _change(sealed, {"personal": {"c001", "c002"}}, "update calls set prompt = null where id < 'c003'")
    verdict = sealed.verify()
    assert (verdict.problems, verdict.state) == ([], "proven")
    assert +verdict.accounted == {"calls personal": 3, "calls money": 1, "calls removed": 1}
    sealed.edit("update calls set prompt = 'sealed 3' where id = 'c001'")  # of before the erasure, which was made
    assert sealed.found() == [("changed", "calls c001, sealed by seal 1")]
    assert [path.suffix for path in folder.iterdir()] == [".rows"]


def test_a_change_that_was_made_before_its_process_ended_was_made(sealed: Sealed) -> None:
    """Only its mark is left: the rows are what they became, and as they were before counts until the next change."""
    _change(sealed, {"personal": {"c001"}}, "update calls set prompt = null where id = 'c001'")
    (path,) = (sealed.book.home / "audit" / "seals" / "changed").iterdir()
    path.with_suffix(".announced").touch()
    assert sealed.verify().state == "proven"
    _change(sealed, {"personal": {"c002"}}, "update calls set prompt = null where id = 'c002'")
    assert (sealed.verify().state, +sealed.verify().accounted) == ("proven", {"calls personal": 2})


def test_what_was_before_a_change_that_was_cut_off_has_to_be_what_was_entered(sealed: Sealed) -> None:
    """A file of before that somebody edited, or took away, excuses nothing."""
    _change(sealed, {"personal": {"c001"}}, "update calls set prompt = null where id = 'c001'")
    (path,) = (sealed.book.home / "audit" / "seals" / "changed").iterdir()
    _cut_off(sealed, {"personal": {"c001"}}, "update calls set prompt = 'sealed' where id = 'c001'")
    assert (sealed.found(), sealed.verify().state) == ([], "cannot tell")
    data = path.read_bytes()
    for damage in (lambda: path.write_bytes(data + data), path.unlink):
        damage()
        assert sealed.found() == [("changed", "calls c001, sealed by seal 1")]


def test_rows_that_no_seal_has_account_for_none_that_one_has(sealed: Sealed) -> None:
    """Three calls since the last seal are erased: as many of those that are sealed, edited, are found."""
    for number in (31, 32, 33):
        sealed.book.append(call(number, FIRST))
    late = {"c031", "c032", "c033"}
    details = _change(sealed, {"personal": late}, "update calls set subject = null where id > 'c030'")
    assert details == {"changed_rows": {"calls": {"personal": 3}}, "changed_sealed_rows": {}}
    assert sealed.verify().state == "proven"
    sealed.edit("update calls set caller = 'somebody else' where id in ('c001', 'c012', 'c013')")
    assert sealed.found() == [("changed", f"calls {id_}, sealed by seal {n}") for id_, n in
                              (("c001", 1), ("c012", 2), ("c013", 2))]  # fmt: skip


def test_a_row_that_changes_again_and_again_is_what_it_became_last(sealed: Sealed) -> None:
    """One that loses its content, then its name, is priced again, then goes altogether, beside others: after each step
    it is proven, and what was changed is counted by group."""
    steps = (
        ({"personal": {"c001", "c002"}}, "update calls set prompt = null where id < 'c003'"),
        ({"personal": {"c001", "c003"}}, "update calls set subject = null where id in ('c001', 'c003')"),
        ({"money": {"c001"}}, "update calls set cost = 9 where id = 'c001'"),
        ({"removed": {"c001", "c004"}}, "delete from calls where id in ('c001', 'c004')"),
    )
    counted = []
    for changed, statement in steps:
        details = _change(sealed, changed, statement)
        assert (list(details["changed_rows_to"]), details["changed_sealed_rows"]) == (["calls"], {})
        verdict = sealed.verify()
        assert (verdict.problems, verdict.state) == ([], "proven")
        counted.append(+verdict.accounted)
        (path,) = (sealed.book.home / "audit" / "seals" / "changed").iterdir()
        digest = details["changed_rows_to"]["calls"]
        assert (path.name, digest) == (f"calls-{digest[7:39]}.rows", digest_file(path))
        assert path.stat().st_mode & 0o077 == 0
    assert counted == [
        {"calls personal": 2},
        {"calls personal": 3},
        {"calls personal": 3, "calls money": 1},
        {"calls personal": 2, "calls removed": 2},
    ]
    lines = path.read_bytes().splitlines()
    assert [line.split(b" ")[0] for line in lines] == [b'"c001"', b'"c002"', b'"c003"', b'"c004"']
    assert [line.split(b" ", 1)[1] for line in lines if line.startswith((b'"c001', b'"c004'))] == [b"- - -"] * 2


def test_erased_rows_that_are_anything_else_are_named(sealed: Sealed) -> None:
    """Filled again with other words, another name or tags, or with its own; edited beside what was erased; removed;
    back after it was removed; and one that nobody erased in the same form: each is named, and how it differs."""
    erased = {f"c00{n}" for n in range(1, 9)}
    _change(sealed, {"personal": erased, "removed": {"c009"}}, ERASE)
    edits = {
        "prompt = 'other words'": "something else now",
        "subject = 'bob'": "something else now",
        """tags = '{"a": "3"}'""": "something else now",
        "prompt = (select prompt from calls_copy where id = 'c004'), subject = 'ada'": "what was erased came back",
        "cost = 9": "price_note is not what was sealed, and no entry accounts for it",
        "latency = 9": "a column that never changes is not what was sealed",
    }
    sealed.edit(
        *(f"update calls set {edit} where id = 'c00{n}'" for n, edit in enumerate(edits, 1)),
        "delete from calls where id = 'c007'",
        "insert into calls select * from calls_copy where id = 'c009'",
        "update calls set prompt = null, subject = null where id = 'c011'",
    )
    verdict = sealed.verify()
    found = {p.where.split(",")[0]: (p.kind, p.words) for p in verdict.problems}
    expected = {f"calls c00{n}": ("changed", words) for n, words in enumerate(edits.values(), 1)}
    expected |= {
        "calls c007": ("removed", "the row is gone, and no entry accounts for it"),
        "calls c009": ("inserted", "is there: it came back, or was not removed"),
        "calls c011": ("changed", "a personal column is not what was sealed, and no entry accounts for it"),
    }
    assert found.keys() == expected.keys()
    for where, (kind, words) in expected.items():
        assert (found[where][0], words in found[where][1]) == (kind, True), (where, found[where])
    assert +verdict.accounted == {"calls personal": 1}


ERASE = "update calls set prompt = null, subject = null where id < 'c009'; delete from calls where id = 'c009'"


def test_a_row_that_was_edited_before_it_was_erased_stays_found(sealed: Sealed) -> None:
    """An erasure says what it changed itself: tokens and costs that somebody edited before remain edited."""
    sealed.edit("update calls set latency = 9 where id = 'c001'", "update calls set cost = 9 where id = 'c002'")
    _change(sealed, {"personal": {f"c00{n}" for n in range(1, 9)}, "removed": {"c009"}}, ERASE)
    assert sealed.found() == [("changed", "calls c001, sealed by seal 1"), ("changed", "calls c002, sealed by seal 1")]


def test_a_change_that_was_cut_off_is_said_and_made_again(sealed: Sealed) -> None:
    """Entered, and never committed: it is said to wait. Without its mark, as a version before left it, the rows are
    named as what they were before. Made again, in other words and with other rows, it is proven; and what came back as
    something else stays found."""
    statement = "update calls set prompt = 'x', subject = null where id < 'c003'; delete from calls where id = 'c004'"
    with pytest.raises(ZeroDivisionError):
        _change(sealed, {"personal": {"c001", "c002"}, "removed": {"c004"}}, statement, fails=True)
    assert (sealed.found(), sealed.verify().unchecked.total()) == ([], 3)
    (mark,) = (sealed.book.home / "audit" / "seals" / "changed").glob("*.announced")
    mark.unlink()
    words = {p.where: p.words for p in sealed.verify().problems if p.where != "the book"}
    assert [where.split(",")[0] for where in words] == ["calls c001", "calls c002", "calls c004"]
    assert [text.rsplit(", or ", 1)[-1] for text in words.values()] == ["was not erased"] * 2 + ["was not removed"]
    _change(sealed, {"personal": {"c001", "c004"}}, "update calls set prompt = 'y' where id in ('c001', 'c004')")
    _change(sealed, {"personal": {"c002"}}, "update calls set prompt = 'z' where id = 'c002'")
    assert sealed.found() == [("inserted", "the book")]  # one was entered as removed, and is there
    sealed.edit("update calls set prompt = 'w' where id = 'c001'")
    _change(sealed, {"personal": {"c001"}}, "update calls set prompt = null where id = 'c001'")
    assert ("changed", "calls c001, sealed by seal 1") in sealed.found()


def test_a_file_of_changed_rows_that_is_not_the_one_entered_is_found(sealed: Sealed) -> None:
    """A line of it edited, or all of it gone: that is said, and the rows are not taken for erased."""
    statement = "update calls set prompt = null where id < 'c003'; delete from calls where id = 'c004'"
    _change(sealed, {"personal": {"c001", "c002"}, "removed": {"c004"}}, statement)
    (path,) = (sealed.book.home / "audit" / "seals" / "changed").iterdir()
    rest = [("changed", "calls c001, sealed by seal 1"), ("changed", "calls c002, sealed by seal 1"),
            ("removed", "calls c004, sealed by seal 1")]  # fmt: skip
    data = path.read_bytes()
    for damage in (lambda: path.write_bytes(data.replace(b"- - -", b"- - 0")), path.unlink):
        damage()
        found = sealed.found()
        assert (found[0], sorted(found[1:])) == (("changed", "calls that were changed on purpose"), rest)


def test_a_row_changed_by_number_alone_is_taken_back_when_it_goes(sealed: Sealed) -> None:
    """Another home erased two rows; one of them is removed here: one is left of those that are not checked."""
    sealed.edit("update calls set prompt = null where id < 'c003'")
    details = {rows.CHANGED: {"calls": {"personal": 2}}}
    sealed.book.append(Event(id="x", at=NIGHT, actor="dpo", action="subject.erased", details=details))
    assert sealed.verify().unchecked.total() == 2
    entered = _change(sealed, {"removed": {"c001"}}, "delete from calls where id = 'c001'")
    assert entered["changed_sealed_rows"] == {"calls": {"personal": -1}}
    verdict = sealed.verify()
    assert (verdict.problems, dict(verdict.unchecked)) == (
        [], {"calls of which an entry says only how many were changed (personal)": 1}
    )  # fmt: skip
    sealed.edit("update calls set prompt = null where id = 'c003'")
    assert sealed.found() == [("changed", "calls c002, sealed by seal 1"), ("changed", "calls c003, sealed by seal 1")]


def test_a_row_that_comes_late_is_said_and_sealed_next(sealed: Sealed) -> None:
    """A call of the first day that is drained after the second seal: late, then in the third seal and watched."""
    sealed.book.append(call(31, FIRST))
    verdict = sealed.verify()
    assert (verdict.state, dict(verdict.late)) == ("proven", {"calls": 1})
    sealed.clock.at = NIGHT + timedelta(days=1)
    third = seals.make(sealed.book, sealed.reports, date(2026, 11, 22), actor="night")
    assert (third.number, third.document["tables"]["calls"]["rows"], third.document["reports"]) == (3, 1, {})
    assert dict(sealed.verify().late) == {}
    sealed.edit("update calls set cost = 0 where id = 'c031'")
    assert sealed.found() == [("changed", "calls c031, sealed by seal 3")]


def test_rows_are_sealed_however_late_they_come(sealed: Sealed) -> None:
    """Calls of a week, a year and thirty years before the last seal, as an import of history brings them: each is in
    the next seal, once, and watched from then on."""
    for number, days in enumerate((6, 7, 8, 365, 10_950), 31):
        sealed.book.append(call(number, SECOND - timedelta(days=days)))
    assert dict(sealed.verify().late) == {"calls": 5}
    for night, new in ((1, 5), (2, 0)):
        sealed.clock.at = NIGHT + timedelta(days=night)
        seal = seals.make(sealed.book, sealed.reports, SECOND + timedelta(days=night), actor="night")
        assert seal.document["tables"]["calls"]["rows"] == new
    verdict = sealed.verify()
    assert (verdict.state, dict(verdict.late), verdict.rows["calls"]) == ("proven", {}, 25)
    sealed.edit("update calls set cost = 0 where id in ('c031', 'c033', 'c035')")
    assert sealed.found() == [("changed", f"calls c0{n}, sealed by seal 3") for n in (31, 33, 35)]


def test_reports_are_found_changed_and_gone(sealed: Sealed) -> None:
    """One byte of one page, and another page that was taken away."""
    (sealed.reports / "costs" / "2026-11-20" / "run1.html").write_text("<p>12.35 USD")
    (sealed.reports / "costs" / "2026-11-21" / "run11.html").unlink()
    assert sealed.found() == [
        ("changed", "report costs/2026-11-20/run1.html, sealed by seal 1"),
        ("removed", "report costs/2026-11-21/run11.html, sealed by seal 2"),
    ]


def _rewrite(path: Path, **changes: object) -> None:
    path.chmod(0o600)
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | changes))


def test_a_seal_that_was_edited_is_found(sealed: Sealed) -> None:
    """Its signature does not fit, the next one does not follow on it, and the trail says another digest."""
    first, _ = seals.load(sealed.book.home)
    _rewrite(first.path, until="2026-11-21T00:00:01+00:00")
    assert sealed.found() == [("forged", "seal 1"), ("reordered", "seal 2"), ("changed", "seal 1")]


def test_a_seal_made_again_with_another_key_is_found(sealed: Sealed, tmp_path: Path) -> None:
    """A stranger's signature, good in itself, counts for nothing."""
    _, second = seals.load(sealed.book.home)
    unsigned = {name: value for name, value in second.document.items() if name not in ("signer", "signature")}
    second.path.chmod(0o600)
    second.path.write_bytes(orjson.dumps(signing.sign(tmp_path, unsigned)))
    assert sealed.found()[0] == ("forged", "seal 2")
    assert "key that is not trusted" in sealed.verify().problems[0].words


def test_a_key_that_was_swapped_is_found_by_who_knows_the_former_one(sealed: Sealed) -> None:
    """With the seals' own key replaced and every seal signed anew, the home trusts itself; the trail's entries and a
    reader who names the former public key do not."""
    former = signing.public_key(sealed.book.home)
    (sealed.book.home / "audit" / "seal.key").write_text("ab" * 32)
    for seal in seals.load(sealed.book.home):
        unsigned = {name: value for name, value in seal.document.items() if name not in ("signer", "signature")}
        seal.path.chmod(0o600)
        seal.path.write_bytes(orjson.dumps(signing.sign(sealed.book.home, unsigned)))
    verdict = verify(sealed.book, sealed.reports, trusted=frozenset([former]))
    assert [(p.kind, p.where) for p in verdict.problems][:2] == [("forged", "seal 1"), ("forged", "seal 2")]


def test_a_seal_that_was_taken_away_is_missed(sealed: Sealed) -> None:
    """The last or the first: the trail says that it was made."""
    first, second = seals.load(sealed.book.home)
    second.path.unlink()
    assert sealed.found() == [("removed", "seal 2")]
    second.path.write_bytes(second.data)
    first.path.unlink()
    assert ("removed", "seal 1") in sealed.found()


def test_seals_taken_away_with_their_key_are_missed(sealed: Sealed) -> None:
    """Neither seal nor key is left, or only the key: nothing is proven, no key is made by looking, and none is made
    in the former one's place by sealing. A key laid there by hand signs, and what is lost stays missing."""
    audit = sealed.book.home / "audit"
    key = (audit / "seal.key").read_text()
    (audit / "seal.key").unlink()
    assert sealed.found() == [("forged", "seal 1"), ("forged", "seal 2")]
    with pytest.raises(SettingsError, match="it is gone, and 2 files beside it were made with it"):
        signing.public_key(sealed.book.home)
    shutil.rmtree(audit / "seals")
    assert sealed.found() == [("removed", "seal 1"), ("removed", "seal 2")]
    with pytest.raises(SettingsError, match="this home made 2 seals, and the key that it signs with is gone"):
        seals.make(sealed.book, sealed.reports, SECOND, actor="night")
    assert not (audit / "seal.key").exists()
    (audit / "seal.key").write_text("ab" * 32)
    seals.make(sealed.book, sealed.reports, SECOND, actor="night")
    assert sealed.found() == [("removed", "seal 1"), ("removed", "seal 2")]
    shutil.rmtree(audit / "seals")
    (audit / "seal.key").write_text(key)
    assert sealed.found() == [("removed", "seal 1"), ("removed", "seal 2"), ("removed", "seal 1")]


def test_seals_that_another_home_made_cannot_be_told(sealed: Sealed) -> None:
    """Read by a home that has the other's chain key laid beside its own: its links are checked, its seals are not."""
    audit = sealed.book.home / "audit"
    signer = signing.public_key(sealed.book.home)[:16]
    shutil.rmtree(audit / "seals")
    (audit / "seal.key").unlink()
    (audit / "chain.key").rename(audit / "chain-first.key")
    verdict = sealed.verify()
    assert (verdict.state, verdict.problems, verdict.entries) == ("cannot tell", [], 4)
    assert verdict.unchecked == {f"seals signed by {signer}…, which another home made, are not here": 2}
    assert not (audit / "seal.key").exists()


def test_a_note_of_the_head_that_is_gone_is_said(sealed: Sealed) -> None:
    """Where nothing says how far the chain had come, its end cannot be told; nor once a note was made anew."""
    (note,) = (sealed.book.home / "audit").glob("head-*.json")
    words = "this home's note of how far the chain had come was gone at entry 4: others may be cut off there"
    note.unlink()
    verdict = sealed.verify()
    assert (verdict.state, verdict.problems, verdict.unchecked) == ("cannot tell", [], {words: 1})
    for number in (1, 2):
        sealed.book.append(Event(id=f"later{number}", at=NIGHT, actor="dpo", action="content.read"))
        verdict = sealed.verify()
        assert (verdict.entries, verdict.state, verdict.unchecked) == (4 + number, "cannot tell", {words: 1})


def test_a_seal_played_again_is_found(sealed: Sealed) -> None:
    """The first seal laid in place of the second, and after it: it has a number, and it is not that one."""
    first, second = seals.load(sealed.book.home)
    second.path.chmod(0o600)
    second.path.write_bytes(first.data)
    assert ("removed", "seal 2") in sealed.found()
    (first.path.with_name("000003.json")).write_bytes(first.data)
    assert ("removed", "seal 3") in sealed.found()


def test_rows_of_a_seal_that_were_edited_with_their_row_are_found(sealed: Sealed) -> None:
    """The forger edits a cost and makes the seal's line again with the home's key: the seal has the file's digest."""
    _, second = seals.load(sealed.book.home)
    sealed.edit("update calls set cost = 9 where id = 'c017'")
    span = rows.spans(sealed.book, second.until)["calls"]
    digests = [(id_, digests.text()) for id_, digests in rows.digests(sealed.book, span) if id_ > "c010"]
    lines = [rows.line(orjson.dumps(id_), text) for id_, text in digests]
    second.rows_path("calls").write_bytes(b"".join(lines))
    assert sealed.found() == [("changed", "calls of seal 2")]


def test_rows_that_are_read_in_pages_are_those_that_are_read_at_once(sealed: Sealed) -> None:
    """Each once, whatever the number of rows at once, also where several have one moment."""
    sealed.edit("update calls set time = (select max(time) from calls where id < 'c006') where id < 'c006'")
    span = rows.spans(sealed.book, NIGHT)["calls"]
    assert (span.rows, span.until) == (20, NIGHT)
    whole = sorted(rows.digests(sealed.book, span))
    for page in (1, 3, 7, 19, 20, 21):
        assert sorted(rows.digests(sealed.book, span, page=page)) == whole, page
        moments = list(rows.moments(sealed.book, span, page=page))
        assert sorted(id_ for id_, _ in moments) == [id_ for id_, _ in whole], page
        assert rows.moment_of(dict(moments)["c006"]) == datetime(2026, 11, 20, 12, 6, tzinfo=UTC)


def test_a_tail_that_was_cut_with_its_note_is_missed_by_the_seal(sealed: Sealed) -> None:
    """Chain, events and the home's note of the head go back together; the seals still have the later entries."""
    kept = sealed.book.rows("select link from audit_chain where seq = 1")[0]["link"]
    book_id = sealed.book.rows("select id from book_identity")[0]["id"]
    (sealed.book.home / "audit" / f"head-{book_id}.json").write_bytes(orjson.dumps({"seq": 1, "link": kept}))
    sealed.edit(
        "delete from events where id not in (select event from audit_chain where seq = 1)",
        "delete from audit_chain where seq > 1",
    )
    assert sealed.found() == [("cut off", "entry 3"), ("removed", "the book")]


def at_once(*work: Callable[[], object]) -> list[object]:
    """Begin all of it at one moment, each in a thread of its own."""
    barrier = threading.Barrier(len(work))

    def begin(one: Callable[[], object]) -> object:
        barrier.wait(30)
        return one()

    with ThreadPoolExecutor(len(work)) as pool:
        return [begun.result(60) for begun in [pool.submit(begin, one) for one in work]]


def test_sealers_that_race_make_one_seal(sealed: Sealed) -> None:
    """Four at once, each with the book opened for itself: one seal, one entry about it, and everything proven."""
    third = date(2026, 11, 22)
    sealed.clock.at = NIGHT + timedelta(days=1)
    sealed.book.append(call(40, third))
    books = [Book(sealed.book.store.url, sealed.book.home, clock=sealed.clock) for _ in range(4)]
    made = at_once(*(partial(seals.make, book, sealed.reports, third, actor=f"s{n}") for n, book in enumerate(books)))
    for book in books:
        book.close()
    assert len({seal.digest for seal in made}) == 1  # type: ignore[attr-defined]  # they are seals
    assert [seal.number for seal in seals.load(sealed.book.home)] == [1, 2, 3]
    entered = [row["object"] for row in seals.entered(sealed.book)]
    assert len(entered) == len(set(entered)) == 3
    assert (sealed.verify().state, sealed.verify().rows["calls"]) == ("proven", 21)


def test_a_day_is_sealed_once_and_not_before_it_begins(sealed: Sealed) -> None:
    """Sealing a sealed day again returns its seal and enters nothing; a day to come is refused."""
    again = seals.make(sealed.book, sealed.reports, FIRST, actor="night")
    assert (again.number, len(seals.load(sealed.book.home))) == (1, 2)
    assert sealed.verify().entries == 4
    with pytest.raises(BadDate, match="2026-11-23 has not begun"):
        seals.make(sealed.book, sealed.reports, date(2026, 11, 23), actor="night")


def test_a_seal_whose_entry_was_lost_gets_it(sealed: Sealed) -> None:
    """The process died between the seal and its entry: the next sealing enters it."""
    second = seals.load(sealed.book.home)[1]
    sealed.edit(
        f"delete from events where object = '{seals.event_object(second)}'", "delete from audit_chain where seq = 4"
    )
    seals.make(sealed.book, sealed.reports, SECOND, actor="night")
    names = sealed.book.rows("select object from events where action = 'trail.sealed' order by time, id")
    assert names[-1] == {"object": seals.event_object(second)}


def test_a_day_that_is_not_over_is_sealed_up_to_now(sealed: Sealed) -> None:
    """What comes later that day is in the next seal."""
    sealed.clock.at = NIGHT + timedelta(hours=12)
    today = date(2026, 11, 22)
    sealed.book.append(call(41, today))  # at 12:41, after now
    assert seals.make(sealed.book, sealed.reports, today, actor="me").document["tables"]["calls"]["rows"] == 0
    sealed.clock.at = NIGHT + timedelta(days=1)
    whole = seals.make(sealed.book, sealed.reports, today, actor="me")
    assert (whole.number, whole.document["tables"]["calls"]["rows"], whole.until) == (4, 1, rows.day_end(today))
    assert sealed.verify().state == "proven"


def test_a_seal_that_is_no_seal_is_named(sealed: Sealed) -> None:
    """A file of seals that nobody can read is an error with its path, not a traceback."""
    path = seals.load(sealed.book.home)[0].path
    for content in (b"", b"[]", b"{}", b'{"number": "x"}', b"\xff"):
        path.chmod(0o600)
        path.write_bytes(content)
        with pytest.raises(SettingsError, match=r"000001\.json cannot be read"):
            sealed.verify()


def test_keys_are_their_owner_s(sealed: Sealed) -> None:
    """No key of the trail may be read by others."""
    for path in (sealed.book.home / "audit").glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert {path.stem for path in (sealed.book.home / "audit").glob("*.key")} == {"chain", "rows", "seal"}
    assert keys.identity(b"x" * 32) == keys.identity(b"x" * 32) != keys.identity(b"y" * 32)
