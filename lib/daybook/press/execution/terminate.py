"""Ends every process of one run, for certain.

A kernel gets a session of its own from Jupyter, and what a notebook starts may leave every process
group it was born in; so a run's processes are known by the mark that they inherit in their
environment (`DAYBOOK_RUN=<run id>`), not by their parents.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

import psutil

MARK = "DAYBOOK_RUN"


def marked(run_id: str) -> list[psutil.Process]:
    """Living processes of the run, this one excepted."""
    processes = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == run_id and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
    return processes


def end(run_id: str, *, group: int | None = None, grace: float = 5.0) -> int:
    """TERM to the run's runner (`group`: its pid, which leads its process group), then KILL to all of
    the run's processes that are left after `grace` seconds. Returns how many had to be killed."""
    if group is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
        _wait([p for p in marked(run_id) if p.pid == group], grace)
    killed = 0
    while left := marked(run_id):  # again until none: one may have started another meanwhile
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed += 1
        _wait(left, 5.0)
    return killed


def _wait(processes: Iterable[psutil.Process], seconds: float) -> None:
    with contextlib.suppress(psutil.Error):
        psutil.wait_procs(list(processes), timeout=seconds)
