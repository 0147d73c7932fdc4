"""The book: everything that happened, in one place, read by anybody.

    book.append(record)      acknowledged when it returns: it is in the journal
    book.sql("select …")     drains first, so that what was acknowledged is seen; then opens, reads, closes

No connection is held between calls, so the same book serves an endpoint, flows and notebooks at once.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daybook.book import unfinished
from daybook.book.journal.journal import FOLDER, Journal
from daybook.book.stores import factory
from daybook.book.stores.port import QueryResult, ReadSession
from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadParameter, BookHeld, BookLocked, VaultUnusable
from daybook.records import Event, Record

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy.engine import Engine

    from daybook.book.checks import Check
    from daybook.book.info import Info
    from daybook.book.journal.drain import Drained, Drainer
    from daybook.ports import OpenedContent
    from daybook.vault import Vault

_UTC = re.compile(r"\butc\(([\w.]+)\)")
# DuckDB looks a zone's rules up for each row, UTC's too: 2.9 s for a day of 10 million times, 0.4 s this way.
_CLOCK = {"duckdb": r"make_timestamp(epoch_us(\1))", "postgresql": r"(\1 at time zone 'UTC')"}
_TOTAL = re.compile(r"\btotal\((\w+)\)")
_SUM = r"cast(sum(case when \1 > 1000000000000 then 1000000000000 else \1 end) as bigint)"

_FOREIGN = 0.5
"""Seconds that a read waits for a foreign program before it goes without a drain."""


class Book:
    """The book at `url`, with the journal under `home`.

    `vault`: the file of the keys that seal what was said, by default `keys/subjects.sqlite` of the home.
    `patience`: seconds to wait for a book in use before BookLocked. `restoring`: whoever opens it is restoring it, and
    reads it before it is whole; nothing is drained into it then. Safe to use from several threads.
    """

    def __init__(
        self,
        url: str,
        home: Path,
        *,
        clock: Clock | None = None,
        journal: Journal | None = None,
        patience: float = 30.0,
        restoring: bool = False,
        vault: Path | None = None,
    ) -> None:
        self.home = Path(home)
        self.clock = clock or SystemClock()
        self.patience = patience
        self.store = factory.make(url, patience=patience)
        self._given = journal
        self._restoring = restoring
        self._vault_path = vault or self.home / "keys" / "subjects.sqlite"

    @property
    def url_shown(self) -> str:
        """Where the book is, with any password masked."""
        return self.store.shown

    @cached_property
    def journal(self) -> Journal:
        """This process's journal; its file is made at the first append."""
        return self._given or Journal(self.home, clock=self.clock)

    @cached_property
    def _drainer(self) -> Drainer:
        from daybook.book.journal.drain import Drainer

        return Drainer(
            self.store,
            self.home / FOLDER,
            self.vault,
            self.clock,
            patience=self.patience,
        )

    @cached_property
    def vault(self) -> Vault:
        """The keys under which what was said stands in the book."""
        from daybook.vault import MARK, Vault

        return Vault(self._vault_path, mark=self.home / MARK, clock=self.clock)

    def append(self, record: Record) -> None:
        """Acknowledge `record`. Raises JournalFull where there is no room for it."""
        self.journal.append(record)

    def drain(self, *, adopt: bool = False) -> Drained:
        """Move what the journal holds into the book, exactly once. `adopt`: even where the journal has been
        another book's. Raises BookLocked, BookUnreachable, BookTooNew, RestoreUnfinished; all of it is then kept."""
        from daybook.book.journal.drain import Drained

        return Drained() if self._restoring else self._drainer.drain(adopt=adopt)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────

    def sql(self, query: str, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """The rows of a read-only query as a DataFrame; `:name` parameters are bound, never formatted in.

        Money is Decimal, times are aware UTC, integers with gaps are Int64. Raises BadParameter where the
        database refuses the query, BookLocked or BookUnreachable where it cannot be asked.
        """
        from daybook.book import frames

        return frames.frame(self._fetch(query, params))

    def rows(self, query: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The same as one mapping a row."""
        from daybook.book import frames

        return frames.rows(self._fetch(query, params))

    def content(self, rows: Sequence[Mapping[str, Any]]) -> OpenedContent:
        """Rows of calls with `id` and `subject`, and `prompt` or `answer` as they stand in the book: with both opened,
        and None for what cannot be read. Raises VaultUnusable."""
        from daybook.book.content import open_rows

        return open_rows(self.vault, rows)

    def excluded(self, purpose: str) -> frozenset[str]:
        """Whose data may not be used for `training`, `evaluation` or `analytics`. Raises GateNotMet where what the book
        has of somebody is not what the trail says."""
        from daybook.book.trail import standings

        return standings.excluded(self, purpose)

    def query(self, name: str, **params: Any) -> pd.DataFrame:
        """The rows of the named query `queries/<name>.sql`. Raises BadParameter for one there is none of."""
        return self.sql(self.query_text(name), params)

    def query_text(self, name: str) -> str:
        """The SQL of a named query in this book's dialect. In the file `utc(x)` stands for the time x on UTC's clock,
        without a zone; `total(x)` for the sum of a count, of which no call is taken to have more than 10¹²: an upstream
        may report any number, and no sum may leave 64 bits."""
        folder = files("daybook.book") / "queries"
        endings = (".postgres.sql", ".sql") if self.store.dialect == "postgresql" else (".sql",)
        for ending in endings:
            file = folder / f"{name}{ending}"
            if file.is_file():
                sql = _UTC.sub(_CLOCK[self.store.dialect], file.read_text(encoding="utf-8"))
                return _TOTAL.sub(_SUM, sql)
        known = sorted({path.name.partition(".")[0] for path in folder.iterdir() if path.name.endswith(".sql")})
        raise BadParameter(f"No query is called {name!r}.", remedy=f"There are: {', '.join(known) or 'none yet'}.")

    def _fetch(self, query: str, params: Mapping[str, Any] | None) -> QueryResult:
        self._look()
        with self.reading() as book:
            return book.fetch(query, dict(params or {}))

    @contextlib.contextmanager
    def reading(self) -> Iterator[ReadSession]:
        """Open for reading, without a drain before it. Raises RestoreUnfinished, BookLocked, BookUnreachable."""
        with self.store.reading() as session:
            if not self._restoring:
                unfinished.require_whole_to_read(session, self.store.shown)
            yield session

    def _look(self) -> None:
        """Drain before a read. A journal that is another book's has nothing for this one. Where a program that is none
        of ours holds the book, or there are no keys to seal with, it is read as it lies, and that is said."""
        from daybook.book.journal.owner import OtherJournal

        if self._restoring:
            return
        try:
            self._drainer.drain(foreign=_FOREIGN)
        except OtherJournal:
            return
        except BookLocked as error:
            if not error.foreign:
                raise
            words = "It is read as it lies: what was journaled since waits until it is free."
            warnings.warn(f"{error.message} {words}", BookHeld, stacklevel=4)
        except VaultUnusable as error:
            warnings.warn(f"{error.message} The book is read as it lies.", BookHeld, stacklevel=4)

    # ── keeping ───────────────────────────────────────────────────────────────────────────────────

    def info(self) -> Info:
        """What is in the book, and what of its journal is still on the way."""
        from daybook.book import info

        return info.read(self)

    def check(self) -> list[Check]:
        """Every question about the book's health, with its answer; look for level `wrong`."""
        from daybook.book import checks

        return checks.questions(self, self.info(), self.clock.now() - timedelta(days=1))

    def export(self, table: str, path: Path, *, format: str | None = None, actor: str = "library") -> int:
        """Write a table to a Parquet or CSV file (by `format`, or the path's ending); returns the rows.

        Enters an event `book.exported` before the file is there; where it cannot be entered, there is none. Raises
        BadParameter for a table, format or path that cannot be."""
        from daybook.book import export

        path = Path(path)
        chosen = export.require_format(table, path, format)
        self._look()

        def enter(n: int) -> None:
            details = {"path": str(path.absolute()), "format": chosen, "rows": n}
            self.record("book.exported", table, details, actor)

        with self.reading() as book:
            return export.write(book, table, path, chosen, before=enter)

    def record(self, action: str, object_: str | None, details: Mapping[str, Any], actor: str) -> None:
        """Enter what is about to be done, on the disk when this returns."""
        self.append(
            Event(
                id=new_id(),
                at=self.clock.now(),
                actor=actor,
                action=action,
                object=object_,
                details=details,
                outcome="granted",
            )
        )
        self.journal.sync()

    def size(self) -> int | None:
        """Bytes on the disk, where they can be known."""
        return self.store.size()

    def engine(self) -> Engine:
        """A read-only SQLAlchemy engine on the book, for tools that want one. It does not drain, and holds
        nothing between uses; on DuckDB it fails at once where the book is in use. What is asked through it nobody sees,
        so that it was handed out is entered."""
        from daybook.book.engine import make

        self.record("book.opened", None, {}, "library")
        self._look()
        with self.reading():
            return make(self.store)

    def close(self) -> None:
        """Let go of the journal, unless it was handed in. Nothing else is held."""
        if self._given is None and "journal" in self.__dict__:
            self.journal.close()
        if "vault" in self.__dict__:
            self.vault.close()
        self.store.close()

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Book({self.url_shown!r})"
