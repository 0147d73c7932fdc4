"""What the same tokens would have cost on other models, by the prices of one day.

A comparison of prices, not of models: another model would cut the same text into other tokens, answer at another
length and cache in its own way. It is good for orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from daybook import prices
from daybook.prices import Rate
from daybook.records import Usage
from daybook.reporting.tables import TableRow

MODELS: tuple[tuple[str, str], ...] = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o"),
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-5"),
    ("google", "gemini-2.5-flash"),
    ("google", "gemini-2.5-pro"),
    ("mistral", "mistral-small-latest"),
    ("deepseek", "deepseek-chat"),
)
"""Well-known models of several makers, small and large."""

UNBOUNDED = 2**62


@dataclass(frozen=True, slots=True)
class Quote:
    provider: str
    model: str
    amount: Decimal | None
    """US dollars; None: the price of that day is not known, and `note` says why."""
    rate: str | None
    note: str | None
    dated: bool = False
    """Whether the price book says since when the price holds. If not, it is the oldest on record."""

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


def first_tier(models: Sequence[tuple[str, str]], on: date) -> int:
    """Input tokens up to which each of the models charges its base price."""
    rates = (prices.standard().rate(provider, model, on) for provider, model in models)
    tiers = (rate.first_tier for rate in rates if isinstance(rate, Rate))
    return min((tier for tier in tiers if tier is not None), default=UNBOUNDED)


def reprice(usages: Iterable[TableRow], models: Sequence[tuple[str, str]], on: date) -> list[Quote]:
    """Cheapest first, unknown last. `usages`: token counts of `calls` calls each, where more than one call is added up
    only below every tier."""
    rows = list(usages)
    quotes = []
    for provider, model in models:
        rate = prices.standard().rate(provider, model, on)
        if isinstance(rate, str):
            quotes.append(Quote(provider, model, None, None, rate))
            continue
        amount, note = Decimal(0), rate.note
        known = True
        for row in rows:
            usage = Usage(
                input_tokens=row["input_tokens"],
                cached_tokens=row["cached_tokens"],
                output_tokens=row["output_tokens"],
                reasoning_tokens=row["reasoning_tokens"],
            )
            cost = rate.reckon(usage) if row["calls"] == 1 else rate.reckon_many(usage, row["calls"])
            if cost.amount is None:
                known, note = False, cost.note
                break
            amount += cost.amount
        quotes.append(Quote(provider, model, amount if known else None, rate.words, note, rate.since is not None))
    return sorted(quotes, key=lambda o: (o.amount is None, o.amount or 0, o.provider, o.model))
