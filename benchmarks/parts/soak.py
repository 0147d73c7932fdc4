"""Many processes on one DuckDB book at once, and whether a row was lost or a read failed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from daybook.book import Book
from daybook.clock import new_id
from daybook.records import Finding, Run
from parts.made import a_call, folder, table


def soak(seconds: float = 60.0, *, as_json: bool = False) -> None:
    """An endpoint that appends and drains on a timer, two kernels that read what they enter, and a flow that enters
    runs and reads them as frames: four processes on one DuckDB file."""
    with folder() as home:
        url = f"duckdb:///{home / 'book.duckdb'}"
        roles = ["endpoint", "kernel", "kernel", "flow"]
        started = [
            subprocess.Popen(
                [sys.executable, sys.argv[0], "--role", role, url, str(home), str(seconds)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for role in roles
        ]
        outcomes = [orjson.loads(process.communicate()[0] or "{}") for process in started]
        codes = [process.returncode for process in started]
        with Book(url, home) as book:
            book.drain()
            there = book.rows(
                "select (select count(*) from calls) as calls, (select count(distinct id) from calls) as ids, "
                "(select count(*) from findings) as findings, (select count(*) from runs) as runs, "
                "(select count(*) from runs where state = 'completed') as completed"
            )[0]
            wrong = [check.name for check in book.check() if check.level == "wrong"]
            size = book.size() or 0
    found = {"exit_codes": codes, "roles": dict(zip(range(4), outcomes, strict=True)), "book": there, "wrong": wrong}
    if as_json:
        print(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS).decode())
        return
    rows = [
        [role, *(f"{outcome[k]:,}" for k in ("appended", "reads", "failed", "missed")), *outcome["took"]]
        for role, outcome in zip(roles, outcomes, strict=True)
    ]
    head = ["process", "appended", "reads or drains", "failed", "rows missed", "p50 ms", "p99 ms", "longest ms"]
    table(f"One DuckDB book, four processes, {seconds:g} s", head, rows)
    appended = sum(outcome["appended"] for outcome in outcomes)
    print(f"\nIn the book: {there}, of {appended:,} appended; checks that found something wrong: {wrong or 'none'};")
    print(f"file {size / 1e6:.1f} MB; exit codes {codes}.")


def _endpoint(book: Book, until: float) -> dict[str, Any]:
    appended, turns = 0, _Turns()
    stop = threading.Event()

    def keep_draining() -> None:
        while not stop.wait(0.5):
            turns.take(book.drain)

    timer = threading.Thread(target=keep_draining)
    timer.start()
    while time.monotonic() < until:
        book.append(a_call())
        appended += 1
        time.sleep(0.002)
    stop.set()
    timer.join()
    return turns.outcome(appended)


def _kernel(book: Book, until: float) -> dict[str, Any]:
    """Enters a finding and at once asks for all of its own: what was acknowledged must be seen."""
    turns, run, n, calls = _Turns(), new_id(), 0, 0
    while time.monotonic() < until:
        book.append(
            Finding(id=new_id(), run_id=f"interactive-{run}", at=datetime.now(UTC), name="n", value=n, unit="1")
        )
        n += 1
        query = "select count(*) as n, (select count(*) from calls) as calls from findings where run_id = :run"
        rows = turns.take(lambda query=query: book.rows(query, {"run": f"interactive-{run}"}))
        if rows is not None:
            turns.missed += (rows[0]["n"] != n) + (rows[0]["calls"] < calls)
            calls = rows[0]["calls"]
    return turns.outcome(n)


def _flow(book: Book, until: float) -> dict[str, Any]:
    """Starts and ends runs, and reads them as a frame in between."""
    turns, n = _Turns(), 0
    while time.monotonic() < until:
        run = Run(
            id=new_id(),
            notebook="costs",
            logical_date=datetime.now(UTC).date(),
            state="running",
            started_at=datetime.now(UTC),
        )
        book.append(run)
        frame = turns.take(lambda run=run: book.sql("select state from runs where id = :id", {"id": run.id}))
        if frame is not None:
            turns.missed += frame["state"].tolist() != ["running"]
        book.append(replace(run, state="completed", ended_at=datetime.now(UTC)))
        rows = turns.take(lambda run=run: book.rows("select state from runs where id = :id", {"id": run.id}))
        if rows is not None:
            turns.missed += rows != [{"state": "completed"}]
        n += 2
        time.sleep(0.05)
    return turns.outcome(n)


class _Turns:
    """Reads or drains, how long each took, and which failed."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.failed: list[str] = []
        self.missed = 0

    def take(self, ask: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            return ask()
        except Exception as error:
            self.failed.append(f"{type(error).__name__}: {error}")
            return None
        finally:
            self.times.append(time.perf_counter() - began)

    def outcome(self, appended: int) -> dict[str, Any]:
        times = sorted(self.times) or [0.0]
        marks = (times[len(times) // 2], times[int(len(times) * 0.99)], times[-1])
        return {
            "appended": appended,
            "reads": len(self.times),
            "failed": len(self.failed),
            "errors": self.failed[:3],
            "missed": self.missed,
            "took": [f"{1e3 * mark:.0f}" for mark in marks],
        }


def _soaked(role: Callable[[Book, float], dict[str, Any]]) -> Callable[[str, str, str], None]:
    def run(url: str, home: str, seconds: str) -> None:
        with Book(url, Path(home)) as book:
            outcome = role(book, time.monotonic() + float(seconds))
        sys.stdout.write(orjson.dumps(outcome).decode())

    return run


ROLES = {"endpoint": _soaked(_endpoint), "kernel": _soaked(_kernel), "flow": _soaked(_flow)}
