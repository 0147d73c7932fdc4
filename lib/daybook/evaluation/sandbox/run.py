"""Code that a model wrote, run where it can do no harm: a process of its own with little time, little memory, no
network, no other processes, and a folder of its own that is gone afterwards.

Linux only: the kernel itself refuses (seccomp) sockets, new processes, signals to others and changes to the file
system; what a limit stops is killed. It runs with an empty environment, so it sees no keys. It may read what this user
may read, but has no way to hand it on: all that comes back is a word. What is not
guarded against is code that sets out to look as if it had passed. Where the kernel cannot be asked for this, code
is not run at all.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from daybook.errors import DaybookError

_CHILD = Path(__file__).with_name("child.py")
_FENCED = re.compile(r"```(?:python|py)?[ \t]*\r?\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
REFUSED = 97
"""Exit code of a child that could not lock itself in."""


@dataclass(frozen=True, slots=True)
class Bounds:
    seconds: float = 5.0
    megabytes: int = 256


@dataclass(frozen=True, slots=True)
class SandboxResult:
    passed: bool
    ending: str
    """`passed`, `no code`, `no time left`, `left early`, `killed`, or the name of the error that was raised."""


def code_of(answer: str) -> str:
    """The first fenced block of an answer, or all of it."""
    fenced = _FENCED.search(answer)
    return (fenced[1] if fenced else answer).strip()


def run(code: str, bounds: Bounds | None = None) -> SandboxResult:
    """Run Python code to its end. Raises DaybookError where this machine cannot lock it in."""
    bounds = bounds or Bounds()
    if not code.strip():
        return SandboxResult(False, "no code")
    asked = [sys.executable, "-I", "-S", "-B", str(_CHILD), str(bounds.seconds), str(bounds.megabytes)]
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="daybook-sandbox-") as folder:
        process = subprocess.Popen(
            asked,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={"PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stderr is not None
        with process.stderr:
            try:
                with contextlib.suppress(BrokenPipeError), process.stdin:
                    process.stdin.write(f"{token}\n{code}".encode("utf-8", "replace"))
                ended = process.wait(bounds.seconds + 5)
            except subprocess.TimeoutExpired:
                return SandboxResult(False, "no time left")
            finally:
                process.kill()
                process.wait()
            # Read only now, and not much of it: who writes more than a pipe holds waits until the time is up.
            message = os.read(process.stderr.fileno(), 4096).decode(errors="replace").strip()
    return _outcome(ended, message, token)


def _outcome(ended: int, message: str, token: str) -> SandboxResult:
    if ended == REFUSED:
        raise DaybookError(
            "This machine's kernel offers no way to lock code in (seccomp); nothing was run.",
            remedy="Score code on Linux (x86-64 or ARM64), outside a container that forbids seccomp.",
        )
    if ended == 0:
        return SandboxResult(True, "passed") if message == token else SandboxResult(False, "left early")
    if ended in (-signal.SIGXCPU, -signal.SIGALRM):
        return SandboxResult(False, "no time left")
    return SandboxResult(False, message if ended == 1 and re.fullmatch(r"[A-Za-z]\w{0,50}", message) else "killed")
