"""The published prices, read strictly. Figures are those of genai-prices 0.2.3, which the lock pins."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from daybook.prices import PriceBook, published
from daybook.records import Usage

DAY = date(2026, 11, 20)
USAGE = Usage(input_tokens=2_000, cached_tokens=500, output_tokens=300)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook()


@pytest.mark.parametrize(
    ("provider", "model", "amount"),
    [
        # (2,000 - 500) x 0.15 + 500 x 0.075 + 300 x 0.60 = 442.5 millionths
        ("openai", "gpt-4o-mini", "0.0004425"),
        ("openai", "gpt-4o-mini-2024-07-18", "0.0004425"),
        ("openai", "GPT-4o-Mini", "0.0004425"),
        # 1,500 x 2.50 + 500 x 1.25 + 300 x 10
        ("openai", "gpt-4o", "0.007375"),
        # 1,500 x 3 + 500 x 0.30 + 300 x 15
        ("anthropic", "claude-sonnet-4-5", "0.00915"),
        ("anthropic", "claude-sonnet-4-5-20250929", "0.00915"),
        ("anthropic", "claude-sonnet-4-20250514", "0.00915"),
        # 1,500 x 1.25 + 500 x 0.125 + 300 x 10
        ("google", "gemini-2.5-pro", "0.0049375"),
    ],
)
def test_known_models_cost_what_was_published(book, provider, model, amount):
    """The figure worked by hand from the published price, to the last digit."""
    cost = book.reckon(USAGE, provider=provider, model=model, on=DAY)
    assert cost.amount == Decimal(amount)
    assert cost.source == "genai-prices 0.2.3"


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-99"),
        ("openai", "gpt-4o-mini-nonsense"),
        ("openai", "gpt-4o-mini-2031"),
        ("openai", ""),
        ("anthropic", "claude-opus-4-10"),
        ("anthropic", "claude-opus-4-5-ultra"),
        ("anthropic", "claude-zzz"),
        ("google", "my-gemini-2.0-flash-copy"),
        ("google", "gemini-2.5-pro-hyper"),
        ("my-openai-proxy", "gpt-4o"),
        ("nobody", "gpt-4o"),
        ("ollama", "gpt-4o"),
        ("ollama", "llama3.2:1b"),
        ("local", "gpt-4o"),
        ("hf", "meta-llama/llama-3.1-8b-instruct"),
        (None, "gpt-99"),
        (None, "my-own-model"),
        ("openai", None),
    ],
)
def test_what_is_not_known_has_no_price(book, provider, model):
    """A name that merely resembles a known one is unknown: amount None, no rate, and a reason."""
    cost = book.reckon(USAGE, provider=provider, model=model, on=DAY)
    assert cost.amount is None
    assert cost.rate is None
    assert cost.note


def test_the_package_itself_would_have_matched_loosely():
    """The strictness is ours: genai-prices takes claude-opus-4-10 for claude-opus-4-1. If this fails, ours may go."""
    from genai_prices.data_snapshot import get_snapshot

    _, model = get_snapshot().find_provider_model("claude-opus-4-10", None, "anthropic", None)
    assert model.id == "claude-opus-4-1"
    assert published.find("anthropic", "claude-opus-4-10") is None


def test_a_model_without_a_published_rate_is_not_free(book):
    """github-copilot lists gpt-4o without any rate; the package reckons 0 for it."""
    cost = book.reckon(USAGE, provider="github-copilot", model="gpt-4o", on=DAY)
    assert cost.amount is None
    assert cost.note == "github-copilot/gpt-4o is known, but no rate per token is published"


def test_the_price_is_the_one_of_the_day(book):
    """deepseek-v4-flash cost 0.14/0.28 until 16 August 2026, 0.22/0.66 from the 17th, 0.15/0.60 from 10 September."""
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    amounts = {
        day: book.reckon(usage, provider="deepseek", model="deepseek-v4-flash", on=day).amount
        for day in (date(2026, 8, 16), date(2026, 8, 17), date(2026, 9, 9), date(2026, 9, 10))
    }
    assert list(amounts.values()) == [Decimal("0.42"), Decimal("0.88"), Decimal("0.88"), Decimal("0.75")]


def test_the_day_is_the_utc_day(book):
    """Half past midnight in Berlin on 17 August is still the 16th in UTC, so the old price holds."""
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    berlin = datetime(2026, 8, 17, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert book.reckon(usage, provider="deepseek", model="deepseek-v4-flash", on=berlin).amount == Decimal("0.14")


def test_a_price_that_varies_with_the_hour_is_taken_at_the_hour(book):
    """deepseek-v4-flash on 20 November 2026: 0.15 at noon, 0.30 at 02:00 UTC, twice in either order."""
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    for _ in range(2):
        for hour, amount in ((12, "0.15"), (2, "0.30"), (4, "0.15"), (9, "0.30"), (10, "0.15")):
            at = datetime(2026, 11, 20, hour, tzinfo=UTC)
            assert book.reckon(usage, provider="deepseek", model="deepseek-v4-flash", on=at).amount == Decimal(amount)
    by_day = book.reckon(usage, provider="deepseek", model="deepseek-v4-flash", on=DAY)
    assert by_day.amount == Decimal("0.15")
    assert by_day.note == "the price varies with the hour; this is the one outside the special hours"


def test_batch_has_its_own_rate(book):
    """gpt-4o-mini in a batch: 0.075 in (cached the same), 0.30 out: 2,000 x 0.075 + 300 x 0.30 = 240 millionths."""
    cost = book.reckon(USAGE, provider="openai", model="gpt-4o-mini", on=DAY, batch=True)
    assert cost.amount == Decimal("0.00024")
    assert cost.rate == "openai/gpt-4o-mini batch input 0.075 cached 0.075 output 0.3 USD/MTok from 2026-10-14"


def test_a_batch_rate_is_dated_by_its_own_beginning(book):
    """o3's standard rate holds from 10 June 2025, its batch rate from 14 October 2026: before that it is unknown."""
    rate = book.rate("openai", "o3", date(2026, 11, 20), batch=True)
    assert rate.since == date(2026, 10, 14)
    assert isinstance(book.rate("openai", "o3", date(2026, 10, 13), batch=True), str)


