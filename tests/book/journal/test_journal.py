"""The journal: acknowledged is written, by one system call, by whoever lives."""

from __future__ import annotations

import errno
import fcntl
import inspect
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daybook.book.entry import decode
from daybook.book.journal.journal import Journal, JournalState
from daybook.errors import JournalError, JournalFull


def entries(path: Path) -> list[str]:
    """The ids in a journal file; every line must be whole."""
    return [decode(line).id for line in path.read_bytes().splitlines()]


def only_file(home: Path) -> Path:
    (path,) = (home / "journal").glob("*.jsonl")
    return path


def test_an_entry_is_in_the_file_when_append_returns(home: Path, journal: Journal, make: Any) -> None:
    """Without sync or close, another reader sees the whole line."""
    calls = [make.call() for _ in range(3)]
    for n, call in enumerate(calls, start=1):
        journal.append(call)
        assert entries(only_file(home)) == [call.id for call in calls[:n]]


def test_nothing_is_made_before_the_first_append(home: Path) -> None:
    """A process that only reads leaves no file behind."""
    Journal(home).close()
    assert not home.exists()


def test_only_the_owner_may_read_it(home: Path, journal: Journal, make: Any) -> None:
    """The home and the folder are 0700, the file 0600: it can hold prompts."""
    journal.append(make.call())
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "journal", only_file(home))]
    assert modes == [0o700, 0o700, 0o600]


def test_an_append_is_one_write(start: Callable[..., subprocess.Popen[str]], home: Path) -> None:
    """The kernel counts exactly as many write calls as there were appends, large and small."""
    process = start("count_writes", home, 200)
    out, _ = process.communicate(timeout=60)
    assert out.split() == ["200", "200"]


def test_the_stamps_rise_even_when_the_clock_stands_still(home: Path, make: Any) -> None:
    """Which of two entries is the later is told by their stamps, so no two are equal."""
    from daybook.clock import FixedClock

    journal = Journal(home, clock=FixedClock(make.noon))
    for _ in range(3):
        journal.append(make.call())
    stamps = [decode(line).stamp for line in only_file(home).read_bytes().splitlines()]
    journal.close()
    assert stamps == [1795176000123456000, 1795176000123456001, 1795176000123456002]


def test_the_first_stamp_is_above_nought_whatever_the_clock_says(home: Path, make: Any) -> None:
    """At the epoch and before it: stamps count up from 1."""
    from daybook.clock import FixedClock

    for n, at in enumerate((datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC))):
        journal = Journal(home / str(n), clock=FixedClock(at))
        for _ in range(2):
            journal.append(make.call())
        assert [decode(line).stamp for line in only_file(home / str(n)).read_bytes().splitlines()] == [1, 2]
        journal.close()


def test_many_threads_write_whole_lines(home: Path, journal: Journal, make: Any) -> None:
    """Eight threads, 200 entries each: 1,600 whole lines, each once, in one file."""
    calls = [[make.call() for _ in range(200)] for _ in range(8)]

    def write(mine: list[Any]) -> None:
        for call in mine:
            journal.append(call)

    threads = [threading.Thread(target=write, args=(mine,)) for mine in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entries(only_file(home))) == sorted(call.id for mine in calls for call in mine)
    assert journal.state().entries == 1600


def test_sync_returns_when_all_is_on_the_disk(journal: Journal, make: Any) -> None:
    """After sync nothing is unsynced."""
    for _ in range(10):
        journal.append(make.call())
    journal.sync()
    assert (journal.state().unsynced, journal.state().entries, journal.state().failed) == (0, 10, None)


def test_it_is_synced_without_being_asked(journal: Journal, make: Any, until: Callable[..., None]) -> None:
    """A thread forces entries to the disk by itself, again after a pause, and after close an append begins anew."""
    for _ in range(2):
        journal.append(make.call())
        until(lambda: journal.state().unsynced == 0)
    journal.close()
    journal.append(make.call())
    until(lambda: journal.state().unsynced == 0)
    assert journal.state().entries == 3


def test_a_forked_child_writes_a_file_of_its_own(home: Path, journal: Journal, make: Any) -> None:
    """Parent and child append after the fork; no line is mixed, none is in the other's file, and the parent's file
    stays locked when the child is gone."""
    before, parents, childs = make.call(), make.call(), make.call()
    journal.append(before)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            journal.append(childs)
            journal.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    journal.append(parents)
    path = journal.state().path
    assert path is not None
    found = {file.name: entries(file) for file in (home / "journal").glob("*.jsonl")}
    assert found.pop(path.name) == [before.id, parents.id]
    assert list(found.values()) == [[childs.id]]
    assert is_locked(path)


