"""Importing a trace: all of it or nothing, once, with the same tokens to the unit."""

import hashlib
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from daybook.book import Book
from daybook.book.traces import azure_trace
from daybook.cli import main
from daybook.errors import BadParameter

HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
ROWS = ["2023-11-16 18:15:46.6805900,374,44\n", "2023-11-16 18:15:50.9951690,396,109\n", "2023-11-17 00:00:00,1000,0\n"]
TRACE = HEAD + "".join(ROWS)
REAL = Path(os.environ.get("DAYBOOK_DATA") or Path(__file__).parents[3] / "shared" / "data") / "traces"


@pytest.fixture
def book(book_url, home):
    with Book(book_url, home) as made:
        yield made


@pytest.fixture
def duck(home):
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as made:
        yield made


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes, name: str = "trace.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def rows(book):
    return book.rows("select * from calls order by request_id")


def test_each_row_becomes_a_call_with_what_the_trace_knows(book, file):
    """Time to the microsecond in UTC, tokens, the model that was named; latency, caller and end are unknown."""
    done = azure_trace(book, file(TRACE), model="gpt-4o-mini", provider="openai")
    assert (done.rows, done.added, done.input_tokens, done.output_tokens, done.unpriced) == (3, 3, 1_770, 153, 0)
    first = rows(book)[0]
    assert first["time"] == datetime(2023, 11, 16, 18, 15, 46, 680_590, tzinfo=UTC)
    assert (first["input_tokens"], first["output_tokens"], first["usage_reported"]) == (374, 44, True)
    assert (first["provider"], first["requested_model"], first["served_model"]) == ("openai", *["gpt-4o-mini"] * 2)
    assert (first["latency"], first["first_token"], first["caller"], first["finish_reason"]) == (None,) * 4
    assert (first["status"], first["endpoint"]) == ("ok", "import")
    # 374 x 0.15 + 44 x 0.60 = 82.5 millionths
    assert first["cost"] == Decimal("0.0000825")


def test_calls_are_priced_by_the_rate_of_their_own_day(duck, file):
    """deepseek-v4-flash cost 0.14 a million on 16 August 2026 and 0.22 the day after."""
    trace = HEAD + "2026-08-16 23:59:59,1000000,0\n2026-08-17 00:00:00,1000000,0\n"
    azure_trace(duck, file(trace), model="deepseek-v4-flash", provider="deepseek")
    assert [row["cost"] for row in rows(duck)] == [Decimal("0.14"), Decimal("0.22")]


def test_without_a_model_there_is_no_price(duck, file):
    """Unknown, not free."""
    assert azure_trace(duck, file(TRACE)).unpriced == 3
    assert {(row["cost"], row["provider"], row["requested_model"]) for row in rows(duck)} == {(None, None, None)}


def test_the_provider_is_the_one_the_models_name_points_to(duck, file):
    """So that the book can group by it."""
    azure_trace(duck, file(TRACE), model="gpt-4o-mini", caller="replay", project="load")
    assert {(row["provider"], row["caller"], row["project"]) for row in rows(duck)} == {("openai", "replay", "load")}


def test_importing_twice_adds_nothing(book, file):
    """The same file, whatever it is called now and whatever model is named now."""
    azure_trace(book, file(TRACE), model="gpt-4o-mini")
    before = rows(book)
    done = azure_trace(book, file(TRACE, "copy.csv"), model="gpt-4o")
    assert (done.rows, done.added) == (3, 0)
    assert rows(book) == before


def test_an_interrupted_import_goes_on_where_it_stopped(book, file):
    """Stopped after the first call of three was entered: the next import adds the other two, under the same ids."""

    class Stopped(Exception):
        pass

    append, seen = book.append, []

    class Stopping:
        def __getattr__(self, name):
            return getattr(book, name)

        def append(self, record):
            if seen:
                raise Stopped
            seen.append(record)
            append(record)

    with pytest.raises(Stopped):
        azure_trace(Stopping(), file(TRACE))
    assert azure_trace(book, file(TRACE)).added == 2
    assert len(rows(book)) == 3


def test_two_equal_rows_are_two_calls(duck, file):
    """A trace may well have two alike requests at once."""
    assert azure_trace(duck, file(HEAD + ROWS[0] * 2)).added == 2


