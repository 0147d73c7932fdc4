"""How far each erasure of a home is: one file an erasure, written after each step.

<home>/rights/erasures/er-….json     it names nobody; what tells of the person is sealed under the person's own key
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.errors import BadParameter
from daybook.rights.backups import manifest
from daybook.rights.places.files import OWN

_ID = re.compile(r"er-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """How far one is. It names nobody."""

    id: str
    reference: str
    by: str
    identity_check: str
    reason: str
    asked_at: str
    plan: tuple[Mapping[str, Any], ...]
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Step → when it was done, and how many things it did."""
    proof: Mapping[str, Any] | None = None
    failed: str | None = None
    """Why the last attempt went no further."""
    backups: Mapping[str, manifest.Changes] | None = None
    """The backups that were what was backed up when this began, with how many rows of their tables changed."""
    traces: str | None = None
    """What tells of the person, sealed under the person's key."""

    @property
    def done(self) -> bool:
        return "paper" in self.steps


class ErasureFiles:
    """The erasures of one home, on its disk."""

    def __init__(self, home: Path) -> None:
        self.folder = home / OWN / "erasures"
        self._certificates = home / OWN / "certificates"

    def all(self) -> list[Erasure]:
        """All of them, oldest first."""
        erasures = []
        for path in sorted(self.folder.glob("er-*.json")):
            row = orjson.loads(path.read_bytes())
            erasures.append(Erasure(**row | {"plan": tuple(row["plan"])}))
        return sorted(erasures, key=lambda erasure: erasure.asked_at)

    def unfinished(self, reference: str) -> Erasure | None:
        """The one of this person that was begun and is not done."""
        return next((e for e in self.all() if e.reference == reference and not e.done), None)

    def write(self, erasure: Erasure) -> Erasure:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.replace(self.folder / f"{erasure.id}.json", orjson.dumps(asdict(erasure), option=orjson.OPT_INDENT_2))
        return erasure

    def now(self, id_: str) -> Erasure:
        return next(erasure for erasure in self.all() if erasure.id == id_)

    def note_change(self, id_: str, table: Path, changed: Mapping[str, int]) -> None:
        """Note what changes in a table of a backup before it does: the trail has it from the manifest."""
        now = self.now(id_)
        self.write(replace(now, backups=manifest.with_change(now.backups or {}, table, changed)))

    def certificate(self, id_: str) -> Path:
        """Where the certificate of an erasure is. Raises BadParameter for what is no erasure's id."""
        if not _ID.fullmatch(id_):
            raise BadParameter(f"{id_[:40]!r} is no erasure's id.", remedy="It is er- and 12 hexadecimal digits.")
        return self._certificates / f"{id_}.json"
