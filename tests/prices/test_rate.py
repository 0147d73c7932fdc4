"""From tokens to money, each figure worked by hand."""

from dataclasses import replace
from datetime import date
from decimal import ROUND_DOWN, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybook.prices.rate import Rate, Step, flat, plain
from daybook.records import Usage

MINI = Rate(
    provider="openai",
    model="gpt-4o-mini",
    input=flat(Decimal("0.15")),
    cached=flat(Decimal("0.075")),
    output=flat(Decimal("0.60")),
    since=date(2024, 7, 18),
    source="a test",
)
TIERED = Rate(
    provider="google",
    model="gemini-2.5-pro",
    input=(Step(-1, Decimal("1.25")), Step(200_000, Decimal("2.50"))),
    output=(Step(-1, Decimal("10")), Step(200_000, Decimal("15"))),
    source="a test",
)


def test_a_price_is_per_million_tokens():
    """A million input tokens at 0.15 cost 0.15 dollars, and a thousand cost 0.00015: not 1000 times less, or more."""
    assert MINI.reckon(Usage(input_tokens=1_000_000, output_tokens=0)).amount == Decimal("0.15")
    assert MINI.reckon(Usage(input_tokens=1_000, output_tokens=0)).amount == Decimal("0.00015")


def test_input_cached_and_output_are_each_charged_once():
    """(2,000 - 500) x 0.15 + 500 x 0.075 + 300 x 0.60 = 442.5 millionths."""
    cost = MINI.reckon(Usage(input_tokens=2_000, cached_tokens=500, output_tokens=300))
    assert cost.amount == Decimal("0.0004425")
    assert isinstance(cost.amount, Decimal)


def test_cached_tokens_without_a_rate_of_their_own_cost_what_input_costs():
    """2,000 x 0.15 + 300 x 0.60 = 480 millionths, however many were cached."""
    rate = replace(MINI, cached=None)
    assert rate.reckon(Usage(input_tokens=2_000, cached_tokens=500, output_tokens=300)).amount == Decimal("0.00048")


def test_reasoning_tokens_are_output_and_not_charged_twice():
    """300 output tokens of which 200 were reasoning cost 300 x 0.60; with a rate of 3: 100 x 0.60 + 200 x 3."""
    usage = Usage(input_tokens=0, output_tokens=300, reasoning_tokens=200)
    assert MINI.reckon(usage).amount == Decimal("0.00018")
    assert replace(MINI, reasoning=flat(Decimal(3))).reckon(usage).amount == Decimal("0.00066")


def test_reasoning_with_a_rate_of_its_own_must_have_been_counted():
    """Not counted is not none: the amount is unknown."""
    cost = replace(MINI, reasoning=flat(Decimal(3))).reckon(Usage(input_tokens=1, output_tokens=300))
    assert cost.amount is None
    assert cost.note == "reasoning tokens have a rate of their own and were not counted"


@pytest.mark.parametrize(
    ("input_tokens", "amount"),
    [(200_000, "0.26"), (200_001, "0.5150025"), (1, "0.01000125")],
)
def test_past_a_tier_every_token_costs_more(input_tokens, amount):
    """1,000 output tokens with 200,000 in: 0.25 + 0.01; one more, and all cost more: 0.5000025 + 0.015."""
    assert TIERED.reckon(Usage(input_tokens=input_tokens, output_tokens=1_000)).amount == Decimal(amount)


def test_a_charge_per_call_is_added_once():
    """1,000 x 0.15 millionths + 0.005."""
    rate = replace(MINI, request=Decimal("0.005"))
    assert rate.reckon(Usage(input_tokens=1_000, output_tokens=0)).amount == Decimal("0.00515")


@pytest.mark.parametrize(
    "usage", [Usage(), Usage(input_tokens=5, output_tokens=5), Usage(problem="the counts do not add up"),
              Usage(input_tokens=10, cached_tokens=20, output_tokens=1)],
)  # fmt: skip
def test_where_calls_alone_have_a_price_tokens_need_not_be_known(usage):
    """What a call read and wrote is not charged, so neither its absence nor its absurdity matters."""
    rate = replace(MINI, input=None, cached=None, output=None, request=Decimal("0.002"))
    cost = rate.reckon(usage)
    assert (cost.amount, cost.note) == (Decimal("0.002"), None)
    assert rate.words == "openai/gpt-4o-mini request 0.002 USD from 2024-07-18"
    assert replace(rate, request=Decimal(0)).reckon(usage).amount == 0


