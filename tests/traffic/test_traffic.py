"""Traffic read from a small book whose every figure is known, on DuckDB and on Postgres."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from daybook.book import Book
from daybook.errors import BadDate, BadParameter
from daybook.records import Call
from daybook.reporting.tables import to_records
from daybook.traffic.figures import LibraryCalls
from daybook.traffic.report import Traffic

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TABLES = ("by_day", "by_caller", "by_model", "errors", "latency", "first_token")
CHARTS = ("chart_volume", "chart_callers", "chart_errors", "chart_latency", "chart_first_token")


def call(n, at=NOON, **fields):
    known = {
        "caller": "ann",
        "endpoint": "/v1/chat/completions",
        "requested_model": "gpt-4o-mini",
        "provider": "openai",
        "served_model": "gpt-4o-mini-2024-07-18",
        "input_tokens": 100,
        "output_tokens": 10,
        "usage_reported": True,
        "latency": 1.0,
        "status": "ok",
        "finish_reason": "stop",
    }
    return Call(id=f"{n:032x}", request_id=f"r{n}", at=at, **(known | fields))


FAILED = {
    "status": "error",
    "served_model": None,
    "input_tokens": None,
    "output_tokens": None,
    "usage_reported": None,
    "finish_reason": None,
}

CALLS = [
    call(1, latency=1.0, cached_tokens=40),
    call(2, latency=2.0, stream=True, first_token=0.25),
    call(3, latency=3.0, caller="bob", provider="local", requested_model="smollm2", truncated=False),
    call(4, latency=4.0, caller="bob", provider="local", requested_model="smollm2", truncated=True),
    call(5, latency=5.0, finish_reason="length", usage_reported=False, attempts=2),
    call(6, latency=6.0, fallback_from="claude", requested_model="claude", served_model="gpt-4o", attempts=3),
    call(7, latency=30.0, error_kind="timeout", **FAILED),
    call(8, latency=30.0, error_kind="timeout", **FAILED),
    call(9, latency=0.1, error_kind="model_not_found", provider=None, requested_model="gpt5", **FAILED),
    call(10, status="client_closed", stream=True, first_token=0.5, finish_reason=None, latency=9.0),
]


@pytest.fixture
def book(book_url, home):
    with Book(book_url, home) as made:
        yield made


@pytest.fixture
def filled(book):
    for one in CALLS:
        book.append(one)
    return book


def test_every_count_is_the_one_counted_by_hand(filled):
    """Ten calls: three failed, one client went away, two streamed, one fell back, two were retried."""
    found = Traffic.read(filled, logical_date=DAY, days=1)
    assert found.calls == 10
    assert (found.failed.hits, found.failed.n) == (3, 10)
    assert (found.closed.hits, found.closed.n) == (1, 10)
    assert (found.streamed.hits, found.streamed.n) == (2, 10)
    assert (found.fallbacks.hits, found.retried.hits) == (1, 2)
    assert (found.truncated.hits, found.truncated.n) == (1, 2)
    assert (found.cut_off.hits, found.cut_off.n) == (1, 6)


def test_errors_by_kind_have_a_share_of_all_calls_with_interval(filled):
    """Two of ten: 20 %, Wilson 5.7 % to 51.0 %; one of ten: 10 %, 1.8 % to 40.4 %."""
    rows = to_records(Traffic.read(filled, logical_date=DAY, days=1).errors)
    assert [(row["kind"], row["calls"], row["rate"]) for row in rows] == [
        ("timeout", 2, 0.2),
        ("model_not_found", 1, 0.1),
    ]
    assert (rows[0]["low"], rows[0]["high"]) == (pytest.approx(0.05668, abs=1e-5), pytest.approx(0.50984, abs=1e-5))
    assert (rows[1]["low"], rows[1]["high"]) == (pytest.approx(0.01788, abs=1e-5), pytest.approx(0.40415, abs=1e-5))


def test_errors_of_equal_number_stand_by_name(book):
    """Most frequent first, then by the alphabet, whatever order they came in."""
    kinds = ["unavailable", "auth", "timeout", "timeout", "bad_request"]
    for n, kind in enumerate(kinds):
        book.append(call(n, error_kind=kind, **FAILED))
    rows = to_records(Traffic.read(book, logical_date=DAY, days=1).errors)
    assert [row["kind"] for row in rows] == ["timeout", "auth", "bad_request", "unavailable"]


def test_models_are_named_by_what_was_asked_and_after_a_fallback_by_what_served(filled):
    """A failed call counts where its answered sisters do; what no provider knows has no model."""
    rows = to_records(Traffic.read(filled, logical_date=DAY, days=1).by_model)
    assert [(row["model"], row["calls"], row["failed"]) for row in rows] == [
        ("openai/gpt-4o-mini", 6, 2),
        ("local/smollm2", 2, 0),
        ("(no provider)", 1, 1),
        ("openai/gpt-4o", 1, 0),
    ]


def test_a_model_asked_for_with_its_provider_is_not_named_twice(book):
    """`openai/gpt-4o` at openai stays `openai/gpt-4o`."""
    book.append(call(1, requested_model="openai/gpt-4o"))
    assert list(Traffic.read(book, logical_date=DAY, days=1).by_model["model"]) == ["openai/gpt-4o"]


def test_latency_is_that_of_answered_calls(filled):
    """1 to 6 seconds: the median is the third of six, its interval the first to the sixth; p95 is not bounded above.
    Failed calls and the client that went away do not count; nor do they for the time to first token."""
    found = Traffic.read(filled, logical_date=DAY, days=1)
    p50 = found.quantile("latency", 0.50)
    p95 = found.quantile("latency", 0.95)
    assert (p50.value, p50.low, p50.high) == (3.0, 1.0, 6.0)
    assert (p95.value, p95.high) == (6.0, None)
    first = found.quantile("first_token", 0.50)
    assert (first.value, first.low, first.high) == (0.25, None, None)
    rows = to_records(found.latency)
    assert [(row["model"], row["n"]) for row in rows] == [
        ("(all)", 6),
        ("openai/gpt-4o-mini", 3),
        ("local/smollm2", 2),
        ("openai/gpt-4o", 1),
    ]


def test_quantiles_of_a_hundred_calls(book):
    """Latencies 1 to 100: p50 is 50 within 40 and 61, p95 is 95 within 90 and 100, p99 is 99 from 97 up. The values
    are those of the calls, never between two."""
    for n in range(1, 101):
        book.append(call(n, latency=float(n)))
    found = Traffic.read(book, logical_date=DAY, days=1)
    points = [found.quantile("latency", p) for p in (0.50, 0.95, 0.99)]
    assert [(q.value, q.low, q.high) for q in points] == [(50.0, 40.0, 61.0), (95.0, 90.0, 100.0), (99.0, 97.0, None)]


def test_an_answer_out_of_a_cache_says_nothing_about_latency(book):
    """It is a call, but not a measurement."""
    book.append(call(1, latency=0.001, cache_hit=True))
    found = Traffic.read(book, logical_date=DAY, days=1)
    assert found.calls == 1
    assert found.quantile("latency", 0.5) is None


def test_tokens_are_the_sums_of_what_was_counted(filled):
    """Seven counted calls of 100 and 10; 40 came from a cache; the sums leave the other three out."""
    found = {row["name"]: row for row in Traffic.read(filled, logical_date=DAY, days=1).findings()}
    assert (found["input_tokens"]["value"], found["input_tokens"]["n"]) == (700.0, 7)
    assert found["output_tokens"]["value"] == 70.0
    assert found["cached_tokens"]["value"] == 40.0
    assert found["reasoning_tokens"]["value"] is None


def test_the_window_is_whole_utc_days(book):
    """From the first midnight, included, to the last, excluded, whatever the zone a time was written in."""
    start = datetime(2026, 11, 19, tzinfo=UTC)
    berlin = timezone(timedelta(hours=1))
    times = [
        start - timedelta(microseconds=1),
        start,
        datetime(2026, 11, 21, 0, 59, 59, 999_999, tzinfo=berlin),
        datetime(2026, 11, 21, 1, 0, tzinfo=berlin),
    ]
    for n, at in enumerate(times):
        book.append(call(n, at=at))
    found = Traffic.read(book, logical_date=DAY, days=2)
    assert [(row["day"], row["calls"]) for row in to_records(found.by_day)] == [(date(2026, 11, 19), 1), (DAY, 1)]
    assert [row["hour"] for row in found.rows] == [0, 23]


def test_days_without_calls_are_rows_too(filled):
    """Seven days, six of them silent: 0 calls is known, a rate of nothing is not."""
    rows = to_records(Traffic.read(filled, logical_date=DAY, days=7).by_day)
    assert [row["calls"] for row in rows] == [0, 0, 0, 0, 0, 0, 10]
    assert rows[0]["failed_rate"] is None
    assert rows[0]["input_tokens"] is None


def test_an_empty_window_is_unknown_and_never_zero_per_cent(book):
    """No call: counts are 0, everything else None; tables, charts and prose work, and no nan is seen."""
    found = Traffic.read(book, logical_date=DAY, days=7)
    values = {row["name"]: row["value"] for row in found.findings()}
    assert values.pop("calls") == 0.0
    assert set(values.values()) == {None}
    prose = [found.prose, found.errors_prose, found.latency_prose, found.paths_prose, found.tokens_prose]
    assert found.prose.startswith("**No calls** from 2026-11-14 to 2026-11-20 (UTC).")
    text = " ".join([*prose, found.summary(), *(found.table(name).to_html() for name in TABLES)]).lower()
    assert "nan" not in text.replace("openai", "")
    assert "0 %" not in text.replace("\u00a0", " ").replace("not 0 %", "")
    for name in CHARTS:
        assert getattr(found, name)().to_png()[0].startswith(b"\x89PNG")


def test_prose_says_what_the_figures_say(filled):
    """The sentences carry the numbers of this book, to the digit."""
    found = Traffic.read(filled, logical_date=DAY, days=1)
    assert (
        found.volume_prose.replace("\u00a0", " ")
        == "**10 calls** from 2026-11-20 (UTC). 2 callers; `ann` made 80.0 % of the calls."
    )
    assert found.errors_prose.replace("\u00a0", " ") == (
        "**3 calls failed: 30.0 %** (95 % interval 10.8 % to 60.3 %). By kind: `timeout` (2) and `model_not_found` (1)."
    )
    assert found.latency_prose.replace("\u00a0", " ") == (
        "Latency of 6 answered calls: half took at most **3.00 s** (95 % interval 1.00 s to 6.00 s), 95 of 100 at"
        " most **6.00 s** (95 % interval: at least 4.00 s), 99 of 100 at most **6.00 s** (95 % interval: at least"
        " 5.00 s). 6 calls are too few to bound the 95th and 99th percentile from above. Time to first token of 1"
        " streamed call: half took at most **0.25 s**, 95 of 100 at most **0.25 s**, 99 of 100 at most **0.25 s**"
        " (95 % interval: at least 0.25 s). 1 call is too few to bound the 50th, 95th and 99th percentile from above."
    )
    assert found.paths_prose.replace("\u00a0", " ") == (
        "20.0 % of the calls were streamed. 1 call fell back to another model; 2 calls were retried. In 1 call the"
        " client went away before the end. Of 2 calls it is known whether the prompt was truncated: 1 was. 1 answer"
        " stopped at the token limit."
    )
    assert found.tokens_prose.replace("\u00a0", " ") == (
        "**700 input** and **70 output tokens** in 7 calls; for the other 3 the count is unknown; 1 of the counts are"
        " estimates. 5.7 % of the input came from caches."
    )


def test_a_model_that_surely_fails_more_often_is_named(book):
    """20 of 40 against 2 of 200: the intervals do not meet. With 2 of 4 nothing is said."""
    for n in range(240):
        bad = n < 20 or n in (100, 101)
        model = "shaky" if n < 40 else "steady"
        book.append(call(n, requested_model=model, **({"error_kind": "timeout"} | FAILED if bad else {})))
    prose = Traffic.read(book, logical_date=DAY, days=1).errors_prose.replace("\u00a0", " ")
    assert "`openai/shaky` failed more often than the rest: 50.0 % of 40 calls, against 1.0 %." in prose


def test_no_failure_is_not_a_proof_of_none(book):
    """With ten good calls the rate may still be up to 27.8 %."""
    for n in range(10):
        book.append(call(n))
    prose = Traffic.read(book, logical_date=DAY, days=1).errors_prose.replace("\u00a0", " ")
    assert prose == "**No call failed.** With 10 calls the true rate may still be up to 27.8 %."


def test_names_from_the_data_are_escaped(book):
    """A caller's name is text, in Markdown, in HTML and in a chart."""
    book.append(call(1, caller="<b>$x$</b>`", requested_model="a$b$c"))
    found = Traffic.read(book, logical_date=DAY, days=1)
    assert "<b>" not in found.table("by_caller").to_html()
    assert "`<b>$x$</b>'`" in found.prose
    assert found.chart_callers().to_png()[0].startswith(b"\x89PNG")


