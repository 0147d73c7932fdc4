"""finetune_limited.py HOME JOB LIMIT: run a prepared training with no file allowed to grow beyond LIMIT bytes; print
what came of it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from daybook.book import Book
from daybook.errors import DaybookError
from daybook.finetune.tuner import Tuner


def main(home: Path, job: str, limit: int) -> None:
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        tuner = Tuner(home, book)
        tuner.registry.versions()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            tuner.run(job)
        except DaybookError as error:
            sys.stdout.write(f"{type(error).__name__} {error}\n")


main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
