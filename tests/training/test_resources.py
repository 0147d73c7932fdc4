"""Out of memory and out of room, whatever the libraries call it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from daybook.errors import DaybookError
from daybook.training import resources

SHORT = Path(__file__).parent / "processes" / "short_of_memory.py"
TOLD = r"Out of memory at step 3 of 9: this process holds [\d,]+ MB and may address [\d,]+ MB; .* left. Halve it."


def test_memory_that_does_not_suffice_is_told_with_numbers(tmp_path: Path) -> None:
    """Under a limit of the kernel, torch's error and numpy's become one: where, what is held, what there is, the
    remedy."""
    done = subprocess.run([sys.executable, str(SHORT), str(tmp_path)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(re.fullmatch(TOLD, line) for line in lines), lines


def test_a_disk_without_room_is_told_with_numbers(tmp_path: Path) -> None:
    """/dev/full is the kernel's own full disk; torch's writer on it fails in words of its own, and means the same."""
    import torch

    for write in (
        lambda: Path("/dev/full").write_bytes(b"x"),
        lambda: torch.save({"weights": torch.zeros(10_000)}, "/dev/full"),
    ):
        with (
            pytest.raises(DaybookError, match=r"No room at step 3 in .*: [\d,]+ MB are left on that disk. Free some."),
            resources.explained(lambda: "at step 3", tmp_path, memory="", room="Free some."),
        ):
            write()


def test_everything_else_passes_through(tmp_path: Path) -> None:
    """An error that is no shortage stays what it is, also one of ours that speaks of one."""
    for error in (ValueError("no"), FileNotFoundError("gone"), DaybookError("out of memory")):
        with pytest.raises(type(error)) as raised, resources.explained(lambda: "", tmp_path, memory="", room=""):
            raise error
        assert raised.value is error


def test_what_will_not_fit_does_not_begin(tmp_path: Path) -> None:
    """More than the disk has is refused before the first step, with both numbers."""
    with pytest.raises(DaybookError, match=r"The training takes about 1,000,000,000 MB of disk; .* has [\d,]+ MB left"):
        resources.require(tmp_path, 10**15, "The training")
    resources.require(tmp_path, 1, "The training")