def test_no_tokens_cost_nothing():
    """A known rate and zero tokens: zero, not unknown."""
    cost = MINI.reckon(Usage(input_tokens=0, output_tokens=0))
    assert cost.amount == 0
    assert cost.note is None


@pytest.mark.parametrize(
    ("usage", "note"),
    [
        (Usage(), "the input tokens are not known"),
        (Usage(output_tokens=5), "the input tokens are not known"),
        (Usage(input_tokens=5), "the output tokens are not known"),
        (Usage(input_tokens=5, output_tokens=-1), "a token count is negative"),
        (Usage(input_tokens=5, output_tokens=1, cached_tokens=6), "6 cached tokens cannot be part of 5 input tokens"),
        (Usage(input_tokens=5, output_tokens=1, reasoning_tokens=2), "2 reasoning tokens cannot be part of 1 output"),
    ],
)
def test_missing_or_absurd_counts_are_unknown_cost(usage, note):
    """The amount is None with the reason, and the rate that would have held is still named."""
    cost = MINI.reckon(usage)
    assert cost.amount is None
    assert note in cost.note
    assert cost.rate == MINI.words


def test_output_needs_a_rate_only_where_there_is_output():
    """An embedding has no output rate: without output it is priced, with output it is not."""
    embedding = replace(MINI, output=None, cached=None)
    assert embedding.reckon(Usage(input_tokens=1_000)).amount == Decimal("0.00015")
    assert embedding.reckon(Usage(input_tokens=1_000, output_tokens=3)).amount is None


def test_estimated_counts_are_said_to_be_estimates():
    """The amount is there, and so is the warning."""
    cost = MINI.reckon(Usage(input_tokens=1_000, output_tokens=0, reported=False))
    assert cost.amount == Decimal("0.00015")
    assert cost.note == "the token counts are estimates"


def test_a_rate_says_itself_in_one_line():
    """Provider, model, each rate, unit and first day."""
    assert MINI.words == "openai/gpt-4o-mini input 0.15 cached 0.075 output 0.6 USD/MTok from 2024-07-18"
    assert TIERED.words == (
        "google/gemini-2.5-pro input 1.25 (2.5 over 200,000 input) output 10 (15 over 200,000 input) USD/MTok undated"
    )


def test_the_callers_decimal_settings_change_nothing():
    """With a precision of 3 and rounding down around it, all digits are there."""
    with localcontext() as context:
        context.prec = 3
        context.rounding = ROUND_DOWN
        amount = MINI.reckon(Usage(input_tokens=123_456_789, output_tokens=1)).amount
        words = replace(MINI, input=flat(Decimal("0.123456"))).words
    assert amount == Decimal("18.51851895")
    assert "input 0.123456 " in words


def test_more_than_twelve_decimals_are_rounded_to_what_the_book_keeps():
    """0.12345678 x 1 millionth has 14 decimals; half to even at the twelfth."""
    rate = replace(MINI, input=flat(Decimal("0.1234565")))
    assert rate.reckon(Usage(input_tokens=1, output_tokens=0)).amount == Decimal("0.000000123456")


@given(a=st.integers(0, 10**7), b=st.integers(0, 10**7), out_a=st.integers(0, 10**6), out_b=st.integers(0, 10**6))
def test_untiered_cost_is_additive(a, b, out_a, out_b):
    """Two calls together cost exactly what their tokens cost in one."""
    apart = [MINI.reckon(Usage(input_tokens=i, output_tokens=o)).amount for i, o in ((a, out_a), (b, out_b))]
    assert sum(apart) == MINI.reckon(Usage(input_tokens=a + b, output_tokens=out_a + out_b)).amount


@pytest.mark.parametrize(("value", "text"), [("0.60", "0.6"), ("1E+1", "10"), ("0", "0"), ("0.000001", "0.000001")])
def test_prices_are_written_plainly(value, text):
    """No exponent, no trailing zeros."""
    assert plain(Decimal(value)) == text
