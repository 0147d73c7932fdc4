"""What the book costs: appends, drains, cost by day over millions of calls, and many processes at once.

    python benchmarks/book.py                       all tables; about four minutes, 3 GB of disk
    python benchmarks/book.py journal | drain | opens | days
    python benchmarks/book.py days --millions 1     smaller
    python benchmarks/book.py soak --seconds 60     endpoint, kernel and flow on one book at once

Peers, measured in the same run: an append beside the same line forced to the disk each time; a drain beside one ORM
commit a call, which is how a request logger is usually written. A Postgres is started from a package, on a socket.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from parts import soak
from parts.made import a_call, folder, machine, postgres, table

from daybook.book import Book
from daybook.book.journal.journal import Journal
from daybook.records import Call

# ── the journal ───────────────────────────────────────────────────────────────────────────────────────


def journal(n: int = 100_000) -> None:
    calls = [a_call() for _ in range(n)]
    rows = []
    with folder() as home:
        ours = Journal(home)
        rows.append(["Journal, one thread", *_timed(ours.append, calls)])
        seconds = time.perf_counter()
        ours.sync()
        rows[-1].append(f"{(time.perf_counter() - seconds) * 1e3:.1f} ms to sync")
        ours.close()
    with folder() as home:
        rows.append(["Journal, four threads", *_threads(home, calls[: n // 2]), ""])
    with folder() as home:
        from daybook.book.entry import encode

        with (home / "peer").open("ab", buffering=0) as file:

            def forced(call: Call) -> None:
                file.write(encode(call, 1))
                os.fdatasync(file.fileno())

            rows.append(["the same line, forced to the disk each", *_timed(forced, calls[:500]), ""])
    table("Appending a call", ["", "entries/s", "p50 µs", "p99 µs", "longest ms", ""], rows)


def _timed(append: Callable[[Call], object], calls: list[Call]) -> list[str]:
    took = []
    clock = time.perf_counter
    began = clock()
    for call in calls:
        at = clock()
        append(call)
        took.append(clock() - at)
    return _figures(took, clock() - began)


def _threads(home: Path, calls: list[Call]) -> list[str]:
    ours = Journal(home)
    took: list[float] = []

    def work(mine: list[Call]) -> None:
        clock = time.perf_counter
        for call in mine:
            at = clock()
            ours.append(call)
            took.append(clock() - at)

    threads = [threading.Thread(target=work, args=(calls[n::4],)) for n in range(4)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    ours.close()
    return _figures(took, seconds)


def _figures(took: list[float], seconds: float) -> list[str]:
    took.sort()
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    return [f"{len(took) / seconds:,.0f}", f"{p50 * 1e6:.1f}", f"{p99 * 1e6:.1f}", f"{took[-1] * 1e3:.1f}"]


# ── the drain ─────────────────────────────────────────────────────────────────────────────────────────


def drain(n: int = 100_000) -> None:
    rows = []
    with folder() as home:
        rows += _drained("DuckDB", f"duckdb:///{home / 'book.duckdb'}", home, n)
    with folder() as home, postgres() as url:
        rows += _drained("Postgres", url, home, n)
    table(f"{n:,} journaled calls into the book", ["", "rows/s", "one ORM commit a call, rows/s", "times"], rows)


def _drained(name: str, url: str, home: Path, n: int) -> list[list[str]]:
    book = Book(url, home)
    book.drain()
    orm = _orm(book, 400)
    for _ in range(n):
        book.append(a_call())
    began = time.perf_counter()
    moved = book.drain().entries
    rate = moved / (time.perf_counter() - began)
    assert moved == n
    book.close()
    return [[name, f"{rate:,.0f}", f"{orm:,.0f}", f"{rate / orm:.0f}"]]


def opens(n: int = 200) -> None:
    """What opening costs: a question about nothing, and a drain of one event."""
    rows = []
    with folder() as home:
        rows += _opened("DuckDB", f"duckdb:///{home / 'book.duckdb'}", home, n)
    with folder() as home, postgres() as url:
        rows += _opened("Postgres", url, home, n)
    table(f"The same {n} times", ["", "p50 ms", "p99 ms", "least ms"], rows)


def _opened(name: str, url: str, home: Path, n: int) -> list[list[str]]:
    took: dict[str, list[float]] = {"a read": [], "a drain of one event": []}
    clock = time.perf_counter
    with Book(url, home) as book:
        book.rows("select 1")
        for _ in range(n):
            at = clock()
            book.rows("select count(*) as n from calls")
            took["a read"].append(clock() - at)
            book.record("benchmark.opened", None, {}, "benchmark")
            at = clock()
            book.drain()
            took["a drain of one event"].append(clock() - at)
    rows = []
    for what, seconds in took.items():
        seconds.sort()
        figures = (seconds[n // 2], seconds[n * 99 // 100], seconds[0])
        rows.append([f"{name}, {what}", *(f"{second * 1e3:.1f}" for second in figures)])
    return rows


def _orm(book: Book, n: int) -> float:
    """Calls a second where each is an ORM object added and committed by itself, on one open connection."""
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session, registry

    from daybook.book import schema

    class Row:
        def __init__(self, **values: Any) -> None:
            for key, value in values.items():
                setattr(self, key, value)

    registry().map_imperatively(Row, schema.calls)
    engine = create_engine(book.store.url.replace("postgresql:", "postgresql+psycopg:"))
    made = [{schema.COLUMNS.get(key, key): value for key, value in asdict(a_call()).items()} for _ in range(n)]
    with Session(engine) as session:
        session.add(Row(**made.pop()))
        session.commit()
        began = time.perf_counter()
        for values in made:
            session.add(Row(**values))
            session.commit()
        seconds = time.perf_counter() - began
    engine.dispose()
    return len(made) / seconds


# ── cost by day ───────────────────────────────────────────────────────────────────────────────────────

GENERATE = """
    insert into calls (id, request_id, time, caller, key_id, project, tags, endpoint, requested_model, provider,
        served_model, prompt_hash, parameters, input_tokens, cached_tokens, output_tokens, usage_reported, cost,
        price_source, price_rate, latency, first_token, status, error_kind, http_status, attempts, cache_hit, stream,
        finish_reason)
    select lpad(to_hex(1700000000000 + i * 3), 12, '0') || '7' || substr(md5(cast(i as text)), 1, 19),
        md5(cast(-i as text)),
        timestamptz '2025-11-25 00:00:00+00' + i * ({year} / {n}),
        'caller-' || (i % 37), 'key-' || (i % 41), 'project-' || (i % 7), cast('{{"team":"ops"}}' as {json}),
        '/v1/chat/completions', 'model-' || (i % 11), 'openai', 'model-' || (i % 11) || '-2025',
        md5(cast(i % 99991 as text)),
        cast('{{"temperature":0.2}}' as {json}), 200 + i % 3001, i % 200, 20 + i % 901, true,
        case when i % 50 > 0
            then cast((200 + i % 3001) * 15 + (20 + i % 901) * 60 as decimal(24, 12))
                * cast(0.00000001 as decimal(12, 8))
        end,
        'genai-prices 0.2.3', 'openai/model-' || (i % 11) || ' input 0.15 output 0.60 USD/MTok',
        0.2 + (i % 977) / 300.0, 0.05 + (i % 313) / 1000.0, case when i % 97 = 0 then 'error' else 'ok' end,
        case when i % 97 = 0 then 'timeout' end, case when i % 97 = 0 then 504 else 200 end, 1, false, i % 2 = 0, 'stop'
    from {series}
