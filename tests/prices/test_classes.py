"""Every class of token that the price book has a rate for, as it was served; each figure worked by hand."""

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
        "input audio": (Step(-1, Decimal(10)), Step(100, Decimal(20))),
        "input image": flat(Decimal(5)),
        "input video": flat(Decimal(6)),
        "output audio": flat(Decimal(7)),
        "output image": flat(Decimal(8)),
    },
    tier="flex",
    source="test",
)


@pytest.mark.parametrize(
    ("counts", "millionths"),
    [
        ({"cache_write_tokens": 100}, 300 + 20),
        ({"cache_write_tokens": 40, "cached_tokens": 60}, 120 + 6 + 20),
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


def test_the_rate_says_what_it_is():
    """Tier and classes are in the words that the book keeps."""
    assert RATE.words == (
        "p/m tier flex input 1 cached 0.1 output 2 cache write 3 input audio 10 (20 over 100 input) input image 5 "
        "input video 6 output audio 7 output image 8 USD/MTok undated"
    )
    assert RATE.first_tier == 100


def test_a_remark_goes_with_the_price():
    """Estimates first, then what is to be known of the counts."""
    usage = Usage(input_tokens=1, output_tokens=1, reported=False, remark="so and so")
    assert RATE.reckon(usage).note == "the token counts are estimates; so and so"
