"""A published report, and one byte of it changed at a time: what `daybook verify` says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daybook.audit import signing
from daybook.audit.seals import seals
from daybook.book import Book
from daybook.cli import main
from daybook.clock import FixedClock
from daybook.digest import digest_file
from daybook.errors import BadParameter
from daybook.press import manifest
from daybook.press.execution.runner import RunOutcome
from daybook.press.notebook import digests
from daybook.press.publishing import index, publish
from daybook.press.scrub import Scrubber
from daybook.press.verification import verify
from daybook.records import Call, Finding, Run
from daybook.settings import Settings

DAY = date(2026, 11, 20)
NIGHT = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NOTEBOOK: dict[str, Any] = {
    "cells": [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Costs\n\nWho spent what?"},
        {
            "cell_type": "code",
            "id": "parameters",
            "metadata": {"tags": ["parameters"]},
            "execution_count": 1,
            "outputs": [],
            "source": "days: int = 1",
        },
        {
            "cell_type": "code",
            "id": "figure",
            "metadata": {},
            "execution_count": 2,
            "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"image/png": PICTURE}}],
            "source": "costs.chart()",
        },
        {
            "cell_type": "code",
            "id": "prose",
            "metadata": {},
            "execution_count": 3,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "12.34 USD were spent.\n"}],
            "source": "print(costs.prose)",
        },
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def report(settings: Settings, book: Book) -> Path:
    """The record of a published report about one day with two calls, whose finding is in the book."""
    book.clock = FixedClock(NIGHT)
    (settings.root / "notebooks" / "costs.ipynb").write_text(json.dumps(NOTEBOOK))
    (settings.root / "requirements.lock").write_text("duckdb==1.5.6\n")
    for number in (1, 2):
        book.append(
            Call(
                id=f"c{number}",
                request_id=f"r{number}",
                at=datetime(2026, 11, 20, 12, number, tzinfo=UTC),
                endpoint="library",
                requested_model="m",
                status="ok",
                cost=Decimal("6.17"),
            )
        )
    run = Run(
        id="run1",
        notebook="costs",
        logical_date=DAY,
        state="completed",
        started_at=NIGHT,
        ended_at=NIGHT,
        seconds=1.5,
        parameters={"days": 1, "source": "book"},
        window_start=datetime(2026, 11, 20, tzinfo=UTC),
        window_end=datetime(2026, 11, 21, tzinfo=UTC),
        source_digest=digests.of_source(NOTEBOOK),
        lock_digest=digests.of_file(settings.root / "requirements.lock"),
        price_book="an older one",
    )
    finding = {"name": "spend", "value": 12.34, "unit": "USD", "low": None, "high": None, "level": None, "n": 2}
    book.append(Finding(id="f1", run_id="run1", at=NIGHT, **finding))  # type: ignore[arg-type]  # fields of a finding
    run = publish.publish(
        json.loads(json.dumps(NOTEBOOK)),
        run,
        RunOutcome(state="completed", cell=3, cells=3),
        reports=settings.reports,
        findings=[finding | {"note": None}],
        scrubber=Scrubber(),
        home=settings.home,
        facts=manifest.facts(book, run),
    )
    book.append(run)
    for suffix in (".ipynb", ".html", ".json"):
        (settings.reports / str(run.report)).with_suffix(suffix).chmod(0o600)
    return (settings.reports / str(run.report)).with_suffix(".json")


@pytest.fixture
def check(settings: Settings, book: Book, report: Path) -> Callable[..., dict[str, tuple[str, str]]]:
    """The answers about the report, a part each."""

    def answers(**more: Any) -> dict[str, tuple[str, str]]:
        done = verify(report, settings=settings, **({"book": book} | more))
        return {check.part: (check.state, check.words) for check in done.checks}

    return answers


def test_an_untouched_report_is_proven(settings: Settings, book: Book, report: Path, check: Any) -> None:
    """By any of its three files; what is another by now, or cannot be looked up, is said and is no change."""
    states = {part: answer[0] for part, answer in check().items()}
    assert states == {
        "record": "proven",
        "place": "proven",
        "signature": "proven",
        "notebook": "proven",
        "page": "proven",
        "source": "proven",
        "parameters": "proven",
        "findings": "proven",
        "data window": "proven",
        "project's notebook": "proven",
        "lock file": "proven",
        "price book": "cannot tell",
        "commit": "cannot tell",
        "seal": "cannot tell",
    }
    for suffix in (".json", ".html", ".ipynb"):
        assert verify(report.with_suffix(suffix), settings=settings, book=book).state == "proven"
    seals.make(book, settings.reports, DAY, actor="night")
    assert check()["seal"] == ("proven", "seal 1")


def test_every_byte_of_the_three_files_counts(settings: Settings, book: Book, report: Path) -> None:
    """One bit of one byte, at forty places of each file: never proven."""
    for suffix in (".json", ".html", ".ipynb"):
        path = report.with_suffix(suffix)
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 40)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert verify(report, settings=settings, book=None).state != "proven", (suffix, at)
        for changed in (whole + b" ", whole + b"\n", whole[:-1], b""):
            path.write_bytes(changed)
            assert verify(report, settings=settings, book=None).state == "changed", (suffix, len(changed))
        path.write_bytes(whole)
    assert verify(report, settings=settings, book=None).state == "proven"


@pytest.mark.parametrize(
    ("suffix", "before", "after", "part", "words"),
    [
        (".ipynb", "12.34 USD were", "99.34 USD were", "notebook", "cell 4 (prose): outputs"),
        (".ipynb", "UhEUgAAAAEAAA", "UhEUgAAAAIAAA", "notebook", "cell 3 (figure): outputs"),
        (".ipynb", "costs.chart()", "costs.other()", "notebook", "cell 3 (figure): source"),
        (".ipynb", '"display_name": "python3"', '"display_name": "python4"', "notebook", "its cells are the same"),
        (".html", "12.34 USD were", "99.34 USD were", "page", "<pre>99.34 USD were spent'"),
        (".json", '"value": 12.34', '"value": 99.34', "findings", "not those of its digest"),
        (".json", '"days": 1', '"days": 2', "parameters", "they are not those of the run"),
        (".json", '"seconds": 1.5', '"seconds": 2.5', "signature", "the record is not what was signed"),
        (".json", '"seconds": 1.5', '"seconds":  1.5', "record", "is now"),
    ],
)
def test_what_is_changed_is_said_with_its_place(
    check: Any, report: Path, suffix: str, before: str, after: str, part: str, words: str
) -> None:
    """An edit of a cell, a figure, an output, the page or the record, and where the answer says it is."""
    path = report.with_suffix(suffix)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    answer = check()[part]
    assert answer[0] == "changed"
    assert words in answer[1]


def test_a_report_made_up_and_signed_by_a_stranger_is_not_proven(
    settings: Settings, book: Book, report: Path, check: Any, tmp_path: Path
) -> None:
    """Page, digests and record are made to fit and signed with another key: it cannot be told, and is not proven;
    whoever trusts that key has it proven. Without any signature it is not proven either."""
    page = report.with_suffix(".html")
    page.write_text(page.read_text().replace("12.34 USD were", "99.34 USD were"))
    record = json.loads(report.read_bytes())
    record["digests"]["page"] = digest_file(page)
    del record["signer"], record["signature"]
    report.write_bytes(manifest.encode(record))
    assert check()["signature"][0] == "cannot tell"
    assert verify(report, settings=settings, book=book).state == "cannot tell"
    other = tmp_path / "stranger"
    report.write_bytes(manifest.encode(signing.sign(other, record)))
    assert signing.public_key(other) in check()["signature"][1]
    assert verify(report, settings=settings, book=book).state == "cannot tell"
    trusted = frozenset([signing.public_key(other)])
    assert verify(report, settings=settings, book=book, trusted=trusted).state == "proven"


def test_a_report_can_be_checked_on_another_machine(settings: Settings, report: Path, tmp_path: Path) -> None:
    """The three files elsewhere, with nothing but the signer's public key: proven; what only the home knows cannot be
    told there."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(report.parent, elsewhere)
    away = Settings.from_env({"DAYBOOK_HOME": str(tmp_path / "away")}, cwd=tmp_path)
    trusted = frozenset([signing.public_key(settings.home)])
    done = verify(elsewhere / report.name, settings=away, book=None, trusted=trusted)
    assert done.state == "proven"
    assert {check.part for check in done.checks if check.state == "cannot tell"} == {
        "place", "findings", "data window", "project's notebook", "lock file", "price book", "commit", "seal"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("place", "state", "words"),
    [
        ("reports/costs/2026-11-21/run1", "changed", "it is of costs, 2026-11-20, and lies under costs/2026-11-21"),
        ("reports/bias/2026-11-20/run1", "changed", "it is of costs, 2026-11-20, and lies under bias/2026-11-20"),
        ("reports/costs/2026-11-20/run2", "changed", "it is the report of run run1, laid under the name run2"),
        ("reports/costs/run1", "changed", "it is of costs, 2026-11-20, and lies under reports/costs"),
        ("reports/x/costs/2026-11-20/run1", "changed", "it is of costs, 2026-11-20, and lies under costs/2026-11-20"),
        ("away/costs/2026-11-20/run1", "proven", "costs, 2026-11-20"),
        ("away/costs/2026-11-19/run1", "changed", "it is of costs, 2026-11-20, and lies under costs/2026-11-19"),
        ("away/bias/2026-11-20/run1", "changed", "it is of costs, 2026-11-20, and lies under bias/2026-11-20"),
        ("away/run1", "cannot tell", "it lies outside a folder of reports"),
        ("away/2026-11-31/run1", "cannot tell", "it lies outside a folder of reports"),
        ("away/run9", "changed", "it is the report of run run1, laid under the name run9"),
    ],
)
def test_a_report_laid_elsewhere_does_not_pass_for_another(
    settings: Settings, report: Path, tmp_path: Path, place: str, state: str, words: str
) -> None:
    """The whole report copied to another day, word or name is changed; in a folder to check it in, it is as good as
    where it was published."""
    kind, _, rest = place.partition("/")
    copy = (settings.reports if kind == "reports" else tmp_path / "away") / f"{rest}.json"
    copy.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".json", ".html", ".ipynb"):
        shutil.copy(report.with_suffix(suffix), copy.with_suffix(suffix))
    done = verify(copy, settings=settings, book=None)
    answers = {check.part: (check.state, check.words) for check in done.checks}
    assert (answers["place"], done.state) == ((state, words), "changed" if state == "changed" else "proven")


