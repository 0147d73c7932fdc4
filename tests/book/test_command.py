"""`daybook book`: what a person types, what is answered, and what it is answered with: 0, 1 or 2."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from daybook.book import Book
from daybook.book.migrations import MIGRATIONS
from daybook.book.schema import TABLES
from daybook.cli import main
from daybook.settings import user

INJECTION = "'); drop table calls; --"


@pytest.fixture
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is in an empty folder, with a home and the default book of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAYBOOK_HOME", str(home))
    monkeypatch.delenv("DAYBOOK_BOOK", raising=False)
    return tmp_path


@pytest.fixture
def said(project: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`daybook book …`: what it prints, once its exit code is `code`; for an error, one paragraph on stderr."""

    def said_(*argv: object, code: int = 0) -> str:
        assert main(["book", *map(str, argv)]) == code
        out = capsys.readouterr()
        if out.err:
            assert code != 0
            assert out.out == ""
            assert out.err.count("\n") == 1
            return out.err
        return out.out

    return said_


@pytest.fixture
def there(book_url: str, project: Path, monkeypatch: pytest.MonkeyPatch, open_book: Callable[..., Book]) -> Book:
    """The book that the command line finds, on DuckDB and then on Postgres."""
    monkeypatch.setenv("DAYBOOK_BOOK", book_url)
    return open_book(book_url)


def two_calls(book: Book, make: Any) -> None:
    """Two calls, in the journal: alice's, priced, and one of nobody's, of which nothing is known."""
    book.append(make.call(id="a", caller="alice", cost=Decimal("0.00025"), tags={"team": "ops"}))
    later = make.noon + timedelta(minutes=1)
    book.append(make.call(id="b", at=later, cost=None, price_source=None, input_tokens=None))


# ── info ──────────────────────────────────────────────────────────────────────────────────────────────


def test_info_of_a_fresh_machine(said: Callable[..., str], home: Path) -> None:
    """Nothing is there yet: the book is made, and the first answer is no error."""
    lines = said("info").splitlines()
    assert lines[0].startswith(f"Book          duckdb:///{home}/book.duckdb  (")
    assert lines[1:] == [
        f"Schema        {MIGRATIONS[-1].name}  ({len(MIGRATIONS)} migrations)",
        *(f"{table.name.capitalize().replace('_', ' '):<13} 0" for table in TABLES.values()),
        "First call    none yet",
        "Last call     none yet",
        f"Journal       {home}/journal  (0 writing, 0 bytes not in the book)",
        "Set aside     0 lines, 0 of them torn",
    ]


def test_info_counts_what_was_acknowledged(said: Callable[..., str], there: Book, make: Any) -> None:
    """What is still in the journal of a living process is counted, by people and by programs alike."""
    two_calls(there, make)
    lines = said("info").splitlines()
    assert "Calls         2" in lines
    assert "First call    2026-11-20 12:00:00 UTC" in lines
    assert "Last call     2026-11-20 12:01:00 UTC" in lines
    assert lines[-2].endswith("journal  (1 writing, 0 bytes not in the book)")
    told = json.loads(said("info", "--json"))
    assert told["rows"] == {table.name: 2 * (table.name == "calls") for table in TABLES.values()}
    assert told["url"] == there.url_shown
    assert told["migrations"] == [migration.name for migration in MIGRATIONS]
    assert (told["first"], told["waiting"], told["drains"]) == ("2026-11-20T12:00:00.123456+00:00", 0, True)


def test_info_of_another_books_journal(said: Callable[..., str], there: Book, make: Any, tmp_path: Path) -> None:
    """A book opened over a home whose journal is another's says so, drains nothing, and check says what to do."""
    two_calls(there, make)
    there.drain()
    other = f"duckdb:///{tmp_path / 'other.duckdb'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAYBOOK_BOOK", other)
        out = said("info")
        assert "Calls         0" in out
        assert out.endswith("This journal belongs to another book, so it is not drained into this one.\n")
        assert "give it this journal: daybook book drain --adopt." in said("check", code=1)
        refused = said("drain", code=1)
        assert f"belongs to the book {there.url_shown}; this is {other}." in refused
        assert refused.endswith("daybook book drain --adopt.\n")


