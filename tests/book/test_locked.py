"""A book that is in use, or does not answer."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daybook.book import Book
from daybook.book.journal.files import one_drain
from daybook.book.stores.locks import alone, describe
from daybook.errors import BookHeld, BookLocked, BookUnreachable, SettingsError


@pytest.mark.filterwarnings("ignore::daybook.errors.BookHeld")
@pytest.mark.parametrize("mode", ["write", "read"])
def test_a_foreign_holder_is_named(
    duck: Book,
    open_book: Callable[..., Book],
    start: Callable[..., subprocess.Popen[str]],
    home: Path,
    make: Any,
    mode: str,
) -> None:
    """A program that holds the file makes a drain end in BookLocked after its patience, with the holder's process
    number and command line and what to do; the entries wait, and go in once the file is free. So does a read, where
    that program writes."""
    duck.append(make.call())
    duck.drain()
    holder = start("hold", home / "book.duckdb", mode)
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    duck.append(make.call())
    hurried = open_book(duck.store.url, patience=0.2)
    asks: list[Callable[[], object]] = [hurried.drain]
    if mode == "write":
        asks.append(lambda: hurried.rows("select 1"))
    for ask in asks:
        with pytest.raises(BookLocked) as caught:
            ask()
        message = str(caught.value)
        assert f"was in use for all of 0.2 s, by PID {holder.pid} (" in message
        assert "hold.py" in message
        assert "Close it there and try again" in message
        copy = pickle.loads(pickle.dumps(caught.value))
        assert (str(copy), copy.foreign) == (message, True)
    holder.stdin.close()
    assert duck.rows("select count(*) as n from calls") == [{"n": 2}]


@pytest.mark.parametrize("how", ["rows", "sql", "query", "export"])
def test_beside_a_foreign_reader_the_book_is_read_as_it_lies(
    duck: Book, start: Callable[..., subprocess.Popen[str]], home: Path, make: Any, how: str, tmp_path: Path
) -> None:
    """Without waiting out the patience, with a warning that names the holder; what was journaled since is not in it,
    and is once the file is free."""
    duck.append(make.call())
    duck.drain()
    holder = start("hold", home / "book.duckdb", "read")
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    duck.append(make.call())
    begin = datetime(2000, 1, 1, tzinfo=UTC)
    reads: dict[str, Callable[[], object]] = {
        "rows": lambda: duck.rows("select count(*) as n from calls")[0]["n"],
        "sql": lambda: int(duck.sql("select count(*) as n from calls")["n"][0]),
        "query": lambda: int(
            duck.query("traffic_calls", start=begin, end=begin + timedelta(days=36_500))["calls"].sum()
        ),
        "export": lambda: duck.export("calls", tmp_path / "calls.csv"),
    }
    with pytest.warns(BookHeld, match=rf"by PID {holder.pid} \(.*hold\.py.*\)\. It is read as it lies") as caught:
        assert reads[how]() == 1
    assert len(caught) == 1
    holder.stdin.close()
    assert duck.rows("select count(*) as n from calls") == [{"n": 2}]


def test_the_command_line_says_it_in_a_sentence(
    duck: Book, start: Callable[..., subprocess.Popen[str]], home: Path, make: Any
) -> None:
    """`book sql` beside a foreign reader: the rows on standard output, who holds it on standard error, exit code 0."""
    duck.append(make.call())
    duck.drain()
    holder = start("hold", home / "book.duckdb", "read")
    assert holder.stdout is not None
    holder.stdout.readline()
    duck.append(make.call())
    duck.journal.sync()
    env = os.environ | {"DAYBOOK_HOME": str(home)}
    command = [sys.executable, "-m", "daybook", "book", "sql", "--json", "select count(*) as n from calls"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, json.loads(done.stdout)) == (0, [{"n": 1}]), done.stderr
    words = f"daybook: The book {home}/book.duckdb was in use for all of 0.5 s, by PID {holder.pid} ("
    assert done.stderr.startswith(words)


def test_a_holder_that_lets_go_is_waited_for(
    duck: Book, start: Callable[..., subprocess.Popen[str]], home: Path, make: Any
) -> None:
    """A read that begins while another program holds the file ends well once it lets go."""
    duck.append(make.call())
    duck.drain()
    holder = start("hold", home / "book.duckdb", "write")
    assert holder.stdout is not None
    assert holder.stdin is not None
    holder.stdout.readline()
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.extend(duck.rows("select count(*) as n from calls")))
    reader.start()
    holder.stdin.close()
    reader.join(20)
    assert found == [{"n": 1}]


def test_our_own_holders_are_named(duck: Book, open_book: Callable[..., Book], home: Path, make: Any) -> None:
    """Where one of our own processes holds the book or drains its journal for too long, the error says so too."""
    duck.append(make.call())
    hurried = open_book(duck.store.url, patience=0.1)
    with one_drain(home / "journal", patience=1), pytest.raises(BookLocked, match=r"was being drained.*by PID \d+ \("):
        hurried.drain()
    import time

    with (
        alone(home / "book.duckdb", deadline=time.monotonic() + 1, patience=1),
        pytest.raises(BookLocked, match=r"was in use for all of 0\.1 s"),
    ):
        hurried.drain()
    assert hurried.drain().entries == 1


def test_readers_do_not_shut_each_other_out(duck: Book, open_book: Callable[..., Book], make: Any) -> None:
    """While one query runs, another of the same process or of another book object runs beside it."""
    duck.append(make.call())
    duck.drain()
    with duck.store.reading() as one:
        hurried = open_book(duck.store.url, patience=0.2, home=duck.home)
        hurried.store.presence()
        with hurried.store.reading() as other:
            assert one.fetch("select 1 as x", {}).table.to_pylist() == [{"x": 1}]
            assert other.fetch("select 2 as x", {}).table.to_pylist() == [{"x": 2}]


def test_threads_of_one_process_share_a_book(book: Book, make: Any) -> None:
    """Readers, appenders and drainers in eight threads: no error, no row lost."""
    failed: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(6):
                book.append(make.call(id=f"{n}-{i}"))
                if n % 2:
                    book.drain()
                else:
                    assert book.rows("select count(*) as n from calls where id = :id", {"id": f"{n}-{i}"}) == [{"n": 1}]
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert book.rows("select count(*) as n, count(distinct id) as u from calls") == [{"n": 48, "u": 48}]


def test_an_unreachable_postgres_is_named_without_its_password(open_book: Callable[..., Book], make: Any) -> None:
    """The error shows the URL with the password masked and what to do; the entry is journaled all the same."""
    book = open_book("postgresql://ops:hunter2@127.0.0.1:1/books?connect_timeout=2", patience=2)
    book.append(make.call())
    for ask in (book.drain, lambda: book.rows("select 1"), lambda: book.sql("select 1")):
        with pytest.raises(BookUnreachable) as caught:
            ask()
        said = str(caught.value)
        assert "postgresql://ops:***@127.0.0.1:1/books" in said
        assert "hunter2" not in said
        assert "hunter2" not in repr(caught.value.__cause__) + repr(caught.value.__dict__)
        assert "Start the database, or check DAYBOOK_BOOK; what is journaled waits" in said
    assert "hunter2" not in repr(book) + book.url_shown
    assert book.journal.state().entries == 1


def test_a_refused_login_is_named_without_its_password(postgres_url: str, open_book: Callable[..., Book]) -> None:
    """A database or role that is not there: the server's words, and not the password, even where it is a parameter."""
    url = postgres_url.replace("postgres:@", "nobody:hunter2@")
    book = open_book(url)
    with pytest.raises(BookUnreachable, match=r"nobody") as caught:
        book.drain()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in open_book(postgres_url + "&password=hunter2").url_shown


