"""Moving journal entries into the book: exactly once, in whatever state the files are."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from daybook.book import Book
from daybook.book.content import is_sealed
from daybook.book.entry import encode
from daybook.book.journal.journal import Journal
from daybook.book.journal.owner import OtherJournal
from daybook.book.schema import TABLES
from daybook.clock import FixedClock, new_id
from daybook.records import COUNTS, Finding


def files(home: Path) -> list[Path]:
    return sorted((home / "journal").glob("*.jsonl"))


def write(home: Path, data: bytes, name: str | None = None) -> Path:
    """A journal file as a process left it that has died."""
    folder = home / "journal"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"{new_id()}-1.jsonl")
    path.write_bytes(data)
    return path


def ids(book: Book, table: str = "calls") -> list[str]:
    return [row["id"] for row in book.rows(f"select id from {table} order by id")]


def test_every_kind_arrives_with_every_field(book: Book, make: Any) -> None:
    """One record of each kind; what is read back is what was entered, value for value."""
    records = make.each()
    for record in records:
        book.append(record)
    drained = book.drain()
    assert drained.entries == 8
    assert drained.by_kind == dict.fromkeys(
        ("call", "event", "run", "finding", "subject", "model", "alias", "deployment"), 1
    )
    for record in records:
        (row,) = book.rows(f"select * from {TABLES[record.kind].name}")
        expected = {"time" if name == "at" else name: getattr(record, name) for name in record.__slots__}
        assert row == {name: list(value) if isinstance(value, tuple) else value for name, value in expected.items()}


COUNTED = {name: 11 + n for n, name in enumerate(COUNTS)}


@pytest.mark.parametrize(
    ("field", "text", "kept"),
    [
        ("answer", "a\x00b", "a\ufffdb"),
        ("prompt", "\x00", "\ufffd"),
        ("caller", "\x00\x00x", "\ufffd\ufffdx"),
        ("served_model", "m\x00", "m\ufffd"),
        ("price_note", "half \ud83d", "half \ufffd"),
        ("service_tier", "fl\x00ex", "fl\ufffdex"),
    ],
)
def test_a_text_that_no_database_keeps_costs_its_record_nothing_else(
    book: Book, make: Any, field: str, text: str, kept: str
) -> None:
    """NUL and half an emoji in one text: the time, every count, the cost, the durations and all else arrive."""
    more = {**COUNTED, "cost": Decimal("0.045075000001"), "latency": 1.5, "first_token": 0.25, "usage_reported": True}
    call = make.call(**more | {field: text}, tags={"team": "ops"}, status="client_closed", http_status=499, attempts=3)
    book.append(call)
    assert book.drain().entries == 1
    (row,) = book.content(book.rows("select * from calls")).rows
    expected = {"time" if name == "at" else name: getattr(call, name) for name in call.__slots__}
    assert row == expected | {field: kept}


NEWEST = ("cache_write_tokens", "cache_write_1h_tokens", "web_searches", "service_tier", "price_note")


@pytest.mark.parametrize(
    "values",
    [
        (11_900, 17, 482, "flex", "no rate of the tier 'flex' on 2026-10-11"),
        (0, 0, 0, "", ""),
        (None, None, None, None, None),
        (2**63 - 1, 2**53 + 1, 1, "priority", 'Grüße, "東京"\n🗼'),
    ],
)
def test_what_calls_gained_last_goes_all_the_way(
    book: Book, make: Any, tmp_path: Path, values: tuple[Any, ...]
) -> None:
    """Through journal, drain, read and export, each value of its own: 0 stays 0 and unknown stays unknown."""
    call = make.call(**dict(zip(NEWEST, values, strict=True)))
    book.append(call)
    (row,) = book.rows(f"select {', '.join(NEWEST)} from calls")
    assert tuple(row.values()) == values
    assert book.export("calls", tmp_path / "calls.parquet") == 1
    (exported,) = pq.read_table(tmp_path / "calls.parquet", columns=list(NEWEST)).to_pylist()
    assert tuple(exported[name] for name in NEWEST) == values
    assert book.export("calls", tmp_path / "calls.csv") == 1
    with (tmp_path / "calls.csv").open(newline="") as file:
        (written,) = csv.DictReader(file)
    assert [written[name] for name in NEWEST] == ["" if value is None else str(value) for value in values]


def test_a_second_drain_moves_nothing(book: Book, open_book: Callable[..., Book], make: Any) -> None:
    """Neither the same book nor another process's takes an entry twice."""
    book.append(make.call())
    assert book.drain().entries == 1
    assert book.drain().entries == 0
    assert open_book(book.store.url).drain().entries == 0
    assert len(ids(book)) == 1


