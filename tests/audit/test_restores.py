"""A book that was restored from a backup: what came after it is lost, that is said, and nothing else passes for it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType

import orjson
import pytest

from daybook.audit import restores, signing
from daybook.audit.export import export
from daybook.audit.seals import seals
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.clock import FixedClock
from daybook.records import Call, Event

NIGHT = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)


def enter(book: Book, name: str) -> None:
    at = book.clock.now() - timedelta(hours=6)
    book.append(Event(id=f"e-{name}", at=at, actor="dpo", action="content.read"))
    book.append(
        Call(id=f"c-{name}", request_id="r", at=at, endpoint="library", requested_model="m", status="ok")
    )  # fmt: skip
    book.drain()


@pytest.fixture
def restored(home: Path) -> Iterator[Book]:
    """A book whose file was put back to its state after the first seal, when there were a second seal and one more
    entry already. Nothing is declared yet."""
    url, path, clock = f"duckdb:///{home / 'book.duckdb'}", home / "book.duckdb", FixedClock(NIGHT)
    with Book(url, home, clock=clock) as book:
        enter(book, "first")
        seals.make(book, home / "reports", date(2026, 11, 20), actor="night")  # entry 2
        shutil.copy2(path, home / "backup")
        clock.at += timedelta(days=1)
        enter(book, "lost")  # entry 3
        seals.make(book, home / "reports", date(2026, 11, 21), actor="night")  # entry 4
        clock.at += timedelta(hours=1)
        enter(book, "lost, too")  # entry 5
    for journal in (home / "journal").glob("*.jsonl"):
        journal.unlink()
    shutil.copy2(home / "backup", path)
    with Book(url, home, clock=clock) as book:
        yield book


def found(book: Book) -> list[tuple[str, str]]:
    return [(problem.kind, problem.where) for problem in verify(book, book.home / "reports").problems]


def test_a_book_put_back_in_silence_is_cut_off(restored: Book) -> None:
    """Without a declaration: the tail is missing, and so are the seal's entries and rows."""
    assert found(restored) == [
        ("cut off", "entry 3"), ("cut off", "entries 3 to 5"),
        ("removed", "calls c-lost, sealed by seal 2"),
    ]  # fmt: skip


def test_a_restore_that_is_declared_is_no_cut(restored: Book) -> None:
    """What was lost is counted and named, the chain goes on after the lost numbers, and later seals seal it."""
    done = restores.declare(restored.home, restored.store, NIGHT)
    assert done == restores.Restore(kept=2, lost_to=5)
    verdict = verify(restored, restored.home / "reports")
    assert (verdict.state, verdict.problems) == ("proven", [])
    assert verdict.notes == ["A restore from a backup lost entries 3 to 5; 1 seals are of lost entries."]
    assert +verdict.lost == {"calls": 1}
    enter(restored, "after")
    assert [row["seq"] for row in restored.rows("select seq from audit_chain order by seq")] == [1, 2, 6]
    restored.clock.at += timedelta(days=1)  # type: ignore[attr-defined]  # a FixedClock
    third = seals.make(restored, restored.home / "reports", date(2026, 11, 22), actor="night")
    assert (third.document["chain"]["first"], third.document["chain"]["last"]) == (6, 6)
    assert third.document["restored"] == [{"kept": 2, "lost_to": 5}]
    assert verify(restored, restored.home / "reports").state == "proven"
    assert restores.declare(restored.home, restored.store, NIGHT) is None


def test_what_is_done_after_a_restore_is_found_as_ever(restored: Book) -> None:
    """A changed entry, a removed one, and a tail that is cut off once more."""
    restores.declare(restored.home, restored.store, NIGHT)
    for name in ("a", "b", "c"):
        enter(restored, name)
    assert found(restored) == []
    edits = {
        "update events set actor = 'x' where id = 'e-first'": [("changed", "entry 1")],
        "update calls set cost = 1 where id = 'c-first'": [
            ("changed", "entry 1"), ("changed", "calls c-first, sealed by seal 1")
        ],
    }  # fmt: skip
    for statement, expected in edits.items():
        with restored.store.writing() as writer, writer.transaction():
            writer.execute(statement)
        assert found(restored) == expected
    with restored.store.writing() as writer, writer.transaction():
        writer.execute("delete from audit_chain where seq > 6")
        writer.execute("delete from events where id in ('e-b', 'e-c')")
    assert ("cut off", "entries 7 to 8") in found(restored)


def test_a_declaration_that_was_made_up_excuses_nothing(restored: Book, tmp_path: Path) -> None:
    """Edited, signed by a stranger, of another book, or no declaration: the cut is found, and so is the forgery."""
    restores.declare(restored.home, restored.store, NIGHT)
    (path,) = (restored.home / "audit" / "restores").iterdir()
    document = orjson.loads(path.read_bytes())
    unsigned = {name: value for name, value in document.items() if name not in ("signer", "signature")}
    path.chmod(0o600)
    for content in (
        orjson.dumps(document | {"kept": 1}),
        orjson.dumps(signing.sign(tmp_path / "stranger", unsigned)),
        b"[]",
        b"",
    ):
        path.write_bytes(content)
        assert ("forged", "restore 000001.json") in found(restored)
        assert any(kind == "cut off" for kind, _ in found(restored))
    path.write_bytes(orjson.dumps(signing.sign(restored.home, unsigned | {"book": "another"})))
    assert ("cut off", "entries 3 to 5") in found(restored)


def test_nothing_is_declared_where_nothing_was_lost(home: Path) -> None:
    """A restore into a home that never saw a later entry."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        enter(book, "first")
        assert restores.declare(home, book.store, NIGHT) is None
        assert not (home / "audit" / "restores").exists()


@pytest.fixture
def stranger() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stranger", Path(__file__).parents[2] / "audit" / "verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_stranger_is_told_of_it(
    restored: Book, stranger: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exported trail names the gap in a signed seal: proven, and the lost entries are said to be lost."""
    restores.declare(restored.home, restored.store, NIGHT)
    enter(restored, "after")
    restored.clock.at += timedelta(days=1)  # type: ignore[attr-defined]  # a FixedClock
    seals.make(restored, restored.home / "reports", date(2026, 11, 22), actor="night")
    export(restored, tmp_path / "trail.jsonl", actor="dpo")
    key = restored.home / "audit" / "chain.key"
    arguments = [str(tmp_path / "trail.jsonl"), "--signer", signing.public_key(restored.home), "--key", str(key)]
    assert stranger.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "not shown: seal 2: 1 of its entries were lost by a restore from a backup, as it says" in shown
    assert "Proven: 5 entries, 3 seals are what was signed." in shown
