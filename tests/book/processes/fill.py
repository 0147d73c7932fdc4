"""fill.py HOME LIMIT: append until no file may grow beyond LIMIT bytes; then with the limit lifted, one more.

Prints the ids that were acknowledged, `FULL` and the error in the middle.
"""

from __future__ import annotations

import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from daybook.book.journal.journal import Journal
from daybook.clock import new_id
from daybook.errors import JournalFull
from daybook.records import Event


def main(home: str, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    journal = Journal(Path(home))

    def append() -> None:
        event = Event(id=new_id(), at=datetime.now(UTC), actor="a", action="b", details={"text": "x" * 100})
        journal.append(event)
        sys.stdout.write(f"{event.id}\n")

    for _ in range(3):  # three times: the journal goes on trying, and says so each time
        try:
            while True:
                append()
        except JournalFull as error:
            sys.stdout.write(f"FULL {journal.state().failed is not None} {error}\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    append()
    sys.stdout.write(f"LIFTED {journal.state().failed}\n")
    sys.stdout.flush()
    journal.close()


main(sys.argv[1], int(sys.argv[2]))
