"""What a flow does without a server: for which date it runs, when it is a repetition, how it fails, and how it goes
together with reports that are made by hand."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.flows import Flow, load_flow_from_entrypoint

from daybook import press
from daybook.book import Book
from daybook.cli import main
from daybook.errors import BadDate, SettingsError
from daybook.press.publishing.reports import completed
from daybook.press.schedule.report_flow import address, describe, notebook_flow, occasion
from daybook.settings import Settings

FINDS = """
import daybook
daybook.open("book").enter([{"name": "failed_rate", "value": days / 100, "unit": "share", "low": 0.05, "high": 0.1,
                             "level": 0.95, "n": days}])
"""
WORDS = ["approach", "bias", "costs", "evaluation", "evidence", "experiment", "finetune", "privacy", "traffic"]


@pytest.fixture
def settings(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """This process is in the project, with a home of its own."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    for name in ("DAYBOOK_BOOK", "DAYBOOK_REPORTS", "DAYBOOK_RUN"):
        monkeypatch.delenv(name, raising=False)
    return Settings.from_env()


@pytest.fixture
def flows(project: Path, settings: Settings) -> Callable[[str], Flow[..., Any]]:
    """The project's flow of a word, loaded as a worker loads it."""

    def load(word: str) -> Flow[..., Any]:
        return load_flow_from_entrypoint(f"{project / 'flows' / word}.py:{word}")

    return load


def within(**told: Any) -> FlowRunContext:
    """The context of a flow run of which Prefect says this."""
    ordinary = {"flow_id": uuid4(), "deployment_id": uuid4()}
    return FlowRunContext.model_construct(flow_run=FlowRun(**ordinary | told))


def runs(settings: Settings) -> list[dict[str, Any]]:
    with Book(settings.book_url, settings.home) as book:
        return book.rows("select * from runs order by started_at")


def test_a_scheduled_run_is_for_the_last_utc_day_that_was_over() -> None:
    """However late it starts, and in whatever zone the schedule is; and it is the same one for the same deployment and
    time, under whatever id Prefect made it."""
    deployment = uuid4()
    west = datetime(2026, 11, 20, 20, 45, tzinfo=timezone(timedelta(hours=-5)))
    seen = []
    for at in (west, west.astimezone(UTC)):
        told = {"auto_scheduled": True, "deployment_id": deployment, "expected_start_time": at}
        with within(**told, start_time=datetime(2026, 11, 23, 9, tzinfo=UTC)):
            seen.append(occasion(None))
    assert [now.logical_date for now in seen] == [date(2026, 11, 20)] * 2
    assert {now.key for now in seen} == {f"scheduled:{deployment}:2026-11-21T01:45:00+00:00"}
    assert len({now.flow_run_id for now in seen}) == 2
    with within(auto_scheduled=True, deployment_id=deployment, expected_start_time=west + timedelta(days=1)):
        assert occasion(None).key not in {now.key for now in seen}


@pytest.mark.parametrize(
    ("at", "day"),
    [("2026-11-21T00:00:00+00:00", 20), ("2026-11-21T00:15:00+00:00", 20), ("2026-11-20T23:59:59+00:00", 19)],
)
def test_no_schedule_makes_a_report_of_a_day_that_is_not_over(at: str, day: int) -> None:
    """From midnight on it is the day that ended; a second before midnight that is still the day before."""
    with within(auto_scheduled=True, expected_start_time=datetime.fromisoformat(at)):
        assert occasion(None).logical_date == date(2026, 11, day)
        assert occasion(date(2026, 11, 3)).logical_date == date(2026, 11, 3)


def test_every_schedule_is_after_midnight_and_on_the_book_or_switched_off() -> None:
    """Nine reports and two flows of upkeep, each with its tags; what is active is about the book, never about data that
    ships with us."""
    told = yaml.safe_load((Path(__file__).parents[3] / "prefect.yaml").read_text())["deployments"]
    assert sorted(one["name"] for one in told) == sorted([*WORDS, "backup", "retention"])
    assert all(one["name"] in one["tags"] for one in told)
    active = {one["name"]: one for one in told if all(s.get("active", True) for s in one["schedules"])}
    sources = {name: one["parameters"]["source"] for name, one in active.items()}
    assert sources == dict.fromkeys(("traffic", "costs", "evidence", "privacy"), "book")
    assert all(s["cron"].split()[1] in ("0", "1", "2") for one in told for s in one["schedules"])