def test_entries_are_seen_as_soon_as_they_are_acknowledged(book: Book, make: Any) -> None:
    """A read drains first, each time."""
    for n in range(1, 4):
        book.append(make.call())
        assert book.rows("select count(*) as n from calls") == [{"n": n}]


def test_more_than_one_batch(book: Book, home: Path, make: Any) -> None:
    """25,000 entries of one file take three transactions and arrive once each, in order of their offsets."""
    call = make.call()
    lines = [encode(replace(call, id=f"{n:032x}"), n) for n in range(25_000)]
    write(home, b"".join(lines))
    drained = book.drain()
    assert (drained.entries, drained.files, drained.removed) == (25_000, 1, 1)
    expected = {"n": 25_000, "u": 25_000, "c": Decimal("3.086419725000")}
    assert book.rows("select count(*) as n, count(distinct id) as u, sum(cost) as c from calls") == [expected]


def test_the_file_of_a_dead_writer_goes_once_it_is_in_the_book(book: Book, home: Path, make: Any) -> None:
    """While its writer lives a drained file stays, and afterwards it goes; what is appended then is a new file."""
    book.append(make.call())
    book.drain()
    assert len(files(home)) == 1
    book.journal.close()
    assert book.drain().removed == 1
    assert files(home) == []
    book.append(make.call())
    assert len(ids(book)) == 2


def test_a_file_that_comes_back_adds_nothing(book: Book, home: Path, tmp_path: Path, make: Any) -> None:
    """Restored from a backup under its own name or another, its entries are known by offset, or by id."""
    for _ in range(3):
        book.append(make.call())
    book.append(make.run(id="run-1", state="completed"))
    (path,) = files(home)
    saved = tmp_path / "saved"
    shutil.copy(path, saved)
    book.close()
    before = ids(book)
    shutil.copy(saved, path)
    assert book.drain().entries == 0
    write(home, saved.read_bytes(), "0-renamed.jsonl")
    drained = book.drain()
    assert (drained.entries, drained.duplicates, drained.removed) == (0, 4, 1)
    assert ids(book) == before
    assert files(home) == []


def test_the_first_entry_of_an_id_stays(book: Book, make: Any) -> None:
    """A call is entered once: a second entry under its id, in the same drain or a later one, changes nothing."""
    call = make.call(caller="first")
    for caller in ("first", "second"):
        book.append(replace(call, caller=caller))
    assert book.drain().duplicates == 1
    book.append(replace(call, caller="third"))
    assert book.rows("select caller from calls") == [{"caller": "first"}]


@pytest.mark.parametrize("apart", [False, True])
def test_the_later_entry_of_a_run_wins(
    book: Book, home: Path, open_book: Callable[..., Book], make: Any, apart: bool
) -> None:
    """A run is entered when it starts and again when it ends, by one process or by two. Whichever entry is drained
    last, the book keeps the one that was entered last, whole."""
    start, end = make.noon, make.noon + timedelta(seconds=90)
    running = make.run(id="run-1")
    ended = replace(running, state="completed", ended_at=end, seconds=90.0, report="costs/x.ipynb")
    first, second = Journal(home, clock=FixedClock(start)), Journal(home, clock=FixedClock(end))
    second.append(ended)
    if apart:
        assert [row["state"] for row in book.rows("select state from runs")] == ["completed"]
    first.append(running)
    rows = book.rows("select state, ended_at, seconds, report from runs")
    assert rows == [{"state": "completed", "ended_at": end, "seconds": 90.0, "report": "costs/x.ipynb"}]
    second.append(replace(ended, report=None))
    assert book.rows("select report from runs") == [{"report": None}]
    first.close()
    second.close()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_corrupt_line_is_set_aside_and_blocks_nothing(book: Book, home: Path, make: Any, place: int) -> None:
    """Wherever it stands, the entries before and after it arrive; its bytes, file, place and reason are kept, once."""
    calls = [make.call() for _ in range(2)]
    lines = [encode(call, n) for n, call in enumerate(calls)]
    bad = b'\x00\xff{"v":2,"kind":"call","id":"x"\n'
    lines.insert(place, bad)
    path = write(home, b"".join(lines))
    drained = book.drain()
    assert (drained.entries, drained.corrupt, drained.torn, drained.removed) == (2, 1, 0, 1)
    assert ids(book) == sorted(call.id for call in calls)
    assert book.drain().corrupt == 0
    position = sum(len(line) for line in lines[:place])
    expected = {"file": path.name, "position": position, "reason": "it is not JSON", "torn": False, "line": bad[:-1]}
    assert book.rows("select file, position, reason, torn, line from journal_set_aside") == [expected]


