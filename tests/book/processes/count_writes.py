"""count_writes.py HOME N: append N entries of growing size; print N and the write calls the kernel counted."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from daybook.book.journal.journal import Journal
from daybook.clock import new_id
from daybook.records import Event


def writes() -> int:
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["syscw"])


def main(home: str, n: int) -> None:
    journal = Journal(Path(home))
    records = [
        Event(id=new_id(), at=datetime.now(UTC), actor="a", action="x" * (i * 500), details={"n": i}) for i in range(n)
    ]
    before = writes()
    for record in records:
        journal.append(record)
    sys.stdout.write(f"{n} {writes() - before}\n")


main(sys.argv[1], int(sys.argv[2]))
