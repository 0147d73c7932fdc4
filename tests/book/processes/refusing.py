"""A process whose kernel refuses one system call, and what a journal then does.

    python refusing.py HOME CALL ERRNO

Appends and syncs until told otherwise by the kernel; prints what it raised, one JSON object a step.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import struct
import sys
from datetime import UTC, datetime
from pathlib import Path

from daybook.book.journal.journal import Journal
from daybook.clock import new_id
from daybook.records import Event

CALLS = {
    "flock": ((73,), (32,)),
    "rename": ((82, 264, 316), (38, 276)),
    "fdatasync": ((75,), (83,)),
    "fsync": ((74,), (82,)),
}
"""System call → its numbers on x86-64 and on ARM64."""


def refuse(call: str, errno: int) -> None:
    """From now on the kernel answers `call` with `errno` (seccomp)."""
    numbers = CALLS[call][("x86_64", "aarch64").index(platform.machine())]
    steps = [(0x20, 0, 0, 0)]  # load the call's number
    for number in numbers:
        steps += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | errno)]
    steps.append((0x06, 0, 0, 0x7FFF0000))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    wanted = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, wanted, 0, 0) == 0


def event() -> Event:
    return Event(id=new_id(), at=datetime.now(UTC), actor="test", action="a")


def main() -> None:
    home, call, errno = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    journal = Journal(home, sync_every=3600)
    if call == "fdatasync":
        journal.append(event())
        journal.sync()
    refuse(call, errno)
    for _ in range(2):
        raised = None
        try:
            journal.append(event())
            if call == "fdatasync":
                journal.sync()
        except Exception as error:
            raised = f"{type(error).__name__}: {error}"
        state = journal.state()
        step = {
            "raised": raised,
            "failed": state.failed,
            "entries": state.entries,
            "unsynced": state.unsynced,
            "writing": None if state.path is None else state.path.name,
            "files": sorted(path.name for path in (home / "journal").iterdir()),
        }
        sys.stdout.write(json.dumps(step) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