@pytest.mark.parametrize(
    "content",
    [
        "GeneratedTokens,Extra,TIMESTAMP,ContextTokens\n44,x,2023-11-16 18:15:46.68059,374\n",
        "timestamp,CONTEXTTOKENS, GeneratedTokens\n2023-11-16T18:15:46.680590Z,374,44\n",
        HEAD + "2023-11-16 19:15:46.6805900+01:00,374,44\n",
        HEAD + "2023-11-16 18:15:46.6805900,374,44",
        HEAD.replace("\n", "\r\n") + "2023-11-16 18:15:46.6805900,374,44\r\n\r\n",
        b"\xef\xbb\xbf" + HEAD.encode() + b'"2023-11-16 18:15:46.6805900", 374 ,44\n',
    ],
    ids=["other columns", "case and Z", "time zone", "no last line end", "CRLF", "BOM and quotes"],
)
def test_traces_of_the_same_shape_are_read(duck, file, content):
    """Column order, further columns, time zones, line ends and a byte order mark do not matter."""
    azure_trace(duck, file(content))
    (row,) = rows(duck)
    assert row["time"] == datetime(2023, 11, 16, 18, 15, 46, 680_590, tzinfo=UTC)
    assert (row["input_tokens"], row["output_tokens"]) == (374, 44)


def test_times_without_a_zone_are_in_the_zone_that_is_named(duck, file):
    """18:15 in Berlin in November is 17:15 UTC."""
    azure_trace(duck, file(TRACE), zone="Europe/Berlin")
    assert rows(duck)[0]["time"].hour == 17


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("2023-11-16 18:15:46,x,44\n", "line 3: ContextTokens is 'x'"),
        ("2023-11-16 18:15:46,374,\n", "line 3: GeneratedTokens is ''"),
        ("2023-11-16 18:15:46,-1,44\n", "line 3: ContextTokens is '-1'"),
        ("2023-11-16 18:15:46,3.5,44\n", "line 3: ContextTokens is '3.5'"),
        ("2023-11-16 18:15:46,99999999999999999999,4\n", "line 3: ContextTokens is '99999999999999999999'"),
        ("2023-11-16 25:15:46,1,44\n", "line 3: '2023-11-16 25:15:46' is no time"),
        ("2023-11-16 18:15:46,1\n", "line 3 has 2 cells instead of 3"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_entered(duck, file, bad, says):
    """Line numbers as an editor shows them; the good rows around it are not entered either."""
    with pytest.raises(BadParameter, match="1 of 3 rows cannot be read, so none was imported") as refused:
        azure_trace(duck, file(HEAD + ROWS[0] + bad + ROWS[1]), model="gpt-4o-mini")
    assert says in str(refused.value)
    assert rows(duck) == []
    assert duck.rows("select count(*) as n from events") == [{"n": 0}]


def test_of_many_bad_rows_ten_are_named_and_all_are_counted(duck, file):
    with pytest.raises(BadParameter) as refused:
        azure_trace(duck, file(HEAD + "now,1,1\n" * 25))
    assert "25 of 25 rows" in str(refused.value)
    assert str(refused.value).count("is no time") == 10
    assert "and 15 more" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is no Azure trace"),
        ("a,b,c\n1,2,3\n", "timestamp, contexttokens, generatedtokens"),
        ("TIMESTAMP,TIMESTAMP,ContextTokens,GeneratedTokens\n", "timestamp once each"),
        (HEAD, "has a heading but no rows"),
        (b"\x00\x01\x02\xff\xfe" * 50, "trace.csv"),
    ],
)
def test_what_is_no_trace_is_refused(duck, file, content, says):
    with pytest.raises(BadParameter) as refused:
        azure_trace(duck, file(content))
    assert says in str(refused.value)


def test_a_file_that_is_not_there_is_refused(duck, tmp_path):
    with pytest.raises(BadParameter, match="cannot be read"):
        azure_trace(duck, tmp_path / "none.csv")
    with pytest.raises(BadParameter, match="no time zone"):
        azure_trace(duck, tmp_path / "none.csv", zone="Mars/Olympus")


def test_progress_goes_from_nothing_to_all(duck, file):
    """In steps that only grow, and to the end."""
    seen = []
    azure_trace(duck, file(HEAD + ROWS[0] * 5_000), progress=lambda done, total: seen.append(done / total))
    assert len(seen) > 5
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_an_import_leaves_an_event(duck, file):
    """Which file, by its digest, and how many calls."""
    done = azure_trace(duck, file(TRACE))
    (event,) = duck.rows("select action, object from events")
    assert event == {"action": "trace.imported", "object": done.digest}


