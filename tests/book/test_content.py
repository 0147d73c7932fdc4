"""What was said stands in the book sealed, and no file has it in plain text; whoever has the vault reads it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from daybook.audit.export import export
from daybook.audit.seals import seals
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.content import PREFIX, open_rows, owner_of, seal_calls
from daybook.book.entry import Entry, encode
from daybook.clock import new_id
from daybook.errors import BookHeld, VaultUnusable
from daybook.records import Call, Event
from daybook.vault import Vault

AT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
SAID = "Grete lives at 14 Linden Row, above the bakery."
ADA = "u-" + "a" * 32


def call(subject: str | None = ADA, prompt: str | None = SAID, answer: str | None = "Noted.", **more: Any) -> Call:
    return Call(
        id=new_id(), request_id="r", at=AT, endpoint="/v1/chat/completions", requested_model="m", provider="p",
        served_model="m", status="ok", subject=subject, prompt=prompt, answer=answer, cost=Decimal("0.25"), **more,
    )  # fmt: skip


@pytest.fixture
def book(tmp_path: Path, book_url: str) -> Iterator[Book]:
    with Book(book_url, tmp_path / "home") as opened:
        yield opened


def said(book: Book) -> list[tuple[Any, ...]]:
    rows = book.content(book.rows("select id, subject, prompt, answer from calls order by id")).rows
    return [(row["subject"], row["prompt"], row["answer"]) for row in rows]


def test_what_was_said_is_sealed_as_it_is_drained(book: Book) -> None:
    """In the table and in each file of the book it cannot be read; with the vault it is as it was, for a person and for
    nobody. What was not said is NULL, and nothing else of the row changes."""
    calls = [call(), call(None), call(answer=None), call(None, None, ""), call(prompt=None, answer=None)]
    for one in calls:
        book.append(one)
    rows = book.rows("select * from calls order by id")
    for row, one in zip(rows, calls, strict=True):
        for column in ("prompt", "answer"):
            assert (row[column] is None) == (getattr(one, column) is None)
            assert row[column] is None or row[column].startswith(PREFIX + ("" if one.subject else "2026-03-01") + ":")
        assert (row["subject"], row["time"], row["cost"], row["tags"]) == (one.subject, one.at, Decimal("0.25"), {})
    assert said(book) == [(one.subject, one.prompt, one.answer) for one in calls]
    assert b"Linden" not in b"".join(path.read_bytes() for path in book.store.files())
    assert book.vault.path == book.home / "keys" / "subjects.sqlite"
    assert {s: state.state for s, state in book.vault.states().items()} == {ADA: "kept", "day:2026-03-01": "kept"}


def test_a_destroyed_key_erases_it_wherever_it_was_copied(book: Book, tmp_path: Path) -> None:
    """Of one person, and of nobody else; a call that comes later keeps its counts and loses what was said."""
    for subject in (ADA, "u-" + "b" * 32, None):
        book.append(call(subject))
    copy = book.rows("select id, subject, prompt, answer from calls order by id")
    book.vault.destroy(ADA)
    opened = book.content(copy)
    assert [row["prompt"] for row in opened.rows] == [None, SAID, SAID]
    assert (opened.erased, opened.missing) == ({copy[0]["id"]}, frozenset())
    book.append(call())
    drained = book.drain()
    assert (drained.entries, drained.unkept, drained.corrupt) == (1, 1, 0)
    assert said(book)[3] == (ADA, None, None)
    book.vault.renew(ADA)
    book.append(call())
    assert book.drain().unkept == 0
    assert said(book)[4] == (ADA, SAID, "Noted.")
    assert book.content(copy).erased == {copy[0]["id"]}


def test_another_homes_vault_opens_nothing_and_says_so(book: Book, tmp_path: Path) -> None:
    """Two homes on one book: each reads what was said in its own calls; the rest is there, and counted as missing. A
    vault that is put back opens it again."""
    book.append(call(None))
    rows = book.rows("select id, subject, prompt, answer from calls")
    other = Vault(tmp_path / "other.sqlite")
    for known in (False, True):
        if known:
            other.seal("day:2026-03-01", b"x")
        opened = open_rows(other, rows)
        assert [(row["prompt"], row["answer"]) for row in opened.rows] == [(None, None)]
        assert (opened.erased, opened.missing) == (frozenset(), {rows[0]["id"]})
    book.vault.copy(tmp_path / "copy.sqlite")
    assert open_rows(Vault(tmp_path / "copy.sqlite"), rows).rows[0]["prompt"] == SAID


@pytest.mark.parametrize("kind", ["another call's", "another column's", "cut off", "no base64", "another person's"])
def test_what_was_moved_or_changed_is_not_taken_for_what_was_said(book: Book, kind: str) -> None:
    """Ciphertext opens in its own row and column only."""
    for one in (call(), call(prompt="Something else.")):
        book.append(one)
    row, other = book.rows("select id, subject, prompt, answer from calls order by id")
    changed = {
        "another call's": row | {"prompt": other["prompt"]},
        "another column's": row | {"prompt": row["answer"]},
        "cut off": row | {"prompt": row["prompt"][:-8]},
        "no base64": row | {"prompt": PREFIX + ":?"},
        "another person's": row | {"subject": "u-" + "c" * 32},
    }[kind]
    opened = book.content([changed])
    unread = {row["id"]}
    # another person has no key here: nobody can tell a moved text from one of another home then
    missing = unread if kind == "another person's" else set()
    assert (opened.rows[0]["prompt"], opened.missing, opened.broken) == (None, missing, unread - missing)
    assert (opened.erased, opened.unread) == (frozenset(), unread)


def test_what_was_entered_in_plain_text_is_read_as_it_is(book: Book) -> None:
    """Rows of before: beside sealed ones, and without a vault."""
    rows = [{"id": "1", "subject": ADA, "prompt": "[]", "answer": None}, {"id": "2", "subject": None, "answer": "Yes."}]
    opened = book.content(rows)
    assert (opened.rows, opened.erased, opened.missing) == (rows, frozenset(), frozenset())
    assert not book.vault.path.exists()


def test_a_vault_that_cannot_be_used_keeps_every_entry_in_the_journal(tmp_path: Path, book_url: str) -> None:
    """The drain says so and moves nothing; it goes through once the vault can be used, and calls in which nothing was
    kept never ask for it."""
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True)
    with Book(book_url, home) as book:
        book.append(call(prompt=None, answer=None))
        drained = book.drain()
        assert (drained.entries, drained.unkept) == (1, 0)
        (home / "keys" / "subjects.sqlite").write_bytes(b"no database" * 100)
        book.append(call())
        for _ in range(2):
            with pytest.raises(VaultUnusable):
                book.drain()
        (home / "keys" / "subjects.sqlite").unlink()
        assert book.drain().entries == 1
        assert said(book)[1] == (ADA, SAID, "Noted.")


@pytest.mark.parametrize("how", ["no database", "locked", "a folder"])
def test_a_vault_that_cannot_be_used_stops_no_reading(tmp_path: Path, book_url: str, how: str) -> None:
    """Costs, events and the book's state are read as they lie, with what needs no key drained, and that is said;
    another book's reader is not kept waiting. What was said comes in when the vault can be used."""
    home = tmp_path / "home"
    path = home / "keys" / "subjects.sqlite"
    with Book(book_url, home) as first:
        first.append(call())
        first.drain()
    kept = path.read_bytes()
    with contextlib.ExitStack() as stack:
        if how == "locked":
            locking = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
            locking.execute("begin exclusive")
        else:
            path.unlink()
            path.mkdir() if how == "a folder" else path.write_bytes(b"no database" * 100)
        with Book(book_url, home, vault=path) as book:
            book.vault._patience = 0.01  # a vault in use is waited for as long as that
            book.append(replace(call(), cost=Decimal("0.5")))
            with Book(book_url, home, vault=path) as other:
                other.vault._patience = 0.01
                other.append(Event(id="e", at=AT, actor="a", action="b"))
                reads: list[Callable[[], object]] = [
                    lambda: book.rows("select sum(cost) as c from calls")[0]["c"],
                    lambda: other.rows("select count(*) as n from events")[0]["n"],
                    lambda: book.info().waiting > 0,
                ]
                for read, shown in zip(reads, (Decimal("0.25"), 1, True), strict=True):
                    with pytest.warns(BookHeld, match=r"vault of keys .* nothing of it is lost\. .* read as it lies"):
                        assert read() == shown
            why = "is locked: another process used it for all of 0.01 s" if how == "locked" else "cannot be used"
            with pytest.raises(VaultUnusable, match=rf"{why}.* waits in the journal until it can be sealed"):
                book.drain()
            for work, done in (
                (lambda: verify(book, home / "reports"), "verified"),
                (lambda: seals.make(book, home / "reports", AT.date(), actor="x"), "sealed"),
                (lambda: export(book, tmp_path / "trail.jsonl", actor="x"), "exported"),
            ):
                with pytest.raises(VaultUnusable, match=rf"^Nothing was {done}\. The vault of keys"):
                    work()
            assert (list(home.glob("audit/seals/*.json")), (tmp_path / "trail.jsonl").exists()) == ([], False)
    if path.is_dir():
        path.rmdir()
    path.write_bytes(kept)
    with Book(book_url, home, vault=path) as book:
        assert book.rows("select sum(cost) as c from calls")[0]["c"] == Decimal("0.75")
        assert [row[1] for row in said(book)] == [SAID, SAID]