def test_the_lock_tells_whether_the_writer_lives(home: Path, journal: Journal, make: Any) -> None:
    """The file is locked from when it can be seen until it is closed."""
    journal.append(make.call())
    path = only_file(home)
    assert is_locked(path)
    journal.close()
    assert not is_locked(path)


def is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_full_file_is_followed_by_another(home: Path, make: Any) -> None:
    """Past `rotate_at` bytes a new file is begun; the old one is given up when it is on the disk; nothing is lost."""
    journal = Journal(home, rotate_at=4000)
    calls = [make.call() for _ in range(12)]
    for call in calls:
        journal.append(call)
    journal.sync()
    files = sorted((home / "journal").glob("*.jsonl"))
    assert len(files) > 2
    assert all(file.stat().st_size <= 4000 for file in files)
    (open_still,) = [file for file in files if is_locked(file)]
    assert calls[-1].id in open_still.read_text()
    assert sorted(id_ for file in files for id_ in entries(file)) == sorted(call.id for call in calls)
    journal.close()


def test_a_file_that_somebody_deleted_is_followed_by_another(home: Path, journal: Journal, make: Any) -> None:
    """What was in it is gone with it; what comes after the next sync is in a file that can be found."""
    journal.append(make.call())
    shutil.rmtree(home / "journal")
    journal.sync()
    kept = make.call()
    journal.append(kept)
    assert entries(only_file(home)) == [kept.id]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, make: Any) -> None:
    """The error says which folder and what to do, and the entry was not acknowledged."""
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(JournalError, match=r"The journal in .*home/journal cannot be written.*DAYBOOK_HOME"):
        Journal(tmp_path / "home").append(make.call())


@pytest.mark.parametrize("kind", ["journal is a file", "home in a file", "a loop", "no such device"])
def test_a_folder_that_cannot_be_made_acknowledges_nothing(tmp_path: Path, make: Any, kind: str) -> None:
    """Whatever stands in its way: the error names the folder and what to do, the state says why, and nothing counts."""
    home = tmp_path / "home"
    if kind == "journal is a file":
        home.mkdir()
        (home / "journal").write_text("")
    elif kind == "home in a file":
        (tmp_path / "file").write_text("")
        home = tmp_path / "file" / "home"
    elif kind == "a loop":
        home.symlink_to(home)
    else:
        home = Path("/proc/daybook/home")
    journal = Journal(home)
    for _ in range(2):
        with pytest.raises(JournalError) as caught:
            journal.append(make.call())
        assert not isinstance(caught.value, JournalFull)
        assert str(caught.value).startswith(f"The journal in {home / 'journal'} cannot be written: ")
        assert "set DAYBOOK_HOME to one that is" in str(caught.value)
        state = journal.state()
        assert state == JournalState(None, 0, 0, 0, str(caught.value).split(": ")[1].split(". ")[0])
    journal.close()


@contextmanager
def limited(kind: int, soft: int) -> Iterator[None]:
    before, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (before, hard))


def test_a_file_that_cannot_be_opened_is_tried_again(home: Path, make: Any) -> None:
    """No file left for this process: an error with the reason, nothing begun; the next append succeeds."""
    journal, call = Journal(home), make.call()
    with limited(resource.RLIMIT_NOFILE, 3), pytest.raises(JournalError) as caught:
        journal.append(call)
    assert "cannot be written: Too many open files." in str(caught.value)
    assert journal.state() == JournalState(None, 0, 0, 0, "Too many open files")
    assert list((home / "journal").iterdir()) == []
    journal.append(call)
    assert entries(only_file(home)) == [call.id]
    assert journal.state().failed is None
    journal.close()


