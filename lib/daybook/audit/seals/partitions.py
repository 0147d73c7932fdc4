"""Two long lists that are joined by id in little memory: each is written to the disk in parts, by a hash of the id, and
then compared part by part.

    with Partitions(folder, rows) as sealed: sealed.add(b"id", b"rest") … for key, rest in sealed.part(0): …

The files have no name in the folder, so that none is left behind by a process that is killed. A list that is short is
not written at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from zlib import crc32

ROWS = 100_000
"""Rows of a part, about: some tens of megabytes."""


class Partitions:
    """`parts`: how many; two lists that are joined have as many."""

    def __init__(self, folder: Path, parts: int) -> None:
        self.parts = parts
        self._files = [
            tempfile.SpooledTemporaryFile(1 << 20, dir=str(folder))  # noqa: SIM115 - closed by __exit__
            for _ in range(parts)
        ]

    def add(self, key: bytes, rest: bytes) -> None:
        """Neither has a line's end in it, nor the key a blank, unless it is JSON."""
        self._files[crc32(key) % self.parts].write(b"%b\t%b\n" % (key, rest))

    def part(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """What is in one part, in the order in which it was added."""
        file = self._files[number]
        file.seek(0)
        for line in file:
            key, _, rest = line.rstrip(b"\n").rpartition(b"\t")
            yield key, rest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()


def parts_for(rows: int) -> int:
    """How many parts a list of so many rows is written in; never one, so that a short list goes the same way."""
    return 3 + rows // ROWS
