"""Backups of a book, and getting it back: the same files from both databases, and into both.

    make(settings, book, vault, folder, keys=elsewhere)
    restore(settings, book, vault, folder, keys=elsewhere)
    rehearse(folder, keys=elsewhere)           restored into a folder of its own, counted, its chain verified, removed

A backup is one folder: every table as a Parquet file, all of one moment whatever is written meanwhile, the seals of
the trail, and a manifest with the rows and the digest of each file. The keys are never in it: they go to another
folder, to be kept in another place, because who has both has everything. What was sealed is unreadable without them.

An erasure that is done later reaches the backups that it can, and is done again on what is restored: the vault of this
home, and its papers on erasures, are asked for everybody who must not come back.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit import restores, seals, signing
from daybook.audit.chain_verification import verify_chain
from daybook.audit.trail import Trail, reference
from daybook.book import Book, migrations, schema
from daybook.book.export import write
from daybook.book.trail import keys as audit_keys
from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadData, BadParameter, GateNotMet
from daybook.rights import backups
from daybook.rights.places.book_rows import BookRows
from daybook.rights.places.port import Person
from daybook.rights.traces import Search, Traces
from daybook.settings import Settings
from daybook.vault import Vault

FORMAT = "daybook backup 1"
MANIFEST = "manifest.json"
_VAULT = "subjects.sqlite"
_SINGLE = ("pseudonyms.key", "keys.json")
_SEAL = re.compile(r"seal-[0-9]+(?:--[a-z_]+)?\.[a-z]+")
"""A seal, its time-stamp, or the rows of one of its tables: nothing else is copied into a home."""


@dataclass(frozen=True, slots=True)
class Restored:
    rows: dict[str, int]
    """Table → rows that were restored."""
    erased_again: int
    """Persons who were erased after the backup was made, and are erased from what was restored."""


def make(settings: Settings, book: Book, vault: Vault, folder: Path, *, keys: Path, clock: Clock | None = None) -> Path:
    """Back up the book to a new folder, and the keys to another one. Returns the manifest.

    Raises BadParameter where a folder is in use, or the keys would lie with the data."""
    clock = clock or SystemClock()
    folder, keys = folder.absolute(), keys.absolute()
    if keys.is_relative_to(folder) or folder.is_relative_to(keys):
        raise BadParameter(
            f"The keys would be in {keys}, with the data.", remedy="Name another place: who has both has everything."
        )
    for path in (folder, keys):
        if path.exists() and any(path.iterdir()):
            raise BadParameter(f"{path} has something in it.", remedy="Name a new folder.")
    book.drain()
    Trail(book.journal, settings.home, clock=clock).record("book.backed_up", actor="backup", object=folder.name)
    backups.remember(settings.home, folder)  # before anything is in it: an erasure then knows where to look
    for path in (folder, keys):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    book.drain()
    tables: dict[str, dict[str, Any]] = {}
    with book.store.reading() as session:  # one moment for all of it
        for name in schema.metadata.tables:
            path = folder / f"{name}.parquet"
            tables[str(name)] = {"rows": write(session, str(name), path, "parquet"), "digest": _digest(path)}
        identity = session.fetch("select id from book_identity", {}).table.to_pydict()["id"][0]
    sealed = {}
    for path in sorted(seals.folder(settings.home).rglob("[!.]*")):
        name = f"seal-{path.relative_to(seals.folder(settings.home)).as_posix().replace('/', '--')}"
        if path.is_file() and _SEAL.fullmatch(name):
            shutil.copy2(path, folder / name)
            sealed[name] = _digest(folder / name)
    document = {
        "format": FORMAT,
        "book": identity,
        "made_at": clock.now().isoformat(),
        "tables": tables,
        "seals": sealed,
        "erased": sorted(reference(settings.home, subject) for subject in vault.destroyed()),
    }
    signed = signing.sign(settings.home, document)
    _back_up_keys(settings, vault, keys)  # after signing, which makes the key that it needs
    atomic.replace(folder / MANIFEST, orjson.dumps(signed, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return folder / MANIFEST


def check(folder: Path, trusted: frozenset[str] | None = None) -> dict[str, Any]:
    """The manifest, its files being what it says. Raises BadData where it is none, GateNotMet where a file was changed
    or it is signed by nobody who is trusted."""
    try:
        document: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
        tables = dict(document["tables"])
        unknown = set(tables) - set(schema.metadata.tables)
        unknown |= {name for name in document["seals"] if not _SEAL.fullmatch(name)}
        if document["format"] != FORMAT or unknown:
            raise BadData(
                f"{folder} was made by another version: {sorted(unknown)[:1] or document['format']}.",
                remedy="Restore it with that one.",
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(
            f"{folder} is no backup ({type(error).__name__}).", remedy=f"Name a folder with a {MANIFEST} of ours."
        ) from error
    if trusted is not None and signing.check(document, trusted) != "good":
        raise GateNotMet(
            f"The manifest of {folder} is not signed by a key that this home trusts.",
            remedy="Lay the public half of its key into audit/*.pub of the home, if you know it.",
        )
    named = [(f"{name}.parquet", stated["digest"]) for name, stated in tables.items()]
    for name, digest in (*named, *document["seals"].items()):
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            raise GateNotMet(f"{path} is not what was backed up.", remedy="Restore another backup.")
    return document


def restore(
    settings: Settings, book: Book, vault: Vault, folder: Path, *, keys: Path | None = None, by: str = "restore"
) -> Restored:
    """Fill an empty book from a backup; the keys too, where a folder of them is named and this home has none of its
    own. Then erase again who was erased since. Raises BadParameter where the book has something in it, and what `check`
    raises; the book is then as it was."""
    if keys is not None:
        _restore_keys(settings, keys)
    document = check(folder, signing.trusted(settings.home))
    with book.store.writing() as writer, writer.transaction():
        migrations.apply(writer, book.store.shown)
        ((there,),) = writer.execute("select (select count(*) from calls) + (select count(*) from events)")
        if there:
            raise BadParameter(
                f"The book {book.store.shown} has {there:,} calls and events.",
                remedy="Restore into an empty book: move this one away, or name another in DAYBOOK_BOOK.",
            )
        writer.execute("delete from book_identity")
        rows = {
            name: writer.load(name, folder / f"{name}.parquet")
            for name in document["tables"]
            if name != "schema_migrations"
        }
    for name in document["seals"]:
        target = seals.folder(settings.home) / name.removeprefix("seal-").replace("--", "/")
        if not target.exists():
            audit_keys.folder(settings.home)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy2(folder / name, target)
    restores.declare(settings.home, book.store, book.clock.now())  # before anything is drained into it
    again = _erase_again(settings, book, vault)
    details = {"made_at": document["made_at"], "rows": sum(rows.values()), "erased_again": again}
    trail = Trail(book.journal, settings.home, clock=book.clock)
    trail.record("book.restored", actor=by, object=folder.name, details=details)
    return Restored(rows, again)


def rehearse(folder: Path, *, keys: Path) -> dict[str, int]:
    """Restore a backup into a folder of its own, count and verify its chain; rows by table. Nothing of it stays.

    Raises GateNotMet where a count or the chain is not what it ought to be."""
    with tempfile.TemporaryDirectory(prefix="daybook-rehearsal-") as scratch:
        home = Path(scratch)
        settings = Settings.from_env({"DAYBOOK_HOME": scratch}, cwd=home)
        vault = Vault(settings.vault)
        with Book(settings.book_url, home) as book:
            restored = restore(settings, book, vault, folder, keys=keys)
            stated = {name: table["rows"] for name, table in check(folder)["tables"].items()}
            wrong = {name: n for name, n in restored.rows.items() if n != stated[name]}
            tables = [
                name for name in stated if name not in ("schema_migrations", "journal_files", "audit_chain", "events")
            ]
            counts = ", ".join(f'(select count(*) from {name}) as "{name}"' for name in tables)  # noqa: S608 - our own names
            counted = book.rows(f"select {counts}")[0]
            wrong |= {name: n for name, n in counted.items() if n != stated[name]} if not restored.erased_again else {}
            verdict = verify_chain(book)
        vault.close()
    if wrong:
        raise GateNotMet(f"{len(wrong)} tables came back with other counts: {sorted(wrong)}.", remedy="Back up anew.")
    if verdict.problems:
        raise GateNotMet(
            f"The chain that came back has {len(verdict.problems)} problems: {verdict.problems[0]}.",
            remedy="Verify the book itself: daybook audit verify.",
        )
    return restored.rows


def intact(folders: Iterable[Path], home: Path, search: Search) -> dict[str, list[str]]:
    """The backups that are what was backed up, each with its tables that have something of a person: those may be
    signed anew once the person is erased from them."""
    found = {}
    trusted = signing.trusted(home)
    for folder in folders:
        with contextlib.suppress(BadData, GateNotMet):
            tables = check(folder, trusted)["tables"]
            found[str(folder)] = [name for name in tables if search.in_file(folder / f"{name}.parquet")]
    return found


def refresh(folders: Mapping[str, list[str]], home: Path) -> None:
    """Bring the manifests of what `intact` found up to date with the tables that somebody was erased from."""
    import pyarrow.parquet as pq

    for folder, tables in folders.items():
        path = Path(folder) / MANIFEST
        if not tables or not path.is_file():
            continue
        document = orjson.loads(path.read_bytes())
        for name in tables:
            file = Path(folder) / f"{name}.parquet"
            document["tables"][name] = {"rows": pq.ParquetFile(file).metadata.num_rows, "digest": _digest(file)}
        document.pop("signature", None)
        document.pop("signer", None)
        atomic.replace(path, orjson.dumps(signing.sign(home, document), option=orjson.OPT_INDENT_2))


def _erase_again(settings: Settings, book: Book, vault: Vault) -> int:
    """Everybody whose key was destroyed, and whom a certificate of this home names, from what was restored."""
    destroyed = set(vault.destroyed())
    rows = book.rows("select distinct subject from calls where subject is not null union select id from subjects")
    papers = _papers(settings.home)
    found = {str(row["subject"]) for row in rows}
    again = {s for s in found if s in destroyed or (papers and reference(settings.home, s) in papers)}
    missing = again - destroyed
    if missing:
        vault.destroy(*missing)
    place, trail = BookRows(book), Trail(book.journal, settings.home, clock=book.clock)
    for subject in sorted(again):

        def announce(details: Any, subject: str = subject) -> None:
            trail.record("subject.erasing", actor="restore", subject=subject, details={**details, "erasure": "again"})

        place.erase(Person.of(Traces(subject)), announce)
    return len(again)


def _papers(home: Path) -> set[str]:
    papers = set()
    for path in (home / "rights" / "certificates").glob("er-*.json"):
        papers.add(orjson.loads(path.read_bytes())["subject"])
    return papers


def _back_up_keys(settings: Settings, vault: Vault, folder: Path) -> None:
    vault.copy(folder / _VAULT)
    (folder / "audit").mkdir(mode=0o700)
    for path in (settings.home / audit_keys.FOLDER).glob("*"):
        if path.suffix in (".key", ".pub"):
            _copy(path, folder / "audit" / path.name)
    for name in _SINGLE:
        if (settings.home / name).is_file():
            _copy(settings.home / name, folder / name)


def _restore_keys(settings: Settings, folder: Path) -> None:
    """Put keys where there are none; what this home has stays, so that no destroyed key comes back."""
    if not (folder / _VAULT).is_file():
        raise BadData(f"{folder} holds no keys.", remedy="Name the folder that the keys were backed up to.")
    audit_keys.folder(settings.home)
    targets = [(folder / _VAULT, settings.vault), *((folder / n, settings.home / n) for n in _SINGLE)]
    targets += [(p, settings.home / audit_keys.FOLDER / p.name) for p in sorted((folder / "audit").glob("*"))]
    for source, target in targets:
        if source.is_file() and not source.is_symlink() and not target.exists():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    beside = target.with_name(f".{target.name}.{new_id()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(source.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
