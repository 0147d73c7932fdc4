"""An exported trail and the stranger's verifier, which is run as a stranger runs it: a file by itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daybook.audit import signing
from daybook.audit.export import export
from daybook.audit.seals import seals
from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import BadParameter
from daybook.records import Event

SCRIPT = Path(__file__).parents[2] / "audit" / "verify.py"
NIGHT = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A trail of 6 + 1 entries under two seals and three more, as a file; and what an auditor was given beside it."""
    folder = tmp_path_factory.mktemp("export")
    home = folder / "home"
    clock = FixedClock(NIGHT)
    with Book(f"duckdb:///{home / 'book.duckdb'}", home, clock=clock) as book:
        for day in (20, 21):
            for number in range(3):
                details = {"n": number, "share": 1e-7, "text": "é\u202e\"'"}
                at = datetime(2026, 11, day, 12, number, tzinfo=UTC)
                book.append(Event(id=f"e{day}{number}", at=at, actor="dpo", action="content.read", details=details))
            seals.make(book, folder / "reports", date(2026, 11, day), actor="night")
            clock.at += timedelta(days=1)
        book.append(Event(id="last", at=NIGHT, actor="dpo", action="content.read"))
        path = folder / "trail.jsonl"
        n = export(book, path, actor="dpo", reason="audit")
        noted = [seal.digest for seal in seals.load(home)]
        return {
            "path": path, "n": n, "signer": signing.public_key(home), "noted": noted, "home": home,
            "key": home / "audit" / "chain.key", "lines": path.read_bytes().splitlines(keepends=True),
        }  # fmt: skip


