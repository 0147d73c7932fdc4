"""What the registry's file says: which models can be asked for by which names, and where their weights are.

Costs a look at the file's identity; it is read again when it is another one. Imports nothing of what runs a model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic

FILE = "registered.json"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    id: str
    name: str
    method: str
    version: int
    place: Path | None
    digest: str | None
    template: Mapping[str, str]
    provider: str
    target: str


class RegistryIndex:
    """What the registry's file says, read again when the file is another one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._seen: atomic.Identity | None = None
        self._names: dict[str, IndexEntry] = {}

    def find(self, reference: str) -> IndexEntry | None:
        """The entry of a name, `name:v2` or `name@alias`; None for one that is not there."""
        self._refresh()
        return self._names.get(reference)

    def names(self) -> list[str]:
        self._refresh()
        return sorted(self._names)

    def _refresh(self) -> None:
        seen: atomic.Identity | None = None
        with contextlib.suppress(OSError):
            seen = atomic.identity(self.home / FILE)
        if seen is None:
            self._seen, self._names = None, {}
        if seen == self._seen:
            return
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # what was read before still holds
            self._names = self._read(orjson.loads((self.home / FILE).read_bytes())["models"])
            self._seen = seen

    def _read(self, rows: list[dict[str, Any]]) -> dict[str, IndexEntry]:
        names: dict[str, IndexEntry] = {}
        champions = set()
        for row in sorted(rows, key=lambda row: int(row["version"])):
            weights = self.home / row["place"] if row["place"] else None
            entry = IndexEntry(
                row["id"], row["name"], row["method"], int(row["version"]), weights, row["weights_digest"],
                row["template"] or {}, row["provider"], row["target"],
            )  # fmt: skip
            names[entry.id] = entry
            names |= {f"{entry.name}@{alias}": entry for alias in row["aliases"]}
            champions |= {entry.name} if "champion" in row["aliases"] else set()
            if entry.name not in champions or "champion" in row["aliases"]:
                names[entry.name] = entry
        return names
