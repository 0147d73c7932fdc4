"""The main job, step by step: serve, send, schedule, report, tidy up.

Every step shows its progress and says where its log is if it fails. Whatever happens, also a Ctrl-C,
all processes it started are stopped and the day's keys are revoked; what was journaled stays.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
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
from daybook.errors import DaybookError, PortInUse
from daybook.press.schedule.deployments import Ended, Schedule
from daybook.press.schedule.processes import PartFailed, Process, Processes, held_back
from daybook.settings import Settings

WORDS = ("traffic", "costs")


class DayFailed(DaybookError):
    """A step of the day did not do what it had to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    url: str
    part: Process


def run(settings: Settings, *, console: Console, logical_date: date | None = None) -> None:
    """Do the day. Raises DayFailed (or the error of the step that failed) with the log's place."""
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
            sent = _send(settings, endpoint, bar)
            _start_schedule(parts, schedule, bar)
            ended = _report(schedule, day, bar)
            parts.stop()
        index = _close(settings, console, ended, sent)
    finally:
        shutil.rmtree(prefect_home, ignore_errors=True)
    failed = [one for one in ended if not one.ok]
    if failed:
        said = "; ".join(f"{one.deployment} ended {one.state}: {one.message}" for one in failed)
        raise DayFailed(f"{len(failed)} of {len(ended)} reports failed: {said}.", remedy=f"Logs: {logs}")
    if sent.surprises:
        shown = "; ".join(sent.surprises[:5])
        raise DayFailed(
            f"{len(sent.surprises)} of {sent.total} calls ended otherwise than they ought to: {shown}.",
            remedy=f"Logs: {logs}",
        )
    console.print(f"[bold green]Done.[/] Every report: {index}")


def free_port(wanted: int = 0) -> int:
    """A loopback port that nobody listens on now: the one `wanted`, or any. Raises PortInUse."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise PortInUse(
                f"Port {wanted} can't be listened on: {error.strerror or error}.",
                remedy="Stop what holds it, or choose another: --port 0 takes a free one.",
            ) from error
        port: int = probe.getsockname()[1]
        return port


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
        env = os.environ | {"DAYBOOK_HOME": str(settings.home), "DAYBOOK_BOOK": settings.book_url}
        part = parts.start("endpoint", command, env=env)
        parts.wait(part, ready.is_file, seconds=60)
        url = orjson.loads(ready.read_bytes())["url"].rstrip("/")
        tick(url)
    return Endpoint(url=url, part=part)


def _send(settings: Settings, endpoint: Endpoint, bar: Progress) -> workload.SentCalls:
    errands = workload.errands()
    journal = Journal(settings.home)
    keys = Keys(settings.home / "keys.json", ledger=journal)
    with step(bar, "Send the day's calls", total=len(errands), note=workload.MODEL) as tick:
        issued = {}
        try:
            for caller, project in workload.CALLERS.items():
                with held_back():  # no key is made that we do not know of, and so would not revoke
                    issued[caller] = keys.create(caller, project, actor="daybook day")
            secrets = {caller: one.secret for caller, one in issued.items()}
            sent = asyncio.run(workload.send(endpoint.url, secrets, errands, tick=tick))
        finally:
            with held_back():
                for one in issued.values():
                    keys.revoke(one.key.id, actor="daybook day")
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
    names: Mapping[str, Mapping[str, Any]] = {f"{word}/{word}": {"date": day.isoformat()} for word in WORDS}
    states: dict[str, str] = {}
    with step(bar, "Run the notebooks", total=len(names)) as tick:

        def show(name: str, state: str) -> None:
            states[name.partition("/")[0]] = state
            over = state in {"Completed", "Failed", "Crashed", "Cancelled"}
            tick(", ".join(f"{word} {s.lower()}" for word, s in states.items()), advance=int(over))

        return schedule.trigger(names, seconds=180, tick=show)


def _close(settings: Settings, console: Console, ended: list[Ended], sent: workload.SentCalls) -> Path:
    from daybook.press import index

    with workbench.open(settings=settings) as book:
        book.book.drain()
        where = index.write(settings.reports, book.book)
        runs = book.book.rows("select notebook, report from runs where state = 'completed' order by started_at")
        calls = book.book.rows(
            "select count(*) as n, sum(case when status = 'ok' then 1 else 0 end) as ok,"
            " sum(case when cost is null then 1 else 0 end) as unpriced from calls"
        )[0]
    latest = {row["notebook"]: row["report"] for row in runs}
    table = Table(title="Reports", title_justify="left", title_style="bold")
    for column in ("run", "state", "seconds", "report"):
        table.add_column(column, overflow="fold", justify="right" if column == "seconds" else "left")
    for one in ended:
        word = one.deployment.partition("/")[0]
        seconds = "?" if one.seconds is None else f"{one.seconds:.1f}"
        report = str(settings.reports / latest[word]) if one.ok and word in latest else one.message
        table.add_row(word, one.state, seconds, report)
    console.print(table)
    console.print(
        f"In the book: {calls['n']:,} calls, {calls['ok']:,} of them answered, {calls['unpriced']:,} without a price."
        f" Sent today: {sent.total}."
    )
    return where


def keep_up(settings: Settings, *, console: Console, port: int = 0) -> None:
    """Server, worker and deployments, kept up until Ctrl-C or until one of them ends. `port`: the server's; 0: a free
    one. Raises PortInUse before anything is started."""
    port = free_port(port)
    logs = settings.home / "logs" / f"{SystemClock().now():%Y-%m-%dT%H%M%SZ}-schedule"
    with Processes(logs) as parts:
        schedule = Schedule(parts, settings, home=settings.home / "prefect", port=port)
        server = schedule.start_server()
        with console.status("Starting Prefect's server …"):
            parts.wait(server, schedule.server_answers, seconds=90)
            worker = schedule.start_worker()
            parts.wait(worker, schedule.pool_exists, seconds=60)
            schedule.deploy()
        console.print(
            f"Deployments of prefect.yaml are on schedule. Page: {schedule.page} · logs: {logs} · Ctrl-C stops.\n"
            f"To run one now: PREFECT_API_URL={schedule.api} {sys.executable} -m prefect deployment run costs/costs",
            soft_wrap=True,
        )
        parts.wait(worker, lambda: server.process.poll() is not None, seconds=float("inf"))
        raise PartFailed("Prefect's server ended.", remedy=f"Its log: {server.log}")