def test_a_seal_counts_only_where_it_is_signed(settings: Settings, book: Book, report: Path, check: Any) -> None:
    """One that was made up, or changed, or of a stranger, says nothing of the report, whatever digest it has."""
    seal = seals.make(book, settings.reports, DAY, actor="night")
    unsigned = {name: value for name, value in seal.document.items() if name not in ("signer", "signature")}
    seal.path.chmod(0o600)
    for document in (unsigned, seal.document | {"day": "2026-11-19"}, signing.sign(settings.root / "other", unsigned)):
        seal.path.write_text(json.dumps(document))
        assert check()["seal"] == ("cannot tell", "seal 1 has it, and is not signed by a key that is trusted here")
    seal.path.write_bytes(seal.data)
    assert check()["seal"] == ("proven", "seal 1")
    assert check(trusted=frozenset(["ab" * 32]))["seal"][0] == "cannot tell"


def test_what_the_book_has_now_is_compared(check: Any, book: Book) -> None:
    """A finding and a cost that are edited in the book: changed. A call that came later: cannot tell."""
    with book.store.writing() as writer, writer.transaction():
        writer.execute("update findings set value = 13 where id = 'f1'")
    assert check()["findings"] == ("changed", "the book has others under: spend")
    late = {"endpoint": "library", "requested_model": "m", "status": "ok"}
    with book.store.writing() as writer, writer.transaction():
        writer.execute("update calls set cost = 7 where id = 'c1'")
    answer = check()["data window"]
    assert answer[0] == "changed"
    assert "2 calls and 12.340000000000 USD then, 2 and 13.170000000000 USD now" in answer[1]
    book.append(Call(id="c3", request_id="r3", at=datetime(2026, 11, 20, 13, tzinfo=UTC), **late))
    assert check()["data window"][0] == "cannot tell"


