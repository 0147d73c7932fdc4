"""hold.py PATH MODE: hold a DuckDB file open as a program does that knows nothing of Daybook, until its input ends."""

from __future__ import annotations

import sys

import duckdb


def main(path: str, mode: str) -> None:
    with duckdb.connect(path, read_only=mode == "read") as connection:
        connection.execute("select 1")
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()


main(sys.argv[1], sys.argv[2])
