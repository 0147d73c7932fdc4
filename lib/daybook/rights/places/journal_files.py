"""The journal: lines that are in the book already stay in their file for as long as its writer lives.

They are overwritten in place with line ends, which every reader skips: no offset moves, and whoever writes at the end
of the file is not disturbed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from daybook.book import Book
from daybook.book.journal import files
from daybook.book.journal.journal import FOLDER, SUFFIX
from daybook.rights.places.port import Announce, Holding, Person


class JournalFiles:
    name = "journal"

    def __init__(self, book: Book) -> None:
        self._book = book
        self._folder = book.home / FOLDER

    def holdings(self, person: Person) -> list[Holding]:
        self._book.drain()
        n = sum(len(lines) for _, lines in self._lines(person))
        return [Holding(place="journal", what="lines that are in the book already", count=n)] if n else []

    def erase(self, person: Person, announce: Announce) -> int:
        self._book.drain()
        count = 0
        with files.one_drain(self._folder, patience=self._book.patience):
            for path, lines in self._lines(person):
                descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                try:
                    for start, end in lines:
                        os.pwrite(descriptor, b"\n" * (end - start), start)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                count += len(lines)
        return count

    def paths(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def _lines(self, person: Person) -> Iterator[tuple[Path, list[tuple[int, int]]]]:
        """Where the lines are that have something of the person, of what is in the book."""
        with self._book.reading() as book:
            table = book.fetch("select file, drained from journal_files", {}).table.to_pydict()
        marks = dict(zip(table["file"], table["drained"], strict=True))
        for path in self.paths():
            try:
                with path.open("rb") as file:
                    data = file.read(int(marks.get(path.name, 0)))
            except FileNotFoundError:
                continue
            lines, at = [], 0
            for line in data.splitlines(keepends=True):
                if person.search.kinds(line):
                    lines.append((at, at + len(line)))
                at += len(line)
            if lines:
                yield path, lines