# ── sql ───────────────────────────────────────────────────────────────────────────────────────────────


def test_sql_prints_a_table(said: Callable[..., str], there: Book, make: Any) -> None:
    """Money without empty places, times with their zone, mappings as JSON, and `–` for what is not known."""
    two_calls(there, make)
    lines = said("sql", "select id, caller, cost, time, tags, input_tokens from calls order by id").splitlines()
    cells = [line.split("  ") for line in lines if line.strip()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in cells]
    assert rows[0] == ["id", "caller", "cost", "time", "tags", "input_tokens"]
    assert rows[2] == ["a", "alice", "0.00025", "2026-11-20 12:00:00Z", '{"team":"ops"}', "1000"]
    assert rows[3] == ["b", "–", "–", "2026-11-20 12:01:00Z", "{}", "–"]
    assert lines[-1] == "2 rows"
    assert said("sql", "select id from calls where id = 'a'").splitlines()[-1] == "1 row"
    assert said("sql", "select id from calls where id = 'z'") == "0 rows\n"


def test_sql_prints_many_columns_one_below_the_other(said: Callable[..., str], there: Book, make: Any) -> None:
    """A whole call has more columns than a screen: each row is a block of its own, and nothing is left out."""
    two_calls(there, make)
    out = said("sql", "select * from calls order by id")
    assert out.index("row 1") < out.index("alice") < out.index("row 2")
    assert all(f" {column.name} " in out for column in TABLES["call"].columns)


def test_sql_prints_csv_and_json(said: Callable[..., str], there: Book, make: Any) -> None:
    """For programs: CSV with a header and nothing for what is not known, JSON with every digit of money as text."""
    two_calls(there, make)
    query = "select id, caller, cost, time, tags from calls order by id"
    assert said("sql", query, "--csv") == (
        "id,caller,cost,time,tags\n"
        'a,alice,0.000250000000,2026-11-20T12:00:00.123456+00:00,"{""team"":""ops""}"\n'
        "b,,,2026-11-20T12:01:00.123456+00:00,{}\n"
    )
    assert json.loads(said("sql", query, "--json"))[0] == {
        "id": "a",
        "caller": "alice",
        "cost": "0.000250000000",
        "time": "2026-11-20T12:00:00.123456+00:00",
        "tags": {"team": "ops"},
    }
    assert said("sql", "select id from calls where id = 'z'", "--csv") == ""
    assert json.loads(said("sql", "select id from calls where id = 'z'", "--json")) == []


def test_sql_binds_its_parameters(said: Callable[..., str], there: Book, make: Any) -> None:
    """Whatever a value says it is a value: it finds the caller of that name, and drops no table. JSON is read as what
    it is, anything else is text."""
    there.append(make.call(id="evil", caller=INJECTION))
    query = "select id from calls where caller = :who"
    assert said("sql", query, "-p", f"who={INJECTION}", "--csv") == "id\nevil\n"
    assert said("sql", "select count(*) as n from calls", "--csv") == "n\n1\n"
    types = "select cast(:n as integer) + 1 as n, :t as t, cast(:e as text) as e"
    assert said("sql", types, "-p", "n=7", "-p", "t=7 apples", "-p", "e=a=b", "--csv") == "n,t,e\n8,7 apples,a=b\n"


