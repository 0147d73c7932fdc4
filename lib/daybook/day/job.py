"""The main job, step by step: serve, send, schedule, report, tidy up; at its end one page to open.

Every step shows its progress and says where its log is if it fails. Whatever happens, also a Ctrl-C,
all processes it started are stopped and the day's keys are revoked; what was journaled stays.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from daybook import workbench
from daybook.access.keys import Keys
from daybook.book.journal.journal import Journal
from daybook.clock import SystemClock, new_id
from daybook.day import workload
from daybook.errors import DaybookError
from daybook.press.schedule.deployments import Ended, Schedule
from daybook.press.schedule.keep_up import free_port
from daybook.press.schedule.processes import Process, Processes, held_back
from daybook.settings import Settings

REPORTS: Mapping[str, Mapping[str, Any]] = {
    "traffic": {},
    "costs": {},
    "evaluation": {"models": [workload.MODEL, f"{workload.MODEL}?shots=3&name=three examples"], "rows": 30},
}
"""What the day reports on itself: notebook → parameters. Three examples make so small a model worse, which 30 rows
show."""
MADE_UP = ("costs", "traffic")
"""What is reported on the sample month as well, whose calls are made up."""


class DayFailed(DaybookError):
    """A step of the day did not do what it had to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    url: str
    part: Process


def run(settings: Settings, *, console: Console, logical_date: date | None = None, calls: int = workload.CALLS) -> None:
    """Do the day, or the first `calls` of it. Raises DayFailed (or the error of the step that failed) with the log's
    place."""
    day = logical_date or SystemClock().now().date()
    stamp = f"{SystemClock().now():%Y-%m-%dT%H%M%SZ}-{new_id()[-6:]}"
    logs = settings.home / "logs" / stamp
    prefect_home = settings.home / "day" / stamp
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<33}", table_column=Column(no_wrap=True, min_width=33)),
        BarColumn(bar_width=12, table_column=Column(min_width=12)),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=5)),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn("[dim]{task.fields[note]}", table_column=Column(overflow="ellipsis", no_wrap=True)),
        console=console,
    )
    console.print(f"[bold]Daybook[/] · a working day, {day} · logs in {logs}")
    try:
        with Processes(logs) as parts, bar:
            schedule = Schedule(parts, settings, home=prefect_home, port=free_port())
            schedule.start_server()
            endpoint = _serve(parts, settings, bar)
            sent = _send(settings, endpoint, bar, calls)
            _start_schedule(parts, schedule, bar)
            ended = _report(schedule, day, bar)
            parts.stop()
            _report_sample(settings, bar)
        page = _close(settings, console, day, ended, sent)
    finally:
        shutil.rmtree(prefect_home, ignore_errors=True)
    failed = [run for run in ended if not run.ok]
    if failed:
        summary = "; ".join(f"{run.deployment} ended {run.state}: {run.message}" for run in failed)
        raise DayFailed(f"{len(failed)} of {len(ended)} reports failed: {summary}.", remedy=f"Logs: {logs}")
    if sent.surprises:
        shown = "; ".join(sent.surprises[:5])
        raise DayFailed(
            f"{len(sent.surprises)} of {sent.total} calls ended otherwise than they ought to: {shown}.",
            remedy=f"Logs: {logs}",
        )
    console.print(f"[bold green]Done.[/] Open this page: {page.as_uri()}", soft_wrap=True)


@contextmanager
def step(bar: Progress, text: str, *, total: int = 1, note: str = "") -> Iterator[Any]:
    """One line of progress; the value advances it and may change its note."""
    task = bar.add_task(text, total=total, note=note)

    def tick(note: str | None = None, *, advance: int = 1) -> None:
        bar.update(task, advance=advance)
        if note is not None:
            bar.update(task, note=note)

    yield tick
    bar.update(task, completed=total)


def _serve(parts: Processes, settings: Settings, bar: Progress) -> Endpoint:
    with step(bar, "Start the endpoint") as tick:
        ready = parts.logs / "endpoint.json"
        command = [
            sys.executable,
            "-m",
            "daybook",
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--ready-file",
            str(ready),
        ]
        env = os.environ | settings.environment()
        part = parts.start("endpoint", command, env=env)
        parts.wait(part, ready.is_file, seconds=60)
        url = orjson.loads(ready.read_bytes())["url"].rstrip("/")
        tick(url)
    return Endpoint(url=url, part=part)


