"""The DuckDB that stays in memory between uses of a book's file: nothing of it is felt but its speed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from daybook.book import Book
from daybook.errors import BadParameter, BookHeld, BookLocked

COUNT = "select count(*) as n from calls"


@pytest.fixture
def path(duck: Book, make: Any) -> Path:
    """The file of a book with one call in it."""
    duck.append(make.call())
    assert duck.rows(COUNT) == [{"n": 1}]
    return duck.store.files()[0]


def holds(path: Path) -> bool:
    """Whether this process has the file open."""
    return str(path) in {file.path for file in psutil.Process().open_files()}


def test_no_file_is_open_between_uses(duck: Book, path: Path, make: Any) -> None:
    """After reads, drains and an error, so that any other program may open it."""
    duck.append(make.call())
    assert duck.rows(COUNT) == [{"n": 2}]
    with pytest.raises(BadParameter):
        duck.rows("select nothing")
    assert not holds(path)
    duckdb.connect(str(path)).close()


def test_readers_at_once_share_the_file_until_the_last_has_read(duck: Book, path: Path) -> None:
    """It is let go of once, by whoever comes last, and each has its own query."""
    with duck.store.reading() as first:
        with duck.store.reading() as second:
            assert [s.fetch(COUNT, {}).table.to_pylist() for s in (first, second)] == [[{"n": 1}]] * 2
        assert holds(path)
        assert first.fetch("select 2 as a", {}).table.to_pylist() == [{"a": 2}]
    assert not holds(path)


def test_many_threads_read_and_write(duck: Book, path: Path, make: Any) -> None:
    """Each sees what it added, and none is refused."""
    least = []

    def add() -> None:
        for _ in range(3):
            duck.append(make.call())
            least.append(duck.rows(COUNT)[0]["n"])

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(least) == 18
    assert max(least) == 19


def test_two_books_of_one_file_read_at_once(duck: Book, path: Path, open_book: Callable[..., Book]) -> None:
    """One that closes does not take the file from the other."""
    other = open_book(duck.store.url)
    assert other.rows(COUNT) == [{"n": 1}]
    with duck.store.reading() as session:
        assert other.rows(COUNT) == [{"n": 1}]
        other.close()
        assert holds(path)
        assert session.fetch(COUNT, {}).table.to_pylist() == [{"n": 1}]


def test_a_forked_process_reads_the_book_too(duck: Book, path: Path) -> None:
    """Though the threads of its parent's DuckDB are not in it."""
    with duck.store.reading():
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = 0 if duck.rows(COUNT) == [{"n": 1}] else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert duck.rows(COUNT) == [{"n": 1}]


def test_a_connection_of_this_process_is_named(path: Path, open_book: Callable[..., Book], home: Path) -> None:
    """Whoever opened the file in a notebook reads that it is this very process that holds it."""
    book = open_book(f"duckdb:///{path}", patience=0.1)
    with (
        duckdb.connect(str(path)),
        pytest.raises(BookLocked, match=rf"in use .* by PID {os.getpid()} \("),
        pytest.warns(BookHeld),
    ):
        book.rows(COUNT)
    assert book.rows(COUNT) == [{"n": 1}]


def test_a_book_is_called_book_whatever_its_file(tmp_path: Path, open_book: Callable[..., Book]) -> None:
    """Names that DuckDB has for itself, quotes and blanks among them."""
    for name in ("memory", "temp", "system", "it's a", 'q"q', "book"):
        book = open_book(f"duckdb:///{tmp_path / f'{name}.duckdb'}")
        assert book.rows("select current_database() as a, count(*) as n from calls") == [{"a": "book", "n": 0}]
        book.store.rewrite()
        assert book.rows(COUNT) == [{"n": 0}]


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1 as a) to '{book}'",
        "explain analyze copy (select 1 as a) to '{book}'",
        "explain (analyze) copy (select 1 as a) to '{book}'",
        "/* a */ explain -- b\n analyze copy (select 1 as a) to '{book}'",
        "explain analyze create table memory.mine as select 1 as a",
        "create table memory.mine as select 1 as a",
        "create temp table mine as select 1 as a",
        "set threads = 1",
        "use memory",
        "detach book",
        "attach '{book}' as other",
        "call pragma_version()",
        "prepare q as select 1",
        "load json",
        "pragma threads = 1",
    ],
)
def test_a_query_changes_neither_the_file_nor_the_instance(duck: Book, path: Path, query: str) -> None:
    """The file's bytes are those of before, and what was in memory is not there for the next query."""
    before = path.read_bytes()
    with pytest.raises(BadParameter):
        duck.rows(query.format(book=path))
    assert path.read_bytes() == before
    assert duck.rows("select current_database() as a, count(*) as n from calls") == [{"a": "book", "n": 1}]
    assert duck.rows("select table_name from duckdb_tables() where database_name <> 'book'") == []


@pytest.mark.parametrize(
    "query",
    ["explain select 1", "explain analyze select 1", "show tables", "describe calls", "pragma table_info('calls')"],
)
def test_what_asks_in_other_words_is_answered(duck: Book, path: Path, query: str) -> None:
    """A plan and a table's columns are questions too."""
    assert duck.rows(query)


def test_no_other_file_of_the_home_is_read(duck: Book, path: Path) -> None:
    """The keys beside the book least of all."""
    keys = path.parent / "keys"
    keys.mkdir(exist_ok=True)
    (keys / "secret").write_text("k")
    for query in (f"select * from read_text('{keys / 'secret'}')", f"select * from glob('{path.parent}/*')"):
        with pytest.raises(BadParameter):
            duck.rows(query)


def test_a_sort_larger_than_memory_is_put_beside_the_book(duck: Book, path: Path) -> None:
    """What does not fit goes to the book's own folder, its owner's only, never to where the program was started."""
    where = duck.rows("select current_setting('temp_directory') as a")
    assert where == [{"a": f"{path}.tmp"}]
