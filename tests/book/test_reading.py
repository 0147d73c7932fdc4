"""Reading: values as they were entered, parameters bound, alike from both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from daybook.book import Book
from daybook.book.stores import parameters
from daybook.errors import BadParameter
from tests.book.conftest import NOON

INJECTION = "'); drop table calls; --"


def test_a_parameter_is_a_value_and_never_sql(book: Book, make: Any) -> None:
    """A string that would end the statement is found as the string that it is, and does nothing."""
    book.append(make.call(caller=INJECTION, tags={"x": INJECTION}))
    book.append(make.call(caller="alice"))
    rows = book.rows("select caller, tags, :who as said from calls where caller = :who", {"who": INJECTION})
    assert rows == [{"caller": INJECTION, "tags": {"x": INJECTION}, "said": INJECTION}]
    assert book.rows("select count(*) as n from calls") == [{"n": 2}]


def test_values_of_every_kind_can_be_bound(book: Book) -> None:
    """Text, whole numbers, money, times with any zone, dates, truth, nothing and lists go in and come out."""
    moment = datetime(2026, 11, 20, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    params = {"m": Decimal("1234567890.123456789012"), "t": moment, "d": date(2026, 11, 20), "b": True, "n": None}
    query = (
        "select cast(:m as decimal(24, 12)) as m, cast(:t as timestamptz) as t, cast(:d as date) as d, "
        "cast(:b as boolean) as b, cast(:n as bigint) as n, cast(:i as bigint) as i, cast(:s as text) as s"
    )
    (row,) = book.rows(query, params | {"i": 2**62, "s": "50% of :m 'quoted'"})
    assert row == params | {"t": moment.astimezone(UTC), "i": 2**62, "s": "50% of :m 'quoted'"}
    assert row["t"].tzinfo is UTC
    assert book.rows("select 2 = any(:l) as yes", {"l": [1, 2]}) == [{"yes": True}]


def test_what_only_looks_like_a_parameter_is_left(book: Book) -> None:
    """Colons and percent signs in strings, names, comments and casts are what they are to the database."""
    query = """
        select ':a' as "x:a", '5' :: integer as n, '100%' as p, 7 % 4 as rest,  -- :not %(this)s
               'it''s :a' as q /* nor :this */, :a as "a:b"
    """
    assert book.rows(query, {"a": "yes"}) == [
        {"x:a": ":a", "n": 5, "p": "100%", "rest": 3, "q": "it's :a", "a:b": "yes"}
    ]


def test_a_missing_parameter_is_named(book: Book) -> None:
    """The message says which one, and which were given."""
    with pytest.raises(BadParameter, match=r"names the parameter :who, which was not given \(given: whom\)"):
        book.rows("select :who", {"whom": 1})


@pytest.mark.parametrize("query", ["select nothing from calls", "selct 1", "select 1 from nowhere", "", "select 1/"])
def test_a_query_that_is_none_is_refused(book: Book, query: str) -> None:
    """The database's own words, in one line, as a usage error; nothing else is raised."""
    with pytest.raises(BadParameter) as caught:
        book.rows(query)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "query",
    [
        "delete from calls",
        "update calls set cost = 0",
        "drop table calls",
        "create table mine (x integer)",
        "insert into events select * from events",
    ],
)
def test_reading_changes_nothing(book: Book, make: Any, query: str) -> None:
    """Whatever a query says, the book is only read."""
    book.append(make.call())
    with pytest.raises(BadParameter, match="read-only"):
        book.rows(query)
    assert book.rows("select count(*) as n from calls") == [{"n": 1}]


@pytest.mark.parametrize(
    "query",
    [
        "select 1; delete from calls",
        "set transaction read write; delete from calls",
        "begin read write; delete from calls; commit",
        "set default_transaction_read_only = off",
        "/* a */ -- b\n copy calls to program 'cat'",
    ],
)
def test_a_query_begins_no_transaction_of_its_own(book: Book, make: Any, query: str) -> None:
    """Several statements in one, which could first allow themselves to write, are refused, and so are commands."""
    book.append(make.call())
    with pytest.raises(BadParameter):
        book.rows(query)
    assert book.rows("select count(*) as n from calls;") == [{"n": 1}]