def test_batch_without_a_published_rate_is_unknown(book):
    """deepseek publishes no batch price: not the standard one, and not half of it."""
    cost = book.reckon(USAGE, provider="deepseek", model="deepseek-v4-flash", on=DAY, batch=True)
    assert cost.amount is None
    assert "no batch rate" in cost.note


def test_a_model_name_can_carry_its_provider(book):
    """`openai/gpt-4o-mini` without a provider is OpenAI's; the same under openrouter is openrouter's."""
    bare = book.reckon(USAGE, provider=None, model="openai/gpt-4o-mini", on=DAY)
    assert bare.rate.startswith("openai/gpt-4o-mini input 0.15 ")
    routed = book.reckon(USAGE, provider="openrouter", model="openai/gpt-4o-mini", on=DAY)
    assert routed.rate.startswith("openrouter/openai/gpt-4o-mini ")


def test_a_provider_is_inferred_only_from_a_telling_name(book):
    """gpt-4o-mini is OpenAI's."""
    assert book.reckon(USAGE, provider=None, model="gpt-4o-mini", on=DAY).amount == Decimal("0.0004425")


def test_fine_tuned_models_cost_the_fine_tuned_rate(book):
    """ft:gpt-4o-mini: 0.30 in, no cached rate, 1.20 out: 2,000 x 0.30 + 300 x 1.20 = 960 millionths."""
    model = "ft:gpt-4o-mini-2024-07-18:acme:support:9xyz"
    assert book.reckon(USAGE, provider="openai", model=model, on=DAY).amount == Decimal("0.00096")


def test_every_model_of_the_package_is_found_and_costs_what_the_package_reckons():
    """Over all models: same model, and the same total, with and without cached tokens, below and above every tier.
    The only differences are those we mean: no published rate is unknown rather than 0."""
    from genai_prices import Usage as Theirs
    from genai_prices.data import providers

    book, at, compared = PriceBook(), datetime(2026, 11, 20, 12, tzinfo=UTC), 0
    for provider in providers:
        for model in provider.models:
            native = provider.find_model(model.id)
            if native is None:
                continue
            found = published.find(provider.id, model.id)
            assert found is not None, (provider.id, model.id)
            assert found.model is native, (provider.id, model.id)
            for into, cached, out in ((2_000, 500, 300), (250_001, 0, 300), (1_100_000, 1_000_000, 1)):
                ours = book.reckon(
                    Usage(input_tokens=into, cached_tokens=cached, output_tokens=out, reasoning_tokens=0),
                    provider=provider.id,
                    model=model.id,
                    on=at,
                )
                if ours.amount is None:
                    assert ours.note.endswith("is published"), ours
                    continue
                theirs = native.calc_price(
                    Theirs(input_tokens=into, cache_read_tokens=cached, output_tokens=out, output_reasoning_tokens=0),
                    provider,
                    genai_request_timestamp=at,
                )
                assert abs(ours.amount - theirs.total_price) < Decimal("1e-12"), (provider.id, model.id)
                compared += 1
    assert compared > 5_000


def test_a_snapshot_that_somebody_else_updated_is_not_read(book):
    """Prices come from the installed package alone, so that the same lock gives the same figures."""
    from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

    set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=True))
    try:
        cost = PriceBook().reckon(USAGE, provider="openai", model="gpt-4o-mini", on=DAY)
    finally:
        set_custom_snapshot(None)
    assert cost.amount == Decimal("0.0004425")
