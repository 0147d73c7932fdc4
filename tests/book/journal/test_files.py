"""The journal's files as a drain sees them: which wait, which writer is gone, what is left lying about."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook.book.journal import files
from daybook.errors import BookLocked, JournalError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "journal"
    folder.mkdir()
    return folder


@pytest.fixture
def written(folder: Path) -> Iterator[object]:
    """Writes a file of the journal. `alive`: its writer still holds its lock."""
    held = []

    def write(name: str, data: bytes = b"", *, alive: bool = False) -> Path:
        path = folder / name
        path.write_bytes(data)
        if alive:
            descriptor = os.open(path, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            held.append(descriptor)
        return path

    yield write
    for descriptor in held:
        os.close(descriptor)


def test_the_oldest_file_with_more_to_read_comes_first(folder, written):
    """Files of another kind and hidden ones are none of the journal's; what was seen whole waits no more."""
    for name in ("b-1.jsonl", "a-1.jsonl", "c-1.jsonl"):
        written(name, b"123", alive=True)
    written(".d-1.jsonl", b"123")
    written("drain.lock", b"7")
    waiting = files.waiting(folder, {"c-1.jsonl": 3})
    assert waiting == [folder / "a-1.jsonl", folder / "b-1.jsonl"]
    assert files.waiting(folder, {"a-1.jsonl": 3, "b-1.jsonl": 3, "c-1.jsonl": 2}) == [folder / "c-1.jsonl"]


def test_the_file_of_a_writer_that_is_gone_waits_to_be_removed(folder, written):
    """Though all of it was seen."""
    written("a-1.jsonl", b"123")
    written("b-1.jsonl", b"123", alive=True)
    assert files.waiting(folder, {"a-1.jsonl": 3, "b-1.jsonl": 3}) == [folder / "a-1.jsonl"]


def test_where_there_is_no_folder_nothing_waits(tmp_path):
    """As on a fresh machine, or after somebody removed it."""
    assert files.waiting(tmp_path / "none", {}) == []


@pytest.mark.parametrize("alive", [False, True])
def test_a_file_says_whether_its_writer_is_there(written, alive):
    """And has its name; while it is open nobody else can take a dead writer's lock."""
    path = written("a-1.jsonl", b"x", alive=alive)
    with files.opened(path) as file:
        assert (file.dead, file.name, file.newer) == (not alive, "a-1.jsonl", None)
        with files.opened(path) as again:
            assert not again.dead
    with files.opened(path.with_name("gone.jsonl")) as file:
        assert file is None


def test_a_drain_makes_its_folder_for_its_owner_alone(tmp_path):
    """The home too; its lock says who drains, and nothing of who did before."""
    folder = tmp_path / "home" / "journal"
    with files.one_drain(folder, patience=0):
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder, folder / "drain.lock")] == [
            0o700, 0o700, 0o600,
        ]  # fmt: skip
    (folder / "drain.lock").write_text("1" * 30)
    with files.one_drain(folder, patience=0):
        assert (folder / "drain.lock").read_text() == str(os.getpid())


@pytest.mark.parametrize("patience", [0, 0.05])
def test_of_two_drains_one_waits_and_says_for_whom(folder, patience):
    """How long, and which process; it has the lock as soon as it is free."""
    with files.one_drain(folder, patience=0):
        began = time.monotonic()
        with pytest.raises(BookLocked) as refused, files.one_drain(folder, patience=patience):
            pass
        assert time.monotonic() - began >= patience
    assert refused.value.message.startswith(f"The journal in {folder} was being drained for all of {patience:g} s, by ")
    assert str(os.getpid()) in refused.value.message
    with files.one_drain(folder, patience=0):
        pass


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    """With the system's reason and what to do."""
    (tmp_path / "home").touch()
    with pytest.raises(JournalError) as refused, files.one_drain(tmp_path / "home" / "journal", patience=0):
        pass
    assert refused.value.message == f"The journal in {tmp_path}/home/journal cannot be drained: File exists."
    assert refused.value.remedy == "Make the folder writable, or set DAYBOOK_HOME to one that is."


def test_what_a_killed_process_never_showed_is_removed_after_a_minute(written):
    """Hidden files alone, of writers that are gone; a younger one may be about to be shown."""
    old, young, alive, shown = (
        written(".old"), written(".young"), written(".alive", alive=True), written("a-1.jsonl"),
    )  # fmt: skip
    for path in (old, alive, shown):
        os.utime(path, (0, time.time() - 60.5))
    os.utime(young, (0, time.time() - 30))
    files.sweep(old.parent)
    assert sorted(path.name for path in old.parent.iterdir()) == [".alive", ".young", "a-1.jsonl"]


def test_a_file_is_read_from_where_one_left_off(written):
    """Byte positions, blank lines skipped; what is no entry is handed over with its bytes and the reason; a last line
    without an end is torn only where nobody can finish it."""
    data = b"bad\n\nworse\nhal"
    for alive, torn in ((True, []), (False, [("a", 11, 14, b"hal", "it was cut off when its writer died", True)])):
        path = written("a", data, alive=alive)
        with files.opened(path) as file:
            lines = list(file.lines(0))
            later = list(file.lines(4))
        plain = [(line.file, line.start, line.end, line.raw, line.reason, line.torn) for line in lines]
        assert plain == [
            ("a", 0, 4, b"bad", "it is not JSON", False), ("a", 5, 11, b"worse", "it is not JSON", False), *torn,
        ]  # fmt: skip
        assert later == lines[1:]
        assert all(line.entry is None for line in lines)
        path.unlink()


def test_a_line_of_a_later_version_ends_the_reading(written):
    """What follows it is left too: the later version will read both."""
    with files.opened(written("a", b'bad\n{"v":3}\nbad\n')) as file:
        assert [line.start for line in file.lines(0)] == [0]
        assert file.newer == "version 3 is newer than 2"