def test_findings_fit_the_book(filled):
    """Sorted by name, with interval, level and n where they are estimates; the book takes each as it is."""
    from daybook.records import Finding

    rows = Traffic.read(filled, logical_date=DAY, days=1).findings()
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    failed = next(row for row in rows if row["name"] == "failed_rate")
    assert (failed["value"], failed["unit"], failed["level"], failed["n"]) == (0.3, "share", 0.95, 10)
    for row in rows:
        Finding(id="f", run_id="r", at=NOON, **row)


@pytest.mark.parametrize("days", [0, -1, 3661, 1.5, True, "7"])
def test_days_that_cannot_be_meant_are_refused(book, days):
    with pytest.raises(BadParameter, match="days is"):
        Traffic.read(book, logical_date=DAY, days=days)


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "", datetime(2026, 11, 20)])  # noqa: DTZ001 - naive is meant
def test_dates_that_cannot_be_meant_are_refused(book, day):
    with pytest.raises(BadDate):
        Traffic.read(book, logical_date=day)


def test_unknown_tables_are_refused(filled):
    with pytest.raises(BadParameter, match="by_day"):
        Traffic.read(filled, logical_date=DAY).table("by_magic")


def test_what_the_library_asked_is_not_the_endpoints_traffic(filled):
    """Evaluations beside ten calls of the endpoint: every count, share, latency and token is that of the ten, and what
    the library asked stands apart with its cost, of which the unpriced are said."""
    before = Traffic.read(filled, logical_date=DAY, days=1)
    for n in range(100, 853):
        cost = None if n == 100 else Decimal("0.001")
        filled.append(call(n, endpoint="library", latency=99.0, caller="notebook", cost=cost))
    filled.append(call(900, endpoint="library", error_kind="timeout", **FAILED))
    found = Traffic.read(filled, logical_date=DAY, days=1)
    assert (found.rows, found.measured) == (before.rows, before.measured)
    assert found.library == LibraryCalls(calls=754, failed=1, priced=752, spend=Decimal("0.752"))
    extra = [row for row in found.findings() if row["name"].startswith("library")]
    assert [(row["name"], row["value"], row["n"]) for row in extra] == [
        ("library_calls", 754.0, 754),
        ("library_spend", 0.752, 752),
    ]
    assert [row for row in found.findings() if row not in extra] == before.findings()
    assert found.volume_prose.endswith(
        r"Not part of this: 754 calls by Daybook itself, from notebooks and evaluations, for *\$0.75* (2 of them"
        " unpriced), 1 of which failed."
    )


