"""Trainings as folders: what each is to do, how far it is, and whether the process that runs it is alive.

    <home>/finetune/<id>/job.json       replaced whole at every change
    <home>/finetune/<id>/data.jsonl     the rows it trains on, until it is done
    <home>/finetune/<id>/checkpoints/   what it goes on from after a kill

A job whose process is gone without an end is `interrupted`, whatever its file says.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
from filelock import FileLock, Timeout

from daybook import atomic
from daybook.clock import Clock, new_id
from daybook.errors import BadParameter, DaybookError

STATES = ("prepared", "running", "interrupted", "completed", "failed", "cancelled")
OVER = frozenset(("completed", "failed", "cancelled"))
_ID = re.compile(r"ft-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: str
    state: str
    name: str
    """Under which the result is registered."""
    spec: Mapping[str, Any]
    """Recipe, template, source and digests: everything that the training follows from."""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    process: tuple[int, float] | None = None
    """Id and start of the process that runs it."""
    progress: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def hosted(self) -> bool:
        """Whether somebody else trains it, so that only they can stop it."""
        return str(self.spec.get("recipe", {}).get("method")) == "hosted"

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values, without what only this machine cares about."""
        row = asdict(self)
        row.pop("process")
        return row | {k: v.isoformat() if (v := row[k]) else None for k in ("created_at", "started_at", "ended_at")}


class Jobs:
    """The trainings of one home."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self.folder = home / "finetune"
        self._clock = clock

    def place(self, id_: str) -> Path:
        """Raises BadParameter for what cannot be a job's id."""
        if not _ID.fullmatch(id_):
            raise BadParameter(f"{id_[:40]!r} is no training's id.", remedy="See daybook finetune status.")
        return self.folder / id_

    def create(self, name: str, spec: Mapping[str, Any], fill: Callable[[Path], object]) -> Job:
        """A job that is there with what `fill` put into its folder, or not at all."""
        job = Job(id=f"ft-{new_id()[-12:]}", state="prepared", name=name, spec=dict(spec), created_at=self._clock.now())
        folder = self.place(job.id)
        folder.mkdir(parents=True, mode=0o700)
        try:
            fill(folder)
            return self.write(job)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def write(self, job: Job) -> Job:
        data = orjson.dumps(asdict(job), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
        atomic.replace(self.place(job.id) / "job.json", data)
        return job

    def read(self, id_: str) -> Job:
        """Raises BadParameter where there is none."""
        try:
            row = orjson.loads((self.place(id_) / "job.json").read_bytes())
        except OSError as error:
            known = ", ".join(job.id for job in self.list()[-5:]) or "none yet"
            raise BadParameter(f"There is no training {id_}.", remedy=f"The latest are: {known}.") from error
        for key in ("created_at", "started_at", "ended_at"):
            row[key] = datetime.fromisoformat(row[key]) if row[key] else None
        job = Job(**row | {"process": tuple(row["process"]) if row["process"] else None})
        if job.state == "running" and not _alive(job.process):
            return replace(job, state="interrupted")
        return job

    def list(self) -> list[Job]:
        """All of them, oldest first. One that cannot be read is left out."""
        jobs = []
        for path in sorted(self.folder.glob("ft-*/job.json"), key=lambda path: path.stat().st_mtime):
            with contextlib.suppress(ValueError, TypeError, DaybookError):
                jobs.append(self.read(path.parent.name))
        return sorted(jobs, key=lambda job: job.created_at)

    @contextlib.contextmanager
    def alone(self, id_: str) -> Iterator[None]:
        """Nobody else runs it while this lasts. Raises BadParameter where somebody does."""
        lock = FileLock(self.place(id_) / "lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise BadParameter(
                f"The training {id_} is being run by another process.",
                remedy=f"Watch it: daybook finetune status {id_}.",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def begin(self, job: Job) -> Job:
        mine = (os.getpid(), psutil.Process().create_time())
        (self.place(job.id) / "cancel").unlink(missing_ok=True)
        started = job.started_at or self._clock.now()
        return self.write(replace(job, state="running", started_at=started, process=mine, error=None))

    def end(self, job: Job, state: str, *, result: Mapping[str, Any] | None = None, error: str | None = None) -> Job:
        ended = replace(job, state=state, ended_at=self._clock.now(), process=None, error=error)
        return self.write(replace(ended, result=dict(result or {})))

    def cancel(self, id_: str) -> Job:
        """Ask a running training to stop before its next step; one that nobody runs is cancelled at once.

        Raises BadParameter for one that is over, or that runs at an upstream."""
        job = self.read(id_)
        if job.state in OVER:
            raise BadParameter(f"The training {id_} is {job.state}.", remedy="There is nothing to cancel.")
        if job.hosted:
            raise BadParameter(
                f"The training {id_} runs at an upstream.",
                remedy=f"Cancel it there: daybook finetune hosted cancel {id_}.",
            )
        (self.place(id_) / "cancel").touch()
        return self.end(job, "cancelled") if job.state != "running" else job

    def cancelled(self, id_: str) -> bool:
        return (self.place(id_) / "cancel").exists()


def _alive(process: tuple[int, float] | None) -> bool:
    if process is None:
        return False
    try:
        running = psutil.Process(int(process[0]))
        return abs(running.create_time() - process[1]) < 1 and running.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
