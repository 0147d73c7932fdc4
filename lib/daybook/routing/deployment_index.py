"""The deployments as running endpoints see them: one file of the home, replaced whole at every change.

An endpoint keeps its index by looking at the file's identity ten times a second, beside the requests: a look-up is then
one of a dict, and a change holds within that time. Whoever does not keep it looks at each look-up. The file is read
again when it is another one; what was read before holds where the new one cannot be read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import orjson

from daybook import atomic
from daybook.records import DeploymentRevision
from daybook.routing.split import Split

FILE = "deployments.json"
EVERY = 0.1
"""Seconds between two looks at the file, where the index is kept."""
STICKY = ("session", "caller", "user", "request")
_FIELDS = ("name", "revision", "strategy", "versions", "weights", "live", "candidate", "sticky")


class Asking(Protocol):
    """A request, as far as it decides who answers it."""

    @property
    def request_id(self) -> str: ...
    @property
    def caller(self) -> str | None: ...
    @property
    def key_id(self) -> str | None: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> Mapping[str, Any]: ...


class Deployment:
    """A deployment that answers now."""

    __slots__ = ("_split", "budget", "copied_to", "name", "sticky", "versions")

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.name: str = row["name"]
        self.sticky: str = row["sticky"]
        self.versions: dict[str, str] = row["versions"]
        self.copied_to: str | None = row["candidate"] if row["strategy"] == "shadow" else None
        """The version that gets a copy of each call."""
        self.budget = None if row["budget"] is None else Decimal(row["budget"])
        self._split = Split(self.name, row["weights"], row["candidate"])

    def assign(self, request: Asking) -> str:
        """The version that answers the request."""
        return self._split.assign(sticky_key(self.sticky, request) or request.request_id)


def sticky_key(sticky: str, request: Asking) -> str | None:
    """What keeps its version; None where the request does not say it: it is then split by itself."""
    if sticky == "caller":
        return request.key_id or request.caller
    if sticky == "session":
        return request.tags.get("session")
    if sticky == "user":
        person = request.body.get("safety_identifier") or request.body.get("user")
        return person if isinstance(person, str) else None
    return None


class DeploymentIndex:
    """What the file in `home` says. `kept`: by `keep`."""

    def __init__(self, home: Path, *, kept: bool = False) -> None:
        self._path = str(home / FILE)
        self._kept = kept
        self._seen: atomic.Identity | None = None
        self._deployments: dict[str, Deployment] = {}
        self.refresh()

    def find(self, name: str) -> Deployment | None:
        """The deployment of that name."""
        if not self._kept:
            self.refresh()
        return self._deployments.get(name)

    def names(self) -> list[str]:
        self.refresh()
        return sorted(self._deployments)

    async def keep(self) -> None:
        """Look at the file again and again, until cancelled."""
        while True:
            self.refresh()
            await asyncio.sleep(EVERY)

    def refresh(self) -> None:
        """Read the file again where it is another one."""
        seen: atomic.Identity | None = None
        with contextlib.suppress(OSError):
            seen = atomic.identity(self._path)
        if seen is None:
            self._seen, self._deployments = None, {}
        if seen == self._seen:
            return
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            rows = orjson.loads(Path(self._path).read_bytes())["deployments"]
            self._deployments = {row["name"]: Deployment(row) for row in rows}
            self._seen = seen


def publish(home: Path, revisions: Iterable[DeploymentRevision]) -> None:
    """Write the file, unless it says the same already."""
    rows = [
        {name: getattr(revision, name) for name in _FIELDS}
        | {"budget": None if revision.budget is None else str(revision.budget)}
        for revision in revisions
    ]
    data = orjson.dumps({"version": 1, "deployments": rows}, option=orjson.OPT_INDENT_2)
    path = home / FILE
    if path.exists() and path.read_bytes() == data:
        return
    atomic.replace(path, data)
