"""Nothing acknowledged is lost, and nothing arrives twice, however often processes are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daybook.book import Book

KILLS = 100


class Nursery:
    """Writers and drainers, started and killed through `processes/nursery.py`."""

    def __init__(self, process: subprocess.Popen[str], acks: Path) -> None:
        self._process = process
        self._acks = acks

    def start(self, what: str) -> int:
        return int(self._say(what))

    def reap(self) -> None:
        assert self._say("reap") == "reaped"

    def _say(self, word: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def acknowledged(self) -> dict[str, set[str]]:
        """kind → ids whose append had returned."""
        found: dict[str, set[str]] = {"call": set(), "run": set()}
        for path in self._acks.iterdir():
            for line in path.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    kind, id_ = line.split()
                    found[kind].add(id_)
        return found

    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self._acks.iterdir())


@pytest.fixture
def nursery(book_url: str, home: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> Nursery:
    acks = tmp_path / "acks"
    acks.mkdir()
    return Nursery(start("nursery", book_url, home, acks), acks)


@pytest.mark.slow
def test_every_acknowledged_entry_is_in_the_book_exactly_once(
    book: Book, nursery: Nursery, until: Callable[..., None], home: Path
) -> None:
    """100 times, a writer or a drainer, whichever chance has it, is killed with SIGKILL at a chance moment while three
    writers append and two drainers drain. In the end: every id whose append had returned is in the book once; no id is
    there twice; each killed writer left at most one entry that was written but not yet acknowledged; no line was
    corrupt, at most one a killed writer was torn; and of the journal nothing is left."""
    dice = random.Random(20261120)
    living = {nursery.start(what): what for what in ("writer", "writer", "writer", "drainer", "drainer")}
    until(lambda: nursery.bytes() > 0)
    killed = {"writer": 0, "drainer": 0}
    for _ in range(KILLS):
        mark = nursery.bytes() + dice.randint(1, 4000)
        until(lambda mark=mark: nursery.bytes() >= mark)
        pid = dice.choice(list(living))
        os.kill(pid, signal.SIGKILL)
        what = living.pop(pid)
        killed[what] += 1
        living[nursery.start(what)] = what
    for pid in living:
        os.kill(pid, signal.SIGKILL)
    nursery.reap()

    book.drain()
    acknowledged = nursery.acknowledged()
    extra = 0
    for kind, ids in acknowledged.items():
        there = [row["id"] for row in book.rows(f"select id from {kind}s")]
        assert len(there) == len(set(there))
        assert ids <= set(there)
        extra += len(there) - len(ids)
    assert extra <= killed["writer"] + 3
    assert killed["writer"] >= 30
    assert killed["drainer"] >= 20
    (aside,) = book.rows("select count(*) as n, count(case when torn then 1 end) as torn from journal_set_aside")
    assert aside["n"] == aside["torn"] <= killed["writer"] + 3
    assert [path for path in (home / "journal").glob("*.jsonl") if not path.name.startswith(".")] == []
    assert [check.name for check in book.check() if check.level == "wrong"] == []
    assert len(acknowledged["call"]) > 1000


def test_a_drain_killed_between_commit_and_removal_is_made_good(
    book: Book, home: Path, tmp_path: Path, make: Any
) -> None:
    """The file is in the book but still lies there: the next drain adds nothing and removes it."""
    for _ in range(3):
        book.append(make.call())
    (path,) = (home / "journal").glob("*.jsonl")
    book.drain()
    data = path.read_bytes()
    book.close()
    assert book.drain().removed == 1
    path.write_bytes(data)
    drained = book.drain()
    assert (drained.entries, drained.duplicates, drained.removed) == (0, 0, 1)
    assert book.rows("select count(*) as n from calls") == [{"n": 3}]
