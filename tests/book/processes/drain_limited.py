"""drain_limited.py URL HOME LIMIT: drain with no file allowed to grow beyond LIMIT bytes, then with no
limit; print what came of both."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from daybook.book import Book
from daybook.errors import DaybookError


def main(url: str, home: str, limit: int) -> None:
    book = Book(url, Path(home))
    for size in (limit, resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        try:
            sys.stdout.write(f"{book.drain().entries} entries\n")
        except DaybookError as error:
            sys.stdout.write(f"{type(error).__name__} {error}\n")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