@pytest.mark.parametrize("missing", [None, 1, 0, -1])
def test_there_is_room_for_a_whole_entry_or_for_none_of_it(home: Path, make: Any, missing: int | None) -> None:
    """Not a byte of room (None), a byte too few, exactly enough, a byte to spare: refused or written, never a part."""
    journal, call = Journal(home, sync_every=3600), make.call()
    journal.append(call)
    size, path = journal.state().bytes, only_file(home)
    limit = size if missing is None else 2 * size - missing
    with limited(resource.RLIMIT_FSIZE, limit):
        if missing in (None, 1):
            with pytest.raises(JournalFull) as caught:
                journal.append(call)
            assert f"The journal {path} has no room for an entry of {size:,} bytes (" in str(caught.value)
            assert "the 1 entries acknowledged before it are safe" in str(caught.value)
            failed = "no room: File too large" if missing is None else "no room: No space left on device"
            assert journal.state() == JournalState(path, 1, size, 1, failed)
            assert path.stat().st_size == size
        else:
            journal.append(call)
    journal.append(call)
    n = 2 if missing in (None, 1) else 3
    assert journal.state() == JournalState(path, n, n * size, n, None)
    assert entries(path) == [call.id] * n
    journal.close()


def test_a_journal_counts_what_it_did(home: Path, make: Any) -> None:
    """Nothing at first; each entry counts once, in the file and until it is on the disk; a closed file has no size."""
    journal = Journal(home, sync_every=3600)
    assert journal.state() == JournalState(None, 0, 0, 0, None)
    for n in range(1, 4):
        journal.append(make.call())
        path = only_file(home)
        assert journal.state() == JournalState(path, n, path.stat().st_size, n, None)
    journal.sync()
    assert journal.state() == JournalState(path, 3, path.stat().st_size, 0, None)
    journal.close()
    assert journal.state() == JournalState(None, 3, 0, 0, None)
    journal.close()
    journal.append(make.call())
    assert (journal.state().entries, journal.state().unsynced) == (4, 1)
    journal.close()


def test_a_name_that_cannot_be_made_durable_is_an_error(home: Path, tmp_path: Path, make: Any) -> None:
    """The folder went elsewhere before its first sync: the sync says so and calls nothing durable; the file is used
    no more, and what comes next is in one that can be found."""
    journal, before, after = Journal(home, sync_every=3600), make.call(), make.call()
    journal.append(before)
    (home / "journal").rename(tmp_path / "elsewhere")
    with pytest.raises(JournalError, match="cannot be written: No such file or directory"):
        journal.sync()
    assert journal.state() == JournalState(None, 1, 0, 1, "No such file or directory")
    journal.append(after)
    assert entries(only_file(home)) == [after.id]
    journal.sync()
    assert (journal.state().unsynced, journal.state().failed) == (0, None)
    (old,) = (tmp_path / "elsewhere").glob("*.jsonl")
    assert entries(old) == [before.id]
    assert not is_locked(old)
    journal.close()


def test_a_name_is_made_durable_once(home: Path, tmp_path: Path, make: Any) -> None:
    """After its first sync a file's name is on the disk: where the folder goes then is no matter of the next syncs."""
    journal = Journal(home, sync_every=3600)
    journal.append(make.call())
    journal.sync()
    (home / "journal").rename(tmp_path / "elsewhere")
    journal.append(make.call())
    journal.sync()
    assert (journal.state().unsynced, journal.state().failed) == (0, None)
    (path,) = (tmp_path / "elsewhere").glob("*.jsonl")
    assert len(entries(path)) == 2
    journal.close()


def test_a_deleted_file_is_told_of_until_the_next_entry(home: Path, journal: Journal, make: Any) -> None:
    """The state says why the file is used no more."""
    journal.append(make.call())
    shutil.rmtree(home / "journal")
    journal.sync()
    assert journal.state() == JournalState(None, 1, 0, 0, "its file was deleted")
    journal.append(make.call())
    assert journal.state().failed is None


def test_a_file_is_given_up_only_past_its_limit(home: Path, make: Any) -> None:
    """Two entries that fill it to the byte stay together; with one byte less each has a file of its own."""
    probe, call = Journal(home / "probe"), make.call()
    probe.append(call)
    size = probe.state().bytes
    probe.close()
    for less in (0, 1):
        journal = Journal(home / str(less), rotate_at=2 * size - less)
        journal.append(call)
        journal.append(call)
        assert len(list((home / str(less) / "journal").glob("*.jsonl"))) == 1 + less
        assert journal.state().bytes == size * (2 - less)
        journal.close()


UNWRITABLE = "JournalError: The journal in {home}/journal cannot be written: Input/output error."