def test_a_vault_elsewhere_is_the_one_that_is_used(tmp_path: Path, book_url: str) -> None:
    """None is made in the home."""
    with Book(book_url, tmp_path / "home", vault=tmp_path / "apart" / "vault.sqlite") as book:
        book.append(call())
        assert said(book) == [(ADA, SAID, "Noted.")]
    assert (tmp_path / "apart" / "vault.sqlite").exists()
    assert not (tmp_path / "home" / "keys").exists()


@pytest.mark.parametrize(
    "odd",
    [{"at": 5}, {"at": None}, {"at": "no time"}, {"subject": {"a": 1}}, {"subject": 7}, {"subject": ""},
     {"subject": "x" * 300}, {"subject": "a\tb"}, {"subject": "Ünï😀"}],
)  # fmt: skip
def test_no_line_of_the_journal_stops_a_drain_or_is_written_in_plain_text(tmp_path: Path, odd: dict[str, Any]) -> None:
    """Whatever stands in the fields that say whose it is."""
    body = orjson.loads(encode(call(), 1))["body"] | odd
    vault = Vault(tmp_path / "vault.sqlite")
    (entry,), unkept = seal_calls(vault, [Entry("call", body["id"], 1, orjson.dumps(body))])
    sealed = orjson.loads(entry.body)
    assert (unkept, b"Linden" in entry.body) == (0, False)
    assert {name: value for name, value in sealed.items() if name not in ("prompt", "answer")} == {
        name: value for name, value in body.items() if name not in ("prompt", "answer")
    }
    assert open_rows(vault, [sealed]).rows[0]["prompt"] == SAID


