"""The workbench: where what is asked, read and entered goes."""

from dataclasses import replace

import pytest

import daybook
from daybook.errors import BadDate, BadParameter
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
