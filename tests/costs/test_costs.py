"""Costs read from a small book whose every figure is known, on DuckDB and on Postgres. Money is literal Decimal."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from daybook.book import Book
from daybook.costs.report import Costs
from daybook.errors import BadParameter
from daybook.records import Call, Finding
from daybook.reporting.tables import to_records

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINI = ("openai", "gpt-4o-mini")
TABLES = ("by_day", "by_model", "by_caller", "by_project", "unpriced", "elsewhere", "dearest", "rates")
CHARTS = ("chart_by_day", "chart_who", "chart_elsewhere", "chart_forecast")


def call(n, cost="0.0001", at=NOON, **fields):
    known = {
        "caller": "ann",
        "project": "red",
        "endpoint": "/v1/chat/completions",
        "requested_model": "gpt-4o-mini",
        "provider": "openai",
        "served_model": "gpt-4o-mini-2024-07-18",
        "input_tokens": 1_000,
        "output_tokens": 100,
        "cost": None if cost is None else Decimal(cost),
        "price_source": None if cost is None else "a test",
        "price_rate": None if cost is None else "the rate",
        "status": "ok",
    }
    return Call(id=f"{n:032x}", request_id=f"r{n}", at=at, **(known | fields))


LLAMA = {"provider": "ollama", "requested_model": "llama3.2", "served_model": "llama3.2"}
LOCAL = {"provider": "local", "requested_model": "smollm2", "served_model": "smollm2"}

CALLS = [
    call(1, "0.10"),
    call(2, "0.000000000001"),
    call(3, "0.20", caller="bob", project=None),
    call(4, "0.30", caller="bob", at=NOON - timedelta(days=1), served_model="gpt-4o", cached_tokens=400),
    call(5, "0", **LOCAL),
    call(6, None, **LLAMA),
    call(7, None, status="error", served_model=None, input_tokens=None, output_tokens=None),
    call(8, None, status="error", provider=None, served_model=None, input_tokens=None, output_tokens=None),
    call(9, None, status="client_closed", input_tokens=None, output_tokens=None),
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


def read(book, days=2, **kwargs):
    return Costs.read(book, logical_date=DAY, days=days, **({"models": [MINI]} | kwargs))


def test_spend_adds_up_to_the_last_digit(filled):
    """0.10 + 0.000000000001 + 0.20 + 0.30 + 0, as Decimal: a float would have lost the dust."""
    found = read(filled)
    assert found.spend == Decimal("0.600000000001")
    assert isinstance(found.spend, Decimal)
    assert (found.calls, found.unpriced_calls) == (9, 4)


def test_spend_by_model_caller_project_and_day(filled):
    """Dearest first; where nothing is priced the spend is unknown, where the rate is zero it is zero."""
    found = read(filled)
    assert [(r["model"], r["calls"], r["unpriced"], r["spend"]) for r in to_records(found.by_model)] == [
        ("openai/gpt-4o-mini-2024-07-18", 4, 1, Decimal("0.300000000001")),
        ("openai/gpt-4o", 1, 0, Decimal("0.30")),
        ("local/smollm2", 1, 0, Decimal(0)),
        ("(no provider)", 1, 1, None),
        ("ollama/llama3.2", 1, 1, None),
        ("openai/gpt-4o-mini", 1, 1, None),
    ]
    assert [(r["caller"], r["spend"]) for r in to_records(found.by_caller)] == [
        ("bob", Decimal("0.50")),
        ("ann", Decimal("0.100000000001")),
    ]
    assert [(r["project"], r["spend"]) for r in to_records(found.by_project)] == [
        ("red", Decimal("0.400000000001")),
        ("(no project)", Decimal("0.20")),
    ]
    assert [(r["day"], r["calls"], r["spend"]) for r in to_records(found.by_day)] == [
        (date(2026, 11, 19), 1, Decimal("0.30")),
        (DAY, 8, Decimal("0.300000000001")),
    ]


def test_every_table_adds_up_to_the_same_total(filled):
    """However it is divided."""
    found = read(filled)
    for name in ("by_day", "by_model", "by_caller", "by_project"):
        rows = to_records(getattr(found, name))
        assert sum(row["spend"] for row in rows if row["spend"] is not None) == found.spend
        assert sum(row["calls"] for row in rows) == found.calls
        assert sum(row["unpriced"] for row in rows) == found.unpriced_calls


def test_unpriced_calls_are_counted_with_their_reason(filled):
    """Four calls, four reasons; none of them is a free call."""
    rows = to_records(read(filled).unpriced)
    assert {(r["reason"], r["model"], r["calls"]) for r in rows} == {
        ("no rate known", "ollama/llama3.2", 1),
        ("failed before tokens were counted", "openai/gpt-4o-mini", 1),
        ("no provider found", "(no provider)", 1),
        ("tokens not counted", "openai/gpt-4o-mini-2024-07-18", 1),
    }


def test_the_same_tokens_elsewhere(filled):
    """Five priced calls of 1,000 in (400 of them cached, once) and 100 out. On gpt-4o-mini, at 0.15, 0.075 and 0.60:
    4,600 x 0.15 + 400 x 0.075 + 500 x 0.60 = 690 + 30 + 300 = 1,020 millionths."""
    found = read(filled)
    assert found.compared == Decimal("0.600000000001")
    (offer,) = found.offers
    assert (offer.provider, offer.model, offer.amount) == (*MINI, Decimal("0.00102"))
    assert offer.dated is False


def test_elsewhere_a_tier_is_decided_call_by_call(book):
    """gemini-2.5-pro past 200,000 input tokens: 2.50 and 15, below 1.25 and 10. Two calls of 150,000 stay below
    although together they are above; one of 250,000 does not: (2 x 150,000 x 1.25 + 2 x 1,000 x 10) +
    (250,000 x 2.50 + 1,000 x 15) = 395,000 + 640,000 millionths."""
    for n, tokens in enumerate((150_000, 150_000, 250_000)):
        book.append(call(n, input_tokens=tokens, output_tokens=1_000))
    (offer,) = read(book, models=[("google", "gemini-2.5-pro")]).offers
    assert offer.amount == Decimal("1.035")


def test_elsewhere_uses_the_price_of_the_logical_date(book):
    """deepseek-v4-flash: 0.14 + 0.28 for a million each on 16 August 2026, 0.22 + 0.66 a day later."""
    at = datetime(2026, 8, 16, tzinfo=UTC)
    book.append(call(1, at=at, input_tokens=1_000_000, output_tokens=1_000_000))
    amounts = [
        Costs.read(book, logical_date=day, days=3, models=[("deepseek", "deepseek-v4-flash")]).offers[0].amount
        for day in (date(2026, 8, 16), date(2026, 8, 17))
    ]
    assert amounts == [Decimal("0.42"), Decimal("0.88")]


def test_a_model_without_a_price_stands_last_with_the_reason(filled):
    """It is not left out, and it is not free."""
    offers = read(filled, models=[("openai", "gpt-99"), MINI]).offers
    assert [offer.amount for offer in offers] == [Decimal("0.00102"), None]
    assert offers[1].note == "no model 'gpt-99' of openai is in the price book"


def test_the_dearest_calls_come_dearest_first(filled):
    """Free and unpriced calls are not among them; equal costs are ordered by id."""
    found = read(filled)
    assert [row["cost"] for row in to_records(found.dearest)] == [
        Decimal("0.30"),
        Decimal("0.20"),
        Decimal("0.10"),
        Decimal("0.000000000001"),
    ]
    assert found.dearest_prose.replace("\u00a0", " ") == (
        r"The dearest call cost *\$0.30*: 1,000 tokens in and 100 out, by `bob`."
        " The 4 dearest together are 100 % of the spend."
    )


def test_rates_say_how_each_call_was_priced(filled):
    """Model, rate, source, number, and when first and last."""
    rows = to_records(read(filled).rates)
    assert [(r["model"], r["calls"], r["price_rate"], r["price_source"]) for r in rows] == [
        ("local/smollm2", 1, "the rate", "a test"),
        ("openai/gpt-4o", 1, "the rate", "a test"),
        ("openai/gpt-4o-mini-2024-07-18", 3, "the rate", "a test"),
    ]


# ── what is to come ───────────────────────────────────────────────────────────────────────────────


def every_day(book, days, amount="1"):
    for back in range(days):
        book.append(call(back, amount, at=NOON - timedelta(days=back)))


def test_the_forecast_by_hand(book):
    """Two weeks of 1 a day after an unfinished first day, then 30 days: 30, without noise. November to the 20th has
    cost 15 (the first day, the 6th, included); ten more days make 25."""
    every_day(book, 15)
    found = read(book, days=30)
    assert len(found.whole_days) == 14
    assert found.next_30_days.value == pytest.approx(30)
    assert found.month.value == pytest.approx(25)
    assert found.month.n == 14


def test_the_first_day_of_the_book_is_not_a_whole_day(book):
    """It may have begun in the evening: fifteen days of calls make fourteen whole ones, fourteen make thirteen."""
    every_day(book, 14)
    found = read(book, days=30)
    assert found.next_30_days is None
    assert found.forecast_prose.replace("\u00a0", " ") == (
        "**What is to come cannot be told**: 13 whole days are in this window and a forecast needs 14."
        " The book begins on 2026-11-07: enough of them are over after 2026-11-21."
    )
    expected = {row["name"]: row for row in found.findings()}["forecast_next_30_days"]
    assert (expected["value"], expected["low"], expected["n"]) == (None, None, 13)
    assert expected["note"] == "13 whole days are in this window and a forecast needs 14"


def test_a_window_too_short_for_a_forecast_says_that_the_book_has_more(book):
    """Seven days of a book of a month: the reader learns that a longer window could tell."""
    every_day(book, 30)
    assert read(book, days=7).forecast_prose.replace("\u00a0", " ") == (
        "**What is to come cannot be told**: 7 whole days are in this window and a forecast needs 14."
        " The book goes back to 2026-10-22: a window of more days has more of them."
    )


def test_a_forecast_beside_growth_says_that_it_does_not_carry_it_on(book):
    """Each day costs 1 less than the last: the reader is told the pace, and to expect less."""
    for day in range(20):
        book.append(call(day, str(5 + day), at=NOON - timedelta(days=day)))
    said = read(book, days=30).forecast_prose.replace("\u00a0", " ")
    assert "But spend **fell** by about *\\$1.00* from day to day, which is not carried on: expect less." in said


def test_a_day_that_is_not_over_is_not_a_whole_day(book):
    """At noon of the logical date its spend so far says nothing about a day; the month counts it as expected."""
    every_day(book, 25)
    book.append(call(99, "50", at=NOON))
    found = read(book, days=30, now=NOON + timedelta(hours=1))
    assert max(found.whole_days) == date(2026, 11, 19)
    assert found.next_30_days.value == pytest.approx(30)
    assert found.month.value == pytest.approx(30)


def test_days_without_calls_are_days_of_no_spend(book):
    """Two weeks with calls on one Monday only, at 7: a week is expected to cost 3.50."""
    first = datetime(2026, 11, 2, 12, tzinfo=UTC)
    book.append(call(1, "0", at=first - timedelta(days=1)))
    book.append(call(2, "7", at=first))
    found = Costs.read(book, logical_date=date(2026, 11, 15), days=14, models=[MINI])
    assert len(found.whole_days) == 14
    assert sum(found.whole_days.values()) == 7.0
    assert found.forecast.means[0] == 3.5


def test_a_month_that_began_before_the_window_is_counted_from_its_first_day(book):
    """Fourteen days of window, and the month's first six days before it: 20 spent in all by the 20th."""
    every_day(book, 30)
    found = read(book, days=14)
    assert found.calls == 14
    assert found.month.value == pytest.approx(30)


