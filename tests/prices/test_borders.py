"""What a rate applies to, and where it ends."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from daybook.errors import PriceError
from daybook.prices import PriceBook, overrides, published
from daybook.records import Usage

DAY = date(2026, 11, 20)
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
OWN = """
- {provider: lab, model: house-7b, from: 2026-01-01, entered: 2026-01-01, source: us, rates: {input: "1", output: "2"}}
- {provider: lab2, model: "*", from: 2026-01-01, entered: 2026-01-01, source: us, rates: {input: "3", output: "4"}}
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "overrides.yml"
    path.write_text(OWN)
    return PriceBook(path)


def test_a_provider_of_our_own_is_found_before_the_slash(own):
    """`lab/house-7b` is lab's, and a name that nobody has has no rate."""
    assert own.reckon(MILLION, provider=None, model="lab/house-7b", on=DAY).amount == Decimal(3)
    assert own.reckon(MILLION, provider=None, model="nobody/house-7b", on=DAY).amount is None
    assert own.reckon(MILLION, provider=None, model="house-7b", on=DAY).amount == Decimal(3)


def test_a_model_of_our_own_is_offered_where_a_name_is_like_it(own):
    """The one that has a name, and not the rate for all others."""
    assert "house-7b" in own.similar("house-7c")
    assert "*" not in own.similar("*")


def test_the_ordinary_rate_is_meant_unless_a_batch_is_said():
    """gpt-4o-mini: 0.15 and 0.60 USD a million, half of it in a batch."""
    book = PriceBook()
    assert book.rate("openai", "gpt-4o-mini", DAY).reckon(MILLION).amount == Decimal("0.75")
    assert book.rate("openai", "gpt-4o-mini", DAY, batch=True).reckon(MILLION).amount == Decimal("0.375")


def test_a_price_that_does_not_vary_with_the_hour_has_no_note():
    """Dated prices, too, hold all day."""
    for model in ("gpt-4o-mini", "o3"):
        rate = PriceBook().rate("openai", model, DAY)
        assert (rate.note, rate.reckon(MILLION).note) == (None, None)


def test_a_provider_is_named_by_its_id_or_by_a_word_that_is_listed_for_it():
    """Nobody else is."""
    assert published.provider_named("openai").id == "openai"
    assert published.provider_named("xai").id == "x-ai"
    assert published.provider_named("nobody") is None


@pytest.mark.parametrize(("provider", "name"), [("openrouter", "openai/gpt-4o-mini"), ("deepseek", "deepseek-chat")])
def test_a_model_is_found_by_its_whole_name(provider, name):
    """What merely ends or begins like it is another model."""
    assert published.find(provider, name).model.id == name
    assert published.find(provider, f"my {name}") is None
    assert published.find(provider, f"{name} of mine") is None


def test_many_calls_cost_what_each_of_them_would():
    """Within the first tier, to the digit: also where the tokens of all together lie beyond it."""
    rate = PriceBook().rate("google", "gemini-2.5-pro", DAY)
    assert rate.first_tier == 200_000
    one = Usage(input_tokens=150_000, output_tokens=1_000, cached_tokens=50_000)
    many = Usage(input_tokens=450_000, output_tokens=3_000, cached_tokens=150_000)
    assert rate.reckon_many(many, 3).amount == 3 * rate.reckon(one).amount
    assert rate.reckon(many).amount > rate.reckon_many(many, 3).amount


def test_a_changed_entry_is_named_by_its_number(tmp_path):
    """The sealed entry that no longer is what was sealed, with whose it is."""
    path = tmp_path / "overrides.yml"
    path.write_text(OWN)
    path.with_suffix(".lock").write_text("sha256:0\n")
    with pytest.raises(PriceError, match=r"Entry 1 of overrides.yml \(lab/house-7b\) was changed"):
        overrides.read(path)
