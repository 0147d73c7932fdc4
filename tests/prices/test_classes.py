"""Every class of token that the price book has a rate for, as it was served; each figure worked by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from daybook.prices import reckon
from daybook.prices.rate import Rate, Step, flat
from daybook.records import Usage

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TIERED = Usage(input_tokens=1_200, output_tokens=800, tier="flex")
CASES = {
    # 1,200 × 0.025 + 800 × 0.2 = 190 millionths
    "flex": (TIERED, "openai", "gpt-5-nano", "0.000190"),
    "a release of it": (TIERED, "openai", "gpt-5-nano-2025-08-07", "0.000190"),
    # 1,200 × 0.05 + 800 × 0.4 = 380: words for no tier in particular
    "default": (Usage(input_tokens=1_200, output_tokens=800, tier="default"), "openai", "gpt-5-nano", "0.000380"),
    "no tier": (Usage(input_tokens=1_200, output_tokens=800), "openai", "gpt-5-nano", "0.000380"),
    # 100 × 3 + 11,900 × 3.75 + 10 × 15 = 45,075
    "cache writes": (
        Usage(input_tokens=12_000, output_tokens=10, cache_write_tokens=11_900),
        "openrouter",
        "anthropic/claude-sonnet-4.6",
        "0.045075",
    ),
    # 100 × 3 + 900 × 0.3 + 11,000 × 3.75 + 10 × 15 = 41,970
    "cache reads beside writes": (
        Usage(input_tokens=12_000, output_tokens=10, cached_tokens=900, cache_write_tokens=11_000),
        "openrouter",
        "anthropic/claude-sonnet-4.6",
        "0.041970",
    ),
    # 17 × 2.5 + 110 × 10 + 482 × 64 = 31,990.5
    "audio out": (
        Usage(input_tokens=17, output_tokens=592, output_audio_tokens=482),
        "openai",
        "gpt-audio",
        "0.0319905",
    ),
    # 7 × 2.5 + 10 × 32 + 5 × 10 = 387.5
    "audio in": (Usage(input_tokens=17, output_tokens=5, input_audio_tokens=10), "openai", "gpt-audio", "0.0003875"),
    # 100 × 3 + 500 × 0.3 + 900 × 3.75 + 10,500 × 6 + 10 × 15 = 66,975
    "cache writes of an hour": (
        Usage(
            input_tokens=12_000,
            output_tokens=10,
            cached_tokens=500,
            cache_write_tokens=11_400,
            cache_write_1h_tokens=10_500,
        ),
        "anthropic",
        "claude-sonnet-4-5",
        "0.066975",
    ),
    # 700 × 0.6 + 100 × 0.06 + 150 × 10 + 50 × 0.3 + 10 × 2.4 = 1,965
    "cached audio": (
        Usage(input_tokens=1_000, output_tokens=10, cached_tokens=150, input_audio_tokens=200, cached_audio_tokens=50),
        "openai",
        "gpt-realtime-mini",
        "0.001965",
    ),
    # 100 × 3 + 10 × 15 = 450, and three searches at 10 USD a thousand
    "web searches": (
        Usage(input_tokens=100, output_tokens=10, web_searches=3),
        "anthropic",
        "claude-sonnet-4-5",
        "0.030450",
    ),
    # 100 × 1 + 10 × 1 = 110, and 12 USD a thousand requests, which the searches are part of
    "searches within the price of a request": (
        Usage(input_tokens=100, output_tokens=10, web_searches=3),
        "perplexity",
        "sonar",
        "0.012110",
    ),
    # writing to the cache costs nothing more where no rate for it is published: 100 × 0.05
    "no rate for the class": (
        Usage(input_tokens=100, output_tokens=0, cache_write_tokens=60),
        "openai",
        "gpt-5-nano",
        "0.000005",
    ),
}


@pytest.mark.parametrize(("usage", "provider", "model", "amount"), CASES.values(), ids=CASES)
def test_each_class_of_token_has_its_price(usage, provider, model, amount):
    """Every token is charged once, at the rate of its class and of the tier it was served in."""
    assert reckon(usage, provider=provider, model=model, on=NOW).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("usage", "on", "note"),
    [
        (TIERED, datetime(2026, 10, 11, 23, 59, tzinfo=UTC), "no rate of the tier 'flex'"),
        (Usage(input_tokens=1, output_tokens=1, tier="priority"), NOW, "no rate of the tier 'priority'"),
        (Usage(input_tokens=1, output_tokens=1, tier="scale"), NOW, "no rate of the tier 'scale'"),
    ],
)
def test_a_tier_without_a_rate_has_no_price_and_a_reason(usage, on, note):
    """Never the ordinary price: what was served counts, on the day that it was served."""
    cost = reckon(usage, provider="openai", model="gpt-5-nano", on=on)
    assert cost.amount is None
    assert cost.note.startswith(note)


def test_the_first_day_of_a_tier_has_its_rate():
    """From the day of the rate on, and not before."""
    on = datetime(2026, 10, 12, tzinfo=UTC)
    assert reckon(TIERED, provider="openai", model="gpt-5-nano", on=on).amount == Decimal("0.000190")


def test_models_of_our_own_machines_cost_the_same_in_any_tier():
    """A word that a local server sends is no tier of a price list."""
    cost = reckon(
        Usage(input_tokens=1, output_tokens=1, tier="flex"), provider="local", model="smollm2-135m-instruct", on=NOW
    )
    assert cost.amount == 0


RATE = Rate(
    provider="p",
    model="m",
    input=flat(Decimal(1)),
    cached=flat(Decimal("0.1")),
    output=flat(Decimal(2)),
    others={
        "cache write": flat(Decimal(3)),
        "cache write 1h": flat(Decimal(4)),
        "cached audio": flat(Decimal("0.5")),
        "input audio": (Step(-1, Decimal(10)), Step(100, Decimal(20))),
        "input image": flat(Decimal(5)),
        "input video": flat(Decimal(6)),
        "output audio": flat(Decimal(7)),
        "output image": flat(Decimal(8)),
    },
    tier="flex",
    search=Decimal("0.002"),
    source="test",
)


@pytest.mark.parametrize(
    ("counts", "millionths"),
    [
        ({"cache_write_tokens": 100}, 300 + 20),
        ({"cache_write_tokens": 40, "cached_tokens": 60}, 120 + 6 + 20),
        ({"cache_write_tokens": 40, "cache_write_1h_tokens": 40}, 60 + 160 + 20),
        ({"cache_write_tokens": 40, "cache_write_1h_tokens": 1}, 60 + 117 + 4 + 20),
        ({"cached_tokens": 60, "input_audio_tokens": 30, "cached_audio_tokens": 30}, 40 + 3 + 15 + 20),
        ({"cached_tokens": 60, "input_audio_tokens": 30, "cached_audio_tokens": 0}, 10 + 6 + 300 + 20),
        ({"cached_tokens": 30, "input_audio_tokens": 100, "cached_audio_tokens": 30}, 700 + 15 + 20),
        ({"cached_tokens": 30, "input_image_tokens": 70, "cached_image_tokens": 0}, 3 + 350 + 20),
        ({"web_searches": 2}, 100 + 4_000 + 20),
        ({"web_searches": 0}, 100 + 20),
        ({"input_audio_tokens": 30}, 70 + 300 + 20),
        ({"input_image_tokens": 30}, 70 + 150 + 20),
        ({"input_video_tokens": 30}, 70 + 180 + 20),
        ({"output_audio_tokens": 10}, 100 + 70),
        ({"output_image_tokens": 4, "output_audio_tokens": 1}, 100 + 32 + 7 + 10),
        ({"output_audio_tokens": 4, "reasoning_tokens": 6}, 100 + 28 + 12),
        ({"input_tokens": 101, "input_audio_tokens": 1}, 100 + 20 + 20),
    ],
)
def test_the_arithmetic_of_classes(counts, millionths):
    """What is named is charged at its own rate, the rest at the ordinary one; a step counts all input."""
    usage = Usage(**{"input_tokens": 100, "output_tokens": 10, **counts})
    assert RATE.reckon(usage).amount == Decimal(millionths).scaleb(-6)


@pytest.mark.parametrize(
    ("counts", "note"),
    [
        ({"cache_write_tokens": 101}, "the classes of input tokens are more than all: 101 cache write of 100"),
        (
            {"cache_write_tokens": 60, "cached_tokens": 41},
            "the classes of input tokens are more than all: 60 cache write and 41 cached of 100",
        ),
        (
            {"output_audio_tokens": 8, "reasoning_tokens": 3},
            "the classes of output tokens are more than all: 8 output audio and 3 reasoning of 10",
        ),
        ({"input_audio_tokens": 1, "cached_tokens": 2}, "it is not known what kind of tokens were cached: 2 of 100"),
        (
            {"cached_tokens": 5, "input_image_tokens": 5, "cached_image_tokens": 1},
            "no rate for cached image is published",
        ),
        (
            {"cached_tokens": 5, "input_video_tokens": 1, "cached_audio_tokens": 0},
            "it is not known what kind of tokens were cached: 5 of 100",
        ),
        (
            {"cached_tokens": 4, "input_audio_tokens": 5, "cached_audio_tokens": 5},
            "the classes of cached tokens are more than all: 5 cached audio of 4",
        ),
        ({"cache_write_tokens": 5, "cache_write_1h_tokens": 6}, "a token count is negative"),
        ({"cached_tokens": 9, "input_audio_tokens": 5, "cached_audio_tokens": 6}, "a token count is negative"),
        ({"problem": "odd"}, "odd"),
        ({"input_tokens": 10**18 - 21}, None),
        ({"input_tokens": 10**18 - 20}, "so many tokens cannot be meant: 999999999999999980 input, 10 output"),
        ({"cache_write_tokens": -1}, "a token count is negative"),
    ],
)
def test_counts_that_cannot_be_are_never_priced(counts, note):
    """No amount, and the reason with its figures."""
    cost = RATE.reckon(Usage(**{"input_tokens": 100, "output_tokens": 10, **counts}))
    assert (cost.amount is None) == (note is not None)
    assert note is None or cost.note.startswith(note)


@pytest.mark.parametrize(
    ("rate", "counts", "note"),
    [
        (
            replace(RATE, others={"cache write": flat(Decimal(3))}),
            {"cache_write_tokens": 5, "cache_write_1h_tokens": 1},
            "no rate for cache writes that last an hour is published",
        ),
        (replace(RATE, search=None), {"web_searches": 2}, "no rate for web searches is published, and there were 2"),
        (replace(RATE, search=None), {"web_searches": 0}, None),
        (replace(RATE, search=None, request=Decimal(1)), {"web_searches": 2}, None),
        (replace(RATE, others={}), {"cache_write_tokens": 5, "cache_write_1h_tokens": 1}, None),
        (replace(RATE, others={}), {"cached_tokens": 5, "input_audio_tokens": 7, "cached_audio_tokens": 5}, None),
    ],
)
def test_a_class_whose_side_has_a_rate_of_its_own_never_costs_what_others_cost(rate, counts, note):
    """Where the longer write, the cached kind or the search has no rate: no amount. Where no class has one, all do."""
    cost = rate.reckon(Usage(input_tokens=100, output_tokens=10, **counts))
    assert (cost.amount, cost.note) == (None, note) if note else cost.amount is not None


def test_what_searches_cost_is_said_beside_the_tokens():
    """The note names how many and the price of one."""
    assert RATE.reckon(Usage(input_tokens=1, output_tokens=1, web_searches=2)).note == "2 web searches at 0.002 USD"
    assert RATE.reckon(Usage(input_tokens=1, output_tokens=1, web_searches=0)).note is None


COUNTED = {
    "plain": {},
    "cached": {"cache_read_tokens": 5_000},
    "written": {"cache_read_tokens": 500, "cache_write_tokens": 11_000},
    "audio": {"input_audio_tokens": 500, "output_audio_tokens": 300},
    "reasoning": {"output_reasoning_tokens": 300},
    "searches": {"web_searches": 4},
}
OURS = {"cache_read_tokens": "cached_tokens", "output_reasoning_tokens": "reasoning_tokens"}


@pytest.mark.parametrize("counts", COUNTED.values(), ids=COUNTED)
@pytest.mark.parametrize("into", [12_000, 300_000])
def test_amounts_are_those_of_the_price_book_s_own_arithmetic(counts, into):
    """Every model of four providers, to the twelve decimals that the book keeps; where we say none, so does no one's
    bill: the package takes 0 for a rate that is not there."""
    from genai_prices import Usage as Theirs
    from genai_prices import calc_price
    from genai_prices.data import providers

    seen = 0
    for provider in providers:
        if provider.id not in ("openai", "anthropic", "google", "openrouter"):
            continue
        for model in provider.models:
            usage = Usage(
                input_tokens=into, output_tokens=800, **{OURS.get(name, name): n for name, n in counts.items()}
            )
            cost = reckon(usage, provider=provider.id, model=model.id, on=NOW)
            if cost.amount is None:
                continue
            theirs = calc_price(
                Theirs(input_tokens=into, output_tokens=800, **counts),
                model.id,
                provider_id=provider.id,
                genai_request_timestamp=NOW,
            ).total_price
            assert abs(cost.amount - theirs) < Decimal("1e-12"), (provider.id, model.id, cost, theirs)
            seen += 1
    assert seen > (70 if "web_searches" in counts else 600)


def test_the_rate_says_what_it_is():
    """Tier and classes are in the words that the book keeps."""
    assert RATE.words == (
        "p/m tier flex input 1 cached 0.1 output 2 cache write 3 cache write 1h 4 cached audio 0.5 "
        "input audio 10 (20 over 100 input) input image 5 "
        "input video 6 output audio 7 output image 8 USD/MTok undated"
    )
    assert RATE.first_tier == 100


def test_a_remark_goes_with_the_price():
    """Estimates first, then what is to be known of the counts."""
    usage = Usage(input_tokens=1, output_tokens=1, reported=False, remark="so and so")
    assert RATE.reckon(usage).note == "the token counts are estimates; so and so"
