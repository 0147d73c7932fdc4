"""Where an erasure looks: every place of one home in which something of a person can lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from daybook.book import Book
from daybook.rights.backups import key_copies, register
from daybook.rights.erasure.plan import ErasurePlan
from daybook.rights.people import SubjectIdentity
from daybook.rights.places.answers import Answers
from daybook.rights.places.book_rows import BookRows
from daybook.rights.places.copies import ExportedCopies
from daybook.rights.places.files import Files
from daybook.rights.places.hosted import HostedFiles
from daybook.rights.places.journal_files import JournalFiles
from daybook.rights.places.port import Holding, Person, Place
from daybook.rights.places.vectors import Vectors
from daybook.rights.standing import Standing
from daybook.settings import Settings
from daybook.vault import Vault


class ErasureScope:
    """The places of one home. `client`: makes the client of the provider that files were uploaded to."""

    def __init__(self, settings: Settings, book: Book, client: Callable[[], Any] | None) -> None:
        self.settings = settings
        self.book = book
        self.backups = register.known(settings.home)
        """Where backups were made, whether or not they are there now."""
        self.rows = BookRows(book)
        self.journal = JournalFiles(book)
        self.files = Files(settings, book, backups=self.backups_here, vaults=key_copies.vaults(settings.home))
        self.answers = Answers(settings.home)
        self.copies = ExportedCopies(settings.home)
        self.vectors = Vectors(settings.home)
        self.hosted = HostedFiles(settings.home, client)

    @property
    def backups_here(self) -> list[Path]:
        return [path for path in self.backups if path.is_dir()]

    @property
    def backups_away(self) -> list[Path]:
        return [path for path in self.backups if not path.is_dir()]

    def by_step(self) -> Mapping[str, Place]:
        """The steps of an erasure that do no more than to erase from one place."""
        return {
            "hosted": self.hosted, "copies": self.copies, "cache": self.answers,
            "vectors": self.vectors, "book": self.rows, "journal": self.journal,
        }  # fmt: skip

    def plan(self, identity: SubjectIdentity, person: Person, vault: Vault) -> ErasurePlan:
        """What is held on the person everywhere, and what would become of it."""
        places: tuple[Place, ...] = (
            self.rows, self.journal, self.answers, self.vectors, self.files, self.copies, self.hosted
        )  # fmt: skip
        holdings = [holding for place in places for holding in place.holdings(person)]
        if vault.state(identity.subject).state == "kept":
            holdings.append(Holding(place="vault", what="the person's key", count=1))
        return ErasurePlan(
            reference=identity.reference,
            holdings=tuple(holdings),
            hold=Standing.of(self.book, identity.subject).hold,
            unreachable=(*map(str, self.backups_away), *register.replaced(self.settings.home)[0]),
            copies_away=tuple(str(copy.folder) for copy in self.copies.of(person) if copy.away),
        )

    def paths(self, person: Person | None = None) -> Iterator[Path]:
        """Every file that is searched: with the copies that were written for a person, where it is about one."""
        for copy in self.copies.of(person) if person else ():
            yield from copy.paths()
        cache = [self.answers.path.with_name(self.answers.path.name + end) for end in ("", "-wal", "-journal")]
        for path in (*self.files.paths(), *self.journal.paths(), *cache):
            if path.is_file():
                yield path
