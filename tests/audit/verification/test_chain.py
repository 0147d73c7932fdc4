"""What was done to the trail behind its back is found, and it is said where: in both databases."""

from __future__ import annotations

import hashlib
import shutil
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from daybook.audit.verification.chain import verify_chain
from daybook.audit.verification.verdict import TrailVerdict
from daybook.book import Book
from daybook.book.trail import canonical, keys
from daybook.book.trail.chain import GENESIS, digest_of, link_of
from daybook.clock import FixedClock
from daybook.records import Event

TABLES = ("events", "audit_chain")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DETAILS: list[dict[str, Any]] = [
    {},
    {"b": 1, "a": {"d": None, "c": [True, "é\u202e", "\x1f"]}},
    {"small": 1e-7, "large": 1e22, "whole": 3.0, "minus": -0.0, "sum": 0.1 + 0.2, "wide": 1e16, "wider": 1e19},
    {"integer": 2**63 - 1, "beyond": 2**70, "nested": [[1.50, {"x": 2.0}]]},
    {"quote": 'it\'s "so"', "": "empty", "long": "y" * 5000},
]


def event(number: int, **more: Any) -> Event:
    return Event(
        id=f"e{number:03d}",
        at=NOON + timedelta(microseconds=number),
        actor="dpo",
        action="content.read",
        details=DETAILS[number % len(DETAILS)],
        **more,
    )


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """A book with the events e001 to e020, drained in two turns, and a copy of both tables."""
    home = tmp_path_factory.mktemp("chain")
    url = f"duckdb:///{home / 'book.duckdb'}"
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        name = f"t_{uuid.uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"create database {name}")
        url = server.replace("/postgres?", f"/{name}?")
    with Book(url, home) as opened:
        for number in range(1, 21):
            opened.append(event(number, subject=f"s-{number}", reason="it's asked for", outcome="granted"))
            if number == 12:
                opened.drain()
        opened.drain()
        edit(opened, *(f"create table {table}_copy as select * from {table}" for table in TABLES))
        yield opened


@pytest.fixture
def book(filled: Book) -> Book:
    """The same, as it was when it was filled."""
    for table in TABLES:
        edit(filled, f"delete from {table}", f"insert into {table} select * from {table}_copy")
    return filled


def edit(book: Book, *statements: str) -> None:
    """What another program could do to the database."""
    with book.store.writing() as writer, writer.transaction():
        for statement in statements:
            writer.execute(statement)


def found(verdict: TrailVerdict) -> list[tuple[str, str]]:
    return [(problem.kind, problem.where) for problem in verdict.problems]


def test_an_untouched_trail_is_sound(book: Book) -> None:
    """Every entry was read and nothing is found; numbers have no gaps over several drains."""
    verdict = verify_chain(book)
    assert (verdict.entries, verdict.problems, dict(verdict.unchecked), verdict.sound) == (20, [], {}, True)
    rows = book.rows("select seq, event, link from audit_chain order by seq")
    assert [(row["seq"], row["event"]) for row in rows] == [(n, f"e{n:03d}") for n in range(1, 21)]
    assert verdict.head == rows[-1]["link"]


def test_the_canonical_bytes_are_the_same_from_both_databases(tmp_path: Path, postgres_url: str) -> None:
    """The same events give the same digests from DuckDB and from Postgres, whatever is in their details."""
    digests = []
    for url in (f"duckdb:///{tmp_path / 'a' / 'book.duckdb'}", postgres_url):
        with Book(url, tmp_path / url.partition(":")[0]) as book:
            for number in range(1, 11):
                book.append(event(number))
            digests.append(book.rows("select event, digest from audit_chain order by seq"))
    assert digests[0] == digests[1]
    assert len(digests[0]) == 10


