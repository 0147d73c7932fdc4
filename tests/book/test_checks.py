"""A book that only Daybook wrote is sound: what ordinary use enters is what the checks count."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from daybook import cli
from daybook.bias.audit import located
from daybook.book import Book
from daybook.book.schema import TABLES
from daybook.records import Call, DeploymentRevision, Event, Finding, ModelAlias, ModelVersion, Record, Run, Subject

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
RECORDS: dict[str, Record] = {
    "call": Call(id="c1", request_id="r1", at=NOON, endpoint="library", requested_model="m", status="ok"),
    "event": Event(id="e1", at=NOON, actor="ann", action="key.created"),
    "run": Run(id="r1", notebook="costs", logical_date=date(2026, 11, 20), state="completed", started_at=NOON),
    "finding": Finding(id="f1", run_id="interactive-1", at=NOON, name="calls", value=1.0, unit="calls"),
    "subject": Subject(id="s1", at=NOON, first_seen=NOON),
    "model": ModelVersion(
        id="r:v1", claim="x", at=NOON, name="r", version=1, method="head", provider="local", target="r", actor="ann"
    ),
    "alias": ModelAlias(id="a1", at=NOON, model="r", alias="champion", version=1, actor="ann"),
    "deployment": DeploymentRevision(
        id="d:r1",
        claim="x",
        at=NOON,
        name="d",
        revision=1,
        action="created",
        strategy="ab",
        versions={},
        weights={},
        sticky="session",
        actor="ann",
    ),
}


TABLE = str(located("builtin", "decisions"))
COLUMNS = ("--group", "sex", "--prediction", "granted", "--favourable", "yes")


def wrong(book: Book) -> list[str]:
    return [check.name for check in book.check() if check.level == "wrong"]


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_one_record_of_any_kind_leaves_a_sound_book(book_url, home, kind):
    """Each table is counted as it is entered: once, or again under the same id."""
    with Book(book_url, home) as book:
        book.append(RECORDS[kind])
        assert wrong(book) == []
        book.append(RECORDS[kind])
        assert wrong(book) == []


@pytest.mark.parametrize("kind", sorted(set(TABLES) - {"subject", "run"}))
def test_a_row_taken_away_by_somebody_is_missed(book_url, home, kind):
    """Of any table whose rows are entered once."""
    with Book(book_url, home) as book:
        book.append(RECORDS[kind])
        book.drain()
        with book.store.writing() as writer, writer.transaction():
            writer.execute(f"delete from {TABLES[kind].name}")
        assert wrong(book) == ["rows fewer than were drained"]


def test_findings_of_a_run_that_is_not_there_are_wrong(book_url, home):
    """Those of a prompt have no notebook's run; any other must have one."""
    with Book(book_url, home) as book:
        book.append(Finding(id="f2", run_id="0192f0", at=NOON, name="calls", value=1.0, unit="calls"))
        assert wrong(book) == ["findings of no run"]


@pytest.mark.parametrize(
    "command",
    [
        ["bias", "decisions", TABLE, *COLUMNS, "--enter", "--json"],
        ["bias", "decisions", TABLE, *COLUMNS, "--min-ratio", "0.8", "--enter", "--json"],
        ["keys", "create", "ann"],
        ["prices", "show", "gpt-4o-mini"],
        ["book", "info"],
        ["models", "list"],
        ["finetune", "train", "builtin:requests", "--method", "head", "--name", "r", "--promote", "--json"],
        ["finetune", "train", "builtin:requests", "--method", "head", "--name", "r", "--dry-run", "--json"],
        ["finetune", "check", "builtin:requests", "--method", "head", "--json"],
    ],
)
def test_ordinary_use_of_a_command_leaves_a_sound_book(tmp_path, monkeypatch, capsys, command):
    """In a fresh home: nothing that a command enters is taken for something that was lost."""
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DAYBOOK_BOOK", raising=False)
    assert cli.main(command) in (0, 3)
    capsys.readouterr()
    assert cli.main(["book", "check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "wrong" not in json.dumps(told)