def test_a_day_on_which_only_the_library_asked_has_no_traffic(book):
    """No call on the endpoint; what the library asked is said, and that its cost is not known."""
    book.append(call(1, endpoint="library"))
    found = Traffic.read(book, logical_date=DAY, days=1)
    assert (found.calls, found.failed.value, found.n("latency")) == (0, None, 0)
    assert found.volume_prose.endswith("1 call by Daybook itself, from notebooks and evaluations, at no known cost.")


def test_of_imported_calls_failures_streams_and_retries_are_unknown(book):
    """A trace holds what was answered: 40 imported calls have no failure to speak of, which is not the same as none."""
    for n in range(40):
        book.append(call(n, endpoint="import"))
    found = Traffic.read(book, logical_date=DAY, days=1)
    assert (found.calls, found.observed) == (40, 0)
    shares = (found.failed, found.closed, found.streamed, found.fallbacks, found.retried)
    assert [(s.value, s.n) for s in shares] == [(None, 0)] * 5
    assert found.errors_prose.startswith("**Whether calls failed is unknown**")
    assert found.paths_prose.startswith("Whether calls were streamed, retried or fell back is unknown")
    row = to_records(found.by_model)[0]
    assert (row["calls"], row["observed"], row["failed"], row["failed_rate"]) == (40, 0, None, None)
    values = {row["name"]: row["value"] for row in found.findings()}
    assert (values["calls"], values["failed_rate"], values["retried_rate"]) == (40.0, None, None)


