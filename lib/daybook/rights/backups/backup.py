"""Backups of a book: the same files from both databases, and for both.

    make(settings, book, vault, folder, keys=elsewhere)

A backup is one folder: every table as a Parquet file, all of one moment whatever is written meanwhile, the seals of
the trail, and a manifest with the rows and the digest of each file. The keys are never in it: they go to another
folder, to be kept in another place, because who has both has everything. What was sealed is unreadable without them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit import signing
from daybook.audit.seals import seals
from daybook.audit.trail import Trail
from daybook.book import Book, schema
from daybook.book.export import write
from daybook.book.trail import keys as audit_keys
from daybook.book.trail.names import reference
from daybook.clock import Clock, SystemClock
from daybook.digest import digest_file
from daybook.errors import BadParameter
from daybook.rights.backups import key_copies, manifest, register
from daybook.rights.people import erased
from daybook.rights.turns import turn
from daybook.settings import Settings
from daybook.vault import Vault


def make(
    settings: Settings,
    book: Book,
    vault: Vault,
    folder: Path,
    *,
    keys: Path,
    by: str = "backup",
    clock: Clock | None = None,
    patience: float = 600.0,
) -> Path:
    """Back up the book to a new folder, and the keys to another one. Returns the manifest. `patience`: seconds to wait
    for an erasure or a restore that is under way.

    Raises BadParameter where a folder is in use, or the keys would lie with the data, and GateNotMet where it was not
    its turn; the trail has each that begins, and each that fails."""
    with turn(settings.home, book.store, "The backup", patience=patience):
        return _make(settings, book, vault, folder, keys=keys, by=by, clock=clock)


def _make(
    settings: Settings, book: Book, vault: Vault, folder: Path, *, keys: Path, by: str, clock: Clock | None
) -> Path:
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
    trail = Trail(book.journal, settings.home, clock=clock)
    trail.record("book.backed_up", actor=by, object=folder.name)
    try:
        return _write(settings, book, vault, folder, keys, clock)
    except BaseException:
        trail.record("book.backed_up", actor=by, object=folder.name, outcome="failed")
        raise


def _write(settings: Settings, book: Book, vault: Vault, folder: Path, keys: Path, clock: Clock) -> Path:
    register.remember(
        settings.home, folder, keys, clock.now()
    )  # before anything is in them: an erasure then knows where to look
    made_at = clock.now().isoformat()  # an erasure that ends later may not have reached what is read from here on
    for path in (folder, keys):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    book.drain()
    tables: dict[str, dict[str, Any]] = {}
    with book.reading() as session:  # one moment for all of it
        for name in schema.metadata.tables:
            path = folder / f"{name}.parquet"
            tables[str(name)] = {"rows": write(session, str(name), path, "parquet"), "digest": digest_file(path)}
        identity = session.fetch("select id from book_identity", {}).table.to_pydict()["id"][0]
    sealed = {}
    for path in sorted(seals.folder(settings.home).rglob("[!.]*")):
        name = f"seal-{path.relative_to(seals.folder(settings.home)).as_posix().replace('/', '--')}"
        if path.is_file() and manifest.SEAL.fullmatch(name):
            shutil.copy2(path, folder / name)
            sealed[name] = digest_file(folder / name)
    document = {
        "format": manifest.FORMAT,
        "book": identity,
        "made_at": made_at,
        "tables": tables,
        "seals": sealed,
        "erased": {reference(settings.home, s): at.isoformat() for s, at in erased(vault).items()},
    }
    signed = signing.sign(settings.home, document)
    _back_up_keys(settings, vault, keys)  # after signing, which makes the key that it needs
    atomic.replace(
        folder / manifest.MANIFEST, orjson.dumps(signed, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    )
    return folder / manifest.MANIFEST


def _back_up_keys(settings: Settings, vault: Vault, folder: Path) -> None:
    vault.copy(folder / key_copies.VAULT)
    (folder / audit_keys.FOLDER).mkdir(mode=0o700)
    for path in (settings.home / audit_keys.FOLDER).glob("*"):
        if path.suffix in (".key", ".pub"):
            atomic.replace(folder / audit_keys.FOLDER / path.name, path.read_bytes())
    for name in key_copies.SINGLE:
        if (settings.home / name).is_file():
            atomic.replace(folder / name, (settings.home / name).read_bytes())