def test_free_models_have_nothing_to_carry_on(book):
    """Every call priced at zero: no expectation, and no interval from 0 to 0."""
    every_day(book, 20, "0")
    found = read(book, days=30)
    assert found.spend == 0
    assert found.next_30_days is None
    assert "nothing was spent" in found.forecast_prose
    assert "Every priced call ran on a model whose rate is zero." in found.spend_prose.replace("\u00a0", " ")


def test_what_costs_nothing_is_priced_elsewhere_and_by_the_hour(book):
    """First what the same tokens would cost on other models, then the machine's time at a stated price: two calls of
    1.5 and 3 seconds are 4.5 / 3600 of an hour at 0.10 a hour. A call that costs something, and one whose time was not
    measured, add nothing."""
    for n, (latency, amount) in enumerate(((1.5, "0"), (3.0, "0"), (None, "0"), (8.0, "0.5"))):
        book.append(call(n, amount, latency=latency))
    found = read(book)
    assert found.machine_seconds == pytest.approx(4.5)
    assert found.machine_cost == Decimal("4.5") * Decimal("0.10") / 3600
    free = dataclasses.replace(found, rows=[row | {"spend": Decimal(0)} for row in found.rows])
    prose = free.spend_prose.replace("\u00a0", " ")
    assert "The same tokens would have cost from" in prose
    assert "`openai/gpt-4o-mini`" in prose
    assert "answering took 4.50 s of it at most" in prose
    assert "$0.000125" in prose.replace("\\", "")
    assert "0.10" in prose


