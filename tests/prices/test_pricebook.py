"""The price book as the endpoint uses it: cheap to import, quick to answer, nothing remembered for ever."""

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from daybook import prices
from daybook.errors import BadParameter
from daybook.prices import PriceBook
from daybook.records import Usage

USAGE = Usage(input_tokens=1_000, output_tokens=100)
DAY = date(2026, 11, 20)


def test_importing_prices_loads_no_price_data():
    """Neither genai-prices nor yaml nor pandas is imported, nor does the embedded model need it."""
    program = """
import sys
from datetime import date
from daybook import prices
from daybook.records import Usage
heavy = {"genai_prices", "yaml", "pydantic", "pandas"}
print(sorted(heavy & set(sys.modules)))
cost = prices.reckon(Usage(input_tokens=1, output_tokens=1), provider="local", model="smollm2-135m-instruct",
                     on=date(2026, 11, 20))
print(cost.amount == 0, "genai_prices" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True False"]


def test_the_module_answers_like_its_standard_book():
    """reckon, rates and version are the shipped price book's."""
    cost = prices.reckon(USAGE, provider="openai", model="gpt-4o-mini", on=DAY)
    assert cost.amount == Decimal("0.00021")
    assert cost.rate == "openai/gpt-4o-mini input 0.15 cached 0.075 output 0.6 USD/MTok undated"
    assert prices.rates("gpt-4o-mini", on=DAY)[0].words == cost.rate
    assert prices.version() == prices.standard().version()


def test_the_version_names_both_books():
    """Package version, day of the last override, digest of all of them."""
    package, plus, word, day, digest = prices.version().removeprefix("genai-prices ").split()
    assert (package, plus, word) == ("0.2.3", "+", "overrides")
    assert date.fromisoformat(day) >= date(2026, 11, 24)
    assert digest.startswith("sha256:")
    assert len(digest) == len("sha256:") + 12


def test_a_time_without_zone_is_refused():
    """Its UTC day is not known."""
    with pytest.raises(BadParameter, match="time zone"):
        prices.reckon(USAGE, provider="openai", model="gpt-4o-mini", on=datetime(2026, 11, 20))  # noqa: DTZ001 - meant


def test_made_up_names_do_not_fill_the_memory():
    """After 25,000 different unknown models at most 10,000 answers are remembered, and known ones still come right."""
    book = PriceBook()
    for i in range(25_000):
        book.reckon(USAGE, provider="local", model=f"model-{i}", on=DAY)
    assert len(book._days) <= 10_000
    assert book.reckon(USAGE, provider="openai", model="gpt-4o-mini", on=DAY).amount == Decimal("0.00021")


def test_the_history_of_a_model_is_shown_oldest_first():
    """deepseek-v4-flash: undated, 17 August, 10 September, then the two daily windows."""
    rows = prices.rates("deepseek-v4-flash")
    assert [row.since for row in rows if row.note is None] == [None, date(2026, 8, 17), date(2026, 9, 10)]
    assert [row.note for row in rows if row.note] == [
        "the price of 01:00 to 04:00 UTC",
        "the price of 06:00 to 10:00 UTC",
    ]


def test_rates_on_a_day_are_standard_and_batch():
    """gpt-4o-mini has both; an unknown model has none."""
    assert [rate.batch for rate in prices.rates("gpt-4o-mini", on=datetime(2026, 11, 20, tzinfo=UTC))] == [False, True]
    assert prices.rates("gpt-99", on=DAY) == []
    assert prices.rates("no-such-model-anywhere") == []


def test_a_model_without_a_telling_name_is_shown_for_every_provider():
    """llama-3.3-70b-versatile is groq's; the embedded model has our own rate."""
    assert {rate.provider for rate in prices.rates("llama-3.3-70b-versatile")} == {"groq"}
    assert {rate.model for rate in prices.rates("smollm2-135m-instruct")} == {"smollm2-135m-instruct"}
