"""The sample book: the same every time, on either database, and with something to see for every notebook."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from daybook import prices
from daybook.book import Book
from daybook.book.sample.fill import DAYS, LAST, calls, fill
from daybook.costs.report import Costs
from daybook.records import Usage
from daybook.traffic.report import Traffic


@pytest.fixture(scope="module")
def sample():
    return list(calls())


def test_it_is_the_same_every_time(sample):
    """Call by call, field by field."""
    assert list(calls()) == sample
    assert list(calls(seed=1)) != sample


def test_it_has_what_the_notebooks_look_for(sample):
    """About 3,000 calls of 36 days, several providers, callers and kinds of failure, streams, fallbacks, clients that
    went away, prompts cut, calls without a price and free ones."""
    assert 2_700 < len(sample) < 3_300
    assert len({call.id for call in sample}) == len(sample)
    first = datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC) - timedelta(days=DAYS - 1)
    assert min(call.at for call in sample) >= first
    assert max(call.at for call in sample) < first + timedelta(days=DAYS)
    assert {call.provider for call in sample} == {"openai", "anthropic", "google", "local", "ollama", None}
    assert len({call.caller for call in sample}) == 5
    assert {call.error_kind for call in sample} >= {"rate_limited", "timeout", "unavailable", "model_not_found", None}
    assert {call.status for call in sample} == {"ok", "error", "client_closed"}
    assert {call.truncated for call in sample} == {True, False, None}
    assert any(call.fallback_from for call in sample)
    assert any(call.cost == 0 for call in sample)
    weekdays = Counter(call.at.weekday() for call in sample)
    assert max(weekdays[5], weekdays[6]) < min(weekdays[day] for day in range(5))


def test_every_cost_is_the_reckoning_of_its_day(sample):
    """And where there is none, there is no rate or no count."""
    for call in sample:
        usage = Usage(
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            cached_tokens=call.cached_tokens,
            reasoning_tokens=call.reasoning_tokens,
        )
        cost = prices.reckon(usage, provider=call.provider, model=call.served_model, on=call.at)
        assert call.cost == cost.amount
        assert (call.price_rate is None) == (call.cost is None)


def test_filling_twice_adds_nothing(home):
    """The ids are the same."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        n = fill(book)
        assert fill(book) == n
        assert book.rows("select count(*) as n from calls") == [{"n": n}]


def test_both_databases_say_the_same(tmp_path, postgres_url):
    """Every finding of both services, on DuckDB and on Postgres, to the last bit."""
    found = []
    for name, url in (("duck", f"duckdb:///{tmp_path / 'duck' / 'book.duckdb'}"), ("post", postgres_url)):
        with Book(url, tmp_path / name) as book:
            fill(book)
            found.append(
                Traffic.read(book, logical_date=LAST, days=7).findings()
                + Costs.read(book, logical_date=LAST, days=30).findings()
            )
    assert found[0] == found[1]
    assert sum(row["value"] is not None for row in found[0]) > 25