def test_an_entry_that_fits_no_row_is_set_aside(book: Book, home: Path, make: Any) -> None:
    """A whole entry whose values are of other types than the table's is found among a thousand that are sound."""
    calls = [make.call() for _ in range(1000)]
    odd = [make.call(id="odd-1", cost="a lot"), make.call(id="odd-2", status=None), make.call(id="odd-3", at=make.noon)]
    lines = [encode(call, n) for n, call in enumerate(calls)]
    lines[17:17] = [encode(odd[0], 1)]
    lines[500:500] = [encode(odd[1], 1)]
    write(home, b"".join(lines))
    drained = book.drain()
    assert (drained.entries, drained.corrupt) == (1000, 2)
    assert ids(book) == sorted(call.id for call in calls)
    reasons = [row["reason"] for row in book.rows("select reason from journal_set_aside order by position")]
    assert all(reason.startswith("it fits no row: ") for reason in reasons)
    kept = [
        orjson.loads(row["line"])["id"] for row in book.rows("select line from journal_set_aside order by position")
    ]
    assert kept == ["odd-1", "odd-2"]


def test_awkward_text_arrives_as_it_was(book: Book, make: Any) -> None:
    """Tabs, line ends, backslashes, Postgres' own mark for NULL, quotes and nothing at all are text like any other, in
    a column and inside a mapping; a number keeps all its digits."""
    texts = ["", "\\N", "a\tb\r\nc\\d", "\\.", "'\"$1%s:x", "Grüße 東京 🗼 \u2028"]
    calls = [make.call(prompt=text, parameters={"stop": [text, None], text: 2**63 - 1}, latency=0.1) for text in texts]
    for call in calls:
        book.append(call)
    stored = book.rows("select id, subject, prompt, parameters, latency from calls order by id")
    assert all(is_sealed(row["prompt"]) for row in stored)
    rows = book.content(stored).rows
    assert [(row["id"], row["prompt"], row["parameters"], row["latency"]) for row in rows] == [
        (call.id, call.prompt, call.parameters, 0.1) for call in sorted(calls, key=lambda call: call.id)
    ]


def test_an_object_where_a_text_belongs_blocks_nothing(book: Book, home: Path, make: Any) -> None:
    """It is kept, in the table or set aside, and what stands beside it arrives."""
    calls = [make.call(), make.call(caller={"name": "x"}), make.call()]
    write(home, b"".join(encode(call, n) for n, call in enumerate(calls)))
    drained = book.drain()
    assert drained.entries + drained.corrupt == 3
    assert {calls[0].id, calls[2].id} <= set(ids(book))


def test_a_torn_last_line_of_a_dead_writer_is_set_aside(book: Book, home: Path, make: Any) -> None:
    """It was never acknowledged: it counts as torn, not as corrupt, and what stood before it arrives."""
    call, torn = make.call(), encode(make.call(), 2)[:200]
    write(home, encode(call, 1) + torn)
    drained = book.drain()
    assert (drained.entries, drained.corrupt, drained.torn, drained.removed) == (1, 0, 1, 1)
    assert ids(book) == [call.id]
    assert book.rows("select torn, line from journal_set_aside") == [{"torn": True, "line": torn}]