def test_digest_and_link_are_what_the_format_says(book: Book) -> None:
    """Made again by hand from the documented format."""
    row = book.rows("select digest, link from audit_chain where seq = 1")[0]
    text = (
        '{"action":"content.read","actor":"dpo","address":null,"client":null,'
        '"details":{"a":{"c":[true,"é\u202e","\\u001f"],"d":null},"b":1},"id":"e001","object":null,"outcome":"granted",'
        '"reason":"it\'s asked for","request_id":null,"run_id":null,"sealed":null,"subject":"s-1",'
        '"time":1795176000000001}'
    )
    digest = hashlib.sha256(text.encode()).digest()
    key = bytes.fromhex((book.home / "audit" / "chain.key").read_text())
    before = hashlib.sha256(b"daybook audit chain 1").digest()
    link = hashlib.blake2b(before + (1).to_bytes(8, "big") + digest, key=key, digest_size=32).hexdigest()
    assert row == {"digest": digest.hex(), "link": link}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("update events set actor = 'nobody' where id = 'e007'", [("changed", "entry 7")]),
        ("update events set time = time + interval '1 microsecond' where id = 'e001'", [("changed", "entry 1")]),
        ("update events set sealed = '' where id = 'e020'", [("changed", "entry 20")]),
        ("update events set outcome = null where id = 'e011'", [("changed", "entry 11")]),
        ("delete from events where id = 'e013'", [("removed", "entry 13")]),
        ("delete from audit_chain where seq = 5", [("removed", "entry 5"), ("inserted", "event e005")]),
        (
            "delete from audit_chain where seq between 5 and 7",
            [("removed", "entries 5 to 7"), *(("inserted", f"event e00{n}") for n in (5, 6, 7))],
        ),
        (
            "insert into events (id, time, actor, action) values ('x', '2026-11-20', 'a', 'b')",
            [("inserted", "event x")],
        ),
        ("update audit_chain set event = 'e003' where seq = 4", [("changed", "entry 4"), ("inserted", "event e003")]),
        ("update audit_chain set link = 'zz' where seq = 4", [("forged", "entry 4")]),
        (
            "update audit_chain set digest = upper(digest) where seq = 4",
            [("changed", "entry 4"), ("forged", "entry 4")],
        ),
    ],
)
def test_what_was_edited_is_found_where_it_is(book: Book, statement: str, expected: list[tuple[str, str]]) -> None:
    """An edit of a row, of the chain, or of both: the first thing said is where."""
    edit(book, statement)
    verdict = verify_chain(book)
    assert found(verdict)[: len(expected)] == expected
    assert not verdict.sound


@pytest.mark.parametrize(("last", "where"), [(19, "entry 20"), (15, "entries 16 to 20"), (0, "entries 1 to 20")])
def test_a_tail_that_was_cut_off_is_missed(book: Book, last: int, where: str) -> None:
    """Rows and chain end earlier together, which the chain alone cannot show."""
    edit(book, f"delete from audit_chain where seq > {last}", f"delete from events where id > 'e{last:03d}'")
    assert found(verify_chain(book)) == [("cut off", where)]


def test_two_that_changed_places_are_found(book: Book) -> None:
    """The same entries in another order: each number's link was made over another one before it."""
    edit(
        book,
        "update audit_chain set seq = 1000 where seq = 8",
        "update audit_chain set seq = 8 where seq = 9",
        "update audit_chain set seq = 9 where seq = 1000",
    )
    assert found(verify_chain(book)) == [("forged", "entry 8"), ("forged", "entry 9"), ("forged", "entry 10")]


def test_a_chain_made_again_without_the_key_is_found(book: Book) -> None:
    """Whoever writes the database makes every digest and link anew, with a key of their own: each link is another
    home's then, none of them is taken for checked, and the head is not the one that this home noted."""
    edit(book, "update events set actor = 'nobody' where id = 'e007'")
    forger, link = b"f" * 32, GENESIS
    columns = canonical.columns(book.store.dialect)
    with book.store.writing() as writer, writer.transaction():
        for number, row in enumerate(writer.execute(f"select {columns} from events order by id"), 1):
            digest = digest_of(canonical.encode(row))
            link = link_of(forger, link, number, digest)
            writer.execute(
                f"update audit_chain set digest = '{digest.hex()}', link = '{link.hex()}', "
                f"key = '{keys.identity(forger)}' where seq = {number}"
            )
    verdict = verify_chain(book)
    assert found(verdict) == [("rewritten", "entry 20")]
    assert verdict.unchecked.total() == 20