def test_sql_reads_a_query_from_standard_input(there: Book, make: Any) -> None:
    """`-` is a query too long to type."""
    two_calls(there, make)
    command = [sys.executable, "-m", "daybook", "book", "sql", "-", "--csv"]
    query = "-- by caller\nselect count(*) as n\nfrom calls\n"
    done = subprocess.run(command, input=query, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "n\n2\n", "")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["select who from calls"], "The book refused the query: "),
        (["delete from calls"], "the book is only read, so nothing can be changed by a query."),
        (
            ["select :who", "-p", "whom=1"],
            "names the parameter :who, which was not given (given: whom). Give it: -p who",
        ),
        (["select 1", "-p", "who"], "'who' is not NAME=VALUE. Write it as -p who=alice."),
        (["select 1", "-p", "1=2"], "'1=2' is not NAME=VALUE."),
        (["select 1", "--csv", "--json"], "--json and --csv exclude each other."),
        ([""], "The query gives no rows."),
    ],
)
def test_sql_that_cannot_be_meant(said: Callable[..., str], there: Book, argv: list[str], words: str) -> None:
    """Exit code 2 and one paragraph with the database's own words or ours; the book is as it was."""
    assert words in said("sql", *argv, code=2)
    assert said("sql", "select count(*) as n from calls", "--csv") == "n\n0\n"


# ── drain ─────────────────────────────────────────────────────────────────────────────────────────────


def test_drain_says_what_it_moved(said: Callable[..., str], there: Book, make: Any) -> None:
    """Entries by kind, from how many files, once; then there is nothing left to move."""
    for record in make.each():
        there.append(record)
    there.append(make.call())
    assert said("drain") == (
        "Moved 9 entries (1 alias, 2 calls, 1 deployment, 1 event, 1 finding, 1 model, 1 run, 1 subject) from 1 file.\n"
    )
    assert said("drain") == "Moved no entries from no files.\n"
    there.append(make.call())
    told = json.loads(said("drain", "--json"))
    assert (told["entries"], told["by_kind"], told["files"], told["corrupt"]) == (1, {"call": 1}, 1, 0)


def test_drain_names_what_it_could_not_move(said: Callable[..., str], there: Book, make: Any, home: Path) -> None:
    """Corrupt lines, torn ones, repetitions and a later version's files are each a line with what becomes of them."""
    call = make.call()
    there.append(call)
    there.close()
    (first,) = (home / "journal").glob("*.jsonl")
    line = first.read_bytes()
    (home / "journal" / "0-bad.jsonl").write_bytes(b"scribble\n" + line + line + line[:40])
    (home / "journal" / "1-later.jsonl").write_bytes(b'{"v":9}\n')
    assert said("drain").splitlines() == [
        "Moved 1 entry (1 call) from 2 files.",
        "2 entries in the book already, or overtaken by a later one.",
        "1 corrupt line set aside: daybook book check.",
        "1 unfinished line of a writer that died, set aside; it was never acknowledged.",
        "1 file of a later Daybook, left for it.",
    ]


# ── export ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_export_read_again_is_the_table(said: Callable[..., str], there: Book, make: Any, tmp_path: Path) -> None:
    """Row by row and value by value, as Parquet and as CSV: money to the last digit, moments in UTC, mappings as JSON,
    and nothing for what is not known; only its owner may read it, and it is entered as an event."""
    two_calls(there, make)
    rows = there.rows("select id, caller, cost, time, tags, input_tokens from calls order by time, id")
    target = tmp_path / "calls.parquet"
    assert said("export", "calls", target) == f"2 rows of calls written to {target}.\n"
    read = [{name: row[name] for name in rows[0]} for row in pq.read_table(target).to_pylist()]
    assert [row | {"tags": json.loads(row["tags"])} for row in read] == rows
    assert target.stat().st_mode & 0o777 == 0o600

    said("export", "calls", tmp_path / "calls.txt", "--format", "csv")
    with (tmp_path / "calls.txt").open(newline="") as file:
        typed = [
            {
                "id": row["id"],
                "caller": row["caller"] or None,
                "cost": Decimal(row["cost"]) if row["cost"] else None,
                "time": datetime.fromisoformat(row["time"]).astimezone(UTC),
                "tags": json.loads(row["tags"]),
                "input_tokens": int(row["input_tokens"]) if row["input_tokens"] else None,
            }
            for row in csv.DictReader(file)
        ]
    assert typed == rows
    events = there.rows("select actor, action, object, details from events order by id")
    assert [(event["actor"], event["action"], event["object"]) for event in events] == [
        (f"cli:{user()}", "book.exported", "calls")
    ] * 2
    assert events[0]["details"] == {"path": str(target), "format": "parquet", "rows": 2}


