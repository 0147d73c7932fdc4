"""The workbench: where what is asked, read and entered goes."""

import json
from dataclasses import replace

import pytest

import daybook
from daybook.errors import BadDate, BadParameter, GateNotMet, SettingsError
from daybook.settings import Settings

FINDING = {"name": "spend", "value": 1.5, "unit": "USD", "low": 1.0, "high": 2.0, "level": 0.95, "n": 3}


@pytest.fixture
def settings(home, tmp_path):
    return Settings.from_env({"DAYBOOK_HOME": str(home)}, cwd=tmp_path)


def test_a_run_that_reads_a_sample_enters_its_findings_in_the_projects_book(settings):
    """Under the press the findings belong to the run, wherever the notebook read."""
    with daybook.open("sample", settings=replace(settings, run_id="r1")) as sample:
        digest = sample.enter([FINDING])
    with daybook.open(settings=settings) as project:
        assert project.book.rows("select run_id, name, value, n from findings") == [
            {"run_id": "r1", "name": "spend", "value": 1.5, "n": 3}
        ]
    assert digest.startswith("sha256:")


def test_the_digest_depends_on_the_findings_alone(settings):
    """Order, time and run do not change it; a figure does."""
    other = {"name": "calls", "value": 2, "unit": "calls"}
    with daybook.open(settings=settings) as book:
        first = book.enter([FINDING, other])
        assert book.enter([other, FINDING]) == first
        assert book.enter([FINDING, other | {"value": 3}]) != first


def test_a_sample_is_the_same_for_everyone_and_leaves_the_project_alone(settings):
    """Two samples hold the same calls; the project's home is not even made."""
    with daybook.open("sample", settings=settings) as one, daybook.open("sample", settings=settings) as two:
        query = "select count(*) as n, sum(cost) as usd from calls"
        assert one.book.rows(query) == two.book.rows(query)
        assert one.book.rows(query)[0]["n"] > 2000
    assert not settings.home.exists()


@pytest.mark.parametrize("source", ["smaple", "mysql://x", "book.duckdb"])
def test_another_source_is_refused(settings, source):
    """The message says what can be opened."""
    with pytest.raises(BadParameter, match='Say "book", "sample"'):
        daybook.open(source, settings=settings)


def test_a_date_is_an_iso_date(settings):
    """Anything else is refused before the book is read."""
    with daybook.open(settings=settings) as book, pytest.raises(BadDate, match=r"'20\.11\.2026' is not a date"):
        book.costs(logical_date="20.11.2026")


@pytest.mark.parametrize("source", [None, "book", "duckdb:////tmp/other.duckdb"])
def test_a_second_book_is_not_begun_in_a_wrong_folder(source, tmp_path, monkeypatch):
    """As on the command line: it is said which one it would be, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAYBOOK_HOME", raising=False)
    with pytest.raises(SettingsError) as refused:
        daybook.open(source)
    assert f"would begin a new book in {tmp_path}/.daybook." in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    name, _, home = str(refused.value).rpartition(", e.g. ")[2].partition("=")
    monkeypatch.setenv(name, home)  # the remedy as it is printed
    with daybook.open() as book:
        book.enter([FINDING])
    monkeypatch.delenv(name)
    with daybook.open() as book:  # now it is this folder's
        assert book.settings.home == tmp_path / ".daybook"


def test_a_sample_can_be_opened_anywhere(tmp_path, monkeypatch):
    """It begins no book of this folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAYBOOK_HOME", raising=False)
    with daybook.open("sample") as book:
        assert book.book.rows("select count(*) as n from calls")[0]["n"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_remedy_of_a_closed_gate_opens_it(settings, tmp_path):
    """What is printed is what can be passed, in Python and as a notebook's parameter."""
    asked = [{"role": "user", "content": f"Say {n}."} for n in range(40)]
    said = [{"role": "assistant", "content": f"ada{n}@example.com"} for n in range(40)]
    rows = [{"messages": list(chat)} for chat in zip(asked, said, strict=True)]
    path = tmp_path / "chats.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with daybook.open(settings=settings) as book:
        given = {"name": "mails", "recipe": {"method": "lora"}, "licence": "own"}
        plan = book.finetuning(str(path), **given)
        with pytest.raises(GateNotMet) as closed:
            plan.plan.checked.require()
        text = str(closed.value)
        policies = json.loads(text[text.index("policies=") + len("policies=") : text.index("}") + 1])
        assert policies["personal_data"] == "warn"
        assert "--policy personal_data=warn" in text
        book.finetuning(str(path), policies=policies, **given).plan.checked.require()
