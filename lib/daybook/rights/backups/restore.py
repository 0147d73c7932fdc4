"""Getting a book back from a backup.

    restore(settings, book, vault, folder, keys=elsewhere)

    keys           those that this home has not got, person by person; who was erased gets none back
    rows           all tables, in one transaction
    seals          of the trail
    lost entries   what the trail had after the backup is declared as lost, before anything is drained
    erasures       who was erased since is erased again: in the book, and wherever else an erasure looks
    entry          in the trail

Then, the book being whole, what was said is sealed under the keys of now where those of the backup were rotated since.

What is to be refused is refused before anything changes. After each step the state is in the book; until the last one
is done nobody else reads the book or drains into it, in whatever home, and giving the same again goes on.

Who was erased and came back has a key of now. What the backup holds of them goes, and what they said since stays: it
waits in the journal, or stands in backups and files of after that, and none of these is touched for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.audit import restores, signing
from daybook.audit.seals import seals
from daybook.audit.seals.changes import ChangedFile, files_with
from daybook.audit.trail import Trail
from daybook.audit.verification.restored_rows import restored_details
from daybook.book import Book, migrations, unfinished
from daybook.book.journal.journal import FOLDER as JOURNAL
from daybook.book.stores.port import WriteSession
from daybook.book.trail import keys as audit_keys
from daybook.book.trail.names import reference
from daybook.errors import BadData, BadParameter, GateNotMet
from daybook.rights.backups import key_copies, manifest, register
from daybook.rights.backups.erased_since import ErasedSince, certified
from daybook.rights.places.answers import Answers
from daybook.rights.places.book_rows import BookRows
from daybook.rights.places.copies import ExportedCopies
from daybook.rights.places.files import Files
from daybook.rights.places.journal_files import JournalFiles
from daybook.rights.places.port import Person
from daybook.rights.places.vectors import Vectors
from daybook.rights.sealing import seal_again
from daybook.rights.traces import PersonTraces
from daybook.rights.turns import turn
from daybook.settings import Settings
from daybook.vault import Vault

_BOUND = ("subjects", "chain")
"""The keys of the trail by which it names persons and links its entries."""
STEPS = ("keys", "rows", "seals", "lost entries", "erasures", "entry")
_OF_THE_BOOK = ("rows", "entry")
"""Steps that are done for every home that has the book."""


@dataclass(frozen=True, slots=True)
class Restored:
    rows: dict[str, int]
    """Table → rows that were restored."""
    erased_again: int
    """Persons who were erased after the backup was made, and are erased from what was restored."""
    still_holding: tuple[Path, ...] = ()
    """Backups that still hold some of them, because they cannot be written to."""
    without_key: int = 0
    """Calls of which what was said cannot be read, because it is sealed under keys that this home has not got."""
    sealed_anew: int = 0
    """Calls that the backup has under keys that were rotated since, and that are sealed under those of now."""


def restore(
    settings: Settings,
    book: Book,
    vault: Vault,
    folder: Path,
    *,
    keys: Path | None = None,
    by: str = "restore",
    tell: Callable[[str], object] = lambda step: None,
) -> Restored:
    """Fill an empty book from a backup; the keys too, where a folder of them is named and this home has none of its
    own. Then erase again who was erased since. One that was interrupted goes on. `tell`: told of each step that begins.

    Raises BadParameter where the book has something in it, RestoreUnfinished where the restore of another backup is
    under way, and what `manifest.check` raises; book, keys and home are then as they were."""
    with turn(settings.home, book.store, "The restore", patience=0):
        restored = Restoration(settings, book, vault, folder.absolute(), keys and keys.absolute(), by, tell).run()
        trail = Trail(book.journal, settings.home, clock=book.clock)
        count = seal_again(book, vault, trail, by=by, reason="a backup of before a rotation was restored")
        return replace(restored, sealed_anew=count)


class Restoration:
    """One restore, from where it is. `cleans`: whether the backup itself loses who was erased since."""

    def __init__(
        self,
        settings: Settings,
        book: Book,
        vault: Vault,
        folder: Path,
        keys: Path | None,
        by: str,
        tell: Callable[[str], object],
        *,
        cleans: bool = True,
    ) -> None:
        self._settings = settings
        self._home = settings.home
        self._vault = vault
        self._folder = folder
        self._keys = keys
        self._by = by
        self._tell = tell
        self._cleans = cleans
        self._book = Book(
            book.store.url,
            book.home,
            vault=settings.vault,
            clock=book.clock,
            journal=book.journal,
            patience=book.patience,
            restoring=True,
        )
        self._trail = Trail(book.journal, self._home, clock=book.clock)
        self._journal = book.home / JOURNAL
        self._state: dict[str, Any] = {}

    def run(self) -> Restored:
        self._begin()
        steps: Mapping[str, Callable[[], object]] = {
            "keys": self._restore_keys, "rows": self._load, "seals": self._restore_seals,
            "lost entries": lambda: restores.declare(self._home, self._book.store, self._book.clock.now()),
            "erasures": self._erase_again, "entry": self._enter,
        }  # fmt: skip
        for step in STEPS:
            if step not in self._state["done"]:
                self._tell(step)
                steps[step]()
                if step not in self._state["done"]:
                    self._note(done=[*self._state["done"], step])
        without_key = BookRows(self._book).without_key()
        with self._book.store.writing() as writer, writer.transaction():
            unfinished.end(writer)
        (self._journal / unfinished.NAME).unlink(missing_ok=True)
        again, holding = self._state.get("erased_again", 0), self._state.get("still_holding", ())
        return Restored(self._rows, again, tuple(map(Path, holding)), without_key)

    # ── what is refused ───────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        """Go on with the restore of this backup that is under way, or begin it where nothing forbids it."""
        there, under_way = self._look()
        if "rows" in under_way.get("done", ()):
            if under_way["folder"] != str(self._folder) and not self._is_of(under_way["manifest"]):
                unfinished.refuse(under_way, self._book.store.shown)
            self._go_on(_in_folder(under_way, str(self._folder)))
            return
        trusted = self._trusted()  # where nothing has been read from its files, it begins anew
        document = manifest.check(self._folder, trusted)
        if there:
            raise BadParameter(
                f"The book {self._book.store.shown} has {there:,} calls and events.",
                remedy="Restore into an empty book: move this one away, or name another in DAYBOOK_BOOK.",
            )
        papers = certified(self._home, trusted)
        self._require_same_keys()
        self._state = {"home": str(self._home), "folder": str(self._folder), "manifest": document,
                       "keys": self._keys and str(self._keys), "certified": papers, "done": []}  # fmt: skip
        self._note()

    def _go_on(self, under_way: dict[str, Any]) -> None:
        """Its files have been read, and may have changed since: who was erased goes from them as well. Where another
        home began it, what each home has of its own is done once more."""
        if under_way["home"] == str(self._home):
            if self._keys is None:
                self._keys = under_way["keys"] and Path(under_way["keys"])
            else:
                self._trusted()
                self._require_same_keys()
            self._state = under_way
            self._note(keys=self._keys and str(self._keys))
            return
        trusted = self._trusted()
        if signing.check(under_way["manifest"], trusted) != "good":
            raise manifest.untrusted(self._folder)
        self._require_same_keys()
        done = [step for step in under_way["done"] if step in _OF_THE_BOOK]
        papers = {**under_way["certified"], **certified(self._home, trusted)}
        self._state = {**under_way, "home": str(self._home), "keys": self._keys and str(self._keys),
                       "certified": papers, "done": done, "changed_files": {}}  # fmt: skip
        self._note()

    def _is_of(self, document: Mapping[str, Any]) -> bool:
        """Whether the folder has the backup of this manifest, wherever it lies: of the same book and moment, signed by
        who is trusted. An erasure may have signed it anew meanwhile; the chain is no other by that."""
        try:
            here = orjson.loads((self._folder / manifest.MANIFEST).read_bytes())
            same = (here["book"], here["made_at"]) == (document["book"], document["made_at"])
            same &= here["tables"]["audit_chain"] == document["tables"]["audit_chain"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return bool(same) and signing.check(here, self._trusted()) == "good"

    def _require_same_keys(self) -> None:
        """Raises GateNotMet where this home has another key than the backup for what the book is bound to."""
        if self._keys is None:
            return
        chained = [f"{audit_keys.FOLDER}/{name}.key" for name in _BOUND]
        for name in ("pseudonyms.key", *chained):
            here, there = self._home / name, self._keys / name
            if here.is_file() and there.is_file() and here.read_bytes().strip() != there.read_bytes().strip():
                raise GateNotMet(
                    f"{here} is another key than {there}: persons and entries of the backup would not be known by it.",
                    remedy="Restore into a home that has no keys: name another in DAYBOOK_HOME. Nothing was changed.",
                )

    def _trusted(self) -> frozenset[str]:
        """Whose manifests count: those that this home trusts, and where it has no key of its own yet, those that the
        home did whose keys are restored."""
        if self._keys is None:
            return signing.trusted(self._home)
        seal = f"{audit_keys.FOLDER}/{signing.SECRET}.key"
        if not (self._keys / key_copies.VAULT).is_file() or not (self._keys / seal).is_file():
            raise BadData(f"{self._keys} holds no keys.", remedy="Name the folder that the keys were backed up to.")
        return signing.trusted(self._home if (self._home / seal).exists() else self._keys)

    def _look(self) -> tuple[int, dict[str, Any]]:
        """Calls and events of the book, and how far a restore into it has come."""
        with self._book.store.writing() as writer:
            there = _calls_and_events(writer, self._book.store.shown)
            under_way = unfinished.read(writer)
        if not under_way and (old := unfinished.read_old(self._journal, self._book.store.shown)):
            under_way = old | {"home": str(self._home), "done": [*old["done"], *(["rows"] if there else [])]}
        return there, under_way

    @property
    def _erased(self) -> ErasedSince:
        return ErasedSince(
            self._home,
            self._book,
            self._vault,
            keys=self._keys,
            document=self._state["manifest"],
            certified=self._state["certified"],
        )

    def _note(self, **facts: Any) -> None:
        self._state |= facts
        with self._book.store.writing() as writer, writer.transaction():
            unfinished.note(writer, self._state)

    # ── the steps ─────────────────────────────────────────────────────────────────────────────────────

    def _restore_keys(self) -> None:
        """Put keys where there are none: what this home has stays. The vault comes last and loses the keys of whoever
        was erased before it is in its place."""
        if self._keys is None:
            return
        folder = audit_keys.folder(self._home)
        targets = [(self._keys / name, self._home / name) for name in key_copies.SINGLE]
        targets += [(path, folder / path.name) for path in sorted((self._keys / audit_keys.FOLDER).glob("*"))]
        for source, target in targets:
            if source.is_file() and not source.is_symlink() and not target.exists():
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                atomic.replace(target, source.read_bytes())
        target = self._settings.vault
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in target.parent.glob(f".{target.name}.*"):
            left.unlink()  # of an earlier attempt
        beside = target.with_name(f".{target.name}.restoring")
        atomic.replace(beside, (self._keys / key_copies.VAULT).read_bytes())
        copy = Vault(beside)
        self._erased.destroy_in(copy)
        copy.close()
        if target.exists():  # what this home has stays, a tombstone first of all
            self._vault.merge(beside)
        else:
            beside.replace(target)
        for left in target.parent.glob(f".{target.name}.*"):
            left.unlink()

    def _load(self) -> None:
        with self._book.store.writing() as writer:
            if there := _calls_and_events(writer, self._book.store.shown):  # by a drain that had begun before this
                raise GateNotMet(
                    f"Something was drained into the book {self._book.store.shown} since the restore began: {there:,} "
                    "calls and events.",
                    remedy="Nothing of the backup is in it. Restore into another empty book.",
                )
            self._state["done"] = [*self._state["done"], "rows"]
            with writer.transaction():
                writer.execute("delete from book_identity")
                for name in self._rows:
                    writer.load(name, self._folder / f"{name}.parquet")
                unfinished.note(writer, self._state)

    @property
    def _rows(self) -> dict[str, int]:
        tables = self._state["manifest"]["tables"]
        return {name: int(table["rows"]) for name, table in tables.items() if name != "schema_migrations"}

    def _restore_seals(self) -> None:
        audit_keys.folder(self._home)
        for name in self._state["manifest"]["seals"]:
            target = seals.folder(self._home) / name.removeprefix("seal-").replace("--", "/")
            if not target.exists():
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                atomic.replace(target, (self._folder / name).read_bytes())

    def _erase_again(self) -> None:
        """Files first, and the book last: it is what says who was there and what they said."""
        self._erased.destroy_in(self._vault)
        rows, erased = BookRows(self._book), self._erased.persons()
        states = self._vault.states()
        persons = [self._person(rows, subject) for subject in erased]
        gone = [p for p in persons if p.subject not in states or states[p.subject].state == "destroyed"]
        holding = self._erase_files(gone, [p for p in persons if p not in gone], erased) if persons else []
        places, again = (ExportedCopies(self._home), Answers(self._home), Vectors(self._home)), 0
        for person in persons:
            counts = [place.erase(person, lambda details: None) for place in places if person in gone]
            waiting = self._waiting
            again += any([*counts, rows.erase_rows(person, partial(self._announce, person.subject), waiting)])
            self._note(changed_files={table: file.digest for table, file in waiting.items()})
        if persons:
            rows.rewrite()
        if unknown := [subject for subject in erased if subject not in states]:
            self._vault.destroy(*unknown)  # no key is made for them by accident
        self._note(erased_again=self._state.get("erased_again", 0) + again, still_holding=holding)

    def _erase_files(
        self, gone: Sequence[Person], returned: Sequence[Person], erased: Mapping[str, datetime]
    ) -> list[str]:
        """Erase those who are gone from files, the journal and the backups that are there, this one too; those who came
        back from the backups of before their erasure. Returns the backups that hold them still, because they cannot be
        written to."""
        known = {self._folder, *(path for path in register.known(self._home) if path.is_dir())} if self._cleans else ()
        written = [path for path in sorted(known) if os.access(path, os.W_OK)]
        if "intact" not in self._state:
            self._note(intact=manifest.intact(written, self._home))
        if gone:
            everybody = Person.together(gone)
            files = Files(self._settings, self._book, backups=written, vaults=key_copies.vaults(self._home))
            files.erase(everybody, partial(self._announce, None), self._note_change)
            JournalFiles(self._book).erase(everybody, lambda details: None)
        for folder in written:
            made_at = manifest.made_at(folder)
            before = [p for p in returned if made_at is not None and made_at <= erased[p.subject]]
            if before:
                manifest.erase_from(folder, Person.together(before).search, self._note_change)
            names = {reference(self._home, person.subject): erased[person.subject] for person in (*gone, *before)}
            here = {name: changes for name, changes in self._state["intact"].items() if name == str(folder)}
            manifest.refresh(here, self._home, names)
        return [str(path) for path in sorted(known) if path not in written]

    def _note_change(self, table: Path, changed: Mapping[str, int]) -> None:
        self._note(intact=manifest.with_change(self._state["intact"], table, changed))

    def _person(self, rows: BookRows, subject: str) -> Person:
        traces = PersonTraces(subject, None, tuple(dict.fromkeys(rows.texts(subject))))
        return Person.of(traces.without(rows.others(subject)) if traces.texts else traces)

    @property
    def _waiting(self) -> dict[str, ChangedFile]:
        """What sealed rows became by erasures of this restore: their entries are drained when it is over."""
        return files_with(self._home, self._state.get("changed_files", {}))

    def _announce(self, subject: str | None, details: Mapping[str, Any]) -> None:
        given = {**details, "erasure": "again"}
        self._trail.record("subject.erasing", actor="restore", subject=subject, details=given)

    def _enter(self) -> None:
        document = self._state["manifest"]
        details = {"made_at": document["made_at"], "rows": sum(self._rows.values()),
                   "erased_again": self._state.get("erased_again", 0)}  # fmt: skip
        if document.get("changed"):  # what erasures did to the backup, of which its trail does not know
            details |= restored_details(self._book, document["changed"], self._waiting)
        self._trail.record("book.restored", actor=self._by, object=self._folder.name, details=details)


def _in_folder(under_way: dict[str, Any], folder: str) -> dict[str, Any]:
    """The state of a restore whose backup lies in this folder now."""
    moved = {"folder": folder}
    if "intact" not in under_way:
        return under_way | moved
    intact = {folder if name == under_way["folder"] else name: value for name, value in under_way["intact"].items()}
    return under_way | moved | {"intact": intact}


def _calls_and_events(writer: WriteSession, shown: str) -> int:
    with writer.transaction():
        migrations.apply(writer, shown)
        ((there,),) = writer.execute("select (select count(*) from calls) + (select count(*) from events)")
    return int(there)
