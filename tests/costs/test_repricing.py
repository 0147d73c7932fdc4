"""The same tokens on other models: added up exactly, the cheapest first."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from daybook.costs.repricing import reprice

ON = date(2026, 11, 20)
USAGES = [
    {"calls": 3, "input_tokens": 1_000_000, "cached_tokens": 0, "output_tokens": 100_000, "reasoning_tokens": None},
    {"calls": 1, "input_tokens": 1_000_000, "cached_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0},
]
MODELS = [
    ("nobody", "z"),
    ("openai", "gpt-4o"),
    ("nobody", "a"),
    ("local", "smollm2-135m-instruct"),
    ("openai", "gpt-4.1-nano"),
    ("openai", "gpt-4o-mini"),
]


def test_the_cheapest_stands_first_and_what_nobody_knows_last():
    """2 M in and 0.1 M out: at 0, at 0.10 and 0.40, at 0.15 and 0.60, at 2.50 and 10; the rest by name, and why."""
    quotes = reprice(USAGES, MODELS, ON)
    assert [(quote.model, quote.amount) for quote in quotes] == [
        ("smollm2-135m-instruct", Decimal(0)),
        ("gpt-4.1-nano", Decimal("0.24")),
        ("gpt-4o-mini", Decimal("0.36")),
        ("gpt-4o", Decimal(6)),
        ("a", None),
        ("z", None),
    ]
    assert [quote.rate is None for quote in quotes] == [False] * 4 + [True] * 2
    assert "nobody" in quotes[-1].note


def test_counts_that_cannot_be_priced_make_the_sum_unknown():
    """One row without a count: no amount at all, never the sum of the others."""
    usages = [*USAGES, USAGES[1] | {"input_tokens": None}]
    (quote,) = reprice(usages, [("openai", "gpt-4o-mini")], ON)
    assert (quote.amount, quote.note) == (None, "the input tokens are not known")
    assert quote.rate.startswith("openai/gpt-4o-mini input 0.15")