def test_no_column_hides_another(book: Book) -> None:
    """Of columns that are called alike each is there, as a row and in a frame."""
    query = "select 1 as a, 2 as a, 3 as a_1"
    assert book.rows(query) == [{"a": 1, "a_1": 2, "a_1_1": 3}]
    assert book.sql(query).columns.tolist() == ["a", "a_1", "a_1_1"]


def test_a_query_reaches_no_other_file(duck: Book, tmp_path: Path) -> None:
    """DuckDB could read and write any file of the machine; a query of the book cannot."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for query in (
        f"select * from read_csv('{tmp_path / 'secret.csv'}')",
        f"copy (select 1) to '{tmp_path / 'out.csv'}'",
        f"attach '{tmp_path / 'other.duckdb'}' as other",
    ):
        with pytest.raises(BadParameter):
            duck.rows(query)
    assert not (tmp_path / "out.csv").exists()


def test_money_is_exact_to_the_last_digit(book: Book, make: Any) -> None:
    """A thousand costs of twelve places add up to their sum, not to a float near it; the largest keeps all digits."""
    for n in range(1000):
        book.append(make.call(cost=Decimal(n) / 10**12))
    assert book.rows("select sum(cost) as s from calls") == [{"s": Decimal("0.000000499500")}]
    book.append(make.call(cost=Decimal("999999999999.999999999999")))
    assert book.rows("select max(cost) as m from calls") == [{"m": Decimal("999999999999.999999999999")}]
    frame = book.sql("select sum(cost) as s from calls")
    assert frame["s"].tolist() == [Decimal("1000000000000.000000499499")]


def test_times_are_aware_utc_whatever_the_machine(book: Book, make: Any) -> None:
    """An entry of another zone is the same moment; the day it counts for is the UTC day."""
    at = datetime(2026, 11, 20, 23, 30, 0, 1, tzinfo=timezone(timedelta(hours=-5)))
    book.append(make.call(at=at))
    (row,) = book.rows("select time, cast(time as date) as day from calls")
    assert row == {"time": at, "day": date(2026, 11, 21)}
    assert row["time"].tzinfo is UTC
    frame = book.sql("select time from calls")
    assert str(frame["time"].dtype) == "datetime64[us, UTC]"
    assert frame["time"][0] == at


def test_a_process_in_another_zone_reads_the_same(book: Book, make: Any, home: Path) -> None:
    """The zone of the process that reads changes neither the moment nor the day."""
    book.append(make.call(at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC)))
    book.drain()
    code = (
        "import sys; from pathlib import Path; from daybook.book import Book;"
        "print(Book(sys.argv[1], Path(sys.argv[2])).rows('select time, cast(time as date) as day from calls'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, book.store.url, str(home)],
        env={"TZ": "Asia/Kolkata", "PGTZ": "Asia/Kolkata", "PATH": "/usr/bin"},
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    expected = "[{'time': datetime.datetime(2026, 11, 20, 23, 30, tzinfo=datetime.timezone.utc), 'day': datetime.date(2026, 11, 20)}]"  # noqa: E501 - one value
    assert done.stdout.strip() == expected


def test_a_frame_keeps_what_is_known(book: Book, make: Any) -> None:
    """Counts stay integers where some are missing, sums of counts are integers, mappings are mappings, and a missing
    cost is no 0."""
    book.append(make.call(id="a", input_tokens=2**53 + 1, cost=None, truncated=None, tags={"k": [1]}))
    book.append(make.call(id="b", input_tokens=None, cost=Decimal(1), truncated=True))
    frame = book.sql("select id, input_tokens, attempts, cost, truncated, tags, caller from calls order by id")
    assert str(frame["input_tokens"].dtype) == "Int64"
    assert frame["input_tokens"][0] == 2**53 + 1
    assert str(frame["attempts"].dtype) == "int64"
    assert frame["cost"].tolist() == [None, Decimal("1.000000000000")]
    assert str(frame["truncated"].dtype) == "boolean"
    assert frame["tags"].tolist() == [{"k": [1]}, {}]
    assert frame["caller"].isna().all()
    assert book.rows("select sum(input_tokens) as s, count(*) as n from calls") == [{"s": 2**53 + 1, "n": 2}]
    assert str(book.sql("select sum(input_tokens) as s from calls")["s"].dtype) == "int64"


def test_an_empty_result_has_its_columns(book: Book) -> None:
    """No rows are no error; the frame has the columns."""
    assert book.rows("select id, cost from calls") == []
    assert book.sql("select id, cost from calls").columns.tolist() == ["id", "cost"]
    assert book.rows("select sum(cost) as s, min(time) as t from calls") == [{"s": None, "t": None}]


def test_a_named_query_is_the_databases_own(book: Book) -> None:
    """A `.postgres.sql` file is preferred on Postgres; an unknown name is answered with the known ones."""
    assert "from calls" in book.query_text("costs_first")
    with pytest.raises(BadParameter, match=r"No query is called 'nope'.*costs_first"):
        book.query("nope")
    assert book.query("costs_first").columns.tolist() == ["first"]


def test_two_results_of_one_connection_do_not_meet(book: Book, make: Any) -> None:
    """Through SQLAlchemy, a loop over one result that runs a query for each row sees every row, and a result that is
    half read when another begins keeps its other half. (One dialect for DuckDB lost them silently.)"""
    call = make.call()
    for n in range(300):
        book.append(replace(call, id=f"{n:04}", input_tokens=n))
    with book.engine().connect() as connection:
        outer = connection.execute(text("select id, input_tokens from calls order by id"))
        seen = []
        for id_, tokens in outer:
            inner = connection.execute(text("select input_tokens from calls where id = :id"), {"id": id_}).scalar_one()
            seen.append(inner == tokens)
        assert seen == [True] * 300
        half = connection.execute(text("select id from calls order by id"))
        first = half.fetchmany(3)
        assert connection.execute(text("select count(*) from calls")).scalar_one() == 300
        assert len(first) + len(half.fetchall()) == 300


def test_draining_brings_in_no_pandas(book: Book, make: Any, home: Path) -> None:
    """The endpoint drains in its own process; pandas, papermill and Prefect stay out of it, even where a run is
    upserted and a line set aside."""
    for record in make.each():
        book.append(record)
    (home / "journal" / "0-bad.jsonl").write_bytes(b"bad\n")
    code = (
        "import sys; from pathlib import Path; from daybook.book import Book;"
        "drained = Book(sys.argv[1], Path(sys.argv[2])).drain();"
        "print(drained.entries, drained.corrupt, sorted({'pandas', 'papermill', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, book.store.url, str(home)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == f"{len(make.each())} 1 []"


def test_binding_marks_are_the_drivers_own() -> None:
    """DuckDB gets $name, psycopg %(name)s with every other percent sign doubled."""
    params = {"a": 1, "b": 2}
    assert parameters.for_duckdb("select :a, :b, :a, 5 % 2, x::int", params) == (
        "select $a, $b, $a, 5 % 2, x::int",
        params,
    )
    assert parameters.for_postgres("select :a % 2, '%:b'", params) == ("select %(a)s %% 2, '%%:b'", {"a": 1})


def test_unused_parameters_are_no_error(book: Book, open_book: Callable[..., Book]) -> None:
    """A caller may give more than a query names."""
    assert book.rows("select :a as a", {"a": 1, "b": 2}) == [{"a": 1}]


@pytest.mark.parametrize(
    ("counts", "total"),
    [
        ((None, None), None),
        ((0, None), 0),
        ((3, 4), 7),
        ((10**12 - 1, 1), 10**12),
        ((10**12, 10**12), 2 * 10**12),
        ((10**12 + 1, 1), 10**12 + 1),
        ((2**63 - 1,) * 3, 3 * 10**12),
    ],
)
def test_what_an_upstream_counted_can_always_be_added_up(book: Book, make: Any, counts: Any, total: int | None) -> None:
    """However absurd a count is that the book keeps, the figures of its day can be read: it counts as 10¹²."""
    for count in counts:
        usage = dict.fromkeys(("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"), count)
        book.append(make.call(cost=Decimal(0), endpoint="/v1/chat/completions", **usage))
    window = {"start": NOON - timedelta(days=1), "end": NOON + timedelta(days=1)}
    for name in ("costs_calls", "traffic_calls"):
        (row,) = book.rows(book.query_text(name), window)
        assert {row[column] for column in ("input_tokens", "cached_tokens", "output_tokens")} == {total}
    priced = book.rows(book.query_text("costs_tokens"), window | {"most": 2**63 - 1})
    known = [count for count in counts if count is not None]
    assert [(row["calls"], row["input_tokens"], row["reasoning_tokens"]) for row in priced] == (
        [(len(known), total, total)] if known else []
    )
