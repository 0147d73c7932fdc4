"""Starts the child that executes a notebook, listens to it, and stops it when its time is up."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from daybook.pii import excerpt
from daybook.press.execution import terminate
from daybook.press.execution.execute import Spec

Progress = Callable[[int, int], None]
"""Called with the number of the code cell that starts, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended, as the runner saw it. What the executed file says does not count."""

    state: Literal["completed", "failed", "timed_out"]
    kind: str | None = None
    """`raised`, `kernel`, `exit`, `no kernel`, `runner`, `time`, `interrupted`; None where it completed."""
    error: str | None = None
    """What went wrong, in a sentence. May still hold secrets."""
    execution_count: int | None = None
    cell: int = 0
    """The code cell that started last, from 1."""
    cells: int = 0


def execute(
    spec: Spec, *, env: Mapping[str, str], folder: Path, timeout: float, progress: Progress | None = None
) -> RunOutcome:
    """Run the notebook in a process (and session) of its own; returns when every process of it is gone.

    `timeout` is wall-clock seconds for the whole run. Whatever is raised here meanwhile (Ctrl-C), the
    run's processes are ended before it goes on.
    """
    deadline = time.monotonic() + timeout
    with Path(spec.log).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "daybook.press.execution.execute"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env=dict(env),
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
    heard: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    assert process.stdin is not None
    assert process.stdout is not None
    listener = threading.Thread(target=_listen, args=(process.stdout, heard), daemon=True)
    listener.start()
    cell, cells = 0, 0
    last: dict[str, Any] | None = None
    late = False
    try:
        with contextlib.suppress(BrokenPipeError):  # it died at once: the log says why
            process.stdin.write(json.dumps(asdict(spec)) + "\n")
            process.stdin.flush()
        while True:
            try:
                fact = heard.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                late = True
                break
            if fact is None:
                break
            if "state" in fact:
                last = fact
            else:
                cell, cells = fact["cell"], fact["of"]
                if progress is not None:
                    progress(cell, cells)
    finally:
        over = last is not None and not late
        terminate.end(spec.run_id, group=None if over else process.pid)
        process.wait()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        listener.join(5.0)
        process.stdout.close()
    if late:
        return RunOutcome(
            state="timed_out", kind="time", error=f"It ran past its limit of {timeout:g} s.", cell=cell, cells=cells
        )
    if last is None:
        return RunOutcome(state="failed", kind="runner", error=_died(process, spec.log), cell=cell, cells=cells)
    return RunOutcome(**last, cell=cell, cells=cells)


def _listen(stdout: IO[str], heard: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    for line in stdout:
        with contextlib.suppress(ValueError):
            heard.put(json.loads(line))
    heard.put(None)


def _died(process: subprocess.Popen[str], log: str) -> str:
    lines = Path(log).read_text(errors="replace").strip().splitlines()[-1:]
    code = process.returncode
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return f"The process that ran it ended {how}." + (f" Its last words: {excerpt(lines[0], 300)}" if lines else "")