def test_files_that_are_gone_are_named(settings: Settings, book: Book, report: Path, check: Any) -> None:
    """Each of the three taken away in turn: changed, whichever is asked about."""
    for suffix, part in ((".ipynb", "notebook"), (".html", "page")):
        whole = report.with_suffix(suffix).read_bytes()
        report.with_suffix(suffix).unlink()
        assert check()[part] == ("changed", f"run1{suffix} is gone")
        report.with_suffix(suffix).write_bytes(whole)
    report.unlink()
    done = verify(report.with_suffix(".html"), settings=settings, book=book)
    assert [(a.part, a.state, a.words) for a in done.checks] == [("record", "changed", "run1.json is gone")]
    for path in (report.with_name("other.html"), report.with_suffix(".png"), report.parent.parent / "no" / "x.html"):
        with pytest.raises(BadParameter):
            verify(path, settings=settings, book=book)


def test_records_that_are_none_are_changed(settings: Settings, book: Book, report: Path) -> None:
    """Whatever stands in the record's place is an answer, not a traceback."""
    for content in (b"", b"[]", b"{}", b"null", b'{"run": 1}', b"\xff\xfe", b'{"run": {}, "digests": {}}'):
        report.write_bytes(content)
        done = verify(report, settings=settings, book=book)
        assert [(a.part, a.state) for a in done.checks] == [("record", "changed")], content


