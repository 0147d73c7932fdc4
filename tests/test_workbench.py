"""The workbench: where what is asked, read and entered goes."""

import json
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

import daybook
from daybook.book.schema import calls
from daybook.clock import FixedClock
from daybook.errors import BadDate, BadParameter, GateNotMet, SettingsError
from daybook.records import Call
from daybook.settings import Settings
from daybook.window import Window

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

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


# ── what is read ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def noon(settings):
    """A book at noon, with a call on each of ten moments before it."""
    with daybook.open(settings=settings, clock=FixedClock(NOON)) as book:
        for days, seconds in ((0, 1), (1, 0), (1, 1), (7, 0), (7, 1), (30, 0)):
            at = NOON - timedelta(days=days, seconds=seconds)
            id_ = f"{days}d{seconds}s"
            book.append(Call(id=id_, request_id=id_, at=at, endpoint="library", requested_model="m", status="ok"))
        yield book


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, ["0d1s", "1d0s", "1d1s", "7d0s"]),
        ({"days": 1}, ["0d1s", "1d0s"]),
        ({"days": 30, "limit": 5}, ["0d1s", "1d0s", "1d1s", "7d0s", "7d1s"]),
        ({"days": 30}, ["0d1s", "1d0s", "1d1s", "7d0s", "7d1s", "30d0s"]),
    ],
)
def test_the_calls_of_the_last_days_are_a_frame_newest_first(noon, options, ids):
    """A week where nothing else is said; a call exactly that old is one of them."""
    frame = noon.calls(**options)
    assert list(frame["id"]) == ids
    assert set(frame.columns) == {column.name for column in calls.columns}


@pytest.mark.parametrize("days", [0, -1])
def test_less_than_a_day_of_calls_cannot_be_asked_for(noon, days):
    """With what was asked for."""
    with pytest.raises(BadParameter, match=f"days is {days}. Ask for at least 1 day."):
        noon.calls(days=days)


def test_a_query_has_its_parameters_by_name(noon):
    """Values, never text of the query."""
    frame = noon.sql("select id from calls where id = :id or id = :other order by id", id="1d0s", other="7d0s")
    assert list(frame["id"]) == ["1d0s", "7d0s"]


def test_reports_end_today_where_no_date_is_said(noon):
    """Thirty days of costs and seven of traffic, by the book's clock."""
    assert (str(noon.costs().window), str(noon.traffic().window)) == (
        str(Window.of(NOON.date(), 30)), str(Window.of(NOON.date(), 7)),
    )  # fmt: skip
    day = date(2026, 11, 1)
    assert str(noon.costs(logical_date=day, days=3).window) == str(Window.of(day, 3))
    assert str(noon.traffic(logical_date=str(day), days=3).window) == str(Window.of(day, 3))


def test_a_book_shows_what_is_in_it(noon, settings, tmp_path):
    """Where it is, how many calls, from when to when; an empty one has no dates."""
    url = settings.book_url
    assert repr(noon) == f"<daybook: book, {url}>"
    assert noon._repr_html_() == f"<b>Daybook</b> · {url} · 6 calls, 2026-10-25 to 2026-11-24"
    other = f"duckdb:///{tmp_path}/home/a&b.duckdb"
    with daybook.open(other, settings=replace(settings, home=tmp_path / "other")) as empty:
        assert repr(empty) == f"<daybook: url, {other}>"
        assert empty._repr_html_() == f"<b>Daybook</b> · {other.replace('&', '&amp;')} · 0 calls"


# ── what is asked and entered ─────────────────────────────────────────────────────────────────────────


def test_a_question_is_a_call_of_the_run(settings):
    """Under the press it is the run's; options go on to the model; the models end with the book."""
    settings.home.mkdir()
    settings.models.write_text("upstreams: {up: {kind: echo}}\n")
    with daybook.open(settings=replace(settings, run_id="r1")) as book:
        assert book.ask("Hello.", model="up/m", max_tokens=5, project="p").text == "Hello."
        (call,) = book.book.rows("select * from calls")
        assert [thread for thread in threading.enumerate() if thread.name == "daybook-asking" and thread.daemon]
    assert (call["run_id"], call["project"], call["parameters"]) == ("r1", "p", {"max_tokens": 5})
    assert not [thread for thread in threading.enumerate() if thread.name == "daybook-asking"]


def test_without_a_run_findings_belong_to_nobodys(settings):
    """Each time to a run of its own that says so; who entered them and when."""
    with daybook.open(settings=settings, clock=FixedClock(NOON)) as book:
        book.enter([FINDING])
        book.enter([FINDING])
        rows = book.book.rows("select * from findings")
    assert [row["time"] for row in rows] == [NOON, NOON]
    runs = {row["run_id"] for row in rows}
    assert len(runs) == 2
    assert all(run.startswith("interactive-") for run in runs)
    assert {name: rows[0][name] for name in FINDING} == FINDING


@pytest.mark.parametrize("source", [None, "", "book"])
def test_the_projects_book_has_three_names(settings, source):
    """And is the one of the settings."""
    with daybook.open(source, settings=settings) as book:
        assert (book.source, book.book.url_shown) == ("book", settings.book_url)


def test_a_book_that_is_open_can_be_lent(settings):
    """It is used as it is, and closed with the workbench."""
    with daybook.open(settings=settings) as owner, daybook.open(settings=settings, book=owner.book) as book:
        assert (book.book, book.source) == (owner.book, "book")


def test_an_answer_can_be_judged(settings):
    """What somebody thinks of it is an event about that call."""
    settings.home.mkdir()
    settings.models.write_text("upstreams: {up: {kind: echo}}\n")
    with daybook.open(settings=settings) as book:
        answer = book.ask("Hello.", model="up/m")
        book.feedback(answer.call_id, good=False, correction="Hi.", consent=True)
        (event,) = book.book.rows("select actor, object, details from events")
    assert (event["actor"], event["object"]) == ("notebook", answer.call_id)
    assert (event["details"]["good"], event["details"]["consent"]) == (False, True)


def test_rows_are_those_of_a_file_or_of_a_set_that_is_there(settings, tmp_path):
    """As many as are asked for; a set that was loaded is taken as it is."""
    path = tmp_path / "rows.csv"
    path.write_text("q,target\n" + "".join(f"What is {n}?,{n}\n" for n in range(9)))
    with daybook.open(settings=settings) as book:
        data = book.dataset(path, columns={"input": "q"})
        assert [row.input for row in data.rows] == [f"What is {n}?" for n in range(9)]
        assert book.dataset(data) == data
        assert len(book.dataset(data, rows=4).rows) == 4


def test_models_are_compared_on_rows_and_their_answers_kept(settings, tmp_path):
    """One that says the question back is right where the question is the answer; the second time nothing is asked."""
    settings.home.mkdir()
    settings.models.write_text("upstreams: {up: {kind: echo}}\n")
    path = tmp_path / "rows.csv"
    path.write_text("input,target\nyes,yes\nno,yes\n")
    with daybook.open(settings=settings) as book:
        first = book.evaluate(path, ["up/m"], scorer="exact")
        again = book.evaluate(path, ["up/m"], scorer="exact")
        assert (first.asked, again.asked) == (2, 0)
        assert len(book.calls()) == 2


def test_tasks_start_nothing_until_they_are_asked(settings):
    """Nor is anything started only to be closed."""
    with daybook.open(settings=settings) as book:
        assert book.tasks is book.tasks
    assert not (settings.home / "logs").exists()
