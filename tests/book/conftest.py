"""Records to put into a book, books that are closed again, and processes that are ended again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daybook.book import Book
from daybook.book.journal.journal import Journal
from daybook.clock import new_id
from daybook.records import Call, DeploymentRevision, Event, Finding, ModelAlias, ModelVersion, Record, Run, Subject

NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
PROCESSES = Path(__file__).parent / "processes"


class Records:
    """Makes records; what is not said is ordinary."""

    noon = NOON

    def call(self, **more: Any) -> Call:
        ordinary: dict[str, Any] = {
            "id": new_id(),
            "request_id": "req-1",
            "at": NOON,
            "endpoint": "/v1/chat/completions",
            "requested_model": "gpt-4o-mini",
            "status": "ok",
            "cost": Decimal("0.000123456789"),
            "price_source": "genai-prices",
            "input_tokens": 1000,
        }
        return Call(**ordinary | more)

    def run(self, **more: Any) -> Run:
        ordinary: dict[str, Any] = {
            "id": new_id(),
            "notebook": "costs",
            "logical_date": date(2026, 11, 20),
            "state": "running",
            "started_at": NOON,
            "window_start": NOON - timedelta(days=1),
            "window_end": NOON,
            "parameters": {"days": 7},
        }
        return Run(**ordinary | more)

    def each(self) -> list[Record]:
        """One record of each kind."""
        run = self.run()
        return [
            self.call(tags={"team": "ops"}, parameters={"temperature": 0.5, "stop": ["a", "b"]}, run_id=run.id),
            Event(id=new_id(), at=NOON, actor="test", action="key.created", details={"n": 1}),
            run,
            Finding(id=new_id(), run_id=run.id, at=NOON, name="spend", value=1.25, unit="USD", n=3),
            Subject(id="subject-1", at=NOON, first_seen=NOON, details={"consent": True}),
            ModelVersion(
                id="triage:v1",
                claim=new_id(),
                at=NOON,
                name="triage",
                version=1,
                method="head",
                provider="head",
                target="triage:v1",
                metrics={"accuracy": 0.9},
                subjects=("subject-1",),
                actor="test",
            ),
            ModelAlias(id=new_id(), at=NOON, model="triage", alias="champion", version=1, actor="test"),
            DeploymentRevision(
                id="chat:r1",
                claim=new_id(),
                at=NOON,
                name="chat",
                revision=1,
                action="created",
                strategy="canary",
                versions={"v1": "m", "v2": "n"},
                weights={"v1": 9900, "v2": 100},
                live="v1",
                candidate="v2",
                sticky="session",
                steps=(1, 100),
                budget=Decimal("2.5"),
                restores=1,
                actor="test",
                reason="why",
            ),
        ]


@pytest.fixture
def make() -> Records:
    return Records()


@pytest.fixture
def open_book(home: Path) -> Iterator[Callable[..., Book]]:
    """Opens books over `home` that share no state; all are closed at the end."""
    opened: list[Book] = []

    def open_(url: str, **more: Any) -> Book:
        book = Book(url, more.pop("home", home), **more)
        opened.append(book)
        return book

    yield open_
    for book in opened:
        book.close()


@pytest.fixture
def book(book_url: str, open_book: Callable[..., Book]) -> Book:
    """An empty book, on DuckDB and then on Postgres."""
    return open_book(book_url)


@pytest.fixture
def duck(home: Path, open_book: Callable[..., Book]) -> Book:
    """An empty book on DuckDB."""
    return open_book(f"duckdb:///{home / 'book.duckdb'}")


@pytest.fixture
def journal(home: Path) -> Iterator[Journal]:
    journal = Journal(home)
    yield journal
    journal.close()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `processes/<name>.py` with arguments, its output piped; all are killed and reaped at the end."""
    started: list[subprocess.Popen[str]] = []

    def start_(name: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", str(PROCESSES / f"{name}.py"), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def until() -> Callable[..., None]:
    """Polls a condition until it holds; fails the test after `seconds`."""

    def until_(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come to hold in time"
            time.sleep(0.002)

    return until_
