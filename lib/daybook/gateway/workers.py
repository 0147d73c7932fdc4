"""Several processes behind one address: started, watched, replaced when they die, and taken down in order.

The listening socket is opened once and inherited, so that a connection nobody has taken yet is lost with no process.
Each worker is a whole endpoint with a journal of its own; what they share is on the disk: keys, limits and budgets, the
deployments, the counters. One process beside them drains all journals, that of a worker that died too.

Workers are forked from a process that has imported everything and started nothing: no thread, no event loop. They end
when it does, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from types import FrameType

from prometheus_client import multiprocess

from daybook.gateway.logs import Log
from daybook.gateway.upkeep.drain_process import DrainProcess

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
_TURN = 1.0
"""Seconds between two looks at the drain."""
_MOST_WAIT = 30.0
"""Seconds at most before a worker is started again that does not come up."""
_LAST = 15.0
"""Seconds that workers have to end, beyond what answers under way are given."""


class Lifeline:
    """What ties a worker to the process that started it."""

    def __init__(self, ready: int, parent: int) -> None:
        self.parent = parent
        """A pipe's end that becomes readable when the process that started this one has ended."""
        self._ready = ready

    def ready(self) -> None:
        """Say that this worker accepts connections."""
        os.write(self._ready, b"%d\n" % os.getpid())


class Workers:
    """`count` processes that run `serve`. `ready` is called once all of them accept connections. `grace`: seconds that
    their answers under way get."""

    def __init__(
        self,
        count: int,
        serve: Callable[[Lifeline], None],
        *,
        drain: DrainProcess,
        log: Log,
        ready: Callable[[], None],
        grace: float,
    ) -> None:
        self._count = count
        self._serve = serve
        self._drain = drain
        self._log = log
        self._tell_ready = ready
        self._grace = grace
        self._living: set[int] = set()
        self._ready: set[int] = set()
        self._announced = False
        self._failed = 0
        """Workers in a row that ended before they were ready."""
        self._next_start = 0.0
        self._ends: float | None = None
        """When those that still run are killed; None while nobody was told to stop."""
        self._code = 0

    def run(self) -> int:
        """Serve until told to stop; returns the exit code: 1 where a worker could not come up at the start."""
        self._ready_pipe, self._ready_end = os.pipe()
        self._parent_end, self._life = os.pipe()
        with _woken_by_signals() as self._woken:
            try:
                self._drain.start()
                while self._ends is None or self._living:
                    self._start_missing()
                    self._wait()
            finally:
                self._kill(signal.SIGKILL)
                for pid in self._living:
                    os.waitpid(pid, 0)
        for end in (self._ready_pipe, self._ready_end, self._parent_end, self._life):
            os.close(end)
        self._drain.stop()
        return self._code

    # ── starting ──────────────────────────────────────────────────────────────────────────────────────

    def _start_missing(self) -> None:
        while self._ends is None and len(self._living) < self._count and time.monotonic() >= self._next_start:
            self._fork()

    def _fork(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until the child has handlers of its own
        try:
            pid = os.fork()
            if pid == 0:
                self._become_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._living.add(pid)
        self._log.line("worker_started", pid=pid)

    def _become_worker(self) -> None:
        """Serve, in the child. Does not return."""
        code = 1
        try:
            os.setsid()  # Ctrl-C is for the process that started it
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._woken.close()
            os.close(self._ready_pipe)
            os.close(self._life)
            self._serve(Lifeline(self._ready_end, self._parent_end))
            code = 0
        except Exception as error:
            self._log.fault("worker_failed", error)
        finally:
            os._exit(code)  # nothing of the process that it was forked from is to be ended here

    # ── watching ──────────────────────────────────────────────────────────────────────────────────────

    def _wait(self) -> None:
        """Until something happens, or the next look is due; and do what it asks for."""
        readable, _, _ = select.select([self._woken.fileno(), self._ready_pipe], [], [], _TURN)
        if self._ready_pipe in readable:
            self._ready.update(map(int, os.read(self._ready_pipe, 4096).split()))
            self._failed = 0
            if not self._announced and len(self._ready & self._living) == self._count:
                self._announced = True
                self._tell_ready()
        if self._woken.fileno() in readable:
            for number in self._woken.recv(4096):
                if number != signal.SIGCHLD:
                    self._stop()
        self._bury()
        if self._ends is None:
            self._drain.keep()
        elif time.monotonic() > self._ends:
            self._kill(signal.SIGKILL)

    def _bury(self) -> None:
        """Take note of those that ended."""
        for pid in list(self._living):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            self._living.discard(pid)
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]  # as the library has it
            if self._ends is not None:
                continue
            was_ready = pid in self._ready
            self._log.line("worker_ended", level="error", pid=pid, exit=os.waitstatus_to_exitcode(status))
            if was_ready:
                continue
            if not self._announced:
                self._code = 1
                self._stop()
            self._failed += 1
            self._next_start = time.monotonic() + min(_MOST_WAIT, 2.0**self._failed / 2)

    # ── ending ────────────────────────────────────────────────────────────────────────────────────────

    def _stop(self) -> None:
        """Told once, workers let their answers end; told twice, they cut them off."""
        self._ends = self._ends or time.monotonic() + self._grace + _LAST
        self._kill(signal.SIGTERM)

    def _kill(self, number: signal.Signals) -> None:
        for pid in self._living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """A socket from which the numbers of signals can be read."""

    def noted(_number: int, _frame: FrameType | None) -> None:
        """Its number is in the socket."""

    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        kept = {number: signal.signal(number, noted) for number in _SIGNALS}
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in kept.items():
                signal.signal(number, handler)