@pytest.fixture
def judge(exported: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Exit code and findings for these lines, with all that the auditor was given."""
    spec = importlib.util.spec_from_file_location("stranger", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def judge_(lines: list[bytes], *arguments: str, given: bool = True) -> tuple[int, list[str]]:
        path = tmp_path / "given.jsonl"
        path.write_bytes(b"".join(lines))
        all_of_it = ["--signer", exported["signer"], "--seal", exported["noted"][1], "--key", str(exported["key"])]
        code = module.main([str(path), *(all_of_it if given else []), *arguments])
        return code, capsys.readouterr().out.splitlines()

    return judge_


def signed(exported: dict[str, Any], lines: list[bytes]) -> list[bytes]:
    """The lines with a new end, signed by the home: what one who has its seal key, or who exports, can do."""
    import hashlib

    entries = [json.loads(line) for line in lines if b'"seq"' in line[:8]]
    end = {
        "format": "daybook trail end 1",
        "entries": len(entries),
        "head": entries[-1]["link"],
        "lines": hashlib.sha256(b"".join(lines)).hexdigest(),
    }
    return [*lines, json.dumps(signing.sign(exported["home"], end)).encode() + b"\n"]


def test_an_export_is_proven_to_a_stranger(exported: dict[str, Any], tmp_path: Path) -> None:
    """In a process of its own, in an empty folder, without Daybook on its path: exit code 0; what is not shown is
    said."""
    command = [sys.executable, "-I", str(SCRIPT), str(exported["path"]), "--signer", exported["signer"]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "not shown: no seal was compared with one noted elsewhere: no --seal",
        "not shown: 10 of 10 links were not checked: their key was not given (--key)",
        "not shown: 3 entries after the last seal rest on the export's own signature",
        "Proven: 10 entries, 2 seals are what was signed.",
    ]
    assert exported["n"] == 10
    assert "import daybook" not in SCRIPT.read_text()
    assert exported["path"].stat().st_mode & 0o777 == 0o600


def test_with_all_that_was_noted_everything_is_checked(exported: dict[str, Any], judge: Any) -> None:
    """Signer, seal and key given: only the entries since the last seal rest on the export's signature."""
    code, words = judge(exported["lines"])
    assert code == 0
    assert words[:-1] == ["not shown: 3 entries after the last seal rest on the export's own signature"]
    code, words = judge(exported["lines"], given=False)
    assert (code, words[-1]) == (
        3, "Cannot tell: 10 entries, 2 seals fit together, but nobody said whose signature to trust."
    )  # fmt: skip


def test_every_byte_counts(exported: dict[str, Any], judge: Any) -> None:
    """One bit at a hundred places of the file: never proven."""
    whole = b"".join(exported["lines"])
    for at in range(0, len(whole), len(whole) // 100):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        assert judge([changed])[0] == 3, at


def edit(lines: list[bytes], number: int, before: bytes, after: bytes) -> list[bytes]:
    assert before in lines[number]
    return [*lines[:number], lines[number].replace(before, after, 1), *lines[number + 1 :]]


def test_what_the_exporter_changes_is_found_and_placed(exported: dict[str, Any], judge: Any) -> None:
    """Whoever can sign the export's end, but cannot make the sealed past again: each edit is found, with its place."""
    body = exported["lines"][:-1]
    cases = {
        "changed": (edit(body, 2, b"dpo", b"cto"), "seal 1: entries 1 to 3 are not those that were sealed"),
        "removed": ([*body[:2], *body[3:]], "entries 2 to 2: they are missing"),
        "inserted": ([*body[:3], body[2], *body[3:]], "entry 2: this number is there twice"),
        "reordered": ([*body[:2], body[3], body[2], *body[4:]], "entry 2: it comes after entry 3"),
        "cut off": ([*body[:6], *body[11:]], "entries 4 to 7 are missing"),
        "tail with its seal": ([*body[:5], body[11]], "was noted elsewhere is not here"),
        "a seal": ([*body[:11], body[12]], "seal 1: it does not follow on the one before"),
        "seals twice": ([*body, body[12]], "seal 3: it does not follow on the one before"),
        "a link": (edit(body, 2, b'"link":"', b'"link":"00'), "entry 2"),
        "another book's": (edit(body, 0, b'"book":"', b'"book":"x'), "seal 1: it is another book's"),
        "a seal's text": (edit(body, 11, b'\\"rows\\": 0', b'\\"rows\\": 1'), "seal 1: it is not what was signed"),
        "after the last seal": (edit(body, 9, b"dpo", b"cto"), "entry 9: its link was not made with the key"),
    }
    for name, (lines, expected) in cases.items():
        code, words = judge(signed(exported, lines))
        assert code == 3, name
        assert any(expected in word for word in words if word.startswith("changed: ")), (name, words)


def test_a_trail_made_up_as_a_whole_is_found_by_the_noted_seal(
    exported: dict[str, Any], judge: Any, tmp_path: Path
) -> None:
    """All of it made anew by one who has every key of the home: only what was noted elsewhere shows it."""
    home = exported["home"]
    with Book(f"duckdb:///{tmp_path / 'other.duckdb'}", tmp_path / "h", clock=FixedClock(NIGHT)) as book:
        (tmp_path / "h").mkdir(exist_ok=True)
        for name in ("chain", "seal"):
            (tmp_path / "h" / "audit").mkdir(exist_ok=True)
            (tmp_path / "h" / "audit" / f"{name}.key").write_bytes((home / "audit" / f"{name}.key").read_bytes())
        book.append(Event(id="e1", at=NIGHT - timedelta(days=1), actor="a", action="b"))
        seals.make(book, tmp_path / "reports", date(2026, 11, 20), actor="night")
        export(book, tmp_path / "trail.jsonl", actor="dpo")
    lines = (tmp_path / "trail.jsonl").read_bytes().splitlines(keepends=True)
    code, words = judge(lines)
    assert (code, words[0]) == (3, f"changed: the seal {exported['noted'][1]} that was noted elsewhere is not here")
    assert judge(lines, "--signer", exported["signer"], given=False)[0] == 0


def test_files_that_are_no_trail(judge: Any, exported: dict[str, Any], tmp_path: Path) -> None:
    """Nothing, garbage, half a line, invalid UTF-8, deep nesting: 3 with a line, never a traceback; no file: 2."""
    for content in (
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"\xff\xfe\n",
        b"[" * 900 + b"\n",
        b'{"seq": {}}\n',
        b'{"seal": 1}\n',
    ):
        code, words = judge([content])
        assert code == 3, content
        assert words[-1].startswith("Changed: "), content


def test_an_export_is_entered_first(exported: dict[str, Any]) -> None:
    """The last entry of the file says who took it out, where to, and why."""
    last = json.loads(json.loads(exported["lines"][10])["entry"])
    assert (last["action"], last["actor"], last["reason"], last["object"]) == (
        "trail.exported", "dpo", "audit", str(exported["path"])
    )  # fmt: skip


def test_an_export_to_nowhere_is_refused(home: Path, tmp_path: Path) -> None:
    """A folder that is not there, and a path that is a folder: an error that says so, and no half of a file."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        with pytest.raises(BadParameter, match="does not exist"):
            export(book, tmp_path / "no" / "trail.jsonl", actor="a")
        with pytest.raises(BadParameter, match="cannot be written"):
            export(book, tmp_path, actor="a")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