@pytest.mark.parametrize(
    "said", [[{"role": "user", "content": SAID}], {"content": SAID}, 14, True, [SAID], [], ""]
)  # fmt: skip
def test_what_was_said_is_sealed_whatever_its_type(book: Book, said: Any) -> None:
    """Whatever is no text stands sealed by its JSON, in the book and in no other words."""
    book.append(call(prompt=said, answer=said))
    (row,) = book.rows("select id, subject, prompt, answer from calls")
    assert row["prompt"].startswith(PREFIX)
    assert row["answer"].startswith(PREFIX)
    (opened,) = book.content([row]).rows
    assert (opened["prompt"], opened["answer"]) == (
        (said, said) if isinstance(said, str) else (orjson.dumps(said).decode(),) * 2
    )


@pytest.mark.parametrize("space", ["", " ", "\t ", "\n"])
def test_a_line_with_space_between_name_and_text_is_sealed(tmp_path: Path, space: str) -> None:
    """However another program set it; a call in which nothing was said is left as it is."""
    vault = Vault(tmp_path / "vault.sqlite")
    body = f'{{"id":"c","subject":"{ADA}","prompt":{space}"{SAID}","answer":{space}null}}'.encode()
    (entry,), _ = seal_calls(vault, [Entry("call", "c", 1, body)])
    assert SAID.encode() not in entry.body
    bare = Entry("call", "c", 1, f'{{"id":"c","prompt":{space}null,"answer":{space}null}}'.encode())
    assert seal_calls(vault, [bare]) == ([bare], 0)


def test_the_vault_names_whom_a_key_is_of() -> None:
    """A person's is the person's; a name that no vault takes has a digest in its place."""
    assert owner_of(ADA, "2026-03-01") == ADA
    assert owner_of(None, "2026-03-01") == "day:2026-03-01"
    assert owner_of("x" * 200, "") == "x" * 200
    assert owner_of("x" * 201, "").startswith("name:")
    assert owner_of("", "") != owner_of("\t", "")


def test_ten_thousand_calls_are_sealed_in_one_use_of_the_vault(tmp_path: Path) -> None:
    """Each person's key is made once, and all of them in one transaction: the file has changed twice."""
    vault = Vault(tmp_path / "vault.sqlite")
    names = [f"u-{n % 1_200:032x}" for n in range(10_000)]
    sealed = vault.seal_all([(name, b"said", b"%d" % n) for n, name in enumerate(names)])
    with closing(sqlite3.connect(vault.path)) as file:
        assert file.execute("select count(*), count(distinct key) from keys").fetchone() == (1_200, 1_200)
    items = [(name, data or b"", b"%d" % n) for n, (name, data) in enumerate(zip(names, sealed, strict=True))]
    assert vault.open_all(items) == [b"said"] * 10_000
    assert vault.seal_all([]) == []
    assert vault.open_all([]) == []
