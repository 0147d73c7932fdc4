"""The folder of a run that is under way: `<home>/press/<run id>/`, for our eyes only.

It holds the run's record, the notebook as far as it got, a log, and a lock that the press holds while
it lives. A folder whose lock nobody holds belongs to a run whose press was killed; whoever finds it
finishes the bookkeeping. The folder goes once the report and the run's last row are safe.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from daybook import atomic
from daybook.press import sidecar
from daybook.press.execution.runner import RunOutcome
from daybook.press.notebook import notebooks
from daybook.records import Run

_STARTUP = """
try:
    import wrapt
except ImportError:  # a kernel of another environment
    pass
else:
    wrapt.register_post_import_hook(lambda pandas: pandas.set_option("display.max_colwidth", None), "pandas")
    del wrapt
"""
"""What a kernel does first. pandas shows 50 characters of a text, and half a datum or secret is known for none: whole
texts leave the kernel."""


class RunFolder:
    """A run's folder, with its lock held by us. Made by `begin` or `abandoned`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock
        self._sockets: Path | None = None

    @property
    def executed(self) -> Path:
        return self.folder / "executed.ipynb"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def sockets(self) -> Path:
        """A short, private folder for the kernel's sockets, settings and shell history, gone with the run."""
        if self._sockets is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="daybook-"))
            atomic.replace(self.folder / "sockets", str(self._sockets).encode())
            startup = self._sockets / "profile_default" / "startup"
            startup.mkdir(parents=True)
            (startup / "daybook.py").write_text(_STARTUP)
        return self._sockets

    def note(self, run: Run, outcome: RunOutcome | None = None) -> None:
        """Keep what is known, for whoever has to finish."""
        atomic.replace(self.folder / "run.json", json.dumps(sidecar.to_dict(run)).encode())
        if outcome is not None:
            atomic.replace(self.folder / "outcome.json", json.dumps(asdict(outcome)).encode())

    def noted(self) -> tuple[Run, RunOutcome | None] | None:
        """What was kept; None where the press died before it kept anything."""
        try:
            run = sidecar.run_from_dict(json.loads((self.folder / "run.json").read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        try:
            return run, RunOutcome(**json.loads((self.folder / "outcome.json").read_text()))
        except (OSError, ValueError, TypeError):
            return run, None

    def notebook(self) -> dict[str, Any]:
        """The notebook as far as it got; as it was to be run, where it never got anywhere."""
        for name in ("executed.ipynb", "source.ipynb"):
            with contextlib.suppress(OSError, ValueError):
                return notebooks.parse((self.folder / name).read_text(encoding="utf-8"))
        return {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

    def last_sign(self) -> datetime:
        """When the run last left a trace."""
        stamps = [path.stat().st_mtime for path in self.folder.iterdir() if path.is_file()]
        return datetime.fromtimestamp(max(stamps), UTC)

    def done(self) -> None:
        """Remove the folder."""
        with contextlib.suppress(OSError):
            self._sockets = self._sockets or Path((self.folder / "sockets").read_text())
        if self._sockets is not None and self._sockets.name.startswith("daybook-"):
            shutil.rmtree(self._sockets, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def release(self) -> None:
        os.close(self._lock)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def begin(home: Path, run_id: str) -> RunFolder:
    """A new folder for this run, locked."""
    base = home / "press"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    base.mkdir(mode=0o700, exist_ok=True)
    fresh = base / f".{run_id}"
    fresh.mkdir(mode=0o700)
    lock = os.open(fresh / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return RunFolder(fresh.rename(base / run_id), lock)  # seen by others only now that it is locked


def abandoned(home: Path) -> Iterator[RunFolder]:
    """Folders of runs whose press is gone, each locked for us while the caller works on it."""
    for folder in sorted((home / "press").glob("*/")):
        if folder.name == "keys" or folder.name.startswith("."):
            continue
        try:
            lock = os.open(folder / "lock", os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        with RunFolder(folder, lock) as work:
            if (folder / "lock").exists():  # else someone finished it while we waited
                yield work


def is_abandoned(home: Path, run_id: str) -> bool:
    """Whether the run was begun here and its press is gone. A run of another home is not known here."""
    try:
        lock = os.open(home / "press" / run_id / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


@contextlib.contextmanager
def turn(home: Path, key: str | None) -> Iterator[None]:
    """One run at a time for each idempotency key: a second waits here, and then finds the first's report."""
    if key is None:
        yield
        return
    folder = home / "press" / "keys"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    lock = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
