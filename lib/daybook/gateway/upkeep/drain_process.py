"""The drain in a process of its own: reading the journal and writing the book takes no turn of the serving process.
The regular look at the book is taken there too.

    python -m daybook.gateway.upkeep.drain_process        one line of JSON on stdin says what to drain

Whoever started it holds the other end of its stdin. When that closes, however its owner ended, it drains once more,
removes the folder that the processes of this endpoint share, and ends. How the last turn went stands in a file there,
for all who serve.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from daybook import atomic
from daybook.book.book import Book
from daybook.book.journal.journal import Journal
from daybook.clock import Clock, SystemClock
from daybook.gateway.logs import Log, to_stderr
from daybook.gateway.upkeep.drain_timer import DrainState, DrainTimer
from daybook.gateway.upkeep.watch_tasks import watch_book
from daybook.settings import Settings

PATIENCE = 1.0
"""Seconds the drain waits for a book in use: the entries are safe in the journal, and the next turn comes."""
LAST_TURN = 10.0
"""Seconds that the last drain may take when the endpoint goes down; what it cannot move waits in the journal."""
_NICENESS = 10
"""Requests come first where the processors are few."""
_FILE = "drain.json"


class DrainWatch:
    """The drain that another process looks after, as it left its state in `folder`."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._file = folder / _FILE
        self._clock = clock

    def start(self) -> None:
        """It runs already."""

    def keep(self) -> None:
        """Whoever started it looks after it."""

    def stop(self) -> None:
        """Whoever started it stops it."""

    def state(self) -> DrainState:
        try:
            state = DrainState(**json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return DrainState()
        if state.behind_since is None:
            return state
        return replace(state, lag=self._clock.monotonic() - state.behind_since)  # one counter for the whole machine


class DrainProcess(DrainWatch):
    """The process that drains the journal of `settings` into its book every `interval` seconds."""

    def __init__(self, settings: Settings, folder: Path, *, clock: Clock, log: Log, interval: float = 5.0) -> None:
        super().__init__(folder, clock)
        self._log = log
        self._asked = {
            "home": str(settings.home),
            "book_url": settings.book_url,
            "vault": str(settings.vault),
            "folder": str(folder),
            "interval": interval,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it; returns at once."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "daybook.gateway.upkeep.drain_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for its owner, which then closes the pipe
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(self._asked).encode() + b"\n")
            process.stdin.flush()
        self._process = process

    def keep(self) -> None:
        """Start it again if it has died."""
        process = self._process
        if process is None or (code := process.poll()) is None:
            return
        self._log.line("drain", level="error", state="failed", pid=process.pid, exit=code)
        state = self.state()
        behind = self._clock.monotonic() if state.behind_since is None else state.behind_since
        write_state(self._file, replace(state, error="failed", behind_since=behind))
        self.start()

    def stop(self) -> None:
        """Let it drain what there is, and wait for its end."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(LAST_TURN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(self._file.parent, ignore_errors=True)


def write_state(file: Path, state: DrainState) -> None:
    with contextlib.suppress(OSError):  # a full disk is seen by whoever writes what matters
        atomic.replace(file, json.dumps(asdict(state)).encode())


def main() -> None:
    asked = json.loads(sys.stdin.buffer.readline())
    os.nice(_NICENESS)
    folder, home, clock = Path(asked["folder"]), Path(asked["home"]), SystemClock()
    log = Log(clock, to_stderr)
    journal = Journal(home, clock=clock)

    def open_book() -> Book:
        return Book(
            asked["book_url"], home, vault=Path(asked["vault"]), clock=clock, journal=journal, patience=PATIENCE
        )  # fmt: skip

    timer = DrainTimer(
        open_book,
        clock=clock,
        log=log,
        interval=asked["interval"],
        report=lambda state: write_state(folder / _FILE, state),
    )
    watch = watch_book(open_book, home=home, clock=clock, log=log)
    timer.start()
    watch.start()
    sys.stdin.buffer.read()
    watch.stop()
    timer.stop(patience=None)
    journal.close()
    timer.turn()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
