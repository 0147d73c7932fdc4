"""The two databases a book can be kept in: which one an address names."""

from __future__ import annotations

from pathlib import Path

from daybook.book.stores.port import Store
from daybook.errors import SettingsError


def make(url: str, *, patience: float) -> Store:
    """The store at `url`. `patience`: seconds to wait for one in use. Nothing is opened yet."""
    if url.startswith("duckdb:///"):
        from daybook.book.stores.duckdb import DuckStore

        path = url.removeprefix("duckdb:///")
        if "?" in path or not path.isprintable():
            raise SettingsError(
                "A DuckDB book cannot be at a path with a question mark, a line break or what is no text.",
                remedy="Choose another folder: set DAYBOOK_BOOK, or DAYBOOK_HOME.",
            )
        return DuckStore(Path(path).expanduser().absolute(), patience=patience)
    if url.startswith(("postgresql://", "postgres://")):
        from daybook.book.stores.postgres import PostgresStore

        return PostgresStore(url, patience=patience)
    raise SettingsError(
        f"{url.partition(':')[0]!r} is not a kind of book.",
        remedy="Write duckdb:///path/to/file.duckdb or postgresql://user@host/database.",
    )