def test_time_that_was_not_measured_costs_nothing_that_is_known(book):
    """No latency, no figure: neither seconds nor an amount."""
    book.append(call(0, "0", latency=None))
    found = read(book)
    assert (found.machine_seconds, found.machine_cost) == (None, None)
    assert "machine is not free" not in found.spend_prose


# ── nothing, and everything ───────────────────────────────────────────────────────────────────────


def test_an_empty_window_is_unknown_and_never_zero_dollars(book):
    """No call: spend is None; tables, charts and prose work; no nan and no $0 is seen."""
    found = read(book, days=30)
    assert found.spend is None
    values = {row["name"]: row["value"] for row in found.findings()}
    assert (values.pop("calls"), values.pop("unpriced_calls")) == (0.0, 0.0)
    assert set(values.values()) == {None}
    prose = [found.prose, found.unpriced_prose, found.elsewhere_prose, found.forecast_prose, found.dearest_prose]
    text = " ".join([*prose, found.summary(), *(found.table(name).to_html() for name in TABLES)])
    assert "nan" not in text.lower()
    assert "$0" not in text
    for name in CHARTS:
        assert getattr(found, name)().to_png()[0].startswith(b"\x89PNG")


def test_where_no_call_is_priced_the_spend_is_unknown(book):
    """Calls there are; what they cost is not known, and no chart draws it as nothing."""
    book.append(call(1, None, **LLAMA))
    found = read(book)
    assert found.spend is None
    assert found.spend_prose.replace("\u00a0", " ") == (
        "**Spend is unknown**: none of the 1 call from 2026-11-19 to 2026-11-20 (UTC) has a cost."
    )
    assert found.chart_by_day().alt.endswith("No call has a known cost: 2026-11-19 to 2026-11-20 (UTC).")
    for name in CHARTS:
        getattr(found, name)().to_png()


