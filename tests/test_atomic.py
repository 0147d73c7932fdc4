"""A file is replaced whole or not at all."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daybook import atomic


def test_a_file_is_replaced_with_its_mode_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """New or there before, even where it was read-only; its owner's alone unless said."""
    path = tmp_path / "a.json"
    for data, mode in ((b"", 0o600), (b"first", 0o444), (b"second" * 100_000, 0o644)):
        atomic.replace(path, data, mode)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (data, mode)
        assert list(tmp_path.iterdir()) == [path]
    atomic.replace(path, b"x")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("fault", ["a folder stands there", "no bytes", "no folder"])
def test_where_it_cannot_be_written_all_is_as_it_was(tmp_path: Path, fault: str) -> None:
    """The error is raised; the old file is there, and nothing beside it."""
    path = tmp_path / "a.json"
    atomic.replace(path, b"old")
    target = {"a folder stands there": tmp_path / "folder", "no folder": tmp_path / "none" / "a"}.get(fault, path)
    if fault == "a folder stands there":
        (target / "within").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    new: Any = "text" if fault == "no bytes" else b"new"
    with pytest.raises((OSError, TypeError)):
        atomic.replace(target, new)
    assert path.read_bytes() == b"old"
    assert sorted(tmp_path.rglob("*")) == before


def _write(path: Path, letter: bytes) -> None:
    while True:
        atomic.replace(path, letter * 200_000)


def test_a_reader_never_sees_a_part_not_even_when_writers_are_killed(tmp_path: Path) -> None:
    """Two processes write until they are killed: every look finds the whole of one of their files."""
    path = tmp_path / "a"
    atomic.replace(path, b"a" * 200_000)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(path, letter)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    seen = [path.read_bytes() for _ in range(100)]
    for writer in writers:
        assert writer.pid is not None
        writer.kill()
        writer.join(30)
        assert writer.exitcode == -signal.SIGKILL
    assert {(len(data), len(set(data))) for data in [*seen, path.read_bytes()]} == {(200_000, 1)}


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_what_the_disk_does_not_take_is_said_and_the_old_file_stays(tmp_path: Path, call: str) -> None:
    """The kernel refuses to force it to the disk, or to name it: the error is raised, and nothing is left beside it."""
    path = tmp_path / "a.json"
    atomic.replace(path, b"old")
    code = (
        "import sys\nfrom pathlib import Path\nfrom daybook import atomic\n"
        "from tests.book.processes.refusing import refuse\nrefuse(sys.argv[1], 5)\n"
        "try:\n    atomic.replace(Path(sys.argv[2]), b'new')\nexcept OSError as error:\n    print(error.errno)\n"
    )
    command = [sys.executable, "-c", code, call, str(path)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=root)
    assert done.stdout == "5\n"
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Neither by a file that was replaced nor by one that could not be."""
    path, descriptors = tmp_path / "a.json", Path("/proc/self/fd")
    atomic.replace(path, b"first")
    (tmp_path / "folder" / "within").mkdir(parents=True)
    before = len(list(descriptors.iterdir()))
    for _ in range(20):
        atomic.replace(path, b"more")
        with pytest.raises(OSError, match="folder"):
            atomic.replace(tmp_path / "folder", b"none")
    assert len(list(descriptors.iterdir())) == before