def test_beside_imported_calls_shares_are_of_the_others(filled):
    """Ten observed and thirty imported: still 3 of 10 failed, and 2 of 10 were streamed."""
    for n in range(100, 130):
        filled.append(call(n, endpoint="import"))
    found = Traffic.read(filled, logical_date=DAY, days=1)
    assert (found.calls, found.failed.hits, found.failed.n, found.streamed.n) == (40, 3, 10, 10)
    assert found.errors_prose.endswith("Of 30 imported calls it is not known.")
    assert [(r["rate"]) for r in to_records(found.errors)] == [0.2, 0.1]


@pytest.mark.parametrize(
    ("now", "partial"),
    [
        (datetime(2026, 11, 20, 22, 41, tzinfo=UTC), True),
        (datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC), True),
        (datetime(2026, 11, 21, tzinfo=UTC), False),
        (None, False),
    ],
)
def test_a_day_that_is_not_over_says_up_to_which_moment_it_counts(filled, now, partial):
    """First of all, and with the minute; from midnight on it is whole and says nothing of the kind."""
    found = Traffic.read(filled, logical_date=DAY, days=1, now=now)
    assert (found.as_of is not None) == partial
    first = f"**As of {now:%H:%M} UTC on 2026-11-20**, the last day is not over: **10 calls**" if partial else "**10"
    assert found.prose.startswith(first)