def test_a_half_written_line_of_a_living_writer_is_left(book: Book, home: Path, make: Any) -> None:
    """Its end may be on the way: the drain takes what is whole and comes back for the rest."""
    calls = [make.call() for _ in range(3)]
    book.append(calls[0])
    path = book.journal.state().path
    assert path is not None
    line = encode(calls[1], 2)
    with path.open("ab") as file:
        file.write(line[:300])
        file.flush()
        drained = book.drain()
        assert (drained.entries, drained.torn, drained.corrupt) == (1, 0, 0)
        file.write(line[300:] + encode(calls[2], 3))
        file.flush()
    drained = book.drain()
    assert (drained.entries, drained.torn, drained.corrupt) == (2, 0, 0)
    assert ids(book) == sorted(call.id for call in calls)


def test_a_journal_of_version_1_is_drained(book: Book, home: Path) -> None:
    """An older Daybook's entries arrive with what they have, under today's names; a torn one among them does not."""
    body = {
        "id": "old-1", "request_id": "r", "at": "2025-01-02T03:04:05+01:00", "endpoint": "/v1/chat/completions",
        "model": "gpt-4o", "ttft": 0.25, "status": "ok", "cost": "0.5", "tags": {"a": "b"},
    }  # fmt: skip
    line = orjson.dumps({"v": 1, "id": "old-1", "kind": "call", "at": "2025-01-02T03:04:06+01:00", "body": body})
    write(home, line + b"\n" + line[:80] + b"\n")
    drained = book.drain()
    assert (drained.entries, drained.corrupt) == (1, 1)
    (row,) = book.rows("select requested_model, first_token, cost, tags, attempts, stream, time from calls")
    assert row["time"].isoformat() == "2025-01-02T02:04:05+00:00"
    expected = {"requested_model": "gpt-4o", "first_token": 0.25, "cost": Decimal("0.500000000000"), "tags": {"a": "b"}}
    assert row | expected | {"attempts": 1, "stream": False} == row


def test_a_file_of_a_later_version_waits(book: Book, home: Path, make: Any) -> None:
    """What stands before the later version's lines arrives; they stay in the file, named, and nothing else waits."""
    call, other = make.call(), make.call()
    later = write(home, encode(call, 1) + b'{"v":3,"new":"shape"}\n' + encode(make.call(), 2), "0-later.jsonl")
    write(home, encode(other, 1), "1-ours.jsonl")
    drained = book.drain()
    assert drained.entries == 2
    assert drained.newer == ["0-later.jsonl: version 3 is newer than 2"]
    assert ids(book) == sorted([call.id, other.id])
    assert files(home) == [later]


def test_blank_lines_are_nothing(book: Book, home: Path, make: Any) -> None:
    """They are neither entries nor corrupt, and do not keep a file from going."""
    write(home, b"\n\n" + encode(make.call(), 1) + b"\n")
    write(home, b"")
    write(home, b"\n")
    drained = book.drain()
    assert (drained.entries, drained.corrupt, drained.removed) == (1, 0, 3)


def test_another_books_journal_is_not_drained(
    book: Book, home: Path, open_book: Callable[..., Book], make: Any
) -> None:
    """A second book over the same home reads what is its own; draining into it is refused, until it is said to."""
    book.append(make.call())
    book.drain()
    book.append(make.call())
    other = open_book(f"duckdb:///{home / 'other.duckdb'}")
    assert ids(other) == []
    with pytest.raises(OtherJournal, match=r"belongs to the book .*daybook book drain --adopt"):
        other.drain()
    assert len(ids(book)) == 2
    book.append(make.call())
    other.drain(adopt=True)
    book_again = open_book(book.store.url)
    with pytest.raises(OtherJournal):
        book_again.drain()


def test_a_book_made_anew_in_the_same_place_keeps_its_journal(duck: Book, home: Path, make: Any) -> None:
    """Somebody deletes the file: the journal goes on into the new one, and what it still holds arrives again."""
    for _ in range(2):
        duck.append(make.call())
    assert len(ids(duck)) == 2
    (home / "book.duckdb").unlink()
    duck.append(make.call())
    assert len(ids(duck)) == 3


def test_findings_without_a_number_are_kept_without_one(book: Book, make: Any) -> None:
    """NaN is no number: it becomes unknown, never 0."""
    book.append(Finding(id="f1", run_id="r", at=make.noon, name="x", value=float("nan"), unit="s", low=None))
    assert book.rows("select value, low, n from findings") == [{"value": None, "low": None, "n": None}]