@pytest.mark.parametrize("kind", TABLES)
def test_every_table_can_be_exported(
    said: Callable[..., str], duck: Book, make: Any, tmp_path: Path, kind: str
) -> None:
    """All five, with all their columns, in both formats."""
    for record in make.each():
        duck.append(record)
    table = TABLES[kind]
    for ending in ("parquet", "csv"):
        target = tmp_path / f"{table.name}.{ending}"
        rows = "2 rows" if (kind, ending) == ("event", "csv") else "1 row"  # the first export is an event itself
        assert said("export", table.name, target) == f"{rows} of {table.name} written to {target}.\n"
    columns = [column.name for column in table.columns]
    assert pq.read_schema(tmp_path / f"{table.name}.parquet").names == columns
    header = (tmp_path / f"{table.name}.csv").read_text().splitlines()[0]
    assert header == ",".join(f'"{column}"' for column in columns)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["cows", "x.csv"], "No table is called 'cows'. There are: calls, events, runs, findings, subjects, models,"),
        (["calls", "x.xlsx"], "'xlsx' says no format to export to. Name a .parquet or a .csv file."),
        (["calls", "x"], "'No ending' says no format to export to."),
        (["calls", "no/such/x.csv"], "no/such does not exist. Make it first."),
        (["calls", "schema_migrations; drop table calls.csv", "--format", "xml"], "Invalid value for '--format'"),
    ],
)
def test_an_export_that_cannot_be(
    project: Path, capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    """Exit code 2, what there is instead, and no file left."""
    assert main(["book", "export", *argv]) == 2
    assert words in capsys.readouterr().err
    assert [path for path in project.iterdir() if path.is_file()] == []


# ── check ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sound_book_is_said_to_be_sound(said: Callable[..., str], there: Book, make: Any) -> None:
    """Each question with its answer; an unknown price is worth a note, and no fault."""
    two_calls(there, make)
    lines = said("check").splitlines()
    assert lines[-1] == "The book is sound."
    assert [line for line in lines if line.startswith("wrong")] == []
    assert "note           1  answered calls without a cost" in lines
    told = json.loads(said("check", "--json"))
    assert {one["level"] for one in told} == {"ok", "note"}
    assert len(told) == len([line for line in lines if re.match(r"ok|note", line)])


def test_a_corrupt_line_is_found_and_said_how_to_look_at(
    said: Callable[..., str], there: Book, make: Any, home: Path
) -> None:
    """Exit code 1; the remedy is a command that, typed as it stands, shows the file, the place and the reason; what
    stood around the line is in the book."""
    two_calls(there, make)
    there.close()
    (path,) = (home / "journal").glob("*.jsonl")
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"scribble\n" + second)
    lines = said("check", code=1).splitlines()
    place = lines.index("wrong          1  corrupt journal lines set aside")
    assert lines[-1].startswith("1 of ")
    assert lines[-1].endswith(" checks found something wrong.")
    remedy = re.search(r'daybook book sql "(.*)"', lines[place + 1])
    assert remedy is not None
    assert said("sql", remedy[1], "--csv") == f"file,position,reason\n{path.name},{len(first)},it is not JSON\n"
    assert said("sql", "select id from calls order by id", "--csv") == "id\na\nb\n"