def test_a_forged_entry_under_the_home_s_key_name_is_found(book: Book) -> None:
    """The forger names this home's key: its links are not made with it."""
    key = keys.identity(keys.secret(book.home, "chain"))
    edit(
        book,
        "insert into events (id, time, actor, action) values ('x', '2026-11-20', 'a', 'b')",
        f"insert into audit_chain values (21, 'x', '{'0' * 64}', '{'1' * 64}', '{key}')",
    )
    assert found(verify_chain(book)) == [("changed", "entry 21"), ("forged", "entry 21")]


def test_a_book_from_before_the_chain_is_chained_as_it_lies(book_url: str, home: Path) -> None:
    """Events that were there first get their numbers by time, once."""
    with Book(book_url, home) as book:
        book.drain()
        edit(
            book,
            "insert into events (id, time, actor, action) values ('late', '2026-11-21', 'a', 'b')",
            "insert into events (id, time, actor, action) values ('early', '2026-11-20', 'a', 'b')",
        )
    with Book(book_url, home) as book:
        book.drain()
        assert book.rows("select seq, event from audit_chain order by seq") == [
            {"seq": 1, "event": "early"},
            {"seq": 2, "event": "late"},
        ]
        assert verify_chain(book).sound


def test_several_homes_share_one_chain(tmp_path: Path, postgres_url: str) -> None:
    """Entries of two homes have one numbering; each home checks its own links and says how many it could not, and
    with the other's key beside its own it checks them all."""
    first, second = tmp_path / "first", tmp_path / "second"
    with Book(postgres_url, first) as one, Book(postgres_url, second) as two:
        for number in range(1, 9):
            (one if number % 2 else two).append(event(number))
            (one if number % 2 else two).drain()
        verdict = verify_chain(one)
        assert (verdict.entries, verdict.problems, verdict.unchecked.total()) == (8, [], 4)
        (first / "audit" / "chain-second.key").write_bytes((second / "audit" / "chain.key").read_bytes())
        verdict = verify_chain(one)
        assert (verdict.entries, verdict.problems, verdict.unchecked.total()) == (8, [], 0)


def test_what_is_drained_twice_is_chained_once(book_url: str, home: Path) -> None:
    """A journal file that comes back from a backup adds no link."""
    with Book(book_url, home) as book:
        book.append(event(1))
        (path,) = (home / "journal").glob("*.jsonl")
        copy = path.read_bytes()
        book.drain()
        (home / "journal" / "copy-1.jsonl").write_bytes(copy)
        book.append(event(2))
        book.drain()
        assert book.rows("select seq, event from audit_chain order by seq") == [
            {"seq": 1, "event": "e001"},
            {"seq": 2, "event": "e002"},
        ]


def test_drains_of_one_home_that_race_give_each_entry_one_number(book_url: str, home: Path) -> None:
    """Three at once: every event is in the chain once, the numbers have no gap, and the chain holds."""
    race(book_url, [home] * 3)


def test_drains_of_several_homes_that_race_give_each_entry_one_number(postgres_url: str, home: Path) -> None:
    """The same of three homes that share a book, for whoever has all keys. A DuckDB file is one home's."""
    race(postgres_url, [home.with_name(f"home{n}") for n in range(3)])


def race(book_url: str, homes: list[Path]) -> None:
    barrier = threading.Barrier(3)

    def enter(n: int) -> None:
        with Book(book_url, homes[n], clock=FixedClock(NOON)) as book:
            barrier.wait(30)
            for turn in range(5):
                for number in range(10):
                    book.append(Event(id=f"d{n}-{turn}-{number}", at=NOON, actor="a", action="b"))
                book.drain()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(enter, n) for n in range(3)]:
            done.result(60)
    with Book(book_url, homes[0]) as book:
        rows = book.rows("select seq, event, key from audit_chain order by seq")
        assert [row["seq"] for row in rows] == list(range(1, 151))
        assert {row["event"] for row in rows} == {
            f"d{n}-{t}-{k}" for n in range(3) for t in range(5) for k in range(10)
        }
        assert len({row["key"] for row in rows}) == len(set(homes))
        for other in set(homes[1:]) - {homes[0]}:
            shutil.copy(other / "audit" / "chain.key", book.home / "audit" / f"chain-{other.name}.key")
        verdict = verify_chain(book)
        assert (verdict.state, verdict.entries, verdict.problems) == ("proven", 150, [])