@pytest.mark.parametrize(("at", "day"), [("2026-11-20T23:59:59+00:00", DAY), ("2026-11-21T00:00:00+00:00", None)])
def test_a_call_in_the_last_second_is_in_that_days_report_alone(book, at, day):
    """A call at 23:59:59 is in exactly one day's report that is made after midnight."""
    book.append(call(1, at=datetime.fromisoformat(at)))
    now = datetime(2026, 11, 22, 0, 15, tzinfo=UTC)
    days = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
    counts = [Traffic.read(book, logical_date=one, days=1, now=now).calls for one in days]
    assert counts == ([0, 1, 0] if day else [0, 0, 1])


def test_charts_draw_the_figures(filled):
    """The bars are the numbers of the tables: 6, 1 and 3 calls at noon; callers 8 and 2; errors of 20 % and 10 %."""
    found = Traffic.read(filled, logical_date=DAY, days=1)
    heights = [
        sum(patch.get_height() for patch in container) for container in found.chart_volume().figure.axes[0].containers
    ]
    assert heights == [6, 1, 3]
    callers = sorted(bar.get_width() for bar in found.chart_callers().figure.axes[0].patches)
    assert callers == [2, 8]
    errors = sorted(bar.get_width() for bar in found.chart_errors().figure.axes[0].patches)
    assert errors == [10.0, 20.0]
