"""Long-running parts started as child processes, and stopped for certain.

Each part gets a process group of its own and a log file of its own, so that a Ctrl-C at the terminal
reaches only us and we stop the parts in order. Stopping is by the whole tree: what a part started
itself (a worker its flow run, a flow run its kernel) is found through the kernel's process table,
also where its parent is gone, because we adopt orphans.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from daybook.errors import DaybookError

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PartFailed(DaybookError):
    """A part ended or did not come up in time; the message names its log."""


class Process:
    """One running child process, its name and its log."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def check(self) -> None:
        """Raise PartFailed if the process has ended."""
        code = self.process.poll()
        if code is not None:
            raise PartFailed(
                f"The {self.name} ended with exit code {code}.", remedy=f"Its log: {self.log}{tail(self.log)}"
            )


class Processes:
    """The processes of one job. Use as a context manager: leaving it stops all of them."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.parts: list[Process] = []

    def __enter__(self) -> Processes:
        self.logs.mkdir(parents=True, exist_ok=True)
        _adopt_orphans()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with deaf():
            self.stop()

    def start(self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> Process:
        """Start `command` as the part `name`, its output going to `<logs>/<name>.log`."""
        log = self.logs / f"{name.replace(' ', '-')}.log"
        with log.open("ab") as sink, held_back():
            process = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
            part = Process(name, process, log)
            self.parts.append(part)
        return part

    def wait(self, part: Process, ready: Callable[[], bool], *, seconds: float) -> None:
        """Return once `ready()` is true; PartFailed if the process ends first or time runs out."""
        deadline = time.monotonic() + seconds
        while not ready():
            part.check()
            if time.monotonic() > deadline:
                raise PartFailed(
                    f"The {part.name} was not ready after {seconds:.0f} s.",
                    remedy=f"Its log: {part.log}{tail(part.log)}",
                )
            time.sleep(0.1)

    def stop(self, grace: float = 10.0) -> None:
        """Stop all parts, last started first: TERM, then KILL for what is left of their trees."""
        for part in reversed(self.parts):
            tree = _tree(part.process.pid)
            if part.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    part.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                part.process.wait(grace)
            _end(tree, grace=2.0)
        self.parts.clear()
        _end(psutil.Process().children(recursive=True), grace=2.0)


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, as an indented block to end a message with."""
    try:
        text = log.read_text(errors="replace").rstrip().splitlines()[-lines:]
    except OSError:
        return ""
    return "".join(f"\n    {line[:240]}" for line in text)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let a Ctrl-C come only afterwards. In the middle of a fork Python would drop the exception it is turned into;
    and to block the signal is not enough, because another thread then takes it. For the main thread."""
    came: list[int] = []
    kept = {}
    with contextlib.suppress(ValueError):  # not the main thread
        for number in _ENDING:
            kept[number] = signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


class deaf:  # noqa: N801 - reads as a statement: `with deaf():`
    """Ignore further Ctrl-C and TERM while things are being stopped: a second one must not leave
    half of them running. For the main thread; elsewhere it does nothing."""

    def __enter__(self) -> None:
        self._kept: dict[int, signal.Handlers | Callable[..., object] | int | None] = {}
        with contextlib.suppress(ValueError):  # not the main thread
            for number in _ENDING:
                self._kept[number] = signal.signal(number, signal.SIG_IGN)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._kept.items():
            signal.signal(number, handler)


def interruptible() -> None:
    """Let TERM and HUP end the job the way Ctrl-C does, through its `finally` blocks.

    What is raised in a callback of the interpreter's own (a weak reference's, a `__del__`) Python reports and drops,
    a Ctrl-C too. One that was dropped so is sent again a moment later."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def again(_number: int, _frame: object) -> None:
        signal.raise_signal(signal.SIGINT)  # to whatever hears it then: it may be held back, or nobody may listen

    def dropped(what: sys.UnraisableHookArgs) -> None:
        if issubclass(what.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        else:
            report(what)

    report = sys.unraisablehook
    sys.unraisablehook = dropped
    signal.signal(signal.SIGALRM, again)
    for number in _ENDING:
        signal.signal(number, interrupt)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _end(processes: Sequence[psutil.Process], *, grace: float) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=grace)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=2.0)


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _die_with_parent() -> None:
    """In the new process: end when the parent does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == 1:  # the parent was gone before we asked
        os._exit(1)
