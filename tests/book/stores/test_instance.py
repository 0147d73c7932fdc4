"""The DuckDB that stays in memory between uses of a book's file: nothing of it is felt but its speed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import psutil
import pytest

from daybook.book import Book
from daybook.errors import BadParameter, BookHeld, BookLocked, SettingsError

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


def test_a_book_behind_a_link_is_read_locked_and_written_anew_where_it_is(
    duck: Book, path: Path, tmp_path: Path, open_book: Callable[..., Book], make: Any
) -> None:
    """A link to the file, or to its folder: what is written by one name is read by the other, the link stays one."""
    (tmp_path / "file.duckdb").symlink_to(path)
    (tmp_path / "folder").symlink_to(path.parent)
    for n, link in enumerate((tmp_path / "file.duckdb", tmp_path / "folder" / "book.duckdb"), start=2):
        book = open_book(f"duckdb:///{link}")
        duck.append(make.call())
        duck.drain()
        assert book.rows(COUNT) == [{"n": n}]
        book.store.rewrite()
        assert (tmp_path / "file.duckdb").is_symlink()
        assert book.store.files() == duck.store.files() == [path]
        assert duck.rows(COUNT) == [{"n": n}]


@pytest.mark.parametrize("name", ["quest?ion", "line\nbreak", "no\udc80text"])
def test_a_path_that_duckdb_cannot_open_is_refused(tmp_path: Path, open_book: Callable[..., Book], name: str) -> None:
    """Before anything is made there."""
    with pytest.raises(SettingsError, match="cannot be at a path with"):
        open_book(f"duckdb:///{tmp_path / name / 'book.duckdb'}")


@pytest.mark.parametrize(
    "query",
    [
        "from enable_logging('QueryLog')",
        "select * from enable_logging('QueryLog', storage='file', storage_path='/tmp/x')",
        "from \"enable_logging\"('QueryLog')",
        "from query('from enable_' || 'logging(''QueryLog'')')",
        "explain analyze from Enable_Logging ('QueryLog')",
        "select write_log('a')",
        "with a as (from truncate_duckdb_logs()) from a",
        "from checkpoint()",
    ],
)
def test_a_select_that_switches_something_is_refused(duck: Book, path: Path, query: str) -> None:
    """It would be switched for whoever asks next in this process."""
    with pytest.raises(BadParameter, match=r"it is read-only, and [A-Z_]+ is no question"):
        duck.rows(query)
    assert duck.rows("select count(*) as n from duckdb_logs") == [{"n": 0}]


@pytest.mark.parametrize("ending", [".wal.checkpoint", ".wal.recovery"])
def test_what_a_killed_checkpoint_left_is_read_and_belongs_to_the_book(duck: Book, path: Path, ending: str) -> None:
    """DuckDB looks at it before it reads; an erasure searches it, and a book that is written anew is without it."""
    left = path.with_name(path.name + ending)
    left.write_bytes(b"")
    assert left in duck.store.files()
    assert duck.rows(COUNT) == [{"n": 1}]
    duck.store.rewrite()
    assert duck.store.files() == [path]


class Interrupting:
    """Ctrl-C as the `at`-th call that the instance's own code makes comes back, which is where Python looks for it."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __enter__(self) -> None:
        sys.setprofile(self._event)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "return" and frame.f_back is not None:
            frame = frame.f_back
        if event in ("c_return", "return") and frame.f_code.co_filename.endswith("stores/instance.py"):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


def test_ctrl_c_at_any_call_leaves_no_file_open(duck: Book, path: Path) -> None:
    """Whoever interrupts a read or a write: no other process is kept out, and this one goes on."""
    interrupted = {}
    for use in (duck.store.reading, duck.store.writing):
        interrupted[use.__name__] = 0
        for at in range(1, 41):
            try:
                with Interrupting(at), use():
                    pass
            except KeyboardInterrupt:
                interrupted[use.__name__] += 1
            assert not holds(path), f"{use.__name__} interrupted at call {at}"
            assert duck.rows(COUNT) == [{"n": 1}]
    assert all(10 < n < 40 for n in interrupted.values()), interrupted


def test_a_large_read_gives_its_memory_back(duck: Book, path: Path) -> None:
    """A million groups, of which the process keeps less than the half when they were counted."""
    process = psutil.Process()
    assert duck.rows(COUNT) == [{"n": 1}]
    before = process.memory_info().rss
    with duck.store.reading() as session:
        session.fetch(
            "select count(*) as n from (select i::text as t, count(*) from range(2000000) r(i) group by 1)", {}
        )
        during = process.memory_info().rss
    after = process.memory_info().rss
    assert after - before < (during - before) / 2


def test_a_child_does_not_keep_its_parents_lock(duck: Book, path: Path, open_book: Callable[..., Book]) -> None:
    """One that was forked while the book was read: the parent drains as soon as it has read."""
    book = open_book(duck.store.url, patience=0.5)
    assert book.rows(COUNT) == [{"n": 1}]
    begin, end = os.pipe()
    with book.store.reading():
        pid = os.fork()
        if pid == 0:
            os.close(end)
            os.read(begin, 1)  # until the parent lets go
            os._exit(0)
    os.close(begin)
    try:
        book.store.rewrite()
    finally:
        os.close(end)
        os.waitpid(pid, 0)
