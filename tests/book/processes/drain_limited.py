"""drain_limited.py URL HOME LIMIT: drain with no file allowed to grow beyond LIMIT bytes; print what came of it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from daybook.book import Book
from daybook.errors import DaybookError


def main(url: str, home: str, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        sys.stdout.write(f"{Book(url, Path(home)).drain()}\n")
    except DaybookError as error:
        sys.stdout.write(f"{type(error).__name__} {error}\n")


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
