"""The README is run, not believed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return [body for named, body in re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.M) if named == language]


BLOCKS = [[shlex.split(line, comments=True) for line in block.splitlines() if line.strip()] for block in blocks("bash")]
COMMANDS = [command for block in BLOCKS for command in block]


@pytest.fixture
def place(tmp_path):
    """A home and a reports folder, new for each block."""
    return tmp_path


def run(command: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"DAYBOOK_HOME": str(place / "home"), "DAYBOOK_REPORTS": str(place / "reports")}
    env.pop("DAYBOOK_BOOK", None)
    return subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if any(c[0] == "daybook" for c in b)], ids=lambda b: " ".join(b[0])
)
def test_the_commands_of_each_block_work_one_after_the_other(block, place):
    """Every `daybook …` line of the README exits 0, after those that stand above it in its block."""
    for command in block:
        if command[0] == "daybook":
            done = run([sys.executable, "-m", *command], place)
            assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


def test_every_make_target_exists():
    """A `make …` line of the README names a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {c[1] for c in COMMANDS if c[0] == "make"} | set(re.findall(r"`make ([a-z]+)`", TEXT))
    assert named <= targets
    assert {c[0] for c in COMMANDS} == {"make", "daybook"}


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_runs_and_is_twelve_lines(code, place):
    """The session of the README runs as printed, with a real answer, and is as short as it says."""
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    done = run([sys.executable, "-c", code], place)
    assert done.returncode == 0, done.stderr
    assert "smollm2-135m-instruct" in done.stdout


def test_the_captioned_tree_is_the_tree():
    """Each path of the tree exists, and no folder at the top is left out."""
    tree = next(block for block in blocks("") if "notebooks/" in block)
    paths, inside = [], ""
    for line in tree.splitlines():
        name = line.split()[0]
        inside = name if not line.startswith(" ") else inside
        paths.append(name if not line.startswith(" ") else inside + name)
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert missing == []
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    folders = {f"{path.split('/')[0]}/" for path in tracked.splitlines() if "/" in path and not path.startswith(".")}
    assert folders <= {path.split("/")[0] + "/" for path in paths if "/" in path}
    rooms = {f"{path.split('/')[2]}/" for path in tracked.splitlines() if re.match(r"lib/daybook/\w+/", path)}
    assert {f"lib/daybook/{room}" for room in rooms} <= set(paths)


def test_pictures_are_there():
    """A picture that the README shows exists."""
    assert all((ROOT / path).is_file() for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT))
