"""What the trail costs: chaining where entries enter the book, sealing, verifying, in both databases.

    python benchmarks/audit.py                     a million entries; about five minutes, 2 GB of disk
    python benchmarks/audit.py --entries 100000    smaller

The limit is the project's own: a million entries verify in under 20 s. Beside it stands the least that any verifier
must do: to read the same rows, and to hash as many bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from parts.made import a_call, folder, machine, postgres, table

from daybook.audit.ports import tuples
from daybook.audit.seals import seals
from daybook.audit.verification.chain import verify_chain
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.trail import canonical
from daybook.clock import new_id
from daybook.records import Event

START = datetime(2026, 11, 20, tzinfo=UTC)
LIMIT = 20.0


def entries(n: int) -> None:
    rows = []
    for name, where in (("DuckDB", _duckdb), ("Postgres", _postgres)):
        rows.append([name, *where(n)])
    heads = [
        "",
        "drained/s",
        "verified in s",
        "of it CPU here",
        "entries/s",
        "read only, s",
        "hash only, s",
        f"limit {LIMIT:g} s",
    ]
    table(f"A trail of {n:,} entries", heads, rows)


def _duckdb(n: int) -> list[str]:
    with folder() as home:
        return _measure(f"duckdb:///{home / 'book.duckdb'}", home, n)


def _postgres(n: int) -> list[str]:
    with folder() as home, postgres() as url:
        return _measure(url, home, n)


def _measure(url: str, home: Path, n: int) -> list[str]:
    with Book(url, home) as book:
        drained = 0.0
        for block in range(0, n, 100_000):
            for number in range(block, min(block + 100_000, n)):
                book.append(_event(number))
            drained += _timed(book.drain)
        cpu = time.process_time()
        verified = _timed(lambda: _require(book, n))
        cpu = time.process_time() - cpu
        columns = canonical.columns(book.store.dialect)
        read = _timed(lambda: sum(1 for _ in tuples(book, f"select {columns} from events where id > :a", {"a": ""})))
        data = canonical.encode(next(iter(tuples(book, f"select {columns} from events limit :a", {"a": 1}))))
        hashed = _timed(lambda: [hashlib.sha256(data).digest() for _ in range(n)])
    met = "met" if verified < LIMIT else "MISSED"
    figures = (
        f"{n / drained:,.0f}",
        f"{verified:.1f}",
        f"{cpu:.1f}",
        f"{n / verified:,.0f}",
        f"{read:.1f}",
        f"{hashed:.1f}",
        met,
    )
    return list(figures)


def _require(book: Book, n: int) -> None:
    verdict = verify_chain(book)
    if verdict.entries != n or verdict.problems or verdict.unchecked:
        raise SystemExit(f"the trail was not proven: {verdict}")


def _event(number: int) -> Event:
    return Event(
        id=new_id(),
        at=START + timedelta(milliseconds=37 * number),
        actor="key:support-desk",
        action="content.read",
        object=f"call-{number}",
        request_id=new_id(),
        details={"rows": number, "format": "json"},
        subject=f"s-{number % 1000:032d}",
        address="10.0.0.7",
        client="openai/3.54",
        outcome="granted",
    )


def calls(n: int) -> None:
    """Sealing a day of calls, and finding the one whose cost was edited."""
    rows = []
    with folder() as home:
        reports = home / "reports"
        with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
            for _ in range(n):
                book.append(a_call())
            book.drain()
            day = book.clock.now().date()
            sealed = _timed(lambda: seals.make(book, reports, day, actor="benchmark"))
            clean = _timed(lambda: verify(book, reports))
            (row,) = book.rows("select id from calls order by id limit 1 offset :n", {"n": n // 2})
            with book.store.writing() as writer, writer.transaction():
                writer.execute(f"update calls set cost = {Decimal('9.99')} where id = '{row['id']}'")
            started = time.perf_counter()
            found = verify(book, reports).problems
            edited = time.perf_counter() - started
            if [problem.where.split(",")[0] for problem in found] != [f"calls {row['id']}"]:
                raise SystemExit(f"the edited cost was not found: {found}")
    rows.append([f"{n:,} calls, DuckDB", f"{sealed:.1f}", f"{clean:.1f}", f"{edited:.1f}", "found, by its id"])
    table("One edited cost", ["", "sealed in s", "verified in s", "with an edit, s", "the edit"], rows)


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description="What the trail costs.")
    parser.add_argument("--entries", type=int, default=1_000_000)
    given = parser.parse_args()
    print(machine())
    calls(max(1000, given.entries // 10))
    entries(given.entries)


if __name__ == "__main__":
    main()