def test_a_report_made_before_its_day_was_over_is_not_what_done_means(settings: Settings) -> None:
    """The same parameters: a run at 23:59:59 is not the report of the day, one from midnight on is; and what is not
    about days, or about the sample, is done whenever it was made."""
    from daybook.press.execution.runner import RunOutcome
    from daybook.press.publishing import publish
    from daybook.press.scrub import Scrubber
    from daybook.records import Run

    end = datetime(2026, 11, 21, tzinfo=UTC)

    def done(at: datetime, **parameters: Any) -> bool:
        folder = settings.reports / uuid4().hex
        run = Run(
            id=uuid4().hex, notebook="costs", logical_date=date(2026, 11, 20), state="completed", started_at=at,
            parameters=parameters, window_start=end - timedelta(days=1), window_end=end,
        )  # fmt: skip
        notebook: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        files = {"reports": folder, "home": folder / ".home", "facts": {}}
        publish.publish(notebook, run, RunOutcome(state="completed"), findings=[], scrubber=Scrubber(), **files)
        return completed(folder, "costs", date(2026, 11, 20), parameters=parameters) is not None

    early = end - timedelta(seconds=1)
    assert not done(early, days=1, source="book")
    assert done(end, days=1, source="book")
    assert done(early, days=1, source="sample")
    assert done(early, rows=16)


def test_a_triggered_run_is_for_the_date_it_was_given() -> None:
    """Else for that of its start; and it is done once for itself: two triggers are two runs, a retry is none."""
    with within(expected_start_time=datetime(2026, 11, 23, 9, tzinfo=UTC)) as context:
        given, start, again = occasion(date(2026, 11, 20)), occasion(None), occasion(None)
    assert (given.logical_date, start.logical_date) == (date(2026, 11, 20), date(2026, 11, 23))
    assert start == again
    assert start.key == f"flow-run:{context.flow_run.id}"
    with within(expected_start_time=datetime(2026, 11, 23, 9, tzinfo=UTC)):
        assert occasion(None).key != start.key


def test_outside_a_flow_run_a_date_has_to_be_error_message() -> None:
    """There is no now: a report is about a date, and one given by hand belongs to nobody's key."""
    with pytest.raises(BadDate, match=r"Outside a flow run there is no scheduled date\. Say one: date=2026-11-20\."):
        occasion(None)
    with within(expected_start_time=None), pytest.raises(BadDate, match="no scheduled time"):
        occasion(None)
    by_hand = occasion(date(2026, 11, 20))
    assert (by_hand.logical_date, by_hand.key, by_hand.flow_run_id) == (date(2026, 11, 20), None, None)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (None, None),
        ("", None),
        ("http://localhost:9000", "http://localhost:9000/costs/2026-11-20/a%20b.html"),
        ("https://reports.example/daybook/", "https://reports.example/daybook/costs/2026-11-20/a%20b.html"),
    ],
)
def test_a_report_is_linked_where_it_is_served(url: str | None, link: str | None, tmp_path: Path) -> None:
    """A browser follows no link from Prefect's page to a file: without an address there is no link."""
    settings = Settings.from_env({} if url is None else {"DAYBOOK_REPORTS_URL": url}, cwd=tmp_path)
    assert address(settings.reports / "costs" / "2026-11-20" / "a b.html", settings) == link


@pytest.mark.parametrize("url", ["file:///srv/reports", "reports.example", "ftp://x"])
def test_what_no_browser_follows_is_refused(url: str, tmp_path: Path) -> None:
    """With what can be written instead."""
    with pytest.raises(SettingsError, match="Write http://… or https://…"):
        Settings.from_env({"DAYBOOK_REPORTS_URL": url}, cwd=tmp_path)


def test_a_flow_tells_its_notebook_what_it_was_told(notebook: Any, settings: Settings, flows: Any) -> None:
    """Defaults too; neither the date, nor the limit, nor what is the flow's own; what it does itself comes first."""
    notebook("traffic", FINDS)
    done: list[str | None] = []

    def costs(date: Any = None, days: int = 30, dask: str | None = None, timeout: float = 9.0) -> None:
        """Publish."""
        done.append(dask)

    made = notebook_flow(own=("dask",))(costs)
    assert (made.name, made.description) == ("costs", "Publish.")
    assert set(made.parameters.properties) == {"date", "days", "dask", "timeout"}
    state = made.fn(date(2026, 11, 20), dask="tcp://x")
    assert done == ["tcp://x"]
    assert state.message == "There is no notebook 'costs'. There are: traffic."