def test_prose_says_what_the_figures_say(filled):
    """The sentences carry the numbers of this book; dollar signs are escaped for Markdown."""
    found = read(filled)
    assert found.spend_prose.replace("\u00a0", " ") == (
        r"**\$0.60** for 5 priced calls from 2026-11-19 to 2026-11-20 (UTC), *\$0.12* a call. 50.0 % of it went to"
        r" `openai/gpt-4o-mini-2024-07-18`; `bob` spent 83.3 % of it. The dearest day was 2026-11-20 with *\$0.30*."
    )
    assert found.unpriced_prose.replace("\u00a0", " ").startswith("**4 calls of 9 (44.4 %) have no known cost**: ")
    assert found.unpriced_prose.replace("\u00a0", " ").endswith(
        "A rate for `ollama/llama3.2` would price the next ones."
    )
    assert found.elsewhere_prose.replace("\u00a0", " ").startswith(
        r"The 5 priced calls cost *\$0.60*. By the prices of 2026-11-20 the same tokens would have cost from"
        r" *\$0.00102*"
    )


def test_a_reading_shows_what_it_says_a_chart_and_a_table(filled):
    """Where it stands last in a cell: prose, a picture that says in words what it shows, and a table; no name from the
    data becomes markup."""
    page = read(filled)._repr_html_()
    assert "<strong>$0.60</strong> for 5 priced calls" in page
    assert '<img alt="Spend per day.' in page
    assert page.count("<table") == 1
    assert "<script" not in page


def test_every_chart_of_a_full_book_draws(filled):
    """As PNG, with an alternative text, and without pyplot."""
    import sys

    found = read(filled)
    for name in CHARTS:
        chart = getattr(found, name)()
        data, metadata = chart.to_png()
        assert data.startswith(b"\x89PNG")
        assert metadata["alt"] == chart.alt != ""
    assert "matplotlib.pyplot" not in sys.modules


def test_findings_fit_the_book(filled):
    """Sorted by name; the book takes each as it is; unknown stays None."""
    rows = read(filled).findings()
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    known = {row["name"]: row for row in rows}
    assert (known["spend"]["value"], known["spend"]["unit"], known["spend"]["n"]) == (0.600000000001, "USD", 5)
    assert known["elsewhere/openai/gpt-4o-mini"]["value"] == 0.00102
    for row in rows:
        Finding(id="f", run_id="r", at=NOON, **row)


def test_unknown_tables_are_refused(filled):
    with pytest.raises(BadParameter, match="by_model"):
        read(filled).table("by_magic")