"""


def days(millions: float = 10.0) -> None:
    sizes = sorted({n for n in (0.1, 1.0, millions) if n <= millions})
    head = ["calls", "cost by day s", "again s", "memory MiB", "read 1 call s", "drain 1,000 rows/s", "file MB"]
    rows = []
    for n in sizes:
        with folder() as home:
            rows.append(_child("DuckDB", f"duckdb:///{home / 'book.duckdb'}", home, int(n * 1e6)))
    for n in [n for n in (0.1, 1.0) if n <= millions]:
        with folder() as home, postgres() as url:
            rows.append(_child("Postgres", url, home, int(n * 1e6)))
    table("Growth: a year of calls", ["", *head], rows)
    print("\nMemory is the peak of the process that asks; of Postgres, its server's is apart.")


def _child(name: str, url: str, home: Path, n: int) -> list[str]:
    """Fill in one process and ask in another, so that the peak of memory is that of asking."""
    _run("generate", url, home, n)
    found = orjson.loads(_run("ask", url, home, n))
    return [name, f"{n:,}", *found]


def _run(role: str, *arguments: object) -> str:
    return subprocess.run(
        [sys.executable, __file__, "--role", role, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _generate(url: str, home: str, n: str) -> None:
    book = Book(url, Path(home))
    book.drain()
    duck = book.store.dialect == "duckdb"
    sql = GENERATE.format(
        n=int(n),
        json="json" if duck else "jsonb",
        year="interval 365 day" if duck else "interval '365 days'",
        series=f"range({n}) r(i)" if duck else f"generate_series(0, {n} - 1) r(i)",
    )
    with book.store.writing() as writer:
        with writer.transaction():
            writer.execute(sql)
        if not duck:
            writer.execute("analyze calls")


def _ask(url: str, home: str, n: str) -> None:
    book = Book(url, Path(home))
    book.rows("select 1")
    took = []
    year = {"start": datetime(2000, 1, 1, tzinfo=UTC), "end": datetime(2100, 1, 1, tzinfo=UTC)}
    for _ in range(2):
        began = time.perf_counter()
        found = book.rows(book.query_text("costs_days"), year)
        took.append(time.perf_counter() - began)
    assert len(found) == 365
    assert sum(row["calls"] for row in found) == int(n)
    memory = _peak()
    began = time.perf_counter()
    book.rows("select * from calls where time >= :at order by time limit 1", {"at": datetime(2026, 6, 1, tzinfo=UTC)})
    one = time.perf_counter() - began
    for _ in range(1000):
        book.append(a_call())
    began = time.perf_counter()
    assert book.drain().entries == 1000
    rate = 1000 / (time.perf_counter() - began)
    size = (book.size() or 0) / 1e6
    book.close()
    answer = [*(f"{s:.3f}" for s in took), f"{memory:,.0f}", f"{one:.3f}", f"{rate:,.0f}", f"{size:,.0f}"]
    sys.stdout.write(orjson.dumps(answer).decode())


def _peak() -> float:
    """MiB. The kernel's own mark: `ru_maxrss` begins with that of the process that started this one."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


ROLES: dict[str, Callable[..., None]] = {
    "generate": _generate,
    "ask": _ask,
    **soak.ROLES,
}


def main() -> None:
    if sys.argv[1:2] == ["--role"]:
        ROLES[sys.argv[2]](*sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["all", "journal", "drain", "opens", "days", "soak"], default="all")
    parser.add_argument("--millions", type=float, default=10.0, help="calls in the largest DuckDB book")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the soak lasts")
    parser.add_argument("--json", action="store_true", help="soak: print what was found as JSON")
    given = parser.parse_args()
    if not given.json:
        print(f"## The book\n\n{machine()}")
    if given.what in {"all", "journal"}:
        journal()
    if given.what in {"all", "drain"}:
        drain()
    if given.what in {"all", "opens"}:
        opens()
    if given.what in {"all", "days"}:
        days(given.millions)
    if given.what in {"all", "soak"}:
        soak.soak(given.seconds, as_json=given.json)


if __name__ == "__main__":
    main()
