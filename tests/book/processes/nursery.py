"""nursery.py URL HOME ACKS: forks writers and drainers that work until they are killed.

Reads `writer` or `drainer` a line, and answers with the child's process number; `reap` waits for all children and
answers `reaped`. A writer appends entries to its journal and, after each append has returned, notes the id in a file
of its own under ACKS: what stands there in whole lines was acknowledged. A drainer drains, again and again. The
parent has opened neither journal nor database, so a child starts in a few milliseconds and shares nothing.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from daybook.book import Book
from daybook.book.journal.journal import Journal
from daybook.clock import new_id
from daybook.errors import BookUnreachable
from daybook.records import Call, Run

for part in ("journal.drain", "stores.duckdb", "stores.postgres"):
    importlib.import_module(f"daybook.book.{part}")  # here, once, for all children


def write(home: Path, acks: Path) -> None:
    journal = Journal(home)
    fd = os.open(acks / f"{os.getpid()}-{new_id()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    n = 0
    while True:
        now = datetime.now(UTC)
        n += 1
        if n % 10:
            record: Call | Run = Call(
                id=new_id(),
                request_id="r",
                at=now,
                endpoint="library",
                requested_model="m",
                status="ok",
                answer="x" * 300,
            )
        else:
            record = Run(id=new_id(), notebook="costs", logical_date=now.date(), state="completed", started_at=now)
        journal.append(record)
        os.write(fd, f"{record.kind} {record.id}\n".encode())
        time.sleep(0.001)  # the pace of a busy endpoint, not of a disk


def keep_draining(url: str, home: Path) -> None:
    book = Book(url, home)
    while True:
        try:
            book.drain()
        except BookUnreachable:
            time.sleep(0.01)  # a Postgres that is away; it may come back
        time.sleep(0.001)


def main(url: str, home: str, acks: str) -> None:
    for line in sys.stdin:
        if line == "reap\n":
            try:
                while True:
                    os.wait()
            except ChildProcessError:
                answer = "reaped"
        else:
            pid = os.fork()
            if pid == 0:
                try:
                    write(Path(home), Path(acks)) if line == "writer\n" else keep_draining(url, Path(home))
                finally:
                    os._exit(1)
            answer = str(pid)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


main(*sys.argv[1:])
