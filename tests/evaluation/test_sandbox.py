"""Foreign code gets an answer checked and nothing else done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daybook.evaluation.sandbox.run import Bounds, code_of, run

TIGHT = Bounds(seconds=0.5, megabytes=256)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("assert 1 + 1 == 2", "passed"),
        ("import math, json, re\nassert math.sqrt(4) == 2", "passed"),
        ("assert 1 == 2", "AssertionError"),
        ("def", "SyntaxError"),
        ("", "no code"),
        ("while True: pass", "no time left"),
        ("import time; time.sleep(60)", "no time left"),
        ("x = 'a' * 10**10", "MemoryError"),
        ("def f(): f()\nf()", "RecursionError"),
        ("import socket; socket.socket()", "PermissionError"),
        ("import os; os.fork()", "PermissionError"),
        ("import subprocess; subprocess.run(['true'])", "PermissionError"),
        ("open('made', 'w')", "PermissionError"),
        ("import os; os.kill(os.getppid(), 9)", "PermissionError"),
        ("import os; os._exit(0)", "left early"),
        ("raise SystemExit(0)", "SystemExit"),
        ("import os\nwhile True: os.write(3, b'x' * 65536)", "no time left"),
    ],
)
def test_code_ends_with_a_word_whatever_it_tries(code: str, said: str) -> None:
    """Time, memory, network, processes, files and signals are refused by the kernel or cut off by a limit."""
    outcome = run(code, TIGHT)
    assert outcome.ending == said
    assert outcome.passed == (said == "passed")


def test_code_cannot_change_a_file(tmp_path: Path) -> None:
    """Not even one that this user may change, by any call that does."""
    kept = tmp_path / "kept"
    kept.write_text("here")
    for call in (f"os.remove({str(kept)!r})", f"os.truncate({str(kept)!r}, 0)", f"os.rename({str(kept)!r}, 'x')"):
        assert run(f"import os\n{call}", TIGHT).ending == "PermissionError", call
    assert kept.read_text() == "here"


def test_code_sees_no_environment() -> None:
    """Keys live there."""
    assert "PATH" in os.environ
    assert run("import os\nassert 'PATH' not in os.environ and 'HOME' not in os.environ", TIGHT).passed


def test_code_is_taken_from_its_fence() -> None:
    """The first block; without one the whole answer; an open fence to the end."""
    assert code_of("Sure!\n```python\nx = 1\n```\nDone.") == "x = 1"
    assert code_of("x = 1") == "x = 1"
    assert code_of("```\nx = 1") == "x = 1"