def test_the_command_reports_sums_and_prices(file, home, capsys, monkeypatch, tmp_path):
    """What came in, how much of it was new, and what has no price; a bad file is a usage error."""
    monkeypatch.setenv("DAYBOOK_HOME", str(home))
    monkeypatch.delenv("DAYBOOK_BOOK", raising=False)
    monkeypatch.chdir(tmp_path)
    path = str(file(TRACE))
    assert main(["import", "azure-trace", path]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "3 requests from 2023-11-16 18:15 to 2023-11-17 00:00 UTC; 1,770 input and 153 output tokens."
    assert out[1] == "3 added."
    assert out[2] == "3 have no price: name a model with --model to price them."
    assert main(["import", "azure-trace", path]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "0 added, 3 were in the book already."
    assert main(["import", "azure-trace", str(tmp_path / "none.csv")]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not (REAL / "AzureLLMInferenceTrace_conv.csv").exists(), reason="the public trace is not beside us")
def test_the_real_trace_adds_up_to_the_unit(duck):
    """19,366 requests, 22,361,870 tokens in, 4,088,665 out: in the answer and in the book. At 0.15 and 0.60 that is
    5.8074795 dollars."""
    done = azure_trace(duck, REAL / "AzureLLMInferenceTrace_conv.csv", model="gpt-4o-mini", provider="openai")
    assert (done.rows, done.added, done.input_tokens, done.output_tokens) == (19_366, 19_366, 22_361_870, 4_088_665)
    sums = "select count(*) as n, sum(input_tokens) as i, sum(output_tokens) as o, sum(cost) as c from calls"
    assert duck.rows(sums) == [{"n": 19_366, "i": 22_361_870, "o": 4_088_665, "c": Decimal("5.8074795")}]


@pytest.mark.parametrize("count", ["0", str(2**53)])
def test_the_largest_count_is_one(duck, file, count):
    """To the unit."""
    azure_trace(duck, file(HEAD + f"2023-11-16 18:15:46,{count},{count}\n"))
    (row,) = rows(duck)
    assert (row["input_tokens"], row["output_tokens"]) == (int(count), int(count))


@pytest.mark.parametrize("count", [str(2**53 + 1), "1" + "0" * 16, "²", "١", "1 0", "+1"])
@pytest.mark.parametrize("column", ["ContextTokens", "GeneratedTokens"])
def test_more_is_none_nor_is_what_only_looks_like_digits(duck, file, count, column):
    """Named by its column."""
    cells = f"{count},1" if column == "ContextTokens" else f"1,{count}"
    with pytest.raises(BadParameter, match=f"line 2: {column} is "):
        azure_trace(duck, file(HEAD + f"2023-11-16 18:15:46,{cells}\n"))


def test_a_trace_is_known_by_its_earliest_and_latest_row(duck, file):
    """In whatever order they stand; the event says how many rows and of which model, and names the file."""
    done = azure_trace(duck, file(HEAD + "".join((ROWS[1], ROWS[2], ROWS[0]))), model="gpt-4o-mini")
    assert done.first == datetime(2023, 11, 16, 18, 15, 46, 680_590, tzinfo=UTC)
    assert done.last == datetime(2023, 11, 17, tzinfo=UTC)
    assert done.digest == "sha256:" + hashlib.sha256((duck.home.parent / "trace.csv").read_bytes()).hexdigest()
    azure_trace(duck, file(HEAD + "".join((ROWS[1], ROWS[2], ROWS[0]))))
    events = duck.rows("select actor, details from events order by time")
    assert [event["actor"] for event in events] == ["import", "import"]
    details = {"file": "trace.csv", "rows": 3}
    assert [event["details"] for event in events] == [
        details | {"added": 3, "model": "gpt-4o-mini"}, details | {"added": 0, "model": None},
    ]  # fmt: skip


@pytest.mark.parametrize("n", [9, 10, 11])
def test_up_to_ten_bad_rows_are_all_named(duck, file, n):
    """The eleventh is counted."""
    with pytest.raises(BadParameter) as refused:
        azure_trace(duck, file(HEAD + "now,1,1\n" * n))
    assert refused.value.message.count("is no time") == min(n, 10)
    assert ("; and 1 more" in refused.value.message) == (n == 11)
    assert refused.value.remedy == "Mend or remove these lines and import again."


def test_an_imported_call_has_the_time_and_place_of_its_row_in_its_id(duck, file):
    """The same file gives the same ids anywhere: version and variant of a UUIDv8, the time first, no two alike."""
    azure_trace(duck, file(HEAD + ROWS[0] * 2 + ROWS[2]))
    ids = [row["id"] for row in rows(duck)]
    assert len(set(ids)) == 3
    for id_, row in zip(ids, rows(duck), strict=True):
        assert int(id_[:12], 16) == int(row["time"].timestamp() * 1000)
        assert (id_[12], id_[16] in "89ab", len(id_)) == ("8", True, 32)
    digest = hashlib.sha256((HEAD + ROWS[0] * 2 + ROWS[2]).encode()).hexdigest()
    assert [row["request_id"] for row in rows(duck)] == [f"trace-{digest[:20]}-{n}" for n in (2, 3, 4)]
    assert {row["tags"]["digest"] for row in rows(duck)} == {f"sha256:{digest[:20]}"}
    assert {row["tags"]["trace"] for row in rows(duck)} == {"trace.csv"}
