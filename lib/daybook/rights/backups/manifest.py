"""What a backup says of itself: whether it is what was backed up, and who was taken out of it since.

An erasure reaches a backup and its keys where they are there, brings the manifest up to date, and signs it anew. The
manifest then says whom it was done for, and how many rows changed: whoever restores it has the trail account for them.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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
from daybook.errors import BadData, GateNotMet
from daybook.rights.places import backup_tables
from daybook.rights.traces import Search

FORMAT = "daybook backup 1"
MANIFEST = "manifest.json"
SEAL = re.compile(r"seal-(?:[0-9]+(?:--[a-z_]+)?\.[a-z]+|changed--[a-z_]+-[0-9a-f]{32}\.(?:rows|announced))")
"""A seal, its time-stamp, the rows of one of its tables, what they became, or a mark that this may not have been done:
nothing else is copied into a home."""
Changes = Mapping[str, Mapping[str, int]]
"""Table → group of columns, or `removed` → how many rows."""


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