def test_the_page_prints_the_trail(settings: Settings, book: Book, report: Path) -> None:
    """How far the trail had come when the report was published stands on its page and in its record."""
    book.drain()
    record = json.loads(report.read_bytes())
    assert record["trail"] is None
    assert record["data"] == {"calls": "2", "priced": "2", "cost": "12.340000000000"}
    seals.make(book, settings.reports, DAY, actor="night")
    facts = manifest.facts(book, Run(id="x", notebook="costs", logical_date=DAY, state="completed", started_at=NIGHT))
    link = book.rows("select link from audit_chain where seq = 1")[0]["link"]
    assert (facts["trail"], facts["data"]) == ({"seq": 1, "link": link}, None)
    notebook = json.loads(json.dumps(NOTEBOOK))
    run = Run(id="y", notebook="costs", logical_date=DAY, state="completed", started_at=NIGHT, seconds=1.0)
    outcome, rest = RunOutcome(state="completed"), {"findings": [], "scrubber": Scrubber(), "home": settings.home}
    done = publish.publish(notebook, run, outcome, reports=settings.reports, facts=facts, **rest)
    page = (settings.reports / str(done.report)).with_suffix(".html").read_text()
    assert f"entry 1, {link}" in page


def test_the_command_says_it_with_its_exit_code(
    settings: Settings, report: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 where it is proven, 3 where it is not, with the place."""
    monkeypatch.chdir(settings.root)
    monkeypatch.setenv("DAYBOOK_HOME", str(settings.home))
    assert main(["verify", str(report)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{report}: proven"
    page = report.with_suffix(".html")
    page.write_text(page.read_text().replace("12.34 USD were", "99.34 USD were"))
    assert main(["verify", str(report)]) == 3
    assert "<pre>99.34 USD were spent'" in capsys.readouterr().out
    assert main(["verify", str(report), "--json"]) == 3
    (answer,) = json.loads(capsys.readouterr().out)
    assert (answer["state"], answer["path"]) == ("changed", str(report))


def test_the_index_marks_what_was_changed(settings: Settings, book: Book, report: Path) -> None:
    """A forged figure in the record, or in the book, is not printed without a word about it."""

    def mark() -> str | None:
        index.write(settings.reports, book, home=settings.home)
        (entry,) = index.entries(settings.reports, book)
        return entry.changed

    assert mark() is None
    whole = report.read_bytes()
    edits = ((b"12.34", b"99.34"), (b"}", b"} "), (b'"n": 2', b'"n": 3'), (whole, b"7"), (whole, b"{"))
    for before, after in edits:
        report.write_bytes(whole.replace(before, after, 1))
        assert mark() == "record changed", after
    report.write_bytes(b"{}")
    assert mark() == "not signed"
    report.write_bytes(whole)
    assert mark() is None
    with book.store.writing() as writer, writer.transaction():
        writer.execute("update findings set value = 99.34 where id = 'f1'")
    assert mark() == "findings changed"
    assert ">findings changed</span>" in (settings.reports / "index.html").read_text()