@pytest.mark.parametrize("word", WORDS)
def test_a_flow_has_the_name_and_parameters_of_its_notebook(flows: Callable[[str], Flow[..., Any]], word: str) -> None:
    """Whatever a flow can be given its notebook can be told, but for the date, which is the run's, and the limit."""
    from daybook.press.notebook import notebooks, parameters

    flow = flows(word)
    assert flow.name == word
    source = notebooks.load(Path(__file__).parents[3], word)
    cell = parameters.cell_of(source)
    assert cell is not None
    known = set(parameters.declared(cell["source"]))
    told = (
        set(flow.parameters.properties) - {"date", "timeout"} - ({"dask", "parts"} if word == "evaluation" else set())
    )
    assert told
    assert told <= known - {"logical_date"}
    assert (flow.parameters.properties["timeout"]["default"] >= 600, flow.parameters.required) == (True, [])


@pytest.mark.slow
def test_a_second_run_for_the_same_occasion_is_the_first_one(notebook: Any, settings: Settings) -> None:
    """A scheduled time that Prefect hands out twice is executed once: the second is given the first's report, and
    shown as done before."""
    notebook("traffic", FINDS)
    deployment, at = uuid4(), datetime(2026, 11, 20, 23, 45, tzinfo=UTC)
    made = []
    with Book(settings.book_url, settings.home) as book:
        for _ in range(2):
            with within(auto_scheduled=True, deployment_id=deployment, expected_start_time=at):
                now = occasion(None)
            told = {"idempotency_key": now.key, "flow_run_id": now.flow_run_id}
            made.append(press.run("traffic", settings=settings, book=book, logical_date=now.logical_date, **told))
    first, second = made
    assert (first.repeated, second.repeated) == (False, True)
    assert second.run == first.run
    assert [row["id"] for row in runs(settings)] == [first.run.id]
    assert describe(first).splitlines()[0] == "**Made-up data** (source = sample), not yours."
    assert describe(first).splitlines()[4:] == [
        "- failed rate: 7 % 5 to 10 % (95 %)",
        "",
        f"Report: `{first.html}`",
        "",
        f"To open it: `{sys.executable} -m webbrowser -t {first.html.as_uri()}`",
    ]
    assert (
        describe(first, "http://reports.example/a.html").splitlines()[-1] == "[Report](http://reports.example/a.html)"
    )
    assert describe(second).splitlines()[2].endswith(" (done before; not run again)")


def test_a_flow_that_cannot_go_well_fails_before_it_starts(
    flows: Callable[[str], Flow[..., Any]], notebook: Any, settings: Settings
) -> None:
    """A flow's own function, without Prefect around it: Failed says in one paragraph why, and nothing was run."""
    notebook("traffic", FINDS)
    undated = flows("traffic").fn()
    assert undated.type.value == "FAILED"
    assert undated.message == "Outside a flow run there is no scheduled date. Say one: date=2026-11-20."
    unknown = flows("costs").fn(date=date(2026, 11, 20))
    assert unknown.type.value == "FAILED"
    assert unknown.message == "There is no notebook 'costs'. There are: traffic."
    assert runs(settings) == []


@pytest.mark.slow
def test_a_backfill_names_the_report_there_is_and_adds_one_only_when_told(
    flows: Callable[[str], Flow[..., Any]], notebook: Any, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flow completes with its report. `daybook run` for the same date and parameters names that one and makes none;
    with --again it makes one beside it, overwrites nothing, and from then on names the newer."""
    notebook("costs", FINDS)
    done = flows("costs").fn(date=date(2026, 11, 20), days=7)
    told = {"logical_date": "2026-11-20", "days": 7, "source": "book"}
    report = completed(settings.reports, "costs", date(2026, 11, 20), parameters=told)
    assert report is not None
    assert (done.type.value, done.message) == ("COMPLETED", f"Report: {report.html}")
    before = report.html.read_bytes()

    def say(*argv: str) -> list[str]:
        assert main(["run", "costs", "--date", "2026-11-20", *argv]) == 0
        return capsys.readouterr().out.splitlines()

    named = say()
    assert re.fullmatch(rf"costs for 2026-11-20 was done on 20\d\d-\d\d-\d\d \d\d:\d\d UTC: {report.html}", named[0])
    assert named[1] == "To run it again beside that one: --again"
    assert say("-p", "days=7", "-p", "logical_date=2026-11-20") == named
    assert len(runs(settings)) == 1

    added = say("--again")
    assert re.fullmatch(r"costs for 2026-11-20: completed in .* s", added[0])
    assert added[1] == "  failed rate: 7 %, 5 to 10 % (95 %)"
    other = Path(added[2].strip())
    assert other != report.html
    assert other.parent == report.html.parent
    assert report.html.read_bytes() == before
    assert [row["idempotency_key"] for row in runs(settings)] == [None, None]
    assert say()[0].endswith(f": {other}")
    assert main(["reports", "costs"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in listed[:2]] == [str(other), str(report.html)]
    assert listed[2].startswith("2 of 2 runs.")