def test_rows_changed_behind_the_books_back_are_found(said: Callable[..., str], there: Book, make: Any) -> None:
    """A row taken away, and one added, by something else than a drain: exit code 1, and both are said."""
    two_calls(there, make)
    there.drain()
    with there.store.writing() as writer, writer.transaction():
        writer.execute("delete from calls where id = 'a'")
    assert "wrong          1  rows fewer than were drained\n" in said("check", code=1)
    with there.store.writing() as writer, writer.transaction():
        for name in "cd":
            writer.execute(
                "insert into calls (id, request_id, time, endpoint, status, cost) "
                f"values ('{name}', 'r', '2026-11-20 12:00:00+00', '/x', 'ok', 0)"
            )
    out = said("check", code=1)
    assert "wrong          1  rows more than were drained\n" in out
    assert "wrong          2  calls that cost nothing, and no rate says so\n" in out
    assert "Restore it from a backup" in out


# ── a book that cannot be used ────────────────────────────────────────────────────────────────────────

EVERY = (["info"], ["sql", "select 1"], ["drain"], ["export", "calls", "x.csv"], ["check"])


def test_a_newer_books_book(said: Callable[..., str], there: Book, make: Any, project: Path) -> None:
    """Every command refuses it with exit code 1, what is unknown and what to do; nothing journaled is lost."""
    there.append(make.call())
    there.drain()
    with there.store.writing() as writer, writer.transaction():
        writer.execute("insert into schema_migrations values ('0042_from_the_future', now())")
    there.append(make.call())
    for argv in EVERY:
        out = said(*argv, code=1)
        assert f"The book {there.url_shown} was written by a newer Daybook: " in out
        assert "'0042_from_the_future'. Install the newer version" in out
    assert not (project / "x.csv").exists()
    with there.store.writing() as writer, writer.transaction():
        writer.execute("delete from schema_migrations where name = '0042_from_the_future'")
    assert said("sql", "select count(*) as n from calls", "--csv") == "n\n2\n"


def test_an_unreachable_postgres(
    said: Callable[..., str], project: Path, monkeypatch: pytest.MonkeyPatch, open_book: Callable[..., Book], make: Any
) -> None:
    """Every command ends with exit code 1, the address without its password and what to do; what was journaled waits
    for the database."""
    monkeypatch.setenv("DAYBOOK_BOOK", "postgresql://ops:hunter2@127.0.0.1:1/books?password=hunter3")
    book = open_book("postgresql://ops:hunter2@127.0.0.1:1/books")
    book.append(make.call())
    book.close()
    for argv in EVERY:
        out = said(*argv, code=1)
        assert "The book postgresql://ops:***@127.0.0.1:1/books?password=*** does not answer: " in out
        assert "Start the database, or check DAYBOOK_BOOK" in out
        assert "hunter" not in out
    (path,) = (project / "home" / "journal").glob("*.jsonl")
    assert path.stat().st_size > 0


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("mysql://root:hunter2@host/x", 2, "DAYBOOK_BOOK begins with 'mysql', which is not a book. Write duckdb:///"),
        ("duckdb:////proc/book.duckdb", 1, "Check that the folder exists and is yours, or set DAYBOOK_BOOK."),
    ],
)
def test_a_place_that_is_no_book(
    said: Callable[..., str], monkeypatch: pytest.MonkeyPatch, url: str, code: int, words: str
) -> None:
    """An address of another kind is a usage error, a place that cannot be written a failure; neither shows a secret."""
    monkeypatch.setenv("DAYBOOK_BOOK", url)
    for argv in EVERY:
        out = said(*argv, code=code)
        assert words in out
        assert "hunter2" not in out


def test_a_file_that_is_no_book(said: Callable[..., str], home: Path) -> None:
    """It is named and left as it is."""
    home.mkdir()
    (home / "book.duckdb").write_text("dear diary")
    for argv in EVERY:
        assert f"The book {home}/book.duckdb cannot be used: " in said(*argv, code=1)
    assert (home / "book.duckdb").read_text() == "dear diary"