@pytest.mark.parametrize("what", ["a folder", "no database", "no such folder"])
def test_a_path_that_is_no_book_is_named(tmp_path: Path, open_book: Callable[..., Book], make: Any, what: str) -> None:
    """The error gives the path and what to do; nothing of what lies there is changed."""
    path = tmp_path / "it.duckdb"
    if what == "a folder":
        path.mkdir()
    elif what == "no database":
        path.write_text("dear diary")
    else:
        (tmp_path / "file").write_text("")
        path = tmp_path / "file" / "it.duckdb"
    book = open_book(f"duckdb:///{path}")
    book.append(make.call())
    with pytest.raises(BookUnreachable, match=r"The book .*it\.duckdb cannot be used: .*DAYBOOK_BOOK"):
        book.drain()
    if what == "no database":
        assert path.read_text() == "dear diary"


def test_another_kind_of_url_is_refused(open_book: Callable[..., Book]) -> None:
    """The message says which kinds there are."""
    with pytest.raises(SettingsError, match=r"'mysql' is not a kind of book\. Write duckdb:///"):
        open_book("mysql://root@localhost/x")


@pytest.mark.parametrize("place", ["ops:hun@ter/2@localhost/books", "[bad", "ops:hunter2@localhost:port/books"])
def test_an_address_that_is_none_is_refused_without_its_password(open_book: Callable[..., Book], place: str) -> None:
    """A password with an `@` or `/` ends it in the wrong place: none of it is shown, and how to write it is."""
    with pytest.raises(SettingsError, match="write %40 for @") as caught:
        open_book(f"postgresql://{place}")
    assert not [part for part in ("hun", "ter", "bad", "localhost") if part in str(caught.value).partition(". ")[0]]


def test_the_file_of_a_book_is_its_owners(duck: Book, home: Path) -> None:
    """Others on the machine cannot read what was asked and answered."""
    duck.drain()
    assert [path.stat().st_mode & 0o077 for path in (home, home / "journal", home / "book.duckdb")] == [0, 0, 0]


def test_a_holders_command_line_shows_no_secret(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """Passwords in URLs and values of keys and tokens are masked; a process that is gone is only a number."""
    holder = start("hold", tmp_path / "x.duckdb", "write postgres://me:hunter2@host/db --api-key=sk-12345 token tok-9")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    said = describe(str(holder.pid))
    assert f"PID {holder.pid} (" in said
    assert not [secret for secret in ("hunter2", "sk-12345", "tok-9") if secret in said]
    assert describe("") == "PID unknown"
