"""Which backups there are and where their keys went, as this home has noted it.

    <home>/rights/backups.json     each with its folder, that of its keys, when it was made, and whether it was deleted

That a backup or its keys were deleted is somebody's word: nobody can look at what is not there. It is taken off what an
erasure cannot reach, and the certificate says on whose word.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.errors import BadParameter

_LIST = Path("rights") / "backups.json"


@dataclass(frozen=True, slots=True)
class Deletion:
    """Somebody's word that what stood there is deleted."""

    by: str
    at: str


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """One backup. `keys`, `at`: None of one that was noted when nobody noted them."""

    id: str
    folder: Path
    keys: Path | None
    at: str | None
    deleted: Deletion | None = None
    keys_deleted: Deletion | None = None

    @property
    def day(self) -> str:
        return self.at[:10] if self.at else "an unknown day"


def known(home: Path) -> list[Path]:
    """Where backups were made, whether or not they are there now; not where all of them are deleted."""
    return list(dict.fromkeys(e.folder for e in read(home) if e.deleted is None or e.folder.is_dir()))


def key_folders(home: Path) -> list[Path]:
    """Where keys were backed up to, whether or not they are there now; not where all of them are deleted."""
    entries = [entry for entry in read(home) if entry.keys is not None]
    return list(dict.fromkeys(e.keys for e in entries if e.keys and (e.keys_deleted is None or e.keys.is_dir())))


def replaced(home: Path) -> tuple[list[str], list[str]]:
    """The backups, and the keys, in whose place another was made since, a sentence's part for each place: a folder must
    be empty for one, so that they stand elsewhere or were removed."""
    entries = read(home)
    return _replaced([(e.folder, e.day, e.deleted) for e in entries]), _replaced(
        [(e.keys, e.day, e.keys_deleted) for e in entries if e.keys is not None]
    )


def _replaced(made: Iterable[tuple[Path, str, Deletion | None]]) -> list[str]:
    places: dict[Path, list[tuple[str, Deletion | None]]] = {}
    for path, day, deleted in made:
        places.setdefault(path, []).append((day, deleted))
    earlier = {path: [day for day, deleted in there[:-1] if deleted is None] for path, there in places.items()}
    return [f"{path}, {len(days):,} in number, made on {', '.join(dict.fromkeys(days))}"
            for path, days in earlier.items() if days]  # fmt: skip


def deleted(home: Path) -> list[str]:
    """What is said to be deleted, a sentence for each backup and for its keys."""
    sentences = []
    for e in read(home):
        if word := e.deleted:
            sentences.append(
                f"A backup that stood in {e.folder}, made on {e.day}, was not searched: {word.by} entered on "
                f"{word.at[:10]} that it is deleted."
            )
        if word := e.keys_deleted:
            sentences.append(
                f"Keys that were backed up to {e.keys} on {e.day} were not looked at: {word.by} entered on "
                f"{word.at[:10]} that they are deleted."
            )
    return sentences


def standing_in(home: Path, path: Path) -> list[tuple[BackupEntry, str]]:
    """The backups, and the keys, that stood in the folder and are not there now, each with the field that says that it
    is deleted. Raises BadParameter where there is none."""
    entries = read(home)
    found = []
    for field, place in (("deleted", "folder"), ("keys_deleted", "keys")):
        there = [entry for entry in entries if getattr(entry, place) == path]
        gone = there[:-1] if _is_used(path) else there  # the last one is what stands there
        found += [(entry, field) for entry in gone if getattr(entry, field) is None]
    if not found and _is_used(path):
        raise BadParameter(f"There is something in {path}.", remedy="Delete it first, and enter that then.")
    if not found:
        folders = sorted({str(folder) for folder in (*known(home), *key_folders(home))})
        raise BadParameter(
            f"No backup and no keys of one that are not entered as deleted stood in {path}.",
            remedy=f"Known are: {', '.join(folders) or 'none'}.",
        )
    return found


def enter_deleted(home: Path, what: Sequence[tuple[BackupEntry, str]], deletion: Deletion) -> None:
    """Note what `standing_in` found as deleted."""
    data, keys = ({e.id for e, field in what if field == name} for name in ("deleted", "keys_deleted"))
    with _changing(home) as entries:
        entries[:] = [
            replace(
                e,
                deleted=deletion if e.id in data else e.deleted,
                keys_deleted=deletion if e.id in keys else e.keys_deleted,
            )
            for e in entries
        ]


def remember(home: Path, folder: Path, keys: Path, at: datetime) -> None:
    """Note where a backup and its keys are made, before they are. One that was made there before stays noted: it may
    have been moved."""
    with _changing(home) as entries:
        entries.append(BackupEntry(f"b-{secrets.token_hex(6)}", folder, keys, at.isoformat()))


def read(home: Path) -> list[BackupEntry]:
    """Each backup, oldest first."""
    try:
        rows = orjson.loads((home / _LIST).read_bytes())
    except FileNotFoundError:
        return []
    named: list[dict[str, Any]] = [row if isinstance(row, dict) else {"folder": row} for row in rows]
    return [
        BackupEntry(
            row.get("id") or f"b-{number}", Path(row["folder"]), Path(row["keys"]) if row.get("keys") else None,
            row.get("at"), _deletion(row.get("deleted")), _deletion(row.get("keys_deleted")),
        )
        for number, row in enumerate(named)
    ]  # fmt: skip


def _deletion(row: dict[str, str] | None) -> Deletion | None:
    return None if row is None else Deletion(**row)


@contextlib.contextmanager
def _changing(home: Path) -> Iterator[list[BackupEntry]]:
    """The list, to be written as it is when the block ends."""
    path = home / _LIST
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic.alone(path.with_name(".backups.lock")):
        entries = read(home)
        yield entries
        rows = [asdict(e) | {"folder": str(e.folder), "keys": e.keys and str(e.keys)} for e in entries]
        atomic.replace(path, orjson.dumps(rows, option=orjson.OPT_INDENT_2))


def _is_used(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())
