"""Which backups there are and where their keys went, whether one is what was backed up, and a person taken out of it.

An erasure reaches a backup and its keys where they are there, brings the manifest up to date, and signs it anew. The
manifest then says whom it was done for, and how many rows changed: whoever restores it has the trail account for them.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit import signing
from daybook.audit.seals.rows import SEALED
from daybook.book import schema
from daybook.digest import digest_file
from daybook.errors import BadData, GateNotMet, VaultUnusable
from daybook.rights.places import backup_tables
from daybook.rights.traces import Search
from daybook.vault import KeyState, Vault

FORMAT = "daybook backup 1"
MANIFEST = "manifest.json"
VAULT = "subjects.sqlite"
SINGLE = ("pseudonyms.key", "keys.json")
SEAL = re.compile(r"seal-(?:[0-9]+(?:--[a-z_]+)?\.[a-z]+|changed--[a-z_]+-[0-9a-f]{32}\.rows)")
"""A seal, its time-stamp, the rows of one of its tables, or what they became: nothing else is copied into a home."""
Changes = Mapping[str, Mapping[str, int]]
"""Table → group of columns, or `removed` → how many rows."""
_LIST = Path("rights") / "backups.json"


# ── where they are ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Note:
    """One backup. `keys`, `at`: None of one that was noted when nobody noted them."""

    id: str
    folder: Path
    keys: Path | None
    at: str | None


def known(home: Path) -> list[Path]:
    """Where backups were made, whether or not they are there now."""
    return list(dict.fromkeys(note.folder for note in _list(home)))


def key_folders(home: Path) -> list[Path]:
    """Where keys were backed up to, whether or not they are there now."""
    return list(dict.fromkeys(note.keys for note in _list(home) if note.keys is not None))


def replaced(home: Path) -> tuple[list[str], list[str]]:
    """The backups, and the keys, in whose place another was made since, a sentence's part for each place: a folder must
    be empty for one, so that they stand elsewhere or were removed."""
    notes = _list(home)
    return _replaced([(note.folder, note.at) for note in notes]), _replaced(
        [(note.keys, note.at) for note in notes if note.keys is not None]
    )


def _replaced(made: Iterable[tuple[Path, str | None]]) -> list[str]:
    days: dict[Path, list[str]] = {}
    for path, at in made:
        days.setdefault(path, []).append(at[:10] if at else "an unknown day")
    return [f"{path}, {len(there) - 1:,} in number, made on {', '.join(dict.fromkeys(there[:-1]))}"
            for path, there in days.items() if len(there) > 1]  # fmt: skip


def vaults(home: Path) -> list[Path]:
    """The copies of the vault in them."""
    return [keys / VAULT for keys in key_folders(home)]


def remember(home: Path, folder: Path, keys: Path, at: datetime) -> None:
    """Note where a backup and its keys are made, before they are. One that was made there before stays noted: it may
    have been moved."""
    path = home / _LIST
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic.alone(path.with_name(".backups.lock")):
        notes = [*_list(home), Note(f"b-{secrets.token_hex(6)}", folder, keys, at.isoformat())]
        content = [asdict(note) | {"folder": str(note.folder), "keys": note.keys and str(note.keys)} for note in notes]
        atomic.replace(path, orjson.dumps(content, option=orjson.OPT_INDENT_2))


def _list(home: Path) -> list[Note]:
    """Each backup, oldest first."""
    try:
        rows = orjson.loads((home / _LIST).read_bytes())
    except FileNotFoundError:
        return []
    entries = [row if isinstance(row, dict) else {"folder": row} for row in rows]
    return [
        Note(
            entry.get("id") or f"b-{number}", Path(entry["folder"]), Path(entry["keys"]) if entry.get("keys") else None,
            entry.get("at"),
        )
        for number, entry in enumerate(entries)
    ]  # fmt: skip


# ── what is in one ────────────────────────────────────────────────────────────────────────────────────


def check(folder: Path, trusted: frozenset[str] | None = None) -> dict[str, Any]:
    """The manifest, its files being what it says. Raises BadData where it is none, GateNotMet where a file was changed
    or it is signed by nobody who is trusted."""
    try:
        document: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
        tables = dict(document["tables"])
        unknown = set(tables) - set(schema.metadata.tables)
        unknown |= {name for name in document["seals"] if not SEAL.fullmatch(name)}
        if document["format"] != FORMAT or unknown:
            raise BadData(
                f"{folder} was made by another version: {sorted(unknown)[:1] or document['format']}.",
                remedy="Restore it with that one.",
            )
        erased(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadData(
            f"{folder} is no backup ({type(error).__name__}).", remedy=f"Name a folder with a {MANIFEST} of ours."
        ) from error
    if trusted is not None and signing.check(document, trusted) != "good":
        raise untrusted(folder)
    named = [(f"{name}.parquet", stated["digest"]) for name, stated in tables.items()]
    for name, stated in (*named, *document["seals"].items()):
        path = folder / name
        if not path.is_file() or digest_file(path) != stated:
            raise GateNotMet(f"{path} is not what was backed up.", remedy="Restore another backup.")
    return document


def untrusted(folder: Path) -> GateNotMet:
    return GateNotMet(
        f"The manifest of {folder} is not signed by a key that this home trusts.",
        remedy="Lay the public half of its key into audit/*.pub of the home, if you know it.",
    )


def erased(document: Mapping[str, Any]) -> dict[str, datetime]:
    """Who had been erased when the backup was made, or was erased from it since, as our papers name them → when. A
    manifest of before that was noted says who; they were erased before it was made."""
    entries = document["erased"]
    stated = entries if isinstance(entries, dict) else dict.fromkeys(entries, document["made_at"])
    return {reference: datetime.fromisoformat(at) for reference, at in stated.items()}


# ── a person taken out of them ────────────────────────────────────────────────────────────────────────


def intact(folders: Iterable[Path], home: Path) -> dict[str, dict[str, Mapping[str, int]]]:
    """The backups that are what was backed up, each with what was changed in its tables, which is nothing so far: those
    may be signed anew once a person is erased from them."""
    changes: dict[str, dict[str, Mapping[str, int]]] = {}
    trusted = signing.trusted(home)
    for folder in folders:
        with contextlib.suppress(BadData, GateNotMet):
            check(folder, trusted)
            changes[str(folder)] = {}
    return changes


def with_change(there: Mapping[str, Changes], table: Path, changed: Mapping[str, int]) -> dict[str, Changes]:
    """The backups that are intact, with what changes in one table of one of them. A table that is written again
    because the last time was cut off counts once."""
    folder = str(table.parent)
    return {**there, folder: {**there[folder], table.stem: changed}} if folder in there else dict(there)


def refresh(folders: Mapping[str, Changes], home: Path, persons: Mapping[str, datetime]) -> None:
    """Bring the manifests of what `intact` found up to date. `persons`: who was erased, as our papers name them, and
    when, the last time. Twice is the same as once."""
    import pyarrow.parquet as pq

    for name, changes in folders.items():
        path = Path(name) / MANIFEST
        if not path.is_file():
            continue
        document = orjson.loads(path.read_bytes())
        known = erased(document)
        moments = known | {name: max(at, known.get(name, at)) for name, at in persons.items()}
        if moments == known and not any(_outdated(path, document, table) for table in changes):
            continue
        changed = {table: Counter(groups) for table, groups in document.get("changed", {}).items()}
        for table, groups in changes.items():
            file = path.with_name(f"{table}.parquet")
            document["tables"][table] = {"rows": pq.ParquetFile(file).metadata.num_rows, "digest": digest_file(file)}
            if table in SEALED:  # rows of others are in no seal
                changed.setdefault(table, Counter()).update(groups)
        document["changed"] = {table: dict(groups) for table, groups in sorted(changed.items())}
        document["erased"] = {name: at.isoformat() for name, at in moments.items()}
        document.pop("signature", None)
        document.pop("signer", None)
        atomic.replace(path, orjson.dumps(signing.sign(home, document), option=orjson.OPT_INDENT_2))


def made_at(folder: Path) -> datetime | None:
    """When the backup was made; None where its manifest does not say."""
    try:
        return datetime.fromisoformat(orjson.loads((folder / MANIFEST).read_bytes())["made_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def erase_from(folder: Path, search: Search, note: Callable[[Path, Mapping[str, int]], object]) -> None:
    """Erase from every table of the backup that has something of them. `note`: told of each table what changes in it,
    before it does."""
    for path in sorted(folder.glob("*.parquet")):
        if not backup_tables.is_chained(path, [folder]) and search.in_file(path):
            backup_tables.erase_from(path, search, partial(note, path))


def _outdated(path: Path, document: Mapping[str, Any], table: str) -> bool:
    return bool(document["tables"][table]["digest"] != digest_file(path.with_name(f"{table}.parquet")))


def destroy_keys(home: Path, vault: Vault) -> list[Path]:
    """Destroy in every folder of backed-up keys what is destroyed in the vault; returns the folders that were not there
    or could not be used: the keys in them are destroyed when they are there again."""
    today = vault.states()
    away = []
    for folder in key_folders(home):
        path = folder / VAULT
        if not path.is_file():
            away.append(folder)
            continue
        copy = Vault(path)
        try:
            there = copy.states()
            if gone := [s for s, state in today.items() if _is_over(there.get(s), state)]:
                copy.destroy(*gone)
        except VaultUnusable:
            away.append(folder)
        finally:
            copy.close()
    return away


def _is_over(there: KeyState | None, today: KeyState) -> bool:
    """Whether the key in a copy of the vault is one that was destroyed since, or its tombstone is missing there."""
    if there is None or there.state == "destroyed":
        return there is None and today.state == "destroyed"
    if today.state == "destroyed":
        return True
    return today.generation > there.generation and _made_later(today, there)  # they came back


def _made_later(today: KeyState, there: KeyState) -> bool:
    return today.made_at is not None and there.made_at is not None and today.made_at > there.made_at