def _send(settings: Settings, endpoint: Endpoint, bar: Progress, calls: int) -> workload.SentCalls:
    planned_calls = workload.planned_calls()[:calls]
    journal = Journal(settings.home)
    keys = Keys(settings.home / "keys.json", ledger=journal)
    with step(bar, "Send the day's calls", total=len(planned_calls), note=workload.MODEL) as tick:
        issued = {}
        try:
            for caller, project in workload.CALLERS.items():
                with held_back():  # no key is made that we do not know of, and so would not revoke
                    issued[caller] = keys.create(caller, project, actor="daybook day")
            secrets = {caller: key.secret for caller, key in issued.items()}
            sent = asyncio.run(workload.send(endpoint.url, secrets, planned_calls, tick=tick))
        finally:
            with held_back():
                for key in issued.values():
                    keys.revoke(key.key.id, actor="daybook day")
                journal.close()
        tick(", ".join(f"{n} {outcome}" for outcome, n in sorted(sent.outcomes.items(), reverse=True)), advance=0)
    endpoint.part.check()
    return sent


def _start_schedule(parts: Processes, schedule: Schedule, bar: Progress) -> None:
    server = next(part for part in parts.parts if part.name == "prefect server")
    with step(bar, "Start Prefect's server and worker", total=2) as tick:
        parts.wait(server, schedule.server_answers, seconds=90)
        tick(schedule.page)
        worker = schedule.start_worker()
        parts.wait(worker, schedule.pool_exists, seconds=60)
    with step(bar, "Deploy prefect.yaml"):
        schedule.deploy()


def _report(schedule: Schedule, day: date, bar: Progress) -> list[Ended]:
    names = {f"{word}/{word}": {"date": day.isoformat(), **parameters} for word, parameters in REPORTS.items()}
    states: dict[str, str] = {}
    with step(bar, "Run the notebooks", total=len(names)) as tick:

        def show(name: str, state: str) -> None:
            states[name.partition("/")[0]] = state
            over = state in {"Completed", "Failed", "Crashed", "Cancelled"}
            tick(", ".join(f"{word} {s.lower()}" for word, s in states.items()), advance=int(over))

        return schedule.trigger(names, seconds=180, tick=show)


def _report_sample(settings: Settings, bar: Progress) -> None:
    """The reports of a month with more in it than one small day has. The same from day to day, so made once."""
    from daybook import press
    from daybook.book.sample.fill import LAST

    with (
        step(bar, "Report a sample month", total=len(MADE_UP), note="made-up calls") as tick,
        workbench.open(settings=settings) as book,
    ):
        for word in MADE_UP:
            press.run(
                word,
                settings=settings,
                logical_date=LAST,
                parameters={"source": "sample"},
                book=book.book,
                idempotency_key=f"sample-month/{word}",
            )
            tick()


def _close(settings: Settings, console: Console, day: date, ended: list[Ended], sent: workload.SentCalls) -> Path:
    """Renew the index and show what came of the day; returns the page to open."""
    from daybook.book.sample.fill import LAST
    from daybook.press.publishing import index, reports, standing

    with workbench.open(settings=settings) as book:
        book.book.drain()
        page = index.write(settings.reports, book.book, readers=settings.readers)
        calls = book.book.rows(
            "select count(*) as n, sum(case when status = 'ok' then 1 else 0 end) as ok,"
            " sum(case when cost is null then 1 else 0 end) as unpriced from calls where status <> 'retried'"
        )[0]
    table = Table(title="Reports", title_justify="left", title_style="bold")
    for column in ("about", "report", "state", "seconds", "what it found"):
        table.add_column(column, overflow="fold", justify="right" if column == "seconds" else "left")
    rows: list[tuple[str, str, date, Ended | None]]
    rows = [("this day", one.deployment.partition("/")[0], day, one) for one in ended]
    rows += [("a made-up month", word, LAST, None) for word in MADE_UP]
    for about, word, logical_date, run in rows:
        done = (one for one in reports.of_day(settings.reports, word, logical_date) if one.run.state == "completed")
        report = next(done, None)
        if report is None or (run is not None and not run.ok):
            table.add_row(about, word, "" if run is None else run.state, "", "" if run is None else run.message)
            continue
        verdict = standing.verdict(report.findings)
        sentences = [str(verdict)] if verdict else []
        sentences += [_sentence(finding) for finding in standing.headlines(word, report.findings)[:3]]
        seconds = "" if report.run.seconds is None else f"{report.run.seconds:.1f}"
        table.add_row(
            about, f"[link={report.html.as_uri()}]{word}[/link]", report.run.state, seconds, "\n".join(sentences)
        )
    console.print(table)
    console.print(
        f"In the book: {calls['n']:,} calls, {calls['ok']:,} of them answered, {calls['unpriced']:,} without a price."
        f" Sent today: {sent.total}."
    )
    return page


def _sentence(finding: Mapping[str, Any]) -> str:
    """A finding in one line, with its verdict where it has one: what stands before the test that says so."""
    from daybook.press.publishing import render

    text = f"{str(finding['name']).replace('_', ' ')}: {render.figure(finding)}"
    verdict, test, _ = str(finding.get("note") or "").partition(";")
    return f"{text}, {verdict}" if test and finding["value"] is not None else text