def refused_by_the_kernel(home: Path, call: str, errno_: int) -> list[dict[str, Any]]:
    """What two appends (and syncs) did in a process whose kernel refuses this system call."""
    script = Path(__file__).parents[1] / "processes" / "refusing.py"
    done = subprocess.run(
        [sys.executable, str(script), str(home), call, str(errno_)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("call", ["flock", "rename"])
@pytest.mark.parametrize(
    ("errno_", "raised", "failed"),
    [
        (
            errno.EIO,
            "JournalError: The journal in {home}/journal cannot be written: Input/output error.",
            "Input/output",
        ),
        (errno.ENOSPC, "JournalFull: The journal {home}/journal has no room for an entry of 0 bytes", "no room"),
    ],
)
def test_a_file_that_cannot_be_locked_or_named_is_taken_away(
    home: Path, call: str, errno_: int, raised: str, failed: str
) -> None:
    """Nothing is acknowledged, and nothing is left in the folder, however often it is tried."""
    for step in refused_by_the_kernel(home, call, errno_):
        assert step["raised"].startswith(raised.format(home=home))
        assert step["failed"].startswith(failed)
        assert (step["entries"], step["unsynced"], step["writing"], step["files"]) == (0, 0, None, [])


@pytest.mark.parametrize(
    ("errno_", "raised", "failed"),
    [
        (
            errno.EIO,
            "JournalError: The journal in {home}/journal cannot be written: Input/output error.",
            "Input/output",
        ),
        (errno.EDQUOT, "JournalFull: The journal {home}/journal", "no room: Disk quota exceeded"),
    ],
)
def test_what_the_disk_does_not_take_is_said_and_its_file_used_no_more(
    home: Path, errno_: int, raised: str, failed: str
) -> None:
    """After a failed sync the kernel may have dropped what it held: sync raises, the state says why, the entries count
    as not on the disk, and the next one goes into a file of its own."""
    steps = refused_by_the_kernel(home, "fdatasync", errno_)
    for n, step in enumerate(steps, start=1):
        assert step["raised"].startswith(raised.format(home=home))
        assert step["failed"].startswith(failed)
        assert (step["entries"], step["unsynced"], step["writing"]) == (n + 1, n, None)
        assert len(step["files"]) == n
    written = [entry for path in sorted((home / "journal").glob("*.jsonl")) for entry in entries(path)]
    assert len(written) == 3


def test_an_entry_is_on_the_disk_within_a_twentieth_of_a_second_by_default() -> None:
    """The bound on what a power cut can take, and the size of a file, unless told otherwise."""
    parameters = inspect.signature(Journal).parameters
    assert (parameters["sync_every"].default, parameters["rotate_at"].default) == (0.05, 16 * 1024 * 1024)


def test_the_first_unsynced_entry_wakes_the_thread(home: Path, make: Any, until: Callable[..., None]) -> None:
    """It waits for an entry, not for the end of its rest: sixty entries, each when the one before is on the disk, are
    there long before sixty rests of a second are over."""
    journal = Journal(home, sync_every=0.001)

    def sixty_are_synced() -> bool:
        if (state := journal.state()).unsynced == 0 and state.entries < 60:
            journal.append(make.call())
        return journal.state() == JournalState(journal.state().path, 60, journal.state().bytes, 0, None)

    until(sixty_are_synced, seconds=30.0)
    journal.close()


def test_entries_reach_the_disk_while_more_come(journal: Journal, make: Any, until: Callable[..., None]) -> None:
    """A journal that is never quiet is synced all the same: the bound runs from the first unsynced entry."""

    def some_are_synced() -> bool:
        journal.append(make.call())
        return journal.state().unsynced < journal.state().entries

    until(some_are_synced)


def test_a_journal_left_unclosed_keeps_its_entries(home: Path) -> None:
    """A process that ends without closing has lost nothing, and its file is free to be drained."""
    code = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime;"
        "from daybook.book.journal.journal import Journal; from daybook.records import Event;"
        "Journal(Path(sys.argv[1])).append(Event(id='e1', at=datetime.now(UTC), actor='a', action='b'))"
    )
    subprocess.run([sys.executable, "-c", code, str(home)], check=True, timeout=60)
    assert entries(only_file(home)) == ["e1"]
    assert not is_locked(only_file(home))


def test_the_hot_path_imports_no_database(tmp_path: Path) -> None:
    """Importing and using the journal brings in neither a database, nor pandas, nor pyarrow."""
    code = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime;"
        "from daybook.book.journal.journal import Journal; from daybook.records import Event;"
        "Journal(Path(sys.argv[1])).append(Event(id='e1', at=datetime.now(UTC), actor='a', action='b'));"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'duckdb', 'sqlalchemy', 'pandas', 'pyarrow', 'psycopg', 'numpy'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
